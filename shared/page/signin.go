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

// The sign-in page: what is on it for whom, and in which order.

// Button is a way to sign in: one authenticator.
type Button struct {
	Name  string // of the authenticator
	Title string // as its administrator called it
	URL   string // absolute address of its authorize route, with the target
}

// SignIn is what the sign-in page shows.
type SignIn struct {
	Language text.Language
	Client   ClientKind
	// Self is the page's own address, absolute and with its query: the languages
	// link to it.
	Self string
	// Console is the address of the administrator's page.
	Console string
	// Version of the service, small at the foot; empty for none.
	Version string
	// Buttons are the enabled authenticators.
	Buttons []Button
	// Unreadable says that Buttons could not be found out, which is not the same as
	// there being none.
	Unreadable bool
	// Failure is what happened, or nil.
	Failure *Failure
	// SignedIn is who is signed in already, or nil.
	SignedIn *SignedIn
}

// Failure is why a sign-in did not succeed, as the page's query says it. Anybody
// can write a query: nothing here is shown before it was looked at.
type Failure struct {
	Code          string
	Authenticator string
	RequestID     string
}

// SignedIn is somebody with a live session.
type SignedIn struct {
	Name     string
	Continue string // where the application is
	SignOut  string // the address to post to
}

// likelyRequestID is how ids of the gateway look. Anything else in its place is
// somebody's text, and not shown.
var likelyRequestID = regexp.MustCompile(`^[A-Za-z0-9_=-]{1,64}$`)

// explained returns the codes the page has sentences for: those of the sign-in
// page in package fault.
func explained() []apierr.Code {
	return []apierr.Code{
		apierr.StateInvalid, apierr.StateExpired, apierr.CookiesBlocked, apierr.AccessDenied, apierr.CodeInvalid,
		apierr.NotAMember, apierr.OtherCorp, apierr.FirstSignInInWeCom, apierr.PhoneNotShared, apierr.PhoneInvalid,
		apierr.PhoneInUse, apierr.SignupClosed, apierr.UserDisabled, apierr.AuthenticatorUnknown,
		apierr.AuthenticatorDisabled, apierr.RedirectLoop, apierr.WeComBusy, apierr.WeComUnavailable,
		apierr.WeComConfiguration, apierr.Internal,
	}
}

// todoKey is where the catalogue says what to do about a code. What only works
// inside WeCom is said in other words to who is there and to who is not.
func todoKey(code apierr.Code, visitor ClientKind) string {
	key := "error." + string(code) + ".todo"
	switch {
	case code == apierr.FirstSignInInWeCom && visitor == InWeCom:
		return key + ".wecom"
	case code == apierr.PhoneNotShared && visitor != InWeCom:
		return key + ".browser"
	default:
		return key
	}
}

// needsWeCom reports whether trying again in an ordinary browser would only end
// where it ended before.
func needsWeCom(code apierr.Code) bool {
	return code == apierr.FirstSignInInWeCom || code == apierr.PhoneNotShared
}

// visitorsOwn returns the codes that a visitor can do something about alone, or wait
// for the end of.
func visitorsOwn() []apierr.Code {
	return []apierr.Code{
		apierr.StateInvalid, apierr.StateExpired, apierr.CookiesBlocked, apierr.AccessDenied, apierr.CodeInvalid,
		apierr.OtherCorp, apierr.FirstSignInInWeCom, apierr.WeComBusy, apierr.WeComUnavailable,
	}
}

// worthRepeating reports whether the same once more is "trying again": it is not for
// an account that is switched off, nor when the first sign-in is still to come.
func worthRepeating(code apierr.Code) bool {
	return code != apierr.UserDisabled && code != apierr.FirstSignInInWeCom
}

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
}

type buttonView struct {
	Button
	Label string
	Which string // tells it from another of the same title, or empty
	First bool   // it stands out
	Long  bool   // its title takes several lines on a phone
}

type failureView struct {
	Code      apierr.Code
	Expected  bool   // a step on the way and nothing that went wrong
	Tell      bool   // an administrator may have to know
	Cause     string // what happened
	Todo      string // what to do with what is below, or empty when there is nothing
	RequestID string
}

// carryView is a link to open in WeCom's own browser.
type carryView struct {
	Heading string
	Text    string
	Link    string
	Code    *qrCode // the link to scan, or nil
	Main    bool    // this is what to do, and comes before the buttons
}

// columnsFrom is how many buttons are easier to look through in two columns, where
// there is room.
const columnsFrom = 7

// longTitle is in characters: Chinese ones fill a line of a phone.
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
	view.call(view.headingKey())
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
	return p.write(w, http.StatusOK, "signin.html", view)
}

func (v *signInView) headingKey() string {
	switch {
	case v.Failure == nil:
		return "signin.title"
	case v.Failure.Code == apierr.FirstSignInInWeCom:
		return "signin.first"
	default:
		return "signin.failed"
	}
}

// explain says what happened. Without buttons it leaves out what to do with them:
// the page then says why there are none.
func (v *signInView) explain(failure Failure, visitor ClientKind, buttons bool) *failureView {
	code := apierr.Code(failure.Code)
	if !slices.Contains(explained(), code) {
		code = apierr.Internal
	}
	shown := &failureView{
		Code:     code,
		Expected: code == apierr.FirstSignInInWeCom,
		Tell:     !slices.Contains(visitorsOwn(), code),
		Cause:    v.T("error." + string(code) + ".cause"),
	}
	if buttons {
		shown.Todo = v.T(todoKey(code, visitor))
	}
	if likelyRequestID.MatchString(failure.RequestID) {
		shown.RequestID = failure.RequestID
	}
	return shown
}

// offer makes the buttons. The authenticator that failed is the one to try again,
// and comes first.
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

// alike is a title as a hasty reader sees it.
func alike(title string) string { return strings.ToLower(strings.Join(strings.Fields(title), " ")) }

// carry decides what is to be taken over to WeCom's own browser: on a phone always,
// for it cannot scan the code that WeCom would show next; on a computer what works
// nowhere else.
func (v *signInView) carry(page SignIn, failed string) {
	needed := v.Failure != nil && needsWeCom(v.Failure.Code)
	if page.Client == InWeCom || page.SignedIn != nil || !needed && page.Client != OnPhone {
		return
	}
	carried := &carryView{Heading: v.T("carry.open"), Text: v.T("carry.phone"), Main: needed || v.Failure == nil}
	// With one way in, or one that was chosen, the link goes all the way; else this
	// page asks again there.
	carried.Link = withoutFailure(page.Self)
	if len(v.Buttons) == 1 || v.Buttons[0].Name == failed {
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

// lead says what to expect from the buttons in this browser.
func (v *signInView) lead(visitor ClientKind) {
	switch {
	case v.SignedIn != nil:
		v.Before = v.T("signedin.other")
	case v.Failure != nil && v.Carry != nil && v.Carry.Main:
		v.Before = v.T("carry.after")
	case v.Failure != nil:
	case visitor == InWeCom:
		v.Lead = v.T("signin.lead.wecom")
	case visitor == OnPhone:
		v.Lead = v.T("signin.lead.phone")
		v.Before = v.T("carry.another")
	default:
		v.Lead = v.T("signin.lead.desktop")
	}
}

// emphasise lets one button stand out, if one is what most visitors want here. An
// account that is switched off would be refused again.
func (v *signInView) emphasise(failed string) {
	switch {
	case v.SignedIn != nil, v.Carry != nil && v.Carry.Main, v.Failure != nil && v.Failure.Code == apierr.UserDisabled:
	case len(v.Buttons) == 1, v.Buttons[0].Name == failed:
		v.Buttons[0].First = true
	}
}

// withoutFailure is the page's address with its target alone.
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
