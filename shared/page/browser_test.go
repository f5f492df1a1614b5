package page

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

func TestMain(m *testing.M) { os.Exit(chromium.Main(m)) }

// At the width of a phone: the menu of languages by keyboard alone, copying, no
// language too wide, and a heading that stays where it is whatever the logo does.
func TestPageInABrowser(t *testing.T) {
	w := chromium.Shared(t).Open(t, chromium.Device{Width: 360, Height: 800, Language: "en-US,en", UserAgent: wecomsim.UserAgentBrowser}, chromium.Network)
	logos := map[string]string{"/none": "", "/here": onePixel, "/broken": "https://localhost:1/logo.png"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		logo, ok := logos[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		pages, err := New(Config{CompanyName: "Example", CompanyLogo: logo})
		if err == nil {
			err = pages.SignIn(w, SignIn{
				Language: text.LanguageOf(r), Client: OnPhone, Self: "http://" + r.Host + r.URL.Path, Version: "1.2.3",
				Buttons: []Button{demo, crm}, Failure: &Failure{Code: "phone_not_shared", Authenticator: "demo", RequestID: "r-1"},
			})
		}
		if err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()

	visit, sees := chromium.Visit, chromium.Sees
	want := func(what, expression, want string) {
		t.Helper()
		w.Do(what, chromedp.Poll[chromedp.Void](fmt.Sprintf("String(%s) === %q", expression, want)))
	}

	var heights []float64
	for _, path := range []string{"/none", "/here", "/broken"} {
		w.Do("open the page", visit(server.URL+path+"?lang=en"), sees(`main`))
		heights = append(heights, chromium.Evaluate[float64](w, `document.querySelector("h1").getBoundingClientRect().top`))
	}
	if len(slices.Compact(slices.Clone(heights))) != 1 {
		t.Errorf("without, with and with a broken logo the heading is at %v", heights)
	}
	for _, tag := range text.Languages() {
		// No step may find the page wider than the window.
		w.Do("open the page in "+string(tag), visit(server.URL+"/none?lang="+string(tag)), sees(`main`))
	}

	w.Do("open the page", visit(server.URL+"/here?lang=en"), sees(`main`))
	want("buttons that need the script", `[...document.querySelectorAll("[data-copy]")].filter((b) => b.hidden).length`, "0")
	w.Do("copy for an administrator", chromium.Click(`.trace button`))
	want("what is read out", `document.getElementById("said").textContent`, "Copied")
	w.Do("open the menu", chromedp.Focus(chromedp.CSS(`summary`)), chromedp.KeyEvent(kb.Enter))
	want("open", `document.querySelector("details").open`, "true")
	w.Do("go into it", chromedp.KeyEvent(kb.Tab))
	want("in the menu", `document.activeElement.lang`, "zh-CN")
	w.Do("leave it", chromedp.KeyEvent(kb.Escape))
	want("closed", `document.querySelector("details").open + document.activeElement.tagName`, "falseSUMMARY")
	w.Do("open the menu again", chromedp.KeyEvent(kb.Enter))
	w.Do("choose the third", chromedp.KeyEvent(strings.Repeat(kb.Tab, 3)), chromedp.KeyEvent(kb.Enter), sees(`html[lang="uk"] main`))
}

// The pages of the OpenID provider: no language too wide for a phone, and by axe-core
// nothing wrong on a phone or a desktop, in the light or in the dark.
func TestOpenIDPagesInABrowser(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		write, ok := openIDPages()[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		pages, err := New(Config{CompanyName: "Example"})
		if err == nil {
			err = write(pages, w, text.LanguageOf(r), "http://"+r.Host+r.URL.Path)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	for _, width := range []int64{360, 1440} {
		w := chromium.Shared(t).Open(t, chromium.Device{Width: width, Height: 800, Language: "en-US,en", UserAgent: wecomsim.UserAgentBrowser}, chromium.Network)
		for name := range openIDPages() {
			for _, tag := range text.Languages() {
				w.Do("open "+name+" in "+string(tag), chromium.Visit(server.URL+name+"?lang="+string(tag)), chromium.Sees(`main`))
				if tag == text.English || tag == text.Chinese {
					w.Accessible(fmt.Sprintf("%s in %s at %d", name, tag, width))
				}
			}
		}
	}
}

// The member's page, with a logo and without, as the pages above; it has no script to do
// without.
func TestMemberPageInABrowser(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown := memberPage()
		shown.Language, shown.Self = text.LanguageOf(r), "http://"+r.Host+r.URL.Path
		if r.URL.Path == "/failed" {
			shown.FailedRequest, shown.Applications, shown.Known = "Kx3dYhPuDoEEMWw=", nil, nil
			shown.Unreadable.Applications, shown.Unreadable.Sessions = true, true
		}
		pages, err := New(Config{CompanyName: "Example", CompanyLogo: map[string]string{"/logo": onePixel}[r.URL.Path]})
		if err == nil {
			err = pages.Member(w, shown)
		}
		if err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	for _, width := range []int64{360, 1440} {
		w := chromium.Shared(t).Open(t, chromium.Device{Width: width, Height: 800, Language: "en-US,en", UserAgent: wecomsim.UserAgentBrowser}, chromium.Network)
		for _, path := range []string{"/", "/logo", "/failed"} {
			for _, tag := range text.Languages() {
				name := fmt.Sprintf("%s in %s at %d", path, tag, width)
				w.Do("open "+name, chromium.Visit(server.URL+path+"?lang="+string(tag)), chromium.Sees(`main`))
				if tag == text.English || tag == text.Chinese {
					w.Accessible(name)
				}
			}
		}
		w.Do("open what asks before it signs out everywhere", chromium.Click(`.everywhere summary`), chromium.Sees(`.everywhere button`))
		w.Accessible("everywhere")
	}
}
