// The pages of WeCom and the start page: their routes and content.

package wecomsim

import (
	"cmp"
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim/page"
)

//go:embed pages
var pageFiles embed.FS

// Page names a page of the simulator: pages/NAME.html has its text, and the page
// carries the name as data-page, so that a test need not read the text.
type Page string

// The pages.
const (
	PageStart         Page = "start"
	PageChooseMember  Page = "choose-member"
	PageConsent       Page = "consent"
	PageWebLogin      Page = "web-login"
	PageOpenInClient  Page = "open-in-client"
	PageBadRedirect   Page = "bad-redirect-uri"
	PageBadDomain     Page = "bad-domain"
	PageBadCallback   Page = "bad-callback-domain"
	PageBadLink       Page = "bad-link"
	PageOldLinkFailed Page = "old-link-failed"
	PageNoPermission  Page = "no-permission"
	PageAppDisabled   Page = "app-disabled"
	PageRefused       Page = "refused"
	PageExpired       Page = "expired"
	PageScanned       Page = "scanned"
	// PagePanelDone gives the result to the page around the panel.
	PagePanelDone Page = "panel-done"
	// PageNoFragment stands for a client that does not attach the identity to an
	// in-client link without #wechat_redirect. Only Follow, which acts as the
	// client, can see that.
	PageNoFragment Page = "no-fragment"
)

// newPages returns the handler of all pages.
func (s *Simulator) newPages(console func(*Simulator) http.Handler) http.Handler {
	mux := http.NewServeMux()
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET " + pathAuthorize:             s.authorize,
		"POST " + pathConsent:              s.answerConsent,
		"GET " + pathDomainError:           s.domainError,
		"GET " + pathWebLogin:              s.webLogin,
		"GET " + pathWebLoginOld:           s.webLoginOld,
		"POST " + pathWebConfirm:           s.webConfirm,
		"GET " + pathWebScan:               s.webScan,
		"GET " + pathWebStatus:             s.webStatus,
		"GET " + pathStart + "{$}":         s.start,
		"POST " + pathClient:               s.changeClient,
		"POST /wecomsim/inside":            s.switchBrowser,
		"POST /wecomsim/consents/forget":   s.forgetConsents,
		"GET /wecomsim/assets/weblogin.js": func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, pageFiles, "pages/weblogin.js") },
		"GET /favicon.ico":                 func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"GET /{$}":                         func(w http.ResponseWriter, _ *http.Request) { redirectTo(w, pathStart) },
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.purge()
			handler(w, r)
		})
	}
	if console != nil {
		handler := console(s)
		mux.Handle(ConsolePath, handler)
		mux.Handle(ConsolePath+"/", handler)
	}
	return page.Guard(mux)
}

// ConsolePath is where the admin console is.
const ConsolePath = "/wecomsim/console"

// ConsoleAppPath returns the path of an app in the admin console.
func ConsoleAppPath(corpID, agentID string) string {
	return ConsolePath + "/" + url.PathEscape(corpID) + "/apps/" + url.PathEscape(agentID)
}

// consoleLink leads to the section of an app's settings that would help.
func consoleLink(app appRef, section string) string {
	return ConsoleAppPath(app.corpID, app.agentID) + "#" + section
}

func (s *Simulator) frame(p Page) page.Frame {
	return page.Frame{Name: string(p), AnyClient: s.choices.AnyBrowserIsClient}
}

// message is a page on which WeCom ends without the application.
type message struct {
	page.Frame

	// Number is the number of WeCom's error; 0 means none.
	Number int
	// Detail is what the simulator knows about the reason.
	Detail string
	// Console is a link to the setting that would help.
	Console string
	// Alternatives are members who would get further, by the form RetryForm with
	// one field, from the phone that scanned if OnPhone.
	Alternatives                      []page.Person
	RetryForm, RetryField, RetryValue string
	OnPhone                           bool
}

// showMessage writes a message page. WeCom's own error pages are HTTP 200 too.
func (s *Simulator) showMessage(w http.ResponseWriter, p Page, m message) {
	m.Frame = s.frame(p)
	m.Code = m.Number
	switch p {
	case PageBadDomain, PageBadCallback, PageBadLink, PageOldLinkFailed:
		m.Console = ConsolePath
	}
	if !s.console {
		m.Console = ""
	}
	s.templates.Write(w, http.StatusOK, string(p), m)
}

// showNoPermission offers members in the app's visible range instead.
func (s *Simulator) showNoPermission(w http.ResponseWriter, app appRef, m message) {
	m.Console = consoleLink(app, "range")
	c, a := s.app(app)
	for _, other := range c.Members {
		if c.inRange(a, other.UserID) && other.status() == StatusActive && other.Mobile != "" && len(m.Alternatives) < 6 {
			m.Alternatives = append(m.Alternatives, other.Person(c.ID))
		}
	}
	s.showMessage(w, PageNoPermission, m)
}

// showChooser asks who is signed in at this client.
func (s *Simulator) showChooser(w http.ResponseWriter, r *http.Request, app appRef) {
	s.templates.Write(w, http.StatusOK, string(PageChooseMember), struct {
		page.Frame
		Return string
		Groups []page.Group
	}{s.frame(PageChooseMember), r.URL.RequestURI(), s.people(s.corps, app)})
}

// fieldView is a detail on the consent page.
type fieldView struct{ Name, Label, English, Value string }

func (s *Simulator) showConsent(w http.ResponseWriter, key string, q *consentRequest) {
	c, a := s.app(q.code.app)
	m := c.member(q.code.identity.userID)
	who := m.Person(c.ID)
	who.Marks = nil
	var details []fieldView
	for _, f := range a.Fields {
		chinese, english := f.Label()
		value := cmp.Or(m.details()[f], "未设置")
		switch f {
		case FieldGender:
			value = map[string]string{"0": "未设置", "1": "男", "2": "女"}[value]
		case FieldAvatar, FieldQRCode:
			value = ""
		}
		details = append(details, fieldView{string(f), chinese, english, value})
	}
	s.templates.Write(w, http.StatusOK, string(PageConsent), struct {
		page.Frame
		Key    string
		App    *App
		Corp   *Corp
		Who    page.Person
		Fields []fieldView
	}{s.frame(PageConsent), key, a, c, who, details})
}

// showLogin is the page with the QR code, or the page on the phone behind it.
func (s *Simulator) showLogin(w http.ResponseWriter, r *http.Request, key string, l *login, phone bool) {
	c, a := s.app(l.app)
	var code template.HTML
	if !phone {
		code = page.QRCode(baseOf(r) + pathWebScan + "?key=" + url.QueryEscape(key))
	}
	frame, groups := s.frame(PageWebLogin), s.people([]*Corp{c}, l.app)
	if l.framed() {
		frame = s.panelFrame(PageWebLogin)
	}
	// Quick login: the client that runs beside this browser.
	var quick *page.Person
	if who, signedIn := s.clientOf(r); signedIn && !phone {
		quick = listed(groups, who)
	}
	s.templates.Write(w, http.StatusOK, string(PageWebLogin), struct {
		page.Frame
		Key, RedirectType string
		App               *App
		Corp              *Corp
		QR                template.HTML
		Quick             *page.Person
		Phone             bool
		Groups            []page.Group
	}{frame, key, l.redirectType, a, c, code, quick, phone, groups})
}

// workbenchApp is an app on the start page.
type workbenchApp struct {
	Corp    *Corp
	App     App
	HomeURL string
}

// start is the simulator's own page: the client, its workbench and the latest
// API calls.
func (s *Simulator) start(w http.ResponseWriter, r *http.Request) {
	groups := s.people(s.corps, appRef{})
	var who *page.Person
	if p, signedIn := s.clientOf(r); signedIn {
		who = cmp.Or(listed(groups, p), &page.Person{Name: string(p), Note: "已删除 · removed", Avatar: page.DefaultAvatar})
	}
	var apps []workbenchApp
	for _, c := range s.corps {
		for _, a := range c.Apps {
			apps = append(apps, workbenchApp{c, a, a.homeURL(isPhone(r.UserAgent()))})
		}
	}
	_, err := r.Cookie(outsideCookie)
	console := ""
	if s.console {
		console = ConsolePath
	}
	s.templates.Write(w, http.StatusOK, string(PageStart), struct {
		page.Frame
		ServiceURL, Console string
		Who                 *page.Person
		Groups              []page.Group
		Apps                []workbenchApp
		ActsAsClient        bool
		ClientUserAgent     string
		Calls               []apiCall
	}{s.frame(PageStart), s.serviceURL, console, who, groups, apps, err != nil, UserAgentWeComAndroid, s.recorder.newestFirst()})
}

// people lists everyone who can be chosen: the members and outsiders of corps.
// The marks are about an app; without an AgentID, about all apps of a corp.
func (s *Simulator) people(corps []*Corp, app appRef) []page.Group {
	_, a := s.app(app)
	var groups []page.Group
	for _, c := range corps {
		members := page.Group{Name: c.DisplayName(), Latin: c.LatinName}
		for _, m := range c.Members {
			p := m.Person(c.ID)
			switch {
			case a != nil && app.corpID != c.ID:
				p.Marks = append(p.Marks, page.Mark{Chinese: "其他企业的成员", English: "member of another company"})
			case a != nil && !c.inRange(a, m.UserID):
				p.Marks = append(p.Marks, page.Mark{Chinese: "不在可见范围", English: "outside the visible range"})
			case a == nil && !slices.ContainsFunc(c.Apps, func(x App) bool { return c.inRange(&x, m.UserID) }):
				p.Marks = append(p.Marks, page.Mark{Chinese: "不在任何应用的可见范围", English: "outside every app's visible range"})
			}
			members.People = append(members.People, p)
		}
		groups = append(groups, members)
		others := page.Group{Name: c.DisplayName() + " · 企业外", Latin: strings.TrimPrefix(c.LatinName+" · outside the company", " · ")}
		add := func(key, name, latin string, m page.Mark) {
			others.People = append(others.People, page.Person{Key: key, Name: name, Latin: latin, Avatar: page.Avatar(name), Marks: []page.Mark{m}})
		}
		for _, i := range c.Interconnected {
			add(i.CorpID+"/"+i.UserID, cmp.Or(i.Name, i.UserID), i.LatinName, page.Mark{Chinese: "互联企业成员", English: "interconnected company"})
		}
		for _, o := range c.Outsiders {
			add(o.OpenID, cmp.Or(o.Name, o.OpenID), o.LatinName, page.Mark{Chinese: "非企业成员", English: "not a member"})
		}
		if len(others.People) > 0 {
			groups = append(groups, others)
		}
	}
	return groups
}

// listed finds a person in groups, or returns nil.
func listed(groups []page.Group, who person) *page.Person {
	for _, g := range groups {
		if i := slices.IndexFunc(g.People, func(p page.Person) bool { return p.Key == string(who) }); i >= 0 {
			return &g.People[i]
		}
	}
	return nil
}

// isPhone tells a phone's browser from a desktop's.
func isPhone(userAgent string) bool {
	return strings.Contains(userAgent, "Mobile") || strings.Contains(userAgent, "Android")
}
