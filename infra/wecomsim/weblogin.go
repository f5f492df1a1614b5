// Browser login: the new page and the old one, the QR code, and what the phone
// that scans it answers.

package wecomsim

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim/page"
)

const (
	pathWebLogin    = "/wwlogin/sso/login"
	pathWebLoginOld = "/wwopen/sso/qrConnect"
	pathWebConfirm  = "/wwlogin/sso/confirm"
	pathWebScan     = "/wwlogin/sso/scan"
	pathWebStatus   = "/wwlogin/sso/status"
)

// The codes on the browser-login page (appendix of D/98152).
const (
	webBadCallbackDomain = -31020
	webBadAppID          = -31027
	webBadAgentID        = -31028
	webBadTrustedDomain  = -31039
	webBadLoginType      = -31040
)

// login is a browser-login page that waits for a scan.
type login struct {
	app         appRef
	redirectURI string
	host        string
	state       string
	since       time.Time
	// oldPage always sends a denial back.
	oldPage bool
	// redirectType is how the page gives the result to the page that frames it:
	// top or callback; otherwise it goes there itself.
	redirectType string
	// result is where the waiting page goes after an answer on a phone.
	result   string
	answered bool
}

// webLogin is the new page (D/98152). It ignores a scope.
func (s *Simulator) webLogin(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("login_type") != "CorpApp" {
		s.showMessage(w, PageBadLink, message{Number: webBadLoginType, Detail: "login_type must be CorpApp; third-party apps are not simulated."})
		return
	}
	l, code, problem := s.newLogin(r.URL.RawQuery)
	if problem != "" {
		shown := PageBadLink
		switch code {
		case webBadCallbackDomain:
			shown = PageBadCallback
		case webBadTrustedDomain:
			shown = PageBadDomain
		}
		s.showMessage(w, shown, message{Number: code, Detail: problem})
		return
	}
	l.redirectType = r.URL.Query().Get("redirect_type")
	s.startLogin(w, r, l)
}

// webLoginOld is its predecessor (D/91019), whose errors all look alike.
func (s *Simulator) webLoginOld(w http.ResponseWriter, r *http.Request) {
	l, _, problem := s.newLogin(r.URL.RawQuery)
	if problem != "" {
		s.showMessage(w, PageOldLinkFailed, message{Detail: problem})
		return
	}
	l.oldPage = true
	s.startLogin(w, r, l)
}

// newLogin reads the query of either page, or says what is wrong with it.
func (s *Simulator) newLogin(rawQuery string) (l *login, code int, problem string) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, webBadAppID, "The query is not well encoded."
	}
	ref := appRef{query.Get("appid"), query.Get("agentid")}
	c, a := s.app(ref)
	if c == nil {
		return nil, webBadAppID, "Unknown appid."
	}
	if a == nil {
		return nil, webBadAgentID, "Unknown agentid."
	}
	redirectURI := query.Get("redirect_uri")
	host, err := redirectHost(redirectURI)
	if err == nil && !sameDomain(host, a.CallbackDomain) && !sameDomain(host, a.TrustedDomain) {
		err = errors.New("the host and port of redirect_uri (" + host + ") are neither the callback domain nor the trusted domain")
	}
	switch {
	case err == nil:
		return &login{app: ref, redirectURI: redirectURI, host: host, state: query.Get("state"), since: s.now()}, 0, ""
	case a.CallbackDomain != "":
		// Which code appears when both domains are set is not documented: the
		// one whose setting exists for this page.
		return nil, webBadCallbackDomain, sentence(err)
	default:
		return nil, webBadTrustedDomain, sentence(err)
	}
}

func (s *Simulator) startLogin(w http.ResponseWriter, r *http.Request, l *login) {
	key := s.newValue()
	s.logins[key] = l
	s.showLogin(w, r, key, l, false)
}

// waitingLogin finds the login of a request, or shows that it is over.
func (s *Simulator) waitingLogin(w http.ResponseWriter, key string) *login {
	if l := s.logins[key]; l != nil && !l.answered {
		return l
	}
	s.showMessage(w, PageExpired, message{Detail: "The QR code was already used."})
	return nil
}

// webScan is the page behind the QR code, for the phone that scanned it.
func (s *Simulator) webScan(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Query().Get("key")
	if l := s.waitingLogin(w, key); l != nil {
		s.showLogin(w, r, key, l, true)
	}
}

// webConfirm is a scan together with the answer on the phone: allow or deny.
func (s *Simulator) webConfirm(w http.ResponseWriter, r *http.Request) {
	l := s.waitingLogin(w, r.PostFormValue("key"))
	if l == nil {
		return
	}
	if r.PostFormValue("answer") == "deny" {
		l.answered = true
		if s.choices.WebDenialStays && !l.oldPage {
			s.showMessage(w, PageRefused, message{Detail: "The member refused; nothing is sent to the application."})
			return
		}
		s.finishLogin(w, r, l, s.callbackURL(l.redirectURI, "", l.state))
		return
	}
	who, ok := s.findPerson(r.PostFormValue("person"))
	if r.PostFormValue("answer") == "quick" {
		who, ok = s.clientOf(r)
	}
	if !ok {
		s.showMessage(w, PageExpired, message{Detail: "The person no longer exists."})
		return
	}
	c, a := s.app(l.app)
	id := s.identify(c, who, false)
	switch {
	case a.Disabled:
		s.showMessage(w, PageNoPermission, message{Detail: "The app is disabled for every member.", Console: consoleLink(l.app, "state")})
	case id.member && !c.inRange(a, id.userID):
		// The QR code stays valid: another member may scan it.
		s.showNoPermission(w, l.app, message{
			Detail: "The member is not in the app's visible range.", RetryForm: pathWebConfirm,
			RetryField: "key", RetryValue: r.PostFormValue("key"), OnPhone: r.PostFormValue("phone") != "",
		})
	default:
		l.answered = true
		code := s.newCode(&authCode{app: l.app, host: l.host, web: true, identity: id})
		s.finishLogin(w, r, l, s.callbackURL(l.redirectURI, code, l.state))
	}
}

// finishLogin sends this browser back, or, when the answer came from a phone,
// the page that waits.
func (s *Simulator) finishLogin(w http.ResponseWriter, r *http.Request, l *login, location string) {
	if r.PostFormValue("phone") == "" {
		if l.framed() {
			s.templates.Write(w, http.StatusOK, string(PagePanelDone), panelView{s.panelFrame(PagePanelDone), l.redirectType, location})
			return
		}
		redirectTo(w, location)
		return
	}
	l.result = location
	s.showMessage(w, PageScanned, message{})
}

// framed reports whether the page is a panel in another page.
func (l *login) framed() bool { return l.redirectType == "top" || l.redirectType == "callback" }

// panelView is the page that gives the result to the page around the panel.
type panelView struct {
	page.Frame

	RedirectType, Location string
}

func (s *Simulator) panelFrame(p Page) page.Frame {
	frame := s.frame(p)
	frame.Panel, frame.AnyClient = true, false
	return frame
}

// webStatus answers the waiting page. It gives the result once.
func (s *Simulator) webStatus(w http.ResponseWriter, r *http.Request) {
	location := ""
	if l := s.logins[r.URL.Query().Get("key")]; l != nil {
		location, l.result = l.result, ""
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, map[string]string{"location": location})
}
