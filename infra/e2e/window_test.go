package e2e_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/teststack"
)

// stepLimit is how long one step may take to show what it must.
const stepLimit = 20 * time.Second

// programFolder outlives the tests that share what is built there.
var programFolder = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "e2e-") })

// localProgram builds the program of `make run`, once.
var localProgram = sync.OnceValues(func() (string, error) {
	folder, err := programFolder()
	if err != nil {
		return "", err
	}
	program := filepath.Join(folder, "local")
	output, err := exec.CommandContext(context.Background(), "go", "build", "-buildvcs=false", "-o", program, moduleRoot+"/infra/local").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	return program, nil
})

// localRun is what `make run` starts.
type localRun struct {
	process *exec.Cmd
	log     *teststack.Log
	// service, application, weCom and console are addresses.
	service, application, weCom, console, adminKey string
}

// startLocal starts the program with a folder of its own on free ports and waits
// until it is ready. Settings are added to those.
func startLocal(t *testing.T, settings ...string) *localRun {
	t.Helper()
	r, err := launch(t.TempDir(), settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.stop(t) })
	return r
}

// launch starts the program with its data in a folder.
func launch(folder string, settings ...string) (*localRun, error) {
	program, err := localProgram()
	if err != nil {
		return nil, err
	}
	r := &localRun{process: exec.CommandContext(context.Background(), program), log: &teststack.Log{}}
	r.process.Dir = moduleRoot
	r.process.Env = append([]string{"PORT=0", "DATA_DIR=" + folder}, settings...)
	r.process.Stderr = r.log
	output, err := r.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.process.Start(); err != nil {
		return nil, err
	}
	places := map[string]*string{
		"service": &r.service, "application": &r.application, "WeCom": &r.weCom, "console": &r.console, "admin key": &r.adminKey,
	}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if name, rest, ok := strings.Cut(line, "  "); ok && places[name] != nil {
			*places[name], _, _ = strings.Cut(strings.TrimSpace(rest), " ")
		}
		if strings.HasPrefix(line, "Stop it") {
			go func() { _, _ = io.Copy(io.Discard, output) }()
			return r, nil
		}
	}
	return nil, fmt.Errorf("the program ended before it was ready: %w\n%s", r.process.Wait(), r.log)
}

// stop ends the program as a terminal or a supervisor does. It may be called twice.
func (r *localRun) stop(t *testing.T) {
	t.Helper()
	if err := r.end(); err != nil {
		t.Error(err)
	}
}

func (r *localRun) end() error {
	if r.process.ProcessState != nil {
		return nil
	}
	started := time.Now()
	if err := r.process.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	late := time.AfterFunc(10*time.Second, func() { _ = r.process.Process.Kill() })
	defer late.Stop()
	if err := r.process.Wait(); err != nil {
		return fmt.Errorf("the program ended with %w\n%s", err, r.log)
	}
	if took := time.Since(started); took > 5*time.Second {
		return fmt.Errorf("stopping took %s", took)
	}
	return nil
}

// startChromium starts a browser with a profile of its own, which prepare may fill.
func startChromium(t *testing.T, prepare func(profile string)) context.Context {
	t.Helper()
	profile := t.TempDir()
	if prepare != nil {
		prepare(profile)
	}
	browser, end, err := launchChromium(profile)
	if errors.Is(err, exec.ErrNotFound) {
		missing(t, "pages in a browser", "no chromium")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	return browser
}

// launchChromium starts a browser and returns what ends it. Without a browser on
// this machine the error is exec.ErrNotFound.
func launchChromium(profile string) (context.Context, func(), error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return nil, nil, err
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(profile),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("force-prefers-reduced-motion", true),
		// Without it a click before a page's first picture is lost: nobody is that quick.
		chromedp.Flag("allow-pre-commit-input", true),
	})...)
	browser, cancel := chromedp.NewContext(allocator)
	end := func() {
		_ = chromedp.Cancel(browser) // ends the browser and waits for it
		cancel()
		stop()
	}
	if err := chromedp.Do(browser, chromedp.Navigate("about:blank")); err != nil {
		end()
		return nil, nil, fmt.Errorf("start chromium: %w", err)
	}
	return browser, end, nil
}

// device is what a person holds.
type device struct {
	name          string
	width, height int64
	phone         bool
	language      string // what the browser asks for
	userAgent     string
}

// window is a browser window of a person: cookies of its own.
type window struct {
	t       *testing.T
	ctx     context.Context //nolint:containedctx // a window is a context in chromedp
	device  device
	mu      sync.Mutex
	unhappy []string
}

// open opens a window that shares nothing with the others.
func open(t *testing.T, browser context.Context, d device, options ...chromedp.ContextOption) *window {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, options...)
	t.Cleanup(cancel)
	w := &window{t: t, ctx: ctx, device: d}
	// Before the first page, so that nothing is missed.
	if err := chromedp.Listen(ctx, w.hear); err != nil {
		t.Fatal(err)
	}
	viewport := []chromedp.EmulateViewportOption{}
	if d.phone {
		viewport = append(viewport, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(d.width, d.height, viewport...)); err != nil {
		t.Fatal(err)
	}
	identity := emulation.SetUserAgentOverrideParams{UserAgent: d.userAgent, AcceptLanguage: d.language}
	if _, err := chromedp.Call(ctx, emulation.SetUserAgentOverride, identity); err != nil {
		t.Fatal(err)
	}
	return w
}

// hear notes what a developer would see red in the tools of the browser.
func (w *window) hear(event any) {
	complaint := ""
	switch event := event.(type) {
	case *runtime.EventExceptionThrown:
		complaint = "exception: " + event.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		if event.Type == runtime.ConsoleAPICalledTypeError || event.Type == runtime.ConsoleAPICalledTypeWarning {
			complaint = fmt.Sprintf("console: %s", event.Type)
		}
	case *log.EventEntryAdded:
		complaint = fmt.Sprintf("%s: %s %s", event.Entry.Source, event.Entry.Text, event.Entry.URL)
		// The browser calls every refused request an error.
		u, err := url.Parse(event.Entry.URL)
		if err == nil && event.Entry.Source == log.EntrySourceNetwork {
			if status := expected()[u.Path]; status != "" && strings.Contains(event.Entry.Text, status) {
				complaint = ""
			}
		}
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(event.Request.URL)
		if err != nil || (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "localhost" {
			complaint = "a foreign address: " + event.Request.URL
		}
	}
	if complaint != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.unhappy = append(w.unhappy, complaint)
	}
}

// expected are refusals that pages ask for, by path: is anybody signed in, are they
// an administrator, and may a second authenticator have automatic login?
func expected() map[string]string {
	return map[string]string{
		"/api/session": "401", "/api/token": "401", "/api/admin/authenticators": "403", "/api/admin/authenticators/second": "409", notThere: "404",
	}
}

// do does a step, which ends with something to wait for, and looks at the page.
func (w *window) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	step, cancel := context.WithTimeout(w.ctx, stepLimit)
	defer cancel()
	err := chromedp.Do(step, actions...)
	w.mu.Lock()
	unhappy := w.unhappy
	w.unhappy = nil
	w.mu.Unlock()
	if err != nil {
		text, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		w.picture(what)
		w.t.Fatalf("%s: %v\n%q\n%s", what, err, unhappy, text)
	}
	if len(unhappy) > 0 {
		w.t.Errorf("%s: the browser complains: %q", what, unhappy)
	}
	widest, err := chromedp.Run(w.ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`))
	if err != nil || widest > w.device.width {
		w.picture(what)
		w.t.Errorf("%s: the page is %d pixels wide, the window %d (%v)", what, widest, w.device.width, err)
	}
}

// picture keeps what a failed step showed.
func (w *window) picture(what string) {
	shown, err := chromedp.Run(w.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		return
	}
	path := filepath.Join(w.t.ArtifactDir(), strings.ReplaceAll(what, " ", "-")+".png")
	if os.WriteFile(path, shown, 0o600) == nil {
		w.t.Logf("%s: see %s (kept with go test -artifacts)", what, path)
	}
}

// text returns what an element says.
func (w *window) text(selector string) string {
	w.t.Helper()
	text, err := chromedp.Run(w.ctx, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		w.t.Errorf("read %s: %v", selector, err)
	}
	return strings.TrimSpace(text)
}

// language returns the language the page is in.
func (w *window) language() string {
	w.t.Helper()
	language, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](`document.documentElement.lang`))
	if err != nil {
		w.t.Error(err)
	}
	return language
}

// location returns the address of the page.
func (w *window) location() string {
	w.t.Helper()
	address, err := chromedp.Run(w.ctx, chromedp.Location())
	if err != nil {
		w.t.Error(err)
	}
	return address
}

// The steps of a person.

func visit(address string) chromedp.Action[chromedp.Void] { return chromedp.Navigate(address) }

func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector))
}

func sees(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.WaitVisible(chromedp.CSS(selector))
}

// seesText waits for an element with exactly a text.
func seesText(element, text string) chromedp.Action[chromedp.Void] {
	return chromedp.WaitVisible(chromedp.Search(`//` + element + `[normalize-space()="` + text + `"]`))
}

// seesFailure waits for the sign-in page with a failure.
func seesFailure(code string) chromedp.Action[chromedp.Void] {
	return chromedp.WaitVisible(chromedp.Search(`//*[@role="alert"]//code[text()="` + code + `"]`))
}

// seesWeCom waits for a page of the simulator.
func seesWeCom(page string) chromedp.Action[chromedp.Void] {
	return sees(`body[data-page="` + page + `"]`)
}
