package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/fault"
)

//go:embed assets
var assets embed.FS

// Mark returns the service's own drawn mark, an SVG document.
func Mark() ([]byte, error) { return assets.ReadFile("assets/mark.svg") }

// Pages writes pages. It is safe for concurrent use.
type Pages struct {
	templates  *template.Template
	catalogues map[Language]Texts
	style      template.HTML
	script     template.HTML
	mark       template.HTML
	icon       template.URL
	policy     string
}

// New reads the embedded files.
func New() (*Pages, error) {
	files := map[string]string{}
	for _, name := range []string{"style.css", "script.js", "mark.svg"} {
		content, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return nil, fmt.Errorf("read embedded file: %w", err)
		}
		files[name] = string(content)
	}
	style, script, mark := files["style.css"], files["script.js"], files["mark.svg"]
	p := &Pages{
		catalogues: map[Language]Texts{},
		// The elements are made here, once: the policy names the hash of every byte
		// between the tags, and a template might change some.
		style:  template.HTML("<style>" + style + "</style>"),    //nolint:gosec // embedded, not input
		script: template.HTML("<script>" + script + "</script>"), //nolint:gosec // embedded, not input
		mark:   template.HTML(mark),                              //nolint:gosec // embedded, not input
		icon: template.URL("data:image/svg+xml;base64," + //nolint:gosec // embedded, not input
			base64.StdEncoding.EncodeToString([]byte(mark))),
		policy: strings.Join([]string{
			"default-src 'none'",
			"style-src " + hashSource(style),
			"script-src " + hashSource(script),
			"img-src data:",
			"form-action 'self'",
			"base-uri 'none'",
			"frame-ancestors 'none'",
		}, "; "),
	}
	for _, tag := range Languages() {
		texts, err := ReadTexts(tag, SignInArea)
		if err != nil {
			return nil, err
		}
		p.catalogues[tag] = texts
	}
	templates, err := template.ParseFS(assets, "assets/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	p.templates = templates
	return p, nil
}

func hashSource(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Button is a way to sign in: one authenticator.
type Button struct {
	Name  string // of the authenticator
	Title string // as its administrator called it
	URL   string // absolute address of its authorize route, with the target
}

// SignIn is what the sign-in page shows.
type SignIn struct {
	Language Language
	Visitor  Visitor
	// Self is the page's own address, absolute and with its query: the languages
	// link to it.
	Self string
	// Console is the address of the administrator's page.
	Console string
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

// shell is what every page has.
type shell struct {
	Language  Language
	Title     string
	Style     template.HTML
	Script    template.HTML
	Mark      template.HTML
	Icon      template.URL
	Languages []languageLink
	texts     Texts
}

// T returns a text.
func (s shell) T(key string, pairs ...string) string { return s.texts.Text(key, pairs...) }

type languageLink struct {
	Tag     Language
	Name    string // in that language
	URL     string
	Current bool
}

type signInView struct {
	shell
	Visitor    Visitor
	Lead       string
	Buttons    []buttonView
	Failure    *failureView
	Unreadable bool
	Console    string
	Self       string
	SignedIn   *SignedIn
	// Link is an address to open in WeCom, with or without a code to scan.
	Link   string
	Code   *qrCode
	Carry  bool // Link is worth carrying over to WeCom
	ByHand string
}

type buttonView struct {
	Button
	Label string
	First bool
}

type failureView struct {
	Code      fault.Code
	Cause     string
	Todo      string
	RequestID string
}

// SignIn writes the sign-in page with status 200.
func (p *Pages) SignIn(w http.ResponseWriter, page SignIn) error {
	view := signInView{
		shell:   p.shell(page.Language, "signin.title", page.Self),
		Visitor: page.Visitor, Unreadable: page.Unreadable, Console: page.Console, Self: page.Self, SignedIn: page.SignedIn,
	}
	// The authenticator that failed is the one to try again, and comes first.
	failed := -1
	if page.Failure != nil {
		failed = slices.IndexFunc(page.Buttons, func(b Button) bool { return b.Name == page.Failure.Authenticator })
		view.Failure = view.failure(*page.Failure)
	}
	for i, button := range page.Buttons {
		if i != failed {
			view.Buttons = append(view.Buttons, buttonView{Button: button, Label: view.T("signin.button", "title", button.Title)})
		}
	}
	if failed >= 0 {
		again := buttonView{Button: page.Buttons[failed], Label: view.T("signin.again", "title", page.Buttons[failed].Title)}
		view.Buttons = slices.Insert(view.Buttons, 0, again)
	}
	if len(view.Buttons) > 0 {
		view.lead(page)
		view.carry(page)
		// One button stands out: what most visitors want here.
		view.Buttons[0].First = !view.Carry && view.SignedIn == nil
	}
	return p.write(w, http.StatusOK, "signin.html", view)
}

// lead is what to expect from the buttons in this browser.
func (v *signInView) lead(page SignIn) {
	switch {
	case page.Failure != nil || page.SignedIn != nil:
	case v.Visitor == InWeCom:
		v.Lead = v.T("signin.lead.wecom")
	case v.Visitor == OnPhone:
		v.Lead = v.T("signin.lead.phone")
	default:
		v.Lead = v.T("signin.lead.desktop")
	}
}

// carry decides what is to be taken over to WeCom's own browser: on a phone always,
// on a computer when the first sign-in has to happen there.
func (v *signInView) carry(page SignIn) {
	first := v.Failure != nil && v.Failure.Code == fault.FirstSignInInWeCom
	if v.Visitor == InWeCom || !first && v.Visitor != OnPhone {
		return
	}
	// With one way in, the link goes all the way; else this page asks again there.
	v.Link = withoutFailure(v.Self)
	if first && v.Buttons[0].Name == page.Failure.Authenticator || len(v.Buttons) == 1 {
		v.Link = v.Buttons[0].URL
	}
	v.Carry = true
	if v.Visitor == OnPhone {
		v.ByHand = v.T("carry.phone")
		return
	}
	v.ByHand = v.T("carry.desktop")
	if code, err := newQRCode(v.Link); err == nil {
		v.Code = &code
	}
}

// withoutFailure is the page's address with its target alone.
func withoutFailure(self string) string {
	address, err := url.Parse(self)
	if err != nil {
		return self
	}
	query := address.Query()
	for name := range query {
		if name != "redirect" {
			query.Del(name)
		}
	}
	address.RawQuery = query.Encode()
	return address.String()
}

func (v *signInView) failure(failure Failure) *failureView {
	code := fault.Code(failure.Code)
	if !slices.Contains(explained(), code) {
		code = fault.Internal
	}
	shown := &failureView{
		Code:  code,
		Cause: v.T("error." + string(code) + ".cause"),
		Todo:  v.T("error." + string(code) + ".todo"),
	}
	if likelyRequestID.MatchString(failure.RequestID) {
		shown.RequestID = failure.RequestID
	}
	return shown
}

// NotFound is what the page for an address of ours without content shows.
type NotFound struct {
	Language Language
	SignIn   string // address of the sign-in page
}

// NotFound writes the page with status 404.
func (p *Pages) NotFound(w http.ResponseWriter, page NotFound) error {
	return p.write(w, http.StatusNotFound, "notfound.html", struct {
		shell
		SignIn string
	}{p.shell(page.Language, "notfound.title", ""), page.SignIn})
}

// shell completes what every page has; without an own address no languages are offered.
func (p *Pages) shell(tag Language, title, self string) shell {
	texts, ok := p.catalogues[tag]
	if !ok {
		tag, texts = DefaultLanguage, p.catalogues[DefaultLanguage]
	}
	s := shell{
		Language: tag, Title: texts.Text(title),
		Style: p.style, Script: p.script, Mark: p.mark, Icon: p.icon, texts: texts,
	}
	address, err := url.Parse(self)
	if self == "" || err != nil {
		return s
	}
	for _, other := range Languages() {
		query := address.Query()
		query.Set("lang", string(other))
		link := *address
		link.RawQuery = query.Encode()
		s.Languages = append(s.Languages, languageLink{
			Tag: other, Name: p.catalogues[other].Text("language.name"), URL: link.String(), Current: other == tag,
		})
	}
	return s
}

// write renders first and answers then: a page is whole or not there.
func (p *Pages) write(w http.ResponseWriter, status int, name string, view any) error {
	var body bytes.Buffer
	if err := p.templates.ExecuteTemplate(&body, name, view); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", p.policy)
	// With the stricter "no-referrer" browsers post the form that signs out with
	// "Origin: null" (Fetch standard, "append a request Origin header").
	header.Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
	_, err := w.Write(body.Bytes())
	return err
}
