package chromium

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axe is axe-core, as `make tools` fetches it.
var axe = sync.OnceValues(func() (string, error) {
	_, here, _, _ := runtime.Caller(0)
	content, err := os.ReadFile(filepath.Join(filepath.Dir(here), "../../../.tools/axe/axe.min.js"))
	return string(content), err
})

// RequireAxe skips a test when there is no axe-core, and fails it where CI is set.
// Without axe-core Accessible finds everything in order.
func RequireAxe(t testing.TB) {
	t.Helper()
	if _, err := axe(); err != nil {
		skip(t, "accessibility of pages", "no axe-core (make tools)")
	}
}

// judge runs axe-core and tells which rules are broken, where and how.
const judge = `axe.run(document, OPTIONS).then(({violations}) => violations.map(({id, help, nodes}) => id + ": " + help +
	nodes.map(({target, html, failureSummary}) => "\n  " + target + " " + html.slice(0, 300) + "\n    " + failureSummary).join("")))`

// Accessible judges the page as it is by every rule of axe-core, and its colors once
// more in the dark.
func (w *Window) Accessible(what string) {
	w.t.Helper()
	script, err := axe()
	if err != nil {
		return // said once, by RequireAxe
	}
	if !Evaluate[bool](w, `"axe" in window`) {
		// The debugger puts the script in: the page's policy would not let it.
		Run(w, Script(script+"\nvoid 0"))
	}
	for _, test := range []struct{ scheme, options string }{
		// A frame is somebody else's page.
		{"light", `{iframes: false, resultTypes: ["violations"]}`},
		{"dark", `{iframes: false, resultTypes: ["violations"], runOnly: ["color-contrast"]}`},
	} {
		w.Scheme(test.scheme)
		violations := Evaluate[[]string](w, strings.Replace(judge, "OPTIONS", test.options, 1))
		for _, violation := range violations {
			w.t.Errorf("%s, %s: %s", what, test.scheme, violation)
		}
		if len(violations) > 0 {
			w.Picture(what + " " + test.scheme)
		}
	}
	w.Scheme("light")
}

// Scheme sets the color scheme that the person prefers, light or dark.
func (w *Window) Scheme(name string) {
	w.t.Helper()
	if _, err := chromedp.Call(w.Context, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	}); err != nil {
		w.t.Errorf("prefer %s: %v", name, err)
	}
}
