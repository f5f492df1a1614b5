package keys

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/wecom-signin/wecom-signin/shared/cache"
)

const (
	// maxToken bounds what is parsed. Our tokens are about 1 kB; API Gateway passes
	// 10 kB of headers in all.
	maxToken = 8 << 10
	// clockSkew is how far the minter's clock may be ahead. There is none for
	// expiry: a token ends when it says so.
	clockSkew = 10 * time.Second
)

// ErrRefused says that the token is not one of ours, or no longer. The text that
// comes with it says which check failed and shows nothing of the token.
var ErrRefused = errors.New("token refused")

// VerifierConfig is what NewVerifier needs.
type VerifierConfig struct {
	// Document returns the published JWKS document.
	Document func(context.Context) ([]byte, error)
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Verifier accepts access tokens that a Minter signed with a published key. It
// reads the keys at the first token, again when they are 5 minutes old, and for an
// unknown kid, but then at most every 10 seconds. It is safe for concurrent use.
type Verifier struct {
	now  func() time.Time
	keys *cache.Value[map[string]*rsa.PublicKey]
}

// NewVerifier returns a verifier; nothing is read yet.
func NewVerifier(cfg VerifierConfig) *Verifier {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Verifier{cfg.Now, cache.New(cache.Config[map[string]*rsa.PublicKey]{
		Load: func(ctx context.Context) (map[string]*rsa.PublicKey, error) {
			document, err := cfg.Document(ctx)
			if err != nil {
				return nil, fmt.Errorf("read public keys: %w", err)
			}
			return parsePublic(document)
		},
		Keep: keepKeys, Stale: staleKeys, Pause: pauseKeys, Now: cfg.Now,
	})}
}

// Verify returns what a token says, if it was signed for this issuer and is in
// force. The audience is the caller's to judge. ErrRefused, or the fault that kept
// the keys from being read.
func (v *Verifier) Verify(ctx context.Context, token, issuer string) (AccessTokenClaims, error) {
	if len(token) > maxToken {
		return AccessTokenClaims{}, refused("longer than 8 kB")
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || len(parsed.Headers) != 1 {
		return AccessTokenClaims{}, refused("not a JWT signed with RS256")
	}
	header := parsed.Headers[0]
	// An id token of the same keys must not open what an access token opens (RFC 9068 §4).
	if header.ExtraHeaders[jose.HeaderType] != tokenType {
		return AccessTokenClaims{}, refused("its type is not " + tokenType)
	}
	// Only the kid chooses the key. A key the token brings along (jwk, jku, x5c) is
	// not looked at.
	key, err := v.key(ctx, header.KeyID)
	if err != nil {
		return AccessTokenClaims{}, err
	}
	var claims AccessTokenClaims
	if err := parsed.Claims(key, &claims); err != nil {
		return AccessTokenClaims{}, refused("its signature or its claims do not hold")
	}
	now := v.now()
	switch {
	case issuer == "" || claims.Issuer != issuer:
		return AccessTokenClaims{}, refused("another issuer")
	case claims.Subject == "":
		return AccessTokenClaims{}, refused("no subject")
	case claims.ExpiresAt <= now.Unix():
		return AccessTokenClaims{}, refused("expired")
	case claims.IssuedAt == 0 || claims.IssuedAt > now.Add(clockSkew).Unix():
		return AccessTokenClaims{}, refused("not issued yet")
	}
	return claims, nil
}

func (v *Verifier) key(ctx context.Context, id string) (*rsa.PublicKey, error) {
	if id == "" {
		return nil, refused("no kid")
	}
	known, err := v.keys.Get(ctx)
	if err != nil {
		return nil, err
	}
	key, ok := known[id]
	if !ok {
		if known, err = v.keys.Reload(ctx); err != nil {
			return nil, err
		}
		if key, ok = known[id]; !ok {
			return nil, refused("unknown kid")
		}
	}
	return key, nil
}

func refused(why string) error { return fmt.Errorf("%w: %s", ErrRefused, why) }
