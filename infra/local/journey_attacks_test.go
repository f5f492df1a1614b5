package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// signedInWorld has two members who are known already.
func signedInWorld(t *testing.T, options ...worldOption) (w *world, zhang, li *browser) {
	t.Helper()
	w = newWorld(t, options...)
	zhang, li = w.inWeCom("zhangsan"), w.inWeCom("lisi")
	zhang.signIn("/authorize/main")
	li.signIn("/authorize/main")
	return w, zhang, li
}

// The attacker sends the victim a callback with the attacker's own code and state,
// so that the victim works in the attacker's account.
func TestAttackLoginCSRF(t *testing.T) {
	t.Parallel()
	w, _, _ := signedInWorld(t)
	attacker := w.onDesktop("lisi")
	callback := attacker.leave("/authorize/main?redirect=/x")
	for name, victim := range map[string]*browser{
		"signed out": w.onDesktop("zhangsan"),
		"signed in":  func() *browser { b := w.onDesktop("zhangsan"); b.signIn("/authorize/main"); return b }(),
		"on the way": func() *browser { b := w.onDesktop("zhangsan"); b.leave("/authorize/main"); return b }(),
	} {
		w.weCom.ResetCalls()
		a := victim.get(callback)
		if a.cookie(sessionCookie) != nil || !strings.HasPrefix(a.location(), w.weURL) {
			t.Errorf("%s: %d %s", name, a.status, a.location())
		}
		if w.weCom.Calls() != 0 {
			t.Errorf("%s: the attacker's code was sent to WeCom", name)
		}
		if victim.open(callback); victim.signedInAs() != "zhangsan" {
			t.Errorf("%s: signed in as %q", name, victim.signedInAs())
		}
	}
	// The same with the attacker's attempt cookie planted, under any name.
	victim := w.onDesktop("zhangsan")
	mine := victim.leave("/authorize/main")
	name, _ := onlyCookie(t, victim, attemptCookie)
	_, planted := onlyCookie(t, attacker, attemptCookie)
	victim.cookies[name] = keptCookie{value: planted}
	if end := victim.open(mine); end.failure.Get("error") != "state_invalid" {
		t.Errorf("a planted cookie ended at %s", end.address)
	}
}

func onlyCookie(t *testing.T, b *browser, prefix string) (name, value string) {
	t.Helper()
	for name, cookie := range b.cookies {
		if strings.HasPrefix(name, prefix) {
			return name, cookie.value
		}
	}
	t.Fatalf("no cookie %s", prefix)
	return "", ""
}

// A state must be new, unguessable and in the alphabet that WeCom takes.
func TestAttackConstantState(t *testing.T) {
	t.Parallel()
	w, _, _ := signedInWorld(t)
	seen := map[string]bool{}
	for _, b := range []*browser{w.inWeCom("zhangsan"), w.onDesktop("zhangsan")} {
		for range 20 {
			u, err := url.Parse(b.get("/authorize/main").location())
			if err != nil {
				t.Fatal(err)
			}
			state := u.Query().Get("state")
			if !regexp.MustCompile(`^[A-Za-z0-9]{22,128}$`).MatchString(state) || seen[state] {
				t.Errorf("state %q", state)
			}
			seen[state] = true
		}
	}
	// A constant one, or one compared with itself in the address, opens nothing.
	for _, state := range []string{"STATE", "state", "wecom", "123", "main", "null", "undefined"} {
		b := w.onDesktop("zhangsan")
		code := queryOf(w.onDesktop("lisi").leave("/authorize/main")).Get("code")
		a := b.get("/callback/main?code=" + code + "&state=" + state)
		if a.cookie(sessionCookie) != nil || !strings.HasPrefix(a.location(), w.weURL) {
			t.Errorf("state %s: %s", state, a.location())
		}
		a = b.get("/callback/main?again=1&code=" + code + "&state=" + state)
		if queryOf(a.location()).Get("error") != "cookies_blocked" {
			t.Errorf("state %s, second round: %s", state, a.location())
		}
	}
}

func queryOf(address string) url.Values {
	u, err := url.Parse(address)
	if err != nil {
		return url.Values{}
	}
	return u.Query()
}

// The attempt of one authenticator is none of another's.
func TestAttackStateOfAnotherAuthenticator(t *testing.T) {
	t.Parallel()
	w, _, _ := signedInWorld(t)
	w.addOther()
	b := w.onDesktop("zhangsan")
	callback := strings.Replace(b.leave("/authorize/main"), "/callback/main", "/callback/other", 1)
	a := b.get(callback)
	if queryOf(a.location()).Get("error") != "state_invalid" || a.cookie(sessionCookie) != nil {
		t.Errorf("%d %s", a.status, a.location())
	}
}

// Wherever a target can be given, only a path of the application comes out.
func TestAttackOpenRedirect(t *testing.T) {
	t.Parallel()
	w, member, _ := signedInWorld(t, with("workbenchRedirectPath", "/home"))
	for _, target := range []string{
		"https://evil.test/", "http:evil.test", "//evil.test", "///evil.test", `/\evil.test`, `\\evil.test`, `/\/evil.test`, `\/evil.test`,
		"/\t/evil.test", "/\n/evil.test", "\t//evil.test", " //evil.test", "/ /evil.test\r\n", "javascript:alert(1)", "data:text/html,x",
		"evil.test", "@evil.test", ".evil.test", ":80@evil.test", "https:/evil.test", "https:\\\\evil.test", "", "?x", "#x",
		"/" + strings.Repeat("a", 2048), "/\x00/evil.test", "/a\\b", "／／evil.test", "/\u2028x", "%2f%2fevil.test", "/%5cevil.test", "/%2f/evil.test",
		"/..//evil.test", "/.//evil.test", "/%09/evil.test", "/;@evil.test", "/x@evil.test", "/https://evil.test",
	} {
		for _, name := range []string{"redirect"} {
			escaped := name + "=" + url.QueryEscape(target)
			// On the way out.
			b := w.onDesktop("zhangsan")
			w.wantOnApplication("authorize", target, b.open("/authorize/main?"+escaped).address)
			// On the way back: with the cookie, and without (the second round).
			b = w.onDesktop("zhangsan")
			w.wantOnApplication("callback", target, b.open(b.leave("/authorize/main")+"&"+escaped).address)
			b = w.onDesktop("zhangsan")
			callback := b.leave("/authorize/main") + "&" + escaped
			b.forget(attemptCookie)
			w.wantOnApplication("callback once more", target, b.open(callback).address)
			// On the sign-in page, where a button would lead there.
			for _, b := range []*browser{member, w.onDesktop("zhangsan")} {
				page := b.get("/signin?" + escaped).body
				for _, match := range regexp.MustCompile(`(?:href|action)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
					w.wantOurs("sign-in page", target, match[1])
				}
			}
		}
	}
	// The authorizer's own words: nothing but redirect is a target.
	for _, name := range []string{"redirect_uri", "return_to", "next", "url", "Redirect"} {
		b := w.onDesktop("zhangsan")
		if end := b.open("/authorize/main?" + name + "=" + url.QueryEscape("/elsewhere")); end.address != application+"/home" {
			t.Errorf("%s: %s", name, end.address)
		}
	}
}

func (w *world) wantOnApplication(where, target, address string) {
	w.t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Scheme+"://"+u.Host != application || !strings.HasPrefix(address, application+"/") || strings.HasPrefix(u.EscapedPath(), "//") || u.User != nil {
		w.t.Errorf("%s: the target %q leads to %q", where, target, address)
	}
}

func (w *world) wantOurs(where, target, address string) {
	w.t.Helper()
	address = strings.NewReplacer("&amp;", "&", "&#43;", "+").Replace(address)
	if strings.HasPrefix(address, "data:image/") || address == w.url || strings.HasPrefix(address, w.url+"/") {
		return
	}
	w.wantOnApplication(where, target, address)
}

// An application link is a path that anybody chooses.
func TestAttackOpenRedirectByApplicationLink(t *testing.T) {
	t.Parallel()
	w, member, _ := signedInWorld(t)
	for _, path := range []string{
		"//evil.test", "//evil.test/x", "///evil.test", `/\evil.test`, "/%5cevil.test", "/%2fevil.test", "/%2f%2fevil.test", "/%2F/evil.test",
		"/.//evil.test", "/..//evil.test", "/%2e%2e//evil.test", "/%09/evil.test", "/%0a/evil.test", "/%0d%0aLocation:%20https://evil.test",
		"/@evil.test", "/%40evil.test", "/:80@evil.test", "/x%00", "/https://evil.test", "/%E3%80%82evil.test", "/%ff%fe", "/;evil.test",
		"/?//evil.test", "/%3f//evil.test", "/%23//evil.test",
	} {
		for name, b := range map[string]*browser{"with a session": member, "without": w.onDesktop("zhangsan")} {
			var cookies []string
			for cookie, kept := range b.cookies {
				cookies = append(cookies, cookie+"="+kept.value)
			}
			a := w.raw("GET", path, "Cookie: "+strings.Join(cookies, "; "))
			if a.header.Get("Set-Cookie") != "" && strings.Contains(strings.Join(a.header.Values("Set-Cookie"), ""), "evil") {
				t.Errorf("%s %s: sets %v", name, path, a.header.Values("Set-Cookie"))
			}
			location := a.location()
			if location == "" {
				continue
			}
			u, err := url.Parse(location)
			if err != nil || !slices.Contains([]string{application, w.url}, u.Scheme+"://"+u.Host) || u.User != nil {
				t.Errorf("%s: %s leads to %q", name, path, location)
			}
			if w.url == u.Scheme+"://"+u.Host && u.Path != "/signin" {
				t.Errorf("%s: %s leads to %q of the service", name, path, location)
			}
			w.wantChecked(name, path, u)
		}
	}
}

// wantChecked follows the redirect of a sign-in page's address through a sign-in.
func (w *world) wantChecked(name, path string, u *url.URL) {
	w.t.Helper()
	if u.Path != "/signin" || u.Query().Get("redirect") == "" {
		return
	}
	end := w.onDesktop("zhangsan").open("/authorize/main?redirect=" + url.QueryEscape(u.Query().Get("redirect")))
	w.wantOnApplication("link "+name, path, end.address)
}

// raw sends a request line as it is: no client cleans it.
func (w *world) raw(method, target string, headers ...string) answer {
	w.t.Helper()
	host := hostOf(w.url)
	_, port, _ := net.SplitHostPort(host)
	var dialer net.Dialer
	conn, err := dialer.DialContext(w.t.Context(), "tcp", "127.0.0.1:"+port)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	hasHost := slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Host:") })
	if !hasHost {
		headers = append(headers, "Host: "+host)
	}
	text := method + " " + target + " HTTP/1.1\r\n" + strings.Join(headers, "\r\n") + "\r\nConnection: close\r\n\r\n"
	if _, err := conn.Write([]byte(text)); err != nil {
		w.t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		w.t.Fatalf("%s %.60s: %v", method, target, err)
	}
	defer func() { _ = response.Body.Close() }()
	var content strings.Builder
	_, _ = bufio.NewReader(response.Body).WriteTo(&content)
	return answer{response.StatusCode, response.Header, content.String()}
}

// No page of another site makes this browser do or tell anything.
func TestAttackForeignOrigin(t *testing.T) {
	t.Parallel()
	w, member, _ := signedInWorld(t)
	for _, origin := range []string{
		"https://evil.test", "null", application + ".evil.test", "http://localhost", "http://localhost:39990", "https://localhost:3999",
		"http://evil.localhost:3999", strings.ToUpper(application), application + "/", application + ", https://evil.test", "*", "file://", "http://127.0.0.1:3999",
	} {
		for _, path := range []string{"/api/signout", "/api/token"} {
			r := member.request(http.MethodPost, w.url+path)
			r.Header.Set("Origin", origin)
			a := w.send(r)
			if a.status != http.StatusForbidden || a.header.Get("Access-Control-Allow-Origin") != "" || strings.Contains(a.body, "access_token") {
				t.Errorf("POST %s from %s: %d %s", path, origin, a.status, a.body)
			}
		}
		for _, path := range []string{"/api/session", "/api/authenticators", "/signin", "/authorize/main", "/api/admin/users"} {
			r := member.request(http.MethodGet, w.url+path)
			r.Header.Set("Origin", origin)
			if a := w.send(r); a.header.Get("Access-Control-Allow-Origin") != "" || a.header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("GET %s from %s is allowed", path, origin)
			}
			r = member.request(http.MethodOptions, w.url+path)
			r.Header.Set("Origin", origin)
			r.Header.Set("Access-Control-Request-Method", http.MethodPost)
			if a := w.send(r); a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("OPTIONS %s from %s is allowed", path, origin)
			}
		}
	}
	// A form of another site without an Origin, as an old browser sends it.
	r := member.request(http.MethodPost, w.url+"/api/signout")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if a := w.send(r); a.status != http.StatusForbidden {
		t.Errorf("a cross-site form: %d", a.status)
	}
	if member.session() == nil {
		t.Fatal("the session is over")
	}
	// The application's own pages may, and so may the preflight say.
	r = member.request(http.MethodPost, w.url+"/api/token")
	r.Header.Set("Origin", application)
	a := w.send(r)
	if a.status != http.StatusOK || a.header.Get("Access-Control-Allow-Origin") != application || a.header.Get("Access-Control-Allow-Credentials") != "true" || a.header.Get("Vary") != "Origin" {
		t.Errorf("the application: %d %v", a.status, a.header)
	}
	// Not any more when its authenticator is off.
	w.mustAdmin(http.StatusOK, http.MethodPatch, "/authenticators/main", map[string]any{"enabled": false})
	r = member.request(http.MethodGet, w.url+"/api/session")
	r.Header.Set("Origin", application)
	if a := w.send(r); a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("the origin of a disabled authenticator is allowed")
	}
}

// The admin API takes the key, or the token of an administrator, and nothing else.
func TestAttackAdminWithoutRight(t *testing.T) {
	t.Parallel()
	w, member, other := signedInWorld(t)
	tokenOf := func(b *browser) string {
		t.Helper()
		var token struct {
			AccessToken string `json:"access_token"`
		}
		b.post("/api/token").decode(t, &token)
		return token.AccessToken
	}
	segment := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	admin := "/users/" + member.session().User.ID
	w.mustAdmin(http.StatusOK, http.MethodPatch, admin, map[string]any{"roles": []string{"admin"}})
	good, plain := tokenOf(member), tokenOf(other)
	parts := strings.Split(good, ".")
	_, session := onlyCookie(t, member, sessionCookie)
	for name, authorization := range map[string]string{
		"nothing":                      "",
		"an empty key":                 "Bearer ",
		"a wrong key":                  "Bearer wrong",
		"the key's beginning":          "Bearer " + adminKey[:len(adminKey)-1],
		"the key and more":             "Bearer " + adminKey + "x",
		"the key as Basic":             "Basic " + base64.StdEncoding.EncodeToString([]byte("admin:"+adminKey)),
		"the key without a scheme":     adminKey,
		"a member's token":             "Bearer " + plain,
		"alg none":                     "Bearer " + segment(`{"alg":"none","typ":"at+jwt"}`) + "." + parts[1] + ".",
		"alg none with the signature":  "Bearer " + segment(`{"alg":"none","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2],
		"alg HS256":                    "Bearer " + segment(`{"alg":"HS256","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2],
		"an administrator's signature": "Bearer " + strings.Split(plain, ".")[0] + "." + strings.Split(plain, ".")[1] + "." + parts[2],
		"no signature":                 "Bearer " + parts[0] + "." + parts[1] + ".",
		"a session":                    "Bearer " + session,
		"the secret of the app":        "Bearer " + appSecret,
		"two credentials":              "Bearer wrong, Bearer " + adminKey,
	} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			a := w.adminAs(authorization, method, admin, nil)
			want := http.StatusForbidden
			if authorization == "" {
				want = http.StatusUnauthorized
			}
			if a.status != want || strings.Contains(a.body, "+86") {
				t.Errorf("%s: %s is answered %d %s", name, method, a.status, a.body)
			}
		}
	}
	// A cookie is no credential here, not even an administrator's.
	if a := member.get("/api/admin/users"); a.status != http.StatusUnauthorized {
		t.Errorf("with the cookie alone: %d", a.status)
	}
	if a := w.adminAs("Bearer "+good, http.MethodGet, admin, nil); a.status != http.StatusOK {
		t.Errorf("an administrator: %d %s", a.status, a.body)
	}
	// It ends at once, with the role and with the time.
	w.mustAdmin(http.StatusOK, http.MethodPatch, admin, map[string]any{"roles": []string{}})
	if a := w.adminAs("Bearer "+good, http.MethodGet, admin, nil); a.status != http.StatusForbidden {
		t.Errorf("an administrator of before: %d", a.status)
	}
	w.mustAdmin(http.StatusOK, http.MethodPatch, admin, map[string]any{"roles": []string{"admin"}})
	w.wait(16 * time.Minute)
	if a := w.adminAs("Bearer "+good, http.MethodGet, admin, nil); a.status != http.StatusForbidden {
		t.Errorf("a token of before: %d", a.status)
	}
}

// Who was evicted must not make an administrator with a token from before.
func TestAttackAdminTokenOutlivesItsSession(t *testing.T) {
	for name, evict := range map[string]func(w *world, b *browser, user string){
		"sessions ended": func(w *world, _ *browser, user string) {
			w.mustAdmin(http.StatusNoContent, http.MethodDelete, user+"/sessions", nil)
		},
		"disabled and enabled again": func(w *world, _ *browser, user string) {
			w.mustAdmin(http.StatusOK, http.MethodPatch, user, map[string]any{"enabled": false})
			w.mustAdmin(http.StatusOK, http.MethodPatch, user, map[string]any{"enabled": true})
		},
		"signed out": func(_ *world, b *browser, _ string) { b.post("/api/signout") },
		"authenticator disabled": func(w *world, _ *browser, _ string) {
			w.mustAdmin(http.StatusOK, http.MethodPatch, "/authenticators/"+mainName, map[string]any{"enabled": false})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, member, _ := signedInWorld(t)
			user := "/users/" + member.session().User.ID
			w.mustAdmin(http.StatusOK, http.MethodPatch, user, map[string]any{"roles": []string{"admin"}})
			var token struct {
				AccessToken string `json:"access_token"`
			}
			member.post("/api/token").decode(t, &token)
			if a := w.adminAs("Bearer "+token.AccessToken, http.MethodGet, user, nil); a.status != http.StatusOK {
				t.Fatalf("an administrator: %d %s", a.status, a.body)
			}
			evict(w, member, user)
			if a := w.adminAs("Bearer "+token.AccessToken, http.MethodPost, "/users", map[string]any{"phone": "13711110000", "roles": []string{"admin"}}); a.status != http.StatusForbidden {
				t.Errorf("the evicted one is answered %d %s", a.status, a.body)
			}
		})
	}
}

// A flaw in an application must not be a flaw in the console: the token that its page
// can ask for in an administrator's browser opens nothing here.
func TestAttackAdminTokenOfAnApplicationPage(t *testing.T) {
	w, member, _ := signedInWorld(t)
	user := "/users/" + member.session().User.ID
	w.mustAdmin(http.StatusOK, http.MethodPatch, user, map[string]any{"roles": []string{"admin"}})
	for origin, want := range map[string]int{application: http.StatusForbidden, w.url: http.StatusOK, "": http.StatusOK} {
		r := member.request(http.MethodPost, w.url+"/api/token")
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		var token struct {
			AccessToken string `json:"access_token"`
		}
		w.send(r).decode(t, &token)
		if a := w.adminAs("Bearer "+token.AccessToken, http.MethodGet, user, nil); a.status != want {
			t.Errorf("asked for by %q: %d, want %d", origin, a.status, want)
		}
	}
}

// What a request says about its host is anybody's word.
func TestAttackForgedHost(t *testing.T) {
	t.Parallel()
	w, _, _ := signedInWorld(t)
	for _, headers := range [][]string{
		{"Host: evil.test"},
		{"Host: evil.test:443"},
		{"X-Forwarded-Host: evil.test"},
		{"X-Forwarded-Proto: https", "X-Forwarded-Port: 443"},
		{"Forwarded: host=evil.test;proto=https"},
		{"X-Original-Host: evil.test", "X-Host: evil.test", "X-Forwarded-Server: evil.test"},
		{"X-Original-URL: /callback/evil", "X-Rewrite-URL: /callback/evil", "X-Forwarded-Prefix: /evil"},
		{"Origin: https://evil.test", "Referer: https://evil.test/"},
	} {
		for _, userAgent := range []string{wecomsim.UserAgentWeComAndroid, wecomsim.UserAgentBrowser} {
			a := w.raw("GET", "/authorize/main?redirect=/x", append([]string{"User-Agent: " + userAgent}, headers...)...)
			if got := queryOf(a.location()).Get("redirect_uri"); got != w.url+"/callback/main?redirect=%2Fx" {
				t.Errorf("%v: redirect_uri is %q", headers, got)
			}
		}
		for path, must := range map[string]string{
			"/signin": w.url + "/authorize/main", "/api/authenticators": w.url + "/authorize/main",
			"/.well-known/openid-configuration": `"issuer":"` + w.url + `"`,
		} {
			if a := w.raw("GET", path, headers...); a.status != http.StatusOK || !strings.Contains(a.body, must) || strings.Contains(a.body, "evil") {
				t.Errorf("%v: %s: %d %.300s", headers, path, a.status, a.body)
			}
		}
		if a := w.raw("GET", "/admin", headers...); !strings.HasPrefix(a.location(), w.url+"/signin") {
			t.Errorf("%v: /admin leads to %s", headers, a.location())
		}
	}
}

// Line breaks in what a visitor gives become no header.
func TestAttackHeaderInjection(t *testing.T) {
	t.Parallel()
	w, member, _ := signedInWorld(t)
	const evil = "%0d%0aSet-Cookie:%20evil=1%0d%0aX-Evil:%201"
	_, session := onlyCookie(t, member, sessionCookie)
	for _, path := range []string{
		"/authorize/main?redirect=/x" + evil, "/authorize/" + evil, "/authorize/main" + evil,
		"/callback/main?code=" + evil + "&state=" + evil, "/callback/main?state=x&redirect=/x" + evil,
		"/signin?redirect=/x" + evil, "/signin?error=internal&request=" + evil + "&authenticator=" + evil, "/signin?lang=en" + evil,
		"/x" + evil, "/x?y" + evil, "/" + evil, "/WW_verify_" + evil, "/api/" + evil, "/api/admin/" + evil, "/.well-known/" + evil,
	} {
		for _, cookie := range []string{"", "Cookie: " + sessionCookie + "=" + session} {
			headers := []string{"Accept-Language: en"}
			if cookie != "" {
				headers = append(headers, cookie)
			}
			a := w.raw("GET", path, headers...)
			if a.header.Get("X-Evil") != "" || strings.Contains(strings.Join(a.header.Values("Set-Cookie"), "\n"), "evil=1") || a.status >= 500 {
				t.Errorf("%s: %d %v", path, a.status, a.header)
			}
			for name, values := range a.header {
				if strings.ContainsAny(strings.Join(values, ""), "\r\n\x00") {
					t.Errorf("%s: header %s has a line break", path, name)
				}
			}
		}
	}
}

// A neighbour's or an attacker's cookie is no session.
func TestAttackCookieTossing(t *testing.T) {
	t.Parallel()
	w, member, attacker := signedInWorld(t)
	_, good := onlyCookie(t, member, sessionCookie)
	_, theirs := onlyCookie(t, attacker, sessionCookie)
	for name, cookies := range map[string]string{
		"without the prefix":       "wecom_session=" + theirs,
		"with the other prefix":    "__Secure-wecom_session=" + theirs,
		"in another case":          "__host-wecom_session=" + theirs,
		"an attempt as a session":  sessionCookie + "=" + strings.Repeat("A", 43),
		"a key of the store":       sessionCookie + "=" + strings.Repeat("a", 64),
		"too long":                 sessionCookie + "=" + good + "A",
		"too short":                sessionCookie + "=" + good[:42],
		"almost":                   sessionCookie + "=" + flip(good),
		"a wildcard":               sessionCookie + "=*",
		"empty":                    sessionCookie + "=",
		"in the query, not cookie": "",
	} {
		if a := w.raw("GET", "/api/session?"+sessionCookie+"="+good, "Cookie: "+cookies); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	// Tossed beside the own one it changes nothing: a __Host- cookie cannot be set
	// by a neighbour, so every other name is ignored.
	tossed := "wecom_session=" + theirs + "; __Secure-wecom_session=" + theirs + "; " + sessionCookie + "=" + good + "; wecom_session=" + theirs
	a := w.raw("GET", "/api/session", "Cookie: "+tossed)
	var s sessionEntry
	a.decode(t, &s)
	if s.WeComUserID != "zhangsan" {
		t.Errorf("signed in as %q", s.WeComUserID)
	}
	// Many cookies of others do not stop the sign-in.
	b := w.onDesktop("zhangsan")
	for i := range 20 {
		b.cookies[fmt.Sprintf("%s%016x", attemptCookie, i)] = keptCookie{value: strings.Repeat("x", 100)}
	}
	if end := b.open("/authorize/main"); end.address != application+"/" {
		t.Errorf("with foreign attempts: %s", end.address)
	}
	if n := b.count(attemptCookie); n != 0 {
		t.Errorf("%d foreign attempts are left", n)
	}
}

func flip(text string) string {
	last := byte('A')
	if text[len(text)-1] == last {
		last = 'E'
	}
	return text[:len(text)-1] + string(last)
}

// A session id that the attacker knows is never the one the victim gets.
func TestAttackSessionFixation(t *testing.T) {
	t.Parallel()
	w, _, attacker := signedInWorld(t)
	_, known := onlyCookie(t, attacker, sessionCookie)
	for name, planted := range map[string]string{"made up": strings.Repeat("A", 43), "the attacker's live one": known} {
		victim := w.inWeCom("zhangsan")
		victim.cookies[sessionCookie] = keptCookie{value: planted}
		victim.signIn("/authorize/main")
		if _, value := onlyCookie(t, victim, sessionCookie); value == planted {
			t.Errorf("%s: the planted id was kept", name)
		}
		if victim.signedInAs() != "zhangsan" {
			t.Errorf("%s: signed in as %q", name, victim.signedInAs())
		}
		thief := w.inWeCom("lisi")
		thief.cookies[sessionCookie] = keptCookie{value: planted}
		if got := thief.signedInAs(); got != "" {
			t.Errorf("%s: the planted id is a session of %q", name, got)
		}
	}
	// Nor does knowing the state tell the session.
	victim := w.inWeCom("zhangsan")
	callback := victim.leave("/authorize/main")
	victim.open(callback)
	thief := w.inWeCom("lisi")
	if thief.get(callback); thief.session() != nil {
		t.Error("the callback's address alone is a session")
	}
}

// What was valid before sign-out is not valid after it.
func TestAttackReplayAfterSignOut(t *testing.T) {
	t.Parallel()
	w, _, _ := signedInWorld(t)
	b := w.onDesktop("zhangsan")
	callback := b.leave("/authorize/main?redirect=/x")
	before := b.copyOf() // with the attempt's cookie
	b.open(callback)
	after := b.copyOf()
	b.post("/api/signout")
	for name, thief := range map[string]*browser{"the attempt's cookie": before, "the session's cookie": after} {
		w.weCom.ResetCalls()
		a := thief.get(callback)
		if cookie := a.cookie(sessionCookie); cookie != nil && cookie.Value != "" {
			t.Errorf("%s: the callback gave a session again", name)
		}
		if thief.signedInAs() != "" {
			t.Errorf("%s: signed in again", name)
		}
	}
	if a := before.get(callback); queryOf(a.location()).Get("error") != "code_invalid" {
		t.Errorf("the replay ended at %s", a.location())
	}
}

// Automatic login with cookies off must not go round for ever.
func TestAttackAutomaticLoginWithoutCookies(t *testing.T) {
	t.Parallel()
	w, _, _ := signedInWorld(t, with("autoLogin", true))
	b := w.inWeCom("zhangsan")
	b.blocksCookies = true
	end := b.open("/admin")
	if end.failure.Get("error") != "cookies_blocked" || end.weCom != 2 {
		t.Errorf("ended at %s after %d visits", end.address, end.weCom)
	}
}

func TestAttackOversizedRequests(t *testing.T) {
	t.Parallel()
	w, member, _ := signedInWorld(t)
	for name, test := range map[string]struct {
		path    string
		headers []string
	}{
		"a header":      {"/api/session", []string{"X-Long: " + strings.Repeat("x", 11_000)}},
		"a cookie":      {"/api/session", []string{"Cookie: a=" + strings.Repeat("x", 11_000)}},
		"the path":      {"/" + strings.Repeat("x", 11_000), nil},
		"the query":     {"/authorize/main?redirect=/" + strings.Repeat("x", 11_000), nil},
		"many together": {"/signin", slices.Repeat([]string{"X-Some: " + strings.Repeat("x", 900)}, 12)},
	} {
		if a := w.raw("GET", test.path, test.headers...); a.status < 400 || a.status >= 500 {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	big := strings.Repeat("x", 300<<10)
	for _, path := range []string{"/api/token", "/api/signout"} {
		r := member.request(http.MethodPost, w.url+path)
		r.Body = body(big)
		if a := w.send(r); a.status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := w.admin(http.MethodPost, "/users", map[string]any{"phone": big}); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("users: %d %.200s", a.status, a.body)
	}
	if a := w.admin(http.MethodPost, "/users/import", strings.Repeat(big, 5)); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("import: %d", a.status)
	}
	if member.session() == nil {
		t.Error("the session is over")
	}
	// The largest target travels, and eight of them at once still fit.
	b := w.onDesktop("zhangsan")
	var last string
	for i := range 8 {
		last = b.leave("/authorize/main?redirect=" + url.QueryEscape(fmt.Sprintf("/%d%s", i, strings.Repeat("a", 2000))))
	}
	if end := b.open(last); end.address != application+"/7"+strings.Repeat("a", 2000) {
		t.Errorf("ended at %.80s", end.address)
	}
}

// Odd spellings of a path reach no other function's answer.
func TestAttackPathTricks(t *testing.T) {
	t.Parallel()
	w, member, _ := signedInWorld(t)
	_, session := onlyCookie(t, member, sessionCookie)
	for _, path := range []string{
		"/api/admin/users", "/api/admin/", "/api/admin", "/api/admin/../admin/users", "/api/admin/../session", "/api/session/../admin/users", "/api/./admin/users",
		"/api//admin/users", "//api/admin/users", "/api/admin//users", "/api%2fadmin%2fusers", "/api/admin%2fusers", "/api%2fadmin/users",
		"/%61pi/admin/users", "/api/%61dmin/users", "/API/ADMIN/USERS", "/api/Admin/users", "/api/admin/users/", "/api/admin/users%2f",
		"/api/admin;/users", "/api/admin/users;x=1", "/api/admin/%2e%2e/admin/users", "/%2e%2e/api/admin/users", "/..%2fapi/admin/users",
		`/api\admin\users`, "/api/admin/users%00", "/api/admin/users%20", "/api/admin/users?x=/../", "/signin/../api/admin/users",
		"/authorize/main/../../api/admin/users", "/callback/..%2f..%2fapi%2fadmin%2fusers", "/api/proxy/../admin/authenticators/main",
	} {
		for _, method := range []string{"GET", "DELETE", "HEAD"} {
			a := w.raw(method, path, "Cookie: "+sessionCookie+"="+session)
			if strings.Contains(a.body, "identities") || strings.Contains(a.body, corpID) || strings.Contains(a.body, "+86") && path != "/api/admin/../session" {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
			}
			if a.status >= 500 {
				t.Errorf("%s %s: %d", method, path, a.status)
			}
			if u, err := url.Parse(a.location()); a.location() != "" && (err != nil || u.Scheme+"://"+u.Host != application && u.Scheme+"://"+u.Host != w.url) {
				t.Errorf("%s %s leads to %s", method, path, a.location())
			}
		}
	}
	if len(w.users()) != 2 {
		t.Error("a user is gone")
	}
	for _, path := range []string{"/authorize/", "/authorize", "/authorize/main/", "/authorize/main%2f", "/authorize//main", "/authorize/MAIN", "/authorize/..", "/authorize/%2e%2e", "/authorize/main%00", "/authorize/{authenticator}", "/callback", "/callback/", "/callback/main/x"} {
		a := w.raw("GET", path)
		if strings.HasPrefix(a.location(), w.weURL) || a.status >= 500 || a.cookie(sessionCookie) != nil {
			t.Errorf("%s: %d %s", path, a.status, a.location())
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"} {
		for _, path := range []string{"/authorize/main", "/callback/main?code=x&state=y", "/signin", "/api/session", "/admin"} {
			a := w.raw(method, path, "Cookie: "+sessionCookie+"="+session)
			if a.status < 400 || a.status >= 500 || a.location() != "" {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.location())
			}
		}
	}
	for _, path := range []string{"/WW_verify_..%2f..%2fx.txt", "/WW_verify_AbCdEf0123456789.txt/", "/WW_verify_AbCdEf0123456789.TXT", "/x/WW_verify_AbCdEf0123456789.txt", "/assets/..%2f..%2fetc/passwd", "/.well-known/../console", "/oauth2/x"} {
		if a := w.raw("GET", path); a.status == http.StatusOK {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}
