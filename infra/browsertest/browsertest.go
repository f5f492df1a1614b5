// Package browsertest opens Chromium for tests of pages.
//
// Duty: a window that ends with its test, and what a page complained of in it:
// exceptions, and what breaks its own policy.
//
// Boundary: it knows no page. Tests of the whole service share one browser and have
// their own way to start it (package e2e).
package browsertest

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// lifetime is how long a window may be used.
const lifetime = time.Minute

// Open opens a window and returns it with a function that tells what its pages
// complained of. Without Chromium the test is skipped, and fails when CI is set; suite
// is what the line about it calls the tests.
func Open(t *testing.T, suite string, options ...chromedp.ExecAllocatorOption) (window context.Context, complaints func() []string) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no chromium")
		}
		t.Skip("SKIP " + suite + " in a browser: no chromium")
	}
	allocator, stop := chromedp.NewExecAllocator(t.Context(), slices.Concat(chromedp.DefaultExecAllocatorOptions[:], []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
	}, options)...)
	ctx, cancel := chromedp.NewContext(allocator)
	ctx, release := context.WithTimeout(ctx, lifetime)
	t.Cleanup(func() { release(); cancel(); stop() })
	var mu sync.Mutex
	var found []string
	err = chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			found = append(found, event.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			// What is refused or does not come over the network is part of the plays.
			if event.Entry.Source != log.EntrySourceNetwork {
				found = append(found, event.Entry.Text)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(found)
	}
}
