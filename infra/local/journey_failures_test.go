package main

import (
	"context"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// sentences are the texts of the sign-in page by language.
func sentences(t *testing.T) map[string]map[string]string {
	t.Helper()
	texts := map[string]map[string]string{}
	for _, language := range []string{"zh-CN", "en"} {
		content, err := os.ReadFile("../../shared/text/texts/" + language + "/signin.json")
		if err != nil {
			t.Fatal(err)
		}
		var read map[string]string
		if err := json.Unmarshal(content, &read); err != nil {
			t.Fatal(err)
		}
		texts[language] = read
	}
	return texts
}

// wantFailure checks everything about a journey that failed: where it ended, what
// the page says in both languages, what the log has, and that nobody is signed in.
func (b *browser) wantFailure(end ending, code, redirect string) {
	b.f.t.Helper()
	t := b.f.t
	if end.failure.Get("error") != code {
		t.Errorf("ended at %s %s, not with %s", end.Address, end.WeComPage, code)
		return
	}
	request := end.Redirects[len(end.Redirects)-1].Header.Get("Apigw-Requestid")
	want := url.Values{"error": {code}, "authenticator": {mainName}, "request": {request}}
	if redirect != "" {
		want.Set("redirect", redirect)
	}
	if diff := cmp.Diff(want, end.failure); diff != "" {
		t.Errorf("the page's address (-want +got):\n%s", diff)
	}
	if !strings.Contains(b.f.log.String(), `"requestId":"`+request+`"`) || !strings.Contains(b.f.log.String(), `"code":"`+code+`"`) {
		t.Errorf("the log does not have request %s with %s", request, code)
	}
	for language, texts := range sentences(t) {
		reader := b.clone()
		reader.Language = language
		page := reader.get(end.Address)
		text := html.UnescapeString(page.Body)
		if page.Status != http.StatusOK {
			t.Errorf("%s page: %d", language, page.Status)
		}
		for _, must := range []string{texts["error."+code+".cause"], texts["error."+code+".todo"], request, `lang="` + language + `"`} {
			if must == "" || !strings.Contains(text, must) {
				t.Errorf("the %s page does not say %q", language, must)
			}
		}
		// A way to try again, with the target.
		again := b.f.url + "/authorize/main"
		if redirect != "" {
			again += "?redirect=" + url.QueryEscape(redirect)
		}
		if !strings.Contains(text, again) {
			t.Errorf("the %s page does not offer %s", language, again)
		}
		for _, never := range []string{"from ip", "errmsg", "127.0.0.1", "qyapi", "invalid c"} {
			if strings.Contains(text, never) {
				t.Errorf("the %s page says %q", language, never)
			}
		}
	}
	if b.has(sessionCookie) {
		t.Error("a session after a failure")
	}
}

// calls is a shorter name in tables.
type calls = map[string]int

// What fails at WeCom or in its answers, on a first sign-in with a target.
func TestFailureAtWeCom(t *testing.T) {
	t.Parallel()
	const (
		token  = wecomsim.PathGetToken
		info   = wecomsim.PathGetUserInfo
		detail = wecomsim.PathGetUserDetail
		member = wecomsim.PathGetUser
	)
	for _, test := range []struct {
		name   string
		faults []wecomsim.Fault
		code   string // empty: the sign-in succeeds
		calls  calls
	}{
		{"busy twice then fine", []wecomsim.Fault{wecomsim.Busy(2).On(info)}, "", calls{token: 1, info: 4, detail: 1, member: 1}},
		{"busy twice at gettoken", []wecomsim.Fault{wecomsim.Busy(2).On(token)}, "", calls{token: 3, info: 2, detail: 1, member: 1}},
		{"busy to the end", []wecomsim.Fault{wecomsim.Busy(0).On(info)}, "wecom_busy", calls{token: 1, info: 3}},
		{"busy to the end at gettoken", []wecomsim.Fault{wecomsim.Busy(0).On(token)}, "wecom_busy", calls{token: 3}},
		{"busy to the end at getuserdetail", []wecomsim.Fault{wecomsim.Busy(0).On(detail)}, "wecom_busy", calls{token: 1, info: 2, detail: 3}},
		{"too many at once twice", []wecomsim.Fault{wecomsim.Refuse(45033, 2).On(info)}, "", calls{token: 1, info: 4, detail: 1, member: 1}},
		{"too many at once to the end", []wecomsim.Fault{wecomsim.Refuse(45033, 0).On(info)}, "wecom_busy", calls{token: 1, info: 3}},
		{"too often", []wecomsim.Fault{wecomsim.Refuse(45009, 0).On(info)}, "wecom_busy", calls{token: 1, info: 1}},
		{"too often at gettoken", []wecomsim.Fault{wecomsim.Refuse(45009, 0).On(token)}, "wecom_busy", calls{token: 1}},
		{"bad gateway", []wecomsim.Fault{wecomsim.BadGateway(0).On(info)}, "wecom_unavailable", calls{token: 1, info: 1}},
		{"bad gateway once at gettoken", []wecomsim.Fault{wecomsim.BadGateway(1).On(token)}, "", calls{token: 2, info: 2, detail: 1, member: 1}},
		{"bad gateway at gettoken", []wecomsim.Fault{wecomsim.BadGateway(0).On(token)}, "wecom_unavailable", calls{token: 2}},
		{"broken JSON", []wecomsim.Fault{wecomsim.Broken(wecomsim.BodyBroken, 0).On(info)}, "wecom_unavailable", calls{token: 1, info: 1}},
		{"broken JSON of the detail", []wecomsim.Fault{wecomsim.Broken(wecomsim.BodyBroken, 0).On(detail)}, "wecom_unavailable", calls{token: 1, info: 2, detail: 1}},
		{"no body", []wecomsim.Fault{wecomsim.Broken(wecomsim.BodyEmpty, 0).On(info)}, "wecom_unavailable", calls{token: 1, info: 1}},
		{"8 MB", []wecomsim.Fault{wecomsim.Broken(wecomsim.BodyOversized, 0).On(info)}, "wecom_unavailable", calls{token: 1, info: 1}},
		{"a page of a middlebox", []wecomsim.Fault{wecomsim.Broken(wecomsim.BodyHTML, 0).On(info)}, "wecom_unavailable", calls{token: 1, info: 1}},
		{"connection cut", []wecomsim.Fault{wecomsim.CutOff(0).On(info)}, "wecom_unavailable", calls{token: 1, info: 1}},
		{"answer lost after the code was spent", []wecomsim.Fault{wecomsim.CutOff(1).On(info).Lost()}, "wecom_unavailable", calls{token: 1, info: 1}},
		{"slow", []wecomsim.Fault{wecomsim.Slow(300 * time.Millisecond)}, "", calls{token: 1, info: 2, detail: 1, member: 1}},
		{"hanging", []wecomsim.Fault{wecomsim.Hang(0).On(info)}, "wecom_unavailable", calls{token: 1, info: 1}},
		{"hanging at gettoken", []wecomsim.Fault{wecomsim.Hang(0).On(token)}, "wecom_unavailable", calls{token: 1}},
		{"hanging at user/get", []wecomsim.Fault{wecomsim.Hang(1).On(member)}, "", calls{token: 1, info: 2, detail: 1, member: 2}},
		{"address not trusted", []wecomsim.Fault{wecomsim.Refuse(60020, 0).On(info)}, "wecom_configuration", calls{token: 1, info: 1}},
		{"address not trusted, seen at the detail", []wecomsim.Fault{wecomsim.Refuse(60020, 0).On(detail)}, "wecom_configuration", calls{token: 1, info: 2, detail: 1}},
		{"secret refused", []wecomsim.Fault{wecomsim.Refuse(40001, 0).On(token)}, "wecom_configuration", calls{token: 1}},
		{"corp refused", []wecomsim.Fault{wecomsim.Refuse(40013, 0).On(token)}, "wecom_configuration", calls{token: 1}},
		{"domain not trusted", []wecomsim.Fault{wecomsim.Refuse(50001, 0).On(info)}, "wecom_configuration", calls{token: 1, info: 1}},
		{"no right", []wecomsim.Fault{wecomsim.Refuse(48002, 0).On(info)}, "wecom_configuration", calls{token: 1, info: 1}},
		{"app disabled", []wecomsim.Fault{wecomsim.Refuse(50003, 0).On(info)}, "wecom_configuration", calls{token: 1, info: 1}},
		{"code refused", []wecomsim.Fault{wecomsim.Refuse(40029, 0).On(info)}, "code_invalid", calls{token: 1, info: 1}},
		{"ticket refused", []wecomsim.Fault{wecomsim.Refuse(40058, 0).On(detail)}, "phone_not_shared", calls{token: 1, info: 2, detail: 1}},
		{"name refused", []wecomsim.Fault{wecomsim.Refuse(60011, 0).On(member)}, "", calls{token: 1, info: 2, detail: 1, member: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			for _, fault := range test.faults {
				f.weCom.Inject(fault)
			}
			b := f.inWeCom("zhangsan")
			// In time: the gateway of the fixture has the template's time limits.
			end := b.open("/authorize/main?redirect=%2Forders%3Fid%3D7")
			if test.code != "" {
				b.wantFailure(end, test.code, "/orders?id=7")
			} else if end.Address != application+"/orders?id=7" {
				t.Errorf("ended at %s", end.Address)
			}
			f.wantCalls(test.calls)
			if want := map[bool]int{true: 1, false: 0}[test.code == ""]; len(f.users()) != want {
				t.Errorf("%d users", len(f.users()))
			}
			if test.code == "" {
				return
			}
			// When WeCom is well again, so is the member, by the page's own button.
			f.weCom.ClearFaults()
			f.wait(2 * time.Minute) // a refused secret is remembered for one
			if end := b.open("/authorize/main?redirect=%2Forders%3Fid%3D7"); end.Address != application+"/orders?id=7" {
				t.Errorf("the second try ended at %s", end.Address)
			}
		})
	}
}

func TestFailureWeComIsDown(t *testing.T) {
	t.Parallel()
	f := newFixture(t, weComDown)
	b := f.inWeCom("zhangsan")
	b.wantFailure(b.open("/authorize/main?redirect=/x"), "wecom_unavailable", "/x")
}

// A secret that WeCom refuses is asked for once a minute: WeCom blocks addresses
// that keep trying.
func TestFailureRefusedSecretIsAskedOncePerMinute(t *testing.T) {
	t.Parallel()
	f := newFixture(t, with("secret", "not-the-secret-of-the-app-0123456789abcdefg"))
	b := f.inWeCom("zhangsan")
	for _, want := range []int{1, 1, 1} {
		b.wantFailure(b.open("/authorize/main"), "wecom_configuration", "")
		if n := f.weCom.Calls(wecomsim.PathGetToken); n != want {
			t.Errorf("gettoken was called %d times", n)
		}
		f.wait(19 * time.Second)
	}
	f.restart() // the memory is in the store
	b.open("/authorize/main")
	f.wantCalls(calls{wecomsim.PathGetToken: 1})
	f.wait(5 * time.Second)
	b.open("/authorize/main")
	f.wantCalls(calls{wecomsim.PathGetToken: 2})
	// So does a check, which finds the secret put right at WeCom's side.
	f.weCom.ResetCalls()
	const put = "not-the-secret-of-the-app-0123456789abcdefg"
	f.known.add("app secret", put)
	if err := f.weCom.ResetSecret(corpID, agentID, put); err != nil {
		t.Fatal(err)
	}
	b.wantFailure(b.open("/authorize/main"), "wecom_configuration", "")
	if a := f.mustAdmin(http.StatusOK, http.MethodPost, "/authenticators/main/check", nil); !strings.Contains(a.Body, `"ok":true`) {
		t.Errorf("check: %s", a.Body)
	}
	if n := f.weCom.Calls(wecomsim.PathGetToken); n != 1 {
		t.Errorf("gettoken was called %d times", n)
	}
	b.signIn("/authorize/main")
	if err := f.weCom.ResetSecret(corpID, agentID, appSecret); err != nil {
		t.Fatal(err)
	}
	b.post("/api/signout")
	b.wantFailure(b.open("/authorize/main"), "wecom_configuration", "")
	// A changed secret ends the wait too.
	f.mustAdmin(http.StatusOK, http.MethodPatch, "/authenticators/main", map[string]any{"secret": appSecret})
	b.signIn("/authorize/main")
}

// An access token that ends early is replaced once, and nobody notices; one that is
// refused again is an administrator's matter.
func TestFailureTokenEndsEarly(t *testing.T) {
	t.Parallel()
	for _, errcode := range []int{42001, 40014} {
		f := newFixture(t)
		b := f.inWeCom("zhangsan")
		b.signIn("/authorize/main")
		f.weCom.ResetCalls()
		if err := f.weCom.RevokeTokens(corpID, agentID, errcode); err != nil {
			t.Fatal(err)
		}
		b.signIn("/authorize/main")
		f.wantCalls(calls{wecomsim.PathGetToken: 1, wecomsim.PathGetUserInfo: 2})

		f.wait(3 * time.Second) // a second replacement waits for two
		f.weCom.ResetCalls()
		f.weCom.Inject(wecomsim.Refuse(errcode, 0).On(wecomsim.PathGetUserInfo))
		b.post("/api/signout")
		b.wantFailure(b.open("/authorize/main"), "wecom_configuration", "")
		if n := f.weCom.Calls(wecomsim.PathGetToken); n != 1 {
			t.Errorf("%d: gettoken was called %d times", errcode, n)
		}
	}
	// Its natural end costs one call, before anybody waits for a refusal.
	f := newFixture(t)
	b := f.inWeCom("zhangsan")
	b.signIn("/authorize/main")
	f.weCom.ResetCalls()
	f.wait(2*time.Hour + time.Minute)
	b.signIn("/authorize/main")
	f.wantCalls(calls{wecomsim.PathGetToken: 1, wecomsim.PathGetUserInfo: 1})
}

// Who the member is, and what they share.
func TestFailureOfVisitor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		member  wecomsim.Browser
		desktop bool
		code    string
		stopped wecomsim.Page // WeCom ends on a page of its own
		users   int
	}{
		{name: "not yet known, in a browser", member: wecomsim.Browser{UserID: "zhangsan"}, desktop: true, code: "first_sign_in_in_wecom"},
		{name: "no phone in the directory", member: wecomsim.Browser{UserID: "nophone"}, code: "phone_not_shared"},
		{name: "phone is no number", member: wecomsim.Browser{UserID: "badphone"}, code: "phone_invalid"},
		{name: "consent refused", member: wecomsim.Browser{UserID: "zhangsan", Deny: true}, code: "access_denied"},
		{name: "consent without the phone", member: wecomsim.Browser{UserID: "zhangsan", Consent: wecomsim.ConsentTo(wecomsim.FieldAvatar)}, code: "phone_not_shared"},
		{name: "consent to nothing", member: wecomsim.Browser{UserID: "zhangsan", Consent: wecomsim.ConsentNone()}, code: "phone_not_shared"},
		{name: "consent to the phone alone", member: wecomsim.Browser{UserID: "zhangsan", Consent: wecomsim.ConsentTo(wecomsim.FieldMobile)}, users: 1},
		{name: "refused in a browser", member: wecomsim.Browser{UserID: "zhangsan", Deny: true}, desktop: true, code: "access_denied"},
		{name: "disabled in WeCom", member: wecomsim.Browser{UserID: "disabled"}, code: "user_disabled"},
		{name: "not activated", member: wecomsim.Browser{UserID: "inactive"}, users: 1},
		{name: "no member", member: wecomsim.Browser{UserID: "oVisitor0000000000000001"}, code: "not_a_member"},
		{name: "no member, in a browser", member: wecomsim.Browser{UserID: "oVisitor0000000000000001"}, desktop: true, code: "not_a_member"},
		{name: "member of a connected company", member: wecomsim.Browser{UserID: "ww0a1b2c3d4e5f6071/partner"}, code: "other_corp"},
		{name: "member of an unconnected company", member: wecomsim.Browser{UserID: otherCorpID + "/elsewhere"}, code: "not_a_member"},
		{name: "outside of the app's range", member: wecomsim.Browser{UserID: "outside"}, stopped: wecomsim.PageNoPermission},
		{name: "outside of the app's range, in a browser", member: wecomsim.Browser{UserID: "outside"}, desktop: true, stopped: wecomsim.PageNoPermission},
		{name: "consent after twenty minutes", member: wecomsim.Browser{UserID: "zhangsan"}, code: "slow"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			b := f.inWeCom("")
			if test.desktop {
				b = f.onDesktop("")
			}
			b.Member = test.member
			if test.code == "slow" {
				b.Member.BeforeAnswer = func() { f.wait(20 * time.Minute) }
				b.KeepExpired = true
				b.wantFailure(b.open("/authorize/main?redirect=/x"), "state_expired", "/x")
				return
			}
			end := b.open("/authorize/main?redirect=/x")
			switch {
			case test.stopped != "":
				if end.WeComPage != test.stopped {
					t.Errorf("ended at %s %s", end.Address, end.WeComPage)
				}
			case test.code != "":
				b.wantFailure(end, test.code, "/x")
			case end.Address != application+"/x":
				t.Errorf("ended at %s", end.Address)
			}
			if n := len(f.users()); n != test.users {
				t.Errorf("%d users", n)
			}
		})
	}
}

// A member who has left is seen as nobody's member, or with status 5.
func TestFailureLeftMember(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.inWeCom("left")
	b.wantFailure(b.open("/authorize/main"), "not_a_member", "")
	f.weCom.Change(func(c *wecomsim.Choices) { c.LeftMemberIsReadable = true })
	b.wantFailure(b.open("/authorize/main"), "user_disabled", "")
	if n := len(f.users()); n != 0 {
		t.Errorf("%d users", n)
	}
}

// Whoever inherits a telephone number does not inherit the account.
func TestFailurePhoneInUse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.inWeCom("zhangsan").signIn("/authorize/main")
	if err := f.weCom.ChangeMember(corpID, "lisi", func(m *wecomsim.Member) { m.Mobile = "+86 13800000001" }); err != nil {
		t.Fatal(err)
	}
	b := f.inWeCom("lisi")
	end := b.open("/authorize/main")
	b.wantFailure(end, "phone_in_use", "")
	if strings.Contains(end.Page.Body, "zhangsan") || strings.Contains(end.Page.Body, "lisi") {
		t.Error("the page names somebody")
	}
	if log := f.log.String(); !strings.Contains(log, "zhangsan") || !strings.Contains(log, "lisi") {
		t.Error("the log does not name both")
	}
}

func TestFailureSignupClosed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, with("autoSignup", false))
	b := f.inWeCom("zhangsan")
	b.wantFailure(b.open("/authorize/main"), "signup_closed", "")
	if n := len(f.users()); n != 0 {
		t.Errorf("%d users", n)
	}
}

// A member who loses the app between two rounds is told, one who has an account
// keeps it.
func TestFailureMemberOutOfRange(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	lisi := f.inWeCom("lisi")
	lisi.signIn("/authorize/main")
	nobody := func() {
		if err := f.weCom.ChangeApp(corpID, agentID, func(a *wecomsim.App) { a.VisibleUserIDs = []string{} }); err != nil {
			t.Error(err)
		}
	}
	b := f.inWeCom("zhangsan")
	b.Member.BeforeAnswer = nobody // while the consent page is on the screen
	b.wantFailure(b.open("/authorize/main"), "phone_not_shared", "")
	lisi.signIn("/authorize/main")
}

// A name that WeCom would not tell is asked for at the next sign-in.
func TestFailureNameComesLater(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.weCom.Inject(wecomsim.Refuse(60111, 1).On(wecomsim.PathGetUser))
	b := f.inWeCom("zhangsan")
	b.signIn("/authorize/main")
	if got := b.session().User.Name; got != "zhangsan" {
		t.Errorf("the name is %q", got)
	}
	f.weCom.ResetCalls()
	b.signIn("/authorize/main")
	f.wantCalls(calls{wecomsim.PathGetUserInfo: 1, wecomsim.PathGetUser: 1})
	f.weCom.ResetCalls()
	b.signIn("/authorize/main")
	f.wantCalls(calls{wecomsim.PathGetUserInfo: 1})
	if got := b.session().User.Name; got != "张三" {
		t.Errorf("the name is %q", got)
	}
}

// WeCom on a desktop may open the callback in the system's browser, which has no
// cookie of the attempt: the member signs in there, as in any browser.
func TestFailureClientOpensAnotherBrowser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.inWeCom("zhangsan").signIn("/authorize/main")
	client := f.inWeCom("zhangsan")
	client.UserAgent = wecomsim.UserAgentWeComWindows
	system := f.onDesktop("zhangsan")
	if end := system.signIn(client.callback("/authorize/main?redirect=/x")); end.Address != application+"/x" || end.WeCom != 1 || system.signedInAs() != "zhangsan" {
		t.Errorf("ended at %s after %d redirects", end.Address, end.WeCom)
	}
}

// Consent may happen in a webview of its own. Once, the sign-in starts again there;
// when it loses the cookie every time, that must end.
func TestFailureCookieLostInTheSecondRound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		times int
		code  string
		weCom int
	}{
		{"once", 1, "", 4},
		{"always", 100, "cookies_blocked", 4},
	} {
		f := newFixture(t)
		b := f.inWeCom("zhangsan")
		lost := 0
		learn := b.OnAnswer
		b.OnAnswer = func(a testbrowser.Answer) {
			learn(a)
			if lost < test.times && strings.Contains(a.Location(), "snsapi_privateinfo") {
				lost++
				b.Forget(attemptCookie)
			}
		}
		end := b.open("/authorize/main?redirect=/x")
		switch {
		case test.code != "":
			b.wantFailure(end, test.code, "/x")
		case end.Address != application+"/x":
			t.Errorf("%s: ended at %s", test.name, end.Address)
		}
		if end.WeCom != test.weCom {
			t.Errorf("%s: %d redirects to WeCom", test.name, end.WeCom)
		}
	}
}

// The first sign-in in a browser shows what to open in WeCom, as a link and a code.
func TestFailureFirstSignInOffersWeCom(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	end := f.onDesktop("zhangsan").open("/authorize/main?redirect=/x")
	link := f.url + "/authorize/main?redirect=%2Fx"
	if !strings.Contains(html.UnescapeString(end.Page.Body), `value="`+link+`"`) || !strings.Contains(end.Page.Body, `<svg class="code"`) {
		t.Errorf("no link or no code: %.900s", end.Page.Body)
	}
	if end := f.inWeCom("zhangsan").signIn(link); end.Address != application+"/x" {
		t.Errorf("the link ended at %s", end.Address)
	}
	f.onDesktop("zhangsan").signIn(link)
}

// What happens to the state and its cookie between going out and coming back.
func TestFailureOfState(t *testing.T) {
	t.Parallel()
	const out = "/authorize/main?redirect=/x"
	for _, test := range []struct {
		name   string
		before func(b *browser)
		// change makes another callback of the one that WeCom gave.
		change func(b *browser, callback string) string
		code   string // empty: signed in
		weCom  int    // redirects after the first callback
	}{
		{name: "as it should be"},
		{name: "state dropped", change: without("state"), code: "state_invalid"},
		{name: "state empty", change: replaced("state", ""), code: "state_invalid"},
		{name: "state dropped, code dropped", change: func(b *browser, c string) string { return without("state")(b, without("code")(b, c)) }, code: "state_invalid"},
		{name: "state given twice", change: func(_ *browser, c string) string { return c + "&state=AAAAAAAAAAAAAAAAAAAAAAAAAA" }, code: "state_invalid"},
		{name: "code given twice", change: func(_ *browser, c string) string { return c + "&code=x" }, code: "state_invalid"},
		{name: "code dropped", change: without("code"), code: "access_denied"},
		{name: "code altered", change: replaced("code", "x"), code: "code_invalid"},
		// No cookie is for an altered state: the browser starts once more.
		{name: "state altered", change: replaced("state", "AAAAAAAAAAAAAAAAAAAAAAAAAA"), weCom: 1},
		{name: "state with signs", change: replaced("state", "-_.=%2B"), weCom: 1},
		{name: "cookie lost once", change: func(b *browser, c string) string { b.Forget(attemptCookie); return c }, weCom: 1},
		{name: "cookie does not open", change: func(b *browser, c string) string { b.damage(attemptCookie); return c }, code: "state_invalid"},
		{name: "cookies off", before: func(b *browser) { b.BlockCookies = true }, code: "cookies_blocked", weCom: 1},
		{
			name: "twenty minutes, the browser forgets the cookie", weCom: 1,
			change: func(b *browser, c string) string { b.f.wait(20 * time.Minute); return c },
		},
		{
			name: "twenty minutes, the browser keeps the cookie", code: "state_expired",
			before: func(b *browser) { b.KeepExpired = true },
			change: func(b *browser, c string) string { b.f.wait(20 * time.Minute); return c },
		},
		{
			name: "six minutes: the code is over", code: "code_invalid",
			change: func(b *browser, c string) string { b.f.wait(6 * time.Minute); return c },
		},
		{
			name:   "restart in between",
			change: func(b *browser, c string) string { b.f.restart(); return c },
		},
		{
			name:   "kill in between",
			change: func(b *browser, c string) string { b.f.crash(); return c },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.inWeCom("zhangsan").signIn("/authorize/main")
			b := f.onDesktop("zhangsan")
			if test.before != nil {
				test.before(b)
			}
			callback := b.callback(out)
			if test.change != nil {
				callback = test.change(b, callback)
			}
			end := b.open(callback)
			if test.code != "" {
				b.wantFailure(end, test.code, "/x")
			} else if end.Address != application+"/x" || b.signedInAs() != "zhangsan" {
				t.Errorf("ended at %s", end.Address)
			}
			if end.WeCom != test.weCom {
				t.Errorf("%d more redirects to WeCom", end.WeCom)
			}
		})
	}
}

func without(name string) func(*browser, string) string {
	return func(_ *browser, callback string) string {
		u, err := url.Parse(callback)
		if err != nil {
			return callback
		}
		query := u.Query()
		query.Del(name)
		u.RawQuery = query.Encode()
		return u.String()
	}
}

func replaced(name, value string) func(*browser, string) string {
	return func(b *browser, callback string) string {
		return without(name)(b, callback) + "&" + name + "=" + value
	}
}

// damage alters cookies.
func (b *browser) damage(prefix string) {
	for name, value := range b.Cookies(prefix) {
		first := "A"
		if value[0] == 'A' {
			first = "B"
		}
		b.SetCookie(name, first+value[1:])
	}
}

// WeCom's own bends of the way back, in the client and in a browser.
func TestFailureBentCallback(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		bend wecomsim.CallbackFault
		code string // empty: signed in after one round more
	}{
		{"state dropped", wecomsim.CallbackFault{Times: 1, DropState: true}, "state_invalid"},
		{"state altered once", wecomsim.CallbackFault{Times: 1, AlterState: true}, ""},
		{"state altered always", wecomsim.CallbackFault{AlterState: true}, "cookies_blocked"},
		{"code dropped", wecomsim.CallbackFault{Times: 1, DropCode: true}, "access_denied"},
		{"both dropped", wecomsim.CallbackFault{Times: 1, DropCode: true, DropState: true}, "state_invalid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.weCom.InjectCallback(test.bend)
			b := f.inWeCom("zhangsan")
			end := b.open("/authorize/main?redirect=/x")
			if test.code != "" {
				b.wantFailure(end, test.code, "/x")
			} else if end.Address != application+"/x" || b.signedInAs() != "zhangsan" {
				t.Errorf("ended at %s", end.Address)
			}
		})
	}
}

// The webview that asks twice, the member who presses Back, the link that is
// opened again.
func TestFailureCallbackTwice(t *testing.T) {
	t.Parallel()
	// What the first request meets decides what the second is answered.
	for _, test := range []struct {
		name  string
		known bool // a returning member
		fault wecomsim.Fault
		code  string // of both, or empty
	}{
		{name: "returning", known: true},
		{name: "first sign-in"},
		{name: "refused", fault: wecomsim.Refuse(48002, 1).On(wecomsim.PathGetUserDetail), code: "wecom_configuration"},
		// The code is spent and nobody knows whose it was.
		{name: "answer lost", known: true, fault: wecomsim.CutOff(1).On(wecomsim.PathGetUserInfo).Lost(), code: "wecom_unavailable"},
	} {
		for _, way := range []string{"at once", "ten times at once", "after the answer", "after the client gave up"} {
			t.Run(test.name+" "+way, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				if test.known {
					f.inWeCom("zhangsan").signIn("/authorize/main")
				}
				b := f.inWeCom("zhangsan")
				callback := b.callback("/authorize/main?redirect=/x")
				if !test.known {
					// The round that matters is the second, with the phone.
					a := b.get(callback)
					callback = b.atWeCom(a.Location())
				}
				if test.code != "" {
					fault := test.fault
					if way == "after the client gave up" {
						fault.Delay = 200 * time.Millisecond
					}
					f.weCom.Inject(fault)
				}
				answers := b.twice(callback, way)
				for i, a := range answers {
					end := ending{Navigation: testbrowser.Navigation{Address: a.Location(), Redirects: []testbrowser.Answer{a}}}
					if test.code == "" {
						if a.Redirect() != application+"/x" {
							t.Errorf("request %d: %s", i, a.Location())
						}
						continue
					}
					end.failure = queryOf(a.Location())
					b.wantFailure(end, test.code, "/x")
				}
				if test.code == "" {
					if b.signedInAs() != "zhangsan" {
						t.Errorf("signed in as %q", b.signedInAs())
					}
					ids := map[string]bool{}
					for _, a := range answers {
						ids[a.Cookie(sessionCookie).Value] = true
					}
					if len(ids) != 1 {
						t.Errorf("%d sessions of one state", len(ids))
					}
				}
				if want := map[bool]int{true: 1, false: 0}[test.code == "" || test.known]; len(f.users()) != want {
					t.Errorf("%d users", len(f.users()))
				}
			})
		}
	}
}

// The first round of a first sign-in, asked twice: both go on, each with a state of
// its own, and whichever the webview follows signs in.
func TestFailureFirstRoundTwice(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"at once", "after the answer", "after the client gave up"} {
		f := newFixture(t)
		b := f.inWeCom("zhangsan")
		answers := b.twice(b.callback("/authorize/main?redirect=/x"), way)
		states := map[string]bool{}
		for _, a := range answers {
			query := queryOf(a.Location())
			states[query.Get("state")] = true
			if !strings.HasPrefix(a.Location(), f.weURL) || query.Get("scope") != "snsapi_privateinfo" || query.Get("agentid") != agentID {
				t.Errorf("%s: %d %s", way, a.Status, a.Location())
			}
		}
		if len(states) != len(answers) {
			t.Errorf("%s: %d states for %d answers", way, len(states), len(answers))
		}
		for _, a := range answers {
			if end := b.open(b.atWeCom(a.Location())); end.Address != application+"/x" || end.WeCom != 0 {
				t.Errorf("%s: ended at %s", way, end.Address)
			}
		}
		if n := len(f.users()); n != 1 || b.signedInAs() != "zhangsan" {
			t.Errorf("%s: %d users, signed in as %q", way, n, b.signedInAs())
		}
	}
}

// twice sends the callback twice, from the same state of the browser.
func (b *browser) twice(callback, way string) []testbrowser.Answer {
	b.f.t.Helper()
	first, second := b.Request(b.f.t, http.MethodGet, callback), b.Request(b.f.t, http.MethodGet, callback)
	switch way {
	case "at once", "ten times at once":
		requests := []*http.Request{first, second}
		for way != "at once" && len(requests) < 10 {
			requests = append(requests, b.Request(b.f.t, http.MethodGet, callback))
		}
		var group sync.WaitGroup
		answers := make([]testbrowser.Answer, len(requests))
		for i, r := range requests {
			group.Go(func() { answers[i], _ = b.Do(r) })
		}
		group.Wait()
		for _, a := range answers {
			b.Keep(a)
		}
		return answers
	case "after the answer":
		return []testbrowser.Answer{b.get(callback), b.get(callback)}
	default: // the client gives up while WeCom is asked
		// Slower than the first request's own fault, so that on a busy machine, too, the
		// first one spends the code.
		b.f.weCom.Inject(wecomsim.Slow(500 * time.Millisecond))
		ctx, cancel := context.WithTimeout(b.f.t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := b.Do(first.WithContext(ctx)); err == nil {
			b.f.t.Error("the first request was not given up")
		}
		return []testbrowser.Answer{b.get(callback)}
	}
}

// The Back button: signed in already, so straight on; signed out since, never again.
func TestFailureBackButton(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.inWeCom("zhangsan")
	b.signIn("/authorize/main")
	callback := b.callback("/authorize/main?redirect=/x")
	b.open(callback)
	f.weCom.ResetCalls()
	if end := b.open(callback); end.Address != application+"/x" {
		t.Errorf("Back ended at %s", end.Address)
	}
	f.wantCalls(calls{})
	before := b.clone()
	b.post("/api/signout")
	if end := before.open(callback); end.Address == application+"/x" && end.WeCom == 0 {
		t.Error("Back signed in again after sign-out")
	}
}

// A link with a code, opened in another browser or a second time: whoever comes
// without the cookie signs in for themselves.
func TestFailureLinkOpenedElsewhere(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.inWeCom("zhangsan").signIn("/authorize/main")
	f.inWeCom("lisi").signIn("/authorize/main")
	b := f.onDesktop("zhangsan")
	callback := b.callback("/authorize/main?redirect=/x")
	other := f.onDesktop("lisi")
	if end := other.open(callback); end.Address != application+"/x" || end.WeCom != 1 || other.signedInAs() != "lisi" {
		t.Errorf("the other browser ended at %s as %q", end.Address, other.signedInAs())
	}
	// The code was not spent by that.
	if end := b.open(callback); end.Address != application+"/x" || end.WeCom != 0 || b.signedInAs() != "zhangsan" {
		t.Errorf("the own browser ended at %s as %q", end.Address, b.signedInAs())
	}
	// And the link a second time, in a third one.
	third := f.onDesktop("lisi")
	if end := third.open(callback); end.WeCom != 1 || third.signedInAs() != "lisi" {
		t.Errorf("the third browser ended at %s as %q", end.Address, third.signedInAs())
	}
}
