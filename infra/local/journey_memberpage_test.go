package main

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// The member's own page: where it is reached, and what its forms end.

// memberPage returns the member's page of a browser that is signed in.
func (b *browser) memberPage(t *testing.T) string {
	t.Helper()
	page := b.Expect(t, http.StatusOK, http.MethodGet, "/signin").Body
	if !strings.Contains(page, `value="end-everywhere"`) {
		t.Fatalf("not the member's page: %.600s", page)
	}
	return page
}

var (
	fieldSession = regexp.MustCompile(`name="session" value="([^"]*)"`)
	fieldKey     = regexp.MustCompile(`name="key" value="([^"]*)"`)
)

// act posts a form of the member's page, with more fields than the action by name and value.
func (b *browser) act(t *testing.T, action string, fields ...string) {
	t.Helper()
	b.actOn(t, b.memberPage(t), action, fields...)
}

// actOn posts a form of a page that was loaded before.
func (b *browser) actOn(t *testing.T, page, action string, fields ...string) {
	t.Helper()
	form := url.Values{"action": {action}, "session": {fieldSession.FindStringSubmatch(page)[1]}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	answer := b.Expect(t, http.StatusSeeOther, http.MethodPost, "/signin", testbrowser.Header("Origin", b.f.url),
		testbrowser.Body("application/x-www-form-urlencoded", form.Encode()))
	if answer.Location() != b.f.url+"/signin" {
		t.Errorf("%s leads to %s", action, answer.Location())
	}
}

// A workbench link leads a member in WeCom's client, without a session and without a
// question, to the applications of the company; so does the sign-in page anywhere.
func TestJourneyWorkbenchIsTheLauncher(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.registerWiki(nil)
	f.signedIn("zhangsan") // a scan alone is nobody's first sign-in
	const link = "/authorize/main?return=signin"
	for name, open := range map[string]func() (*browser, ending){
		"the workbench":            func() (*browser, ending) { b := f.inWeCom("zhangsan"); return b, b.open(link) },
		"the workbench once more":  func() (*browser, ending) { b := f.signedIn("zhangsan"); return b, b.open(link) },
		"an application beside it": func() (*browser, ending) { b := f.inWeCom("zhangsan"); return b, b.open(link + "&redirect=%2Forders") },
		"the sign-in page": func() (*browser, ending) {
			b := f.inWeCom("zhangsan")
			return b, b.onward(b.open("/signin?return=signin"))
		},
		"a computer": func() (*browser, ending) {
			b := f.onDesktop("zhangsan")
			return b, b.onward(b.open("/signin?return=signin"))
		},
		"a lost cookie": func() (*browser, ending) {
			b := f.inWeCom("zhangsan")
			back := b.callback(link)
			b.Forget(attemptCookie)
			return b, b.open(back)
		},
	} {
		b, end := open()
		if end.Address != f.url+"/signin" || !strings.Contains(end.Page.Body, `href="`+wikiHome+`"`) || !strings.Contains(end.Page.Body, application+"/") {
			t.Errorf("%s: ended at %s %.200s", name, end.Address, end.Page.Body)
		}
		b.wantMember("zhangsan", name)
	}
	// Nothing else can be written in its place.
	for _, other := range []string{"signin/../x", "//evil.example", "Signin", "wiki"} {
		if end := f.inWeCom("zhangsan").open("/authorize/main?return=" + url.QueryEscape(other)); !strings.HasPrefix(end.Address, application) {
			t.Errorf("return=%s ended at %s", other, end.Address)
		}
	}
}

// Sessions are told apart by browser, place and time, and ended one by one.
func TestJourneyMemberEndsASession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	phone := f.signedIn("zhangsan")
	f.wait(3 * time.Hour)
	laptop := f.onDesktop("zhangsan")
	laptop.UserAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
	laptop.signIn("/authorize/main")
	english := testbrowser.Header("Accept-Language", "en")
	page := laptop.Expect(t, http.StatusOK, http.MethodGet, "/signin", english).Body
	for _, text := range []string{"Chrome on Windows", "This browser", "just now", "WeCom on Android", "Inside WeCom", "3 h ago", "127.0.0.1"} {
		if !strings.Contains(page, text) {
			t.Errorf("lacks %s\n%s", text, page)
		}
	}
	keys := fieldKey.FindAllStringSubmatch(page, -1)
	if len(keys) != 1 {
		t.Fatalf("%d sessions can be ended", len(keys))
	}
	laptop.act(t, "end", "key", keys[0][1])
	phone.wantMember("", "the phone")
	laptop.wantMember("zhangsan", "the laptop")
	if fieldKey.MatchString(laptop.memberPage(t)) {
		t.Error("the ended session is listed")
	}
	// Ending this one is signing out.
	page = laptop.memberPage(t)
	laptop.actOn(t, page, "end", "key", fieldSession.FindStringSubmatch(page)[1])
	laptop.wantMember("", "the laptop")
	if laptop.count(sessionCookie) != 0 {
		t.Error("the cookie is left")
	}
}

// Signing out everywhere reaches the grants that outlive a session, too.
func TestJourneyMemberSignsOutEverywhere(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.registerWiki(nil)
	w.config.Scopes = append(w.config.Scopes, "offline_access")
	phone, laptop, colleague := f.signedIn("zhangsan"), f.onDesktop("zhangsan"), f.signedIn("WangWu")
	laptop.signIn("/authorize/main")
	r := w.begin(oauth2.AccessTypeOffline)
	offline := r.finish(phone.open(r.address))
	laptop.act(t, "end-everywhere")
	for _, b := range []*browser{phone, laptop} {
		b.wantMember("", "after signing out everywhere")
	}
	offline.wantEnded("signed out everywhere")
	colleague.wantMember("WangWu", "a colleague")
	// Both can sign in again, and see that session alone.
	laptop.signIn("/authorize/main")
	if page := laptop.memberPage(t); fieldKey.MatchString(page) || strings.Contains(page, `value="end-others"`) {
		t.Error("sessions that have ended are listed")
	}
}

// A consent that is withdrawn ends what the application was given, and it has to ask again.
func TestJourneyMemberWithdrawsAConsent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.registerWiki(func(a *store.Application) { a.FirstParty = false })
	b := f.signedIn("zhangsan")
	if strings.Contains(b.memberPage(t), `value="withdraw"`) {
		t.Error("a consent to withdraw before there is one")
	}
	r := w.begin()
	given := r.finish(b.agree(b.open(r.address).Page))
	given.wantMember("zhangsan")
	b.act(t, "withdraw", "application", "wiki")
	given.wantEnded("withdrawn")
	if strings.Contains(b.memberPage(t), `value="withdraw"`) {
		t.Error("the consent is still there")
	}
	r = w.begin()
	if end := b.open(r.address); !strings.Contains(end.Page.Body, "/oauth2/consent") {
		t.Errorf("not asked again: %s", end.Address)
	}
}

// Another site's form, and one of an application on the same site, end nothing.
func TestAttackMemberFormOfAnotherPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.signedIn("zhangsan")
	session := fieldSession.FindStringSubmatch(b.memberPage(t))[1]
	for name, headers := range map[string][]string{
		"another site": {"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, "the application": {"Origin", application, "Sec-Fetch-Site", "same-site"},
		"a sandbox": {"Origin", "null"}, "another port": {"Origin", f.url + "0"},
	} {
		options := []testbrowser.Option{testbrowser.Body("application/x-www-form-urlencoded", url.Values{"action": {"end-everywhere"}, "session": {session}}.Encode())}
		for pair := range slices.Chunk(headers, 2) {
			options = append(options, testbrowser.Header(pair[0], pair[1]))
		}
		if answer := b.post("/signin", options...); answer.Status != http.StatusForbidden {
			t.Errorf("%s: %d", name, answer.Status)
		}
	}
	b.wantMember("zhangsan", "after the attacks")
}

func TestAttackMemberEndsTheSessionOfAnother(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	victim, attacker := f.signedIn("lisi"), f.signedIn("zhangsan")
	key := fieldSession.FindStringSubmatch(victim.memberPage(t))[1]
	attacker.act(t, "end", "key", key)
	attacker.act(t, "end-others")
	victim.wantMember("lisi", "the victim")
	attacker.wantMember("zhangsan", "the attacker")
}

// A page that is open while somebody else signs in, and one that is posted once more, ends
// nothing of the session that the browser has by then.
func TestAttackMemberFormOfAStalePage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.signedIn("zhangsan")
	page := b.memberPage(t)
	b.Member = wecomsim.Browser{UserID: "lisi"}
	b.signIn("/authorize/main")
	elsewhere := f.signedIn("lisi")
	for _, action := range []string{"end-others", "end-everywhere", "end"} {
		b.actOn(t, page, action, "key", fieldSession.FindStringSubmatch(page)[1])
	}
	b.wantMember("lisi", "this browser")
	elsewhere.wantMember("lisi", "the other browser")

	page = b.memberPage(t)
	b.actOn(t, page, "end-everywhere")
	b.wantMember("", "signed out everywhere")
	b.signIn("/authorize/main")
	b.actOn(t, page, "end-everywhere")
	b.wantMember("lisi", "a form that was replayed")
}
