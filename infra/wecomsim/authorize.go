package wecomsim

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	pathAuthorize = "/connect/oauth2/authorize"
	pathConsent   = "/connect/oauth2/consent"
	pathDomainErr = "/wwopen/uriconfirm"
)

// The scopes of D/91022.
const (
	scopeBase        = "snsapi_base"
	scopePrivateInfo = "snsapi_privateinfo"
)

// statePattern is the documented alphabet of the in-client state.
var statePattern = regexp.MustCompile(`^[A-Za-z0-9]{0,128}$`)

// authorizeLink is an in-client link after parsing.
type authorizeLink struct {
	appID        string
	redirectURI  string
	host         string
	responseType string
	scope        string
	state        string
	agentID      string
	// ordered says that the parameters came in the documented order.
	ordered bool
}

// parseAuthorize reads the query of an in-client link. It fails, with the page
// to show, when the query can be read in more than one way, or when redirect_uri
// is no absolute web address; a twice encoded one is not, because nothing in it
// looks like a scheme.
func parseAuthorize(rawQuery string) (authorizeLink, Page, error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return authorizeLink{}, PageBadLink, errors.New("the query is not well encoded")
	}
	order := []string{"appid", "redirect_uri", "response_type", "scope", "state", "agentid"}
	for _, name := range order {
		if len(query[name]) > 1 {
			return authorizeLink{}, PageBadLink, errors.New("parameter " + name + " is there twice")
		}
	}
	link := authorizeLink{
		appID: query.Get("appid"), redirectURI: query.Get("redirect_uri"), responseType: query.Get("response_type"),
		scope: query.Get("scope"), state: query.Get("state"), agentID: query.Get("agentid"), ordered: true,
	}
	last := -1
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if i := slices.Index(order, name); i >= 0 {
			link.ordered = link.ordered && i > last
			last = i
		}
	}
	link.host, err = redirectHost(link.redirectURI)
	return link, PageBadRedirect, err
}

// redirectHost returns host[:port] of a redirect_uri as it is written.
func redirectHost(redirectURI string) (string, error) {
	if redirectURI == "" {
		return "", errors.New("redirect_uri is missing")
	}
	u, err := url.Parse(redirectURI)
	switch {
	case err != nil:
		return "", errors.New("redirect_uri is no URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("redirect_uri has no scheme, or is encoded twice")
	case u.Host == "" || u.Opaque != "":
		return "", errors.New("redirect_uri has no host")
	case u.User != nil:
		return "", errors.New("redirect_uri has user information")
	}
	return u.Host, nil
}

// isWeCom and isPersonalWeChat read the marks in a User-Agent: WeCom has both
// words, personal WeChat only its own.
func isWeCom(userAgent string) bool {
	return strings.Contains(strings.ToLower(userAgent), "wxwork")
}

func isPersonalWeChat(userAgent string) bool {
	return !isWeCom(userAgent) && strings.Contains(strings.ToLower(userAgent), "micromessenger")
}

// consentKey is one member's standing answer to one app.
type consentKey struct{ corpID, agentID, userID string }

type standingConsent struct {
	agreed  []Field
	refused bool
	since   time.Time
}

// asking is a consent page that waits for its answer.
type asking struct {
	app      *app
	person   person
	link     authorizeLink
	identity identity
	since    time.Time
}

// authorize is the in-client link (D/91022).
func (s *Simulator) authorize(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	userAgent := r.UserAgent()
	if !s.choices.AnyBrowserIsClient && !isWeCom(userAgent) && !isPersonalWeChat(userAgent) {
		s.fail(w, PageOpenInClient, 0, "The User-Agent has neither wxwork nor MicroMessenger.")
		return
	}
	link, page, err := parseAuthorize(r.URL.RawQuery)
	if err != nil {
		s.fail(w, page, 0, sentence(err))
		return
	}
	c := s.corp(link.appID)
	var a *app
	if c != nil && link.agentID != "" {
		a = c.app(link.agentID)
	}
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
	}
	if problem != "" {
		s.fail(w, PageBadLink, 0, problem)
		return
	}
	if a != nil && !sameDomain(link.host, a.TrustedDomain) || a == nil && !c.trustsDomain(link.host) {
		http.Redirect(w, r, pathDomainErr+"?err_type=domain_err&uri="+url.QueryEscape(link.redirectURI), http.StatusFound)
		return
	}
	if !s.choices.AnyState && !statePattern.MatchString(link.state) {
		s.fail(w, PageBadLink, 0, "state must match [A-Za-z0-9]{0,128}.")
		return
	}
	if a != nil && a.Disabled {
		s.failApp(w, PageAppDisabled, 0, "The administrator has disabled this app.", a, "state")
		return
	}
	who, signedIn := s.client(r)
	if !signedIn {
		s.chooseMember(w, r, a)
		return
	}
	s.decide(w, r, c, a, link, who)
}

// decide answers a good link for a known visitor.
func (s *Simulator) decide(w http.ResponseWriter, r *http.Request, c *corp, a *app, link authorizeLink, who person) {
	personal := isPersonalWeChat(r.UserAgent()) && !s.choices.AnyBrowserIsClient
	given := &code{corp: c, agentID: link.agentID, host: link.host, identity: s.identify(c, who, personal)}
	if link.scope == scopeBase || a == nil {
		s.sendCode(w, given, link.redirectURI, link.state)
		return
	}
	if !given.identity.member || !a.sees(given.identity.userID) {
		s.noPermission(w, "snsapi_privateinfo: the visitor is not in the app's visible range.", a,
			retry{Action: pathClient, Fields: map[string]string{"return": r.URL.RequestURI()}})
		return
	}
	given.ticket = true
	key := consentKey{c.ID, a.AgentID, strings.ToLower(given.identity.userID)}
	standing, asked := s.standing[key]
	stands := asked && s.now().Sub(standing.since) < ConsentLifetime
	if standing.refused && s.choices.AskAgainAfterRefusal {
		stands = false
	}
	if stands {
		given.agreed = standing.agreed
		s.sendCode(w, given, link.redirectURI, link.state)
		return
	}
	id := s.random()
	s.asking[id] = &asking{app: a, person: who, link: link, identity: given.identity, since: s.now()}
	s.showConsent(w, id)
}

// consent takes the answer of the consent page.
func (s *Simulator) consent(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.PostFormValue("asking")
	q := s.asking[id]
	who, signedIn := s.client(r)
	if q == nil || !signedIn || who != q.person {
		s.fail(w, PageExpired, 0, "The consent page was answered already, or belongs to another member.")
		return
	}
	delete(s.asking, id)
	answer := standingConsent{since: s.now()}
	answer.refused = r.PostFormValue("answer") != "agree"
	if !answer.refused {
		for _, f := range r.PostForm["field"] {
			if slices.Contains(q.app.Fields, Field(f)) {
				answer.agreed = append(answer.agreed, Field(f))
			}
		}
	}
	s.standing[consentKey{q.app.corp.ID, q.app.AgentID, strings.ToLower(q.identity.userID)}] = answer
	if answer.refused {
		if s.choices.RefusalStays {
			s.fail(w, PageRefused, 0, "The member refused; nothing is sent to the application.")
			return
		}
		sendTo(w, s.back(q.link.redirectURI, "", q.link.state))
		return
	}
	given := &code{
		corp: q.app.corp, agentID: q.app.AgentID, host: q.link.host, identity: q.identity,
		ticket: true, agreed: answer.agreed,
	}
	s.sendCode(w, given, q.link.redirectURI, q.link.state)
}

// sendCode stores a code and sends the browser back with it.
func (s *Simulator) sendCode(w http.ResponseWriter, given *code, redirectURI, state string) {
	sendTo(w, s.back(redirectURI, s.issue(given), state))
}

func (s *Simulator) issue(given *code) string {
	given.issued = s.now()
	word := s.random()
	s.codes[word] = given
	return word
}

// sendTo writes a 302 with the location byte for byte; http.Redirect would
// clean it.
func sendTo(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusFound)
}

func (c *corp) trustsDomain(host string) bool {
	return slices.ContainsFunc(c.apps, func(a *app) bool { return sameDomain(host, a.TrustedDomain) })
}

// domainError is the page of a wrong domain.
func (s *Simulator) domainError(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	host, err := redirectHost(r.URL.Query().Get("uri"))
	if err != nil {
		host = "?"
	}
	s.fail(w, PageBadDomain, 0, "The host and port of redirect_uri ("+host+") are not the app's trusted domain.")
}
