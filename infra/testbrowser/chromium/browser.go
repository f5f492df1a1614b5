package chromium

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Browser is a running Chromium.
type Browser struct {
	ctx context.Context //nolint:containedctx // a browser is a context in chromedp
	end func()
}

// shared is the browser of all tests that need no settings of their own. It is never
// started when no test asks for it.
var shared struct {
	once    sync.Once
	browser *Browser
	profile string
	err     error
}

// Main runs the tests of a package and ends the browser that they shared: TestMain is
// os.Exit(chromium.Main(m)).
func Main(m *testing.M) int {
	code := m.Run()
	if shared.browser != nil {
		shared.browser.end()
	}
	if shared.profile != "" {
		_ = os.RemoveAll(shared.profile)
	}
	return code
}

// Shared returns the browser of this process. Without Chromium on this machine the
// test is skipped, and fails where CI is set.
func Shared(t testing.TB) *Browser {
	t.Helper()
	skipIfShort(t)
	shared.once.Do(func() {
		if shared.profile, shared.err = os.MkdirTemp("", "chromium-"); shared.err == nil {
			// The one that has no window needs a third less of the processor.
			shared.browser, shared.err = launch("chromium-headless-shell", shared.profile)
			if errors.Is(shared.err, exec.ErrNotFound) {
				shared.browser, shared.err = launch("chromium", shared.profile)
			}
		}
	})
	mustRun(t, shared.err)
	return shared.browser
}

// Start starts a browser for one test, with a profile that may have content already: settings,
// which only the whole Chromium reads.
func Start(t testing.TB, profile string, options ...chromedp.ExecAllocatorOption) *Browser {
	t.Helper()
	skipIfShort(t)
	b, err := launch("chromium", profile, options...)
	mustRun(t, err)
	t.Cleanup(b.end)
	return b
}

// skipIfShort leaves browsers out of `make check`.
func skipIfShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("no browser in short mode")
	}
}

func mustRun(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, exec.ErrNotFound) {
		skip(t, "pages in a browser", "no chromium")
	}
	if err != nil {
		t.Fatal(err)
	}
}

func skip(t testing.TB, suite, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s: %s", suite, reason)
	}
	t.Skipf("SKIP %s: %s", suite, reason)
}

func launch(program, profile string, options ...chromedp.ExecAllocatorOption) (*Browser, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, err
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(profile), chromedp.Flag("lang", "en-US"),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("force-prefers-reduced-motion", true),
		// Without it a click before a page's first picture is lost: nobody is that quick.
		chromedp.Flag("allow-pre-commit-input", true),
	}, options)...)
	ctx, cancel := chromedp.NewContext(allocator)
	end := func() {
		_ = chromedp.Cancel(ctx) // ends the browser and waits for it
		cancel()
		stop()
	}
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		end()
		return nil, fmt.Errorf("start chromium: %w", err)
	}
	return &Browser{ctx, end}, nil
}

// Device is what a person holds.
type Device struct {
	Name          string
	Width, Height int64  // in CSS pixels
	Phone         bool   // touch, and a phone's way to lay pages out
	Language      string // what the browser asks for
	UserAgent     string
}

// Open opens a window that shares nothing with the others. A complaint for which
// ignore reports true is none; nil ignores nothing.
func (b *Browser) Open(t testing.TB, d Device, ignore func(Complaint) bool) *Window {
	t.Helper()
	return b.open(t, d, ignore, chromedp.WithNewBrowserContext())
}

// OpenInProfile opens a window in the profile itself, whose settings count there.
func (b *Browser) OpenInProfile(t testing.TB, d Device, ignore func(Complaint) bool) *Window {
	t.Helper()
	return b.open(t, d, ignore)
}

func (b *Browser) open(t testing.TB, d Device, ignore func(Complaint) bool, options ...chromedp.ContextOption) *Window {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, options...)
	t.Cleanup(cancel)
	w := &Window{Context: ctx, t: t, device: d, ignore: ignore}
	// Before the first page, so that nothing is missed.
	if err := chromedp.Listen(ctx, w.hear); err != nil {
		t.Fatal(err)
	}
	viewport := []chromedp.EmulateViewportOption{}
	if d.Phone {
		viewport = append(viewport, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(d.Width, d.Height, viewport...)); err != nil {
		t.Fatal(err)
	}
	identity := emulation.SetUserAgentOverrideParams{UserAgent: d.UserAgent, AcceptLanguage: d.Language}
	if _, err := chromedp.Call(ctx, emulation.SetUserAgentOverride, identity); err != nil {
		t.Fatal(err)
	}
	return w
}
