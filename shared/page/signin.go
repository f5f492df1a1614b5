package page

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// The sign-in page: what it shows to whom, and in which order.

// Button signs in with one authenticator.
type Button struct {
	Name  string // of the authenticator
	Title string // of the authenticator
	URL   string // absolute address of its authorize route, with the return path
	Panel string // address that tells what to frame instead, or empty
}

// SignIn is the content of the sign-in page.
type SignIn struct {
	Language text.Language
	Client   ClientKind
	// Self is the page's own address, absolute and with its query, for the links of the
	// languages.
	Self string
	// Console is the address of the administrator's page.
	Console string
	// Version of the service, shown in small print; empty for none.
	Version string
	// Buttons are the enabled authenticators.
	Buttons []Button
	// Unreadable says that the authenticators could not be read, which is not the same as
	// having none.
	Unreadable bool
	// Failure is why a sign-in failed, or nil.
	Failure *Failure
	// SignedIn is who is signed in already, or nil.
	SignedIn *SignedIn
	// Application is what the sign-in is for, or nil.
	Application *Application
	// Panel is the origin of WeCom's login page, which the page may frame, or empty.
	Panel string
	// Waiting is how this browser waits for the first sign-in that Failure asks for; nil: it
	// does not.
	Waiting *Waiting
}

// Waiting is a browser that has proven whom it waits for.
type Waiting struct {
	Link  string // to open inside WeCom; it names no browser
	GoOn  string // address to ask how far it is, and to post to
	Over  string // address of this page without the failure
	Early bool   // somebody asked before, in vain
}

// Application is an application that waits for a sign-in.
type Application struct {
	Title string
	// Refusal is why a sign-in would be in vain, or empty. The page then has no buttons.
	Refusal Refusal
	// Elsewhere is the address of the sign-in page without the application.
	Elsewhere string
}

// Refusal is why nobody can sign in to an application.
type Refusal string

// The refusals.
const (
	ApplicationDisabled Refusal = "disabled" // it is switched off
	ApplicationUnknown  Refusal = "unknown"  // there is none of this id; it has no title
	ApplicationClosed   Refusal = "closed"   // none of its ways to sign in is switched on
)

// Failure is why a sign-in failed, according to the page's query. Anybody can write a
// query, so the page shows nothing of it unchecked.
type Failure struct {
	Code          string
	Authenticator string
	RequestID     string
}

// SignedIn is a person with an active session.
type SignedIn struct {
	Name     string
	Continue string // address of the application
	SignOut  string // the address to post to
}

// likelyRequestID is the form of the gateway's request ids. Other text is not shown.
var likelyRequestID = regexp.MustCompile(`^[A-Za-z0-9_=-]{1,64}$`)

// explained returns the codes that the page explains: those of the sign-in page in
// package apierr.
func explained() []apierr.Code {
	return []apierr.Code{
		apierr.StateInvalid, apierr.StateExpired, apierr.CookiesBlocked, apierr.AccessDenied, apierr.CodeInvalid,
		apierr.NotAMember, apierr.OtherCorp, apierr.FirstSignInInWeCom, apierr.PhoneNotShared, apierr.PhoneInvalid,
		apierr.PhoneInUse, apierr.SignupClosed, apierr.UserDisabled, apierr.NotAllowed, apierr.AuthenticatorUnknown,
		apierr.AuthenticatorDisabled, apierr.RedirectLoop, apierr.WeComBusy, apierr.WeComUnavailable,
		apierr.WeComConfiguration, apierr.Internal,
	}
}

// todoKey returns the key of the text that says what to do about a code. What only works
// inside WeCom has different texts inside and outside of it.
func todoKey(code apierr.Code, client ClientKind) string {
	key := "error." + string(code) + ".todo"
	switch {
	case code == apierr.FirstSignInInWeCom && client == InWeCom:
		return key + ".wecom"
	case code == apierr.PhoneNotShared && client != InWeCom:
		return key + ".browser"
	default:
		return key
	}
}

// needsWeCom reports whether trying again outside of WeCom would fail again.
func needsWeCom(code apierr.Code) bool {
	return code == apierr.FirstSignInInWeCom || code == apierr.PhoneNotShared
}

// selfService returns the codes that a person can overcome alone, or by waiting.
func selfService() []apierr.Code {
	return []apierr.Code{
		apierr.StateInvalid, apierr.StateExpired, apierr.CookiesBlocked, apierr.AccessDenied, apierr.CodeInvalid,
		apierr.OtherCorp, apierr.FirstSignInInWeCom, apierr.WeComBusy, apierr.WeComUnavailable,
	}
}

// worthRepeating reports whether the button says "try again": not for a member who is kept
// out, nor before the first sign-in.
func worthRepeating(code apierr.Code) bool {
	return !keepsOut(code) && code != apierr.FirstSignInInWeCom
}

// keepsOut reports whether a code says that the member is not to get in, so that no button
// stands out.
func keepsOut(code apierr.Code) bool { return code == apierr.UserDisabled || code == apierr.NotAllowed }

type signInView struct {
	shell
	Failure    *failureView
	SignedIn   *SignedIn
	Lead       string
	Carry      *carryView
	Before     string // a sentence before the buttons
	Buttons    []buttonView
	Unreadable bool
	Console    string
	Reload     string
	Refused    *refusedView
	Waiting    *Waiting
	// Open says that the panel of the one button opens by itself.
	Open bool
}

// refusedView is a notice in place of the buttons.
type refusedView struct{ Cause, Todo, Elsewhere string }

type buttonView struct {
	Button
	Label string
	Which string // distinguishes it from another with the same title, or empty
	First bool   // the main button
	Long  bool   // its title takes several lines on a phone
}

type failureView struct {
	Code      apierr.Code
	Expected  bool   // a step of the first sign-in, not an error
	Tell      bool   // suggests telling an administrator
	Cause     string // what happened
	Todo      string // what to do with the buttons, or empty without buttons
	RequestID string
}

// carryView is a link to open in WeCom's own browser.
type carryView struct {
	Heading string
	Text    string
	Link    string
	Code    *qrCode // the link to scan, or nil
	Main    bool    // the main way on, before the buttons
}

// columnsFrom is from how many buttons on the page has two columns, where there is room.
const columnsFrom = 7

// longTitle is in characters: that many Chinese ones fill a line on a phone.
const longTitle = 18

// SignIn writes the sign-in page with status 200.
func (p *Pages) SignIn(w http.ResponseWriter, page SignIn) error {
	shared, err := p.shell(page.Language, page.Self)
	if err != nil {
		return err
	}
	shared.Wide, shared.Version = len(page.Buttons) >= columnsFrom, page.Version
	view := signInView{
		shell: shared, SignedIn: page.SignedIn, Unreadable: page.Unreadable,
		Console: page.Console, Reload: withoutFailure(page.Self),
	}
	if page.Failure != nil {
		view.Failure = view.explain(*page.Failure, page.Client, len(page.Buttons) > 0)
	}
	if page.Waiting != nil && view.Failure != nil {
		view.Waiting, view.Failure.Todo = page.Waiting, view.T("waiting.todo")
		if page.Client == OnPhone { // which is shown no code
			view.Failure.Todo = view.T("waiting.todo.phone")
		}
	}
	view.head(page.Application)
	if page.Application != nil && page.Application.Refusal != "" {
		view.refuse(*page.Application)
		view.Waiting = nil
		return p.write(w, http.StatusOK, "signin.html", view)
	}
	if len(page.Buttons) > 0 {
		failed := ""
		if page.Failure != nil {
			failed = page.Failure.Authenticator
		}
		view.offer(page.Buttons, failed)
		view.carry(page, failed)
		view.lead(page.Client)
		view.emphasise(failed)
	}
	policy := p.policy
	if view.Waiting != nil {
		// The form leads to an application; see writeForm.
		policy = p.add(&view, p.waitingScript, strings.Replace(policy, formAction+"; ", "", 1))
	}
	if page.Panel != "" && len(page.Buttons) > 0 {
		policy = p.add(&view, p.panelScript, policy) + "; frame-src " + page.Panel
		view.Open = len(page.Buttons) == 1 && view.Failure == nil && view.SignedIn == nil
	}
	return p.writeWith(w, http.StatusOK, "signin.html", view, policy)
}

// add puts a script that asks the service on the page, and returns the policy that lets it.
func (p *Pages) add(v *signInView, s script, policy string) string {
	v.Script += s.element
	policy = strings.Replace(policy, p.scriptSource, p.scriptSource+" "+s.source, 1)
	if !strings.Contains(policy, "connect-src") {
		policy += "; connect-src 'self'"
	}
	return policy
}

// head sets the heading, which names the application.
func (v *signInView) head(application *Application) {
	key := "signin.failed"
	switch {
	case v.Failure == nil && (application == nil || application.Refusal == ""):
		key = "signin.title"
	case v.Failure != nil && v.Failure.Code == apierr.FirstSignInInWeCom:
		key = "signin.first"
	}
	if application == nil || application.Title == "" {
		v.setHeading(key)
		return
	}
	v.setHeading(strings.Replace(key, "signin.", "application.", 1), "application", application.Title)
}

// refuse says why nobody can sign in to an application, in place of the buttons.
func (v *signInView) refuse(a Application) {
	v.Failure, v.SignedIn = nil, nil
	key := "application." + string(a.Refusal)
	v.Refused = &refusedView{
		Cause: v.T(key+".cause", "application", a.Title), Todo: v.T(key+".todo", "application", a.Title), Elsewhere: a.Elsewhere,
	}
}

// explain describes a failure. Without buttons it leaves out what to do with them; the
// page then says why there are none.
func (v *signInView) explain(failure Failure, client ClientKind, buttons bool) *failureView {
	code := apierr.Code(failure.Code)
	if !slices.Contains(explained(), code) {
		code = apierr.Internal
	}
	shown := &failureView{
		Code:     code,
		Expected: code == apierr.FirstSignInInWeCom,
		Tell:     !slices.Contains(selfService(), code),
		Cause:    v.T("error." + string(code) + ".cause"),
	}
	if buttons {
		shown.Todo = v.T(todoKey(code, client))
	}
	if likelyRequestID.MatchString(failure.RequestID) {
		shown.RequestID = failure.RequestID
	}
	return shown
}

// offer makes the buttons. The authenticator that failed comes first, to try again.
func (v *signInView) offer(buttons []Button, failed string) {
	titles := map[string]int{}
	for _, button := range buttons {
		titles[alike(button.Title)]++
	}
	for _, button := range buttons {
		shown := buttonView{
			Button: button, Label: v.T("signin.button", "title", button.Title),
			Long: utf8.RuneCountInString(button.Title) >= longTitle,
		}
		if titles[alike(button.Title)] > 1 {
			shown.Which = button.Name
		}
		if v.Failure == nil || button.Name != failed {
			v.Buttons = append(v.Buttons, shown)
			continue
		}
		if worthRepeating(v.Failure.Code) {
			shown.Label = v.T("signin.again", "title", button.Title)
		}
		v.Buttons = slices.Insert(v.Buttons, 0, shown)
	}
}

// alike returns what a hasty reader sees of a title.
func alike(title string) string { return strings.ToLower(strings.Join(strings.Fields(title), " ")) }

// carry adds the link to open in WeCom's own browser: on a phone always, because it
// cannot scan the code that WeCom shows next; on a computer for what works nowhere else.
func (v *signInView) carry(page SignIn, failed string) {
	needed := v.Failure != nil && needsWeCom(v.Failure.Code)
	if page.Client == InWeCom || page.SignedIn != nil || !needed && page.Client != OnPhone {
		return
	}
	carried := &carryView{Heading: v.T("carry.open"), Text: v.T("carry.phone"), Main: needed || v.Failure == nil}
	// With one authenticator, or a chosen one, the link starts the sign-in; otherwise it
	// opens this page there.
	carried.Link = withoutFailure(page.Self)
	switch {
	case v.Waiting != nil:
		carried.Link = v.Waiting.Link
	case len(v.Buttons) == 1 || v.Buttons[0].Name == failed:
		carried.Link = v.Buttons[0].URL
	}
	if page.Client != OnPhone {
		carried.Text = v.T("carry.send")
		if code, err := newQRCode(carried.Link); err == nil {
			carried.Code, carried.Heading, carried.Text = &code, v.T("carry.scan"), v.T("carry.desktop")
		}
	}
	if !carried.Main {
		carried.Heading = v.T("carry.else")
	}
	v.Carry = carried
}

// lead adds what the buttons do in this browser.
func (v *signInView) lead(client ClientKind) {
	switch {
	case v.SignedIn != nil, v.Waiting != nil:
		v.Before = v.T("signedin.other")
	case v.Failure != nil && v.Carry != nil && v.Carry.Main:
		v.Before = v.T("carry.after")
	case v.Failure != nil:
	case client == InWeCom:
		v.Lead = v.T("signin.lead.wecom")
	case client == OnPhone:
		v.Lead = v.T("signin.lead.phone")
		v.Before = v.T("carry.another")
	default:
		v.Lead = v.T("signin.lead.desktop")
	}
}

// emphasise marks the main button, if there is one. A disabled user would only be refused
// again.
func (v *signInView) emphasise(failed string) {
	switch {
	case v.SignedIn != nil, v.Carry != nil && v.Carry.Main, v.Failure != nil && keepsOut(v.Failure.Code):
	case len(v.Buttons) == 1, v.Buttons[0].Name == failed:
		v.Buttons[0].First = true
	}
}

// withoutFailure returns the page's address without failure and language.
func withoutFailure(self string) string {
	address, err := url.Parse(self)
	if err != nil {
		return self
	}
	query := address.Query()
	for _, name := range []string{"error", "authenticator", "request", "lang"} {
		query.Del(name)
	}
	address.RawQuery = query.Encode()
	return address.String()
}
