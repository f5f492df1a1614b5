package oauth

import (
	"context"
	"errors"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// TokenInput is an application at one of the endpoints for its server.
type TokenInput struct {
	Call
	Authorization []string // the values of the Authorization header
	Body          string   // a form
}

// TokenResponse is the answer of the token endpoint (RFC 6749 §5.1).
type TokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope"`
}

// tokenParameters may be there once.
var tokenParameters = []string{"grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope"}

// Token exchanges a code or a refresh token. The error is an *Error or a failure of the
// system.
//
// Remote calls in series for a first-party application: Grant, GrantState and RotateGrant
// for a code, then RecordApplicationEvent while the tokens are signed; GrantState and
// RotateGrant for a refresh token, and once an hour CheckMember and GrantState in between.
// Any other application costs Consent, too.
func (p *Provider) Token(ctx context.Context, in TokenInput) (TokenResponse, error) {
	form, err := ParseForm(in.Body)
	if err != nil {
		return TokenResponse{}, err
	}
	c, err := p.authenticate(ctx, in, form)
	if err != nil {
		return TokenResponse{}, err
	}
	t := &tokenRequest{provider: p, call: in.Call, client: c, form: form}
	response, err := t.answer(ctx)
	if refusal, ok := RefusalOf(err); ok {
		p.record(ctx, in.Call, c.ID, t.userID, refusal)
		return TokenResponse{}, refusal
	}
	return response, err
}

// tokenRequest is one request of an authenticated application at the token endpoint.
type tokenRequest struct {
	provider *Provider
	call     Call
	client   client
	form     Form
	userID   string // as soon as it is known, for the record
}

func (t *tokenRequest) answer(ctx context.Context) (TokenResponse, error) {
	if repeated := t.form.firstRepeated(tokenParameters); repeated != "" {
		return TokenResponse{}, refuse(InvalidRequest, CauseRepeatedParameter, repeated+" was sent more than once.")
	}
	switch t.form.Get("grant_type") {
	case "authorization_code":
		return t.exchangeCode(ctx)
	case "refresh_token":
		return t.refresh(ctx)
	case "":
		return TokenResponse{}, refuse(InvalidRequest, CauseMissingParameter, "grant_type is missing.")
	}
	return TokenResponse{}, refuse(UnsupportedGrantType, CauseGrantType, "grant_type must be authorization_code or refresh_token.")
}

func (t *tokenRequest) exchangeCode(ctx context.Context) (TokenResponse, error) {
	state, err := t.takeCode(ctx)
	if err != nil {
		return TokenResponse{}, err
	}
	return t.respond(ctx, state, 1, state.Scopes, state.Nonce)
}

// takeCode takes the request's code, once, and returns what it gives.
func (t *tokenRequest) takeCode(ctx context.Context) (grantState, error) {
	grant, err := t.grantOfCode(ctx)
	if err != nil {
		return grantState{}, err
	}
	now := t.provider.Now()
	usedTwice := refuse(InvalidGrant, CauseCodeUsedTwice, "The code was used before; what it gave is revoked.")
	switch {
	case grant.Refreshed > 0:
		return grantState{}, t.revoke(ctx, grant, usedTwice)
	case !now.Before(grant.CodeExpiresAt):
		return grantState{}, refuse(InvalidGrant, CauseCodeExpired, "The code has expired.")
	}
	state, err := t.provider.state(ctx, grant.ID, grant.UserID, grant.Lineage)
	if err != nil {
		return grantState{}, err
	}
	if err := t.provider.checkLive(ctx, &state, t.client.Application); err != nil {
		return grantState{}, err
	}
	expiresAt := now.Add(t.client.RefreshTokenLifetime)
	if t.client.Kind == store.KindProxy {
		expiresAt = state.lineage.ExpiresAt // nothing is refreshed
	}
	err = t.provider.Store.RotateGrant(ctx, grant.ID, 0, now, expiresAt, keepUntil(now, expiresAt))
	switch {
	case errors.Is(err, store.ErrChanged):
		// Taken at this very moment by a request that fits as well, revoked, or expired.
		return grantState{}, t.revoke(ctx, grant, usedTwice)
	case err != nil:
		return grantState{}, wrap("take code", err)
	}
	state.Refreshed, state.ExpiresAt = 1, expiresAt
	return state, nil
}

// grantOfCode returns the grant of the request's code, if everything that came with the
// code fits. A request in which something does not fit changes nothing: otherwise
// anybody who sees a code could end what it gave.
func (t *tokenRequest) grantOfCode(ctx context.Context) (store.Grant, error) {
	code, redirectURI := t.form.Get("code"), t.form.Get("redirect_uri")
	switch {
	case code == "":
		return store.Grant{}, refuse(InvalidRequest, CauseMissingParameter, "code is missing.")
	case redirectURI == "":
		return store.Grant{}, refuse(InvalidRequest, CauseRedirectMissing, "redirect_uri is missing.")
	case len(code) != codeLength || !isBase64URL(code):
		return store.Grant{}, refuse(InvalidGrant, CauseCodeUnknown, "The code is unknown or has expired.")
	}
	grant, err := t.provider.Store.Grant(ctx, grantID(code))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Grant{}, refuse(InvalidGrant, CauseCodeUnknown, "The code is unknown or has expired.")
	case err != nil:
		return store.Grant{}, wrap("read grant of code", err)
	case grant.ApplicationID != t.client.ID:
		return store.Grant{}, refuse(InvalidGrant, CauseOtherApplication, "The code is unknown or has expired.")
	}
	t.userID = grant.UserID
	if grant.RedirectURI != redirectURI {
		return store.Grant{}, refuse(InvalidGrant, CauseRedirectMismatch, "redirect_uri is another one than in the authorization request.")
	}
	if refusal := checkVerifier(grant.CodeChallenge, t.form.Get("code_verifier")); refusal != nil {
		return store.Grant{}, refusal
	}
	return grant, nil
}

// revoke ends a grant for a second use and returns the refusal. If it cannot be ended, that
// is the error: the application must not believe that it is over.
func (t *tokenRequest) revoke(ctx context.Context, g store.Grant, refusal *Error) error {
	if err := t.provider.revokeGrant(ctx, g.ID); err != nil {
		return err
	}
	if !g.Revoked {
		t.provider.Audit.Note(ctx, store.AuditLine{Type: audit.TokenReused, User: g.UserID, Application: g.ApplicationID, Code: string(refusal.Cause)})
	}
	return refusal
}

func (t *tokenRequest) refresh(ctx context.Context) (TokenResponse, error) {
	text := t.form.Get("refresh_token")
	if text == "" {
		return TokenResponse{}, refuse(InvalidRequest, CauseMissingParameter, "refresh_token is missing.")
	}
	token, ok := openRefreshToken(t.provider.RefreshTokens, t.client.ID, text)
	if !ok {
		return TokenResponse{}, refuse(InvalidGrant, CauseTokenMalformed, "The refresh token is not one of this application.")
	}
	t.userID = token.userID
	response, err := t.rotate(ctx, token)
	if errors.Is(err, store.ErrChanged) {
		// Somebody was quicker. Read what they did: most likely it is a retry.
		response, err = t.rotate(ctx, token)
	}
	return response, err
}

// rotate answers a refresh token with its successor. store.ErrChanged: the grant has changed
// since it was read.
func (t *tokenRequest) rotate(ctx context.Context, token refreshToken) (TokenResponse, error) {
	grant, err := t.provider.state(ctx, token.grantID, token.userID, token.lineage)
	if err != nil {
		return TokenResponse{}, err
	}
	now := t.provider.Now()
	isRetry := token.generation == grant.Refreshed-1 && now.Sub(grant.RefreshedAt) <= RetryWindow
	// A second use revokes also a grant that gives nothing just now: it might again, when a
	// member's role comes back.
	switch {
	case token.generation > grant.Refreshed || grant.ApplicationID != t.client.ID:
		return TokenResponse{}, refuse(InvalidGrant, CauseTokenMalformed, "The refresh token is not one of this application.")
	case token.generation < grant.Refreshed && !isRetry && !grant.Revoked:
		return TokenResponse{}, t.revoke(ctx, grant.Grant, refuse(InvalidGrant, CauseTokenUsedTwice, "The refresh token was used before; the grant is revoked."))
	case !grant.Revoked && !now.Before(grant.ExpiresAt):
		return TokenResponse{}, refuse(InvalidGrant, CauseTokenExpired, "The refresh token has expired.")
	}
	if err := t.provider.checkLive(ctx, &grant, t.client.Application); err != nil {
		return TokenResponse{}, err
	}
	if t.provider.checkMember(ctx, grant) {
		if grant, err = t.provider.state(ctx, token.grantID, token.userID, token.lineage); err != nil {
			return TokenResponse{}, err
		}
		if err := t.provider.checkLive(ctx, &grant, t.client.Application); err != nil {
			return TokenResponse{}, err
		}
		// The rules could not be read.
		if identity, due := t.provider.checkDue(grant); due {
			t.provider.pauseChecks(grant, identity)
		}
	}
	scopes, refusal := narrowScopes(grant.Scopes, t.form.Get("scope"))
	if refusal != nil {
		return TokenResponse{}, refusal
	}
	if !isRetry {
		expiresAt := now.Add(t.client.RefreshTokenLifetime)
		err := t.provider.Store.RotateGrant(ctx, grant.ID, grant.Refreshed, now, expiresAt, keepUntil(now, expiresAt))
		if err != nil {
			return TokenResponse{}, wrap("rotate refresh token", err)
		}
	}
	// OpenID Connect Core §12.2 wants no nonce.
	return t.respond(ctx, grant, token.generation+1, scopes, "")
}

// checkMember has the member of a grant looked up in WeCom, unless that was done within the
// hour, and reports whether something may have changed. No answer in time changes nothing:
// an outage of WeCom's ends nobody's access. The check stays due then, as it does while the
// rules cannot be evaluated, but this process asks again a minute later at the earliest: an
// application that refreshes in a loop must not use up what WeCom allows the company.
func (p *Provider) checkMember(ctx context.Context, g grantState) bool {
	identity, due := p.checkDue(g)
	if p.MemberChecks == nil || !due || p.checks.WasAllowed(checkOf(g, identity), p.Now(), checkPause) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	verdict, err := p.MemberChecks.CheckMember(ctx, g.AuthenticatorName, identity.WeComUserID)
	if err != nil || verdict == members.Unknown {
		p.pauseChecks(g, identity)
	}
	if err != nil {
		p.LogField(ctx, "memberNotChecked", err.Error())
		return true
	}
	p.LogField(ctx, "memberCheck", string(verdict))
	return verdict != members.Unknown
}

// pauseChecks leaves out the next looks at a member, of as many members as the limiter holds: no
// look is left out because it is full.
func (p *Provider) pauseChecks(g grantState, i store.Identity) {
	p.checks.Allow(checkOf(g, i), p.Now(), checkPause)
}

func (p *Provider) checkDue(g grantState) (store.Identity, bool) {
	identity, bound := g.user.IdentityIn(g.CorpID)
	return identity, bound && members.Due(g.authenticator, identity, checkInterval, p.Now())
}

// checkOf is the key of a member's checks by an authenticator.
func checkOf(g grantState, i store.Identity) string {
	return g.authenticator.ID + " " + store.FoldUserID(i.WeComUserID)
}

// narrowScopes returns the scopes that a refresh asks for, which were granted; no list asks
// for all of them. Unknown ones are ignored as they were before.
func narrowScopes(granted []string, list string) ([]string, *Error) {
	if list == "" {
		return granted, nil
	}
	if len(list) > maxScope {
		return nil, refuse(InvalidScope, CauseTooLong, "scope is longer than 1024 bytes.")
	}
	scopes := claims.KnownScopes(strings.Fields(list))
	if len(scopes) == 0 || !containsAll(granted, scopes) {
		return nil, refuse(InvalidScope, CauseScope, "scope has more than was granted.")
	}
	return scopes, nil
}
