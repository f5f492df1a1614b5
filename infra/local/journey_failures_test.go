package main

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// wantEnd checks a journey with a target: without a code it ends there, signed in.
func (b *browser) wantEnd(end ending, code, target string) {
	b.f.t.Helper()
	if code != "" {
		b.wantFailure(end, code, target)
	} else if end.Address != application+target || b.signedInAs() != b.Member.UserID {
		b.f.t.Errorf("ended at %s %s, signed in as %q", end.Address, end.WeComPage, b.signedInAs())
	}
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
	for _, language := range []text.Language{text.Chinese, text.English} {
		texts, err := text.Read(language, text.SignInArea)
		b.f.must(err)
		reader := b.clone()
		reader.Language = string(language)
		page := reader.get(end.Address)
		said := html.UnescapeString(page.Body)
		if page.Status != http.StatusOK {
			t.Errorf("%s page: %d", language, page.Status)
		}
		todo := texts["error."+code+".todo"]
		if code == string(apierr.FirstSignInInWeCom) { // this browser waits for it
			todo = texts["waiting.todo"]
		}
		for _, must := range []string{texts["error."+code+".cause"], todo, request, `lang="` + string(language) + `"`} {
			if must == "" || !strings.Contains(said, must) {
				t.Errorf("the %s page does not say %q", language, must)
			}
		}
		// A way to try again, with the target.
		again := b.f.url + "/authorize/main"
		if redirect != "" {
			again += "?redirect=" + url.QueryEscape(redirect)
		}
		if !strings.Contains(said, again) {
			t.Errorf("the %s page does not offer %s", language, again)
		}
		for _, never := range []string{"from ip", "errmsg", "127.0.0.1", "qyapi", "invalid code", "invalid credential", "invalid corpid"} {
			if strings.Contains(said, never) {
				t.Errorf("the %s page says %q", language, never)
			}
		}
	}
	if b.count(sessionCookie) != 0 {
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
		name  string
		fault wecomsim.Fault
		code  string // empty: the sign-in succeeds
		calls calls
	}{
		{"busy twice then fine", wecomsim.Busy(2).On(info), "", calls{token: 1, info: 4, detail: 1, member: 1}},
		{"busy twice at gettoken", wecomsim.Busy(2).On(token), "", calls{token: 3, info: 2, detail: 1, member: 1}},
		{"busy to the end", wecomsim.Busy(0).On(info), "wecom_busy", calls{token: 1, info: 3}},
		{"busy to the end at gettoken", wecomsim.Busy(0).On(token), "wecom_busy", calls{token: 3}},
		{"busy to the end at getuserdetail", wecomsim.Busy(0).On(detail), "wecom_busy", calls{token: 1, info: 2, detail: 3}},
		{"too many at once twice", wecomsim.Refuse(45033, 2).On(info), "", calls{token: 1, info: 4, detail: 1, member: 1}},
		{"too many at once to the end", wecomsim.Refuse(45033, 0).On(info), "wecom_busy", calls{token: 1, info: 3}},
		{"too often", wecomsim.Refuse(45009, 0).On(info), "wecom_busy", calls{token: 1, info: 1}},
		{"too often at gettoken", wecomsim.Refuse(45009, 0).On(token), "wecom_busy", calls{token: 1}},
		{"bad gateway", wecomsim.BadGateway(0).On(info), "wecom_unavailable", calls{token: 1, info: 1}},
		{"bad gateway once at gettoken", wecomsim.BadGateway(1).On(token), "", calls{token: 2, info: 2, detail: 1, member: 1}},
		{"bad gateway at gettoken", wecomsim.BadGateway(0).On(token), "wecom_unavailable", calls{token: 2}},
		{"broken JSON", wecomsim.Broken(wecomsim.BodyBroken, 0).On(info), "wecom_unavailable", calls{token: 1, info: 1}},
		{"broken JSON of the detail", wecomsim.Broken(wecomsim.BodyBroken, 0).On(detail), "wecom_unavailable", calls{token: 1, info: 2, detail: 1}},
		{"no body", wecomsim.Broken(wecomsim.BodyEmpty, 0).On(info), "wecom_unavailable", calls{token: 1, info: 1}},
		{"8 MB", wecomsim.Broken(wecomsim.BodyOversized, 0).On(info), "wecom_unavailable", calls{token: 1, info: 1}},
		{"a page of a middlebox", wecomsim.Broken(wecomsim.BodyHTML, 0).On(info), "wecom_unavailable", calls{token: 1, info: 1}},
		{"connection cut", wecomsim.CutOff(0).On(info), "wecom_unavailable", calls{token: 1, info: 1}},
		{"answer lost after the code was spent", wecomsim.CutOff(1).On(info).Lost(), "wecom_unavailable", calls{token: 1, info: 1}},
		{"slow", wecomsim.Slow(300 * time.Millisecond), "", calls{token: 1, info: 2, detail: 1, member: 1}},
		{"hanging", wecomsim.Hang(0).On(info), "wecom_unavailable", calls{token: 1, info: 1}},
		{"hanging at gettoken", wecomsim.Hang(0).On(token), "wecom_unavailable", calls{token: 1}},
		{"hanging at user/get", wecomsim.Hang(1).On(member), "", calls{token: 1, info: 2, detail: 1, member: 2}},
		{"address not trusted", wecomsim.Refuse(60020, 0).On(info), "wecom_configuration", calls{token: 1, info: 1}},
		{"address not trusted, seen at the detail", wecomsim.Refuse(60020, 0).On(detail), "wecom_configuration", calls{token: 1, info: 2, detail: 1}},
		{"secret refused", wecomsim.Refuse(40001, 0).On(token), "wecom_configuration", calls{token: 1}},
		{"corp refused", wecomsim.Refuse(40013, 0).On(token), "wecom_configuration", calls{token: 1}},
		{"domain not trusted", wecomsim.Refuse(50001, 0).On(info), "wecom_configuration", calls{token: 1, info: 1}},
		{"no right", wecomsim.Refuse(48002, 0).On(info), "wecom_configuration", calls{token: 1, info: 1}},
		{"app disabled", wecomsim.Refuse(50003, 0).On(info), "wecom_configuration", calls{token: 1, info: 1}},
		{"code refused", wecomsim.Refuse(40029, 0).On(info), "code_invalid", calls{token: 1, info: 1}},
		{"ticket refused", wecomsim.Refuse(40058, 0).On(detail), "phone_not_shared", calls{token: 1, info: 2, detail: 1}},
		{"name refused", wecomsim.Refuse(60011, 0).On(member), "", calls{token: 1, info: 2, detail: 1, member: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.weCom.Inject(test.fault)
			b := f.inWeCom("zhangsan")
			// In time: the gateway of the fixture has the template's time limits.
			end := b.open("/authorize/main?redirect=%2Forders%3Fid%3D7")
			b.wantEnd(end, test.code, "/orders?id=7")
			f.wantCalls(test.calls)
			f.wantUsers(map[bool]int{true: 1}[test.code == ""])
			// When WeCom is well again, so is the member, by the page's own button.
			f.weCom.ClearFaults()
			f.wait(2 * time.Minute) // a refused secret is remembered for one
			b.signIn("/authorize/main?redirect=%2Forders%3Fid%3D7")
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
	const put = "not-the-secret-of-the-app-0123456789abcdefg"
	f := newFixture(t, with("secret", put))
	b := f.inWeCom("zhangsan")
	for range 3 {
		b.wantFailure(b.open("/authorize/main"), "wecom_configuration", "")
		f.wantTokens(1)
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
	f.known.Add("app secret", put)
	f.must(f.weCom.ResetSecret(corpID, agentID, put))
	b.wantFailure(b.open("/authorize/main"), "wecom_configuration", "")
	if a := f.mustAdmin(http.StatusOK, http.MethodPost, "/authenticators/main/check", nil); !strings.Contains(a.Body, `"ok":true`) {
		t.Errorf("check: %s", a.Body)
	}
	f.wantTokens(1)
	b.signIn("/authorize/main")
	f.must(f.weCom.ResetSecret(corpID, agentID, appSecret))
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
		b := f.signedIn("zhangsan")
		f.weCom.ResetCalls()
		f.must(f.weCom.RevokeTokens(corpID, agentID, errcode))
		b.signIn("/authorize/main")
		f.wantCalls(calls{wecomsim.PathGetToken: 1, wecomsim.PathGetUserInfo: 2})

		f.wait(3 * time.Second) // a second replacement waits for two
		f.weCom.ResetCalls()
		f.weCom.Inject(wecomsim.Refuse(errcode, 0).On(wecomsim.PathGetUserInfo))
		b.post("/api/signout")
		b.wantFailure(b.open("/authorize/main"), "wecom_configuration", "")
		f.wantTokens(1)
	}
	// Its natural end costs one call, before anybody waits for a refusal.
	f := newFixture(t)
	b := f.signedIn("zhangsan")
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
		thinks  time.Duration // on each page of WeCom
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
		{name: "consent after twenty minutes", member: wecomsim.Browser{UserID: "zhangsan"}, thinks: 20 * time.Minute, code: "state_expired"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			b := f.inWeCom("")
			if test.desktop {
				b = f.onDesktop("")
			}
			b.Member, b.KeepExpired = test.member, true
			b.Member.BeforeAnswer = func() { f.wait(test.thinks) }
			end := b.open("/authorize/main?redirect=/x")
			if end.WeComPage != test.stopped {
				t.Errorf("ended at %s %s", end.Address, end.WeComPage)
			} else if test.stopped == "" {
				b.wantEnd(end, test.code, "/x")
			}
			f.wantUsers(test.users)
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
	f.wantUsers(0)
}

// Whoever inherits a telephone number does not inherit the account.
func TestFailurePhoneInUse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.signedIn("zhangsan")
	f.must(f.weCom.ChangeMember(corpID, "lisi", func(m *wecomsim.Member) { m.Mobile = "+86 13800000001" }))
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
	f.wantUsers(0)
}

// A member who loses the app between two rounds is told, one who has an account
// keeps it.
func TestFailureMemberOutOfRange(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	lisi := f.signedIn("lisi")
	b := f.inWeCom("zhangsan")
	b.Member.BeforeAnswer = func() { // while the consent page is on the screen
		f.must(f.weCom.ChangeApp(corpID, agentID, func(a *wecomsim.App) { a.VisibleUserIDs = []string{} }))
	}
	b.wantFailure(b.open("/authorize/main"), "phone_not_shared", "")
	lisi.signIn("/authorize/main")
}

// A name that WeCom would not tell is asked for at the next sign-in.
func TestFailureNameComesLater(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.weCom.Inject(wecomsim.Refuse(60111, 1).On(wecomsim.PathGetUser))
	b := f.signedIn("zhangsan")
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
	f.signedIn("zhangsan")
	client := f.inWeCom("zhangsan")
	client.UserAgent = wecomsim.UserAgentWeComWindows
	system := f.onDesktop("zhangsan")
	system.wantOpen(client.callback("/authorize/main?redirect=/x"), "/x", 1)
	system.wantMember("zhangsan", "in the system's browser")
}

// Consent may happen in a webview of its own. Once, the sign-in starts again there;
// when it loses the cookie every time, that must end.
func TestFailureCookieLostInTheSecondRound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		times int
		code  string
	}{
		{"once", 1, ""},
		{"always", 100, "cookies_blocked"},
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
		b.wantEnd(end, test.code, "/x")
		if end.WeCom != 4 {
			t.Errorf("%s: %d redirects to WeCom", test.name, end.WeCom)
		}
	}
}

// The first sign-in in a browser shows what to open in WeCom, as a link and a code.
func TestFailureFirstSignInOffersWeCom(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	end := f.onDesktop("zhangsan").open("/authorize/main?redirect=/x")
	link := f.url + "/authorize/main?return=signin"
	if !strings.Contains(html.UnescapeString(end.Page.Body), `value="`+link+`"`) || !strings.Contains(end.Page.Body, `<svg class="code"`) {
		t.Errorf("no link or no code: %.900s", end.Page.Body)
	}
	phone := f.inWeCom("zhangsan")
	if phone.open(link); phone.signedInAs() != "zhangsan" {
		t.Error("the link signs nobody in")
	}
	f.onDesktop("zhangsan").wantOpen("/authorize/main?redirect=/x", "/x", 1)
}

// What happens to the state and its cookie between going out and coming back.
func TestFailureOfState(t *testing.T) {
	t.Parallel()
	keepExpired := func(b *browser) { b.KeepExpired = true }
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
		{name: "cookie does not open", change: damaged, code: "state_invalid"},
		{name: "cookies off", before: func(b *browser) { b.BlockCookies = true }, code: "cookies_blocked", weCom: 1},
		{name: "twenty minutes, the browser forgets the cookie", change: after(20 * time.Minute), weCom: 1},
		{name: "twenty minutes, the browser keeps the cookie", before: keepExpired, change: after(20 * time.Minute), code: "state_expired"},
		{name: "six minutes: the code is over", change: after(6 * time.Minute), code: "code_invalid"},
		{name: "restart in between", change: func(b *browser, c string) string { b.f.restart(); return c }},
		{name: "kill in between", change: func(b *browser, c string) string { b.f.crash(); return c }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.signedIn("zhangsan")
			b := f.onDesktop("zhangsan")
			if test.before != nil {
				test.before(b)
			}
			callback := b.callback("/authorize/main?redirect=/x")
			if test.change != nil {
				callback = test.change(b, callback)
			}
			end := b.open(callback)
			b.wantEnd(end, test.code, "/x")
			if end.WeCom != test.weCom {
				t.Errorf("%d more redirects to WeCom", end.WeCom)
			}
		})
	}
}

func after(d time.Duration) func(*browser, string) string {
	return func(b *browser, callback string) string { b.f.wait(d); return callback }
}

func without(name string) func(*browser, string) string {
	return func(_ *browser, callback string) string {
		path, _, _ := strings.Cut(callback, "?")
		query := queryOf(callback)
		query.Del(name)
		return path + "?" + query.Encode()
	}
}

func replaced(name, value string) func(*browser, string) string {
	return func(b *browser, callback string) string { return without(name)(b, callback) + "&" + name + "=" + value }
}

// damaged alters the cookies of attempts.
func damaged(b *browser, callback string) string {
	for name, value := range b.Cookies(attemptCookie) {
		b.SetCookie(name, flip(value))
	}
	return callback
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
			b.wantEnd(b.open("/authorize/main?redirect=/x"), test.code, "/x")
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
					f.signedIn("zhangsan")
				}
				b := f.inWeCom("zhangsan")
				callback := b.callback("/authorize/main?redirect=/x")
				if !test.known {
					// The round that matters is the second, with the phone.
					callback = b.atWeCom(b.get(callback).Location())
				}
				if test.code != "" {
					fault := test.fault
					if way == "after the client gave up" {
						fault.Delay = 200 * time.Millisecond
					}
					f.weCom.Inject(fault)
				}
				sessions := map[string]bool{}
				for _, a := range b.twice(callback, way) {
					end := testbrowser.Navigation{Address: a.Redirect(), Redirects: []testbrowser.Answer{a}}
					b.wantEnd(ending{end, queryOf(a.Location())}, test.code, "/x")
					if session := a.Cookie(sessionCookie); session != nil {
						sessions[session.Value] = true
					}
				}
				if test.code == "" && len(sessions) != 1 {
					t.Errorf("%d sessions of one state", len(sessions))
				}
				f.wantUsers(map[bool]int{true: 1}[test.code == "" || test.known])
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
			b.wantOpen(b.atWeCom(a.Location()), "/x", 0)
		}
		f.wantUsers(1)
		b.wantMember("zhangsan", way)
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
		return b.atOnce(requests)
	case "after the answer":
		return []testbrowser.Answer{b.get(callback), b.get(callback)}
	default: // the client gives up once WeCom has spent the code, which it says late
		b.f.weCom.Inject(wecomsim.Slow(200 * time.Millisecond).On(wecomsim.PathGetUserInfo).Lost())
		ctx, giveUp := context.WithCancel(b.f.t.Context())
		asked := b.f.weCom.Calls(wecomsim.PathGetUserInfo) + 1
		go func() {
			defer giveUp()
			for ctx.Err() == nil && b.f.weCom.Calls(wecomsim.PathGetUserInfo) < asked {
				time.Sleep(time.Millisecond)
			}
		}()
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
	b := f.signedIn("zhangsan")
	callback := b.callback("/authorize/main?redirect=/x")
	b.open(callback)
	f.weCom.ResetCalls()
	b.wantOpen(callback, "/x", 0)
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
	f.signedIn("zhangsan")
	f.signedIn("lisi")
	b := f.onDesktop("zhangsan")
	callback := b.callback("/authorize/main?redirect=/x")
	other := f.onDesktop("lisi")
	other.wantOpen(callback, "/x", 1)
	other.wantMember("lisi", "the other browser")
	// The code was not spent by that.
	b.wantOpen(callback, "/x", 0)
	b.wantMember("zhangsan", "the own browser")
	// And the link a second time, in a third one.
	third := f.onDesktop("lisi")
	third.wantOpen(callback, "/x", 1)
	third.wantMember("lisi", "the third browser")
}
