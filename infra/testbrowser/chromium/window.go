package chromium

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// stepLimit is how long one step may take to show what it must. It only ends what
// hangs: a busy machine is slow.
const stepLimit = 3 * time.Minute

// Window is a window of the browser.
type Window struct {
	Context context.Context //nolint:containedctx // a window is a context in chromedp
	t       testing.TB
	device  Device
	ignore  func(Complaint) bool

	mu         sync.Mutex
	complaints []Complaint
}

// Complaint is what a developer would see red in the tools of the browser.
type Complaint struct {
	Source string // "exception", "console", "address", or one of the browser's log
	Text   string
	URL    string
}

// Network ignores that a request fails, which is part of what many tests play.
func Network(c Complaint) bool { return c.Source == log.EntrySourceNetwork.String() }

func (w *Window) hear(event any) {
	var c Complaint
	switch event := event.(type) {
	case *runtime.EventExceptionThrown:
		c = Complaint{"exception", event.ExceptionDetails.Text, ""}
	case *runtime.EventConsoleAPICalled:
		if event.Type == runtime.ConsoleAPICalledTypeError || event.Type == runtime.ConsoleAPICalledTypeWarning {
			c = Complaint{"console", string(event.Type), ""}
		}
	case *log.EventEntryAdded:
		c = Complaint{event.Entry.Source.String(), event.Entry.Text, event.Entry.URL}
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(event.Request.URL)
		if err != nil || (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" {
			c = Complaint{"address", "a foreign one", event.Request.URL}
		}
	}
	if c == (Complaint{}) || w.ignore != nil && w.ignore(c) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complaints = append(w.complaints, c)
}

// Do does a step, which ends with something to wait for, and looks at the page.
func (w *Window) Do(what string, actions ...Action) {
	w.t.Helper()
	step, cancel := context.WithTimeout(w.Context, stepLimit)
	defer cancel()
	var err error
	for _, action := range actions {
		if _, err = steady(step, action); err != nil {
			break
		}
	}
	w.mu.Lock()
	complaints := w.complaints
	w.complaints = nil
	w.mu.Unlock()
	if err != nil {
		text, _ := chromedp.Run(w.Context, chromedp.Evaluate[string](`location.href + "\n" + document.body?.innerText`))
		w.Picture(what)
		w.t.Fatalf("%s: %v\n%+v\n%s", what, err, complaints, text)
	}
	if len(complaints) > 0 {
		w.t.Errorf("%s: the browser complains: %+v", what, complaints)
	}
	widest, err := w.widest(step)
	if err != nil || widest > w.device.Width {
		w.Picture(what)
		w.t.Errorf("%s: the page is %d pixels wide, the window %d (%v)", what, widest, w.device.Width, err)
	}
}

// Picture keeps what the window shows for whoever looks for the cause of a failure.
func (w *Window) Picture(what string) {
	shown, err := chromedp.Run(w.Context, chromedp.FullScreenshot(100))
	if err != nil {
		return
	}
	path := filepath.Join(w.t.ArtifactDir(), strings.ReplaceAll(what, " ", "-")+".png")
	if os.WriteFile(path, shown, 0o600) == nil {
		w.t.Logf("%s: see %s (kept with go test -artifacts)", what, path)
	}
}

// Run returns the result of an action that looks at the page.
func Run[T any](w *Window, action chromedp.Action[T]) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.Context, stepLimit)
	defer cancel()
	found, err := steady(ctx, action)
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// widest is how many pixels wide the page is. Without its styles, which a busy machine
// loads late, it may be anything.
func (w *Window) widest(ctx context.Context) (int64, error) {
	for {
		found, err := chromedp.Run(ctx, chromedp.Evaluate[struct {
			Complete bool  `json:"complete"`
			Width    int64 `json:"width"`
		}](`({complete: document.readyState === "complete", width: document.documentElement.scrollWidth})`))
		if err != nil || found.Complete || found.Width <= w.device.Width {
			return found.Width, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// steady runs an action again when its element was exchanged, before anything was done
// with it: on a busy machine a page is rebuilt while somebody looks at it.
func steady[T any](ctx context.Context, action chromedp.Action[T]) (T, error) {
	for {
		found, err := chromedp.Run(ctx, action)
		if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "Could not find node with given id") {
			return found, err
		}
	}
}

// Evaluate returns the value of an expression of JavaScript, or of its promise.
func Evaluate[T any](w *Window, expression string) T {
	w.t.Helper()
	return Run(w, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// Text returns what the first element of a selector says.
func (w *Window) Text(selector string) string {
	w.t.Helper()
	return strings.TrimSpace(Run(w, chromedp.Text(chromedp.CSS(selector))))
}

// Texts returns what all elements of a selector say.
func (w *Window) Texts(selector string) []string {
	w.t.Helper()
	return Evaluate[[]string](w, fmt.Sprintf(`[...document.querySelectorAll(%q)].map((e) => e.innerText.trim())`, selector))
}

// Value returns what a field holds.
func (w *Window) Value(selector string) string {
	w.t.Helper()
	return Run(w, chromedp.Value(chromedp.CSS(selector)))
}

// Location returns the address of the page.
func (w *Window) Location() string {
	w.t.Helper()
	return Run(w, chromedp.Location())
}

// Language returns the language that the page says it is in.
func (w *Window) Language() string {
	w.t.Helper()
	return Evaluate[string](w, `document.documentElement.lang`)
}

// Action is a step of a person.
type Action = chromedp.Action[chromedp.Void]

// Visit types in an address.
func Visit(address string) Action { return chromedp.Navigate(address) }

// Click clicks the first element of a selector, once it can be seen.
func Click(selector string) Action { return chromedp.Click(chromedp.CSS(selector)) }

// Press clicks a button or link by what it says.
func Press(label string) Action {
	return chromedp.Click(chromedp.Search(`//*[self::button or self::a][normalize-space()="` + label + `"]`))
}

// Sees waits for an element.
func Sees(selector string) Action { return chromedp.WaitVisible(chromedp.CSS(selector)) }

// SeesText waits for an element with exactly a text.
func SeesText(element, text string) Action {
	return chromedp.WaitVisible(chromedp.Search(`//` + element + `[normalize-space()="` + text + `"]`))
}

// Gone waits until there is no such element.
func Gone(selector string) Action { return chromedp.WaitNotPresent(chromedp.CSS(selector)) }

// Fill types a text into a field, over what is there.
func Fill(selector, text string) Action {
	return chromedp.Steps(Sees(selector), chromedp.Focus(chromedp.CSS(selector)), Script(`document.activeElement.select()`), chromedp.KeyEvent(text))
}

// Upload chooses a file.
func Upload(selector, path string) Action {
	return chromedp.SetUploadFiles(chromedp.CSS(selector), []string{path})
}

// Script does what no person does.
func Script(source string) Action { return chromedp.Evaluate[chromedp.Void](source) }
