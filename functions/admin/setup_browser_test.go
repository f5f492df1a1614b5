package admin_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/text"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Every text of the set-up is there in every language, with the same places, and
// none is left over.
func TestSetupTexts(t *testing.T) {
	key, place := regexp.MustCompile(`'(setup\.[a-z0-9.]+)'`), regexp.MustCompile(`\{\w+\}`)
	used := map[string]bool{}
	for name, source := range consoleSources(t) {
		if strings.HasPrefix(name, "setup") || name == "pictures.js" {
			for _, found := range key.FindAllStringSubmatch(source, -1) {
				used[found[1]] = true
			}
		}
	}
	places := func(text string) []string {
		found := place.FindAllString(text, -1)
		slices.Sort(found)
		return slices.Compact(found)
	}
	english, err := text.Read(text.English, text.SetupArea)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range text.Languages() {
		texts, err := text.Read(tag, text.SetupArea)
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range texts {
			if !used[name] {
				t.Errorf("%s: %s is not used", tag, name)
			}
			if got, want := places(text), places(english[name]); !slices.Equal(got, want) {
				t.Errorf("%s: %s has the places %v, and %v in English", tag, name, got, want)
			}
		}
		for name := range used {
			if strings.TrimSpace(texts[name]) == "" {
				t.Errorf("%s: %s is missing", tag, name)
			}
		}
	}
}

// setupPlace is a service that a browser can reach, whose WeCom is the simulator,
// and which can be visited over the network for its domain file.
type setupPlace struct {
	*office
	address, domain string
	simulator       *wecomsim.Simulator
	// behindPage lets something else answer for the domain file, as a proxy would.
	behindPage atomic.Bool
}

const setupCorp, setupAgent = "ww0123456789abcdef", "1000002"

func newSetupPlace(t *testing.T) *setupPlace {
	t.Helper()
	p := &setupPlace{office: newOffice(t)}
	front := httptest.NewUnstartedServer(nil)
	p.domain = front.Listener.Addr().String()
	p.address = "http://" + p.domain
	p.simulator = wecomsim.New(wecomsim.Config{Corps: []wecomsim.Corp{{
		ID: setupCorp, Members: []wecomsim.Member{{UserID: "li", Name: "Li"}},
		Apps: []wecomsim.App{{AgentID: setupAgent, Secret: theSecret, TrustedDomain: p.domain, TrustedIPs: []string{"203.0.113.7"}}},
	}}})
	client := wecom.New(wecom.Config{APIURL: p.simulator.Start(t)})
	p.function = apigw.New(apigw.Config{
		Name: "admin", PublicURL: p.address, MaxBody: admin.MaxBody, Logger: slog.New(slog.NewJSONHandler(io.MultiWriter(p.log), nil)),
		Handler: admin.New(admin.Config{
			Directory: p.directory, Secrets: p.vault, SecretName: secretName, WeCom: client, Now: func() time.Time { return p.clock },
			Tokens: accesstoken.New(accesstoken.Config{Store: p.directory, Sealer: plain{}, Fetcher: client, Secrets: p.vault}),
		}),
	})
	behind, err := url.Parse(p.serve(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", httputil.NewSingleHostReverseProxy(behind))
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer":%q}`, p.address)
	})
	mux.HandleFunc("GET /{file}", func(w http.ResponseWriter, r *http.Request) {
		content, ok := strings.CutPrefix(strings.TrimSuffix(r.PathValue("file"), ".txt"), "WW_verify_")
		switch {
		case !ok:
			httputil.NewSingleHostReverseProxy(behind).ServeHTTP(w, r)
		case p.behindPage.Load():
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<!doctype html><title>Somebody else's page</title>")
		default:
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, content)
		}
	})
	front.Config.Handler = mux
	front.Start()
	t.Cleanup(front.Close)
	return p
}

// An administrator goes through the set-up from zero, makes the mistakes that people
// make, repairs each where the page leads, and ends with a check that passes.
func TestSetupInABrowser(t *testing.T) {
	titles := map[text.Language]string{text.English: "Add – WeCom", text.Chinese: "添加 – 企业微信"}
	for size, width := range map[string]int64{"phone": 360, "desktop": 1440} {
		for lang, title := range titles {
			t.Run(size+" "+string(lang), func(t *testing.T) {
				t.Parallel()
				p := newSetupPlace(t)
				p.create("other", `,"title":"Other","autoLogin":true`)
				ctx, complaints := browser(t, width)
				w := &setupWindow{t: t, ctx: ctx, complaints: complaints, name: size + "-" + string(lang)}
				w.walk(p, lang, title, width)
			})
		}
	}
}

// setupWindow is the administrator's browser.
type setupWindow struct {
	t          *testing.T
	ctx        context.Context
	complaints func() []string
	name       string
}

// do takes a step, which must not make the page wider than the window.
func (w *setupWindow) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	step, done := context.WithTimeout(w.ctx, 8*time.Second)
	defer done()
	if err := chromedp.Do(step, actions...); err != nil {
		w.t.Fatalf("%s: %v\n%q\n%s", what, err, w.complaints(), w.evaluate(`document.body.innerText`))
	}
	if w.evaluate(`String(document.documentElement.scrollWidth > innerWidth)`) != "false" {
		w.t.Errorf("%s: wider than the window", what)
	}
	if folder := os.Getenv("SCREENSHOTS"); folder != "" {
		picture, _ := chromedp.Run(w.ctx, chromedp.FullScreenshot(100))
		_ = os.WriteFile(filepath.Join(folder, "setup-"+w.name+"-"+strings.ReplaceAll(what, " ", "-")+".png"), picture, 0o600)
	}
}

func (w *setupWindow) evaluate(script string) string {
	w.t.Helper()
	text, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](script))
	if err != nil {
		w.t.Fatalf("%s: %v", script, err)
	}
	return text
}

func (w *setupWindow) text(selector string) string {
	w.t.Helper()
	return w.evaluate(fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector))
}

func (w *setupWindow) value(selector string) string {
	w.t.Helper()
	return w.evaluate(fmt.Sprintf(`document.querySelector(%q)?.value ?? ""`, selector))
}

func (w *setupWindow) shows(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.WaitVisible(chromedp.CSS(selector))
}

func (w *setupWindow) focused(selector string) chromedp.Action[chromedp.Void] {
	return w.shows(selector + ":focus")
}

func (w *setupWindow) goTo(hash string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`location.hash = %q`, hash))
}

// click first brings the place to the middle, where no passing message covers it.
func (w *setupWindow) click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		w.shows(selector),
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).scrollIntoView({block: "center"})`, selector)),
		chromedp.Click(chromedp.CSS(selector)),
	)
}

func (w *setupWindow) types(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(chromedp.CSS(selector), text)
}

func (w *setupWindow) replaces(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(w.shows(selector), chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`document.querySelector(%q).select()`, selector)), w.types(selector, text))
}

// file is a file as it was downloaded.
func (w *setupWindow) file(name, content string) string {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *setupWindow) walk(p *setupPlace, lang text.Language, title string, width int64) {
	t := w.t
	onward := w.click(`.setup-step > .setup-foot .main`)
	at := func(step int) chromedp.Action[chromedp.Void] {
		return w.shows(fmt.Sprintf(`.setup-progress li:nth-child(%d) button[aria-current=step]`, step))
	}

	w.do("enter", chromedp.EmulateViewport(width, 900), chromedp.Navigate(p.address+"/console?lang="+string(lang)), w.types(`input[name=key]`, adminKey+"\r"),
		chromedp.WaitNotPresent(chromedp.CSS(`input[name=key]`)))
	w.do("begin", w.goTo("#setup"), at(1), w.shows(`.picture svg`))
	if got := w.text(`main h1`); got != title {
		t.Errorf("title %q, want %q", got, title)
	}
	w.do("app done", onward, at(2), w.shows(`.setup-progress li.done:nth-child(1)`), w.focused(`#setup-title`))
	w.do("back in the browser", chromedp.Evaluate[chromedp.Void](`history.back()`), at(1))
	w.do("and forth", chromedp.Evaluate[chromedp.Void](`history.forward()`), at(2))
	if got := w.text(`.setup-do .copyable code`); got != p.domain {
		t.Errorf("callback domain %q, want %q", got, p.domain)
	}
	w.do("callback domain done", onward, at(3))
	w.do("reload keeps step and marks", chromedp.Reload(), at(3), w.shows(`.setup-progress li.done:nth-child(2)`))

	w.do("no file of WeCom's", w.types(`input[name=filename]`, "robots.txt\r"), w.shows(`input[name=filename][aria-invalid=true]`))
	renamed := w.file("WW_verify_abcdefghijklmnop (1).txt", "abcdefghijklmnop\n")
	mixedUp := w.file("WW_verify_abcdefghijklmnop.txt", "ponmlkjihgfedcba")
	upload := func(file string) chromedp.Action[chromedp.Void] {
		return chromedp.SetUploadFiles(chromedp.CSS(`.drop input[type=file]`), []string{file})
	}
	w.do("content of another file", upload(mixedUp), w.shows(`.setup-do .notice.bad`))
	p.behindPage.Store(true)
	w.do("something else answers", upload(renamed), w.shows(`.setup-files .notice.bad`))
	p.behindPage.Store(false)
	w.do("fetched back", w.click(`.setup-files button`), w.shows(`.setup-files .notice.good`))
	if files := p.files(); len(files) != 1 || files[0].Filename != "WW_verify_abcdefghijklmnop.txt" {
		t.Errorf("files %+v", files)
	}
	w.do("typed name", w.types(`input[name=filename]`, p.address+"/WW_verify_AAAABBBBCCCCDDDD.txt\r"), w.shows(`.setup-files li:nth-child(2)`), w.shows(`.setup-files li:first-child .notice.good`))
	p.simulator.SetCallerIP("198.51.100.9")
	w.do("domain done", onward, at(4), w.shows(`.setup-do .copyable`))
	if got := w.text(`.setup-do .copyable code`); got != "198.51.100.9" {
		t.Errorf("address %q", got)
	}
	w.do("address done", onward, at(5))

	save := w.click(`.setup-form .main`)
	w.do("nothing filled in", save, w.shows(`input[name=corpId][aria-invalid=true]`), w.focused(`input[name=corpId]`))
	w.do("wrong values", w.types(`input[name=corpId]`, setupCorp), w.types(`input[name=agentId]`, "10a"), w.types(`input[name=secret]`, "a b"), w.types(`input[name=origin]`, "app.example.com/"),
		w.replaces(`input[name=name]`, "other"), w.shows(`input[name=name][aria-invalid=true]`), save, w.shows(`input[name=agentId][aria-invalid=true]`), w.shows(`input[name=secret][aria-invalid=true]`), w.focused(`input[name=agentId]`))
	if got := w.value(`input[name=origin]`); got != "https://app.example.com" {
		t.Errorf("the origin is not repaired: %q", got)
	}
	wrongSecret := strings.Repeat("w", 43)
	w.do("repaired", w.replaces(`input[name=agentId]`, setupAgent), w.replaces(`input[name=secret]`, wrongSecret), w.replaces(`input[name=name]`, "finance"))
	w.do("leaving asks", w.click(`#tabs a[href="#users"]`), w.shows(`dialog[open]`), w.click(`dialog .danger`), chromedp.WaitNotPresent(chromedp.CSS(`.setup`)))
	kept := w.evaluate(`JSON.stringify(sessionStorage)`)
	if !strings.Contains(kept, setupCorp) || strings.Contains(kept, wrongSecret) {
		t.Errorf("the draft is %s", kept)
	}
	w.do("the draft is there", w.goTo("#setup"), at(5), w.shows(`.setup-intro .notice.info`))
	if got := w.value(`input[name=corpId]`) + " " + w.value(`input[name=secret]`); got != setupCorp+" " {
		t.Errorf("the draft became %q", got)
	}
	w.do("automatic login is taken", w.types(`input[name=secret]`, wrongSecret), w.click(`input[name=autoLogin]`), w.shows(`input[name=autoLogin][aria-invalid=true]`), save, w.focused(`input[name=autoLogin]`))
	w.do("created", w.click(`input[name=autoLogin]`), chromedp.DoubleClick(chromedp.CSS(`.setup-form .main`)), at(6), w.shows(`.setup-progress li.done:nth-child(5)`))
	if got := w.evaluate(`location.hash`); got != "#setup/finance" {
		t.Errorf("address %q", got)
	}
	w.do("phone done", onward, at(7))

	check := w.click(`.setup-words > .actions button`)
	w.do("wrong secret", check, w.shows(`.setup-results .bad button`))
	w.do("where it is repaired", w.click(`.setup-results .bad button`), at(5), w.types(`input[name=secret]`, theSecret), save, at(7))
	w.do("untrusted address", check, w.shows(`.setup-results li:nth-child(2).bad`))
	if got := w.text(`.setup-results .bad`); !strings.Contains(got, "198.51.100.9") {
		t.Errorf("the address is not named: %q", got)
	}
	w.do("to the address and back", w.click(`.setup-results .bad button`), at(4), w.click(`.setup-progress li:nth-child(7) button`), at(7))
	p.simulator.SetCallerIP("203.0.113.7")
	p.behindPage.Store(true)
	w.do("file lost", check, chromedp.WaitNotPresent(chromedp.CSS(`.setup-results li:nth-child(2).bad`)), w.shows(`.setup-results li:last-child.bad`))
	p.behindPage.Store(false)
	w.do("all in order", check, w.shows(`.setup-progress li.done:nth-child(7)`), chromedp.WaitNotPresent(chromedp.CSS(`.setup-results .bad`)))
	w.do("to the homepage", w.click(`.setup-step > .setup-foot button:last-child`), at(8), w.replaces(`input[name=phone]`, "/m"))
	if got, want := w.text(`.setup-do .copyable code`), p.address+"/authorize/finance?redirect=%2Fm"; got != want {
		t.Errorf("homepage link %q, want %q", got, want)
	}
	w.do("the end", onward, w.shows(`.setup-step .notice.good`), w.shows(`.setup-results li:nth-child(8)`))

	w.do("once more", w.click(`.setup-step .button.main`), chromedp.WaitNotPresent(chromedp.CSS(`.setup`)), w.goTo("#setup/finance"), at(1), w.click(`.setup-progress li:nth-child(5) button`), at(5), w.replaces(`input[name=title]`, "Finance"))
	p.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/finance", body: `{"workbenchRedirectPath":"/books"}`})
	w.do("somebody else was quicker", save, w.shows(`.toast.bad`))
	w.do("saved over it", save, at(6))
	if a := p.authenticator("finance"); a.Title != "Finance" || a.WorkbenchRedirectPath != "/books" {
		t.Errorf("saved %+v", a)
	}
	if a := p.authenticator("finance"); a.CorpID != setupCorp || a.Origin != "https://app.example.com" || !a.AutoSignup || a.AutoLogin || p.vault.secretOf(a) != theSecret {
		t.Errorf("created %+v", a)
	}
	if all := p.authenticators(); len(all) != 2 {
		t.Errorf("%d authenticators", len(all))
	}
	if found := w.complaints(); len(found) > 0 {
		t.Errorf("the page complains: %q", found)
	}
}
