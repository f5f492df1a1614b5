package admin_test

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const adminKey = "the-admin-key"

// serve makes the office reachable by a browser, with an authorizer that knows one key.
func (o *office) serve(t *testing.T) *httptest.Server {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		event := events.APIGatewayV2HTTPRequest{
			RawPath: r.URL.Path, RawQueryString: r.URL.RawQuery, Headers: map[string]string{},
			Body: base64.StdEncoding.EncodeToString(body), IsBase64Encoded: true,
		}
		for name := range r.Header {
			event.Headers[strings.ToLower(name)] = r.Header.Get(name)
		}
		event.RequestContext.HTTP.Method = r.Method
		event.RequestContext.RequestID = "request-1"
		switch {
		case r.URL.Path == "/api/token":
			http.Error(w, "{}", http.StatusUnauthorized)
			return
		case strings.HasPrefix(r.URL.Path, "/api/admin/"):
			if r.Header.Get("Authorization") != "Bearer "+adminKey {
				http.Error(w, `{"message":"Forbidden"}`, http.StatusForbidden)
				return
			}
			event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: map[string]any{"caller": "admin-key"}}
		}
		response, _ := o.function(r.Context(), event)
		for name, value := range response.Headers {
			w.Header().Set(name, value)
		}
		w.WriteHeader(response.StatusCode)
		_, _ = io.WriteString(w, response.Body)
	}))
	t.Cleanup(server.Close)
	return server
}

// browser opens a window, or skips the test. It returns what the page complained of.
func browser(t *testing.T, width int64) (context.Context, func() []string) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no chromium")
		}
		t.Skip("SKIP console in a browser: no chromium")
	}
	allocator, stop := chromedp.NewExecAllocator(t.Context(), slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(int(width), 900), chromedp.Flag("lang", "en-US"), chromedp.Flag("accept-lang", "en-US,en"),
	})...)
	ctx, cancel := chromedp.NewContext(allocator)
	ctx, release := context.WithTimeout(ctx, 30*time.Second)
	t.Cleanup(func() { release(); cancel(); stop() })
	var mu sync.Mutex
	var complaints []string
	err = chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, event.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if event.Entry.Source != log.EntrySourceNetwork { // refused calls are part of the play
				complaints = append(complaints, event.Entry.Text)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(complaints)
	}
}

// An administrator signs in with the key, adds an authenticator, changes it, looks
// for a user, and nothing on the way breaks the page's own policy or its width.
func TestConsoleInABrowser(t *testing.T) {
	for name, width := range map[string]int64{"phone": 360, "desktop": 1440} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			o.create("finance", `,"title":"<img src=x onerror=alert(1)>","workbenchRedirectPath":"/a-rather-long-path-without-any-place-to-break-it-in-two/and-more-of-it"`)
			id := o.createUser("13800138000")
			server := o.serve(t)
			ctx, complaints := browser(t, width)
			run := func(what string, actions ...chromedp.Action[chromedp.Void]) {
				t.Helper()
				step, done := context.WithTimeout(ctx, 8*time.Second)
				defer done()
				if err := chromedp.Do(step, actions...); err != nil {
					text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
					t.Fatalf("%s: %v\n%q\n%s", what, err, complaints(), text)
				}
				wide, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`))
				if err != nil || wide {
					t.Errorf("%s: wider than the window (%v)", what, err)
				}
				if folder := os.Getenv("SCREENSHOTS"); folder != "" {
					picture, _ := chromedp.Run(ctx, chromedp.FullScreenshot(100))
					_ = os.WriteFile(filepath.Join(folder, "console-"+name+"-"+strings.ReplaceAll(what, " ", "-")+".png"), picture, 0o600)
				}
			}
			button := func(label string) chromedp.Search {
				return chromedp.Search(`//button[normalize-space()="` + label + `"]`)
			}
			run("open", chromedp.EmulateViewport(width, 900), chromedp.Navigate(server.URL+"/console"), chromedp.WaitVisible(chromedp.CSS(`input[name=key]`)))
			run("wrong key", chromedp.SendKeys(chromedp.CSS(`input[name=key]`), "wrong\r"), chromedp.WaitVisible(chromedp.CSS(`.notice.bad`)))
			run("right key", chromedp.SetValue(chromedp.CSS(`input[name=key]`), adminKey), chromedp.Click(chromedp.CSS(`button.main`)), chromedp.WaitVisible(chromedp.CSS(`.cards .card`)))
			run("new authenticator", chromedp.Click(button("Add")), chromedp.WaitVisible(chromedp.CSS(`dialog input[name=name]`)),
				chromedp.SendKeys(chromedp.CSS(`dialog input[name=name]`), "hr"), chromedp.SendKeys(chromedp.CSS(`dialog input[name=corpId]`), "ww0123456789"),
				chromedp.SendKeys(chromedp.CSS(`dialog input[name=agentId]`), "10a"), chromedp.SendKeys(chromedp.CSS(`dialog input[name=secret]`), theSecret),
				chromedp.SendKeys(chromedp.CSS(`dialog input[name=origin]`), "https://hr.example.com/"), chromedp.Click(chromedp.CSS(`dialog button.main`)),
				chromedp.WaitVisible(chromedp.CSS(`dialog input[name=agentId][aria-invalid=true]`)))
			run("repaired", chromedp.SetValue(chromedp.CSS(`dialog input[name=agentId]`), "1000002"), chromedp.Click(chromedp.CSS(`dialog button.main`)),
				chromedp.WaitNotPresent(chromedp.CSS(`dialog`)), chromedp.WaitVisible(chromedp.Search(`//h3[text()="hr"]`)))
			run("check", chromedp.Click(button("Check")), chromedp.WaitVisible(chromedp.CSS(`dialog .steps li`)), chromedp.Click(chromedp.CSS(`dialog button.main`)), chromedp.WaitNotPresent(chromedp.CSS(`dialog`)))
			run("search for what is no number", chromedp.Click(chromedp.CSS(`#tabs a[href="#users"]`)), chromedp.WaitVisible(chromedp.CSS(`main input[name=phone]`)),
				chromedp.SendKeys(chromedp.CSS(`main input[name=phone]`), "nonsense\r"), chromedp.WaitVisible(chromedp.CSS(`main .notice`)),
				chromedp.WaitVisible(chromedp.CSS(`main input[name=phone]`)), chromedp.Click(chromedp.CSS(`#tabs a[href="#files"]`)), chromedp.WaitVisible(chromedp.CSS(`.empty`)))
			run("users", chromedp.Click(chromedp.CSS(`#tabs a[href="#users"]`)), chromedp.WaitVisible(chromedp.CSS(`input[name=phone]`)),
				chromedp.SendKeys(chromedp.CSS(`main input[name=phone]`), "138 0013 8000\r"), chromedp.WaitVisible(chromedp.Search(`//h3[text()="Li"]`)))
			run("disable user", chromedp.Click(button("Disable")), chromedp.WaitVisible(button("Enable")))
			run("domain files", chromedp.Click(chromedp.CSS(`#tabs a[href="#files"]`)), chromedp.WaitVisible(chromedp.CSS(`.empty`)))
			run("forget the key", chromedp.Click(button("Forget key")), chromedp.WaitVisible(chromedp.CSS(`input[name=key]`)))
			kept, err := chromedp.Run(ctx, chromedp.Evaluate[string](`JSON.stringify([sessionStorage, localStorage, document.cookie])`))
			if err != nil || strings.Contains(kept, adminKey) {
				t.Errorf("the key is still there: %s (%v)", kept, err)
			}
			if hr := o.authenticator("hr"); hr.Origin != "https://hr.example.com" || o.vault.secretOf(hr) != theSecret {
				t.Errorf("created %+v", hr)
			}
			if o.user(id).Enabled {
				t.Error("the user is not disabled")
			}
			if found := complaints(); len(found) > 0 {
				t.Errorf("the page complains: %q", found)
			}
		})
	}
}
