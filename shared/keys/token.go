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
	// MaxLifetime is the longest life of an access token, which cannot be revoked.
	MaxLifetime = 15 * time.Minute
	// keepKeys is how long keys are used without reading them again. It must be much less
	// than the time between two rotations.
	keepKeys = 5 * time.Minute
	// staleKeys is how much longer they are used while they cannot be read. A key stays
	// valid for a whole rotation after it was replaced, so an outage of hours is harmless.
	staleKeys = 12 * time.Hour
	// pauseKeys is the least time between two attempts to read keys while there are some.
	pauseKeys = 10 * time.Second

	tokenType = "at+jwt" // RFC 9068 §2.1
)

// AccessTokenClaims are the claims of an access token, named as in RFC 9068 and OpenID
// Connect where these define them.
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
	// SessionKey is the key of the token's session in the store: a hash, which is not a
	// credential. With it the authorizer sees at once that the session has ended.
	SessionKey string `json:"sid"`
	// ClientID names the OAuth client a token was issued to (RFC 9068 §2.2); a token of
	// /api/token has none.
	ClientID string `json:"client_id,omitempty"`
}

// LogValue leaves out personal data.
func (c AccessTokenClaims) LogValue() slog.Value {
	return slog.GroupValue(slog.String("sub", c.Subject), slog.String("jti", c.ID))
}

// MinterConfig is what NewMinter needs.
type MinterConfig struct {
	// Load returns the encoded set (Set.Encode).
	Load func(context.Context) (string, error)
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Minter signs access tokens with the current key. It reads the key set for the first
// token, and again when it is 5 minutes old; while it cannot read it, it keeps using the
// one that it has. It is safe for concurrent use.
type Minter struct {
	now    func() time.Time
	signer *cache.Value[jose.Signer]
}

// NewMinter returns a minter. It reads nothing before the first token.
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

// ErrNoTimeLeft says that the session ends within a second.
var ErrNoTimeLeft = errors.New("the session has ended")

// Mint signs a token with the claims, of which it sets IssuedAt, ExpiresAt and ID. The
// token lives for MaxLifetime, but not beyond sessionEnd, and ErrNoTimeLeft if that is
// too soon. lifetime is in whole seconds, for expires_in. A signature takes about 1 ms of
// a core.
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
	// Both rounded down to seconds, so that neither side is promised more.
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
