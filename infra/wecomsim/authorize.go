// In-client authorization: the authorize link, consent, and the code that leads
// back to the application.

package wecomsim

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	pathAuthorize   = "/connect/oauth2/authorize"
	pathConsent     = "/connect/oauth2/consent"
	pathDomainError = "/wwopen/uriconfirm"
)

// The scopes of D/91022.
const (
	scopeBase        = "snsapi_base"
	scopePrivateInfo = "snsapi_privateinfo"
)

// stateAlphabet is the documented alphabet of the in-client state.
const stateAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// authorizeLink is an in-client link after parsing.
type authorizeLink struct {
	appID, redirectURI, responseType, scope, state, agentID string
	// host is host[:port] of redirectURI.
	host string
	// ordered says that the parameters are in the documented order.
	ordered bool
}

// parseAuthorize reads the query of an in-client link. It fails, with the page
// to show, when the query can be read in more than one way, or when
// redirect_uri is not an absolute web address; a twice encoded one is not,
// because it has no scheme.
func parseAuthorize(rawQuery string) (authorizeLink, Page, error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return authorizeLink{}, PageBadLink, errors.New("the query is not well encoded")
	}
	order := []string{"appid", "redirect_uri", "response_type", "scope", "state", "agentid"}
	for _, name := range order {
		if len(query[name]) > 1 {
			return authorizeLink{}, PageBadLink, errors.New("the parameter " + name + " appears twice")
		}
	}
	link := authorizeLink{
		appID: query.Get("appid"), redirectURI: query.Get("redirect_uri"), responseType: query.Get("response_type"),
		scope: query.Get("scope"), state: query.Get("state"), agentID: query.Get("agentid"),
	}
	var found []int
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if i := slices.Index(order, name); i >= 0 {
			found = append(found, i)
		}
	}
	link.ordered = slices.IsSorted(found)
	link.host, err = redirectHost(link.redirectURI)
	return link, PageBadRedirect, err
}

// redirectHost returns host[:port] of a redirect_uri as it is written.
func redirectHost(redirectURI string) (string, error) {
	u, err := url.Parse(redirectURI)
	switch {
	case redirectURI == "":
		return "", errors.New("redirect_uri is missing")
	case err != nil:
		return "", errors.New("redirect_uri is not a URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("redirect_uri has no scheme, or is encoded twice")
	case u.Host == "" || u.Opaque != "":
		return "", errors.New("redirect_uri has no host")
	case u.User != nil:
		return "", errors.New("redirect_uri has user information")
	}
	return u.Host, nil
}

// isWeCom and isPersonalWeChat read the User-Agent: WeCom has both marks,
// personal WeChat only its own.
func isWeCom(userAgent string) bool {
	return strings.Contains(strings.ToLower(userAgent), "wxwork")
}

func isPersonalWeChat(userAgent string) bool {
	return !isWeCom(userAgent) && strings.Contains(strings.ToLower(userAgent), "micromessenger")
}

// consentKey identifies one member's consent to one app.
type consentKey struct {
	app    appRef
	userID string
}

type consent struct {
	agreed  []Field
	refused bool
	since   time.Time
}

// consentRequest is a consent page that waits for its answer.
type consentRequest struct {
	person person
	link   authorizeLink
	// code is what the application gets if the member agrees.
	code  *authCode
	since time.Time
}

func (q *consentRequest) key() consentKey {
	return consentKey{q.code.app, q.code.identity.userID}
}

// authorize answers the in-client link (D/91022).
func (s *Simulator) authorize(w http.ResponseWriter, r *http.Request) {
	userAgent := r.UserAgent()
	if !s.choices.AnyBrowserIsClient && !isWeCom(userAgent) && !isPersonalWeChat(userAgent) {
		s.showMessage(w, PageOpenInClient, message{Detail: "The User-Agent has neither wxwork nor MicroMessenger."})
		return
	}
	link, page, err := parseAuthorize(r.URL.RawQuery)
	if err != nil {
		s.showMessage(w, page, message{Detail: sentence(err)})
		return
	}
	ref := appRef{link.appID, link.agentID}
	c, a := s.app(ref)
	problem := ""
	switch {
	case c == nil:
		problem = "Unknown appid."
	case link.responseType != "code":
		problem = "response_type must be code."
	case link.scope != scopeBase && link.scope != scopePrivateInfo:
		problem = "scope must be snsapi_base or snsapi_privateinfo."
	case link.agentID != "" && a == nil:
		problem = "Unknown agentid."
	case link.scope == scopePrivateInfo && a == nil && s.choices.PrivateInfoNeedsAgentID:
		problem = "snsapi_privateinfo needs agentid."
	case s.choices.ParameterOrderMatters && !link.ordered:
		problem = "The parameters are not in the documented order."
	case a != nil && !sameDomain(link.host, a.TrustedDomain) || a == nil && !c.trustsDomain(link.host):
		http.Redirect(w, r, pathDomainError+"?err_type=domain_err&uri="+url.QueryEscape(link.redirectURI), http.StatusFound)
		return
	case !s.choices.AnyState && (len(link.state) > 128 || strings.Trim(link.state, stateAlphabet) != ""):
		problem = "state must match [A-Za-z0-9]{0,128}."
	case a != nil && a.Disabled:
		s.showMessage(w, PageAppDisabled, message{Detail: "The administrator disabled this app.", Console: consoleLink(ref, "state")})
		return
	}
	if problem != "" {
		s.showMessage(w, PageBadLink, message{Detail: problem})
		return
	}
	who, signedIn := s.clientOf(r)
	if !signedIn {
		s.showChooser(w, r, ref)
		return
	}
	personal := isPersonalWeChat(userAgent) && !s.choices.AnyBrowserIsClient
	code := &authCode{app: ref, host: link.host, identity: s.identify(c, who, personal)}
	if link.scope == scopeBase || a == nil {
		s.redirectToApp(w, code, link.redirectURI, link.state)
		return
	}
	s.authorizePrivateInfo(w, r, &consentRequest{person: who, link: link, code: code, since: s.now()})
}

// authorizePrivateInfo answers a valid link with snsapi_privateinfo: by the
// consent page, or silently when the member answered it before.
func (s *Simulator) authorizePrivateInfo(w http.ResponseWriter, r *http.Request, q *consentRequest) {
	id := q.code.identity
	if c, a := s.app(q.code.app); !id.member || !c.inRange(a, id.userID) {
		s.showNoPermission(w, q.code.app, message{
			Detail:     "snsapi_privateinfo: the person is not in the app's visible range.",
			RetryForm:  pathClient,
			RetryField: "return", RetryValue: r.URL.RequestURI(),
		})
		return
	}
	q.code.ticket = true
	given, asked := s.consents[q.key()]
	again := given.refused && s.choices.AskAgainAfterRefusal
	if asked && !again && s.now().Sub(given.since) < ConsentLifetime {
		q.code.agreed = given.agreed
		s.redirectToApp(w, q.code, q.link.redirectURI, q.link.state)
		return
	}
	key := s.newValue()
	s.consentRequests[key] = q
	s.showConsent(w, key, q)
}

// answerConsent takes the answer of the consent page.
func (s *Simulator) answerConsent(w http.ResponseWriter, r *http.Request) {
	key := r.PostFormValue("request")
	q := s.consentRequests[key]
	if who, signedIn := s.clientOf(r); q == nil || !signedIn || who != q.person {
		s.showMessage(w, PageExpired, message{Detail: "The consent page was already answered, or belongs to another member."})
		return
	}
	delete(s.consentRequests, key)
	answer := consent{since: s.now(), refused: r.PostFormValue("answer") != "agree"}
	_, a := s.app(q.code.app)
	for _, f := range a.Fields {
		if !answer.refused && slices.Contains(r.PostForm["field"], string(f)) {
			answer.agreed = append(answer.agreed, f)
		}
	}
	s.consents[q.key()] = answer
	switch {
	case !answer.refused:
		q.code.agreed = answer.agreed
		s.redirectToApp(w, q.code, q.link.redirectURI, q.link.state)
	case s.choices.RefusalStays:
		s.showMessage(w, PageRefused, message{Detail: "The member refused; nothing is sent to the application."})
	default:
		redirectTo(w, s.callbackURL(q.link.redirectURI, "", q.link.state))
	}
}

// ForgetConsent makes WeCom ask every member again.
func (s *Simulator) ForgetConsent() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.consents)
}

// redirectToApp sends the browser to the application with a new code.
func (s *Simulator) redirectToApp(w http.ResponseWriter, code *authCode, redirectURI, state string) {
	redirectTo(w, s.callbackURL(redirectURI, s.newCode(code), state))
}

// redirectTo answers 302 with the location byte for byte; http.Redirect would
// clean it.
func redirectTo(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusFound)
}

func (c *Corp) trustsDomain(host string) bool {
	return slices.ContainsFunc(c.Apps, func(a App) bool { return sameDomain(host, a.TrustedDomain) })
}

// domainError is the page that a link with a wrong domain is redirected to.
func (s *Simulator) domainError(w http.ResponseWriter, r *http.Request) {
	host, err := redirectHost(r.URL.Query().Get("uri"))
	if err != nil {
		host = "?"
	}
	s.showMessage(w, PageBadDomain, message{Detail: "The host and port of redirect_uri (" + host + ") are not the app's trusted domain."})
}

// sentence turns an error into a sentence.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
