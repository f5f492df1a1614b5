package oauth

import (
	"context"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/claims"
)

// AccessTokenOf returns the access token of a request by RFC 6750: in the header, or in
// the form body, which the handler passes only if it is one; empty: there is none. A token
// in the query is never looked at. The error is an *Error.
func AccessTokenOf(authorization []string, body string) (string, error) {
	form, err := ParseForm(body)
	if err != nil {
		return "", err
	}
	inBody := form.Get("access_token")
	switch {
	case form.firstRepeated([]string{"access_token"}) != "" || len(authorization) > 1:
		return "", refuse(InvalidRequest, CauseRepeatedParameter, "The access token was sent more than once.")
	case len(authorization) == 0:
		return inBody, nil
	}
	scheme, inHeader, _ := strings.Cut(authorization[0], " ")
	inHeader = strings.TrimSpace(inHeader)
	switch {
	case !strings.EqualFold(scheme, "Bearer"):
		return inBody, nil
	case inHeader == "":
		return "", refuse(InvalidRequest, CauseMalformed, "The Authorization header has no token.")
	case inBody != "":
		return "", refuse(InvalidRequest, CauseAuthenticationMethod, "An access token was sent in the header and in the body.")
	}
	return inHeader, nil
}

// UserInfo returns the claims that an access token gives (OpenID Connect Core §5.3). The
// error is an *Error or a failure of the system. One remote call: GrantState.
func (p *Provider) UserInfo(ctx context.Context, call Call, accessToken string) (map[string]any, error) {
	token, err := p.verifyAccessToken(ctx, accessToken, call.Issuer)
	if err != nil {
		return nil, err
	}
	a, g, err := p.liveToken(ctx, token)
	if refusal, ok := RefusalOf(err); ok {
		p.LogField(ctx, "cause", string(refusal.Cause))
	}
	scopes := strings.Fields(token.Scope)
	switch {
	case err != nil:
		return nil, err
	case !slices.Contains(scopes, claims.ScopeOpenID):
		return nil, refuse(InsufficientScope, CauseScope, "The access token does not have the scope openid.")
	}
	told := claims.ForUserinfo(g.member(), a.Claims, scopes, g.requested()).Map()
	told["sub"] = g.UserID
	return told, nil
}
