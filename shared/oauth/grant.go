package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// codeLength is the length of a code: 256 random bits in base64url.
const codeLength = 43

// newCode returns a new code.
func newCode() string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // crypto/rand never fails: it ends the process instead
	return base64.RawURLEncoding.EncodeToString(random[:])
}

// grantID returns the id of the grant of a code: 128 bits of a hash, from which nobody
// finds the code.
func grantID(code string) string {
	sum := sha256.Sum256([]byte("grant\x00" + code))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// createGrant begins the grant of an authorization request that has been decided, and
// returns its code. store.ErrNotFound: the session's lineage has ended.
func (p *Provider) createGrant(ctx context.Context, r *authorization) (code string, err error) {
	now, session, code := p.Now(), r.in.Session.Session, newCode()
	err = p.Store.CreateGrant(ctx, store.Grant{
		ID: grantID(code), ApplicationID: r.application.ID, ApplicationGeneration: r.application.Generation,
		UserID: session.UserID, UserGeneration: session.UserGeneration, Lineage: r.in.Session.Lineage,
		AuthenticatorName: session.AuthenticatorName, AuthenticatorID: session.AuthenticatorID,
		AuthenticatorGeneration: session.AuthenticatorGeneration,
		CorpID:                  session.CorpID, WeComUserID: session.WeComUserID,
		SignedInAt: session.SignedInAt, InWeCom: session.InWeCom, Scopes: r.request.Scopes,
		RedirectURI: r.request.RedirectURI, CodeChallenge: r.request.CodeChallenge, Nonce: r.request.Nonce,
		Claims: r.request.Claims, CreatedAt: now, CodeExpiresAt: now.Add(CodeLifetime),
		Offline:   slices.Contains(r.request.Scopes, claims.ScopeOfflineAccess),
		KeepUntil: now.Add(CodeLifetime + keepAfter),
	}, session.ExpiresAt)
	if err != nil {
		return "", wrap("create grant", err)
	}
	return code, nil
}

// grantState is a grant with what it hangs on.
type grantState struct {
	store.Grant
	user    store.User
	lineage store.Lineage
	// oneCorp is set by checkLive; see claims.Member.
	oneCorp bool
}

// state reads a grant with its user and its lineage.
func (p *Provider) state(ctx context.Context, id, userID, lineage string) (grantState, error) {
	g, u, l, err := p.Store.GrantState(ctx, id, userID, lineage)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return grantState{}, refuse(InvalidGrant, CauseGrantGone, "The grant has ended.")
	case err != nil:
		return grantState{}, wrap("read grant with its user", err)
	}
	return grantState{Grant: g, user: u, lineage: l}, nil
}

// checkLive refuses a grant that gives nothing any more, and completes one that does.
// Application and authenticators may come from a cache.
func (p *Provider) checkLive(ctx context.Context, g *grantState, a store.Application) error {
	u, l := g.user, g.lineage
	// An offline grant outlives its session, but does not begin after it.
	outlives := g.Offline && g.Refreshed > 0
	ended := func(cause Cause, description string) error { return refuse(InvalidGrant, cause, description) }
	switch {
	case g.Revoked:
		return ended(CauseGrantRevoked, "The grant was revoked.")
	case !a.Enabled || a.ID != g.ApplicationID || a.Generation != g.ApplicationGeneration:
		return ended(CauseApplicationDisabled, "The application has been disabled or replaced since the member signed in.")
	case u.ID == "" || u.ID != g.UserID || !u.Enabled || u.SessionGeneration != g.UserGeneration:
		return ended(CauseUserEnded, "The member's access has ended.")
	case !outlives && (l.ID == "" || l.ID != g.Lineage || l.UserID != g.UserID || l.Ended || !p.Now().Before(l.ExpiresAt)):
		return ended(CauseSessionEnded, "The member's session has ended.")
	case !allows(a.Allow, u):
		return ended(CauseNotAllowed, "The application is not for this member.")
	case !takes(a, g.AuthenticatorName):
		return ended(CauseAuthenticatorEnded, "The way in which the member signed in is not for this application.")
	}
	authenticator, err := p.Authenticators.Authenticator(ctx, g.AuthenticatorName)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return wrap("read authenticator of grant", err)
	}
	if err != nil || !authenticator.Enabled || authenticator.ID != g.AuthenticatorID || authenticator.Generation != g.AuthenticatorGeneration {
		return ended(CauseAuthenticatorEnded, "The way in which the member signed in has been disabled or changed.")
	}
	corpIDs, err := CorpsOf(ctx, p.Authenticators, a)
	if err != nil {
		return err
	}
	g.oneCorp = slices.Equal(corpIDs, []string{g.CorpID})
	if a.FirstParty {
		return nil
	}
	// One more call, for applications of others: a member may withdraw the consent.
	consent, err := p.consent(ctx, u.ID, a)
	agreed := union(g.Scopes, g.requested().Scopes(a.Claims.GroupsName))
	if err == nil && !containsAll(consent.Scopes, agreed) {
		return ended(CauseConsentMissing, "The member does not agree any more.")
	}
	return err
}

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
// RotateGrant for a refresh token. Any other application costs Consent, too.
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
	grant, err := t.grantOfCode(ctx)
	if err != nil {
		return TokenResponse{}, err
	}
	now := t.provider.Now()
	usedTwice := refuse(InvalidGrant, CauseCodeUsedTwice, "The code was used before; what it gave is revoked.")
	switch {
	case grant.Refreshed > 0:
		return TokenResponse{}, t.revoke(ctx, grant.ID, usedTwice)
	case !now.Before(grant.CodeExpiresAt):
		return TokenResponse{}, refuse(InvalidGrant, CauseCodeExpired, "The code has expired.")
	}
	state, err := t.provider.state(ctx, grant.ID, grant.UserID, grant.Lineage)
	if err != nil {
		return TokenResponse{}, err
	}
	if err := t.provider.checkLive(ctx, &state, t.client.Application); err != nil {
		return TokenResponse{}, err
	}
	expiresAt := now.Add(t.client.RefreshTokenLifetime)
	err = t.provider.Store.RotateGrant(ctx, grant.ID, 0, now, expiresAt, keepUntil(now, expiresAt))
	switch {
	case errors.Is(err, store.ErrChanged):
		// Taken at this very moment by a request that fits as well, revoked, or expired.
		return TokenResponse{}, t.revoke(ctx, grant.ID, usedTwice)
	case err != nil:
		return TokenResponse{}, wrap("take code", err)
	}
	return t.respond(ctx, state, 1, state.Scopes, state.Nonce)
}

// grantOfCode returns the grant of the request's code, if everything that came with the
// code fits. A request in which something does not fit changes nothing: else anybody who
// sees a code could end what it gave.
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
func (t *tokenRequest) revoke(ctx context.Context, id string, refusal *Error) error {
	if err := t.provider.Store.RevokeGrant(ctx, id); err != nil {
		return wrap("revoke grant", err)
	}
	return refusal
}

func keepUntil(now, expiresAt time.Time) time.Time {
	if last := now.Add(keys.MaxLifetime); last.After(expiresAt) {
		expiresAt = last
	}
	return expiresAt.Add(keepAfter)
}

// refreshToken is what a refresh token says. Its user and lineage let the grant be read
// together with them; the grant decides whose it is.
type refreshToken struct {
	grantID    string
	generation int64
	userID     string
	lineage    string
}

// maxRefreshToken is longer than any refresh token.
const maxRefreshToken = 512

// content is the token without its secret.
func (r refreshToken) content() string {
	return fmt.Sprintf("%s.%d.%s.%s", r.grantID, r.generation, r.userID, r.lineage)
}

// seal returns the token for an application. It can be made again, by us alone.
func (r refreshToken) seal(d Deriver, clientID string) string {
	return r.content() + "." + d.Derive(clientID+"\n"+r.content())
}

// openRefreshToken returns what a refresh token of an application says; ok is false for
// anything else, another application's among it.
func openRefreshToken(d Deriver, clientID, token string) (r refreshToken, ok bool) {
	parts := strings.Split(token, ".")
	if len(token) > maxRefreshToken || len(parts) != 5 {
		return refreshToken{}, false
	}
	r = refreshToken{grantID: parts[0], userID: parts[2], lineage: parts[3]}
	r.generation, _ = strconv.ParseInt(parts[1], 10, 64) // anything else is not r.content
	content := strings.Join(parts[:4], ".")
	return r, content == r.content() && d.Matches(clientID+"\n"+content, parts[4])
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
		return TokenResponse{}, t.revoke(ctx, grant.ID, refuse(InvalidGrant, CauseTokenUsedTwice, "The refresh token was used before; the grant is revoked."))
	case !grant.Revoked && !now.Before(grant.ExpiresAt):
		return TokenResponse{}, refuse(InvalidGrant, CauseTokenExpired, "The refresh token has expired.")
	}
	if err := t.provider.checkLive(ctx, &grant, t.client.Application); err != nil {
		return TokenResponse{}, err
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
