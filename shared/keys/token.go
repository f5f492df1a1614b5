package keys

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/wecom-signin/wecom-signin/shared/cache"
)

const (
	// MaxLifetime is the longest life of an access token, which cannot be revoked.
	MaxLifetime = 15 * time.Minute
	// IDTokenLifetime is the life of an ID token. An application reads it once, when the
	// member arrives; as a hint it may be older.
	IDTokenLifetime = 10 * time.Minute
	// LogoutTokenLifetime is the longest that OpenID Connect Back-Channel Logout 1.0 §2.4
	// recommends.
	LogoutTokenLifetime = 2 * time.Minute
	// keepKeys is how long keys are used without reading them again. It must be much less
	// than the time between two rotations.
	keepKeys = 5 * time.Minute
	// staleKeys is how much longer they are used while they cannot be read. A key stays
	// valid for a whole rotation after it was replaced, so an outage of hours is harmless.
	staleKeys = 12 * time.Hour
	// pauseKeys is the least time between two attempts to read keys while there are some.
	pauseKeys = 10 * time.Second
)

// MinterConfig is what NewMinter needs.
type MinterConfig struct {
	// Load returns the encoded set (Set.Encode).
	Load func(context.Context) (string, error)
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Minter signs tokens with the current key. It reads the key set for the first token, and
// again when it is 5 minutes old; while it cannot read it, it keeps using the one that it
// has. A signature takes about 1 ms of a core. It is safe for concurrent use.
type Minter struct {
	now     func() time.Time
	signers *cache.Value[signers]
}

// signers has a signer for each type of token.
type signers struct{ access, id, logout jose.Signer }

// NewMinter returns a minter. It reads nothing before the first token.
func NewMinter(cfg MinterConfig) *Minter {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Minter{cfg.Now, cache.New(cache.Config[signers]{
		Load: func(ctx context.Context) (signers, error) {
			text, err := cfg.Load(ctx)
			if err != nil {
				return signers{}, fmt.Errorf("read signing keys: %w", err)
			}
			set, err := Decode(text)
			if err != nil {
				return signers{}, fmt.Errorf("read signing keys: %w", err)
			}
			return newSigners(set.Current)
		},
		Keep: keepKeys, Stale: staleKeys, Pause: pauseKeys, Now: cfg.Now,
	})}
}

func newSigners(key Key) (all signers, err error) {
	for _, signer := range []struct {
		to        *jose.Signer
		tokenType jose.ContentType
	}{{&all.access, typeAccess}, {&all.id, typeID}, {&all.logout, typeLogout}} {
		*signer.to, err = jose.NewSigner(
			jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key.held.private, KeyID: key.ID()}},
			(&jose.SignerOptions{}).WithType(signer.tokenType))
		if err != nil {
			return signers{}, fmt.Errorf("use signing key: %w", err)
		}
	}
	return all, nil
}

// ErrNoTimeLeft says that the session ends within a second.
var ErrNoTimeLeft = errors.New("the session has ended")

// Mint signs an access token with the claims, of which it sets IssuedAt, ExpiresAt, ID and
// AuthorizedParty. The token lives for MaxLifetime, but not beyond end, and ErrNoTimeLeft
// if that is too soon. end is that of the session, or of an offline grant. lifetime is in
// whole seconds, for expires_in.
func (m *Minter) Mint(ctx context.Context, claims AccessTokenClaims, end time.Time) (token string, lifetime time.Duration, err error) {
	switch {
	case claims.Issuer == "" || claims.Subject == "" || len(claims.Audience) == 0 || slices.Contains(claims.Audience, ""):
		return "", 0, errors.New("mint token: issuer, audience and subject must be there")
	case (claims.ClientID == "") != (claims.GrantID == ""):
		return "", 0, errors.New("mint token: a client id needs a grant, and a grant a client id")
	case claims.ClientID != "" && (!claims.Audience.Has(claims.Issuer) || claims.Audience.Has(claims.ClientID)):
		return "", 0, errors.New("mint token: an application's token is for the issuer, and never for the client id")
	}
	all, err := m.signers.Get(ctx)
	if err != nil {
		return "", 0, err
	}
	now := m.now()
	expiresAt := now.Add(MaxLifetime)
	if end.Before(expiresAt) {
		expiresAt = end
	}
	// Both rounded down to seconds, so that neither side is promised more.
	claims.IssuedAt, claims.ExpiresAt = now.Unix(), expiresAt.Unix()
	lifetime = time.Unix(claims.ExpiresAt, 0).Sub(now).Truncate(time.Second)
	if lifetime < time.Second {
		return "", 0, ErrNoTimeLeft
	}
	claims.ID, claims.AuthorizedParty = rand.Text(), claims.ClientID
	token, err = sign(all.access, claims, claims.Member)
	if err != nil {
		return "", 0, err
	}
	return token, lifetime, nil
}

// MintIDToken signs an ID token with the claims, of which it sets IssuedAt, ExpiresAt,
// AuthorizedParty and, by the access token of the same answer, AccessTokenHash. It lives
// for IDTokenLifetime.
func (m *Minter) MintIDToken(ctx context.Context, claims IDTokenClaims, accessToken string) (string, error) {
	if claims.Issuer == "" || claims.Subject == "" || claims.Audience == "" || claims.SessionID == "" || claims.AuthTime == 0 {
		return "", errors.New("mint ID token: issuer, subject, audience, session and time must be there")
	}
	all, err := m.signers.Get(ctx)
	if err != nil {
		return "", err
	}
	now := m.now()
	claims.IssuedAt, claims.ExpiresAt = now.Unix(), now.Add(IDTokenLifetime).Unix()
	claims.AuthorizedParty = claims.Audience
	// OpenID Connect Core 1.0 §3.1.3.6: the left half of the hash.
	sum := sha256.Sum256([]byte(accessToken))
	claims.AccessTokenHash = base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	return sign(all.id, claims, claims.Member)
}

// MintLogoutToken signs a logout token with the claims, of which it sets IssuedAt,
// ExpiresAt, ID and Events. It lives for LogoutTokenLifetime.
func (m *Minter) MintLogoutToken(ctx context.Context, claims LogoutTokenClaims) (string, error) {
	if claims.Issuer == "" || claims.Subject == "" || claims.Audience == "" || claims.SessionID == "" {
		return "", errors.New("mint logout token: issuer, subject, audience and session must be there")
	}
	all, err := m.signers.Get(ctx)
	if err != nil {
		return "", err
	}
	now := m.now()
	claims.IssuedAt, claims.ExpiresAt = now.Unix(), now.Add(LogoutTokenLifetime).Unix()
	claims.ID = rand.Text()
	claims.Events = map[string]struct{}{logoutEvent: {}}
	return sign(all.logout, claims, nil)
}

// sign signs a token's own claims, and beside them those about the member.
func sign(signer jose.Signer, own any, member map[string]any) (string, error) {
	token, err := jwt.Signed(signer).Claims(aboutMember(member)).Claims(own).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}
