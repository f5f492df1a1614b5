package forwardauth_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

const (
	nginx   = "/oauth2/forward-auth/nginx/wiki"
	forward = "/oauth2/forward-auth/forward/wiki"
	envoy   = "/oauth2/forward-auth/envoy/wiki"
)

func checks() []string { return []string{nginx, forward, envoy + "/deep?link=1"} }

// wayBack returns the path that a sign-in comes back to.
func wayBack(t *testing.T, signIn string) string {
	t.Helper()
	u, err := url.Parse(signIn)
	if err != nil || !strings.HasPrefix(signIn, start) || u.Path != "/.wecom-signin/wiki/start" {
		t.Fatalf("sign-in at %q", signIn)
	}
	if !u.Query().Has("to") {
		return "/"
	}
	return u.Query().Get("to")
}

func TestSignInOnOwnHost(t *testing.T) {
	s := newService(t, config{})
	b := s.member("ann", "editor")
	for _, path := range checks() {
		a := b.check(path, nil)
		signIn := a.headers["x-auth-location"]
		if path == nginx && a.status != http.StatusUnauthorized || path != nginx && a.location(t) == "" {
			t.Fatalf("%s: %d", path, a.status)
		}
		if path != nginx {
			signIn = a.location(t)
		}
		if got := wayBack(t, signIn); got != "/deep?link=1" {
			t.Errorf("%s: comes back to %s", path, got)
		}
	}
	last, _ := b.follow(b.check(forward, nil).location(t))
	if last != origin+"/deep?link=1" {
		t.Fatalf("came back to %s", last)
	}
	jar := b.jar("wiki.example.org")
	if len(jar) != 1 || jar[cookie] == "" {
		t.Errorf("cookies %v", jar)
	}
	for _, path := range checks() {
		if a := b.check(path, nil); a.status != http.StatusOK || a.body != "" || a.headers["x-auth-user"] != "user-ann" || a.headers["x-auth-roles"] != "editor" {
			t.Errorf("%s: %d %v", path, a.status, a.headers)
		}
	}
	if got := s.causes("wiki"); !slices.Equal(got, []string{"ok"}) {
		t.Errorf("administrators see %v", got)
	}
}

func TestSignInOnSharedParentDomain(t *testing.T) {
	s := newService(t, config{sessionDomain: "example.com"})
	s.application(store.Application{ID: "board", Title: "Board", Kind: store.KindProxy, Homepage: "https://board.example.com/"})
	const path = "/oauth2/forward-auth/forward/board"
	headers := map[string]string{"X-Forwarded-Host": "board.example.com", "X-Forwarded-Uri": "/deep", "Accept": html}
	anonymous := s.send("GET", path, headers, nil)
	if want := public + "/.wecom-signin/board/start?to=%2Fdeep"; anonymous.location(t) != want {
		t.Fatalf("signs in at %s", anonymous.location(t))
	}
	b := s.member("ann")
	last, _ := b.follow(anonymous.location(t))
	if last != "https://board.example.com/deep" {
		t.Errorf("came back to %s", last)
	}
	for name := range b.jar("signin.example.com") {
		if strings.Contains(name, "wecom_auth") {
			t.Errorf("set %s on the service's host", name)
		}
	}
	shared := map[string]string{"__Secure-wecom_session": b.jar("signin.example.com")["__Secure-wecom_session"]}
	if a := s.send("GET", path, headers, shared); a.status != http.StatusOK || a.headers["x-auth-user"] != "user-ann" {
		t.Errorf("%d %v", a.status, a.headers)
	}
	// An application of another domain goes on with a cookie of its own.
	if a := s.send("GET", forward, map[string]string{"Accept": html}, shared); !strings.HasPrefix(a.location(t), start) {
		t.Errorf("%d %v", a.status, a.headers)
	}
	s.change("board", func(a *store.Application) { a.Allow.Roles = []string{"admin"} })
	if a := s.send("GET", path, headers, shared); a.status != http.StatusForbidden || !strings.Contains(a.body, "Board") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestForgedForwardedHeadersDecideNothing: they are used for the way back, which stays on
// the application's registered origin.
func TestForgedForwardedHeadersDecideNothing(t *testing.T) {
	s := newService(t, config{})
	s.application(store.Application{ID: "other", Kind: store.KindProxy, Homepage: "https://other.example.org/"})
	anonymous, member := s.browser(), s.member("ann")
	member.signIn()
	for name, headers := range map[string]map[string]string{
		"another host":        {"X-Forwarded-Host": "evil.example", "X-Original-URL": "https://evil.example/deep"},
		"two hosts":           {"X-Forwarded-Host": "wiki.example.org, evil.example", "X-Original-URL": "https://wiki.example.org,evil.example/"},
		"user information":    {"X-Forwarded-Host": "wiki.example.org@evil.example", "X-Original-URL": "https://wiki.example.org@evil.example/"},
		"another application": {"X-Forwarded-Host": "other.example.org", "X-Original-URL": "https://other.example.org/", "X-Forwarded-Prefix": "/oauth2/forward-auth/forward/other"},
		"a path to a host":    {"X-Forwarded-Uri": "//evil.example/", "X-Original-URL": origin + "//evil.example"},
		"a back slash":        {"X-Forwarded-Uri": `/\evil.example/`, "X-Original-URL": origin + `/\evil.example`},
		"an address":          {"X-Forwarded-Uri": "https://evil.example/", "X-Original-URL": "javascript:alert(1)"},
		"a line break":        {"X-Forwarded-Uri": "/x\r\nX-Auth-User: admin", "X-Original-URL": origin + "/x\nX-Auth-User: admin"},
		"our own path":        {"X-Forwarded-Uri": "", "X-Original-URL": ""},
	} {
		for _, path := range []string{nginx, forward} {
			a := anonymous.check(path, headers)
			signIn := a.headers["x-auth-location"]
			if path == forward {
				signIn = a.location(t)
			}
			if got := wayBack(t, signIn); got != "/" {
				t.Errorf("%s, %s: comes back to %q", path, name, got)
			}
			if a := member.check(path, headers); a.status != http.StatusOK {
				t.Errorf("%s, %s: %d for a member", path, name, a.status)
			}
		}
	}
	// Nor does anything else that a visitor may send.
	for name, value := range map[string]string{
		"X-Auth-User": "user-ann", "X_Auth_User": "user-ann", "X-Auth-Token": "t", "Authorization": "Bearer x", "X-Forwarded-User": "user-ann",
		"User-Agent": "kube-probe/1.30", "X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Original-Uri": "/public", "X-Forwarded-Uri": "/ping",
		"X-Application": "other", "Host": "127.0.0.1", "X-Http-Method-Override": "OPTIONS", "X-Original-Method": "OPTIONS", "X-Forwarded-Method": "OPTIONS",
	} {
		for _, path := range checks() {
			if a := anonymous.check(path, map[string]string{name: value}); a.status == http.StatusOK || a.headers["x-auth-user"] != "" {
				t.Errorf("%s with %s: %d", path, name, a.status)
			}
		}
	}
	// The scheme does not count, nor a usual port: a proxy may stand behind another one.
	for _, headers := range []map[string]string{
		{"X-Forwarded-Proto": "http", "X-Original-URL": "http://wiki.example.org/deep?link=1"},
		{"X-Forwarded-Host": "WIKI.example.org:443", "X-Original-URL": "https://WIKI.example.org:443/deep?link=1"},
		{"X-Forwarded-Host": "", "X-Original-URL": "/deep?link=1"},
	} {
		if got := wayBack(t, anonymous.check(forward, headers).location(t)); got != "/deep?link=1" {
			t.Errorf("%v: comes back to %s", headers, got)
		}
		if got := wayBack(t, anonymous.check(nginx, headers).headers["x-auth-location"]); got != "/deep?link=1" {
			t.Errorf("%v: comes back to %s", headers, got)
		}
	}
}

// TestEveryIdentityHeaderIsAlwaysAnswered: what we leave out would come from the visitor.
func TestEveryIdentityHeaderIsAlwaysAnswered(t *testing.T) {
	s := newService(t, config{})
	bare := store.ClaimRules{GroupsName: "groups", Email: "none", PreferredUsername: "id"}
	for _, rules := range []func(*store.Application){
		func(*store.Application) {},
		func(a *store.Application) { a.Claims = bare },
	} {
		s.change("wiki", rules)
		b := s.member("ann")
		b.signIn()
		for _, path := range checks() {
			a := b.check(path, nil)
			if a.status != http.StatusOK {
				t.Fatalf("%s: %d", path, a.status)
			}
			for _, name := range []string{"x-auth-user", "x-auth-name", "x-auth-email", "x-auth-phone", "x-auth-roles", "x-auth-groups", "x-auth-token"} {
				if _, there := a.headers[name]; !there {
					t.Errorf("%s: no %s", path, name)
				}
			}
		}
	}
}

// TestForwardAuthReadsNoQuery: Caddy appends the visitor's to our address.
func TestForwardAuthReadsNoQuery(t *testing.T) {
	s := newService(t, config{})
	anonymous, member := s.browser(), s.member("ann")
	member.signIn()
	for _, query := range []string{"application=other", "to=/elsewhere", "rd=https://evil.example/", "redirect=/x", "code=x&state=y", "lang=de", "%zz", strings.Repeat("x", 4000)} {
		for _, path := range []string{nginx, forward} {
			plain, with := anonymous.check(path, nil), anonymous.check(path+"?"+query, nil)
			if diff := cmp.Diff(plain.headers, with.headers); diff != "" || plain.status != with.status || plain.body != with.body {
				t.Errorf("%s?%.40s: %s", path, query, diff)
			}
			plain, with = member.check(path, nil), member.check(path+"?"+query, nil)
			if diff := cmp.Diff(plain.headers, with.headers); diff != "" || with.status != http.StatusOK {
				t.Errorf("%s?%.40s: %d %s", path, query, with.status, diff)
			}
		}
	}
}

// TestOnlyNavigationIsRedirected: fetch, APIs, handshakes of WebSockets, preflights and
// forms get 401, and HEAD is as GET.
func TestOnlyNavigationIsRedirected(t *testing.T) {
	b := newService(t, config{}).browser()
	for _, test := range []struct {
		name       string
		headers    map[string]string
		navigation bool
	}{
		{"a browser", map[string]string{"Sec-Fetch-Mode": "navigate"}, true},
		{"a browser without Fetch Metadata", nil, true},
		{"HEAD", map[string]string{"X-Original-Method": "HEAD", "X-Forwarded-Method": "HEAD"}, true},
		{"fetch", map[string]string{"Sec-Fetch-Mode": "cors"}, false},
		{"an image", map[string]string{"Sec-Fetch-Mode": "no-cors"}, false},
		{"an API", map[string]string{"Accept": "application/json"}, false},
		{"nothing accepted", map[string]string{"Accept": ""}, false},
		{"anything accepted", map[string]string{"Accept": "*/*"}, false},
		{"a WebSocket", map[string]string{"Upgrade": "websocket", "Sec-Fetch-Mode": "websocket"}, false},
		{"a WebSocket behind a gateway", map[string]string{"Sec-Websocket-Version": "13"}, false},
		{"a WebSocket that says navigate", map[string]string{"Sec-Websocket-Key": "x", "Sec-Fetch-Mode": "navigate"}, false},
		{"POST", map[string]string{"X-Original-Method": "POST", "X-Forwarded-Method": "POST", "Sec-Fetch-Mode": "navigate"}, false},
		{"PUT", map[string]string{"X-Original-Method": "PUT", "X-Forwarded-Method": "PUT"}, false},
		{"a preflight", map[string]string{"X-Original-Method": "OPTIONS", "X-Forwarded-Method": "OPTIONS"}, false},
		{"a method of its own", map[string]string{"X-Original-Method": "get", "X-Forwarded-Method": "get"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			method := test.headers["X-Original-Method"]
			if method == "" {
				method = "GET"
			}
			for _, path := range checks() {
				headers, asked := maps.Clone(test.headers), "GET"
				if strings.HasPrefix(path, envoy) {
					asked = method
				}
				if headers == nil {
					headers = map[string]string{}
				}
				if _, there := headers["Accept"]; !there {
					headers["Accept"] = html
				}
				a := b.send(asked, path, headers, nil)
				location, redirected := a.headers["location"]
				authLocation, told := a.headers["x-auth-location"]
				want := test.navigation
				switch {
				case want && path == nginx && (a.status != http.StatusUnauthorized || !told || redirected):
					t.Errorf("%s: %d %q", path, a.status, authLocation)
				case want && path != nginx && (a.status != http.StatusFound || told || !redirected):
					t.Errorf("%s: %d %q", path, a.status, location)
				case !want && (a.status != http.StatusUnauthorized || redirected || told || len(a.cookies) != 0):
					t.Errorf("%s: %d %q %q", path, a.status, location, authLocation)
				case !want && asked != "HEAD":
					var problem map[string]any
					if err := json.Unmarshal([]byte(a.body), &problem); err != nil || a.headers["content-type"] != "application/problem+json" {
						t.Fatalf("%s: %s", path, a.body)
					}
					if diff := cmp.Diff(map[string]any{"title": "Unauthorized", "status": 401.0, "code": "unauthorized", "requestId": "request-1", "signIn": start}, problem); diff != "" {
						t.Error(diff)
					}
				}
			}
		})
	}
}

// TestEnvoyPathDecidesNothing: what follows the application is the visitor's, however it
// looks.
func TestEnvoyPathDecidesNothing(t *testing.T) {
	s := newService(t, config{})
	s.application(store.Application{ID: "open", Kind: store.KindProxy, Homepage: "https://open.example.org/"})
	anonymous, member := s.browser(), s.member("ann")
	member.signIn()
	for path, want := range map[string]string{
		"": "/", "/": "/", "/a/": "/a/", "/a//b": "/a//b", "//evil.example": "/", "/../open": "/../open", "/%2e%2e/open": "/%2e%2e/open",
		"/a b/维基": "/a%20b/%E7%BB%B4%E5%9F%BA", "/a?b=c&d=%20": "/a?b=c&d=%20", "/?": "/", "/.wecom-signin/wiki/start": "/.wecom-signin/wiki/start",
	} {
		if a := member.send("GET", envoy+path, nil, member.jar("wiki.example.org")); a.status != http.StatusOK || a.headers["x-auth-user"] != "user-ann" {
			t.Errorf("%q: %d", path, a.status)
		}
		a := anonymous.send("GET", envoy+path, map[string]string{"Accept": html}, nil)
		if got := wayBack(t, a.location(t)); got != want {
			t.Errorf("%q: comes back to %q", path, got)
		}
	}
}

func TestNotAllowedIsTold(t *testing.T) {
	s := newService(t, config{})
	b := s.member("ann")
	b.signIn()
	s.now = s.now.Add(time.Second)
	s.change("wiki", func(a *store.Application) { a.Allow.Roles = []string{"admin"} })
	for _, path := range checks() {
		a := b.check(path, map[string]string{"Accept-Language": "sv"})
		if a.status != http.StatusForbidden || !strings.Contains(a.body, "Wiki") || !strings.Contains(a.body, `lang="sv"`) || !strings.Contains(a.body, "ann") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		if (path == nginx) != (a.headers["x-auth-location"] != "") {
			t.Errorf("%s: %v", path, a.headers)
		}
		a = b.check(path, map[string]string{"Accept": "application/json"})
		if a.status != http.StatusForbidden || a.headers["content-type"] != "application/problem+json" || strings.Contains(a.body, "Wiki") || a.headers["x-auth-location"] != "" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if got := s.causes("wiki"); !slices.Equal(got, []string{"access_denied not_allowed", "ok"}) {
		t.Errorf("administrators see %v", got)
	}
	// The link of the page asks who signs in, and comes back.
	_, asked := b.follow(start + "?to=%2Fdeep&prompt=login")
	if asked.status != http.StatusOK && !strings.HasPrefix(asked.headers["location"], public+"/signin?") {
		t.Errorf("%d %v", asked.status, asked.headers)
	}
}

func TestUnknownAndDisabledApplications(t *testing.T) {
	s := newService(t, config{})
	b := s.member("ann")
	b.signIn()
	s.change("wiki", func(a *store.Application) { a.Enabled = false })
	for _, path := range checks() {
		if a := b.check(path, nil); a.status != http.StatusForbidden || !strings.Contains(a.body, "Wiki") || a.headers["x-auth-location"] != "" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		if a := b.check(path, map[string]string{"Accept": "*/*"}); a.status != http.StatusForbidden || a.headers["content-type"] != "application/problem+json" {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := b.open(start); a.status != http.StatusForbidden || len(a.cookies) != 0 {
		t.Errorf("start: %d %v", a.status, a.cookies)
	}
	for _, path := range []string{
		"/oauth2/forward-auth/", "/oauth2/forward-auth/nginx", "/oauth2/forward-auth/nginx/", "/oauth2/forward-auth/nginx/unknown",
		"/oauth2/forward-auth/nginx/mail", "/oauth2/forward-auth/envoy/mail/x", "/oauth2/forward-auth/Nginx/wiki", "/oauth2/forward-auth/haproxy/wiki",
		nginx + "/", nginx + "/x", forward + "/../wiki", "/oauth2/forward-auth/envoy/../wiki", "/.wecom-signin/", "/.wecom-signin/wiki", "/.wecom-signin/wiki/",
		"/.wecom-signin/wiki/x", "/.wecom-signin/wiki/start/", "/.wecom-signin/mail/start", "/.wecom-signin/mail/callback", "/.wecom-signin/mail/signout",
	} {
		if a := b.check(path, nil); a.status != http.StatusNotFound || a.headers["x-auth-user"] != "" {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	for _, action := range []string{"start", "callback", "signout"} {
		if a := s.send("POST", "/.wecom-signin/wiki/"+action, nil, nil); a.status != http.StatusMethodNotAllowed || a.headers["allow"] != "GET, HEAD" {
			t.Errorf("POST %s: %d", action, a.status)
		}
	}
}

// callbackOf signs in as far as the address with the code.
func (b *browser) callbackOf(startURL string) string {
	b.t.Helper()
	address := b.open(b.open(startURL).location(b.t)).location(b.t)
	if !strings.HasPrefix(address, origin+"/.wecom-signin/wiki/callback?code=") {
		b.t.Fatalf("no code: %s", address)
	}
	return address
}

// TestTicketOfAnotherBrowser: a link with the code of an attacker signs nobody in.
func TestTicketOfAnotherBrowser(t *testing.T) {
	s := newService(t, config{})
	attacker, victim := s.member("eve"), s.member("ann")
	link := attacker.callbackOf(start + "?to=%2Fdeep")
	for _, address := range []string{link, link + "&state=x", strings.Replace(link, "state=", "x=", 1), origin + "/.wecom-signin/wiki/callback"} {
		b := s.browser()
		if a := b.open(address); a.location(t) != origin+"/home" || b.jar("wiki.example.org")[cookie] != "" {
			t.Errorf("%s: %d %v", address, a.status, b.jar("wiki.example.org"))
		}
		// Once: then a page says so.
		if a := b.open(address); a.status != http.StatusBadRequest || !strings.Contains(a.body, "Wiki") || b.jar("wiki.example.org")[cookie] != "" {
			t.Errorf("%s: %d", address, a.status)
		}
	}
	// Nor does one with the victim's own state.
	own, err := url.Parse(victim.callbackOf(start))
	s.ok(err)
	theirs, err := url.Parse(link)
	s.ok(err)
	query := own.Query()
	query.Set("code", theirs.Query().Get("code"))
	own.RawQuery = query.Encode()
	victim.open(own.String())
	if victim.jar("wiki.example.org")[cookie] != "" {
		t.Error("the victim is signed in as the attacker")
	}
	// The attacker's own code was not spent by any of it.
	if attacker.open(link); attacker.jar("wiki.example.org")[cookie] == "" {
		t.Error("the code is gone")
	}
}

// TestTicketOnce: the second use of a code ends what the first one gave.
func TestTicketOnce(t *testing.T) {
	s := newService(t, config{})
	b := s.member("ann")
	before := maps.Clone(b.jar("wiki.example.org"))
	link := b.callbackOf(start + "?to=%2Fdeep")
	maps.Copy(before, b.jar("wiki.example.org"))
	if got := b.open(link).location(t); got != origin+"/deep" {
		t.Fatal(got)
	}
	if a := b.check(forward, nil); a.status != http.StatusOK {
		t.Fatal(a.status)
	}
	again := s.browser()
	again.cookies["wiki.example.org"] = before
	if a := again.open(link); a.location(t) != origin+"/deep" || before[cookie] != "" {
		t.Errorf("%d %v", a.status, before)
	}
	if a := b.check(forward, nil); a.status != http.StatusFound {
		t.Errorf("lives on: %d", a.status)
	}
	// Too late.
	link = b.callbackOf(start)
	s.now = s.now.Add(time.Minute)
	delete(b.jar("wiki.example.org"), cookie)
	if b.open(link); b.jar("wiki.example.org")[cookie] != "" {
		t.Error("a code of a minute ago")
	}
}

// TestTicketOfAnotherApplication, on one host or on two.
func TestTicketOfAnotherApplication(t *testing.T) {
	s := newService(t, config{})
	s.application(store.Application{ID: "other", Kind: store.KindProxy, Homepage: origin + "/other"})
	b := s.member("ann")
	link := b.callbackOf(start)
	a := b.open(strings.Replace(link, "/wiki/callback", "/other/callback", 1))
	if a.location(t) != origin+"/other" || b.jar("wiki.example.org")["__Host-wecom_auth_other"] != "" {
		t.Errorf("%v", b.jar("wiki.example.org"))
	}
	b.open(link)
	value := b.jar("wiki.example.org")[cookie]
	if value == "" {
		t.Fatal("not signed in")
	}
	if a := s.send("GET", "/oauth2/forward-auth/forward/other", nil, map[string]string{"__Host-wecom_auth_other": value, cookie: value}); a.status != http.StatusUnauthorized {
		t.Errorf("opens the other: %d", a.status)
	}
}

func TestSeveralTabsSignIn(t *testing.T) {
	s := newService(t, config{})
	b := s.member("ann")
	var links []string
	for i := range 3 {
		links = append(links, b.callbackOf(fmt.Sprintf("%s?to=%%2Ftab%d", start, i)))
	}
	for i, link := range links {
		if got := b.open(link).location(t); got != fmt.Sprintf("%s/tab%d", origin, i) {
			t.Errorf("tab %d came back to %s", i, got)
		}
		if a := b.check(forward, nil); a.status != http.StatusOK {
			t.Errorf("tab %d: %d", i, a.status)
		}
	}
	for i := range 40 {
		b.open(fmt.Sprintf("%s?to=%s", start, strings.Repeat("/x", i*20)))
	}
	size := 0
	for name, value := range b.jar("wiki.example.org") {
		size += len(name) + len(value) + 3
	}
	if size > 5000 {
		t.Errorf("%d bytes of cookies", size)
	}
}

// TestSignOutEndsForwardAuth: on the application's host, at the service, and by an
// administrator.
func TestSignOutEndsForwardAuth(t *testing.T) {
	s := newService(t, config{})
	b := s.member("ann")
	b.signIn()
	value := b.jar("wiki.example.org")[cookie]
	for _, headers := range []map[string]string{
		{"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
		{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
		{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
		{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch;prerender"},
	} {
		if a := s.send("GET", "/.wecom-signin/wiki/signout", headers, map[string]string{cookie: value}); a.status != http.StatusForbidden {
			t.Errorf("%v signs out: %d", headers, a.status)
		}
	}
	if a := b.check(forward, nil); a.status != http.StatusOK {
		t.Fatal(a.status)
	}
	a := b.open(origin + "/.wecom-signin/wiki/signout")
	if a.location(t) != public+"/oauth2/logout?client_id=wiki" || b.jar("wiki.example.org")[cookie] != "" {
		t.Errorf("%v %v", a.headers, b.jar("wiki.example.org"))
	}
	if asked := b.open(a.location(t)); asked.status != http.StatusOK || !strings.Contains(asked.body, "Wiki") {
		t.Errorf("%d %s", asked.status, asked.body)
	}
	b.jar("wiki.example.org")[cookie] = value // kept by a thief
	if a := b.check(forward, nil); a.status != http.StatusFound {
		t.Errorf("lives on: %d", a.status)
	}
	b.signIn()
	if _, err := s.store.EndLineage(t.Context(), b.lineage); err != nil {
		t.Fatal(err)
	}
	if a := b.check(forward, nil); a.status != http.StatusFound {
		t.Errorf("outlives the session: %d", a.status)
	}
	other := s.member("bob")
	other.signIn()
	to := other.user
	to.Enabled, to.Version = false, 2
	s.ok(s.store.UpdateUser(t.Context(), other.user, to))
	if a := other.check(nginx, nil); a.status != http.StatusUnauthorized {
		t.Errorf("a disabled member: %d", a.status)
	}
}

// TestAttackSignOutByAStrangersLink: a page of another origin, a sibling host included, can
// send a member there, and ends nothing. The service asks.
func TestAttackSignOutByAStrangersLink(t *testing.T) {
	s := newService(t, config{})
	b := s.member("ann")
	b.signIn()
	const path = "/.wecom-signin/wiki/signout"
	asked := func(site string) answer {
		return s.send("GET", path, map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": site}, b.jar("wiki.example.org"))
	}
	for _, site := range []string{"cross-site", "same-site"} {
		if a := asked(site); a.location(t) != public+"/oauth2/logout?client_id=wiki" || len(a.cookies) != 0 {
			t.Errorf("%s: %v %v", site, a.headers, a.cookies)
		}
		if a := b.check(forward, nil); a.status != http.StatusOK {
			t.Fatalf("%s signs out", site)
		}
	}
	for _, site := range []string{"same-origin", "none"} {
		b.signIn()
		if asked(site); b.check(forward, nil).status != http.StatusFound {
			t.Errorf("%s does not sign out", site)
		}
	}
}

// TestStartIsNoOpenRedirect, and pages of others cannot begin sign-ins.
func TestStartIsNoOpenRedirect(t *testing.T) {
	s := newService(t, config{})
	for _, to := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "javascript:alert(1)", "evil", "", "/\x00", "/x\r\nSet-Cookie: a=b", "/" + strings.Repeat("x", 3000)} {
		b := s.member("ann")
		if last, _ := b.follow(start + "?to=" + url.QueryEscape(to)); last != origin+"/" {
			t.Errorf("%q leads to %s", to, last)
		}
	}
	for _, headers := range []map[string]string{
		{"Sec-Fetch-Mode": "no-cors"}, {"Sec-Fetch-Mode": "cors"}, {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"},
	} {
		if a := s.send("GET", "/.wecom-signin/wiki/start", headers, nil); a.status != http.StatusForbidden || len(a.cookies) != 0 {
			t.Errorf("%v: %d", headers, a.status)
		}
	}
}

func TestRefusedSignInIsTold(t *testing.T) {
	s := newService(t, config{})
	b := s.member("ann")
	begun, err := url.Parse(b.open(start).location(t))
	s.ok(err)
	answer := url.Values{"error": {"access_denied"}, "state": {begun.Query().Get("state")}, "iss": {public}}
	a := b.open(origin + "/.wecom-signin/wiki/callback?" + answer.Encode())
	if a.status != http.StatusForbidden || !strings.Contains(a.body, "Cannot sign in to Wiki") || !strings.Contains(a.body, "You did not allow it.") || len(b.jar("wiki.example.org")) != 0 {
		t.Errorf("%d %s %v", a.status, a.body, b.jar("wiki.example.org"))
	}
	// A session that ended on the way: the member begins again, for the page that was wanted.
	begun, err = url.Parse(b.open(start + "?to=%2Fdeep").location(t))
	s.ok(err)
	answer.Set("error", "login_required")
	answer.Set("state", begun.Query().Get("state"))
	if a := b.open(origin + "/.wecom-signin/wiki/callback?" + answer.Encode()); a.location(t) != origin+"/deep" {
		t.Errorf("%v", a.headers)
	}
	// Another issuer's answer (RFC 9207).
	b = s.member("ann")
	link := b.callbackOf(start)
	if a := b.open(strings.Replace(link, url.QueryEscape(public), url.QueryEscape("https://evil.example"), 1)); a.location(t) != origin+"/home" {
		t.Errorf("%v", a.headers)
	}
	if b.jar("wiki.example.org")[cookie] != "" {
		t.Error("signed in by another issuer")
	}
}

func TestToken(t *testing.T) {
	s := newService(t, config{})
	s.change("wiki", func(a *store.Application) { a.ForwardAuthToken = true })
	b := s.member("ann")
	b.signIn()
	set, err := signingKeys()
	s.ok(err)
	published, err := keys.Public(set)
	s.ok(err)
	verifier := keys.NewVerifier(keys.VerifierConfig{Document: documentOf(published), Now: func() time.Time { return s.now }})
	for _, path := range checks() {
		a := b.check(path, nil)
		token, err := verifier.VerifyOAuth(t.Context(), a.headers["x-auth-token"], public)
		if err != nil || token.ClientID != "wiki" || token.Subject != "user-ann" {
			t.Errorf("%s: %d %+v, %v", path, a.status, token, err)
		}
	}
}

// TestTokenWithoutKeys: closed, with the cause where administrators look.
func TestTokenWithoutKeys(t *testing.T) {
	s := newService(t, config{noKeys: true})
	b := s.member("ann")
	b.signIn()
	if a := b.check(forward, nil); a.status != http.StatusOK || a.headers["x-auth-token"] != "" {
		t.Fatal(a.status)
	}
	s.change("wiki", func(a *store.Application) { a.ForwardAuthToken = true })
	for _, path := range checks() {
		if a := b.check(path, nil); a.status != http.StatusServiceUnavailable || a.headers["x-auth-user"] != "" {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if !strings.Contains(s.log.String(), `"cause":"signing_keys_missing"`) {
		t.Error(s.log.String())
	}
	if got := s.causes("wiki"); !slices.Contains(got, "temporarily_unavailable signing_keys_missing") {
		t.Errorf("administrators see %v", got)
	}
}

// TestLogHasNoSecrets: nor the paths that visitors ask for, nor names that are no
// application's.
func TestLogHasNoSecrets(t *testing.T) {
	s := newService(t, config{})
	s.change("wiki", func(a *store.Application) { a.ForwardAuthToken = true })
	b := s.member("ann")
	begun, err := url.Parse(b.open(start + "?to=%2Fprivate-page").location(t))
	s.ok(err)
	link, err := url.Parse(b.callbackOf(start + "?to=%2Fprivate-page"))
	s.ok(err)
	signIns := maps.Clone(b.jar("wiki.example.org"))
	b.open(link.String())
	s.browser().open(link.String())
	b.check("/oauth2/forward-auth/forward/private-name", nil)
	b.open(origin + "/.wecom-signin/private-name/start")
	token := ""
	for _, path := range checks() {
		token = b.check(path, map[string]string{"X-Original-URL": origin + "/private-page", "X-Forwarded-Uri": "/private-page"}).headers["x-auth-token"]
		s.send("GET", path, map[string]string{"Accept": html}, map[string]string{cookie: "forged.by.somebody.private"})
	}
	b.send("GET", envoy+"/private-page", nil, nil)
	secrets := map[string]string{
		"code": link.Query().Get("code"), "state": begun.Query().Get("state"), "cookie": b.jar("wiki.example.org")[cookie], "token": token, "visitor's": "private",
	}
	maps.Copy(secrets, signIns)
	b.open(origin + "/.wecom-signin/wiki/signout")
	for what, text := range secrets {
		if text == "" || strings.Contains(s.log.String(), text) {
			t.Errorf("the log has the %s: %q", what, text)
		}
	}
}
