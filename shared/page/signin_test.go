package page

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// way is a button of the page as the browser shows it.
type way struct {
	Label, Which, URL string
	First             bool
}

// facts is what a page says, in the order of a screen reader.
type facts struct {
	Lang, Title, Heading string
	Cause, Todo          string
	Code, Request        string
	Tell                 bool   // it can be copied for an administrator
	Person               string // who is signed in, and where that leads
	Text                 string // a sentence about the buttons, or why there are none
	CarryFirst           bool   // before the buttons
	Carry, Link          string // heading and link to open in WeCom
	Scan                 bool   // with a QR code
	GoOn                 string // where waiting for a first sign-in leads, and how
	Before               string
	Ways                 []way
}

// read returns the facts of a page. It fails for a page that is wrong whatever it says.
func read(t *testing.T, body string) facts {
	t.Helper()
	if !strings.HasPrefix(body, "<!doctype html>\n") {
		t.Error("something is before the doctype")
	}
	for _, once := range []string{"<h1>", "<main ", "</main>", `role="status"`} {
		if strings.Count(body, once) != 1 {
			t.Errorf("%d times %s", strings.Count(body, once), once)
		}
	}
	ids := map[string]bool{}
	for _, match := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(body, -1) {
		if ids[match[1]] {
			t.Errorf("two elements are %q", match[1])
		}
		ids[match[1]] = true
	}
	for _, button := range regexp.MustCompile(`<button [^>]*data-copy[^>]*>`).FindAllString(body, -1) {
		if !strings.HasSuffix(button, " hidden>") {
			t.Errorf("without a script %s does nothing and is there", button)
		}
	}
	one := func(pattern string) string {
		match := regexp.MustCompile(`(?s)` + pattern).FindStringSubmatch(body)
		if match == nil {
			return ""
		}
		return html.UnescapeString(strings.Join(match[1:], " "))
	}
	found := facts{
		Lang: one(`<html lang="([^"]*)">`), Title: one(`<title>(.*?)</title>`), Heading: one(`<h1>(.*?)</h1>`),
		// The failure is what comes first after the heading.
		Cause: one(`</h1>\s*<div class="notice[^"]*" role="alert">\s*<p class="cause">(.*?)</p>`),
		Todo:  one(`<p class="cause">[^<]*</p>\s*<p>(.*?)</p>`),
		Code:  one(`<p class="trace"><span>[^<]*<code>(.*?)</code>`), Request: one(`</span> <span>[^<]*<code>(.*?)</code>`),
		Tell:   strings.Contains(body, `<button type="button" data-copy=`),
		Person: one(`<section class="person">\s*<p>(.*?)</p>.*?href="([^"]*)".*?<form method="post" action="([^"]*)"`),
		Text:   one(`<p class="lead">(.*?)</p>`),
		Carry:  one(`<h2 id="carry">(.*?)</h2>`),
		Link:   one(`<input id="link" type="text" readonly value="([^"]*)"`),
		Scan:   strings.Contains(body, `<svg class="code" `),
		GoOn:   one(`<form class="waiting" method="post" action="([^"]*)".*?<p data-asked="[^"]*">(.*?)</p>\s*<button [^>]*type="submit">(.*?)</button>`),
		Before: one(`<p class="before">(.*?)</p>`),
	}
	found.CarryFirst = found.Carry != "" && strings.Index(body, `id="carry"`) < strings.Index(body, `class="ways"`)
	buttons := regexp.MustCompile(`<a class="button([^"]*)" href="([^"]*)"[^>]*>(?:<span>)?([^<]*)(?:</span>)?(?: <small>([^<]*)</small>)?</a>`)
	for _, match := range buttons.FindAllStringSubmatch(body[strings.LastIndex(body, "</section>")+1:], -1) {
		found.Ways = append(found.Ways, way{
			Label: html.UnescapeString(match[3]), Which: html.UnescapeString(match[4]),
			URL: html.UnescapeString(match[2]), First: strings.Contains(match[1], "first"),
		})
	}
	if found.Carry != "" && !found.CarryFirst {
		// They come before the last section then.
		found.Ways = nil
		list := one(`(<ul class="ways">.*?</ul>)`)
		for _, match := range buttons.FindAllStringSubmatch(list, -1) {
			found.Ways = append(found.Ways, way{Label: match[3], Which: match[4], URL: match[2], First: strings.Contains(match[1], "first")})
		}
	}
	return found
}

// Every failure, for everybody, in every language: what it says and what it leads to.
func TestEveryFailureIsExplainedAndLeadsOn(t *testing.T) {
	type rule struct {
		again   bool // "try again" and not "sign in"
		stands  bool // the button of the authenticator that failed stands out
		inWeCom bool // nothing but WeCom's own browser helps
		tell    bool // an administrator may have to know
	}
	own, tell := rule{again: true, stands: true}, rule{again: true, stands: true, tell: true}
	rules := map[apierr.Code]rule{
		apierr.StateInvalid: own, apierr.StateExpired: own, apierr.CookiesBlocked: own, apierr.AccessDenied: own,
		apierr.CodeInvalid: own, apierr.OtherCorp: own, apierr.WeComBusy: own, apierr.WeComUnavailable: own,
		apierr.NotAMember: tell, apierr.PhoneInvalid: tell, apierr.PhoneInUse: tell, apierr.SignupClosed: tell,
		apierr.AuthenticatorUnknown: tell, apierr.AuthenticatorDisabled: tell, apierr.RedirectLoop: tell,
		apierr.WeComConfiguration: tell, apierr.Internal: tell,
		apierr.FirstSignInInWeCom: {stands: true, inWeCom: true},
		apierr.PhoneNotShared:     {again: true, stands: true, inWeCom: true, tell: true},
		apierr.UserDisabled:       {tell: true},
		apierr.NotAllowed:         {tell: true},
	}
	otherwise := map[apierr.Code]map[ClientKind]string{
		apierr.FirstSignInInWeCom: {InWeCom: ".wecom"},
		apierr.PhoneNotShared:     {OnPhone: ".browser", OnDesktop: ".browser"},
	}
	if len(rules) != len(explained()) {
		t.Fatalf("%d codes are explained, %d tested", len(explained()), len(rules))
	}
	for _, tag := range text.Languages() {
		texts, err := text.Read(tag, text.SignInArea)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range explained() {
			for _, client := range []ClientKind{InWeCom, OnPhone, OnDesktop} {
				t.Run(fmt.Sprintf("%s/%s/%s", tag, code, client), func(t *testing.T) {
					rule := rules[code]
					got := read(t, render(t, SignIn{
						Language: tag, Client: client, Buttons: []Button{crm, demo},
						Failure: &Failure{Code: string(code), Authenticator: "demo", RequestID: "JKJaXmPLvHcESHA="},
					}).Body.String())
					key := "error." + string(code)
					want := facts{
						Lang: string(tag), Title: texts["signin.failed"], Heading: texts["signin.failed"],
						Cause: texts[key+".cause"], Todo: texts[key+".todo"+otherwise[code][client]],
						Code: string(code), Request: "JKJaXmPLvHcESHA=", Tell: rule.tell,
						Ways: []way{
							{Label: texts.Text("signin.button", "title", demo.Title), URL: demo.URL, First: rule.stands},
							{Label: texts.Text("signin.button", "title", crm.Title), URL: crm.URL},
						},
					}
					if code == apierr.FirstSignInInWeCom {
						want.Title, want.Heading = texts["signin.first"], texts["signin.first"]
					}
					if rule.again {
						want.Ways[0].Label = texts.Text("signin.again", "title", demo.Title)
					}
					switch {
					case client == InWeCom:
					case rule.inWeCom:
						want.CarryFirst, want.Link, want.Before = true, demo.URL, texts["carry.after"]
						want.Carry, want.Scan = texts["carry.open"], client == OnDesktop
						if want.Scan {
							want.Carry = texts["carry.scan"]
						}
						want.Ways[0].First = false
					case client == OnPhone:
						want.Carry, want.Link = texts["carry.else"], demo.URL
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
				})
			}
		}
	}
}

func TestSignInPage(t *testing.T) {
	const pageLink = "https://signin.example.com/signin?redirect=%2Forders%3Fid%3D7"
	signIn := func(b Button, first bool) way {
		return way{Label: "Sign in with " + b.Title, URL: b.URL, First: first}
	}
	// A code that the page does not know, and the authenticator it tells of.
	failed := func(code apierr.Code, authenticator string) *Failure {
		return &Failure{Code: string(code), Authenticator: authenticator, RequestID: "r-1"}
	}
	for _, test := range []struct {
		name string
		page SignIn
		want facts
	}{
		{
			"one way on a computer",
			SignIn{Client: OnDesktop, Buttons: []Button{demo}},
			facts{Text: "Confirm in WeCom on this computer, or scan a code with WeCom on your phone.", Ways: []way{signIn(demo, true)}},
		},
		{
			"two ways on a computer are equal",
			SignIn{Client: OnDesktop, Buttons: []Button{crm, demo}},
			facts{Text: "Confirm in WeCom on this computer, or scan a code with WeCom on your phone.", Ways: []way{signIn(crm, false), signIn(demo, false)}},
		},
		{
			"in WeCom",
			SignIn{Client: InWeCom, Buttons: []Button{demo}},
			facts{Text: "You are in WeCom. One tap signs you in.", Ways: []way{signIn(demo, true)}},
		},
		{
			"on a phone, one way: the link goes all the way",
			SignIn{Client: OnPhone, Buttons: []Button{demo}},
			facts{
				Text: "Signing in happens in the WeCom app.", CarryFirst: true, Carry: "Open this link in WeCom", Link: demo.URL,
				Before: "With WeCom on another phone, you can scan a code instead:", Ways: []way{signIn(demo, false)},
			},
		},
		{
			"on a phone, two ways: the page asks again in WeCom",
			SignIn{Client: OnPhone, Buttons: []Button{crm, demo}},
			facts{
				Text: "Signing in happens in the WeCom app.", CarryFirst: true, Carry: "Open this link in WeCom", Link: pageLink,
				Before: "With WeCom on another phone, you can scan a code instead:", Ways: []way{signIn(crm, false), signIn(demo, false)},
			},
		},
		{
			"signed in already, on a phone",
			SignIn{
				Client: OnPhone, Buttons: []Button{demo},
				SignedIn: &SignedIn{Name: "张三", Continue: "https://app.example.com/", SignOut: "https://signin.example.com/api/signout"},
			},
			facts{
				Person: "You are signed in as 张三 https://app.example.com/ https://signin.example.com/api/signout",
				Before: "Or sign in as somebody else:", Ways: []way{signIn(demo, false)},
			},
		},
		{
			"first sign-in with an authenticator that is gone",
			SignIn{Client: OnDesktop, Buttons: []Button{crm, demo}, Failure: failed(apierr.FirstSignInInWeCom, "other")},
			facts{
				Title: "First sign-in", Heading: "First sign-in", Code: "first_sign_in_in_wecom", Request: "r-1",
				Cause: "Your first sign-in needs your phone number, and WeCom shares it only inside its own app.",
				Todo:  "Sign in once inside WeCom as shown here. After that, this browser works too.",
				Carry: "Scan with WeCom on your phone", CarryFirst: true, Scan: true, Link: pageLink,
				Before: "Done in WeCom? Then continue here:", Ways: []way{signIn(crm, false), signIn(demo, false)},
			},
		},
		{
			"first sign-in that this browser waits for",
			SignIn{
				Client: OnDesktop, Buttons: []Button{crm, demo}, Failure: failed(apierr.FirstSignInInWeCom, "demo"),
				Waiting: &Waiting{Link: "https://signin.example.com/authorize/demo?return=signin", GoOn: "https://signin.example.com/api/first-sign-in?return=console", Over: pageLink},
			},
			facts{
				Title: "First sign-in", Heading: "First sign-in", Code: "first_sign_in_in_wecom", Request: "r-1",
				Cause: "Your first sign-in needs your phone number, and WeCom shares it only inside its own app.",
				Todo:  "Once more with your phone: scan the code below with WeCom, or open the link in WeCom, and agree there. This page then goes on by itself.",
				Carry: "Scan with WeCom on your phone", CarryFirst: true, Scan: true, Link: "https://signin.example.com/authorize/demo?return=signin",
				GoOn:   "https://signin.example.com/api/first-sign-in?return=console Done in WeCom? Then continue here: Continue",
				Before: "Or sign in as somebody else:", Ways: []way{signIn(demo, false), signIn(crm, false)},
			},
		},
		{
			"first sign-in that a phone waits for",
			SignIn{
				Client: OnPhone, Buttons: []Button{demo}, Failure: failed(apierr.FirstSignInInWeCom, "demo"),
				Waiting: &Waiting{Link: "https://signin.example.com/authorize/demo?return=signin", GoOn: "https://signin.example.com/api/first-sign-in", Over: pageLink},
			},
			facts{
				Title: "First sign-in", Heading: "First sign-in", Code: "first_sign_in_in_wecom", Request: "r-1",
				Cause: "Your first sign-in needs your phone number, and WeCom shares it only inside its own app.",
				Todo:  "Once more: open the link below in WeCom, and agree there. This page then goes on by itself.",
				Carry: "Open this link in WeCom", CarryFirst: true, Link: "https://signin.example.com/authorize/demo?return=signin",
				GoOn:   "https://signin.example.com/api/first-sign-in Done in WeCom? Then continue here: Continue",
				Before: "Or sign in as somebody else:", Ways: []way{signIn(demo, false)},
			},
		},
		{
			"an unknown authenticator with one other",
			SignIn{Client: OnDesktop, Buttons: []Button{demo}, Failure: failed(apierr.AuthenticatorUnknown, "gone")},
			facts{
				Title: "Could not sign in", Heading: "Could not sign in", Code: "authenticator_unknown", Request: "r-1", Tell: true,
				Cause: "This way to sign in does not exist.", Todo: "Choose one below, or ask an administrator for the right link.",
				Ways: []way{signIn(demo, true)},
			},
		},
		{
			"an account that is switched off, with one way",
			SignIn{Client: InWeCom, Buttons: []Button{demo}, Failure: failed(apierr.UserDisabled, "demo")},
			facts{
				Title: "Could not sign in", Heading: "Could not sign in", Code: "user_disabled", Request: "r-1", Tell: true,
				Cause: "Your account is switched off.",
				Todo:  "Ask an administrator if you should have access. You can also sign in with another account.",
				Ways:  []way{signIn(demo, false)},
			},
		},
		{
			"nothing set up",
			SignIn{Client: OnDesktop},
			facts{
				Text: "Nobody can sign in yet: no way to sign in is switched on. An administrator has to set one up in the console.",
				Ways: []way{{Label: "Open the console", URL: "https://signin.example.com/console", First: true}},
			},
		},
		{
			"the only one is switched off: nothing below to choose from",
			SignIn{Client: OnPhone, Failure: failed(apierr.AuthenticatorDisabled, "demo")},
			facts{
				Title: "Could not sign in", Heading: "Could not sign in", Code: "authenticator_disabled", Request: "r-1", Tell: true,
				Cause: "This way to sign in is switched off.",
				Text:  "Nobody can sign in yet: no way to sign in is switched on. An administrator has to set one up in the console.",
				Ways:  []way{{Label: "Open the console", URL: "https://signin.example.com/console", First: true}},
			},
		},
		{
			"nothing readable",
			SignIn{Client: OnDesktop, Unreadable: true, Failure: failed(apierr.Internal, "demo")},
			facts{
				Title: "Could not sign in", Heading: "Could not sign in", Code: "internal", Request: "r-1", Tell: true,
				Cause: "Something went wrong on our side.",
				Text:  "The ways to sign in cannot be read at the moment. Please try again shortly.",
				Ways:  []way{{Label: "Try again", URL: pageLink, First: true}},
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.page.Language = text.English
			test.want.Lang = "en"
			if test.want.Heading == "" {
				test.want.Heading, test.want.Title = "Sign in", "Sign in"
			}
			if diff := cmp.Diff(test.want, read(t, render(t, test.page).Body.String())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Several corps side by side often have an app of the same title.
func TestEqualTitlesAreToldApart(t *testing.T) {
	button := func(name, title string) Button {
		return Button{Name: name, Title: title, URL: "https://s.example/" + name}
	}
	got := read(t, render(t, SignIn{Client: OnDesktop, Language: text.English, Buttons: []Button{
		button("crm", "WeCom"), button("crm-2", " wecom "), button("erp", "ERP"), button("erp-2", ""), button("hr", ""),
	}}).Body.String())
	want := []string{"crm", "crm-2", "", "erp-2", "hr"}
	for i, which := range want {
		if got.Ways[i].Which != which {
			t.Errorf("%q has %q below it, want %q", got.Ways[i].Label, got.Ways[i].Which, which)
		}
	}
}

func TestManyAndLongTitles(t *testing.T) {
	var buttons []Button
	for i := range 20 {
		name := fmt.Sprintf("app-%d", i)
		buttons = append(buttons, Button{Name: name, Title: strings.Repeat("很长的名称", 20) + name, URL: "https://s.example/" + name})
	}
	body := render(t, SignIn{Client: OnDesktop, Language: text.Chinese, Buttons: buttons}).Body.String()
	if got := read(t, body); len(got.Ways) != len(buttons) {
		t.Errorf("%d buttons of %d", len(got.Ways), len(buttons))
	}
	if strings.Count(body, `class="button long"`) != len(buttons) || !strings.Contains(body, `<main class="card wide">`) {
		t.Error("the page does not make room")
	}
}

// What the page links to afterwards, and what it opens in WeCom, is as it was before
// the failure: with its target, and without what is told once.
func TestAddressWithoutTheFailure(t *testing.T) {
	for self, want := range map[string]string{
		"https://s.example/signin": "https://s.example/signin",
		"https://s.example/signin?authenticator=a&error=internal&redirect=%2Fx%3Fa%3D1&request=r": "https://s.example/signin?redirect=%2Fx%3Fa%3D1",
		"https://s.example/signin?error=internal&lang=en&return=console":                          "https://s.example/signin?return=console",
	} {
		if got := withoutFailure(self); got != want {
			t.Errorf("%s becomes %s, want %s", self, got, want)
		}
	}
}

// The length of a QR code's link depends on the return path; a link that is too long for
// a code can only be copied.
func TestEndlessLinkHasNoCode(t *testing.T) {
	long := Button{Name: "demo", Title: "Demo", URL: "https://signin.example.com/authorize/demo?redirect=%2F" + strings.Repeat("%E4%BD%A0", 700)}
	body := render(t, SignIn{
		Language: text.English, Client: OnDesktop, Buttons: []Button{long}, Failure: &Failure{Code: "first_sign_in_in_wecom", Authenticator: "demo"},
	}).Body.String()
	if got := read(t, body); got.Scan || got.Carry != "Open this link in WeCom" || got.Link != long.URL {
		t.Fatalf("the page promises a code that is not there: %+v", got)
	}
}

func TestCodeToScanHasALabel(t *testing.T) {
	body := render(t, SignIn{
		Language: text.English, Client: OnDesktop, Buttons: []Button{demo}, Failure: &Failure{Code: "first_sign_in_in_wecom", Authenticator: "demo"},
	}).Body.String()
	if !regexp.MustCompile(`<svg class="code" [^>]*role="img" aria-label="QR code of the link below"`).MatchString(body) {
		t.Error("a screen reader passes over the code")
	}
}

func TestStrangersTextIsNotShown(t *testing.T) {
	const attack = `"><script>alert(1)</script><a href="javascript:alert(2)`
	body := render(t, SignIn{
		Client: OnPhone, Language: text.English,
		Buttons:  []Button{{Name: attack, Title: attack, URL: "javascript:alert(3)"}, demo},
		Failure:  &Failure{Code: attack, Authenticator: attack, RequestID: attack},
		SignedIn: &SignedIn{Name: attack, Continue: "javascript:alert(4)", SignOut: "javascript:alert(5)"},
	}).Body.String()
	for _, text := range []string{"<script>alert", `href="javascript:`, `action="javascript:`, "javascript:alert(3)"} {
		if strings.Contains(body, text) {
			t.Errorf("the page has %q", text)
		}
	}
	if !strings.Contains(body, "Something went wrong on our side.") || strings.Contains(body, ">Request <") {
		t.Error("an unknown code is not the internal one, or an unlikely request id is shown")
	}
}

func TestRequestIDIsNoPlaceForAMessage(t *testing.T) {
	for id, shown := range map[string]bool{
		"JKJaXmPLvHcESHA=": true, "0b6e6c3a-7f0a-4b64-b1a2-6f9f4a1f3f11": true,
		"call 0900 123456": false, "<b>": false, strings.Repeat("a", 65): false,
	} {
		body := html.UnescapeString(render(t, SignIn{Buttons: []Button{demo}, Failure: &Failure{Code: "internal", RequestID: id}}).Body.String())
		if strings.Contains(body, "<code>"+id+"</code>") != shown {
			t.Errorf("%q: shown is not %v", id, shown)
		}
	}
}
