package openid_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

func TestSessionGivesACodeWithoutAPage(t *testing.T) {
	p := newProvider(t)
	address, query := p.member("ann").get("/oauth2/authorize", wikiRequest()).location(t)
	if !strings.HasPrefix(address, callback+"&code=") || query.Get("state") != "STATE of the application" || query.Get("iss") != public {
		t.Errorf("redirects to %s", address)
	}
	tokens := p.exchange(query.Get("code"))
	for _, member := range []string{"access_token", "id_token", "refresh_token", "token_type", "expires_in", "scope"} {
		if tokens[member] == nil {
			t.Errorf("lacks %s", member)
		}
	}
}

// A browser that another site makes post does not send the cookie of its session.
func TestAuthorizeByPostKeepsTheSession(t *testing.T) {
	p := newProvider(t)
	b := p.member("ann")
	posted := p.send(request{method: "POST", path: "/oauth2/authorize", body: wikiRequest()}, nil)
	if address, _ := posted.location(t); posted.status != http.StatusSeeOther || address != public+"/oauth2/authorize?"+wikiRequest() {
		t.Fatalf("%d to %s", posted.status, address)
	}
	if _, query := b.follow(posted).location(t); query.Get("code") == "" {
		t.Errorf("no code: %v", query)
	}
	for name, body := range map[string]string{
		"a header in it": "client_id=wiki\r\nSet-Cookie: a=b", "not encoded": "client_id=%zz", "too long": "state=" + strings.Repeat("s", 7000),
		"a fragment": "client_id=wiki#evil", "characters": "client_id=维基",
	} {
		if got := p.send(request{method: "POST", path: "/oauth2/authorize", body: body}, nil); got.status != http.StatusBadRequest || got.headers["location"] != "" {
			t.Errorf("%s: %d to %q", name, got.status, got.headers["location"])
		}
	}
}

// Attack: addresses that are not registered get a page and never the browser.
func TestBadRedirectIsNeverFollowed(t *testing.T) {
	p := newProvider(t)
	member, administrator := p.member("ann"), p.member("boss", "admin")
	const (
		address = "The address to return to is not registered for this application."
		missing = "The application did not say to which address you return."
		unknown = "The application that sent you here is not registered."
		request = "The application&#39;s request is not valid."
	)
	for _, test := range []struct{ name, query, says string }{
		{"another host", wikiRequest("redirect_uri", "https://evil.example/callback"), address},
		{"another path", wikiRequest("redirect_uri", "https://wiki.example.com/other"), address},
		{"more in its query", wikiRequest("redirect_uri", callback+"&more=1"), address},
		{"another port", wikiRequest("redirect_uri", "https://wiki.example.com:444/callback?tenant=7"), address},
		{"a user name", wikiRequest("redirect_uri", "https://wiki.example.com@evil.example/callback?tenant=7"), address},
		{"of another application", wikiRequest("redirect_uri", spaAddress), address},
		{"none", wikiRequest("redirect_uri", ""), missing},
		{"twice", wikiRequest() + "&redirect_uri=https%3A%2F%2Fevil.example", request},
		{"a script", wikiRequest("redirect_uri", "javascript:alert(1)"), address},
		{"unknown application", wikiRequest("client_id", "evil"), unknown},
		{"application twice", wikiRequest() + "&client_id=spa", request},
		{"no application", wikiRequest("client_id", ""), request},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, b := range []*browser{p.browser(), member} {
				got := b.get("/oauth2/authorize", test.query)
				if got.status != http.StatusBadRequest || got.headers["location"] != "" || !strings.Contains(got.headers["content-type"], "text/html") {
					t.Fatalf("%d to %q", got.status, got.headers["location"])
				}
				// But for the links of the languages, which lead to this very address.
				shown := regexp.MustCompile(`(?s)<nav class="languages".*</nav>`).ReplaceAllString(got.body, "")
				if strings.Contains(shown, "evil.example") || strings.Contains(shown, "wiki.example.com") {
					t.Error("shows addresses to everybody")
				}
				if !strings.Contains(got.body, "request-1") || !strings.Contains(got.body, test.says) {
					t.Errorf("lacks the request's id, or does not say: %s", test.says)
				}
			}
		})
	}
	shown := html.UnescapeString(administrator.get("/oauth2/authorize", wikiRequest("redirect_uri", "https://evil.example/<b>")).body)
	for _, text := range []string{"Cannot sign in to Wiki", "https://evil.example/<b>", callback, "wiki", `/console#applications/wiki"`} {
		if !strings.Contains(shown, text) {
			t.Errorf("an administrator is not shown %s", text)
		}
	}
	if strings.Contains(administrator.get("/oauth2/authorize", wikiRequest("redirect_uri", "https://evil.example/<b>")).body, "<b>") {
		t.Error("shows markup of the request")
	}
}

// All redirects turn into a GET (RFC 9700 §4.12).
func TestRedirectsAreSeeOther(t *testing.T) {
	p := newProvider(t)
	p.change("wiki", func(a *store.Application) { a.FirstParty = false })
	b := p.member("ann")
	page := b.get("/oauth2/authorize", wikiRequest())
	for name, got := range map[string]answer{
		"consent":          b.submit(page, "agree"),
		"posted request":   b.send(request{method: "POST", path: "/oauth2/authorize", body: wikiRequest()}),
		"posted sign-out":  b.send(request{method: "POST", path: "/oauth2/logout", body: "client_id=wiki"}),
		"an error":         b.get("/oauth2/authorize", wikiRequest("response_type", "token")),
		"no session":       p.browser().get("/oauth2/authorize", wikiRequest()),
		"request was lost": p.browser().get("/oauth2/authorize", "client_id=wiki&continue=ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
	} {
		if got.status != http.StatusSeeOther {
			t.Errorf("%s: %d", name, got.status)
		}
	}
}

// fieldsOf returns the hidden fields of a page's form and where it posts to.
func fieldsOf(t *testing.T, body string) (action string, fields url.Values) {
	t.Helper()
	found := regexp.MustCompile(`<form class="ways" method="post" action="` + public + `([^"]*)">`).FindStringSubmatch(body)
	if found == nil {
		t.Fatalf("no form: %s", body)
	}
	fields = url.Values{}
	for _, match := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(body, -1) {
		fields.Set(match[1], html.UnescapeString(match[2]))
	}
	return found[1], fields
}

// submit posts a page's form.
func (b *browser) submit(page answer, choice string) answer {
	b.t.Helper()
	action, fields := fieldsOf(b.t, page.body)
	fields.Set("answer", choice)
	return b.send(request{method: "POST", path: action, body: fields.Encode(), headers: map[string]string{"Origin": public}})
}

func TestConsentPage(t *testing.T) {
	p := newProvider(t)
	p.change("wiki", func(a *store.Application) { a.FirstParty = false })
	b := p.member("ann")
	page := b.get("/oauth2/authorize", wikiRequest())
	if page.status != http.StatusOK {
		t.Fatalf("%d to %s", page.status, page.headers["location"])
	}
	for _, text := range []string{"Allow Wiki?", "ann, Wiki wants", "your phone number", "your name, picture", ">Allow<", ">Do not allow<"} {
		if !strings.Contains(page.body, text) {
			t.Errorf("lacks %s", text)
		}
	}
	if strings.Contains(page.body, "e-mail") {
		t.Error("asks for what was not asked for")
	}
	policy := page.headers["content-security-policy"]
	if !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "form-action") {
		t.Errorf("policy %s", policy)
	}
	// Attack: an answer that no page of the service has made.
	action, fields := fieldsOf(t, page.body)
	for name, change := range map[string]func(url.Values){
		"no proof":        func(v url.Values) { v.Del("proof") },
		"another request": func(v url.Values) { v.Set("request", wikiRequest("scope", "openid profile phone email groups")) },
		"another answer":  func(v url.Values) { v.Set("answer", "whatever") },
	} {
		forged := url.Values{}
		for field, value := range fields {
			forged[field] = value
		}
		forged.Set("answer", "agree")
		change(forged)
		if got := b.send(request{method: "POST", path: action, body: forged.Encode()}); got.status != http.StatusOK || !strings.Contains(got.body, "Allow Wiki?") {
			t.Errorf("%s: %d %s", name, got.status, got.headers["location"])
		}
	}
	if got := p.member("eve").submit(page, "agree"); !strings.Contains(got.body, "eve, Wiki wants") {
		t.Errorf("another member's proof: %d %s", got.status, got.headers["location"])
	}
	if _, query := b.submit(page, "refuse").location(t); query.Get("error") != "access_denied" || query.Get("state") == "" {
		t.Errorf("refused: %v", query)
	}
	if _, query := b.submit(page, "agree").location(t); query.Get("code") == "" {
		t.Errorf("agreed: %v", query)
	}
	if _, query := b.get("/oauth2/authorize", wikiRequest()).location(t); query.Get("code") == "" {
		t.Errorf("asked again: %v", query)
	}
}

// Consent after a sign-in: the request stays kept until it has its answer.
func TestConsentAfterASignIn(t *testing.T) {
	p := newProvider(t)
	p.change("wiki", func(a *store.Application) { a.FirstParty = false })
	b := p.member("ann")
	away := b.get("/oauth2/authorize", wikiRequest("prompt", "login consent"))
	p.now = p.now.Add(time.Second)
	user, err := p.store.User(t.Context(), "user-ann")
	p.ok(err)
	b.signIn(user)
	page := b.comeBack(away)
	if _, query := b.submit(page, "agree").location(t); query.Get("code") == "" {
		t.Fatalf("%v", query)
	}
	for name := range b.cookies {
		if strings.Contains(name, "request") {
			t.Errorf("still has %s", name)
		}
	}
}

// comeBack takes the request up again that an answer sent the browser away with.
func (b *browser) comeBack(away answer) answer {
	b.t.Helper()
	_, query := away.location(b.t)
	return b.get("/oauth2/authorize", url.Values{"client_id": {query.Get("application")}, "continue": {query.Get("continue")}}.Encode())
}

func TestSignInOnTheWay(t *testing.T) {
	for _, test := range []struct {
		name, agent, query string
		session            bool
		change             func(*provider)
		want               string // before application and continue
	}{
		{"a desktop browser", desktopUA, wikiRequest(), false, nil, "/signin?"},
		{"WeCom's client, one way", wecomUA, wikiRequest(), false, nil, "/authorize/demo?"},
		{"WeCom's client, two ways", wecomUA, wikiRequest(), false, func(p *provider) { p.authenticator("crm", true) }, "/signin?"},
		{"WeCom's client, one of two ways is for it", wecomUA, wikiRequest(), false, func(p *provider) {
			p.authenticator("crm", true)
			p.change("wiki", func(a *store.Application) { a.Authenticators = []string{"crm"} })
		}, "/authorize/crm?"},
		{"WeCom's client, one of two ways is on", wecomUA, wikiRequest(), false, func(p *provider) { p.authenticator("crm", false) }, "/authorize/demo?"},
		{"a session that will not do", desktopUA, wikiRequest("prompt", "login"), true, nil, "/signin?"},
		{"a session by another way", desktopUA, wikiRequest(), true, func(p *provider) {
			p.change("wiki", func(a *store.Application) { a.Authenticators = []string{"crm"} })
		}, "/signin?"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newProvider(t)
			if test.change != nil {
				test.change(p)
			}
			b := p.browser()
			if test.session {
				b = p.member("ann")
			}
			b.agent = test.agent
			address, query := b.get("/oauth2/authorize", test.query).location(t)
			if !strings.HasPrefix(address, public+test.want) || query.Get("application") != "wiki" || len(query.Get("continue")) != 26 {
				t.Errorf("goes to %s", address)
			}
			if again := query.Get("prompt") == "login"; again != test.session {
				t.Errorf("to sign in again: %v", again)
			}
			if query.Has("state") || strings.Contains(address, "STATE") {
				t.Errorf("shows the request: %s", address)
			}
		})
	}
}

func (p *provider) authenticator(name string, enabled bool) {
	p.t.Helper()
	p.ok(p.store.CreateAuthenticator(p.t.Context(), store.Authenticator{
		ID: "id-" + name, Name: name, Enabled: enabled, CorpID: "ww0123", AgentID: "1000003", Origin: "https://" + name + ".example.com", Generation: "g", Version: 1,
	}))
}

// Several tabs wait for the same sign-in, and each gets the code of its own request.
func TestSeveralTabsSignInAtOnce(t *testing.T) {
	p := newProvider(t)
	b := p.browser()
	var tabs []answer
	for i := range 4 {
		tabs = append(tabs, b.get("/oauth2/authorize", wikiRequest("state", fmt.Sprint("tab ", i))))
	}
	cookies := b.cookies
	b = p.member("ann")
	for name, value := range cookies {
		b.cookies[name] = value
	}
	for i, tab := range tabs {
		if _, query := b.comeBack(tab).location(t); query.Get("code") == "" || query.Get("state") != fmt.Sprint("tab ", i) {
			t.Errorf("tab %d gets %v", i, query)
		}
	}
	for name := range b.cookies {
		if strings.Contains(name, "wecom_request") {
			t.Errorf("still keeps %s", name)
		}
	}
}

// Attack: the link with which somebody else's request goes on gives this browser no code.
func TestRequestOfAnotherBrowserIsNotAnswered(t *testing.T) {
	p := newProvider(t)
	away := p.browser().get("/oauth2/authorize", wikiRequest())
	victim := p.member("ann")
	address, query := victim.comeBack(away).location(t)
	if address != "https://wiki.example.com/" || query.Has("code") {
		t.Fatalf("goes to %s", address)
	}
	// Once: then a page says so.
	again := victim.comeBack(away)
	if again.status != http.StatusBadRequest || !strings.Contains(again.body, "Start again in Wiki") || !strings.Contains(again.body, `href="https://wiki.example.com/"`) {
		t.Errorf("%d to %q", again.status, again.headers["location"])
	}
	p.now = p.now.Add(2 * time.Minute)
	delete(victim.cookies, "__Host-wecom_restarted")
	if address, _ := victim.comeBack(away).location(t); address != "https://wiki.example.com/" {
		t.Errorf("later it goes to %s", address)
	}
}

func TestLostRequestWithoutAHomepage(t *testing.T) {
	for _, test := range []struct {
		name   string
		query  string
		change func(*provider)
		has    string
	}{
		{"none", "client_id=spa", nil, "Start again in Board"},
		{"the service itself", "client_id=wiki", func(p *provider) {
			p.change("wiki", func(a *store.Application) { a.Homepage = public + "/oauth2/authorize" })
		}, "Start again in Wiki"},
		{"switched off", "client_id=wiki", func(p *provider) { p.change("wiki", func(a *store.Application) { a.Enabled = false }) }, "Start again"},
		{"unknown", "client_id=unknown", nil, "Start again"},
		{"no application", "a=b", nil, "Start again"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newProvider(t)
			if test.change != nil {
				test.change(p)
			}
			got := p.member("ann").get("/oauth2/authorize", test.query+"&continue=ABCDEFGHIJKLMNOPQRSTUVWXYZ")
			if got.status != http.StatusBadRequest || got.headers["location"] != "" || !strings.Contains(got.body, test.has) {
				t.Errorf("%d to %q", got.status, got.headers["location"])
			}
		})
	}
}

func TestRequestThatIsTooLongToBeKept(t *testing.T) {
	p := newProvider(t)
	query := wikiRequest("login_hint", strings.Repeat("h", 2048))
	if got := p.browser().get("/oauth2/authorize", query); got.status != http.StatusBadRequest || len(got.cookies) != 0 || !strings.Contains(got.body, "invalid_request") {
		t.Errorf("%d %v", got.status, got.cookies)
	}
	if length := len(p.browser().get("/oauth2/authorize", wikiRequest("foo", strings.Repeat("<", 10_000))).body); length > 20_000 {
		t.Errorf("the page has %d bytes", length)
	}
	// With a session it need not be kept.
	if _, answered := p.member("ann").get("/oauth2/authorize", query).location(t); answered.Get("code") == "" {
		t.Errorf("%v", answered)
	}
}

// A page of another site must not fill the browser with cookies.
func TestRequestLoadedByAPageIsNotKept(t *testing.T) {
	p := newProvider(t)
	for _, destination := range []string{"image", "iframe", "empty"} {
		got := p.browser().send(request{method: "GET", path: "/oauth2/authorize", query: wikiRequest(), headers: map[string]string{"Sec-Fetch-Dest": destination}})
		if got.status != http.StatusForbidden || len(got.cookies) != 0 {
			t.Errorf("%s: %d %v", destination, got.status, got.cookies)
		}
	}
	silent := p.member("ann").send(request{method: "GET", path: "/oauth2/authorize", query: wikiRequest("prompt", "none"), headers: map[string]string{"Sec-Fetch-Dest": "iframe"}})
	if _, query := silent.location(t); query.Get("code") == "" {
		t.Errorf("prompt=none in a frame: %v", query)
	}
}

func TestMemberWhoIsNotAllowed(t *testing.T) {
	p := newProvider(t)
	p.change("wiki", func(a *store.Application) { a.Allow.Roles = []string{"editor"} })
	b := p.member("ann", "reader")
	got := b.get("/oauth2/authorize", wikiRequest())
	if got.status != http.StatusForbidden {
		t.Fatalf("%d to %q", got.status, got.headers["location"])
	}
	body := html.UnescapeString(got.body)
	for _, text := range []string{
		"No access to Wiki", "ann, Wiki is only for some people", "ask an administrator",
		`href="` + callback + "&error=access_denied", public + "/signin?application=wiki&continue=",
	} {
		if !strings.Contains(body, text) {
			t.Errorf("lacks %s", text)
		}
	}
	if _, query := b.get("/oauth2/authorize", wikiRequest("prompt", "none")).location(t); query.Get("error") != "access_denied" {
		t.Errorf("prompt=none: %v", query)
	}
	if _, query := p.member("bob", "editor").get("/oauth2/authorize", wikiRequest()).location(t); query.Get("code") == "" {
		t.Errorf("somebody who is: %v", query)
	}
}

// The callback of software behind a proxy is this service, which would only say it again.
func TestRefusalDoesNotGoBackToAProxy(t *testing.T) {
	p := newProvider(t)
	p.application(store.Application{ID: "pages", Kind: store.KindProxy, Homepage: "https://pages.example.org/", Allow: store.Allow{Roles: []string{"editor"}}})
	got := p.member("ann", "reader").get("/oauth2/authorize", wikiRequest("client_id", "pages", "redirect_uri", "https://pages.example.org/.wecom-signin/pages/callback"))
	if !strings.Contains(got.body, "No access to ") || strings.Contains(got.body, "access_denied") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// The address of a native application has a scheme that no browser knows.
func TestRefusalGoesBackToANativeApplication(t *testing.T) {
	p := newProvider(t)
	const address = "com.example.tool:/callback"
	p.application(store.Application{ID: "tool", Kind: store.KindNative, RedirectURIs: []string{address}, Allow: store.Allow{Roles: []string{"editor"}}})
	got := p.member("ann", "reader").get("/oauth2/authorize", wikiRequest("client_id", "tool", "redirect_uri", address))
	if !strings.Contains(html.UnescapeString(got.body), `href="`+address+`?error=access_denied&`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// A sign-out that failed half-way has ended the lineage and left the session. The session
// ends, too: otherwise the next sign-in would go on with a lineage that gives no code.
func TestSessionWhoseLineageHasEndedIsEnded(t *testing.T) {
	p := newProvider(t)
	b := p.member("ann")
	b.code(wikiRequest())
	_, err := p.store.EndLineage(t.Context(), b.lineage)
	p.ok(err)
	key := authflow.SessionKey(strings.TrimSuffix(b.cookies["__Host-wecom_session"], ".user-ann"))
	kind := func() store.ResultKind {
		result, err := p.store.AttemptResult(t.Context(), key)
		p.ok(err)
		return result.Kind
	}
	if _, query := b.get("/oauth2/authorize", wikiRequest("prompt", "none")).location(t); query.Get("error") != "login_required" || kind() != store.ResultSession {
		t.Fatalf("prompt=none: %v, the session is %s", query, kind())
	}
	away := b.get("/oauth2/authorize", wikiRequest())
	if address, query := away.location(t); !strings.HasPrefix(address, public+"/signin?application=wiki&continue=") || query.Get("prompt") != "login" {
		t.Errorf("goes to %s", address)
	}
	if kind() != store.ResultEnded {
		t.Errorf("the session is %s", kind())
	}
	if diff := cmp.Diff([]string{b.lineage + " of wiki"}, p.notified); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	// After the sign-in, a lineage begins that does.
	user, err := p.store.User(t.Context(), "user-ann")
	p.ok(err)
	p.now = p.now.Add(time.Second)
	b.signIn(user)
	if _, query := b.comeBack(away).location(t); query.Get("code") == "" {
		t.Errorf("after the sign-in: %v", query)
	}
}

func TestPagesSpeakTheLanguage(t *testing.T) {
	p := newProvider(t)
	p.change("wiki", func(a *store.Application) { a.Allow.Roles = []string{"editor"} })
	for _, test := range []struct {
		name, query string
		cookie      string
		want        string
	}{
		{"the browser's", wikiRequest(), "", "No access to Wiki"},
		{"the application's wish", wikiRequest("ui_locales", "tlh zh-CN"), "", "无权使用“Wiki”"},
		{"the member's choice", wikiRequest("ui_locales", "zh-CN"), "fr", "Pas d’accès à Wiki"},
		{"picked now", wikiRequest("ui_locales", "zh-CN", "lang", "sv"), "fr", "Ingen åtkomst till Wiki"},
	} {
		b := p.member("ann")
		if test.cookie != "" {
			b.cookies["__Host-wecom_language"] = test.cookie
		}
		if body := html.UnescapeString(b.get("/oauth2/authorize", test.query).body); !strings.Contains(body, test.want) {
			t.Errorf("%s: lacks %s", test.name, test.want)
		}
	}
}

// The log has one line for each request, without anything that could be used.
func TestLogHasNoSecrets(t *testing.T) {
	p := newProvider(t)
	b := p.member("ann")
	away := p.browser().get("/oauth2/authorize", wikiRequest())
	code := b.code(wikiRequest("scope", "openid offline_access"))
	tokens := p.exchange(code)
	p.post("/oauth2/token", p.asWiki(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"forged." + code}}), nil)
	p.send(request{method: "GET", path: "/oauth2/userinfo", headers: map[string]string{"Authorization": "Bearer " + tokens["access_token"].(string) + "x"}}, nil)
	b.get("/oauth2/authorize", wikiRequest("redirect_uri", "https://evil.example/"))
	_, query := away.location(t)
	log := p.log.String()
	for what, text := range map[string]string{
		"code": code, "access token": tokens["access_token"].(string), "refresh token": tokens["refresh_token"].(string), "id token": tokens["id_token"].(string),
		"secret": p.secret, "state": "STATE", "nonce": "NONCE", "continue": query.Get("continue"), "address": "evil.example", "verifier": verifier,
	} {
		if strings.Contains(log, text) {
			t.Errorf("has the %s", what)
		}
	}
	if lines := strings.Count(log, "\n"); lines != 6 {
		t.Errorf("%d lines for 6 requests", lines)
	}
	for _, text := range []string{`"application":"wiki"`, `"user":"user-ann"`, `"cause":"redirect_mismatch"`} {
		if !strings.Contains(log, text) {
			t.Errorf("lacks %s", text)
		}
	}
}
