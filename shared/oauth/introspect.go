package oauth

import (
	"context"
	"maps"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/claims"
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
		// Without a secret it cannot prove who it is: anybody could ask.
		return nil, &Error{Code: InvalidClient, Cause: CauseSecretMissing, Description: "Introspection is for applications with a secret."}
	}
	told, err := p.describe(ctx, in.Issuer, c, text)
	if refusal, ok := RefusalOf(err); ok {
		p.LogField(ctx, "cause", string(refusal.Cause))
		return map[string]any{"active": false}, nil
	}
	return told, err
}

// describe returns what an active token of the application says. The error is an *Error if it is not one.
func (p *Provider) describe(ctx context.Context, issuer string, c client, text string) (map[string]any, error) {
	if r, ok := openRefreshToken(p.RefreshTokens, c.ID, text); ok {
		return p.describeRefreshToken(ctx, issuer, c, r)
	}
	token, err := p.verifyAccessToken(ctx, text, issuer)
	switch {
	case err != nil:
		return nil, err
	case token.ClientID != c.ID:
		return nil, refuse(InvalidToken, CauseOtherApplication, "")
	}
	a, g, err := p.liveToken(ctx, token)
	if err != nil {
		return nil, err
	}
	// The member as of now; the token itself as it was made.
	told := claims.ForIntrospection(g.member(), a.Claims, strings.Fields(token.Scope)).Map()
	maps.Copy(told, map[string]any{
		"active": true, "token_type": "Bearer", "iss": token.Issuer, "sub": token.Subject, "aud": token.Audience,
		"client_id": token.ClientID, "scope": token.Scope, "sid": token.SessionKey, "jti": token.ID,
		"iat": token.IssuedAt, "exp": token.ExpiresAt, "auth_time": token.AuthTime, "acr": token.ACR, "amr": token.AMR,
	})
	return told, nil
}

func (p *Provider) describeRefreshToken(ctx context.Context, issuer string, c client, r refreshToken) (map[string]any, error) {
	g, err := p.state(ctx, r.grantID, r.userID, r.lineage)
	if err != nil {
		return nil, err
	}
	if r.generation != g.Refreshed || !p.Now().Before(g.ExpiresAt) {
		return nil, refuse(InvalidToken, CauseTokenExpired, "")
	}
	if err := p.checkLive(ctx, &g, c.Application); err != nil {
		return nil, err
	}
	return map[string]any{
		"active": true, "token_type": "refresh_token", "iss": issuer, "sub": g.UserID, "sid": g.Lineage,
		"client_id": c.ID, "scope": strings.Join(g.Scopes, " "), "exp": g.ExpiresAt.Unix(),
	}, nil
}
