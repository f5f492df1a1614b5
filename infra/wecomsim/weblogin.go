package wecomsim

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"
)

const (
	pathWebLogin    = "/wwlogin/sso/login"
	pathWebLoginOld = "/wwopen/sso/qrConnect"
	pathWebConfirm  = "/wwlogin/sso/confirm"
	pathWebScan     = "/wwlogin/sso/scan"
	pathWebStatus   = "/wwlogin/sso/status"
)

// The codes of the browser-login page (appendix of D/98152).
const (
	webBadCallbackDomain = -31020
	webBadAppID          = -31027
	webBadAgentID        = -31028
	webBadTrustedDomain  = -31039
	webBadLoginType      = -31040
)

// scanning is a browser-login page that waits for somebody.
type scanning struct {
	app      *app
	redirect string
	host     string
	state    string
	since    time.Time
	// oldPage is the qrConnect page, which always sends a denial back.
	oldPage bool
	// result is where the waiting page goes after a scan elsewhere.
	result string
	done   bool
}

// webLogin is the new page (D/98152). A scope has no meaning here.
func (s *Simulator) webLogin(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		s.fail(w, PageBadLink, webBadAppID, "The query is not well encoded.")
		return
	}
	if query.Get("login_type") != "CorpApp" {
		s.fail(w, PageBadLink, webBadLoginType, "login_type must be CorpApp; third-party apps are not simulated.")
		return
	}
	waiting, errcode, problem := s.webRequest(query)
	if problem != "" {
		page := PageBadLink
		switch errcode {
		case webBadCallbackDomain:
			page = PageBadCallback
		case webBadTrustedDomain:
			page = PageBadDomain
		}
		s.fail(w, page, errcode, problem)
		return
	}
	s.showWebLogin(w, r, waiting)
}

// webLoginOld is the page before it (D/91019). All its errors look alike.
func (s *Simulator) webLoginOld(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		query = url.Values{}
	}
	waiting, _, problem := s.webRequest(query)
	if problem != "" {
		s.fail(w, PageOldLinkFailed, 0, problem)
		return
	}
	waiting.oldPage = true
	s.showWebLogin(w, r, waiting)
}

func (s *Simulator) webRequest(query url.Values) (*scanning, int, string) {
	c := s.corp(query.Get("appid"))
	if c == nil {
		return nil, webBadAppID, "Unknown appid."
	}
	a := c.app(query.Get("agentid"))
	if a == nil {
		return nil, webBadAgentID, "Unknown agentid."
	}
	redirectURI := query.Get("redirect_uri")
	host, err := redirectHost(redirectURI)
	if err == nil && !sameDomain(host, a.CallbackDomain) && !sameDomain(host, a.TrustedDomain) {
		err = errors.New("the host and port of redirect_uri (" + host + ") are neither the callback domain nor the trusted domain")
	}
	if err != nil {
		// Which of the two codes appears when both domains are set is not
		// documented: the one whose setting exists for this page.
		if a.CallbackDomain != "" {
			return nil, webBadCallbackDomain, sentence(err)
		}
		return nil, webBadTrustedDomain, sentence(err)
	}
	return &scanning{app: a, redirect: redirectURI, host: host, state: query.Get("state"), since: s.now()}, 0, ""
}

// webConfirm is a scan, and the answer on the phone: allow or deny.
func (s *Simulator) webConfirm(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.scanning[r.PostFormValue("key")]
	if waiting == nil || waiting.done {
		s.fail(w, PageExpired, 0, "The code was used already.")
		return
	}
	if r.PostFormValue("answer") == "deny" {
		waiting.done = true
		if s.choices.WebDenialStays && !waiting.oldPage {
			s.fail(w, PageRefused, 0, "The member refused; nothing is sent to the application.")
			return
		}
		s.webFinish(w, r, waiting, s.back(waiting.redirect, "", waiting.state))
		return
	}
	who, ok := s.findPerson(r.PostFormValue("person"))
	if !ok {
		s.fail(w, PageExpired, 0, "There is no such person.")
		return
	}
	c := waiting.app.corp
	id := s.identify(c, who, false)
	if waiting.app.Disabled {
		s.failApp(w, PageNoPermission, 0, "The app is disabled, for every member.", waiting.app, "state")
		return
	}
	if id.member && !waiting.app.sees(id.userID) {
		// The page stays usable: somebody else may scan it.
		again := retry{Action: pathWebConfirm, Fields: map[string]string{"key": r.PostFormValue("key"), "phone": r.PostFormValue("phone")}}
		s.noPermission(w, "The member is not in the app's visible range.", waiting.app, again)
		return
	}
	waiting.done = true
	given := &code{corp: c, agentID: waiting.app.AgentID, host: waiting.host, web: true, identity: id}
	s.webFinish(w, r, waiting, s.back(waiting.redirect, s.issue(given), waiting.state))
}

// webFinish sends this browser back, or, when the answer was given on a phone,
// lets the waiting page go.
func (s *Simulator) webFinish(w http.ResponseWriter, r *http.Request, waiting *scanning, location string) {
	if r.PostFormValue("phone") == "" {
		sendTo(w, location)
		return
	}
	waiting.result = location
	s.fail(w, PageScanned, 0, "")
}

// webStatus answers the waiting page. The result is given once.
func (s *Simulator) webStatus(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.scanning[r.URL.Query().Get("key")]
	location := ""
	if waiting != nil {
		location, waiting.result = waiting.result, ""
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	encoded, err := json.Marshal(map[string]string{"location": location})
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(encoded)
}

// webScan is the page behind the QR code, on the phone that scanned it.
func (s *Simulator) webScan(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.URL.Query().Get("key")
	waiting := s.scanning[key]
	if waiting == nil || waiting.done {
		s.fail(w, PageExpired, 0, "The code was used already.")
		return
	}
	s.renderWebLogin(w, r, key, waiting, true)
}
