package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/wecom-signin/wecom-signin/infra/teststack"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/metrics/metricstest"
)

const (
	corpID      = "ww0123456789abcdef"
	agentID     = "1000002"
	appSecret   = "secret-of-the-app-0123456789abcdefghijklmno"
	application = "http://localhost:3999"
)

// world is a running service with a WeCom beside it.
type world struct {
	t     *testing.T
	url   string
	weCom *wecomsim.Simulator
	weURL string
	known *confidential
}

// visitor is a member with a browser.
type visitor struct {
	*teststack.Visitor
	*world
	userID string
}

func (w *world) visitor(userID, userAgent string) *visitor {
	return &visitor{Visitor: &teststack.Visitor{URL: w.url, UserAgent: userAgent}, world: w, userID: userID}
}

// send makes a request to the service; the cookies of the answer are confidential.
func (v *visitor) send(method, address, authorization string, body any) teststack.Answer {
	v.t.Helper()
	a := v.Send(v.t, method, address, authorization, body)
	for _, line := range a.Header.Values("Set-Cookie") {
		if cookie, err := http.ParseSetCookie(line); err == nil {
			v.known.add("cookie", cookie.Value)
		}
	}
	return a
}

// open goes to an address and wherever it leads, through WeCom as well, and returns
// where there is a page or the application begins.
func (v *visitor) open(address string) string {
	v.t.Helper()
	for range 10 {
		a := v.send(http.MethodGet, address, "", nil)
		next := a.Location()
		if next == "" {
			return address
		}
		if strings.HasPrefix(next, v.weURL+"/") {
			callback, err := v.weCom.Follow(v.t.Context(), next, wecomsim.Browser{UserID: v.userID, UserAgent: v.UserAgent})
			if err != nil {
				v.t.Error(err)
				return next
			}
			next = callback
		}
		if u, err := url.Parse(next); err == nil {
			v.known.add("state", u.Query().Get("state"))
			v.known.add("code", u.Query().Get("code"))
		}
		if strings.HasPrefix(next, application+"/") {
			return next
		}
		address = next
	}
	v.t.Errorf("redirects without an end, now at %s", address)
	return address
}

// expect makes a request and fails the test when the status is another one.
func (v *visitor) expect(status int, method, address, authorization string, body any) teststack.Answer {
	v.t.Helper()
	a := v.send(method, address, authorization, body)
	if a.Status != status {
		v.t.Fatalf("%s %s: %d %s; want %d", method, address, a.Status, a.Body, status)
	}
	return a
}

type sessionEntry struct {
	User struct{ ID, Name, Phone string }
}

// The programs that are deployed, from nothing to the end of an authenticator.
func TestDeployedFunctions(t *testing.T) {
	t.Parallel()
	known := &confidential{}
	simulator, weURL := startWeCom(t, known)
	s := deploy(t, map[string]string{"WeComApiUrl": weURL, "WeComOAuthUrl": weURL, "WeComLoginUrl": weURL})
	w := &world{t: t, url: s.URL, weCom: simulator, weURL: weURL, known: known}
	if err := simulator.ChangeApp(corpID, agentID, func(a *wecomsim.App) {
		a.TrustedDomain = strings.TrimPrefix(s.URL, "http://")
		a.CallbackDomain = a.TrustedDomain
	}); err != nil {
		t.Fatal(err)
	}
	for id, value := range s.Generated {
		known.add(id, value)
	}
	known.add("app secret", appSecret)
	known.add("private key", "PRIVATE KEY")
	for _, phone := range []string{"13800000001", "13800000002", "13900000003"} {
		known.add("phone", phone)
	}
	adminKey := s.Generated["AdminKey"]
	s.Rotate(t, strings.Repeat("1", 32))

	// An administrator sets the service up.
	anyone := w.visitor("", wecomsim.UserAgentBrowser)
	fields := map[string]any{
		"name": "main", "title": "企业微信", "corpId": corpID, "agentId": agentID, "secret": appSecret,
		"origin": application, "workbenchRedirectPath": "/home",
	}
	anyone.expect(401, "GET", "/api/admin/authenticators", "", nil)
	anyone.expect(403, "GET", "/api/admin/authenticators", "not-the-admin-key", nil)
	created := anyone.expect(201, "POST", "/api/admin/authenticators", adminKey, fields)
	if bytes.Contains(created.Body, []byte(appSecret)) {
		t.Error("the answer shows the secret")
	}
	if kept := s.authenticatorSecrets(); !slices.Equal(kept, []string{appSecret}) {
		t.Fatalf("Secrets Manager keeps %d secrets of authenticators, or another one", len(kept))
	}
	check := teststack.Decode[struct {
		OK    bool
		Steps []struct{ Title string }
	}](t, anyone.expect(200, "POST", "/api/admin/authenticators/main/check", adminKey, nil))
	if !check.OK || len(check.Steps) < 2 {
		t.Errorf("the check says %+v", check)
	}
	if page := anyone.expect(200, "GET", "/signin", "", nil); !bytes.Contains(page.Body, []byte(s.URL+"/authorize/main")) {
		t.Errorf("the sign-in page has no button: %s", page.Body)
	}
	anyone.expect(200, "GET", "/console", "", nil)
	anyone.expect(204, "PUT", "/api/admin/domain-files/WW_verify_AbCdEf0123456789.txt", adminKey, nil)
	if file := anyone.expect(200, "GET", "/WW_verify_AbCdEf0123456789.txt", "", nil); string(file.Body) != "AbCdEf0123456789" {
		t.Errorf("the domain file holds %q", file.Body)
	}

	// A first sign-in inside WeCom.
	member := w.visitor("zhangsan", wecomsim.UserAgentWeComAndroid)
	if end := member.open("/authorize/main?redirect=" + url.QueryEscape("/orders?id=1")); end != application+"/orders?id=1" {
		t.Fatalf("the first sign-in ended at %s\n%s", end, s.Logs["CallbackFunction"])
	}
	session := teststack.Decode[sessionEntry](t, member.expect(200, "GET", "/api/session", "", nil))
	if session.User.Name != "张三" || session.User.Phone != "+8613800000001" {
		t.Errorf("signed in as %+v", session.User)
	}

	// What the application's backend is shown, verified by somebody else's library.
	claims := w.verify(member.token())
	if claims["sub"] != session.User.ID || claims["wecom_userid"] != "zhangsan" || claims["phone_number"] != "+8613800000001" {
		t.Errorf("the token says %v", claims)
	}
	// After two rotations the first key's tokens are still good.
	old := member.token()
	s.Rotate(t, strings.Repeat("2", 32))
	w.verify(old)
	w.verify(member.token())

	// Her token opens the admin API once she is an administrator.
	anyone.expect(403, "GET", "/api/admin/users", member.token(), nil)
	person := "/api/admin/users/" + session.User.ID
	anyone.expect(200, "PATCH", person, adminKey, map[string]any{"roles": []string{"admin"}})
	anyone.expect(200, "GET", "/api/admin/users?phone=13800000001", member.token(), nil)

	// She comes back with a browser outside WeCom.
	calls := simulator.CallsByPath()
	desktop := w.visitor("zhangsan", wecomsim.UserAgentBrowser)
	if end := desktop.open("/authorize/main"); end != application+"/home" {
		t.Fatalf("the returning sign-in ended at %s\n%s", end, s.Logs["CallbackFunction"])
	}
	for path, n := range simulator.CallsByPath() {
		if path != "/cgi-bin/auth/getuserinfo" && n != calls[path] {
			t.Errorf("returning called %s", path)
		}
	}
	again := teststack.Decode[sessionEntry](t, desktop.expect(200, "GET", "/api/session", "", nil))
	if again.User.ID != session.User.ID {
		t.Error("she became another user")
	}
	desktop.expect(204, "POST", "/api/signout", "", nil)
	desktop.expect(401, "GET", "/api/session", "", nil)

	// Six first sign-ins of one person at once, in processes of their own.
	var all sync.WaitGroup
	users := make([]string, 6)
	for i := range users {
		all.Go(func() {
			v := w.visitor("lisi", wecomsim.UserAgentWeComAndroid)
			if end := v.open("/authorize/main"); end != application+"/home" {
				t.Errorf("one of six sign-ins ended at %s", end)
			}
			var entry sessionEntry
			if a := v.send("GET", "/api/session", "", nil); json.Unmarshal(a.Body, &entry) == nil {
				users[i] = entry.User.ID
			}
		})
	}
	all.Wait()
	if users[0] == "" || len(slices.Compact(users)) != 1 {
		t.Errorf("six sign-ins at once gave the users %q", users)
	}
	// The check fetched a token of its own, and all sign-ins together one.
	if n := simulator.Calls("/cgi-bin/gettoken"); n > 2 {
		t.Errorf("%d calls of gettoken", n)
	}

	// Access ends: of the user at once, then of everybody.
	anyone.expect(200, "PATCH", person, adminKey, map[string]any{"enabled": false})
	member.expect(401, "GET", "/api/session", "", nil)
	member.expect(401, "POST", "/api/token", "", nil)
	if end := member.open("/authorize/main"); !strings.Contains(end, "error=user_disabled") {
		t.Errorf("a disabled user ended at %s", end)
	}
	anyone.expect(200, "PATCH", person, adminKey, map[string]any{"enabled": true})
	member.expect(401, "GET", "/api/session", "", nil)
	if end := member.open("/authorize/main"); end != application+"/home" {
		t.Errorf("an enabled user ended at %s", end)
	}
	member.expect(200, "GET", "/api/session", "", nil)
	anyone.expect(204, "DELETE", "/api/admin/authenticators/main", adminKey, nil)
	if kept := s.authenticatorSecrets(); len(kept) != 0 {
		t.Errorf("Secrets Manager keeps %d secrets of a deleted authenticator", len(kept))
	}
	// The name is free, and who uses it again revives no session. A function may
	// remember the old one for ten seconds.
	anyone.expect(201, "POST", "/api/admin/authenticators", adminKey, fields)
	for deadline := time.Now().Add(11 * time.Second); ; time.Sleep(250 * time.Millisecond) {
		if member.send("GET", "/api/session", "", nil).Status == http.StatusUnauthorized {
			break
		}
		if time.Now().After(deadline) {
			t.Error("the session outlives its authenticator")
			break
		}
	}
	anyone.expect(404, "GET", "/api/nothing", "", nil)
	anyone.expect(405, "GET", "/api/token", "", nil)

	s.Close()
	lines := 0
	for id, log := range s.Logs {
		if log.String() == "" {
			t.Errorf("%s has logged nothing", id)
		}
		for line := range strings.Lines(log.String()) {
			lines++
			if !json.Valid([]byte(line)) {
				t.Errorf("%s logged what is no JSON: %s", id, line)
			}
			if _, err := metricstest.Read([]byte(line)); err != nil {
				t.Errorf("%s logged what CloudWatch would drop: %v: %s", id, err, line)
			}
			for _, kind := range known.findIn(line) {
				t.Errorf("LEAK: %s in the log of %s: %s", kind, id, line)
			}
			if strings.Contains(line, `"level":"ERROR"`) {
				t.Errorf("%s logged an error: %s", id, line)
			}
		}
	}
	known.mu.Lock()
	defer known.mu.Unlock()
	t.Logf("%d lines of log, %d confidential values, none of them there", lines, len(known.values))
}

// A first deployment knows no address of its own: the template's PublicUrl is empty,
// and the service speaks of the one that the gateway was called by.
func TestDeployedWithoutPublicURL(t *testing.T) {
	t.Parallel()
	known := &confidential{}
	simulator, weURL := startWeCom(t, known)
	s := deploy(t, map[string]string{"PublicUrl": "", "WeComApiUrl": weURL, "WeComOAuthUrl": weURL, "WeComLoginUrl": weURL})
	s.Rotate(t, strings.Repeat("1", 32))
	const public = "https://localhost"
	w := &world{t: t, url: s.URL, weCom: simulator, weURL: weURL, known: known}
	anyone := w.visitor("", wecomsim.UserAgentWeComAndroid)
	created := teststack.Decode[struct{ CallbackURL, WorkbenchHomepageLink string }](t, anyone.expect(201, "POST", "/api/admin/authenticators", s.Generated["AdminKey"], map[string]any{
		"name": "main", "corpId": corpID, "agentId": agentID, "secret": appSecret, "origin": application,
	}))
	if created.CallbackURL != public+"/callback/main" || !strings.HasPrefix(created.WorkbenchHomepageLink, public+"/authorize/main") {
		t.Errorf("created %+v", created)
	}
	discovery := teststack.Decode[map[string]any](t, anyone.expect(200, "GET", "/.well-known/openid-configuration", "", nil))
	if discovery["issuer"] != public || discovery["jwks_uri"] != public+"/.well-known/jwks.json" {
		t.Errorf("discovered %v", discovery)
	}
	out, err := url.Parse(anyone.expect(302, "GET", "/authorize/main", "", nil).Location())
	if err != nil || out.Query().Get("redirect_uri") != public+"/callback/main" {
		t.Errorf("sent to WeCom with %q (%v)", out.Query().Get("redirect_uri"), err)
	}
	lost := anyone.expect(302, "GET", "/authorize/nothing", "", nil).Location()
	if !strings.HasPrefix(lost, public+"/signin?") {
		t.Errorf("a failure leads to %s", lost)
	}
}

func (v *visitor) token() string {
	v.t.Helper()
	body := teststack.Decode[struct {
		AccessToken string `json:"access_token"`
	}](v.t, v.expect(200, "POST", "/api/token", "", nil))
	v.known.add("token", body.AccessToken)
	return body.AccessToken
}

// verify checks a token as an application's backend does.
func (w *world) verify(token string) map[string]any {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	verified, err := provider.Verifier(&oidc.Config{ClientID: application, SupportedSigningAlgs: []string{oidc.RS256}}).Verify(ctx, token)
	if err != nil {
		w.t.Fatal(err)
	}
	claims := map[string]any{}
	if err := verified.Claims(&claims); err != nil {
		w.t.Fatal(err)
	}
	return claims
}
