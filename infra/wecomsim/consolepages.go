package wecomsim

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The pages of the admin console (管理后台), in the order and with the names of
// WeCom's own. What they save goes through the methods of console.go.

const consolePath = "/wecomsim/console"

// consoleView is what the pages of the console show beside a view.
type consoleView struct {
	Corps []corpView
	// Corp is the company whose console it is; zero on the list of companies.
	Corp corpView
	Apps []appView
	App  appSettings
	// People are the company's members, for a visible range.
	People []rangeView
	// Everyone says that the visible range is the whole company.
	Everyone bool
	// Typed is what was typed into a form that was refused.
	Typed url.Values

	saved   string
	refused string
	refusal *Refusal
}

type corpView struct{ ID, Name, Latin, Path string }

type rangeView struct {
	personView

	UserID string
	Chosen bool
}

// appSettings is an app as its page shows it.
type appSettings struct {
	App

	Path, Avatar string
	File         string
	Fields       []fieldChoice
	IPs          string
	// NextIPs is a saved list that does not work yet, HasNextIPs that there is one.
	NextIPs    string
	HasNextIPs bool
	IPsFrom    time.Time
	// EveryIP is an app of before 2022-06-20: IPs are not enforced.
	EveryIP, LoopbackIPs, IPsAtOnce bool
}

type fieldChoice struct {
	Name, Label, English string
	Chosen               bool
}

// outcome is what the last form of a section came to.
type outcome struct {
	Good             bool
	Chinese, English string
}

// Outcome returns what to say in a section of the app's page, or nil.
func (v consoleView) Outcome(section string) *outcome {
	switch {
	case v.refusal != nil && v.refused == section:
		return &outcome{Chinese: v.refusal.Chinese, English: v.refusal.English}
	case v.saved != section:
		return nil
	}
	switch section {
	case "created":
		return &outcome{true, "应用已创建。请按下面的顺序完成设置。", "The app is made. Go on with the settings below, in their order."}
	case "secret":
		return &outcome{true, "已重置 Secret，旧的 Secret 立即失效。", "There is a new Secret. The old one no longer works."}
	case "web":
		return &outcome{true, "校验通过，可信域名已保存。", "The file was found there. The trusted domain is saved."}
	case "ips":
		if v.App.HasNextIPs {
			return &outcome{true, "已保存，约 1 分钟后生效。", "Saved. It works in about a minute."}
		}
		return &outcome{true, "已保存，立即生效。", "Saved. It works now."}
	default:
		return &outcome{true, "已保存。", "Saved."}
	}
}

// Text is what a field shows: what was typed into a refused form, else the value
// that is saved.
func (v consoleView) Text(section, name, saved string) string {
	if v.refused == section {
		return v.Typed.Get(name)
	}
	return saved
}

// status is the HTTP status of a page with v.
func (v consoleView) status() int {
	if v.refusal != nil {
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

func appPath(corpID, agentID string) string {
	return consolePath + "/" + url.PathEscape(corpID) + "/apps/" + url.PathEscape(agentID)
}

func (a *app) consolePath() string { return appPath(a.corp.ID, a.AgentID) }

func (c *corp) view() corpView {
	return corpView{ID: c.ID, Name: c.name(), Latin: c.LatinName, Path: consolePath + "/" + url.PathEscape(c.ID)}
}

func (s *Simulator) consoleRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+consolePath, s.consoleCorps)
	mux.HandleFunc("GET "+consolePath+"/{corp}/apps", s.inConsole(s.consoleApps))
	mux.HandleFunc("GET "+consolePath+"/{corp}/company", s.inConsole(s.consoleCompany))
	mux.HandleFunc("GET "+consolePath+"/{corp}/new-app", s.inConsole(s.consoleNewApp))
	mux.HandleFunc("POST "+consolePath+"/{corp}/apps", s.consoleCreate)
	mux.HandleFunc("GET "+consolePath+"/{corp}/apps/{agent}", s.consoleApp)
	mux.HandleFunc("GET "+consolePath+"/{corp}/apps/{agent}/domain-file", s.consoleDomainFile)
	mux.HandleFunc("POST "+consolePath+"/{corp}/apps/{agent}/{section}", s.consoleSave)
	// The address of a refused form, opened again.
	mux.HandleFunc("GET "+consolePath+"/{corp}/apps/{agent}/{section}", func(w http.ResponseWriter, r *http.Request) {
		sendOn(w, appPath(r.PathValue("corp"), r.PathValue("agent"))+"#"+url.PathEscape(r.PathValue("section")))
	})
	mux.Handle("GET "+consolePath+"/{$}", http.RedirectHandler(consolePath, http.StatusFound))
	mux.HandleFunc(consolePath+"/", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.consoleUnknown(w)
	})
}

// consoleUnknown is the page of an address that names nothing. It is called
// with s.mu held.
func (s *Simulator) consoleUnknown(w http.ResponseWriter) {
	s.render(w, "message.html", view{Page: PageConsoleUnknown, Status: http.StatusNotFound, Repair: consolePath})
}

// consoleCorps lists the companies. The real console asks who the administrator
// is; here anybody may enter.
func (s *Simulator) consoleCorps(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := view{Page: PageConsole}
	for _, c := range s.corps {
		v.Console.Corps = append(v.Console.Corps, c.view())
	}
	s.render(w, "console.html", v)
}

// inConsole serves a page of one company, under s.mu.
func (s *Simulator) inConsole(page func(http.ResponseWriter, *corp)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		c := s.corp(r.PathValue("corp"))
		if c == nil {
			s.consoleUnknown(w)
			return
		}
		page(w, c)
	}
}

func (s *Simulator) consoleApps(w http.ResponseWriter, c *corp) {
	v := view{Page: PageConsoleApps, Console: consoleView{Corp: c.view()}}
	for _, a := range c.apps {
		v.Console.Apps = append(v.Console.Apps, appView{
			Key: a.consolePath(), Name: a.name(), Latin: a.LatinName, Avatar: avatarOf(a.name()), AgentID: a.AgentID, Disabled: a.Disabled,
		})
	}
	s.render(w, "console.html", v)
}

func (s *Simulator) consoleCompany(w http.ResponseWriter, c *corp) {
	v := view{Page: PageConsoleCompany, Console: consoleView{Corp: c.view()}}
	v.Console.People = c.rangeViews(nil)
	s.render(w, "console.html", v)
}

func (s *Simulator) consoleNewApp(w http.ResponseWriter, c *corp) {
	s.renderNewApp(w, c, nil, nil)
}

func (s *Simulator) renderNewApp(w http.ResponseWriter, c *corp, typed url.Values, refusal *Refusal) {
	v := consoleView{
		Corp: c.view(), Typed: typed, refused: "new", refusal: refusal,
		People: c.rangeViews(typed["member"]), Everyone: typed.Has("everyone"),
	}
	s.render(w, "console.html", view{Page: PageConsoleNewApp, Status: v.status(), Console: v})
}

// rangeViews are the members with those chosen that a range has.
func (c *corp) rangeViews(chosen []string) []rangeView {
	var people []rangeView
	for _, m := range c.members {
		in := slices.ContainsFunc(chosen, func(id string) bool { return strings.EqualFold(id, m.UserID) })
		people = append(people, rangeView{personView: memberView(c, m), UserID: m.UserID, Chosen: in})
	}
	return people
}

// chosenRange reads 可见范围 from a form; nil is the whole company, so nobody must
// not be nil.
func chosenRange(form url.Values) []string {
	if form.Has("everyone") {
		return nil
	}
	return append([]string{}, form["member"]...)
}

func (s *Simulator) consoleCreate(w http.ResponseWriter, r *http.Request) {
	// A form that is cut off or not encoded well is an empty one.
	_ = r.ParseForm()
	corpID := r.PathValue("corp")
	made, err := s.CreateApp(corpID, r.PostForm.Get("name"), chosenRange(r.PostForm))
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.corp(corpID)
	refusal, refused := errors.AsType[*Refusal](err)
	switch {
	case refused:
		s.renderNewApp(w, c, r.PostForm, refusal)
	case err != nil:
		s.consoleUnknown(w)
	default:
		sendOn(w, c.app(made.AgentID).consolePath()+"?saved=created")
	}
}

// sendOn answers a form.
func sendOn(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

func (s *Simulator) consoleApp(w http.ResponseWriter, r *http.Request) {
	s.renderApp(w, r, consoleView{saved: r.URL.Query().Get("saved")})
}

// renderApp shows an app's page. v has what a form came to.
func (s *Simulator) renderApp(w http.ResponseWriter, r *http.Request, v consoleView) {
	file, _, err := s.DomainFile(r.PathValue("corp"), r.PathValue("agent"))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.consoleUnknown(w)
		return
	}
	a, err := s.findApp(r.PathValue("corp"), r.PathValue("agent"))
	if err != nil {
		s.consoleUnknown(w)
		return
	}
	a.settleIPs(s.now())
	v.Corp, v.Everyone, v.People = a.corp.view(), a.VisibleUserIDs == nil, a.corp.rangeViews(a.VisibleUserIDs)
	v.App = appSettings{
		App: a.App, Path: a.consolePath(), Avatar: avatarOf(a.name()), File: file,
		IPs: strings.Join(a.TrustedIPs, ";"), EveryIP: a.TrustedIPs == nil,
		LoopbackIPs: s.choices.LoopbackTrustedIPs, IPsAtOnce: s.choices.TrustedIPsAtOnce,
	}
	v.App.Name = a.name()
	if a.nextIPs != nil {
		v.App.HasNextIPs, v.App.NextIPs, v.App.IPsFrom = true, strings.Join(a.nextIPs.ips, ";"), a.nextIPs.from
	}
	for _, f := range AllFields() {
		chinese, english := label(f)
		v.App.Fields = append(v.App.Fields, fieldChoice{string(f), chinese, english, slices.Contains(a.Fields, f)})
	}
	s.render(w, "console.html", view{Page: PageConsoleApp, Status: v.status(), Console: v})
}

// consoleSave takes the form of one section of an app's page.
func (s *Simulator) consoleSave(w http.ResponseWriter, r *http.Request) {
	// A form that is cut off or not encoded well is an empty one.
	_ = r.ParseForm()
	corpID, agentID, section, form := r.PathValue("corp"), r.PathValue("agent"), r.PathValue("section"), r.PostForm
	text := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	var err error
	switch section {
	case "secret":
		_, err = s.NewSecret(corpID, agentID)
	case "state":
		err = s.SetEnabled(corpID, agentID, text("enabled") == "yes")
	case "range":
		err = s.SetVisibleRange(corpID, agentID, chosenRange(form))
	case "login":
		err = s.SetCallbackDomain(corpID, agentID, text("domain"))
	case "web":
		var file string
		if file, _, err = s.DomainFile(corpID, agentID); err == nil {
			err = s.SetTrustedDomain(r.Context(), corpID, agentID, text("domain"), DomainFileURL(text("domain"), file), nil)
		}
	case "ips":
		err = s.SetTrustedIPs(corpID, agentID, text("ips"))
	case "fields":
		var chosen []Field
		for _, f := range form["field"] {
			chosen = append(chosen, Field(f))
		}
		err = s.SetFields(corpID, agentID, chosen)
	case "home":
		err = s.SetHomepages(corpID, agentID, text("phone"), text("desktop"))
	default:
		err = errors.New("find section: no such section")
	}
	refusal, refused := errors.AsType[*Refusal](err)
	switch {
	case refused:
		s.renderApp(w, r, consoleView{refused: section, refusal: refusal, Typed: form})
	case err != nil:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.consoleUnknown(w)
	default:
		sendOn(w, appPath(corpID, agentID)+"?saved="+section+"#"+section)
	}
}

// consoleDomainFile is the file to download.
func (s *Simulator) consoleDomainFile(w http.ResponseWriter, r *http.Request) {
	name, body, err := s.DomainFile(r.PathValue("corp"), r.PathValue("agent"))
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.consoleUnknown(w)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	_, _ = io.WriteString(w, body) //nolint:gosec // 16 letters and digits of ours.
}
