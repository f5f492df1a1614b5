package page

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// panelSite is a sign-in page with WeCom's login page on another origin.
type panelSite struct {
	*httptest.Server
	panel *httptest.Server
	page  func(SignIn) SignIn
	// answers is what the service answers to a page that waits, and asked how often it did.
	answers atomic.Pointer[string]
	asked   atomic.Int32
	referer atomic.Pointer[string] // of the request for the panel
}

func newPanelSite(t *testing.T) *panelSite {
	t.Helper()
	s := &panelSite{page: func(p SignIn) SignIn { return p }}
	s.panel = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		referer := r.Referer()
		s.referer.Store(&referer)
		switch r.URL.Path {
		case "/slow":
			<-r.Context().Done()
			return
		case "/application":
			arrived(w, r)
			return
		}
		// Like WeCom's: it leaves for the callback by itself, as a whole.
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Login</title><p>WeCom's panel</p><script>addEventListener("message", () => { top.location = %q })</script>`,
			r.URL.Query().Get("redirect_uri"))
	}))
	t.Cleanup(s.panel.Close)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(t, w, r) }))
	t.Cleanup(s.Close)
	return s
}

// arrived is a page that says which address it has.
func arrived(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	_, _ = fmt.Fprintf(w, `<!doctype html><html lang="en"><title>Arrived</title><main><h1>%s</h1></main>`, html.EscapeString(r.URL.RequestURI()))
}

// at waits for such a page.
func at(address string) chromium.Action { return chromium.SeesText("h1", address) }

func (s *panelSite) serve(t *testing.T, w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/authorize/demo", "/authorize/crm", "/authorize/slow":
		if r.Header.Get("Sec-Fetch-Site") != "same-origin" || r.Header.Get("Sec-Fetch-Dest") != "empty" {
			t.Errorf("asked by %s for %s", r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Sec-Fetch-Dest"))
		}
		path := "/login"
		if r.URL.Path == "/authorize/slow" {
			path = "/slow"
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"url": s.panel.URL + path + "?redirect_uri=" + s.URL + "/callback"})
	case "/ask":
		if r.Method == http.MethodPost {
			http.Redirect(w, r, s.panel.URL+"/application", http.StatusSeeOther)
			return
		}
		s.asked.Add(1)
		w.Header().Set("Apigw-Requestid", "Kx3dYhPuDoEEMWw=")
		_, _ = w.Write([]byte(*s.answers.Load()))
	case "/signin":
		pages, err := New(Config{CompanyName: "Example"})
		if err == nil {
			err = pages.SignIn(w, s.page(SignIn{
				Language: text.LanguageOf(r), Client: OnDesktop, Self: s.URL + "/signin", Version: "1.2.3", Panel: s.panel.URL,
				Buttons: []Button{s.button("demo", "Portal")},
			}))
		}
		if err != nil {
			t.Error(err)
		}
	case "/authorize/none":
		http.NotFound(w, r)
	default:
		arrived(w, r)
	}
}

func (s *panelSite) button(name, title string) Button {
	return Button{Name: name, Title: title, URL: s.URL + "/way/" + name, Panel: s.URL + "/authorize/" + name}
}

func (s *panelSite) waiting(p SignIn) SignIn {
	p.Failure = &Failure{Code: "first_sign_in_in_wecom", Authenticator: "demo", RequestID: "Kx3dYhPuDoEEMWw="}
	p.Waiting = &Waiting{Link: "https://signin.example.com/authorize/demo?return=signin", GoOn: s.URL + "/ask", Over: s.URL + "/over?x=1"}
	return p
}

func several(s *panelSite) func(SignIn) SignIn {
	return func(p SignIn) SignIn {
		p.Buttons = []Button{s.button("crm", "CRM"), s.button("demo", "Portal"), s.button("none", "Gone"), s.button("slow", "Slow")}
		return p
	}
}

func (s *panelSite) open(t *testing.T, width int64) *chromium.Window {
	t.Helper()
	return chromium.Shared(t).Open(t, chromium.Device{Width: width, Height: 800, Language: "en-US,en", UserAgent: wecomsim.UserAgentBrowser}, chromium.Network)
}

const frame = `.panel.came iframe`

func TestPanelInABrowser(t *testing.T) {
	s := newPanelSite(t)
	visit, sees, click, gone := chromium.Visit, chromium.Sees, chromium.Click, chromium.Gone
	w := s.open(t, 1440)
	w.Do("see the panel of the only way", visit(s.URL+"/signin"), sees(frame), sees(`.instead`))
	for what, test := range map[string]struct{ expression, want string }{
		"who may reach this computer": {`document.querySelector("iframe").allow`, "local-network-access; loopback-network"},
		"a name for screen readers":   {`document.querySelector("iframe").title`, "Sign in with Portal"},
		"frames that may do anything": {`document.querySelector("iframe").sandbox.length + ""`, "0"},
		"the way that is still there": {`document.querySelector(".instead").href`, s.URL + "/way/demo"},
		"what it is for":              {`document.querySelector(".panel figcaption").textContent`, "Sign in with Portal"},
	} {
		if got := chromium.Evaluate[string](w, test.expression); got != test.want {
			t.Errorf("%s: %q, want %q", what, got, test.want)
		}
	}
	if got := *s.referer.Load(); got != s.URL+"/" {
		t.Errorf("WeCom is told that the page is %q", got)
	}
	// Nobody has clicked anywhere: the panel leaves for the callback all the same.
	w.Do("be led to the callback", chromium.Script(`document.querySelector("iframe").contentWindow.postMessage("scanned", "*")`),
		at("/callback"))
	w.Do("take the way itself", visit(s.URL+"/signin"), sees(frame), click(`.instead`), at("/way/demo"))

	w.Do("take the way before the panel is there", visit(s.URL+"/signin"), click(`a[href$="/way/demo"]`), at("/way/demo"))

	s.page = several(s)
	w.Do("see several ways and no panel", visit(s.URL+"/signin"), sees(`.ways a`), gone(`.panel`))
	w.Do("open the panel of one", click(`a[href$="/way/demo"]`), sees(`li:nth-child(2) `+frame))
	w.Do("open that of another", click(`a[href$="/way/crm"]`), sees(`li:nth-child(1) `+frame), gone(`li:nth-child(2) .panel`))
	w.Do("open one that is not there any more", click(`a[href$="/way/none"]`), gone(`.panel`), gone(`.instead`))
	w.Do("take its way", click(`a[href$="/way/none"]`), at("/way/none"))
	w.Do("open one that does not come", visit(s.URL+"/signin"), click(`a[href$="/way/slow"]`), sees(`.panel`), gone(`.panel`))
	w.Do("take that way", click(`a[href$="/way/slow"]`), at("/way/slow"))
}

func TestWaitingInABrowser(t *testing.T) {
	s := newPanelSite(t)
	s.page = s.waiting
	answer := func(body string) { s.answers.Store(&body) }
	visit, sees := chromium.Visit, chromium.Sees
	w := s.open(t, 1440)
	answer(`{"state":"waiting"}`)
	w.Do("wait", visit(s.URL+"/signin"), sees(`.waiting.asking`), chromedp.WaitNotVisible(chromedp.CSS(`.waiting button`)))
	w.Do("go on waiting", chromedp.Poll[chromedp.Void](`performance.getEntriesByType("resource").filter((e) => e.name.endsWith("/ask")).length >= 2`))
	answer(`{"title":"Internal Server Error"}`)
	asked := s.asked.Load()
	for s.asked.Load() < asked+1 {
		w.Do("wait through a failure", sees(`.waiting.asking`))
	}
	answer(`{"state":"ready"}`)
	w.Do("go on to the application", at("/application"))
	answer(`{"state":"over"}`)
	w.Do("wait in vain", visit(s.URL+"/signin"), at("/over?x=1"))
	answer(`{"state":"over","error":"phone_in_use"}`)
	w.Do("be told why", visit(s.URL+"/signin"), at("/over?x=1&error=phone_in_use&request=Kx3dYhPuDoEEMWw%3D"))
}

// The pages with a panel, and those that wait: no language too wide, and by axe-core nothing
// wrong.
func TestPanelAndWaitingLookRight(t *testing.T) {
	s := newPanelSite(t)
	body := `{"state":"waiting"}`
	s.answers.Store(&body)
	pages := map[string]struct {
		page func(SignIn) SignIn
		sees string
	}{
		"panel":   {func(p SignIn) SignIn { return p }, frame},
		"waiting": {s.waiting, `.waiting.asking`},
		"on a phone": {func(p SignIn) SignIn {
			p = s.waiting(p)
			p.Client, p.Panel, p.Buttons[0].Panel = OnPhone, "", ""
			return p
		}, `.waiting.asking`},
	}
	for _, width := range []int64{360, 1440} {
		w := s.open(t, width)
		for name, test := range pages {
			s.page = test.page
			for _, tag := range text.Languages() {
				what := fmt.Sprintf("%s in %s at %d", name, tag, width)
				w.Do("open "+what, chromium.Visit(s.URL+"/signin?lang="+string(tag)), chromium.Sees(test.sees))
				if tag == text.English || tag == text.Chinese {
					w.Accessible(what)
				}
			}
		}
	}
}
