package oauth

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Software behind a proxy knows no sign-in. The proxy asks about each request (CheckProxy).
// The sign-in itself is the authorization code flow, of which the service is the client,
// too: the code is taken on the application's own host, by a path that the proxy hands to
// the service, and gives a cookie of that host, which stands for the grant. Where the
// application shares the session cookie by a parent domain, the session itself is checked.

// ProxyPathPrefix begins the paths that the proxy of an application hands to the service
// unchanged. The id of the application and one of the actions follow.
const ProxyPathPrefix = "/.wecom-signin/"

// The actions of ProxyPath.
const (
	ProxyStart    = "start"    // begins a sign-in
	ProxyCallback = "callback" // takes its code
	ProxySignOut  = "signout"
)

// ProxyPath returns the path of an action for an application.
func ProxyPath(applicationID, action string) string {
	return ProxyPathPrefix + applicationID + "/" + action
}

// proxyScopes are those of an application behind a proxy, whatever it asks for: it has no
// way to ask, and its headers tell what its rules allow.
func proxyScopes() []string {
	return slices.DeleteFunc(claims.Scopes(), func(s string) bool { return s == claims.ScopeOfflineAccess })
}

// ProxyOrigin returns the origin of an application behind a proxy, that of its homepage, as
// browsers write it.
func ProxyOrigin(a store.Application) string { return originOf(a.Homepage) }

// SharesSession reports whether browsers send the session cookie to an application, too.
func (p *Provider) SharesSession(a store.Application) bool {
	u, err := url.Parse(ProxyOrigin(a))
	if err != nil || p.SessionDomain == "" {
		return false
	}
	host := u.Hostname()
	return host == p.SessionDomain || strings.HasSuffix(host, "."+p.SessionDomain)
}

// ProxySignInOrigin returns the origin on which a browser begins and ends its sign-in to an
// application: its own, or the service's where the session is shared.
func (p *Provider) ProxySignInOrigin(a store.Application, issuer string) string {
	if p.SharesSession(a) {
		return issuer
	}
	return ProxyOrigin(a)
}

// proxyRedirectURI returns the one redirect URI of an application behind a proxy, which
// nobody registers; empty: its homepage is none.
func (p *Provider) proxyRedirectURI(a store.Application, issuer string) string {
	origin := p.ProxySignInOrigin(a, issuer)
	if origin == "" {
		return ""
	}
	return origin + ProxyPath(a.ID, ProxyCallback)
}

// ProxyApplication returns an enabled application behind a proxy. The error is an *Error of
// the code invalid_client (there is no such one), or unauthorized_client (it is disabled,
// and comes with the error), or a failure of the system.
func (p *Provider) ProxyApplication(ctx context.Context, id string) (store.Application, error) {
	a, err := p.application(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Application{}, refuse(InvalidClient, CauseApplicationUnknown, "There is no such application.")
	case err != nil:
		return store.Application{}, err
	case a.Kind != store.KindProxy || ProxyOrigin(a) == "":
		return store.Application{}, refuse(InvalidClient, CauseApplicationKind, "The application is not behind a proxy.")
	case !a.Enabled:
		return a, refuse(UnauthorizedClient, CauseApplicationDisabled, "The application is disabled.")
	}
	return a, nil
}

// ProxyAuthorization is a sign-in to an application behind a proxy that begins. The browser
// keeps state and verifier (PKCE) until it comes back.
type ProxyAuthorization struct {
	Call
	Application     store.Application // as ProxyApplication returned it
	State, Verifier string
	Again           bool // the session that there is will not do
}

// ProxyAuthorizationURL returns where a sign-in asks for its code.
func (p *Provider) ProxyAuthorizationURL(in ProxyAuthorization) string {
	prompt := ""
	if in.Again {
		prompt = "login"
	}
	return withParameters(in.Issuer+AuthorizationPath,
		"response_type", "code", "client_id", in.Application.ID, "redirect_uri", p.proxyRedirectURI(in.Application, in.Issuer),
		"scope", strings.Join(proxyScopes(), " "), "state", in.State,
		"code_challenge", challengeOf(in.Verifier), "code_challenge_method", "S256", "prompt", prompt,
	)
}

// ProxySignIn is a browser that comes back with a code, and with the verifier that it kept.
type ProxySignIn struct {
	Call
	Application    store.Application // as ProxyApplication returned it
	Code, Verifier string
}

// ProxyCookie is the cookie of a member's sign-in to an application behind a proxy.
type ProxyCookie struct {
	Value     string
	ExpiresAt time.Time // when it ends at the latest
	UserID    string
}

// SignInToProxy takes a code, once. The error is an *Error or a failure of the system.
//
// Remote calls in series: Grant, GrantState and RotateGrant, then RecordApplicationEvent and
// once an hour NoteApplicationUse; one more for an application that is not first-party.
func (p *Provider) SignInToProxy(ctx context.Context, in ProxySignIn) (ProxyCookie, error) {
	form, err := ParseForm(url.Values{
		"code": {in.Code}, "code_verifier": {in.Verifier}, "redirect_uri": {p.proxyRedirectURI(in.Application, in.Issuer)},
	}.Encode())
	if err != nil {
		return ProxyCookie{}, err
	}
	t := &tokenRequest{provider: p, call: in.Call, client: client{Application: in.Application}, form: form}
	g, err := t.takeCode(ctx)
	refusal, refused := RefusalOf(err)
	if err != nil && !refused {
		return ProxyCookie{}, err
	}
	if t.userID != "" { // else anybody could write by making up codes
		p.record(ctx, in.Call, in.Application.ID, t.userID, refusal)
	}
	if refused {
		return ProxyCookie{}, refusal
	}
	p.noteUse(ctx, t.client)
	content := proxyCookie{g.ID, g.UserID, g.Lineage}
	return ProxyCookie{content.seal(p.ProxyCookies, in.Application.ID), g.ExpiresAt, g.UserID}, nil
}

// proxyCookie is what the cookie of an application behind a proxy says. User and lineage let
// the grant be read together with them; the grant decides whose it is.
type proxyCookie struct{ grantID, userID, lineage string }

// maxProxyCookie is longer than any of these cookies.
const maxProxyCookie = 256

func (c proxyCookie) content() string { return c.grantID + "." + c.userID + "." + c.lineage }

func (c proxyCookie) seal(d Deriver, applicationID string) string {
	return c.content() + "." + d.Derive(applicationID+"\n"+c.content())
}

// openProxyCookie returns what the first value says that was made for an application; ok is
// false if there is none.
func (p *Provider) openProxyCookie(applicationID string, values []string) (c proxyCookie, ok bool) {
	for _, value := range values {
		parts := strings.Split(value, ".")
		if len(value) > maxProxyCookie || len(parts) != 4 {
			continue
		}
		c := proxyCookie{parts[0], parts[1], parts[2]}
		if p.ProxyCookies.Matches(applicationID+"\n"+c.content(), parts[3]) {
			return c, true
		}
	}
	return proxyCookie{}, false
}

// SignOutOfProxy ends the grant of a cookie, if it is one of the application.
func (p *Provider) SignOutOfProxy(ctx context.Context, applicationID string, cookies []string) error {
	c, ok := p.openProxyCookie(applicationID, cookies)
	if !ok {
		return nil
	}
	if err := p.Store.RevokeGrant(ctx, c.grantID); err != nil {
		return wrap("revoke grant", err)
	}
	return nil
}

// ProxyRequest is a request about which a proxy asks.
type ProxyRequest struct {
	Call
	ApplicationID string
	// Cookies are the values of the application's cookie that came with the request: mostly
	// one or none.
	Cookies []string
	// Session looks up the live session of the request's session cookie; nil: there is none.
	// It is called only for an application that shares the session.
	Session func(ctx context.Context) (*Session, error)
	// IsNavigation: a person waits for the answer. Only then a refusal is recorded: pages
	// ask by themselves, again and again.
	IsNavigation bool
}

// ProxyAccess is what a proxy is told of a member who may pass. With a refusal it has the
// application, and the member, as far as they are known.
type ProxyAccess struct {
	Application store.Application
	User        store.User
	// Headers are all of them, always; see claims.ForHeaders.
	Headers claims.List
	// Token is an access token for the application, if it asks for one.
	Token string
}

// CheckProxy decides whether a request may pass a proxy. The error is a failure of the
// system, or an *Error of the code
//   - invalid_client: there is no such application behind a proxy;
//   - unauthorized_client: it is disabled;
//   - login_required: nobody is signed in to it, or in a way that is not enough;
//   - access_denied: it is not for this member;
//   - temporarily_unavailable: it asks for tokens, for which there are no keys here.
//
// Remote calls in series with warm caches: GrantState, or the session and its user by one
// read; without a cookie that was made here, none. One more for an application that is not
// first-party. What is not in the caches, which keep it for 10 seconds, costs two in series
// instead of one: application and authenticators are read beside the grant, and the
// authenticator of the grant after it.
func (p *Provider) CheckProxy(ctx context.Context, in ProxyRequest) (ProxyAccess, error) {
	cookie, found := p.openProxyCookie(in.ApplicationID, in.Cookies)
	var g grantState
	var grantErr error
	var reading sync.WaitGroup
	if found {
		reading.Go(func() { g, grantErr = p.proxyGrant(ctx, cookie) })
	}
	a, err := p.ProxyApplication(ctx, in.ApplicationID)
	if err == nil && found {
		_, err = CorpsOf(ctx, p.Authenticators, a) // into the cache, for checkLive
	}
	reading.Wait()
	access := ProxyAccess{Application: a}
	if err != nil {
		return access, err
	}
	err = notSignedIn(CauseNotSignedIn)
	if found {
		if err = grantErr; err == nil {
			err = p.checkProxyGrant(ctx, &g, a)
		}
	}
	if isLoginRequired(err) && in.Session != nil && p.SharesSession(a) {
		session, sessionErr := in.Session(ctx)
		switch {
		case sessionErr != nil:
			return access, sessionErr
		case session != nil:
			g = sessionState(*session, a, p.Now())
			err = p.checkProxyGrant(ctx, &g, a)
		}
	}
	access.User = g.user
	if err == nil {
		access.Headers = claims.ForHeaders(g.member(), a.Claims)
		access.Token, err = p.proxyToken(ctx, in.Call, g, a)
	}
	if refusal, ok := RefusalOf(err); ok {
		p.LogField(ctx, "cause", string(refusal.Cause))
		if in.IsNavigation && g.UserID != "" && refusal.Code != LoginRequired {
			p.record(ctx, in.Call, a.ID, g.UserID, refusal)
		}
	}
	return access, err
}

func notSignedIn(cause Cause) *Error {
	return refuse(LoginRequired, cause, "The member must sign in.")
}

func isLoginRequired(err error) bool {
	refusal, ok := RefusalOf(err)
	return ok && refusal.Code == LoginRequired
}

// proxyGrant reads the grant of a cookie, and its authenticator into the cache, for
// checkLive.
func (p *Provider) proxyGrant(ctx context.Context, c proxyCookie) (grantState, error) {
	g, err := p.state(ctx, c.grantID, c.userID, c.lineage)
	if refusal, ok := RefusalOf(err); ok {
		return g, notSignedIn(refusal.Cause)
	}
	if err != nil {
		return g, err
	}
	if _, err := p.Authenticators.Authenticator(ctx, g.AuthenticatorName); err != nil && !errors.Is(err, store.ErrNotFound) {
		return g, wrap("read authenticator of grant", err)
	}
	return g, nil
}

// sessionID stands for a grant in the tokens of an application that shares the session.
// There is no grant of this id: neither userinfo nor introspection answers such a token.
const sessionID = "session"

// sessionState returns what a grant would say that had begun with a live session just now.
func sessionState(s Session, a store.Application, now time.Time) grantState {
	g := grantOf(s, a, proxyScopes())
	g.ID, g.CreatedAt, g.Refreshed, g.ExpiresAt = sessionID, now, 1, s.Session.ExpiresAt
	return grantState{Grant: g, user: s.User, lineage: store.Lineage{ID: s.Lineage, UserID: s.Session.UserID, ExpiresAt: s.Session.ExpiresAt}}
}

// checkProxyGrant is checkLive in the words of CheckProxy.
func (p *Provider) checkProxyGrant(ctx context.Context, g *grantState, a store.Application) error {
	if g.Refreshed == 0 || !p.Now().Before(g.ExpiresAt) { // its code was never taken, or it is over
		return notSignedIn(CauseSessionEnded)
	}
	err := p.checkLive(ctx, g, a)
	refusal, ok := RefusalOf(err)
	switch {
	case !ok:
		return err
	case refusal.Cause == CauseNotAllowed:
		return refuse(AccessDenied, CauseNotAllowed, "The application is not for this member.")
	}
	return notSignedIn(refusal.Cause)
}

// proxyToken signs the access token of an application that asks for one.
func (p *Provider) proxyToken(ctx context.Context, call Call, g grantState, a store.Application) (string, error) {
	switch {
	case !a.ForwardAuthToken:
		return "", nil
	case p.Signer == nil:
		return "", refuse(TemporarilyUnavailable, CauseSigningKeysMissing, "The application asks for tokens, for which there are no keys here.")
	}
	t := &tokenRequest{provider: p, call: call, client: client{Application: a}}
	token, _, err := t.accessToken(ctx, g, g.Scopes)
	if refusal, ok := RefusalOf(err); ok {
		return "", notSignedIn(refusal.Cause)
	}
	return token, err
}
