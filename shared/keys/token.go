package keys

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/wecom-signin/wecom-signin/shared/cache"
)

const (
	// MaxLifetime is how long an access token lives at most: it cannot be called back.
	MaxLifetime = 15 * time.Minute
	// keepKeys is how long keys are used without reading them again. Much less than
	// the time between two rotations, which is what makes it safe.
	keepKeys = 5 * time.Minute
	// staleKeys is how much longer while they cannot be read. A key signs or is
	// published for a whole rotation after, so an outage of hours harms nobody.
	staleKeys = 12 * time.Hour
	// pauseKeys is the least time between two attempts to read keys while there are some.
	pauseKeys = 10 * time.Second

	tokenType = "at+jwt" // RFC 9068 §2.1
)

// AccessTokenClaims is what an access token says. Names are those of RFC 9068 and
// OpenID Connect where they have one.
type AccessTokenClaims struct {
	Issuer      string   `json:"iss"` // the public URL of the service
	Audience    string   `json:"aud"` // an application's origin, or the public URL
	Subject     string   `json:"sub"` // user id
	IssuedAt    int64    `json:"iat"` // Unix seconds; set by Mint
	ExpiresAt   int64    `json:"exp"` // Unix seconds; set by Mint
	ID          string   `json:"jti"` // random; set by Mint
	Name        string   `json:"name"`
	PhoneNumber string   `json:"phone_number"` // E.164
	Roles       []string `json:"roles"`
	CorpID      string   `json:"corp_id"`
	WeComUserID string   `json:"wecom_userid"`
	// SessionKey is the key of the session that the token comes from (a hash, which
	// opens nothing): whoever must know at once that it ended looks there.
	SessionKey string `json:"sid"`
	// ClientID names the OAuth client a token was issued to (RFC 9068 §2.2); a token of
	// /api/token has none.
	ClientID string `json:"client_id,omitempty"`
}

// LogValue leaves out what is personal.
func (c AccessTokenClaims) LogValue() slog.Value {
	return slog.GroupValue(slog.String("sub", c.Subject), slog.String("jti", c.ID))
}

// MinterConfig is what NewMinter needs.
type MinterConfig struct {
	// Load returns the encoded set (Set.Encode) from where it is kept.
	Load func(context.Context) (string, error)
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Minter signs access tokens with the current key. It reads the key set at the
// first token, again when it is 5 minutes old, and goes on with the one it has
// while it cannot be read. It is safe for concurrent use.
type Minter struct {
	now    func() time.Time
	signer *cache.Value[jose.Signer]
}

// NewMinter returns a minter; nothing is read yet.
func NewMinter(cfg MinterConfig) *Minter {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Minter{cfg.Now, cache.New(cache.Config[jose.Signer]{
		Load: func(ctx context.Context) (jose.Signer, error) {
			text, err := cfg.Load(ctx)
			if err != nil {
				return nil, fmt.Errorf("read signing keys: %w", err)
			}
			set, err := Decode(text)
			if err != nil {
				return nil, fmt.Errorf("read signing keys: %w", err)
			}
			return newSigner(set.Current)
		},
		Keep: keepKeys, Stale: staleKeys, Pause: pauseKeys, Now: cfg.Now,
	})}
}

func newSigner(key Key) (jose.Signer, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key.held.private, KeyID: key.ID()}},
		(&jose.SignerOptions{}).WithType(tokenType))
	if err != nil {
		return nil, fmt.Errorf("use signing key: %w", err)
	}
	return signer, nil
}

// ErrNoTimeLeft says that the session ends within a second; there is nothing to sign.
var ErrNoTimeLeft = errors.New("the session has ended")

// Mint signs a token that says claims, with IssuedAt, ExpiresAt and ID its own. It
// lives for MaxLifetime, but not beyond sessionEnd: ErrNoTimeLeft. lifetime is in
// whole seconds, for expires_in. One signature costs about 1 ms of a core.
func (m *Minter) Mint(ctx context.Context, claims AccessTokenClaims, sessionEnd time.Time) (token string, lifetime time.Duration, err error) {
	if claims.Issuer == "" || claims.Audience == "" || claims.Subject == "" {
		return "", 0, errors.New("mint token: issuer, audience and subject must be there")
	}
	signer, err := m.signer.Get(ctx)
	if err != nil {
		return "", 0, err
	}
	now := m.now()
	expiresAt := now.Add(MaxLifetime)
	if sessionEnd.Before(expiresAt) {
		expiresAt = sessionEnd
	}
	// Whole seconds, both downwards: never longer than promised to either side.
	claims.IssuedAt, claims.ExpiresAt = now.Unix(), expiresAt.Unix()
	lifetime = time.Unix(claims.ExpiresAt, 0).Sub(now).Truncate(time.Second)
	if lifetime < time.Second {
		return "", 0, ErrNoTimeLeft
	}
	claims.ID = rand.Text()
	if claims.Roles == nil {
		claims.Roles = []string{}
	}
	token, err = jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		return "", 0, fmt.Errorf("sign token: %w", err)
	}
	return token, lifetime, nil
}
