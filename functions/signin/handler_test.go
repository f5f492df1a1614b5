package signin

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/version"
)

const (
	public    = "https://signin.example.com"
	appOrigin = "https://app.example.com"
	liveID    = "live-session-live-session-live-session-live"
	deadID    = "dead-session-dead-session-dead-session-dead"
	desktopUA = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140 Safari/537.36"
	phoneUA   = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/140 Mobile Safari/537.36"
	wecomUA   = "Mozilla/5.0 (Linux; Android 14; wv) Chrome/134 Mobile Safari/537.36 WxWork/4.1.38 MicroMessenger/7.0.1"
)

// world is everything the handler asks; its fields may be changed before a request.
type world struct {
	authenticators []store.Authenticator
	applications   map[string]store.Application
	failing        error // of reading authenticators
	checkError     error // of checking a session
	checks         int
	endError       error
	files          map[string]bool
	ended          []string
	minted         []keys.AccessTokenClaims
	mintError      error
	session        store.Session
	user           store.User
	now            time.Time
	cookie         session.Cookie
	publicURL      string
	log            strings.Builder

	// Of the member's page.
	allApplications []store.Application // in pages, beside applications
	sessions        []store.AttemptResult
	lineages        []store.Lineage
	consents        []store.Consent
	unreadable      map[string]error // by what is read
	acts            []string         // what was done for the member
	actError        error

	panel string // the origin of WeCom's login page

	// Of a first sign-in.
	waiting  authflow.Waiting
	goesOn   authflow.CallbackResult
	firstErr error
	asked    []authflow.Proof
	going    []authflow.FirstSignInRequest
}

func newWorld() *world {
	now := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	return &world{
		now: now, publicURL: public, files: map[string]bool{"WW_verify_abcDEF0123456789.txt": true},
		authenticators: []store.Authenticator{
			{ID: "1", Name: "crm", Title: "", Enabled: true, CorpID: "wwsecretcorp", AgentID: "1000003", Origin: "https://crm.example.com:8443", WorkbenchRedirectPath: "/"},
			{ID: "2", Name: "demo", Title: "Demo", Enabled: true, CorpID: "wwsecretcorp", AgentID: "1000002", SecretVersion: "v-secret", Origin: appOrigin, WorkbenchRedirectPath: "/home", AutoLogin: true},
			{ID: "3", Name: "old", Title: "Old", Enabled: false, CorpID: "wwsecretcorp", Origin: "https://old.example.com", WorkbenchRedirectPath: "/"},
		},
		session: store.Session{
			UserID: "u1", AuthenticatorName: "demo", CorpID: "wwsecretcorp", WeComUserID: "ZhangSan",
			SignedInAt: now.Add(-time.Hour), ExpiresAt: now.Add(7 * time.Hour),
		},
		user: store.User{ID: "u1", Name: "张三", Phone: "+8613800000001", Roles: []string{"admin"}, Enabled: true},
	}
}

func (f *world) Authenticators(_ context.Context, page store.Page) ([]store.Authenticator, string, error) {
	if f.failing != nil {
		return nil, "", f.failing
	}
	// One at a time, so that a caller that forgets the cursor fails.
	for i, a := range f.authenticators {
		if page.Cursor == "" || a.Name == page.Cursor {
			if i+1 < len(f.authenticators) {
				return []store.Authenticator{a}, f.authenticators[i+1].Name, nil
			}
			return []store.Authenticator{a}, "", nil
		}
	}
	return nil, "", nil
}

func (f *world) Authenticator(_ context.Context, name string) (store.Authenticator, error) {
	for _, a := range f.authenticators {
		if a.Name == name {
			return a, f.failing
		}
	}
	return store.Authenticator{}, store.ErrNotFound
}

func (f *world) Application(_ context.Context, id string) (store.Application, error) {
	if a, ok := f.applications[id]; ok && f.failing == nil {
		return a, nil
	}
	if f.failing != nil {
		return store.Application{}, f.failing
	}
	return store.Application{}, store.ErrNotFound
}

func (f *world) AutoLoginAuthenticator(context.Context) (store.Authenticator, error) {
	if f.failing != nil {
		return store.Authenticator{}, f.failing
	}
	for _, a := range f.authenticators {
		if a.HoldsAutoLogin() {
			return a, nil
		}
	}
	return store.Authenticator{}, store.ErrNotFound
}

func (f *world) DomainFile(_ context.Context, name string) (store.DomainFile, error) {
	if !f.files[name] {
		return store.DomainFile{}, store.ErrNotFound
	}
	return store.DomainFile{Filename: name}, nil
}

func (f *world) Check(_ context.Context, ref authflow.SessionRef) (authflow.ActiveSession, error) {
	f.checks++
	switch {
	case f.checkError != nil:
		return authflow.ActiveSession{}, f.checkError
	case ref.ID != liveID:
		return authflow.ActiveSession{}, apierr.New(apierr.Unauthorized, nil)
	}
	for _, a := range f.authenticators {
		if a.Name == f.session.AuthenticatorName {
			return authflow.ActiveSession{Key: authflow.SessionKey(ref.ID), Session: f.session, User: f.user, Authenticator: a}, nil
		}
	}
	return authflow.ActiveSession{}, apierr.New(apierr.Unauthorized, nil)
}

func (f *world) End(_ context.Context, id string) error {
	if id != "" && f.endError == nil {
		f.ended = append(f.ended, id)
	}
	return f.endError
}

func (f *world) Mint(_ context.Context, claims keys.AccessTokenClaims, end time.Time) (string, time.Duration, error) {
	f.minted = append(f.minted, claims)
	return "signed", min(15*time.Minute, end.Sub(f.now)), f.mintError
}

// ask is a request; without a path it asks for "/".
type ask struct {
	method  string // GET when empty
	path    string
	query   string
	agent   string
	session string
	cookies []string
	headers map[string]string
	body    string
}

type answer struct {
	status  int
	headers map[string]string
	cookies []string
	body    string
}

func (f *world) ask(t *testing.T, a ask) answer {
	t.Helper()
	pages, err := page.New(page.Config{})
	if err != nil {
		t.Fatal(err)
	}
	function := apigw.New(apigw.Config{
		Name: "signin", PublicURL: f.publicURL, Logger: slog.New(slog.NewJSONHandler(&f.log, nil)),
		Handler: New(Config{
			Authenticators: f, Applications: f, DomainFiles: f, Sessions: f, SelfService: f, Members: f, Minter: f, FirstSignIn: f.firstSignIn(t), Cookie: f.cookie, Pages: pages, Panel: f.panel,
			Now: func() time.Time { return f.now },
		}),
	})
	event := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RawPath: a.path, RawQueryString: a.query, Cookies: a.cookies, Body: a.body,
		Headers: map[string]string{"accept-language": "en", "user-agent": a.agent, "host": "attacker.example"},
	}
	if a.session != "" {
		event.Cookies = append([]string{"__Host-wecom_session=" + a.session}, a.cookies...)
	}
	for name, value := range a.headers {
		event.Headers[strings.ToLower(name)] = value
	}
	event.RequestContext.HTTP.Method = a.method
	if a.method == "" {
		event.RequestContext.HTTP.Method = http.MethodGet
	}
	event.RequestContext.RequestID = "request-1"
	event.RequestContext.DomainName = "api.example.net"
	response, err := function(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Headers, response.Cookies, response.Body}
}

// jar returns the cookies that an answer sets, for the next request.
func (a answer) jar() []string {
	var kept []string
	for _, cookie := range a.cookies {
		parsed, err := http.ParseSetCookie(cookie)
		if err == nil && parsed.MaxAge >= 0 {
			kept = append(kept, parsed.Name+"="+parsed.Value)
		}
	}
	return kept
}

func (a answer) clears(name string) bool {
	for _, cookie := range a.cookies {
		if strings.HasPrefix(cookie, name+"=;") && strings.Contains(cookie, "Max-Age=0") {
			return true
		}
	}
	return false
}

func TestEveryAddressHasItsAnswer(t *testing.T) {
	for _, test := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/signin", 200, ""},
		{"HEAD", "/signin", 200, ""},
		{"POST", "/signin", 403, ""},
		{"PUT", "/signin", 405, "GET, HEAD, POST"},
		{"GET", "/auto-login.js", 200, ""},
		{"GET", "/robots.txt", 200, ""},
		{"GET", "/favicon.ico", 200, ""},
		{"GET", "/api/authenticators", 200, ""},
		{"HEAD", "/api/authenticators", 200, ""},
		{"POST", "/api/authenticators", 405, "GET, HEAD, OPTIONS"},
		{"GET", "/api/session", 401, ""},
		{"DELETE", "/api/session", 405, "GET, HEAD, OPTIONS"},
		{"GET", "/api/token", 405, "POST, OPTIONS"},
		{"HEAD", "/api/token", 405, "POST, OPTIONS"},
		{"GET", "/api/signout", 405, "POST, OPTIONS"},
		{"PUT", "/api/signout", 405, "POST, OPTIONS"},
		{"GET", "/api/first-sign-in", 200, ""},
		{"POST", "/api/first-sign-in", 403, ""},
		{"DELETE", "/api/first-sign-in", 405, "GET, HEAD, POST"},
		{"GET", "/api/other", 404, ""},
		{"OPTIONS", "/api/other", 404, ""},
		{"GET", "/api/", 404, ""},
		{"GET", "/api/session/", 404, ""},
		{"GET", "/api/Session", 404, ""},
		{"GET", "/api/admin/users", 404, ""},
		{"GET", "/assets/x.css", 404, ""},
		{"GET", "/.well-known/security.txt", 404, ""},
		{"GET", "/.well-known", 404, ""},
		{"GET", "/oauth2/authorize", 404, ""},
		{"GET", "/authorize", 404, ""},
		{"GET", "/authorize/", 404, ""},
		{"GET", "/authorize/a/b", 404, ""},
		{"HEAD", "/authorize/demo", 404, ""},
		{"GET", "/callback", 404, ""},
		{"GET", "/console/x", 404, ""},
		{"GET", "/WW_verify_0000000000000000.txt", 404, ""},
		{"GET", "/", 302, ""},
		{"GET", "", 302, ""},
		{"GET", "/api", 302, ""},
		{"GET", "/assets", 302, ""},
		{"GET", "/authorizes", 302, ""},
		{"GET", "/oauth2x", 302, ""},
		{"GET", "/signin/x", 302, ""},
		{"POST", "/orders", 405, "GET, HEAD"},
		{"OPTIONS", "/orders", 405, "GET, HEAD"},
		{"DELETE", "/", 405, "GET, HEAD"},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			got := newWorld().ask(t, ask{method: test.method, path: test.path})
			if got.status != test.status || got.headers["allow"] != test.allow {
				t.Fatalf("%d, allow %q; want %d, %q", got.status, got.headers["allow"], test.status, test.allow)
			}
			if strings.HasPrefix(test.path, "/api/") && test.status >= 400 && got.headers["content-type"] != "application/problem+json" {
				t.Fatalf("content type %q", got.headers["content-type"])
			}
			if test.method == "HEAD" && got.body != "" {
				t.Fatal("HEAD has a body")
			}
		})
	}
}

func TestSignInPage(t *testing.T) {
	const self = "/authorize/demo?redirect=%2Forders%3Fid%3D7"
	for _, test := range []struct {
		name      string
		ask       ask
		change    func(*world)
		has, lack []string
	}{
		{
			"buttons of enabled authenticators alone",
			ask{query: "redirect=%2Forders%3Fid%3D7"},
			nil,
			[]string{"Sign in with Demo", "Sign in with crm", public + self, public + "/authorize/crm?redirect="},
			[]string{"/authorize/old", `role="alert"`, "wwsecret"},
		},
		{
			"a failure, and the same target again",
			ask{query: "error=wecom_busy&authenticator=demo&request=abc-1&redirect=%2Forders%3Fid%3D7"},
			nil,
			[]string{`role="alert"`, "WeCom is busy", "abc-1", "Try again with Demo", public + self},
			nil,
		},
		{"Chinese", ask{headers: map[string]string{"accept-language": "zh-CN"}}, nil, []string{`lang="zh-CN"`, "使用 Demo 登录"}, nil},
		{"the language picked before", ask{cookies: []string{"__Host-wecom_language=zh-CN"}}, nil, []string{"使用 Demo 登录"}, nil},
		{"an unknown picked language", ask{query: "lang=%3Cb%3E"}, nil, []string{"Sign in with Demo"}, []string{"<b>"}},
		{"in WeCom", ask{agent: wecomUA}, nil, []string{"One tap"}, nil},
		{"on a phone", ask{agent: phoneUA}, nil, []string{"cannot scan its own screen"}, nil},
		{
			"first sign-in",
			ask{query: "error=first_sign_in_in_wecom&authenticator=demo&redirect=%2Forders%3Fid%3D7"},
			nil,
			[]string{`class="code"`, `value="` + public + self + `"`, "phone number"},
			nil,
		},
		{"no authenticator", ask{}, func(f *world) { f.authenticators = nil }, []string{public + "/console", "administrator"}, nil},
		{
			"a store that does not answer",
			ask{session: liveID, query: "error=internal&request=r1"},
			func(f *world) { f.failing, f.checkError = errors.New("down"), errors.New("down") },
			[]string{"cannot be read", "r1"},
			[]string{"/console", "down"},
		},
		{
			"signed in",
			ask{session: liveID},
			nil,
			[]string{"<h1>张三</h1>", `href="` + appOrigin + `/home"`, `action="` + public + `/api/signout"`},
			[]string{"Sign in with Demo"},
		},
		{
			"signed in, with a target",
			ask{session: liveID, query: "redirect=/x"},
			nil,
			[]string{"signed in as 张三", `href="` + appOrigin + `/x"`, `action="` + public + `/api/signout"`, "Sign in with Demo"},
			nil,
		},
		{"signed in, on the way here", ask{session: liveID, query: "return=signin"}, nil, []string{"<h1>张三</h1>"}, nil},
		{"signed in, to sign in again", ask{session: liveID, query: "prompt=login"}, nil, []string{"Sign in with Demo"}, []string{"张三"}},
		{"on the way here", ask{query: "return=signin"}, nil, []string{public + "/authorize/demo?return=signin"}, nil},
		{"signed in, on the way to the console", ask{session: liveID, query: "return=console"}, nil, []string{`href="` + public + `/console"`}, nil},
		{"on the way to the console", ask{query: "return=console&lang=en"}, nil, []string{public + "/authorize/demo?return=console"}, nil},
		{"attack: another way back", ask{query: "return=//evil.example"}, nil, nil, []string{"evil", "return="}},
		{"signed in, but sent back with a failure", ask{session: liveID, query: "error=redirect_loop"}, nil, []string{"keeps sending you back"}, []string{"signed in as"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newWorld()
			if test.change != nil {
				test.change(f)
			}
			test.ask.path = "/signin"
			got := f.ask(t, test.ask)
			if got.status != 200 || got.headers["content-type"] != "text/html; charset=utf-8" || got.headers["cache-control"] != "no-store" {
				t.Fatalf("%d %v", got.status, got.headers)
			}
			body := html.UnescapeString(got.body)
			for _, text := range test.has {
				if !strings.Contains(body, text) {
					t.Errorf("lacks %q", text)
				}
			}
			for _, text := range test.lack {
				if strings.Contains(body, text) {
					t.Errorf("has %q", text)
				}
			}
		})
	}
}

func TestPickedLanguageIsRemembered(t *testing.T) {
	f := newWorld()
	got := f.ask(t, ask{path: "/signin", query: "lang=zh-CN"})
	if again := f.ask(t, ask{path: "/signin", cookies: got.jar()}); !strings.Contains(again.body, `lang="zh-CN"`) {
		t.Fatal("the next page is in another language")
	}
	if got := f.ask(t, ask{path: "/signin", query: "lang=xx"}); len(got.cookies) != 0 {
		t.Fatalf("cookies %q", got.cookies)
	}
}

// Attack: text in a link to the page that becomes part of the page.
func TestSignInPageShowsNoScriptOfALink(t *testing.T) {
	const attack = `"><script>alert(1)</script>`
	f := newWorld()
	f.authenticators[0].Title = attack
	query := url.Values{}
	for _, name := range []string{"error", "request", "redirect", "authenticator", "lang", "other"} {
		query.Set(name, attack)
	}
	got := f.ask(t, ask{path: "/signin", query: query.Encode()})
	if got.status != 200 || strings.Contains(got.body, "<script>alert") {
		t.Fatalf("%d %s", got.status, got.body)
	}
	for _, target := range []string{"javascript:alert(1)", "//evil.example", `/\evil.example`, "https://evil.example/", "/\t/evil.example", " //evil.example"} {
		got := f.ask(t, ask{path: "/signin", query: url.Values{"redirect": {target}}.Encode()})
		if strings.Contains(got.body, "evil.example") || strings.Contains(got.body, "javascript:") {
			t.Errorf("the page offers %q", target)
		}
	}
}

func TestAuthenticatorsAreListedWithoutSecrets(t *testing.T) {
	got := newWorld().ask(t, ask{path: "/api/authenticators"})
	want := `[{"name":"crm","title":"crm","type":"wecom","authorizeUrl":"https://signin.example.com/authorize/crm"},` +
		`{"name":"demo","title":"Demo","type":"wecom","authorizeUrl":"https://signin.example.com/authorize/demo"}]`
	if got.status != 200 || strings.TrimSpace(got.body) != want || got.headers["content-type"] != "application/json" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	f := newWorld()
	f.authenticators = nil
	if got := f.ask(t, ask{path: "/api/authenticators"}); strings.TrimSpace(got.body) != "[]" {
		t.Fatalf("none is %s", got.body)
	}
	f.failing = errors.New("table Directory-1 is gone")
	if got := f.ask(t, ask{path: "/api/authenticators"}); got.status != 500 || strings.Contains(got.body, "Directory") {
		t.Fatalf("%d %s", got.status, got.body)
	}
}

func TestSession(t *testing.T) {
	f := newWorld()
	got := f.ask(t, ask{path: "/api/session", session: liveID})
	want := `{"user":{"id":"u1","name":"张三","phone":"+8613800000001","avatar":"","roles":["admin"]},"authenticator":"demo","corpId":"wwsecretcorp",` +
		`"wecomUserId":"ZhangSan","signedInAt":"2026-11-21T07:00:00Z","expiresAt":"2026-11-21T15:00:00Z","departments":[]}`
	if got.status != 200 || strings.TrimSpace(got.body) != want {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got.headers["cache-control"] != "no-store" || got.headers["vary"] != "Origin" || len(got.cookies) != 0 {
		t.Fatalf("%v %v", got.headers, got.cookies)
	}
	f.user.WeComRoles = []string{"lead"}
	f.user.Identities = []store.Identity{
		{CorpID: "wwother", WeComUserID: "ZhangSan", Departments: []store.Department{{ID: 1, Name: "Partner"}}},
		{CorpID: "wwsecretcorp", WeComUserID: "zhangsan", Departments: []store.Department{{ID: 12, Name: "财务部", Leader: true, Above: []int64{1}, NamesAbove: []string{"总部"}}, {ID: 3}}},
	}
	got = f.ask(t, ask{path: "/api/session", session: liveID})
	if !strings.Contains(got.body, `"roles":["admin","lead"]`) || !strings.Contains(got.body, `"departments":[{"id":12,"name":"财务部","leader":true},{"id":3,"name":"","leader":false}]`) {
		t.Errorf("%s", got.body)
	}
	f.user.Identities[1].WeComUserID = "zhang.san"
	if got := f.ask(t, ask{path: "/api/session", session: liveID}); !strings.Contains(got.body, `"wecomUserId":"zhang.san"`) || !strings.Contains(got.body, `"departments":[{"id":12,`) {
		t.Errorf("the member has another userid since: %s", got.body)
	}
	f.user.Roles, f.user.WeComRoles, f.user.Identities = nil, nil, nil
	if got := f.ask(t, ask{path: "/api/session", session: liveID}); !strings.Contains(got.body, `"roles":[]`) {
		t.Fatal("no roles are null")
	}
	if got := f.ask(t, ask{path: "/api/session"}); got.status != 401 || len(got.cookies) != 0 || !strings.Contains(got.body, `"code":"unauthorized"`) {
		t.Fatalf("without a cookie: %d %v %s", got.status, got.cookies, got.body)
	}
	if got := f.ask(t, ask{path: "/api/session", session: deadID}); got.status != 401 || !got.clears("__Host-wecom_session") {
		t.Fatalf("a dead session: %d %v", got.status, got.cookies)
	}
	// A store that does not answer says nothing about the session: keep the cookie.
	f.checkError = errors.New("throttled")
	if got := f.ask(t, ask{path: "/api/session", session: liveID}); got.status != 500 || len(got.cookies) != 0 || strings.Contains(got.body, "throttled") {
		t.Fatalf("a failing store: %d %v %s", got.status, got.cookies, got.body)
	}
}

func TestToken(t *testing.T) {
	f := newWorld()
	post := ask{method: "POST", path: "/api/token", session: liveID, headers: map[string]string{"Origin": appOrigin}}
	got := f.ask(t, post)
	if got.status != 200 || strings.TrimSpace(got.body) != `{"access_token":"signed","token_type":"Bearer","expires_in":900}` {
		t.Fatalf("%d %s", got.status, got.body)
	}
	want := []keys.AccessTokenClaims{{
		Issuer: public, Audience: keys.Audience{appOrigin}, Subject: "u1", SessionKey: authflow.SessionKey(liveID),
		Member: map[string]any{
			"name": "张三", "phone_number": "+8613800000001", "roles": []string{"admin"}, "corp_id": "wwsecretcorp", "wecom_userid": "ZhangSan",
		},
	}}
	if diff := cmp.Diff(want, f.minted); diff != "" {
		t.Fatal(diff)
	}
	f.authenticators = append(f.authenticators,
		store.Authenticator{ID: "4", Name: "partner", Enabled: true, CorpID: "wwpartner", Origin: "https://partner.example.com"},
		store.Authenticator{ID: "5", Name: "shared", Enabled: true, CorpID: "wwpartner", Origin: "https://crm.example.com:8443"})
	for _, test := range []struct {
		name, origin string
		status       int
		audience     string
	}{
		{"the console's own page", public, 200, public},
		{"a program with the cookie", "", 200, appOrigin},
		{"another application of the same company", "https://crm.example.com:8443", 200, "https://crm.example.com:8443"},
		{"attack: a page of another company", "https://partner.example.com", 403, ""},
		{"attack: a page of a disabled authenticator", "https://old.example.com", 403, ""},
		{"attack: a page of anybody", "https://evil.example", 403, ""},
		{"attack: a sandboxed frame", "null", 403, ""},
	} {
		f.minted = nil
		request := ask{method: "POST", path: "/api/token", session: liveID}
		if test.origin != "" {
			request.headers = map[string]string{"Origin": test.origin}
		}
		got := f.ask(t, request)
		if got.status != test.status || (len(f.minted) == 1) != (test.status == 200) || len(f.minted) == 1 && !f.minted[0].Audience.Only(test.audience) {
			t.Errorf("%s: %d %+v", test.name, got.status, f.minted)
		}
		// The session itself is not shown to a page of another company either.
		request.method, request.path = "GET", "/api/session"
		if got := f.ask(t, request); test.origin == "https://partner.example.com" && (got.status != 401 || strings.Contains(got.body, "张三") || len(got.cookies) != 0) {
			t.Errorf("%s: %d %s %v", test.name, got.status, got.body, got.cookies)
		}
	}
	f.session.ExpiresAt = f.now.Add(time.Minute)
	if got := f.ask(t, post); !strings.Contains(got.body, `"expires_in":60`) {
		t.Fatalf("a session of one minute: %s", got.body)
	}
	f.mintError = keys.ErrNoTimeLeft
	if got := f.ask(t, post); got.status != 401 {
		t.Fatalf("no time left: %d", got.status)
	}
	f.mintError = errors.New("signing-keys unreadable")
	if got := f.ask(t, post); got.status != 500 || strings.Contains(got.body, "signing") {
		t.Fatalf("no keys: %d %s", got.status, got.body)
	}
	post.session = deadID
	if got := f.ask(t, post); got.status != 401 || !got.clears("__Host-wecom_session") {
		t.Fatalf("a dead session: %d %v", got.status, got.cookies)
	}
}

// Two authenticators of one company, and the page of one of them is not for everybody: who is
// refused there must not come by the other one.
func TestAttackPageOfAnAuthenticatorThatIsNotForTheMember(t *testing.T) {
	const finance, board, home = "https://finance.example.com", "https://board.example.com", "https://home.example.com"
	f := newWorld()
	f.session.AuthenticatorID = "7"
	f.user.Identities = []store.Identity{{CorpID: "wwsecretcorp", WeComUserID: "ZhangSan", Departments: []store.Department{{ID: 12}}}}
	f.authenticators = append(f.authenticators,
		store.Authenticator{ID: "4", Name: "finance", Enabled: true, CorpID: "wwsecretcorp", Origin: finance, Allow: store.Allow{Roles: []string{"finance"}, Departments: []int64{13}}},
		store.Authenticator{ID: "5", Name: "board", Enabled: true, CorpID: "wwsecretcorp", Origin: board, Allow: store.Allow{Roles: []string{"admin"}}},
		store.Authenticator{ID: "6", Name: "floor", Enabled: true, CorpID: "wwsecretcorp", Origin: board, Allow: store.Allow{Departments: []int64{12}}},
		store.Authenticator{ID: "8", Name: "left", Enabled: true, CorpID: "wwsecretcorp", Origin: "https://left.example.com"},
		store.Authenticator{ID: "7", Name: "home", Enabled: true, CorpID: "wwsecretcorp", Origin: home, Allow: store.Allow{Roles: []string{"nobody"}}})
	for _, test := range []struct {
		name, origin string
		change       func()
		status       int
	}{
		{"not for this member", finance, func() {}, 403},
		{"for everybody whom the app sees", "https://left.example.com", func() {}, 200},
		{"of an app that does not see this member", "https://left.example.com", func() {
			f.user.Identities[0] = f.user.Identities[0].WithAccess(store.MemberAccess{AuthenticatorID: "8", GoneAt: f.now})
		}, 403},
		{"for this role", board, func() {}, 200},
		{"one of two with this page is for the department", board, func() { f.user.Roles = nil }, 200},
		{"neither is", board, func() { f.user.Identities[0].Departments = nil }, 403},
		{"the one that the session was begun by, which member checks end", home, func() {}, 200},
	} {
		test.change()
		for _, request := range []ask{{method: "GET", path: "/api/session"}, {method: "POST", path: "/api/token"}} {
			f.minted = nil
			request.session, request.headers = liveID, map[string]string{"Origin": test.origin}
			got := f.ask(t, request)
			if got.status != test.status || strings.Contains(got.body, "not_allowed") != (test.status == 403) || test.status == 403 && (len(f.minted) > 0 || strings.Contains(got.body, "张三")) {
				t.Errorf("%s: %s %d %s", test.name, request.path, got.status, got.body)
			}
		}
	}
}

func TestSignOut(t *testing.T) {
	f := newWorld()
	got := f.ask(t, ask{method: "POST", path: "/api/signout", session: liveID})
	if got.status != 204 || got.body != "" || !got.clears("__Host-wecom_session") || !cmp.Equal(f.ended, []string{liveID}) {
		t.Fatalf("%d %v, ended %v", got.status, got.cookies, f.ended)
	}
	if got := f.ask(t, ask{method: "POST", path: "/api/signout"}); got.status != 204 {
		t.Fatalf("without a session: %d", got.status)
	}
	got = f.ask(t, ask{method: "POST", path: "/api/signout", session: liveID, headers: map[string]string{"Accept": "text/html,*/*;q=0.8", "Origin": public}})
	if got.status != 303 || got.headers["location"] != public+"/signin" {
		t.Fatalf("a form: %d %s", got.status, got.headers["location"])
	}
	f.endError = errors.New("down")
	if got := f.ask(t, ask{method: "POST", path: "/api/signout", session: liveID}); got.status != 500 || len(got.cookies) != 0 {
		t.Fatalf("a session that goes on is called ended: %d %v", got.status, got.cookies)
	}
}

func TestSignOutClearsACookieOfAParentDomain(t *testing.T) {
	f := newWorld()
	f.cookie.Domain = "example.com"
	got := f.ask(t, ask{method: "POST", path: "/api/signout", cookies: []string{"__Secure-wecom_session=" + liveID}})
	if !got.clears("__Secure-wecom_session") || !strings.Contains(strings.Join(got.cookies, ""), "Domain=example.com") || len(f.ended) != 1 {
		t.Fatalf("%v", got.cookies)
	}
}

// Attack: another host of the parent domain plants cookies of the same name, which a browser
// sends first, to sign a person out or to keep a session from ending.
func TestAttackSessionCookiesOfAParentDomain(t *testing.T) {
	for _, test := range []struct {
		name     string
		sessions []string // in the order of the cookies
		status   int
		cleared  bool
		reads    int // at most three, whoever sends how many
	}{
		{"another deployment's first", []string{deadID + ".u-2", liveID + ".u-1"}, 200, false, 2},
		{"none that is known", []string{deadID + ".u-2", deadID}, 401, true, 2},
		{"what cannot be a session", []string{"x", "", liveID + "." + strings.Repeat("u", 27), liveID}, 200, false, 1},
		{"more than are looked up", []string{deadID, deadID, deadID, liveID}, 401, false, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newWorld()
			f.cookie.Domain = "example.com"
			var cookies []string
			for _, value := range test.sessions {
				cookies = append(cookies, "__Secure-wecom_session="+value)
			}
			got := f.ask(t, ask{path: "/api/session", cookies: cookies})
			if got.status != test.status || got.clears("__Secure-wecom_session") != test.cleared || f.checks != test.reads {
				t.Errorf("%d, cookies %v, %d reads", got.status, got.cookies, f.checks)
			}
			if test.status != 200 {
				return
			}
			got = f.ask(t, ask{method: "POST", path: "/api/signout", cookies: cookies})
			if got.status != 204 || !slices.Contains(f.ended, liveID) {
				t.Errorf("sign-out: %d, ended %v", got.status, f.ended)
			}
		})
	}
}

func TestCrossOriginRules(t *testing.T) {
	paths := map[string]string{"/api/authenticators": "GET", "/api/session": "GET", "/api/token": "POST", "/api/signout": "POST"}
	for _, test := range []struct {
		name, origin string
		allowed      bool
	}{
		{"an enabled authenticator", appOrigin, true},
		{"another one, with a port", "https://crm.example.com:8443", true},
		{"the service itself", public, true},
		{"a disabled authenticator", "https://old.example.com", false},
		{"null", "null", false},
		{"an unknown origin", "https://evil.example", false},
		{"a longer name", appOrigin + ".evil.example", false},
		{"a name in front", "https://xapp.example.com", false},
		{"another scheme", "http://app.example.com", false},
		{"another port", appOrigin + ":8443", false},
		{"the port left out", "https://crm.example.com", false},
		{"a path", appOrigin + "/", false},
		{"upper case", "https://APP.example.com", false},
		{"two", appOrigin + ", https://evil.example", false},
		{"the gateway's own name", "https://api.example.net", false},
	} {
		for path, method := range paths {
			for _, asked := range []string{method, "OPTIONS"} {
				t.Run(test.name+" "+asked+" "+path, func(t *testing.T) {
					f := newWorld()
					got := f.ask(t, ask{method: asked, path: path, session: liveID, headers: map[string]string{
						"Origin": test.origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type",
					}})
					want := map[string]string{"vary": "Origin"}
					if test.allowed {
						want["access-control-allow-origin"] = test.origin
						want["access-control-allow-credentials"] = "true"
						if asked == "OPTIONS" {
							want["access-control-allow-methods"] = method
							want["access-control-allow-headers"] = "Content-Type"
							want["access-control-max-age"] = "600"
						}
					}
					seen := maps.Clone(got.headers)
					maps.DeleteFunc(seen, func(name, _ string) bool {
						return name != "vary" && !strings.HasPrefix(name, "access-control-")
					})
					if diff := cmp.Diff(want, seen); diff != "" {
						t.Error(diff)
					}
					switch {
					case asked == "OPTIONS" && (got.status != 204 || got.body != ""):
						t.Errorf("preflight: %d %s", got.status, got.body)
					case asked == "POST" && !test.allowed && (got.status != 403 || len(f.ended)+len(f.minted) > 0 || !strings.Contains(got.body, `"code":"forbidden"`)):
						t.Errorf("a denied call: %d %s, ended %v, minted %v", got.status, got.body, f.ended, f.minted)
					case asked == "POST" && test.allowed && got.status >= 300:
						t.Errorf("an allowed call: %d %s", got.status, got.body)
					}
				})
			}
		}
	}
}

func TestRefusalsCanBeReadByTheApplication(t *testing.T) {
	for path, method := range map[string]string{"/api/session": "GET", "/api/token": "POST"} {
		got := newWorld().ask(t, ask{method: method, path: path, headers: map[string]string{"Origin": appOrigin}})
		if got.status != 401 || got.headers["access-control-allow-origin"] != appOrigin || got.headers["vary"] != "Origin" {
			t.Errorf("%s: %d %v", path, got.status, got.headers)
		}
	}
}

func TestUnknownOriginsAreNobodysFriendWhenTheListIsUnreadable(t *testing.T) {
	f := newWorld()
	f.failing = errors.New("down")
	got := f.ask(t, ask{method: "POST", path: "/api/signout", session: liveID, headers: map[string]string{"Origin": appOrigin}})
	if got.status != 500 || got.headers["access-control-allow-origin"] != "" || len(f.ended) != 0 {
		t.Fatalf("%d %v", got.status, got.headers)
	}
}

func TestCrossSitePostWithoutOriginIsRefused(t *testing.T) {
	for site, status := range map[string]int{"cross-site": 403, "same-site": 403, "same-origin": 204, "none": 204, "": 204} {
		f := newWorld()
		a := ask{method: "POST", path: "/api/signout", session: liveID, headers: map[string]string{}}
		if site != "" {
			a.headers["Sec-Fetch-Site"] = site
		}
		if got := f.ask(t, a); got.status != status || (len(f.ended) == 1) != (status == 204) {
			t.Errorf("%q: %d, ended %v", site, got.status, f.ended)
		}
	}
}

func TestDomainFile(t *testing.T) {
	f := newWorld()
	got := f.ask(t, ask{path: "/WW_verify_abcDEF0123456789.txt", agent: wecomUA, session: liveID})
	if got.status != 200 || got.body != "abcDEF0123456789" || got.headers["content-type"] != "text/plain" {
		t.Fatalf("%d %q %v", got.status, got.body, got.headers)
	}
	for _, path := range []string{
		"/WW_verify_0000000000000000.txt", "/WW_verify_ABCdef0123456789.txt", "/WW_verify_abcDEF0123456789.txt/", "/WW_verify_abcDEF0123456789.txt\n",
		"/WW_verify_.txt", "/WW_verify_abcDEF012345678.txt", "/WW_verify_<script>alert(1).txt", "/WW_verify_../../../../x1.txt",
	} {
		got := f.ask(t, ask{path: path, session: liveID})
		if got.status != 404 || got.headers["location"] != "" || strings.Contains(got.body, "verify") {
			t.Errorf("%q: %d %v %s", path, got.status, got.headers, got.body)
		}
	}
}

func TestFixedFiles(t *testing.T) {
	f := newWorld()
	script := f.ask(t, ask{path: "/auto-login.js"})
	if script.headers["content-type"] != "text/javascript; charset=utf-8" || script.headers["cross-origin-resource-policy"] != "cross-origin" ||
		script.headers["cache-control"] != "public, max-age=300" || !strings.Contains(script.body, "/api/session") {
		t.Fatalf("%v", script.headers)
	}
	if got := f.ask(t, ask{path: "/robots.txt"}); got.body != "User-agent: *\nDisallow: /\n" {
		t.Fatalf("robots: %q", got.body)
	}
	if got := f.ask(t, ask{path: "/favicon.ico"}); got.headers["content-type"] != "image/svg+xml" || !strings.HasPrefix(got.body, "<svg") {
		t.Fatalf("icon: %v", got.headers)
	}
}

func TestAutomaticLoginIsOfferedToItsOwnPagesAlone(t *testing.T) {
	for _, test := range []struct {
		name   string
		ask    ask
		change func(*world)
		want   string
	}{
		{"its page, in WeCom", ask{agent: wecomUA, headers: map[string]string{"Origin": appOrigin}}, nil, public + "/authorize/demo"},
		{"its page, elsewhere", ask{agent: desktopUA, headers: map[string]string{"Origin": appOrigin}}, nil, ""},
		{"another application's page", ask{agent: wecomUA, headers: map[string]string{"Origin": "https://crm.example.com:8443"}}, nil, ""},
		{"a page of another origin", ask{agent: wecomUA, headers: map[string]string{"Origin": "https://evil.example"}}, nil, ""},
		{"no page", ask{agent: wecomUA}, nil, ""},
		{"a page of the shared address", ask{agent: wecomUA}, func(f *world) { f.authenticators[1].Origin = public }, public + "/authorize/demo"},
		{"switched off", ask{agent: wecomUA, headers: map[string]string{"Origin": appOrigin}}, func(f *world) { f.authenticators[1].AutoLogin = false }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newWorld()
			if test.change != nil {
				test.change(f)
			}
			test.ask.path = "/api/session"
			got := f.ask(t, test.ask)
			if got.status != 401 || got.headers["automatic-login"] != test.want {
				t.Fatalf("%d %q", got.status, got.headers["automatic-login"])
			}
			if (got.headers["access-control-expose-headers"] == "Automatic-Login") != (test.want != "") {
				t.Fatal("the script cannot read it, or is told of nothing")
			}
		})
	}
}

// The sign-in page shows operators which version runs; what every page of an
// application calls does not tell it.
func TestVersionIsToldByTheSignInPageAlone(t *testing.T) {
	for _, test := range []struct{ method, path, want string }{
		{"GET", "/signin", version.Version},
		{"HEAD", "/signin", version.Version},
		{"POST", "/signin", ""},
		{"GET", "/api/session", ""},
		{"GET", "/auto-login.js", ""},
		{"GET", "/callback/", ""},
	} {
		got := newWorld().ask(t, ask{method: test.method, path: test.path})
		if told := got.headers["wecom-signin-version"]; told != test.want {
			t.Errorf("%s %s tells version %q, want %q", test.method, test.path, told, test.want)
		}
		if shown := strings.Contains(got.body, "WeCom Sign-in "+version.Version); shown != (test.want != "" && test.method == "GET") {
			t.Errorf("%s %s shows the version: %v", test.method, test.path, shown)
		}
	}
}

func TestLogHoldsNoSecret(t *testing.T) {
	f := newWorld()
	for _, a := range []ask{
		{path: "/api/session", session: liveID},
		{method: "POST", path: "/api/token", session: liveID, headers: map[string]string{"Origin": appOrigin}},
		{path: "/private/path", query: "token=hidden", session: liveID},
		{path: "/signin", session: liveID},
		memberForm("action", page.MemberEndEverywhere),
		{path: "/signin", query: "redirect=%2Fprivate%2Fpath", session: liveID},
	} {
		f.ask(t, a)
	}
	for _, hidden := range []string{liveID, "13800000001", "signed\"", "private", "hidden", "张三"} {
		if strings.Contains(f.log.String(), hidden) {
			t.Errorf("the log shows %q: %s", hidden, &f.log)
		}
	}
}

// problemCode reads the code of a problem answer.
func problemCode(t *testing.T, a answer) string {
	t.Helper()
	var problem struct{ Code string }
	if err := json.Unmarshal([]byte(a.body), &problem); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	return problem.Code
}

func TestProblemCodes(t *testing.T) {
	f := newWorld()
	for code, a := range map[string]ask{
		"not_found":          {path: "/api/none"},
		"method_not_allowed": {method: "PATCH", path: "/api/session"},
		"unauthorized":       {path: "/api/session"},
		"forbidden":          {method: "POST", path: "/api/token", headers: map[string]string{"Origin": "https://evil.example"}},
	} {
		if got := problemCode(t, f.ask(t, a)); got != code {
			t.Errorf("%s, want %s", got, code)
		}
	}
}
