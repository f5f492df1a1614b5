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
	ctx, release := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(func() { release(); cancel(); stop() })
	var mu sync.Mutex
	var complaints []string
	chromedp.ListenTarget(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, event.ExceptionDetails.Error())
		case *log.EventEntryAdded:
			if event.Entry.Source != log.SourceNetwork { // refused calls are part of the play
				complaints = append(complaints, event.Entry.Text)
			}
		}
	})
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
			o.create("finance", `,"title":"<img src=x onerror=alert(1)>","origin":"https://a-rather-long-host-name.application.example.com"`)
			id := o.createUser("13800138000")
			server := o.serve(t)
			ctx, complaints := browser(t, width)
			run := func(what string, actions ...chromedp.Action) {
				t.Helper()
				if err := chromedp.Run(ctx, actions...); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				var wide bool
				if err := chromedp.Run(ctx, chromedp.Evaluate(`document.documentElement.scrollWidth > innerWidth`, &wide)); err != nil || wide {
					t.Errorf("%s: wider than the window (%v)", what, err)
				}
				if folder := os.Getenv("SCREENSHOTS"); folder != "" {
					var picture []byte
					_ = chromedp.Run(ctx, chromedp.Sleep(200*time.Millisecond), chromedp.CaptureScreenshot(&picture))
					_ = os.WriteFile(filepath.Join(folder, "console-"+name+"-"+strings.ReplaceAll(what, " ", "-")+".png"), picture, 0o600)
				}
			}
			button := func(label string) string { return `//button[normalize-space()="` + label + `"]` }
			run("open", chromedp.EmulateViewport(width, 900), chromedp.Navigate(server.URL+"/console"), chromedp.WaitVisible(`input[name=key]`))
			run("wrong key", chromedp.SendKeys(`input[name=key]`, "wrong\r"), chromedp.WaitVisible(`.notice.bad`))
			run("right key", chromedp.SetValue(`input[name=key]`, ""), chromedp.SendKeys(`input[name=key]`, adminKey+"\r"), chromedp.WaitVisible(`.cards .card`))
			run("new authenticator", chromedp.Click(button("Add"), chromedp.BySearch), chromedp.WaitVisible(`dialog input[name=name]`),
				chromedp.SendKeys(`dialog input[name=name]`, "hr"), chromedp.SendKeys(`dialog input[name=corpId]`, "ww0123456789"),
				chromedp.SendKeys(`dialog input[name=agentId]`, "10a"), chromedp.SendKeys(`dialog input[name=secret]`, theSecret),
				chromedp.SendKeys(`dialog input[name=origin]`, "https://hr.example.com/"), chromedp.Click(`dialog button.main`),
				chromedp.WaitVisible(`dialog input[name=agentId][aria-invalid=true]`))
			run("repaired", chromedp.SetValue(`dialog input[name=agentId]`, "1000002"), chromedp.Click(`dialog button.main`),
				chromedp.WaitNotPresent(`dialog`), chromedp.WaitVisible(`//h3[text()="hr"]`, chromedp.BySearch))
			run("check", chromedp.Click(button("Check"), chromedp.BySearch), chromedp.WaitVisible(`dialog .steps li`), chromedp.Click(`dialog button.main`), chromedp.WaitNotPresent(`dialog`))
			run("users", chromedp.Click(`#tabs a[href="#users"]`), chromedp.WaitVisible(`input[name=phone]`),
				chromedp.SendKeys(`main input[name=phone]`, "138 0013 8000\r"), chromedp.WaitVisible(`//h3[text()="Li"]`, chromedp.BySearch))
			run("disable user", chromedp.Click(button("Disable"), chromedp.BySearch), chromedp.WaitVisible(button("Enable"), chromedp.BySearch))
			run("domain files", chromedp.Click(`#tabs a[href="#files"]`), chromedp.WaitVisible(`.empty`))
			var kept string
			run("forget the key", chromedp.Click(button("Forget key"), chromedp.BySearch), chromedp.WaitVisible(`input[name=key]`),
				chromedp.Evaluate(`JSON.stringify([sessionStorage, localStorage, document.cookie])`, &kept))
			if strings.Contains(kept, adminKey) {
				t.Errorf("the key is still there: %s", kept)
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
