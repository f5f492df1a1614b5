package page

import (
	"cmp"
	"html/template"
	"net/http"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/text"
)

// The pages of the OpenID provider: consent, refusals and sign-out. All are one template,
// which shows what each of them fills in. They work without a script.

// Field is a hidden field of a form.
type Field struct{ Name, Value string }

// Form is where a page's answer is posted to.
type Form struct {
	Action string
	Fields []Field
}

// Consent asks a member what an application may know.
type Consent struct {
	Language    text.Language
	Self        string // the page's own address, for the links of the languages; may be empty
	Application string // its title
	Member      string
	Scopes      []string
	// Form is posted with the field "answer", ConsentAgreed or ConsentRefused.
	Form Form
}

// The values of the field "answer".
const (
	ConsentAgreed  = "agree"
	ConsentRefused = "refuse"
)

// NotAllowed tells a member that an application is for others.
type NotAllowed struct {
	Language    text.Language
	Self        string
	Application string
	Member      string
	Back        string // takes the refusal to the application; may have a private scheme, or be empty
	SignIn      string // signs in as somebody else
}

// RefusedRequest tells why an application's request is not answered.
type RefusedRequest struct {
	Language    text.Language
	Self        string
	Status      int    // of the answer; zero: 400
	Application string // its title; empty: unknown
	Reason      RequestReason
	Code        string // of the standards
	RequestID   string // the gateway's
	// Details is what administrators see, and nobody else; nil without it.
	Details *RequestDetails
}

// RequestDetails is what came with a request and what is registered.
type RequestDetails struct {
	Description string // a sentence in English, for developers
	ClientID    string
	Came        string
	Registered  []string
	Console     string // the address of the application in the console; empty: unknown
}

// RequestReason is why a request is refused.
type RequestReason string

// The reasons.
const (
	ReasonUnknown  RequestReason = "unknown"  // there is no such application
	ReasonDisabled RequestReason = "disabled" // it is switched off
	ReasonAddress  RequestReason = "address"  // its address is not registered
	ReasonConsent  RequestReason = "consent"  // the member did not allow it
	ReasonMissing  RequestReason = "missing"  // there is no address in it
	ReasonRequest  RequestReason = "request"  // anything else
)

// LostRequest tells somebody whose browser no longer has an application's request to begin
// again there.
type LostRequest struct {
	Language    text.Language
	Self        string
	Application string // its title; empty: unknown
	Homepage    string // of the application, or empty
	SignIn      string
}

// SignOut asks whether to sign out.
type SignOut struct {
	Language    text.Language
	Self        string
	Application string // that asks; empty: unknown
	Member      string
	Form        Form
	Stay        string
}

// SignedOut says that nobody is signed in any more.
type SignedOut struct {
	Language text.Language
	Self     string
	SignIn   string
	// Unregistered: the application wanted the member led on to an address that is not one
	// of its own.
	Unregistered bool
}

type messageView struct {
	shell
	Cause, Todo     string // a notice, or empty
	Code, RequestID string
	Lead            string
	Items           []string
	Details         []detailView
	Form            *Form
	Buttons         []messageButton // of the form
	Links           []messageButton
}

type detailView struct {
	Label  string
	Values []string
}

// messageButton submits the form with Name and Value, or leads to URL.
type messageButton struct {
	Label, Name, Value string
	URL                any // a string; a template.URL if its scheme is one that templates leave out
	First              bool
}

// Consent writes the page with status 200.
func (p *Pages) Consent(w http.ResponseWriter, page Consent) error {
	view, err := p.message(page.Language, page.Self)
	if err != nil {
		return err
	}
	view.setHeading("consent.title", "application", page.Application)
	view.Lead = view.T("consent.lead", "application", page.Application, "name", page.Member)
	for _, scope := range page.Scopes {
		view.Items = append(view.Items, view.T("consent."+scope))
	}
	view.Form = &page.Form
	view.Buttons = []messageButton{
		{Label: view.T("consent.agree"), Name: "answer", Value: ConsentAgreed, First: true},
		{Label: view.T("consent.refuse"), Name: "answer", Value: ConsentRefused},
	}
	return p.writeForm(w, view)
}

// NotAllowed writes the page with status 403.
func (p *Pages) NotAllowed(w http.ResponseWriter, page NotAllowed) error {
	view, err := p.message(page.Language, page.Self)
	if err != nil {
		return err
	}
	view.setHeading("notallowed.title", "application", page.Application)
	view.Cause = view.T("notallowed.cause", "application", page.Application, "name", page.Member)
	view.Todo = view.T("notallowed.todo")
	if page.Back != "" {
		view.Links = append(view.Links, messageButton{
			Label: view.T("notallowed.back", "application", page.Application), URL: template.URL(page.Back), First: true, //nolint:gosec // registered, see oauth.CheckRedirectURI
		})
	}
	view.Links = append(view.Links, messageButton{Label: view.T("notallowed.other"), URL: page.SignIn, First: page.Back == ""})
	return p.write(w, http.StatusForbidden, "message.html", view)
}

// RefusedRequest writes the page.
func (p *Pages) RefusedRequest(w http.ResponseWriter, page RefusedRequest) error {
	view, err := p.message(page.Language, page.Self)
	if err != nil {
		return err
	}
	if page.Application == "" {
		view.setHeading("refused.title")
	} else {
		view.setHeading("refused.application", "application", page.Application)
	}
	key := "refused." + string(page.Reason)
	view.Cause, view.Todo = view.T(key+".cause", "application", page.Application), view.T(key+".todo")
	view.Code = page.Code
	if likelyRequestID.MatchString(page.RequestID) {
		view.RequestID = page.RequestID
	}
	if d := page.Details; d != nil {
		view.Lead = view.T("refused.details")
		view.detail("refused.description", d.Description)
		view.detail("refused.client", d.ClientID)
		view.detail("refused.came", d.Came)
		view.detail("refused.registered", d.Registered...)
		if d.Console != "" {
			view.Links = []messageButton{{Label: view.T("refused.console"), URL: d.Console}}
		}
	}
	return p.write(w, cmp.Or(page.Status, http.StatusBadRequest), "message.html", view)
}

// detail adds a line for administrators, which shows what is not there, too.
func (v *messageView) detail(key string, values ...string) {
	if len(values) == 0 || values[0] == "" {
		values = []string{v.T("refused.nothing")}
	}
	v.Details = append(v.Details, detailView{v.T(key), values})
}

// LostRequest writes the page with status 400.
func (p *Pages) LostRequest(w http.ResponseWriter, page LostRequest) error {
	view, err := p.message(page.Language, page.Self)
	if err != nil {
		return err
	}
	if page.Application == "" {
		view.setHeading("lost.title")
		view.Todo = view.T("lost.todo")
	} else {
		view.setHeading("lost.application", "application", page.Application)
		view.Todo = view.T("lost.again", "application", page.Application)
	}
	view.Cause = view.T("lost.cause")
	if page.Homepage != "" {
		view.Links = append(view.Links, messageButton{Label: view.T("lost.open", "application", page.Application), URL: page.Homepage, First: true})
	}
	view.Links = append(view.Links, messageButton{Label: view.T("lost.signin"), URL: page.SignIn})
	return p.write(w, http.StatusBadRequest, "message.html", view)
}

// SignOut writes the page with status 200.
func (p *Pages) SignOut(w http.ResponseWriter, page SignOut) error {
	view, err := p.message(page.Language, page.Self)
	if err != nil {
		return err
	}
	view.setHeading("signout.title")
	view.Lead = view.T("signout.person", "name", page.Member)
	if page.Application != "" {
		view.Lead = view.T("signout.application", "application", page.Application, "name", page.Member)
	}
	view.Form = &page.Form
	view.Buttons = []messageButton{{Label: view.T("signout.yes"), First: true}}
	view.Links = []messageButton{{Label: view.T("signout.no"), URL: page.Stay}}
	return p.writeForm(w, view)
}

// SignedOut writes the page with status 200.
func (p *Pages) SignedOut(w http.ResponseWriter, page SignedOut) error {
	view, err := p.message(page.Language, page.Self)
	if err != nil {
		return err
	}
	view.setHeading("signedout.title")
	view.Lead = view.T("signedout.text")
	if page.Unregistered {
		view.Cause = view.T("signedout.unregistered")
	}
	view.Links = []messageButton{{Label: view.T("signedout.signin"), URL: page.SignIn, First: true}}
	return p.write(w, http.StatusOK, "message.html", view)
}

// message begins a page.
func (p *Pages) message(tag text.Language, self string) (*messageView, error) {
	shared, err := p.shellIn(p.openIDTexts, tag, self)
	return &messageView{shell: shared}, err
}

// writeForm writes a page whose form ends at an application. Browsers apply form-action to
// every redirect that follows, so it would have to name each address that any application
// redirects to afterwards. Instead the page has no form but its own.
func (p *Pages) writeForm(w http.ResponseWriter, view *messageView) error {
	return p.writeWith(w, http.StatusOK, "message.html", view, strings.Replace(p.policy, formAction+"; ", "", 1))
}
