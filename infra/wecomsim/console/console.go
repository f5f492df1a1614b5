// The console's pages: routes, and what each page shows.

package console

import (
	"embed"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim/page"
)

//go:embed pages
var files embed.FS

type console struct {
	sim       *wecomsim.Simulator
	templates page.Templates
	// client fetches domain files.
	client *http.Client
}

// New returns the handler of wecomsim.ConsolePath, for wecomsim.Config.Console.
func New(sim *wecomsim.Simulator) http.Handler {
	c := &console{sim: sim, templates: page.Parse(files), client: &http.Client{
		Timeout:       5 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	const base = wecomsim.ConsolePath
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base, func(w http.ResponseWriter, _ *http.Request) {
		c.show(w, "console", view{Corps: sim.Corps(), Choices: sim.Choices()})
	})
	mux.HandleFunc("GET "+base+"/{corp}/company", c.inCorp(func(w http.ResponseWriter, _ *http.Request, v view) {
		c.show(w, "console-company", v)
	}))
	mux.HandleFunc("GET "+base+"/{corp}/apps", c.inCorp(func(w http.ResponseWriter, _ *http.Request, v view) {
		c.show(w, "console-apps", v)
	}))
	mux.HandleFunc("GET "+base+"/{corp}/new-app", c.inCorp(c.showNewApp))
	mux.HandleFunc("POST "+base+"/{corp}/apps", c.inCorp(c.create))
	mux.HandleFunc("GET "+base+"/{corp}/apps/{agent}", c.inApp(c.showApp))
	mux.HandleFunc("GET "+base+"/{corp}/apps/{agent}/domain-file", c.inApp(func(w http.ResponseWriter, _ *http.Request, v view) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename="`+v.File()+`"`)
		_, _ = io.WriteString(w, domainFile(v.Corp.ID, v.App.AgentID))
	}))
	c.contacts(mux)
	mux.HandleFunc("POST "+base+"/{corp}/apps/{agent}/receiver", c.inApp(c.saveReceiver))
	mux.HandleFunc("POST "+base+"/{corp}/apps/{agent}/unused", c.inApp(c.unused))
	mux.HandleFunc("POST "+base+"/{corp}/apps/{agent}/{section}", c.inApp(c.save))
	// The address of a refused form, opened again.
	mux.HandleFunc("GET "+base+"/{corp}/apps/{agent}/{section}", func(w http.ResponseWriter, r *http.Request) {
		seeOther(w, wecomsim.ConsoleAppPath(r.PathValue("corp"), r.PathValue("agent"))+"#"+url.PathEscape(r.PathValue("section")))
	})
	mux.Handle("GET "+base+"/{$}", http.RedirectHandler(base, http.StatusFound))
	mux.HandleFunc(base+"/", func(w http.ResponseWriter, _ *http.Request) { c.notFound(w) })
	return mux
}

// view is what every page of the console gets.
type view struct {
	page.Frame

	Corps []wecomsim.Corp
	// Corp is the company whose console it is, and App one of its apps.
	Corp wecomsim.Corp
	App  wecomsim.App
	// Member is one of its members; no UserID stands for a new one.
	Member wecomsim.Member
	// Pushes are the company's events, newest first.
	Pushes  []wecomsim.Push
	Choices wecomsim.Choices

	// form is what was sent, saved or refused names its section, and refusal says
	// why.
	form           url.Values
	saved, refused string
	refusal        *refusal
}

// outcome is what a form led to.
type outcome struct {
	Good             bool
	Chinese, English string
}

// Outcome returns what to say in a section: why its form was refused, or the
// given text if it was saved; otherwise nil.
func (v view) Outcome(section, chinese, english string) *outcome {
	switch section {
	case v.refused:
		return &outcome{false, v.refusal.Chinese, v.refusal.English}
	case v.saved:
		return &outcome{true, chinese, english}
	default:
		return nil
	}
}

// Text is what a text field shows: what was typed into a refused form, else the
// value that is saved.
func (v view) Text(section, name, saved string) string {
	if v.refused == section {
		return v.form.Get(name)
	}
	return saved
}

// visible is the visible range to show.
func (v view) visible() visibleRange {
	switch {
	case (v.refused == "new" || v.refused == "range") && v.form.Has("everyone"):
		return visibleRange{}
	case v.App.AgentID == "" || v.refused == "range":
		return visibleRange{append([]string{}, v.form["member"]...), v.numbers("department"), v.numbers("tag")}
	default:
		return visibleRange{v.App.VisibleUserIDs, v.App.VisibleDepartments, v.App.VisibleTags}
	}
}

// Everyone reports whether the visible range is the whole company.
func (v view) Everyone() bool {
	shown := v.visible()
	return shown.users == nil && shown.departments == nil && shown.tags == nil
}

// Chosen reports whether a member is named in the visible range.
func (v view) Chosen(userID string) bool {
	return slices.ContainsFunc(v.visible().users, func(id string) bool { return strings.EqualFold(id, userID) })
}

// fieldView is a personal detail that an app can ask for.
type fieldView struct {
	Name             wecomsim.Field
	Chinese, English string
	Chosen           bool
}

// Fields are all personal details.
func (v view) Fields() []fieldView {
	var views []fieldView
	for _, f := range wecomsim.AllFields() {
		chinese, english := f.Label()
		views = append(views, fieldView{f, chinese, english, slices.Contains(v.App.Fields, f)})
	}
	return views
}

// EnforcesIPs reports whether the app has a list of trusted IPs, even an empty
// one.
func (v view) EnforcesIPs() bool { return v.App.TrustedIPs != nil }

// Join writes addresses as they are entered.
func (v view) Join(ips []string) string { return strings.Join(ips, ";") }

// Path is the address of the app.
func (v view) Path() string { return wecomsim.ConsoleAppPath(v.Corp.ID, v.App.AgentID) }

// File is the name of the app's domain file.
func (v view) File() string { return fileName(domainFile(v.Corp.ID, v.App.AgentID)) }

func (c *console) show(w http.ResponseWriter, name string, v view) {
	v.Frame = page.Frame{Name: name, Wide: v.Corp.ID != "", AnyClient: v.Choices.AnyBrowserIsClient}
	status := http.StatusOK
	switch {
	case name == "console-unknown":
		status = http.StatusNotFound
	case v.refusal != nil:
		status = http.StatusUnprocessableEntity
	}
	c.templates.Write(w, status, name, v)
}

func (c *console) showNewApp(w http.ResponseWriter, _ *http.Request, v view) {
	c.show(w, "console-new-app", v)
}

func (c *console) showApp(w http.ResponseWriter, _ *http.Request, v view) {
	c.show(w, "console-app", v)
}

func (c *console) notFound(w http.ResponseWriter) {
	c.show(w, "console-unknown", view{Choices: c.sim.Choices()})
}

type corpHandler func(w http.ResponseWriter, r *http.Request, v view)

// inCorp serves a page of the company in the address.
func (c *console) inCorp(next corpHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		corps := c.sim.Corps()
		i := slices.IndexFunc(corps, func(corp wecomsim.Corp) bool { return corp.ID == r.PathValue("corp") })
		if i < 0 {
			c.notFound(w)
			return
		}
		// A form that is cut off or badly encoded is an empty one.
		_ = r.ParseForm()
		next(w, r, view{Corp: corps[i], Choices: c.sim.Choices(), form: r.PostForm, saved: r.URL.Query().Get("saved")})
	}
}

// inApp serves a page of the app in the address.
func (c *console) inApp(next corpHandler) http.HandlerFunc {
	return c.inCorp(func(w http.ResponseWriter, r *http.Request, v view) {
		i := slices.IndexFunc(v.Corp.Apps, func(a wecomsim.App) bool { return a.AgentID == r.PathValue("agent") })
		if i < 0 {
			c.notFound(w)
			return
		}
		v.App = v.Corp.Apps[i]
		next(w, r, v)
	})
}

// create answers the form of 创建应用.
func (c *console) create(w http.ResponseWriter, r *http.Request, v view) {
	var app wecomsim.App
	if app, v.refusal = newApp(v); v.refusal != nil {
		v.refused = "new"
		c.showNewApp(w, r, v)
		return
	}
	agentID, err := c.sim.CreateApp(v.Corp.ID, app)
	if err != nil {
		c.notFound(w)
		return
	}
	seeOther(w, wecomsim.ConsoleAppPath(v.Corp.ID, agentID)+"?saved=created")
}

// save answers the form of one section of an app.
func (c *console) save(w http.ResponseWriter, r *http.Request, v view) {
	name := r.PathValue("section")
	section := c.section(name)
	if section == nil {
		c.notFound(w)
		return
	}
	var change func(*wecomsim.App)
	if change, v.refusal = section(r.Context(), v); v.refusal != nil {
		v.refused = name
		c.showApp(w, r, v)
		return
	}
	if err := c.sim.ChangeApp(v.Corp.ID, v.App.AgentID, change); err != nil {
		c.notFound(w)
		return
	}
	seeOther(w, v.Path()+"?saved="+name+"#"+name)
}

// seeOther answers a form.
func seeOther(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}
