package main

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// waitingPage is a sign-in page that waits for a first sign-in.
type waitingPage struct {
	*browser
	link string // that its code shows
	form string // where it asks, and posts to
}

// scan opens an address in a browser where nobody is known yet, and ends at a page that waits.
func (b *browser) scan(path string) waitingPage {
	b.f.t.Helper()
	return b.waitsAt(b.open(path))
}

func (b *browser) waitsAt(end ending) waitingPage {
	b.f.t.Helper()
	link := regexp.MustCompile(`<input id="link" type="text" readonly value="([^"]*)"`).FindStringSubmatch(end.Page.Body)
	form := regexp.MustCompile(`<form class="waiting" method="post" action="([^"]*)"`).FindStringSubmatch(end.Page.Body)
	if link == nil || form == nil || end.failure.Get("error") != "first_sign_in_in_wecom" {
		b.f.t.Fatalf("nobody waits at %s", end.Address)
	}
	return waitingPage{b, html.UnescapeString(link[1]), html.UnescapeString(form[1])}
}

func (w waitingPage) wantState(want string) {
	w.f.t.Helper()
	if got := w.get(w.form); got.Status != http.StatusOK || strings.TrimSpace(got.Body) != want {
		w.f.t.Errorf("%d %s, want %s", got.Status, got.Body, want)
	}
}

// goOn submits the form of the page and follows it.
func (w waitingPage) goOn() ending {
	w.f.t.Helper()
	next := w.post(w.form, testbrowser.Header("Sec-Fetch-Dest", "document"), testbrowser.Header("Sec-Fetch-Mode", "navigate"))
	if next.Status != http.StatusSeeOther {
		w.f.t.Fatalf("%d %s", next.Status, next.Body)
	}
	if address := next.Location(); strings.HasPrefix(address, application+"/") {
		return ending{Navigation: testbrowser.Navigation{Address: address, Page: next}}
	}
	return w.open(next.Location())
}

const (
	isWaiting = `{"state":"waiting"}`
	isReady   = `{"state":"ready"}`
	isOver    = `{"state":"over"}`
)

func TestJourneyFirstSignInInOneGo(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ way, target string }{
		"to the default page":  {"/authorize/main", application + "/"},
		"to a page":            {"/authorize/main?redirect=%2Forders%3Fid%3D7", application + "/orders?id=7"},
		"to a very long page":  {"/authorize/main?redirect=%2F" + strings.Repeat("x", 500), application + "/" + strings.Repeat("x", 500)},
		"to the console":       {"/authorize/main?return=console", "/console"},
		"to the member's page": {"/authorize/main?return=signin", "/signin"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			w := f.onDesktop("lisi").scan(test.way)
			w.wantState(isWaiting)
			if end := w.goOn(); end.failure.Get("error") != "first_sign_in_in_wecom" {
				t.Fatalf("too early it ends at %s", end.Address)
			}
			phone := f.inWeCom("lisi")
			if end := phone.open(w.link); !strings.HasPrefix(end.Address, f.url+"/signin") || end.WeCom != 2 {
				t.Fatalf("the phone ended at %s after %d redirects", end.Address, end.WeCom)
			}
			w.wantState(isReady)
			end := w.goOn()
			if at := strings.TrimPrefix(end.Address, f.url); at != test.target || end.WeCom != 0 {
				t.Errorf("ended at %s after %d redirects to WeCom", end.Address, end.WeCom)
			}
			if w.session().User.ID != phone.session().User.ID || w.session().WeComUserID != "lisi" {
				t.Errorf("%+v beside %+v", w.session(), phone.session())
			}
			f.wantUsers(1)
			// Two attempts on the phone and one here: no second scan.
			f.wantCalls(map[string]int{"/cgi-bin/gettoken": 1, "/cgi-bin/auth/getuserinfo": 3, "/cgi-bin/auth/getuserdetail": 1, "/cgi-bin/user/get": 1})
			w.wantState(isOver)
		})
	}
}

// The member who opens the attacker's code is signed in on the own phone and nowhere else.
func TestJourneyAttackFixationByCode(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	attacker := f.onDesktop("lisi").scan("/authorize/main")
	victim := f.inWeCom("zhangsan")
	victim.open(attacker.link)
	victim.wantMember("zhangsan", "the victim's phone")
	attacker.wantState(isWaiting)
	if attacker.goOn(); attacker.session() != nil {
		t.Fatalf("the attacker is %+v", attacker.session())
	}
	// A copy of the cookie in two browsers gives one session.
	f.inWeCom("lisi").open(attacker.link)
	copied := waitingPage{attacker.clone(), attacker.link, attacker.form}
	if attacker.goOn(); attacker.session().WeComUserID != "lisi" {
		t.Fatalf("%+v", attacker.session())
	}
	if end := copied.goOn(); copied.session() != nil || end.failure == nil {
		t.Fatalf("the copy ended at %s as %+v", end.Address, copied.session())
	}
	// Back in the first browser's history: it goes on with what it has.
	attacker.wantMember("lisi", "the browser that went on")
}

func TestJourneyRefusalInsideWeComEndsTheWaiting(t *testing.T) {
	t.Parallel()
	for code, test := range map[string]struct {
		member wecomsim.Browser
		set    func(*fixture)
	}{
		"access_denied":    {wecomsim.Browser{UserID: "lisi", Deny: true}, nil},
		"phone_not_shared": {wecomsim.Browser{UserID: "lisi", Consent: wecomsim.ConsentNone()}, nil},
		"phone_invalid":    {wecomsim.Browser{UserID: "badphone"}, nil},
		"user_disabled":    {wecomsim.Browser{UserID: "disabled"}, nil},
		"signup_closed":    {wecomsim.Browser{UserID: "lisi"}, func(f *fixture) { f.changeAuthenticator(map[string]any{"autoSignup": false}) }},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			if test.set != nil {
				test.set(f)
			}
			w, somebody := f.onDesktop(test.member.UserID).scan("/authorize/main"), f.onDesktop("wangwu").scan("/authorize/main")
			phone := f.inWeCom(test.member.UserID)
			phone.Member = test.member
			phone.wantError(w.link, code)
			w.wantState(`{"state":"over","error":"` + code + `"}`)
			w.wantState(isOver)
			somebody.wantState(isWaiting)
		})
	}
}

func TestJourneyWaitingEndsAfterTenMinutes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.onDesktop("lisi").scan("/authorize/main")
	w.KeepExpired = true
	f.wait(10 * time.Minute)
	f.inWeCom("lisi").open(w.link)
	w.wantState(isOver)
	if end := w.goOn(); w.session() != nil || end.failure == nil {
		t.Fatalf("ended at %s as %+v", end.Address, w.session())
	}
	// The member is known now: one scan is enough.
	if w.signIn("/authorize/main"); w.session().WeComUserID != "lisi" {
		t.Errorf("%+v", w.session())
	}
}
