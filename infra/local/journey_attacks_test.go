package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// signedInFixture has two members who are known already.
func signedInFixture(t *testing.T, options ...option) (f *fixture, zhang, li *browser) {
	t.Helper()
	f = newFixture(t, options...)
	return f, f.signedIn("zhangsan"), f.signedIn("lisi")
}

// The attacker sends the victim a callback with the attacker's own code and state,
// so that the victim works in the attacker's account.
func TestAttackLoginCSRF(t *testing.T) {
	t.Parallel()
	f, _, _ := signedInFixture(t)
	attacker := f.onDesktop("lisi")
	callback := attacker.callback("/authorize/main?redirect=/x")
	for name, victim := range map[string]*browser{
		"signed out": f.onDesktop("zhangsan"),
		"signed in":  func() *browser { b := f.onDesktop("zhangsan"); b.signIn("/authorize/main"); return b }(),
		"on the way": func() *browser { b := f.onDesktop("zhangsan"); b.callback("/authorize/main"); return b }(),
	} {
		f.weCom.ResetCalls()
		a := victim.get(callback)
		if a.Cookie(sessionCookie) != nil || !strings.HasPrefix(a.Location(), f.weURL) {
			t.Errorf("%s: %d %s", name, a.Status, a.Location())
		}
		if f.weCom.Calls() != 0 {
			t.Errorf("%s: the attacker's code was sent to WeCom", name)
		}
		victim.open(callback)
		victim.wantMember("zhangsan", name)
	}
	// The same with the attacker's attempt cookie planted, under any name.
	victim := f.onDesktop("zhangsan")
	mine := victim.callback("/authorize/main")
	name, _ := onlyCookie(t, victim, attemptCookie)
	_, planted := onlyCookie(t, attacker, attemptCookie)
	victim.SetCookie(name, planted)
	victim.wantError(mine, "state_invalid")
}

func onlyCookie(t *testing.T, b *browser, prefix string) (name, value string) {
	t.Helper()
	for name, value := range b.Cookies(prefix) {
		return name, value
	}
	t.Fatalf("no cookie %s", prefix)
	return "", ""
}

// A state must be new, unguessable and in the alphabet that WeCom takes.
func TestAttackConstantState(t *testing.T) {
	t.Parallel()
	f, _, _ := signedInFixture(t)
	seen := map[string]bool{}
	for _, b := range []*browser{f.inWeCom("zhangsan"), f.onDesktop("zhangsan")} {
		for range 20 {
			state := queryOf(b.get("/authorize/main").Location()).Get("state")
			if !regexp.MustCompile(`^[A-Za-z0-9]{22,128}$`).MatchString(state) || seen[state] {
				t.Errorf("state %q", state)
			}
			seen[state] = true
		}
	}
	// A constant one, or one compared with itself in the address, opens nothing.
	for _, state := range []string{"STATE", "state", "wecom", "123", "main", "null", "undefined"} {
		b := f.onDesktop("zhangsan")
		code := queryOf(f.onDesktop("lisi").callback("/authorize/main")).Get("code")
		a := b.get("/callback/main?code=" + code + "&state=" + state)
		if a.Cookie(sessionCookie) != nil || !strings.HasPrefix(a.Location(), f.weURL) {
			t.Errorf("state %s: %s", state, a.Location())
		}
		a = b.get("/callback/main?again=1&code=" + code + "&state=" + state)
		if queryOf(a.Location()).Get("error") != "cookies_blocked" {
			t.Errorf("state %s, second round: %s", state, a.Location())
		}
	}
}

// The attempt of one authenticator is none of another's.
func TestAttackStateOfAnotherAuthenticator(t *testing.T) {
	t.Parallel()
	f, _, _ := signedInFixture(t)
	f.addOther()
	b := f.onDesktop("zhangsan")
	callback := strings.Replace(b.callback("/authorize/main"), "/callback/main", "/callback/other", 1)
	a := b.get(callback)
	if queryOf(a.Location()).Get("error") != "state_invalid" || a.Cookie(sessionCookie) != nil {
		t.Errorf("%d %s", a.Status, a.Location())
	}
}

// Wherever a target can be given, only a path of the application comes out.
func TestAttackOpenRedirect(t *testing.T) {
	t.Parallel()
	f, member, _ := signedInFixture(t, with("workbenchRedirectPath", "/home"))
	for _, target := range []string{
		"https://evil.test/", "http:evil.test", "//evil.test", "///evil.test", `/\evil.test`, `\\evil.test`, `/\/evil.test`, `\/evil.test`,
		"/\t/evil.test", "/\n/evil.test", "\t//evil.test", " //evil.test", "/ /evil.test\r\n", "javascript:alert(1)", "data:text/html,x",
		"evil.test", "@evil.test", ".evil.test", ":80@evil.test", "https:/evil.test", "https:\\\\evil.test", "", "?x", "#x",
		"/" + strings.Repeat("a", 2048), "/\x00/evil.test", "/a\\b", "／／evil.test", "/\u2028x", "%2f%2fevil.test", "/%5cevil.test", "/%2f/evil.test",
		"/..//evil.test", "/.//evil.test", "/%09/evil.test", "/;@evil.test", "/x@evil.test", "/https://evil.test",
	} {
		escaped := "redirect=" + url.QueryEscape(target)
		// On the way out.
		b := f.onDesktop("zhangsan")
		f.wantOnApplication("authorize", target, b.open("/authorize/main?"+escaped).Address)
		// On the way back: with the cookie, and without (the second round).
		b = f.onDesktop("zhangsan")
		f.wantOnApplication("callback", target, b.open(b.callback("/authorize/main")+"&"+escaped).Address)
		b = f.onDesktop("zhangsan")
		callback := b.callback("/authorize/main") + "&" + escaped
		b.Forget(attemptCookie)
		f.wantOnApplication("callback once more", target, b.open(callback).Address)
		// On the sign-in page, where a button would lead there.
		for _, b := range []*browser{member, f.onDesktop("zhangsan")} {
			page := b.get("/signin?" + escaped).Body
			for _, match := range regexp.MustCompile(`(?:href|action)="([^"]*)"`).FindAllStringSubmatch(page, -1) {
				f.wantOurs("sign-in page", target, match[1])
			}
		}
	}
	// The authorizer's own words: nothing but redirect is a target.
	for _, name := range []string{"redirect_uri", "return_to", "next", "url", "Redirect"} {
		b := f.onDesktop("zhangsan")
		b.wantOpen("/authorize/main?"+name+"="+url.QueryEscape("/elsewhere"), "/home", 1)
	}
}

func (f *fixture) wantOnApplication(where, target, address string) {
	f.t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Scheme+"://"+u.Host != application || !strings.HasPrefix(address, application+"/") || strings.HasPrefix(u.EscapedPath(), "//") || u.User != nil {
		f.t.Errorf("%s: the target %q leads to %q", where, target, address)
	}
}

func (f *fixture) wantOurs(where, target, address string) {
	f.t.Helper()
	address = strings.NewReplacer("&amp;", "&", "&#43;", "+").Replace(address)
	if strings.HasPrefix(address, "data:image/") || address == f.url || strings.HasPrefix(address, f.url+"/") {
		return
	}
	f.wantOnApplication(where, target, address)
}

// An application link is a path that anybody chooses.
func TestAttackOpenRedirectByApplicationLink(t *testing.T) {
	t.Parallel()
	f, member, _ := signedInFixture(t)
	for _, path := range []string{
		"//evil.test", "//evil.test/x", "///evil.test", `/\evil.test`, "/%5cevil.test", "/%2fevil.test", "/%2f%2fevil.test", "/%2F/evil.test",
		"/.//evil.test", "/..//evil.test", "/%2e%2e//evil.test", "/%09/evil.test", "/%0a/evil.test", "/%0d%0aLocation:%20https://evil.test",
		"/@evil.test", "/%40evil.test", "/:80@evil.test", "/x%00", "/https://evil.test", "/%E3%80%82evil.test", "/%ff%fe", "/;evil.test",
		"/?//evil.test", "/%3f//evil.test", "/%23//evil.test",
	} {
		for name, b := range map[string]*browser{"with a session": member, "without": f.onDesktop("zhangsan")} {
			var cookies []string
			for cookie, value := range b.Cookies("") {
				cookies = append(cookies, cookie+"="+value)
			}
			a := f.raw("GET", path, "Cookie: "+strings.Join(cookies, "; "))
			if a.Header.Get("Set-Cookie") != "" && strings.Contains(strings.Join(a.Header.Values("Set-Cookie"), ""), "evil") {
				t.Errorf("%s %s: sets %v", name, path, a.Header.Values("Set-Cookie"))
			}
			location := a.Location()
			if location == "" {
				continue
			}
			u, err := url.Parse(location)
			if err != nil || !slices.Contains([]string{application, f.url}, u.Scheme+"://"+u.Host) || u.User != nil {
				t.Errorf("%s: %s leads to %q", name, path, location)
			}
			if f.url == u.Scheme+"://"+u.Host && u.Path != "/signin" {
				t.Errorf("%s: %s leads to %q of the service", name, path, location)
			}
			// The redirect of a sign-in page's address, through a sign-in.
			if target := u.Query().Get("redirect"); u.Path == "/signin" && target != "" {
				end := f.onDesktop("zhangsan").open("/authorize/main?redirect=" + url.QueryEscape(target))
				f.wantOnApplication("link "+name, path, end.Address)
			}
		}
	}
}

// raw sends a request line as it is: no client cleans it.
func (f *fixture) raw(method, target string, headers ...string) testbrowser.Answer {
	f.t.Helper()
	host := hostOf(f.url)
	conn, err := (&net.Dialer{}).DialContext(f.t.Context(), "tcp", host)
	f.must(err)
	defer func() { _ = conn.Close() }()
	if !slices.ContainsFunc(headers, func(h string) bool { return strings.HasPrefix(h, "Host:") }) {
		headers = append(headers, "Host: "+host)
	}
	text := method + " " + target + " HTTP/1.1\r\n" + strings.Join(headers, "\r\n") + "\r\nConnection: close\r\n\r\n"
	_, err = conn.Write([]byte(text))
	f.must(err)
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		f.t.Fatalf("%s %.60s: %v", method, target, err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	f.must(err)
	return testbrowser.Answer{URL: f.url + target, Status: response.StatusCode, Header: response.Header, Body: string(content)}
}

// No page of another site makes this browser do or tell anything.
func TestAttackForeignOrigin(t *testing.T) {
	t.Parallel()
	f, member, _ := signedInFixture(t)
	for _, origin := range []string{
		"https://evil.test", "null", application + ".evil.test", "http://localhost", "http://localhost:39990", "https://localhost:3999",
		"http://evil.localhost:3999", strings.ToUpper(application), application + "/", application + ", https://evil.test", "*", "file://", "http://127.0.0.1:3999",
	} {
		for _, path := range []string{"/api/signout", "/api/token"} {
			a := member.post(path, testbrowser.Header("Origin", origin))
			if a.Status != http.StatusForbidden || a.Header.Get("Access-Control-Allow-Origin") != "" || strings.Contains(a.Body, "access_token") {
				t.Errorf("POST %s from %s: %d %s", path, origin, a.Status, a.Body)
			}
		}
		for _, path := range []string{"/api/session", "/api/authenticators", "/signin", "/authorize/main", "/api/admin/users"} {
			if a := member.get(path, testbrowser.Header("Origin", origin)); a.Header.Get("Access-Control-Allow-Origin") != "" || a.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("GET %s from %s is allowed", path, origin)
			}
			ask := testbrowser.Header("Access-Control-Request-Method", http.MethodPost)
			if a := member.Send(t, http.MethodOptions, path, testbrowser.Header("Origin", origin), ask); a.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("OPTIONS %s from %s is allowed", path, origin)
			}
		}
	}
	// A form of another site without an Origin, as an old browser sends it.
	member.Expect(t, http.StatusForbidden, http.MethodPost, "/api/signout", testbrowser.Header("Origin", ""), testbrowser.Header("Sec-Fetch-Site", "cross-site"))
	if member.session() == nil {
		t.Fatal("the session is over")
	}
	// The application's own pages may, and so may the preflight say.
	a := member.post("/api/token", testbrowser.Header("Origin", application))
	if a.Status != http.StatusOK || a.Header.Get("Access-Control-Allow-Origin") != application || a.Header.Get("Access-Control-Allow-Credentials") != "true" || a.Header.Get("Vary") != "Origin" {
		t.Errorf("the application: %d %v", a.Status, a.Header)
	}
	// Not any more when its authenticator is off.
	f.mustAdmin(http.StatusOK, http.MethodPatch, "/authenticators/main", map[string]any{"enabled": false})
	if a := member.get("/api/session", testbrowser.Header("Origin", application)); a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("the origin of a disabled authenticator is allowed")
	}
}

// The admin API takes the key, or the token of an administrator, and nothing else.
func TestAttackAdminWithoutRight(t *testing.T) {
	t.Parallel()
	f, member, other := signedInFixture(t)
	segment := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	admin := "/users/" + member.session().User.ID
	f.mustAdmin(http.StatusOK, http.MethodPatch, admin, map[string]any{"roles": []string{"admin"}})
	good, plain := member.token(), other.token()
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
			a := f.adminAs(authorization, method, admin, nil)
			want := http.StatusForbidden
			if authorization == "" {
				want = http.StatusUnauthorized
			}
			if a.Status != want || strings.Contains(a.Body, "+86") {
				t.Errorf("%s: %s is answered %d %s", name, method, a.Status, a.Body)
			}
		}
	}
	// A cookie is no credential here, not even an administrator's.
	member.Expect(t, http.StatusUnauthorized, http.MethodGet, "/api/admin/users")
	f.mustAdminAs("Bearer "+good, http.StatusOK, http.MethodGet, admin, nil)
	// It ends at once, with the role and with the time.
	f.mustAdmin(http.StatusOK, http.MethodPatch, admin, map[string]any{"roles": []string{}})
	f.mustAdminAs("Bearer "+good, http.StatusForbidden, http.MethodGet, admin, nil)
	f.mustAdmin(http.StatusOK, http.MethodPatch, admin, map[string]any{"roles": []string{"admin"}})
	f.wait(16 * time.Minute)
	f.mustAdminAs("Bearer "+good, http.StatusForbidden, http.MethodGet, admin, nil)
}

// Who was evicted must not make an administrator with a token from before.
func TestAttackAdminTokenOutlivesItsSession(t *testing.T) {
	for name, evict := range map[string]func(f *fixture, b *browser, user string){
		"sessions ended": func(f *fixture, _ *browser, user string) {
			f.mustAdmin(http.StatusNoContent, http.MethodDelete, user+"/sessions", nil)
		},
		"disabled and enabled again": func(f *fixture, _ *browser, user string) {
			f.mustAdmin(http.StatusOK, http.MethodPatch, user, map[string]any{"enabled": false})
			f.mustAdmin(http.StatusOK, http.MethodPatch, user, map[string]any{"enabled": true})
		},
		"signed out": func(_ *fixture, b *browser, _ string) { b.post("/api/signout") },
		"authenticator disabled": func(f *fixture, _ *browser, _ string) {
			f.mustAdmin(http.StatusOK, http.MethodPatch, "/authenticators/"+mainName, map[string]any{"enabled": false})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, member, _ := signedInFixture(t)
			user := "/users/" + member.session().User.ID
			f.mustAdmin(http.StatusOK, http.MethodPatch, user, map[string]any{"roles": []string{"admin"}})
			token := member.token()
			f.mustAdminAs("Bearer "+token, http.StatusOK, http.MethodGet, user, nil)
			evict(f, member, user)
			fields := map[string]any{"phone": "13711110000", "roles": []string{"admin"}}
			f.mustAdminAs("Bearer "+token, http.StatusForbidden, http.MethodPost, "/users", fields)
		})
	}
}

// A flaw in an application must not be a flaw in the console: the token that its page
// can ask for in an administrator's browser opens nothing here.
func TestAttackAdminTokenOfAnApplicationPage(t *testing.T) {
	f, member, _ := signedInFixture(t)
	user := "/users/" + member.session().User.ID
	f.mustAdmin(http.StatusOK, http.MethodPatch, user, map[string]any{"roles": []string{"admin"}})
	for origin, want := range map[string]int{application: http.StatusForbidden, f.url: http.StatusOK, "": http.StatusForbidden} {
		token := member.token(testbrowser.Header("Origin", origin))
		f.mustAdminAs("Bearer "+token, want, http.MethodGet, user, nil)
	}
}

// What a request says about its host is anybody's word.
func TestAttackForgedHost(t *testing.T) {
	t.Parallel()
	f, _, _ := signedInFixture(t)
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
			a := f.raw("GET", "/authorize/main?redirect=/x", append([]string{"User-Agent: " + userAgent}, headers...)...)
			if got := queryOf(a.Location()).Get("redirect_uri"); got != f.url+"/callback/main?redirect=%2Fx" {
				t.Errorf("%v: redirect_uri is %q", headers, got)
			}
		}
		for path, must := range map[string]string{
			"/signin": f.url + "/authorize/main", "/api/authenticators": f.url + "/authorize/main",
			"/.well-known/openid-configuration": `"issuer":"` + f.url + `"`,
		} {
			if a := f.raw("GET", path, headers...); a.Status != http.StatusOK || !strings.Contains(a.Body, must) || strings.Contains(a.Body, "evil") {
				t.Errorf("%v: %s: %d %.300s", headers, path, a.Status, a.Body)
			}
		}
		if a := f.raw("GET", "/admin", headers...); !strings.HasPrefix(a.Location(), f.url+"/signin") {
			t.Errorf("%v: /admin leads to %s", headers, a.Location())
		}
	}
}

// Line breaks in what a browser sends become no header.
func TestAttackHeaderInjection(t *testing.T) {
	t.Parallel()
	f, member, _ := signedInFixture(t)
	const evil = "%0d%0aSet-Cookie:%20evil=1%0d%0aX-Evil:%201"
	_, session := onlyCookie(t, member, sessionCookie)
	for _, path := range []string{
		"/authorize/main?redirect=/x" + evil, "/authorize/" + evil, "/authorize/main" + evil,
		"/callback/main?code=" + evil + "&state=" + evil, "/callback/main?state=x&redirect=/x" + evil,
		"/signin?redirect=/x" + evil, "/signin?error=internal&request=" + evil + "&authenticator=" + evil, "/signin?lang=en" + evil,
		"/x" + evil, "/x?y" + evil, "/" + evil, "/WW_verify_" + evil, "/api/" + evil, "/api/admin/" + evil, "/.well-known/" + evil,
	} {
		for _, header := range []string{"Accept-Language: en", "Cookie: " + sessionCookie + "=" + session} {
			a := f.raw("GET", path, header)
			if a.Header.Get("X-Evil") != "" || strings.Contains(strings.Join(a.Header.Values("Set-Cookie"), "\n"), "evil=1") || a.Status >= 500 {
				t.Errorf("%s: %d %v", path, a.Status, a.Header)
			}
			for name, values := range a.Header {
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
	f, member, attacker := signedInFixture(t)
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
		if a := f.raw("GET", "/api/session?"+sessionCookie+"="+good, "Cookie: "+cookies); a.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, a.Status)
		}
	}
	// Tossed beside the own one it changes nothing: a __Host- cookie cannot be set
	// by a neighbour, so every other name is ignored.
	tossed := "wecom_session=" + theirs + "; __Secure-wecom_session=" + theirs + "; " + sessionCookie + "=" + good + "; wecom_session=" + theirs
	a := f.raw("GET", "/api/session", "Cookie: "+tossed)
	if s := testbrowser.Decode[sessionEntry](t, a); s.WeComUserID != "zhangsan" {
		t.Errorf("signed in as %q", s.WeComUserID)
	}
	// Many cookies of others do not stop the sign-in.
	b := f.onDesktop("zhangsan")
	for i := range 20 {
		b.SetCookie(fmt.Sprintf("%s%016x", attemptCookie, i), strings.Repeat("x", 100))
	}
	b.wantOpen("/authorize/main", "/", 1)
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
	f, _, attacker := signedInFixture(t)
	_, known := onlyCookie(t, attacker, sessionCookie)
	for name, planted := range map[string]string{"made up": strings.Repeat("A", 43), "the attacker's live one": known} {
		victim := f.inWeCom("zhangsan")
		victim.SetCookie(sessionCookie, planted)
		victim.signIn("/authorize/main")
		if _, value := onlyCookie(t, victim, sessionCookie); value == planted {
			t.Errorf("%s: the planted id was kept", name)
		}
		victim.wantMember("zhangsan", name)
		thief := f.inWeCom("lisi")
		thief.SetCookie(sessionCookie, planted)
		thief.wantMember("", "the thief, "+name)
	}
	// Nor does knowing the state tell the session.
	victim := f.inWeCom("zhangsan")
	callback := victim.callback("/authorize/main")
	victim.open(callback)
	thief := f.inWeCom("lisi")
	if thief.get(callback); thief.session() != nil {
		t.Error("the callback's address alone is a session")
	}
}

// What was valid before sign-out is not valid after it.
func TestAttackReplayAfterSignOut(t *testing.T) {
	t.Parallel()
	f, _, _ := signedInFixture(t)
	b := f.onDesktop("zhangsan")
	callback := b.callback("/authorize/main?redirect=/x")
	before := b.clone() // with the attempt's cookie
	b.open(callback)
	after := b.clone()
	b.post("/api/signout")
	for name, thief := range map[string]*browser{"the attempt's cookie": before, "the session's cookie": after} {
		f.weCom.ResetCalls()
		a := thief.get(callback)
		if cookie := a.Cookie(sessionCookie); cookie != nil && cookie.Value != "" {
			t.Errorf("%s: the callback gave a session again", name)
		}
		thief.wantMember("", name)
	}
	if a := before.get(callback); queryOf(a.Location()).Get("error") != "code_invalid" {
		t.Errorf("the replay ended at %s", a.Location())
	}
}

// Automatic login with cookies off must not go round for ever.
func TestAttackAutomaticLoginWithoutCookies(t *testing.T) {
	t.Parallel()
	f, _, _ := signedInFixture(t, with("autoLogin", true))
	b := f.inWeCom("zhangsan")
	b.BlockCookies = true
	end := b.open("/admin")
	if end.failure.Get("error") != "cookies_blocked" || end.WeCom != 2 {
		t.Errorf("ended at %s after %d redirects", end.Address, end.WeCom)
	}
}

func TestAttackOversizedRequests(t *testing.T) {
	t.Parallel()
	f, member, _ := signedInFixture(t)
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
		if a := f.raw("GET", test.path, test.headers...); a.Status < 400 || a.Status >= 500 {
			t.Errorf("%s: %d", name, a.Status)
		}
	}
	big := strings.Repeat("x", 300<<10)
	for _, path := range []string{"/api/token", "/api/signout"} {
		member.Expect(t, http.StatusRequestEntityTooLarge, http.MethodPost, path, testbrowser.Body("text/plain", big))
	}
	if a := f.admin(http.MethodPost, "/users", map[string]any{"phone": big}); a.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("users: %d %.200s", a.Status, a.Body)
	}
	if a := f.admin(http.MethodPost, "/users/import", strings.Repeat(big, 5)); a.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("import: %d", a.Status)
	}
	if member.session() == nil {
		t.Error("the session is over")
	}
	// The largest target travels, and eight of them at once still fit.
	b := f.onDesktop("zhangsan")
	var last string
	for i := range 8 {
		last = b.callback("/authorize/main?redirect=" + url.QueryEscape(fmt.Sprintf("/%d%s", i, strings.Repeat("a", 2000))))
	}
	b.wantOpen(last, "/7"+strings.Repeat("a", 2000), 0)
}

// Odd spellings of a path reach no other function's answer.
func TestAttackPathTricks(t *testing.T) {
	t.Parallel()
	f, member, _ := signedInFixture(t)
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
			a := f.raw(method, path, "Cookie: "+sessionCookie+"="+session)
			if strings.Contains(a.Body, "identities") || strings.Contains(a.Body, corpID) || strings.Contains(a.Body, "+86") && path != "/api/admin/../session" {
				t.Errorf("%s %s: %d %s", method, path, a.Status, a.Body)
			}
			if a.Status >= 500 {
				t.Errorf("%s %s: %d", method, path, a.Status)
			}
			if u, err := url.Parse(a.Location()); a.Location() != "" && (err != nil || u.Scheme+"://"+u.Host != application && u.Scheme+"://"+u.Host != f.url) {
				t.Errorf("%s %s leads to %s", method, path, a.Location())
			}
		}
	}
	if len(f.users()) != 2 {
		t.Error("a user is gone")
	}
	for _, path := range []string{"/authorize/", "/authorize", "/authorize/main/", "/authorize/main%2f", "/authorize//main", "/authorize/MAIN", "/authorize/..", "/authorize/%2e%2e", "/authorize/main%00", "/authorize/{authenticator}", "/callback", "/callback/", "/callback/main/x"} {
		a := f.raw("GET", path)
		if strings.HasPrefix(a.Location(), f.weURL) || a.Status >= 500 || a.Cookie(sessionCookie) != nil {
			t.Errorf("%s: %d %s", path, a.Status, a.Location())
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND"} {
		for _, path := range []string{"/authorize/main", "/callback/main?code=x&state=y", "/signin", "/api/session", "/admin"} {
			a := f.raw(method, path, "Cookie: "+sessionCookie+"="+session)
			if a.Status < 400 || a.Status >= 500 || a.Location() != "" {
				t.Errorf("%s %s: %d %s", method, path, a.Status, a.Location())
			}
		}
	}
	for _, path := range []string{"/WW_verify_..%2f..%2fx.txt", "/WW_verify_AbCdEf0123456789.txt/", "/WW_verify_AbCdEf0123456789.TXT", "/x/WW_verify_AbCdEf0123456789.txt", "/assets/..%2f..%2fetc/passwd", "/.well-known/../console", "/oauth2/x"} {
		if a := f.raw("GET", path); a.Status == http.StatusOK {
			t.Errorf("%s: %d", path, a.Status)
		}
	}
}
