package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/local/demo"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// firstSignIn is what a first sign-in asks of WeCom; a returning one needs oneCall.
func firstSignIn() map[string]int {
	return map[string]int{wecomsim.PathGetToken: 1, wecomsim.PathGetUserInfo: 2, wecomsim.PathGetUserDetail: 1, wecomsim.PathGetUser: 1}
}

func oneCall() map[string]int { return map[string]int{wecomsim.PathGetUserInfo: 1} }

func (f *fixture) wantCalls(want map[string]int) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.weCom.CallsByPath()); diff != "" {
		f.t.Errorf("calls of WeCom (-want +got):\n%s", diff)
	}
}

func TestJourneyFirstSignInAndReturn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	phone := f.inWeCom("zhangsan")
	phone.wantOpen("/authorize/main?redirect=%2Fadmin%3Ftab%3D1", "/admin?tab=1", 2)
	f.wantCalls(firstSignIn())

	raw := testbrowser.Decode[map[string]json.RawMessage](t, phone.get("/api/session"))
	var user map[string]json.RawMessage
	f.must(json.Unmarshal(raw["user"], &user))
	if got, want := keysOf(raw), "authenticator corpId departments expiresAt signedInAt user wecomUserId"; got != want {
		t.Errorf("the session has %s", got)
	}
	if got, want := keysOf(user), "avatar id name phone roles"; got != want {
		t.Errorf("the session's user has %s", got)
	}
	s := phone.session()
	want := sessionEntry{Authenticator: "main", CorpID: corpID, WeComUserID: "zhangsan"}
	want.User.ID, want.User.Name, want.User.Phone = s.User.ID, "张三", "+8613800000001"
	want.User.Avatar, want.User.Roles = "https://example.com/zhangsan.png", []string{}
	want.SignedInAt, want.ExpiresAt = s.SignedInAt, s.SignedInAt.Add(8*time.Hour)
	if diff := cmp.Diff(want, *s); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
	if string(raw["signedInAt"]) != `"`+s.SignedInAt.UTC().Format(time.RFC3339)+`"` {
		t.Errorf("signedInAt is %s", raw["signedInAt"])
	}

	// Later, in the client and in a browser: one call, no question.
	for name, b := range map[string]*browser{"client": phone, "browser": f.onDesktop("zhangsan")} {
		f.weCom.ResetCalls()
		b.wantOpen("/authorize/main", "/", 1)
		f.wantCalls(oneCall())
		if again := b.session(); again == nil || again.User.ID != s.User.ID {
			t.Errorf("%s: another user: %+v", name, again)
		}
	}
	if users := f.users(); len(users) != 1 || len(users[0].Identities) != 1 {
		t.Errorf("users: %+v", users)
	}
}

func keysOf[T any](object map[string]T) string {
	return strings.Join(slices.Sorted(maps.Keys(object)), " ")
}

// Every client of WeCom signs in by its own link, everything else by the
// browser's, where a first sign-in is explained.
func TestJourneyEveryUserAgent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, userAgent := range []string{
		wecomsim.UserAgentWeComAndroid, wecomsim.UserAgentWeComIPhone, wecomsim.UserAgentWeComWindows, wecomsim.UserAgentWeComMac,
		wecomsim.UserAgentBrowser, wecomsim.UserAgentWeChat, "", "curl/8",
	} {
		b := f.inWeCom("WangWu")
		b.UserAgent = userAgent
		end := b.open("/authorize/main")
		inside, want := strings.Contains(userAgent, "wxwork"), "first_sign_in_in_wecom"
		if userAgent == wecomsim.UserAgentWeChat { // on the in-client page, where nobody else gets in
			want = "not_a_member"
		}
		if inside && (end.Address != application+"/" || end.WeCom != 2) || !inside && end.failure.Get("error") != want {
			t.Errorf("%q ended at %s %s after %d redirects", userAgent, end.Address, end.WeComPage, end.WeCom)
		}
		if !inside {
			continue
		}
		s := b.session()
		if s.User.Phone != "+447700900123" || s.WeComUserID != "WangWu" {
			t.Errorf("%+v", s)
		}
		f.weCom.ForgetConsent()
		f.mustAdmin(http.StatusNoContent, http.MethodDelete, "/users/"+s.User.ID, nil)
	}
}

// WeCom compares userids without case, and may spell one in another way tomorrow.
func TestJourneyUserIDInAnotherCase(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.signedIn("WangWu")
	id := b.session().User.ID
	f.must(f.weCom.ChangeMember(corpID, "WangWu", func(m *wecomsim.Member) { m.UserID = "wangWU" }))
	if end := b.signIn("/authorize/main"); end.WeCom != 1 || b.session().User.ID != id || len(f.users()) != 1 {
		t.Errorf("after %d redirects: %+v", end.WeCom, f.users())
	}
}

// Where nobody knows what WeCom does, both ways must do.
func TestJourneyWhateverWeComChooses(t *testing.T) {
	t.Parallel()
	for name, choose := range map[string]func(*wecomsim.Choices){
		"longest values":                      func(c *wecomsim.Choices) { c.LongestValues = true },
		"no errcode in good answers":          func(c *wecomsim.Choices) { c.NoErrcodeOnSuccess = true },
		"bare errors":                         func(c *wecomsim.Choices) { c.BareErrors = true },
		"order of parameters":                 func(c *wecomsim.Choices) { c.ParameterOrderMatters = true },
		"agentid is demanded":                 func(c *wecomsim.Choices) { c.PrivateInfoNeedsAgentID = true },
		"ticket serves once":                  func(c *wecomsim.Choices) { c.TicketIsSingleUse = true },
		"no default avatar":                   func(c *wecomsim.Choices) { c.DefaultAvatarIsAbsent = true },
		"token of full life":                  func(c *wecomsim.Choices) { c.TokenRepeat = wecomsim.SameTokenFullLife },
		"new token, old one lives":            func(c *wecomsim.Choices) { c.TokenRepeat = wecomsim.NewTokenKeepsOld },
		"new token, old one dies":             func(c *wecomsim.Choices) { c.TokenRepeat = wecomsim.NewTokenKillsOld },
		"an expired token is an invalid one":  func(c *wecomsim.Choices) { c.ExpiredTokenIsInvalid = true },
		"members who left can be read":        func(c *wecomsim.Choices) { c.LeftMemberIsReadable = true },
		"a reset secret leaves tokens as are": func(c *wecomsim.Choices) { c.SecretResetKeepsTokens = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, weComWhere(func(c *wecomsim.Config) { choose(&c.Choices) }))
			b := f.signedIn("zhangsan")
			f.wantCalls(firstSignIn())
			f.weCom.ResetCalls()
			b.signIn("/authorize/main")
			f.onDesktop("zhangsan").signIn("/authorize/main")
			f.wantCalls(map[string]int{wecomsim.PathGetUserInfo: 2})
			// The whole life of a token and a little more.
			for range 5 {
				f.wait(30 * time.Minute)
				b.signIn("/authorize/main")
			}
			if n := f.weCom.Calls(wecomsim.PathGetToken); n > 2 {
				t.Errorf("gettoken was called %d times", n)
			}
		})
	}
}

// The target survives, whatever is in it, and always stays on the application.
func TestJourneyTargetIsKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t, with("workbenchRedirectPath", "/home"))
	f.signedIn("zhangsan")
	long := "/" + strings.Repeat("a", 1500)
	for _, test := range []struct{ name, target, want string }{
		{"none", "", "/home"},
		{"query", "/admin?tab=1&x=a%20b&y=%2F", "/admin?tab=1&x=a%20b&y=%2F"},
		{"hash route", "/#/orders?id=7", "/#/orders?id=7"},
		{"unicode", "/订单?名=张三", "/%E8%AE%A2%E5%8D%95?%E5%90%8D=%E5%BC%A0%E4%B8%89"},
		{"plus", "/a+b?c+d", "/a+b?c+d"},
		{"address in the query", "/go?to=https://example.com/x", "/go?to=https://example.com/x"},
		{"longer than a cookie carries", long, long},
		{"code and state of its own", "/x?code=1&state=2", "/x?code=1&state=2"},
	} {
		for _, b := range []*browser{f.inWeCom("zhangsan"), f.onDesktop("zhangsan")} {
			path := "/authorize/main"
			if test.target != "" {
				path += "?redirect=" + url.QueryEscape(test.target)
			}
			b.wantOpen(path, test.want, 1)
		}
	}
}

// An application's backend needs nothing but the issuer's address.
func TestJourneyTokenIsVerifiedByStandardLibrary(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.signedIn("zhangsan")
	a := b.Send(t, http.MethodPost, "/api/token", testbrowser.Header("Origin", application))
	type tokenEntry struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}
	token := testbrowser.Decode[tokenEntry](t, a)
	if a.Status != http.StatusOK || token.TokenType != "Bearer" || token.ExpiresIn <= 0 || token.ExpiresIn > 900 {
		t.Errorf("%d %s %d", a.Status, token.TokenType, token.ExpiresIn)
	}
	provider, err := oidc.NewProvider(t.Context(), f.url)
	f.must(err)
	verified, err := provider.Verifier(&oidc.Config{ClientID: application, Now: f.now}).Verify(t.Context(), token.AccessToken)
	f.must(err)
	var claims map[string]any
	f.must(verified.Claims(&claims))
	s := b.session()
	for name, want := range map[string]any{
		"iss": f.url, "sub": s.User.ID, "name": "张三", "phone_number": "+8613800000001", "corp_id": corpID, "wecom_userid": "zhangsan",
	} {
		if claims[name] != want {
			t.Errorf("claim %s is %v", name, claims[name])
		}
	}
	if got, want := keysOf(claims), "aud corp_id exp iat iss jti name phone_number roles sid sub wecom_userid"; got != want {
		t.Errorf("claims %s", got)
	}
	// So does the demo application's backend.
	backend, err := demo.New(demo.Config{ServiceURL: f.url, Origin: application, Now: f.now})
	f.must(err)
	shown := testbrowser.New(testbrowser.Config{URL: application, Transport: testbrowser.Handler(backend)})
	if a := shown.Send(t, http.MethodPost, "/demo/verify", testbrowser.Bearer(token.AccessToken)); a.Status != http.StatusOK || !strings.Contains(a.Body, "张三") {
		t.Errorf("the demo application: %d %s", a.Status, a.Body)
	}
	for name, config := range map[string]*oidc.Config{
		"another application": {ClientID: "http://localhost:4999", Now: f.now},
		"after its time":      {ClientID: application, Now: func() time.Time { return f.now().Add(16 * time.Minute) }},
	} {
		if _, err := provider.Verifier(config).Verify(t.Context(), token.AccessToken); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// Near the session's end a token lasts no longer than the session.
	f.wait(8*time.Hour - time.Minute)
	if token = testbrowser.Decode[tokenEntry](t, b.post("/api/token")); token.ExpiresIn > 60 {
		t.Errorf("a token of %d s a minute before the session ends", token.ExpiresIn)
	}
	f.wait(2 * time.Minute)
	b.Expect(t, http.StatusUnauthorized, http.MethodPost, "/api/token")
}

func TestJourneySignOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, test := range []struct {
		name, accept string
		status       int
		location     string
	}{
		{"a program", "application/json", http.StatusNoContent, ""},
		{"a form", "text/html,application/xhtml+xml", http.StatusSeeOther, f.url + "/signin"},
	} {
		b := f.signedIn("zhangsan")
		thief := b.clone()
		if a := b.post("/api/signout", testbrowser.Header("Accept", test.accept)); a.Status != test.status || a.Location() != test.location {
			t.Errorf("%s: %d %s", test.name, a.Status, a.Location())
		}
		if b.count(sessionCookie) != 0 || b.session() != nil || thief.session() != nil {
			t.Errorf("%s: the cookie is kept, or the session is not over", test.name)
		}
		thief.Expect(t, http.StatusUnauthorized, http.MethodPost, "/api/token")
		// Once more does no harm.
		b.Expect(t, http.StatusNoContent, http.MethodPost, "/api/signout")
	}
}

func TestJourneyApplicationLinks(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	member := f.signedIn("zhangsan")

	for _, path := range []string{
		"/", "/admin", "/admin?a=%2F&b=c+d&%7E", "/%E8%AE%A2%E5%8D%95/7", "/a%20b", "/signin2", "/apis", "/x?redirect=//evil.test/",
	} {
		if a := member.get(path); a.Status != http.StatusFound || a.Location() != application+path {
			t.Errorf("%s with a session: %d %s", path, a.Status, a.Location())
		}
	}

	// No automatic login: the member chooses.
	for name, b := range map[string]*browser{"client": f.inWeCom("zhangsan"), "browser": f.onDesktop("zhangsan")} {
		if a := b.get("/admin?x=1"); a.Status != http.StatusFound || a.Location() != f.url+"/signin?redirect=%2Fadmin%3Fx%3D1" {
			t.Errorf("%s without a session: %d %s", name, a.Status, a.Location())
		}
	}
	page := f.onDesktop("zhangsan").open("/admin?x=1").Page
	if !strings.Contains(page.Body, f.url+"/authorize/main?redirect=%2Fadmin%3Fx%3D1") {
		t.Errorf("the page does not keep the target: %.500s", page.Body)
	}

	f.mustAdmin(http.StatusOK, http.MethodPatch, "/authenticators/main", map[string]any{"autoLogin": true})
	f.inWeCom("zhangsan").wantOpen("/admin?x=1", "/admin?x=1", 1)
	if a := f.onDesktop("zhangsan").get("/m"); a.Location() != f.url+"/signin?redirect=%2Fm" {
		t.Errorf("automatic login in a browser: %s", a.Location())
	}
	// Nobody yet: consent and all, from one link of the workbench.
	f.inWeCom("lisi").wantOpen("/m", "/m", 2)
}

func TestJourneyLoopBreaker(t *testing.T) {
	t.Parallel()
	f := newFixture(t, with("autoLogin", true))
	b := f.signedIn("zhangsan")
	// The application's script sends the browser back; no person does.
	sentBack := []testbrowser.Option{testbrowser.Header("Sec-Fetch-Site", "cross-site"), testbrowser.Header("Sec-Fetch-User", "")}
	for i := 1; i <= 5; i++ {
		if end := b.open("/admin", sentBack...); end.Address != application+"/admin" {
			t.Fatalf("redirect %d: %s", i, end.Address)
		}
	}
	end := b.open("/admin?again", sentBack...)
	if end.failure.Get("error") != "redirect_loop" || end.failure.Get("authenticator") != mainName {
		t.Errorf("sixth redirect: %s", end.Address)
	}
	// The page ends the row, and so does time.
	b.wantOpen("/admin", "/admin", 0)
	b.wantOpen("/admin", "/admin", 0)
	f.wait(11 * time.Second)
	b.wantOpen("/admin", "/admin", 0)
}

// Behind one address with its application the service never sends anybody back to
// itself.
func TestJourneySharedDomain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.mustAdmin(http.StatusOK, http.MethodPatch, "/authenticators/main", map[string]any{"origin": f.url, "autoLogin": true, "workbenchRedirectPath": "/app"})
	b := f.inWeCom("zhangsan")
	// The application's own page, which the proxy would have answered.
	if end := b.open("/authorize/main"); end.Address != f.url+"/app" || end.Page.Status != http.StatusNotFound {
		t.Errorf("ended at %s with %d", end.Address, end.Page.Status)
	}
	for name, member := range map[string]*browser{"with a session": b, "without": f.inWeCom("zhangsan"), "in a browser": f.onDesktop("zhangsan")} {
		if a := member.get("/admin"); a.Status != http.StatusNotFound || a.Location() != "" {
			t.Errorf("%s: %d %s", name, a.Status, a.Location())
		}
	}
}

// A session ends at its time, used or not.
func TestJourneySessionEndsAfterEightHours(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.signedIn("zhangsan")
	b.KeepExpired = true
	f.wait(8*time.Hour - time.Second - time.Minute)
	b.wantMember("zhangsan", "over too early")
	f.wait(time.Minute + time.Second)
	b.clone().wantMember("", "it lives on")
	f.restart()
	b.wantMember("", "it is back after a restart")
}

// A session outlives a restart and a kill of the service.
func TestJourneySessionOutlivesRestartAndKill(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.signedIn("zhangsan")
	f.crash()
	b.wantMember("zhangsan", "the session was lost by a kill")
	f.restart()
	b.wantMember("zhangsan", "the session was lost by a restart")
	// So does the access token.
	f.weCom.ResetCalls()
	b.signIn("/authorize/main")
	f.wantCalls(oneCall())
	thief := b.clone()
	b.post("/api/signout")
	f.crash()
	thief.wantMember("", "the sign-out was lost by a kill")
}

// Eight tabs, opened together, finished in another order.
func TestJourneyTabsAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.signedIn("zhangsan")
	b := f.onDesktop("zhangsan")
	var callbacks []string
	for i := range 8 {
		callbacks = append(callbacks, b.callback(fmt.Sprintf("/authorize/main?redirect=/tab%d", i)))
	}
	if n := b.count(attemptCookie); n != 8 {
		t.Errorf("%d attempts are kept", n)
	}
	for _, i := range []int{3, 0, 7, 5, 1, 6, 2, 4} {
		if a := b.get(callbacks[i]); a.Redirect() != fmt.Sprintf("%s/tab%d", application, i) {
			t.Errorf("tab %d: %s", i, a.Location())
		}
	}
	if b.signedInAs() != "zhangsan" || b.count(attemptCookie) != 0 {
		t.Errorf("signed in as %q with %d attempts left", b.signedInAs(), b.count(attemptCookie))
	}
	// All at the same moment: each signs in, and the session from before is over.
	before := b.clone()
	var requests []*http.Request
	for i := range 8 {
		callback := b.callback(fmt.Sprintf("/authorize/main?redirect=/tab%d", i))
		requests = append(requests, b.Request(t, http.MethodGet, callback))
	}
	for i, a := range b.atOnce(requests) {
		if a.Redirect() != fmt.Sprintf("%s/tab%d", application, i) {
			t.Errorf("tab %d at the same moment: %d %s", i, a.Status, a.Location())
		}
	}
	b.wantMember("zhangsan", "after all tabs")
	before.wantMember("", "the session from before")
	// A ninth pushes the first out, and that tab starts once more.
	callbacks = nil
	for i := range 9 {
		callbacks = append(callbacks, b.callback(fmt.Sprintf("/authorize/main?redirect=/tab%d", i)))
		f.wait(time.Millisecond)
	}
	if n := b.count(attemptCookie); n != 8 {
		t.Errorf("%d attempts are kept", n)
	}
	b.wantOpen(callbacks[0], "/tab0", 1)
}

// Two companies, one person: the phone says so.
func TestJourneyTwoCorpsOneUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.addOther()
	b := f.signedIn("zhangsan")
	first := b.session()
	c := f.inWeCom(otherCorpID + "/san.zhang")
	c.wantOpen("/authorize/other", "/other", 2)
	second := c.session()
	if second.User.ID != first.User.ID || second.CorpID != otherCorpID || second.WeComUserID != "san.zhang" || second.User.Name != "张三" {
		t.Errorf("%+v and %+v", first, second)
	}
	if users := f.users(); len(users) != 1 || len(users[0].Identities) != 2 {
		t.Errorf("users: %+v", users)
	}
	// Both companies' sessions live beside each other.
	b.wantMember("zhangsan", "the first session is over")
}

// Two apps of one company: one person, a token for each app and never the other's.
func TestJourneyTwoAppsOfOneCorp(t *testing.T) {
	t.Parallel()
	f := newFixture(t, weComWhere(withSecondApp))
	f.addSecondApp("second", "/second")
	b := f.signedIn("zhangsan")
	first, earlier := b.session().User.ID, b.clone()
	// Known in the corp, so known to its second app.
	b.wantOpen("/authorize/second", "/second", 1)
	if s := b.session(); s.User.ID != first || s.Authenticator != "second" || earlier.session() != nil {
		t.Errorf("session %+v", s)
	}
	for range 3 {
		b.signIn("/authorize/main")
		b.signIn("/authorize/second")
	}
	f.wantTokens(2)
}

func (f *fixture) addOther() {
	f.t.Helper()
	f.mustAdmin(http.StatusCreated, http.MethodPost, "/authenticators", map[string]any{
		"name": "other", "corpId": otherCorpID, "agentId": "1000009", "secret": otherSecret,
		"origin": application, "workbenchRedirectPath": "/other",
	})
}

// Somebody else signs in where a session lives: it is theirs now, and the earlier
// one is over, also for whoever copied its cookie.
func TestJourneySwitchingAccounts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.signedIn("zhangsan")
	earlier := b.clone()
	b.Member.UserID = "lisi"
	b.signIn("/authorize/main")
	b.wantMember("lisi", "after switching")
	earlier.wantMember("", "the earlier session")
	// The same person again ends it too: one browser, one session.
	earlier = b.clone()
	b.signIn("/authorize/main")
	earlier.wantMember("", "the session before")
	b.wantMember("lisi", "after signing in again")
}

func TestJourneyAdministration(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.signedIn("zhangsan")
	first := b.session().User.ID
	patch := func(fields map[string]any) {
		f.mustAdmin(http.StatusOK, http.MethodPatch, "/authenticators/main", fields)
	}

	// Disabled: sessions and sign-ins end, attempts under way too; enabling brings
	// no session back.
	pending := b.clone()
	callback := pending.callback("/authorize/main")
	patch(map[string]any{"enabled": false})
	b.clone().wantMember("", "the session outlives its authenticator")
	b.wantError("/authorize/main", "authenticator_disabled")
	if list := b.get("/api/authenticators"); strings.TrimSpace(list.Body) != "[]" {
		t.Errorf("offered: %s", list.Body)
	}
	pending.wantError(callback, "authenticator_disabled")
	patch(map[string]any{"enabled": true})
	b.clone().wantMember("", "enabling brought the session back")
	pending.wantError(callback, "state_invalid")
	b.signIn("/authorize/main")

	// A changed secret: the old token is not used, and a wrong secret shows at once.
	f.weCom.ResetCalls()
	const fresh = "another-secret-of-the-app-0123456789abcdefgh"
	f.known.Add("app secret", fresh)
	f.must(f.weCom.ResetSecret(corpID, agentID, fresh))
	b.wantError("/authorize/main", "wecom_configuration")
	patch(map[string]any{"secret": fresh})
	b.signIn("/authorize/main")
	patch(map[string]any{"secret": "not-the-secret-of-the-app-0123456789abcdefg"})
	b.wantError("/authorize/main", "wecom_configuration")
	patch(map[string]any{"secret": fresh})
	b.signIn("/authorize/main")

	// Another corp: its sessions are over.
	kept := b.clone()
	patch(map[string]any{"corpId": otherCorpID, "agentId": "1000009", "secret": otherSecret})
	kept.wantMember("", "the session outlives the change of the corp")
	b.Member.UserID = otherCorpID + "/elsewhere"
	b.signIn("/authorize/main")
	if s := b.session(); s.CorpID != otherCorpID || s.User.ID == first {
		t.Errorf("in the other corp: %+v", s)
	}
	patch(map[string]any{"corpId": corpID, "agentId": agentID, "secret": fresh})
	kept.wantMember("", "changing back")
	b.wantMember("", "changing back")
	b.Member.UserID = "zhangsan"
	b.signIn("/authorize/main")
	if s := b.session(); s.User.ID != first {
		t.Errorf("another user after all that: %+v", s)
	}

	// Deleted, and a namesake: it inherits nothing.
	kept = b.clone()
	pending = b.clone()
	callback = pending.callback("/authorize/main")
	f.mustAdmin(http.StatusNoContent, http.MethodDelete, "/authenticators/main", nil)
	b.wantError("/authorize/main", "authenticator_unknown")
	kept.wantMember("", "the session outlives the deleted authenticator")
	f.mustAdmin(http.StatusCreated, http.MethodPost, "/authenticators", map[string]any{
		"name": mainName, "corpId": corpID, "agentId": agentID, "secret": fresh, "origin": application,
	})
	kept.wantMember("", "the namesake inherited the session")
	pending.wantError(callback, "state_invalid")
	b.signIn("/authorize/main")
	if s := b.session(); s.User.ID != first {
		t.Errorf("another user at the namesake: %+v", s)
	}
}

func TestJourneyUserChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.signedIn("zhangsan")
	id := b.session().User.ID
	user := "/users/" + id

	// A new phone shows in the session at once, and the member stays who they are.
	f.known.Add("phone", "13700000001")
	f.mustAdmin(http.StatusOK, http.MethodPatch, user, map[string]any{"phone": "137 0000 0001", "roles": []string{"buyer"}})
	if s := b.session(); s.User.Phone != "+8613700000001" || strings.Join(s.User.Roles, " ") != "buyer" {
		t.Errorf("after the change: %+v", s)
	}
	b.signIn("/authorize/main")
	if s := b.session(); s.User.ID != id || s.User.Phone != "+8613700000001" {
		t.Errorf("after signing in: %+v", s)
	}

	// Unbound: the phone of WeCom decides, and that is nobody's now.
	f.mustAdmin(http.StatusNoContent, http.MethodDelete, user+"/identities/"+corpID+"/ZhangSan", nil)
	b.signIn("/authorize/main")
	if s := b.session(); s.User.ID == id {
		t.Errorf("after unbinding: %+v", s)
	}
	f.wantUsers(2)

	// Disabled and enabled: the session does not come back.
	second := "/users/" + b.session().User.ID
	f.mustAdmin(http.StatusOK, http.MethodPatch, second, map[string]any{"enabled": false})
	b.clone().wantMember("", "the session of a disabled user")
	b.clone().wantError("/authorize/main", "user_disabled")
	f.mustAdmin(http.StatusOK, http.MethodPatch, second, map[string]any{"enabled": true})
	b.clone().wantMember("", "enabling brought the session back")
	// All sessions of one user, at once.
	b.signIn("/authorize/main")
	c := f.onDesktop("zhangsan")
	c.signIn("/authorize/main")
	f.mustAdmin(http.StatusNoContent, http.MethodDelete, second+"/sessions", nil)
	b.wantMember("", "the end of all sessions")
	c.wantMember("", "the end of all sessions, in the other browser")
	// Deleted: phone and identity are free, the next sign-in makes a new user.
	b.signIn("/authorize/main")
	f.mustAdmin(http.StatusNoContent, http.MethodDelete, second, nil)
	b.clone().wantMember("", "the session of a deleted user")
	b.signIn("/authorize/main")
	if s := b.session(); "/users/"+s.User.ID == second {
		t.Errorf("the deleted user is back: %+v", s)
	}

	// Imported before: found by phone, named as imported.
	list := testbrowser.Body("text/csv", "phone,name,roles\n13800000002,Li Si,buyer seller\n")
	if a := b.post("/api/admin/users/import", testbrowser.Bearer(adminKey), list); a.Status != http.StatusOK || !strings.Contains(a.Body, `"created":1`) {
		t.Fatalf("import: %d %s", a.Status, a.Body)
	}
	f.mustAdmin(http.StatusOK, http.MethodPatch, "/authenticators/main", map[string]any{"autoSignup": false})
	c = f.inWeCom("lisi")
	c.signIn("/authorize/main")
	if s := c.session(); s.User.Name != "Li Si" || strings.Join(s.User.Roles, " ") != "buyer seller" || s.WeComUserID != "lisi" {
		t.Errorf("imported: %+v", s)
	}
}

func TestJourneyDomainFile(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.onDesktop("zhangsan")
	const path = "/WW_verify_AbCdEf0123456789.txt"
	if a := b.get(path); a.Status != http.StatusNotFound || a.Location() != "" {
		t.Errorf("before: %d", a.Status)
	}
	f.mustAdmin(http.StatusNoContent, http.MethodPut, "/domain-files"+path, nil)
	a := b.get(path)
	if a.Status != http.StatusOK || a.Body != "AbCdEf0123456789" || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("%d %q %s", a.Status, a.Body, a.Header.Get("Content-Type"))
	}
	b.Expect(t, http.StatusNotFound, http.MethodGet, "/WW_verify_AbCdEf0123456788.txt")
	f.mustAdmin(http.StatusNoContent, http.MethodDelete, "/domain-files"+path, nil)
	b.Expect(t, http.StatusNotFound, http.MethodGet, path)
}

// WeCom blocks whoever asks for access tokens often.
func TestJourneyManySignInsNeedOneToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t, quiet)
	f.signedIn("zhangsan")
	f.weCom.ResetCalls()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			b := f.onDesktop("zhangsan")
			for range 250 {
				if a := b.get(b.callback("/authorize/main")); a.Redirect() != application+"/" {
					t.Errorf("ended at %s", a.Location())
					return
				}
			}
		})
	}
	group.Wait()
	f.wantCalls(map[string]int{wecomsim.PathGetUserInfo: 1000})
}

// Twenty browsers at once, none of them known: one person, one user, one token.
func TestJourneySimultaneousFirstSignInsMakeOneUser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const browsers = 20
	ids := make(chan string, browsers)
	var group sync.WaitGroup
	for range browsers {
		group.Go(func() {
			b := f.inWeCom("zhangsan")
			// Two redirects, or one for a browser that comes when the user is there.
			if end := b.open("/authorize/main?redirect=/x"); end.Address != application+"/x" {
				t.Errorf("ended at %s", end.Address)
			}
			if s := b.session(); s != nil {
				ids <- s.User.ID
			}
		})
	}
	group.Wait()
	close(ids)
	found := map[string]int{}
	for id := range ids {
		found[id]++
	}
	if len(found) != 1 {
		t.Errorf("users of the sessions: %v", found)
	}
	if users := f.users(); len(users) != 1 || len(users[0].Identities) != 1 {
		t.Errorf("users: %+v", users)
	}
	f.wantTokens(1)
}
