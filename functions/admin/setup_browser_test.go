package admin_test

import (
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
	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/audit"
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
			Directory: p.directory, Audit: &audit.Log{Store: p.directory, Now: time.Now, RequestID: apigw.RequestID}, Secrets: p.vault, SecretName: secretName, WeCom: client, Now: func() time.Time { return p.clock },
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
				w := &setupWindow{open(t, width), t}
				w.walk(p, lang, title)
			})
		}
	}
}

// setupWindow is the administrator's browser.
type setupWindow struct {
	*chromium.Window
	t *testing.T
}

func (w *setupWindow) focused(selector string) chromium.Action { return sees(selector + ":focus") }

func (w *setupWindow) goTo(hash string) chromium.Action {
	return chromium.Script(fmt.Sprintf(`location.hash = %q`, hash))
}

// click first brings the place to the middle, where no passing message covers it.
func (w *setupWindow) click(selector string) chromium.Action {
	return chromedp.Steps(
		sees(selector),
		chromium.Script(fmt.Sprintf(`document.querySelector(%q).scrollIntoView({block: "center"})`, selector)),
		click(selector),
	)
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

// receiver looks at the receiver on the page of the authenticator, changes its options,
// and switches the receiver off.
func (w *setupWindow) receiver(p *setupPlace) {
	t := w.t
	const section = `section:has([data-focus=events])`
	a := p.authenticator("finance")
	if err := p.directory.NoteEvent(t.Context(), a, p.clock); err != nil {
		t.Fatal(err)
	}
	w.Do("the last event", w.goTo("#authenticators/finance"), sees(section+` time`))
	if got := ask(w.Window, fmt.Sprintf(`document.querySelector(%q).dateTime`, section+` time`)); got != "2026-11-21T08:00:00Z" {
		t.Errorf("the last event is of %s", got)
	}
	token := p.parts("finance")[1]
	w.Do("new ones", w.click(section+` .actions button:first-child`), click(`dialog .danger`), sees(section+` .notice .copyable`))
	if renewed := p.parts("finance")[1]; renewed == token || renewed == "" {
		t.Errorf("the token is %q, before %q", renewed, token)
	}
	// The page knows the version that it has made.
	w.Do("another title", fill(`input[name=title]`, "Finances"), w.click(`form .main`), sees(`.toast.good`))
	w.Do("switched off", w.click(section+` .danger`), click(`dialog .danger`), gone(section+` time`), gone(section+` .notice`))
	if a := p.authenticator("finance"); a.EventsEnabled || a.Title != "Finances" {
		t.Errorf("%+v", a)
	}
	w.Do("the title as before", fill(`input[name=title]`, "Finance"), w.click(`form .main`), sees(`.toast.good`))
}

func (w *setupWindow) walk(p *setupPlace, lang text.Language, title string) {
	t := w.t
	onward := w.click(`.setup-step > .setup-foot .main`)
	at := func(step int) chromium.Action {
		return sees(fmt.Sprintf(`.setup-progress li:nth-child(%d) button[aria-current=step]`, step))
	}

	w.Do("enter", visit(p.address+"/console?lang="+string(lang)), fill(`input[name=key]`, adminKey+"\r"),
		gone(`input[name=key]`))
	w.Do("begin", w.goTo("#setup"), at(1), sees(`.picture svg`))
	if got := w.Text(`main h1`); got != title {
		t.Errorf("title %q, want %q", got, title)
	}
	w.Do("app done", onward, at(2), sees(`.setup-progress li.done:nth-child(1)`), w.focused(`#setup-title`))
	w.Do("back in the browser", chromium.Script(`history.back()`), at(1))
	w.Do("and forth", chromium.Script(`history.forward()`), at(2))
	if got := w.Text(`.setup-do .copyable code`); got != p.domain {
		t.Errorf("callback domain %q, want %q", got, p.domain)
	}
	w.Do("callback domain done", onward, at(3))
	w.Do("reload keeps step and marks", chromedp.Reload(), at(3), sees(`.setup-progress li.done:nth-child(2)`))

	w.Do("no file of WeCom's", fill(`input[name=filename]`, "robots.txt\r"), sees(`input[name=filename][aria-invalid=true]`))
	renamed := w.file("WW_verify_abcdefghijklmnop (1).txt", "abcdefghijklmnop\n")
	mixedUp := w.file("WW_verify_abcdefghijklmnop.txt", "ponmlkjihgfedcba")
	bring := func(file string) chromium.Action { return upload(`.drop input[type=file]`, file) }
	w.Do("content of another file", bring(mixedUp), sees(`.setup-do .notice.bad`))
	p.behindPage.Store(true)
	w.Do("something else answers", bring(renamed), sees(`.setup-files .notice.bad`))
	p.behindPage.Store(false)
	w.Do("fetched back", w.click(`.setup-files button`), sees(`.setup-files .notice.good`))
	if files := p.files(); len(files) != 1 || files[0].Filename != "WW_verify_abcdefghijklmnop.txt" {
		t.Errorf("files %+v", files)
	}
	w.Do("typed name", fill(`input[name=filename]`, p.address+"/WW_verify_AAAABBBBCCCCDDDD.txt\r"), sees(`.setup-files li:nth-child(2)`), sees(`.setup-files li:first-child .notice.good`))
	p.simulator.SetCallerIP("198.51.100.9")
	w.Do("domain done", onward, at(4), sees(`.setup-do .copyable`))
	if got := w.Text(`.setup-do .copyable code`); got != "198.51.100.9" {
		t.Errorf("address %q", got)
	}
	w.Do("address done", onward, at(5))

	save := w.click(`.setup-form .main`)
	w.Do("nothing filled in", save, sees(`input[name=corpId][aria-invalid=true]`), w.focused(`input[name=corpId]`))
	w.Do("wrong values", fill(`input[name=corpId]`, setupCorp), fill(`input[name=agentId]`, "10a"), fill(`input[name=secret]`, "a b"), fill(`input[name=origin]`, "app.example.com/"),
		fill(`input[name=name]`, "other"), sees(`input[name=name][aria-invalid=true]`), save, sees(`input[name=agentId][aria-invalid=true]`), sees(`input[name=secret][aria-invalid=true]`), w.focused(`input[name=agentId]`))
	if got := w.Value(`input[name=origin]`); got != "https://app.example.com" {
		t.Errorf("the origin is not repaired: %q", got)
	}
	wrongSecret := strings.Repeat("w", 43)
	w.Do("repaired", fill(`input[name=agentId]`, setupAgent), fill(`input[name=secret]`, wrongSecret), fill(`input[name=name]`, "finance"))
	w.Do("leaving asks", w.click(`#tabs a[href="#users"]`), sees(`dialog[open]`), w.click(`dialog .danger`), gone(`.setup`))
	kept := ask(w.Window, `JSON.stringify(sessionStorage)`)
	if !strings.Contains(kept, setupCorp) || strings.Contains(kept, wrongSecret) {
		t.Errorf("the draft is %s", kept)
	}
	w.Do("the draft is there", w.goTo("#setup"), at(5), sees(`.setup-intro .notice.info`))
	if got := w.Value(`input[name=corpId]`) + " " + w.Value(`input[name=secret]`); got != setupCorp+" " {
		t.Errorf("the draft became %q", got)
	}
	w.Do("automatic login is taken", fill(`input[name=secret]`, wrongSecret), w.click(`input[name=autoLogin]`), sees(`input[name=autoLogin][aria-invalid=true]`), save, w.focused(`input[name=autoLogin]`))
	w.Do("created", w.click(`input[name=autoLogin]`), chromedp.DoubleClick(chromedp.CSS(`.setup-form .main`)), at(6), sees(`.setup-progress li.done:nth-child(5)`))
	if got := ask(w.Window, `location.hash`); got != "#setup/finance" {
		t.Errorf("address %q", got)
	}
	w.Do("phone done", onward, at(7))

	check := w.click(`.setup-words > .actions button`)
	w.Do("wrong secret", check, sees(`.setup-results .bad button`))
	w.Do("where it is repaired", w.click(`.setup-results .bad button`), at(5), fill(`input[name=secret]`, theSecret), save, at(7))
	w.Do("untrusted address", check, sees(`.setup-results li:nth-child(2).bad`))
	if got := w.Text(`.setup-results .bad`); !strings.Contains(got, "198.51.100.9") {
		t.Errorf("the address is not named: %q", got)
	}
	w.Do("to the address and back", w.click(`.setup-results .bad button`), at(4), w.click(`.setup-progress li:nth-child(7) button`), at(7))
	p.simulator.SetCallerIP("203.0.113.7")
	p.behindPage.Store(true)
	w.Do("file lost", check, gone(`.setup-results li:nth-child(2).bad`), sees(`.setup-results li:last-child.bad`))
	p.behindPage.Store(false)
	w.Do("all in order", check, sees(`.setup-progress li.done:nth-child(7)`), gone(`.setup-results .bad`))
	w.Do("to the homepage", w.click(`.setup-step > .setup-foot button:last-child`), at(8), fill(`input[name=phone]`, "/m"))
	if got, want := w.Text(`.setup-do .copyable code`), p.address+"/authorize/finance?redirect=%2Fm"; got != want {
		t.Errorf("homepage link %q, want %q", got, want)
	}
	w.Do("to the events", onward, at(9), w.click(`.setup-do .actions .main`), sees(`.setup-do .notice .copyable`), w.focused(`.setup-do .notice p`))
	var shown []string
	for i := range 3 {
		shown = append(shown, w.Text(fmt.Sprintf(`.setup-do .notice > div:nth-of-type(%d) code`, i+1)))
	}
	if parts := p.parts("finance"); shown[0] != p.address+"/api/events/finance" || shown[1] != parts[1] || shown[2] != parts[2] || parts[0] != theSecret {
		t.Errorf("shown %q, kept %q", shown, parts)
	}
	w.Do("the end", onward, sees(`.setup-step .notice.good`), sees(`.setup-results li:nth-child(9)`))

	w.Do("once more", w.click(`.setup-step .button.main`), gone(`.setup`), w.goTo("#setup/finance"), at(1), w.click(`.setup-progress li:nth-child(5) button`), at(5), fill(`input[name=title]`, "Finance"))
	p.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/finance", body: `{"workbenchRedirectPath":"/books"}`})
	w.Do("somebody else was quicker", save, sees(`.toast.bad`))
	w.Do("saved over it", save, at(6))
	if a := p.authenticator("finance"); a.Title != "Finance" || a.WorkbenchRedirectPath != "/books" {
		t.Errorf("saved %+v", a)
	}
	w.receiver(p)
	if a := p.authenticator("finance"); a.CorpID != setupCorp || a.Origin != "https://app.example.com" || !a.AutoSignup || a.AutoLogin || p.vault.secretOf(a) != theSecret {
		t.Errorf("created %+v", a)
	}
	if all := p.authenticators(); len(all) != 2 {
		t.Errorf("%d authenticators", len(all))
	}
}
