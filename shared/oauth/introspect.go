package oauth

import (
	"context"
	"maps"
	"strings"
)

// Introspect tells a confidential application about a token of its own (RFC 7662). Of any
// other it says {"active": false} and no more. The error is an *Error or a failure of the
// system. One remote call: GrantState.
func (p *Provider) Introspect(ctx context.Context, in TokenInput) (map[string]any, error) {
	c, text, err := p.tokenOfOwner(ctx, in)
	if err != nil {
		return nil, err
	}
	if c.Kind.IsPublic() {
		// It cannot prove that it is itself, and so could anybody ask.
		return nil, &Error{Code: InvalidClient, Cause: CauseSecretMissing, Description: "Introspection is for applications with a secret."}
	}
	claims, err := p.describe(ctx, in.Issuer, c, text)
	if refusal, ok := RefusalOf(err); ok {
		p.LogField(ctx, "cause", string(refusal.Cause))
		return map[string]any{"active": false}, nil
	}
	return claims, err
}

// describe returns what an active token of the application says. An *Error: it is not one.
func (p *Provider) describe(ctx context.Context, issuer string, c client, text string) (map[string]any, error) {
	if r, ok := openRefreshToken(p.RefreshTokens, c.ID, text); ok {
		return p.describeRefreshToken(ctx, issuer, c, r)
	}
	t, err := p.accessToken(ctx, text, issuer)
	if err != nil {
		return nil, err
	}
	if t.clientID != c.ID {
		return nil, refuse(InvalidToken, CauseConnectedApplication, "")
	}
	a, g, err := p.liveToken(ctx, t)
	if err != nil {
		return nil, err
	}
	claims := p.memberClaims(a, g, t.scopes, nil)
	// What the token itself says of the member may be older.
	for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "jti", "azp", "client_id", "sid", "scope", "auth_time", "acr", "amr"} {
		if value, ok := t.claims[name]; ok {
			claims[name] = value
		}
	}
	maps.Copy(claims, map[string]any{"active": true, "token_type": "Bearer"})
	return claims, nil
}

func (p *Provider) describeRefreshToken(ctx context.Context, issuer string, c client, r refreshToken) (map[string]any, error) {
	g, err := p.state(ctx, r.grantID, r.userID, r.lineage)
	if err != nil {
		return nil, err
	}
	if r.generation != g.Refreshed || !p.Now().Before(g.ExpiresAt) {
		return nil, refuse(InvalidToken, CauseTokenExpired, "")
	}
	if err := p.checkLive(ctx, g, c.Application); err != nil {
		return nil, err
	}
	return map[string]any{
		"active": true, "token_type": "refresh_token", "iss": issuer, "sub": g.UserID, "sid": g.Lineage,
		"client_id": c.ID, "scope": strings.Join(g.Scopes, " "), "exp": g.ExpiresAt.Unix(),
	}, nil
}
