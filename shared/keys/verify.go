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

// Verifier accepts tokens that a Minter signed with a published key. It reads the
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

// VerifySession returns the claims of a session token that was signed for this issuer and
// is valid now; an OAuth token is refused, so that none opens what is the service's own.
// The caller checks the audience. It fails with ErrRefused, or with the error that
// prevented reading the keys.
func (v *Verifier) VerifySession(ctx context.Context, token, issuer string) (AccessTokenClaims, error) {
	claims, err := v.accessToken(ctx, token, issuer)
	if err != nil {
		return AccessTokenClaims{}, err
	}
	if claims.ClientID != "" || claims.AuthorizedParty != "" || claims.GrantID != "" {
		return AccessTokenClaims{}, refused("made for an OAuth client")
	}
	return claims, nil
}

// VerifyOAuth returns the claims of an OAuth token that was signed by and for this issuer
// and is valid now; a session token is refused, because it has no grant that could be
// revoked. The caller asks the store for the grant. It fails as VerifySession does.
func (v *Verifier) VerifyOAuth(ctx context.Context, token, issuer string) (AccessTokenClaims, error) {
	claims, err := v.accessToken(ctx, token, issuer)
	switch {
	case err != nil:
		return AccessTokenClaims{}, err
	case claims.ClientID == "" || claims.AuthorizedParty != claims.ClientID || claims.GrantID == "":
		return AccessTokenClaims{}, refused("not made for an OAuth client")
	case !claims.Audience.Has(issuer):
		return AccessTokenClaims{}, refused("another audience")
	}
	return claims, nil
}

// accessToken verifies what both sorts of access tokens have in common.
func (v *Verifier) accessToken(ctx context.Context, token, issuer string) (claims AccessTokenClaims, err error) {
	// An ID token signed by the same keys must not pass as an access token (RFC 9068 §4).
	if err := v.verify(ctx, token, typeAccess, &claims, &claims.Member); err != nil {
		return AccessTokenClaims{}, err
	}
	claims.Member = aboutMember(claims.Member)
	if err := v.origin(issuer, claims.Issuer, claims.Subject, claims.IssuedAt); err != nil {
		return AccessTokenClaims{}, err
	}
	if claims.ExpiresAt <= v.now().Unix() {
		return AccessTokenClaims{}, refused("expired")
	}
	return claims, nil
}

// VerifyIDTokenHint returns the claims of an ID token that was signed by this issuer, for
// whichever application, and says whether it has expired: as a hint it may have (OpenID
// Connect Core 1.0 §3.1.2.1, RP-Initiated Logout 1.0 §2). It fails as VerifySession does;
// also for a token so old that its key is not published any more.
func (v *Verifier) VerifyIDTokenHint(ctx context.Context, token, issuer string) (claims IDTokenClaims, expired bool, err error) {
	if err := v.verify(ctx, token, typeID, &claims, &claims.Member); err != nil {
		return IDTokenClaims{}, false, err
	}
	claims.Member = aboutMember(claims.Member)
	if err := v.origin(issuer, claims.Issuer, claims.Subject, claims.IssuedAt); err != nil {
		return IDTokenClaims{}, false, err
	}
	if claims.Audience == "" || claims.AuthorizedParty != claims.Audience || claims.SessionID == "" {
		return IDTokenClaims{}, false, refused("not an ID token of this service")
	}
	return claims, claims.ExpiresAt <= v.now().Unix(), nil
}

// verify checks type and signature of a token and decodes its claims into each of to.
func (v *Verifier) verify(ctx context.Context, token, tokenType string, to ...any) error {
	if len(token) > maxToken {
		return refused("longer than 8 kB")
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || len(parsed.Headers) != 1 {
		return refused("not a JWT signed with RS256")
	}
	header := parsed.Headers[0]
	if header.ExtraHeaders[jose.HeaderType] != tokenType {
		return refused("its type is not " + tokenType)
	}
	// Only the kid selects the key. A key in the token itself (jwk, jku, x5c) is ignored.
	key, err := v.key(ctx, header.KeyID)
	if err != nil {
		return err
	}
	if err := parsed.Claims(key, to...); err != nil {
		return refused("its signature or its claims do not hold")
	}
	return nil
}

// origin checks what says that a token is ours.
func (v *Verifier) origin(issuer, signedFor, subject string, issuedAt int64) error {
	switch {
	case issuer == "" || signedFor != issuer:
		return refused("another issuer")
	case subject == "":
		return refused("no subject")
	case issuedAt == 0 || issuedAt > v.now().Add(clockSkew).Unix():
		return refused("not issued yet")
	}
	return nil
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
