package main

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// Software that knows no sign-in, behind a proxy that asks as Caddy's forward_auth does:
// the whole way of a member, over hosts with https addresses, on a host of the
// application's own and below a parent domain that shares the session.

const (
	signInHost = "signin.corp.example"
	ownHost    = "wiki.other.example"
	sharedHost = "wiki.corp.example"
)

// proxied is a service, a proxy and the software behind it.
type proxied struct {
	t       *testing.T
	service *service
	host    string // of the software
	weCom   *wecomsim.Simulator
	weURL   string
	log     *logBuffer
	known   *testbrowser.Confidential
	asked   int // how often the proxy has asked
}

func newProxied(t *testing.T, host, cookieDomain string) *proxied {
	t.Helper()
	p := &proxied{t: t, host: host, log: &logBuffer{}, known: newSecrets(), weCom: wecomsim.New(company(signInHost))}
	weServer := httptest.NewServer(p.known.Listen(p.weCom))
	t.Cleanup(weServer.Close)
	p.weURL = weServer.URL
	prepared, err := preparedData()
	p.must(err)
	s, err := localSettingsFrom(map[string]string{
		"PUBLIC_URL": "https://" + signInHost, "SESSION_COOKIE_DOMAIN": cookieDomain, "DATA_DIR": writeFolder(t, prepared), "ADMIN_KEY": adminKey,
		"WECOM_API_URL": p.weURL, "WECOM_OAUTH_URL": p.weURL, "WECOM_LOGIN_URL": p.weURL,
	})
	p.must(err)
	p.service, err = newService(t.Context(), s, time.Now, slog.New(slog.NewJSONHandler(p.log, nil)))
	p.must(err)
	t.Cleanup(func() { p.must(p.service.stop(t.Context())) })
	p.admin("POST", "/authenticators", 201, `{"name":"main","title":"WeCom","corpId":"`+corpID+`","agentId":"`+agentID+`","secret":"`+appSecret+`","origin":"https://app.corp.example"}`)
	p.admin("POST", "/applications", 201, `{"id":"wiki","title":"Wiki","kind":"proxy","homepage":"https://`+host+`/home"}`)
	return p
}

func (p *proxied) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// admin calls the admin API.
func (p *proxied) admin(method, path string, status int, body string) map[string]any {
	p.t.Helper()
	r := httptest.NewRequest(method, "https://"+signInHost+"/api/admin"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+adminKey)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	p.service.gateway.ServeHTTP(w, r)
	if w.Code != status {
		p.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	var answer map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	return answer
}

// RoundTrip sends a request to the service or to the proxy.
func (p *proxied) RoundTrip(r *http.Request) (*http.Response, error) {
	var handler http.Handler = p.service.gateway
	if r.URL.Host == p.host {
		handler = http.HandlerFunc(p.proxy)
	}
	return testbrowser.Handler(handler).RoundTrip(r)
}

func identityHeaders() []string {
	return []string{"X-Auth-User", "X-Auth-Name", "X-Auth-Email", "X-Auth-Phone", "X-Auth-Roles", "X-Auth-Groups", "X-Auth-Token"}
}

// proxy is what a proxy does for the software behind it.
func (p *proxied) proxy(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/.wecom-signin/") {
		r = r.Clone(r.Context())
		r.Host = signInHost
		p.service.gateway.ServeHTTP(w, r)
		return
	}
	ask := httptest.NewRequest(http.MethodGet, "https://"+signInHost+"/oauth2/forward-auth/forward/wiki?"+r.URL.RawQuery, nil).WithContext(r.Context())
	maps.Copy(ask.Header, r.Header)
	ask.Header.Set("X-Forwarded-Method", r.Method)
	ask.Header.Set("X-Forwarded-Proto", "https")
	ask.Header.Set("X-Forwarded-Host", r.Host)
	ask.Header.Set("X-Forwarded-Uri", r.URL.RequestURI())
	answer := httptest.NewRecorder()
	p.asked++
	p.service.gateway.ServeHTTP(answer, ask)
	if answer.Code/100 != 2 {
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
		return
	}
	for _, name := range identityHeaders() {
		if _, there := answer.Header()[name]; !there {
			p.t.Errorf("a yes without %s", name)
		}
		r.Header.Set(name, answer.Header().Get(name))
	}
	body, _ := io.ReadAll(r.Body)
	_ = json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "uri": r.URL.RequestURI(), "body": string(body), "headers": r.Header})
}

// visitor is a member's browser with cookies of every host.
type visitor struct {
	*proxied
	client *http.Client
	jar    *cookiejar.Jar
	member wecomsim.Browser
}

func (p *proxied) visitor(userID string) *visitor {
	jar, err := cookiejar.New(nil)
	p.must(err)
	return &visitor{p, &http.Client{
		Transport: p, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, jar, wecomsim.Browser{UserID: userID, UserAgent: wecomsim.UserAgentWeComAndroid}}
}

// page is where a browser ended.
type page struct {
	address string
	status  int
	body    string
	header  http.Header
}

func (v *visitor) send(method, address, body string, header http.Header) page {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, address, strings.NewReader(body))
	v.must(err)
	r.Header = header.Clone()
	r.Header.Set("User-Agent", v.member.UserAgent)
	response, err := v.client.Do(r)
	v.must(err)
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	v.must(err)
	for _, cookie := range response.Cookies() {
		v.known.Add("cookie", cookie.Value)
	}
	return page{address, response.StatusCode, string(content), response.Header}
}

func navigation() http.Header {
	return http.Header{"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}
}

// open navigates to an address and wherever it leads.
func (v *visitor) open(address string) page {
	v.t.Helper()
	for range 20 {
		at := v.send(http.MethodGet, address, "", navigation())
		next := at.header.Get("Location")
		if next == "" {
			return at
		}
		if strings.HasPrefix(next, v.weURL+"/") {
			var err error
			next, err = v.weCom.Follow(v.t.Context(), next, v.member)
			v.must(err)
		}
		u, err := url.Parse(next)
		v.must(err)
		v.known.Add("code", u.Query().Get("code"))
		address = next
	}
	v.t.Fatalf("redirects without end, now at %s", address)
	return page{}
}

// echoed is what the software saw.
type echoed struct {
	Method, URI, Body string
	Headers           http.Header
}

func (v *visitor) echo(at page) echoed {
	v.t.Helper()
	var seen echoed
	if err := json.Unmarshal([]byte(at.body), &seen); err != nil || at.status != http.StatusOK {
		v.t.Fatalf("ended at %s: %d %.500s", at.address, at.status, at.body)
	}
	return seen
}

func (v *visitor) cookiesOf(host string) (names []string) {
	for _, cookie := range v.jar.Cookies(&url.URL{Scheme: "https", Host: host, Path: "/"}) {
		if name, _, _ := strings.Cut(cookie.Name, "_wecom_attempt"); !strings.Contains(name, "language") {
			names = append(names, cookie.Name)
		}
	}
	slices.Sort(names)
	return names
}

func TestJourneyThroughAProxyOnItsOwnHost(t *testing.T) {
	t.Parallel()
	p := newProxied(t, ownHost, "")
	v := p.visitor("zhangsan")
	home := "https://" + ownHost
	at := v.open(home + "/deep/link?x=1&y=%20&lang=en")
	seen := v.echo(at)
	if at.address != home+"/deep/link?x=1&y=%20&lang=en" || seen.Headers.Get("X-Auth-Name") != "%E5%BC%A0%E4%B8%89" || seen.Headers.Get("X-Auth-Phone") != "+8613800000001" || seen.Headers.Get("X-Auth-User") == "" {
		t.Errorf("%s saw %+v", at.address, seen)
	}
	if got := v.cookiesOf(ownHost); !slices.Equal(got, []string{"__Host-wecom_auth_wiki"}) {
		t.Errorf("cookies on the application's host: %v", got)
	}
	// Now it costs no redirect, and forms keep their body.
	asked := p.asked
	form := v.send(http.MethodPost, home+"/save", "title=x", http.Header{"X-Auth-User": {"forged"}, "Origin": {home}})
	if seen := v.echo(form); seen.Body != "title=x" || seen.Method != http.MethodPost || seen.Headers.Get("X-Auth-User") == "forged" || p.asked != asked+1 {
		t.Errorf("%+v", seen)
	}
	// Nobody else: no redirect for a form, an answer that a script can read.
	nobody := p.visitor("lisi")
	if form := nobody.send(http.MethodPost, home+"/save", "title=x", navigation()); form.status != http.StatusUnauthorized || !strings.Contains(form.body, `"signIn":"`+home+`/.wecom-signin/wiki/start"`) {
		t.Errorf("%d %s", form.status, form.body)
	}
	// Another application of the same member, in the same browser: no question.
	p.admin("PATCH", "/applications/wiki", 200, `{"allow":{"roles":["admin"]}}`)
	if at := v.open(home + "/"); at.status != http.StatusForbidden || !strings.Contains(at.body, "Wiki") {
		t.Errorf("%d %.300s", at.status, at.body)
	}
	p.admin("PATCH", "/applications/wiki", 200, `{"allow":{"roles":[]}}`)
	v.echo(v.open(home + "/"))
	// A member who is disabled is out at once.
	id := seen.Headers.Get("X-Auth-User")
	p.admin("PATCH", "/users/"+id, 200, `{"enabled":false}`)
	if at := v.send(http.MethodGet, home+"/", "", http.Header{}); at.status != http.StatusUnauthorized {
		t.Errorf("disabled: %d", at.status)
	}
	p.admin("PATCH", "/users/"+id, 200, `{"enabled":true}`)
	v.echo(v.open(home + "/"))
	// Disabled and enabled again, the application asks again.
	p.admin("PATCH", "/applications/wiki", 200, `{"enabled":false}`)
	if at := v.open(home + "/"); at.status != http.StatusForbidden {
		t.Errorf("disabled: %d", at.status)
	}
	p.admin("PATCH", "/applications/wiki", 200, `{"enabled":true}`)
	if at := v.send(http.MethodGet, home+"/", "", http.Header{}); at.status != http.StatusUnauthorized {
		t.Errorf("enabled again: %d", at.status)
	}
	v.echo(v.open(home + "/"))
	// Signing out at the service ends it; so does signing out at the application.
	if out := v.send(http.MethodPost, "https://"+signInHost+"/api/signout", "", http.Header{"Origin": {"https://" + signInHost}}); out.status >= 300 {
		t.Fatalf("%d %s", out.status, out.body)
	}
	if at := v.send(http.MethodGet, home+"/", "", http.Header{}); at.status != http.StatusUnauthorized {
		t.Errorf("signed out at the service: %d", at.status)
	}
	v.echo(v.open(home + "/"))
	if at := v.open(home + "/.wecom-signin/wiki/signout"); at.status != http.StatusOK || !strings.HasPrefix(at.address, "https://"+signInHost+"/oauth2/logout?") {
		t.Errorf("%s: %d", at.address, at.status)
	}
	if got := v.cookiesOf(ownHost); len(got) != 0 {
		t.Errorf("cookies after signing out: %v", got)
	}
	results := p.admin("GET", "/applications/wiki/attempts", 200, "")["items"].([]any)
	if len(results) < 4 {
		t.Errorf("administrators see %v", results)
	}
	for _, kind := range p.known.In(p.log.String()) {
		t.Errorf("the log has a %s", kind)
	}
}

func TestJourneyThroughAProxyBelowTheParentDomain(t *testing.T) {
	t.Parallel()
	p := newProxied(t, sharedHost, "corp.example")
	v := p.visitor("zhangsan")
	home := "https://" + sharedHost
	at := v.open(home + "/deep?x=1")
	if seen := v.echo(at); at.address != home+"/deep?x=1" || seen.Headers.Get("X-Auth-Phone") != "+8613800000001" {
		t.Errorf("%s saw %+v", at.address, seen)
	}
	if got := v.cookiesOf(sharedHost); !slices.Equal(got, []string{"__Secure-wecom_session"}) {
		t.Errorf("cookies on the application's host: %v", got)
	}
	p.admin("PATCH", "/applications/wiki", 200, `{"forwardAuth":{"token":true}}`)
	if seen := v.echo(v.open(home + "/")); strings.Count(seen.Headers.Get("X-Auth-Token"), ".") != 2 {
		t.Errorf("%+v", seen)
	}
	if out := v.send(http.MethodPost, "https://"+signInHost+"/api/signout", "", http.Header{"Origin": {"https://" + signInHost}}); out.status >= 300 {
		t.Fatalf("%d %s", out.status, out.body)
	}
	if at := v.send(http.MethodGet, home+"/", "", http.Header{}); at.status != http.StatusUnauthorized {
		t.Errorf("signed out: %d", at.status)
	}
	// A made-up session is as good as none.
	u := &url.URL{Scheme: "https", Host: sharedHost, Path: "/"}
	v.jar.SetCookies(u, []*http.Cookie{{Name: "__Secure-wecom_session", Value: (rand.Text() + rand.Text())[:43] + ".user", Domain: "corp.example", Path: "/", Secure: true}})
	if at := v.send(http.MethodGet, home+"/", "", http.Header{}); at.status != http.StatusUnauthorized {
		t.Errorf("made up: %d", at.status)
	}
	v.echo(v.open(home + "/again"))
}
