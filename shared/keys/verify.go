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
	// maxToken bounds what is parsed. Our tokens have about 1 kB; API Gateway allows 10 kB
	// for all headers.
	maxToken = 8 << 10
	// clockSkew is how far the minter's clock may be ahead. It does not extend a token's
	// life.
	clockSkew = 10 * time.Second
)

// ErrRefused says that the token is not ours, or not valid any more. The wrapping error
// says which check failed, and shows nothing of the token.
var ErrRefused = errors.New("token refused")

// VerifierConfig is what NewVerifier needs.
type VerifierConfig struct {
	// Document returns the published JWKS document.
	Document func(context.Context) ([]byte, error)
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Verifier accepts access tokens that a Minter signed with a published key. It reads the
// keys for the first token, again when they are 5 minutes old, and for an unknown kid,
// then at most every 10 seconds. It is safe for concurrent use.
type Verifier struct {
	now  func() time.Time
	keys *cache.Value[map[string]*rsa.PublicKey]
}

// NewVerifier returns a verifier. It reads nothing before the first token.
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

// Verify returns the claims of a token that was signed for this issuer and is valid now.
// The caller checks the audience. Verify fails with ErrRefused, or with the error that
// prevented reading the keys.
func (v *Verifier) Verify(ctx context.Context, token, issuer string) (AccessTokenClaims, error) {
	if len(token) > maxToken {
		return AccessTokenClaims{}, refused("longer than 8 kB")
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || len(parsed.Headers) != 1 {
		return AccessTokenClaims{}, refused("not a JWT signed with RS256")
	}
	header := parsed.Headers[0]
	// An id token signed by the same keys must not pass as an access token (RFC 9068 §4).
	if header.ExtraHeaders[jose.HeaderType] != tokenType {
		return AccessTokenClaims{}, refused("its type is not " + tokenType)
	}
	// Only the kid selects the key. A key in the token itself (jwk, jku, x5c) is ignored.
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
