package oauth_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/storetest"
)

const proxyCallback = "https://proxied.example.com/.wecom-signin/proxied/callback"

// proxied returns an application behind a proxy.
func (b *bench) proxied(id string) store.Application {
	b.Helper()
	a, err := b.ProxyApplication(b.Context(), id)
	b.must(err)
	return a
}

// proxyCode begins a sign-in to an application behind a proxy and returns its code.
func (b *bench) proxyCode(id string) string {
	b.Helper()
	address := b.ProxyAuthorizationURL(oauth.ProxyAuthorization{Call: b.call(), Application: b.proxied(id), State: state, Verifier: verifier})
	rawQuery, ok := strings.CutPrefix(address, issuer+"/oauth2/authorize?")
	if !ok {
		b.Fatal(address)
	}
	answer := b.answer(b.authorize(rawQuery))
	if answer.Get("state") != state || answer.Get("code") == "" {
		b.Fatalf("answered %v", answer)
	}
	return answer.Get("code")
}

func (b *bench) signInToProxy(id, code, verifier string) (oauth.ProxyCookie, error) {
	return b.SignInToProxy(b.Context(), oauth.ProxySignIn{Call: b.call(), Application: b.proxied(id), Code: code, Verifier: verifier})
}

// proxyCookie signs in to an application behind a proxy.
func (b *bench) proxyCookie(id string) string {
	b.Helper()
	cookie, err := b.signInToProxy(id, b.proxyCode(id), verifier)
	b.must(err)
	return cookie.Value
}

// check asks as a proxy does, for a person.
func (b *bench) check(id string, cookies ...string) (oauth.ProxyAccess, error) {
	return b.CheckProxy(b.Context(), oauth.ProxyRequest{Call: b.call(), ApplicationID: id, Cookies: cookies, IsNavigation: true})
}

// checkSession asks with the session cookie of a parent domain.
func (b *bench) checkSession(id string, session *oauth.Session) (oauth.ProxyAccess, error) {
	return b.CheckProxy(b.Context(), oauth.ProxyRequest{
		Call: b.call(), ApplicationID: id, IsNavigation: true,
		Session: func(context.Context) (*oauth.Session, error) { return session, b.store.note("Session") },
	})
}

func headersOf(access oauth.ProxyAccess) map[string]any { return access.Headers.Map() }

func TestProxyMayPassOnlyWithItsCookie(t *testing.T) {
	b := newBench(t)
	_, err := b.check("proxied")
	b.refused(err, oauth.LoginRequired, oauth.CauseNotSignedIn)
	code := b.proxyCode("proxied")
	b.store.reset()
	cookie, err := b.signInToProxy("proxied", code, verifier)
	b.must(err)
	if diff := cmp.Diff([]string{"Grant", "GrantState", "RotateGrant", "RecordApplicationEvent", "NoteApplicationUse"}, b.store.calls); diff != "" {
		t.Errorf("remote calls: %s", diff)
	}
	if !cookie.ExpiresAt.Equal(start.Add(8*time.Hour)) || cookie.UserID != b.user.ID || len(cookie.Value) > 256 {
		t.Errorf("%+v", cookie)
	}
	b.store.reset()
	access, err := b.check("proxied", cookie.Value)
	b.must(err)
	if diff := cmp.Diff([]string{"GrantState"}, b.store.calls); diff != "" {
		t.Errorf("a yes costs: %s", diff)
	}
	want := map[string]any{
		"X-Auth-User": b.user.ID, "X-Auth-Name": "%E5%BC%A0%E4%B8%89", "X-Auth-Email": "", "X-Auth-Phone": "+8613800000001",
		"X-Auth-Roles": "editor", "X-Auth-Groups": "role:editor",
	}
	if diff := cmp.Diff(want, headersOf(access)); diff != "" {
		t.Error(diff)
	}
	if access.Token != "" || access.User.ID != b.user.ID || access.Application.ID != "proxied" {
		t.Errorf("%+v", access)
	}
	if got := b.causes("proxied"); !slices.Equal(got, []string{"ok"}) {
		t.Errorf("administrators see %v", got)
	}
}

// TestCookieThatIsNotOursCostsNoRead: anybody can send one.
func TestCookieThatIsNotOursCostsNoRead(t *testing.T) {
	b := newBench(t)
	b.register(store.Application{ID: "other", Kind: store.KindProxy, Homepage: "https://other.example.com"})
	cookie, tokens := b.proxyCookie("proxied"), b.tokens()
	parts := strings.Split(cookie, ".")
	b.store.reset()
	for name, value := range map[string]string{
		"empty": "", "made up": "a.b.c.d", "long": cookie + strings.Repeat("x", 300), "without its end": strings.Join(parts[:3], "."),
		"of another member":  parts[0] + "." + b.user.ID[:25] + "X." + parts[2] + "." + parts[3],
		"of another lineage": parts[0] + "." + parts[1] + ".other." + parts[3],
		"of another grant":   strings.Repeat("A", 22) + "." + strings.Join(parts[1:], "."),
		"a refresh token":    tokens.RefreshToken, "an access token": tokens.AccessToken, "an ID token": tokens.IDToken,
	} {
		_, err := b.check("proxied", value)
		if refusal, ok := oauth.RefusalOf(err); !ok || refusal.Cause != oauth.CauseNotSignedIn {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := b.check("other", cookie)
	b.refused(err, oauth.LoginRequired, oauth.CauseNotSignedIn)
	if len(b.store.calls) != 0 {
		t.Errorf("cost %v", b.store.calls)
	}
	if _, err := b.check("proxied", "made up", cookie); err != nil {
		t.Errorf("the second of two cookies: %v", err)
	}
}

func TestProxyCookieEnds(t *testing.T) {
	for name, test := range map[string]struct {
		end   func(*bench)
		code  oauth.ErrorCode
		cause oauth.Cause
	}{
		"with the session": {func(b *bench) { _, err := b.store.EndLineage(b.Context(), "lineage"); b.must(err) }, oauth.LoginRequired, oauth.CauseSessionEnded},
		"with its time":    {func(b *bench) { b.pass(8 * time.Hour) }, oauth.LoginRequired, oauth.CauseSessionEnded},
		"with the user":    {func(b *bench) { b.changeUser(func(u *store.User) { u.Enabled = false }) }, oauth.LoginRequired, oauth.CauseUserEnded},
		"with all sessions of the user": {
			func(b *bench) { b.changeUser(func(u *store.User) { u.SessionGeneration++ }) }, oauth.LoginRequired, oauth.CauseUserEnded,
		},
		"with the application": {
			func(b *bench) { b.change("proxied", func(a *store.Application) { a.Enabled = false }) }, oauth.UnauthorizedClient, oauth.CauseApplicationDisabled,
		},
		"for good with the application": {
			func(b *bench) { b.change("proxied", func(a *store.Application) { a.Generation = "enabled again" }) }, oauth.LoginRequired, oauth.CauseApplicationDisabled,
		},
		"with the authenticator": {func(b *bench) {
			from, err := b.store.Authenticator(b.Context(), "corp")
			b.must(err)
			to := from
			to.Generation, to.Version = "changed", 2
			b.must(b.store.UpdateAuthenticator(b.Context(), from, to))
		}, oauth.LoginRequired, oauth.CauseAuthenticatorEnded},
		"with the right to use it": {func(b *bench) {
			b.change("proxied", func(a *store.Application) { a.Allow.Roles = []string{"admin"} })
		}, oauth.AccessDenied, oauth.CauseNotAllowed},
		"with the authenticators of the application": {func(b *bench) {
			b.change("proxied", func(a *store.Application) { a.Authenticators = []string{"other"} })
		}, oauth.LoginRequired, oauth.CauseAuthenticatorEnded},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			cookie := b.proxyCookie("proxied")
			test.end(b)
			access, err := b.check("proxied", cookie)
			b.refused(err, test.code, test.cause)
			if len(access.Headers) != 0 || access.Token != "" {
				t.Errorf("told %+v", access)
			}
		})
	}
}

func TestSignOutEndsProxyCookie(t *testing.T) {
	b := newBench(t)
	b.register(store.Application{ID: "other", Kind: store.KindProxy, Homepage: "https://other.example.com"})
	cookie, other := b.proxyCookie("proxied"), b.proxyCookie("other")
	b.must(b.SignOutOfProxy(t.Context(), "proxied", []string{"made up", other})) // changes nothing
	if _, err := b.check("other", other); err != nil {
		t.Fatal(err)
	}
	b.must(b.SignOutOfProxy(t.Context(), "proxied", []string{cookie}))
	_, err := b.check("proxied", cookie)
	b.refused(err, oauth.LoginRequired, oauth.CauseGrantRevoked)
	if _, err := b.check("other", other); err != nil {
		t.Errorf("the other application: %v", err)
	}
}

// TestTicketOnce: of many uses of one code at most one gives a cookie, and it ends with the
// second use.
func TestTicketOnce(t *testing.T) {
	onBothEngines(t, func(b *bench) {
		code := b.proxyCode("proxied")
		var mu sync.Mutex
		var won []string
		storetest.AtOnce(20, func(int) error {
			cookie, err := b.signInToProxy("proxied", code, verifier)
			if err == nil {
				mu.Lock()
				won = append(won, cookie.Value)
				mu.Unlock()
			}
			return err
		})
		if len(won) > 1 {
			b.Fatalf("%d got a cookie", len(won))
		}
		for _, cookie := range won {
			_, err := b.check("proxied", cookie)
			b.refused(err, oauth.LoginRequired, oauth.CauseGrantRevoked)
		}
	})
	b := newBench(t)
	code := b.proxyCode("proxied")
	b.pass(time.Minute)
	_, err := b.signInToProxy("proxied", code, verifier)
	b.refused(err, oauth.InvalidGrant, oauth.CauseCodeExpired)
}

// TestTicketOfAnotherBrowser: the code is of no use without the verifier that the browser
// keeps which began, and lives.
func TestTicketOfAnotherBrowser(t *testing.T) {
	b := newBench(t)
	code := b.proxyCode("proxied")
	_, err := b.signInToProxy("proxied", code, strings.Repeat("x", 43))
	b.refused(err, oauth.InvalidGrant, oauth.CausePKCEMismatch)
	_, err = b.signInToProxy("proxied", code, "")
	b.refused(err, oauth.InvalidGrant, oauth.CausePKCEMissing)
	if _, err := b.signInToProxy("proxied", code, verifier); err != nil {
		t.Error(err)
	}
}

// TestTicketOfAnotherApplication: a code opens one application.
func TestTicketOfAnotherApplication(t *testing.T) {
	b := newBench(t)
	b.register(store.Application{ID: "other", Kind: store.KindProxy, Homepage: "https://proxied.example.com/other"})
	code := b.proxyCode("proxied")
	_, err := b.signInToProxy("other", code, verifier)
	b.refused(err, oauth.InvalidGrant, oauth.CauseOtherApplication)
	_, err = b.signInToProxy("proxied", b.code(), verifier) // of wiki
	b.refused(err, oauth.InvalidGrant, oauth.CauseOtherApplication)
	_, err = b.exchange(b.proxyCode("proxied"))
	b.refused(err, oauth.InvalidGrant, oauth.CauseOtherApplication)
	if got := b.causes("other"); !slices.Equal(got, nil) {
		t.Errorf("anybody can write events: %v", got)
	}
	if _, err := b.signInToProxy("proxied", code, verifier); err != nil {
		t.Errorf("the code is gone: %v", err)
	}
}

// TestProxyHasOneRedirectURI, and no other endpoint.
func TestProxyHasOneRedirectURI(t *testing.T) {
	b := newBench(t)
	good := []string{"client_id", "proxied", "redirect_uri", proxyCallback}
	if d := b.authorize(query(good...)); !strings.HasPrefix(d.URL, proxyCallback+"?code=") {
		t.Errorf("%+v", d)
	}
	for _, uri := range []string{
		"https://proxied.example.com/.wecom-signin/other/callback", "https://proxied.example.com/.wecom-signin/proxied/start",
		"http://proxied.example.com/.wecom-signin/proxied/callback", proxyCallback + "?x=1", proxyCallback + "/", "https://proxied.example.com/",
		"https://PROXIED.example.com/.wecom-signin/proxied/callback", "https://proxied.example.com:443/.wecom-signin/proxied/callback",
		issuer + "/.wecom-signin/proxied/callback", "/.wecom-signin/proxied/callback",
	} {
		b.is(b.authorize(query("client_id", "proxied", "redirect_uri", uri)), oauth.ShowError, oauth.InvalidRequest, oauth.CauseRedirectMismatch)
	}
	if d := b.authorize(query("client_id", "proxied", "redirect_uri", "https://evil.example")); !slices.Equal(d.Application.RedirectURIs, []string{proxyCallback}) {
		t.Errorf("administrators see %v registered", d.Application.RedirectURIs)
	}
	b.is(b.authorize(query(append(good, "code_challenge", "", "code_challenge_method", "")...)), oauth.RedirectBack, oauth.InvalidRequest, oauth.CausePKCEMissing)
	code := b.answer(b.authorize(query(append(good, "scope", "openid offline_access")...))).Get("code")
	_, err := b.Token(t.Context(), b.as("proxied", form("grant_type", "authorization_code", "code", code, "redirect_uri", proxyCallback, "code_verifier", verifier)))
	b.refused(err, oauth.InvalidClient, oauth.CauseApplicationKind)
	cookie, err := b.signInToProxy("proxied", code, verifier)
	b.must(err)
	if g, err := b.store.Engine.Grant(t.Context(), strings.Split(cookie.Value, ".")[0]); err != nil || g.Offline || !slices.Equal(g.Scopes, []string{"openid", "profile", "phone", "email", "groups"}) {
		t.Errorf("%+v, %v", g, err)
	}
	b.SessionDomain = "example.com"
	shared := issuer + "/.wecom-signin/proxied/callback"
	if d := b.authorize(query("client_id", "proxied", "redirect_uri", shared)); !strings.HasPrefix(d.URL, shared+"?code=") {
		t.Errorf("%+v", d)
	}
	b.is(b.authorize(query(good...)), oauth.ShowError, oauth.InvalidRequest, oauth.CauseRedirectMismatch)
}

func TestProxyApplicationsOnly(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"wiki", "page", "tool"} {
		_, err := b.check(id)
		b.refused(err, oauth.InvalidClient, oauth.CauseApplicationKind)
	}
	for _, id := range []string{"", "unknown", "../x", strings.Repeat("x", 200)} {
		_, err := b.check(id)
		b.refused(err, oauth.InvalidClient, oauth.CauseApplicationUnknown)
	}
}

func TestSharesSession(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct {
		domain, homepage string
		want             bool
	}{
		{"", "https://wiki.example.com", false},
		{"example.com", "https://wiki.example.com/home", true},
		{"example.com", "https://a.b.EXAMPLE.com:8443", true},
		{"example.com", "https://example.com", true},
		{"example.com", "https://badexample.com", false},
		{"example.com", "https://example.com.evil.net", false},
		{"example.com", "https://evil.net/.example.com", false},
		{"example.com", "", false},
		{"example.com", "http://127.0.0.1:8080", false},
	} {
		b.SessionDomain = test.domain
		if got := b.SharesSession(store.Application{Homepage: test.homepage}); got != test.want {
			t.Errorf("%+v: %v", test, got)
		}
	}
}

func TestProxyWithTheSharedSession(t *testing.T) {
	b := newBench(t)
	_, err := b.checkSession("proxied", b.session)
	b.refused(err, oauth.LoginRequired, oauth.CauseNotSignedIn) // not shared: not even looked up
	b.SessionDomain = "example.com"
	b.store.reset()
	access, err := b.checkSession("proxied", b.session)
	b.must(err)
	if diff := cmp.Diff([]string{"Session"}, b.store.calls); diff != "" {
		t.Errorf("a yes costs: %s", diff)
	}
	if headersOf(access)["X-Auth-User"] != b.user.ID {
		t.Errorf("%+v", access)
	}
	_, err = b.checkSession("proxied", nil)
	b.refused(err, oauth.LoginRequired, oauth.CauseNotSignedIn)
	b.change("proxied", func(a *store.Application) { a.FirstParty = false })
	_, err = b.checkSession("proxied", b.session)
	b.refused(err, oauth.LoginRequired, oauth.CauseConsentMissing)
	b.must(b.store.PutConsent(t.Context(), store.Consent{
		UserID: b.user.ID, ApplicationID: "proxied", ApplicationGeneration: b.proxied("proxied").Generation,
		Scopes: claims.Scopes(), At: b.Now(), Since: b.Now(),
	}))
	_, err = b.checkSession("proxied", b.session)
	b.must(err)
	b.change("proxied", func(a *store.Application) { a.FirstParty, a.Authenticators = true, []string{"other"} })
	_, err = b.checkSession("proxied", b.session)
	b.refused(err, oauth.LoginRequired, oauth.CauseAuthenticatorEnded)
	b.change("proxied", func(a *store.Application) { a.Authenticators, a.Allow.Roles = nil, []string{"admin"} })
	access, err = b.checkSession("proxied", b.session)
	b.refused(err, oauth.AccessDenied, oauth.CauseNotAllowed)
	if access.User.Name == "" || access.Application.ID != "proxied" {
		t.Errorf("the page cannot say who and what: %+v", access)
	}
	if got := b.causes("proxied"); !slices.Equal(got, []string{"access_denied not_allowed"}) {
		t.Errorf("administrators see %v", got)
	}
}

// TestOwnCookieWhereTheSessionIsShared: a cookie from before the domain was set goes on, and
// one that has ended is no obstacle.
func TestOwnCookieWhereTheSessionIsShared(t *testing.T) {
	b := newBench(t)
	cookie := b.proxyCookie("proxied")
	b.SessionDomain = "example.com"
	if _, err := b.check("proxied", cookie); err != nil {
		t.Error(err)
	}
	b.must(b.SignOutOfProxy(t.Context(), "proxied", []string{cookie}))
	_, err := b.CheckProxy(t.Context(), oauth.ProxyRequest{
		Call: b.call(), ApplicationID: "proxied", Cookies: []string{cookie},
		Session: func(context.Context) (*oauth.Session, error) { return b.session, nil },
	})
	b.must(err)
}

func TestProxyToken(t *testing.T) {
	b := newBench(t)
	b.change("proxied", func(a *store.Application) { a.ForwardAuthToken = true })
	cookie := b.proxyCookie("proxied")
	access, err := b.check("proxied", cookie)
	b.must(err)
	token := b.claimsOf(access.Token)
	for name, want := range map[string]any{
		"iss": issuer, "aud": issuer, "client_id": "proxied", "azp": "proxied", "sub": b.user.ID, "sid": "lineage",
		"scope": "openid profile phone email groups", "wecom_userid": "ZhangSan",
	} {
		if diff := cmp.Diff(want, token[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if told, err := b.userInfo(access.Token); err != nil || told["sub"] != b.user.ID {
		t.Errorf("userinfo: %v, %v", told, err)
	}
	b.must(b.SignOutOfProxy(t.Context(), "proxied", []string{cookie}))
	_, err = b.userInfo(access.Token)
	b.refused(err, oauth.InvalidToken, oauth.CauseGrantRevoked)

	b.SessionDomain = "example.com"
	access, err = b.checkSession("proxied", b.session)
	b.must(err)
	if b.claimsOf(access.Token)["sub"] != b.user.ID {
		t.Error("no token for the shared session")
	}
	_, err = b.userInfo(access.Token)
	b.refused(err, oauth.InvalidToken, oauth.CauseGrantGone) // it hangs on no grant
}

// TestProxyTokenWithoutKeys fails closed, and administrators see why.
func TestProxyTokenWithoutKeys(t *testing.T) {
	b := newBench(t)
	cookie := b.proxyCookie("proxied")
	b.Signer = nil
	if _, err := b.check("proxied", cookie); err != nil {
		t.Error(err)
	}
	b.change("proxied", func(a *store.Application) { a.ForwardAuthToken = true })
	_, err := b.check("proxied", cookie)
	b.refused(err, oauth.TemporarilyUnavailable, oauth.CauseSigningKeysMissing)
	if got := b.causes("proxied"); !slices.Contains(got, "temporarily_unavailable signing_keys_missing") {
		t.Errorf("administrators see %v", got)
	}
}

// TestProxyOfOthersNeedsConsent, which a member may withdraw.
func TestProxyOfOthersNeedsConsent(t *testing.T) {
	b := newBench(t)
	a := b.register(store.Application{ID: "third", Kind: store.KindProxy, Homepage: "https://third.example.com"})
	rawQuery := strings.TrimPrefix(b.ProxyAuthorizationURL(oauth.ProxyAuthorization{Call: b.call(), Application: a, State: state, Verifier: verifier}), issuer+"/oauth2/authorize?")
	d := b.authorize(rawQuery)
	if d.Kind != oauth.AskConsent {
		t.Fatalf("%+v", d)
	}
	answered := b.decide(oauth.AuthorizeInput{RawQuery: rawQuery, Session: b.session, Answer: oauth.Agreed, Proof: d.Consent.Proof})
	cookie, err := b.signInToProxy("third", b.answer(answered).Get("code"), verifier)
	b.must(err)
	if _, err := b.check("third", cookie.Value); err != nil {
		t.Error(err)
	}
	b.must(b.store.DeleteConsent(t.Context(), b.user.ID, "third"))
	_, err = b.check("third", cookie.Value)
	b.refused(err, oauth.LoginRequired, oauth.CauseConsentMissing)
}

// TestProxyFailsClosed: an error of the store is one of the answer.
func TestProxyFailsClosed(t *testing.T) {
	b := newBench(t)
	cookie := b.proxyCookie("proxied")
	b.store.fail["GrantState"] = errDown
	access, err := b.check("proxied", cookie)
	if _, refused := oauth.RefusalOf(err); err == nil || refused || len(access.Headers) != 0 {
		t.Errorf("%+v, %v", access, err)
	}
	b.SessionDomain = "example.com"
	b.store.fail["Session"] = errDown
	access, err = b.checkSession("proxied", b.session)
	if _, refused := oauth.RefusalOf(err); err == nil || refused || len(access.Headers) != 0 {
		t.Errorf("%+v, %v", access, err)
	}
}

// TestRefusalsOfPagesThatAskByThemselvesAreNotRecorded: they would push everything else out.
func TestRefusalsOfPagesThatAskByThemselvesAreNotRecorded(t *testing.T) {
	b := newBench(t)
	cookie := b.proxyCookie("proxied")
	b.change("proxied", func(a *store.Application) { a.Allow.Roles = []string{"admin"} })
	b.store.reset()
	_, err := b.CheckProxy(t.Context(), oauth.ProxyRequest{Call: b.call(), ApplicationID: "proxied", Cookies: []string{cookie}})
	b.refused(err, oauth.AccessDenied, oauth.CauseNotAllowed)
	if !slices.Equal(b.store.calls, []string{"GrantState"}) {
		t.Errorf("cost %v", b.store.calls)
	}
}

func TestProxyAuthorizationURL(t *testing.T) {
	b := newBench(t)
	u, err := url.Parse(b.ProxyAuthorizationURL(oauth.ProxyAuthorization{Call: b.call(), Application: b.proxied("proxied"), State: "S", Verifier: verifier}))
	b.must(err)
	want := url.Values{
		"response_type": {"code"}, "client_id": {"proxied"}, "redirect_uri": {proxyCallback}, "state": {"S"},
		"scope": {"openid profile phone email groups"}, "code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	if diff := cmp.Diff(want, u.Query()); diff != "" {
		t.Error(diff)
	}
}
