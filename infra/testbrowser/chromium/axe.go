package chromium

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axe is axe-core, as `make tools` fetches it.
var axe = sync.OnceValues(func() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	content, err := os.ReadFile(filepath.Join(root, ".tools", "axe", "axe.min.js")) //nolint:gosec // the name is fixed
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

// violation is a rule of axe-core that a page breaks.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		Target  any    `json:"target"`
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

func (v violation) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s", v.ID, v.Help)
	for _, node := range v.Nodes {
		fmt.Fprintf(&text, "\n  %v %.300s\n    %s", node.Target, node.HTML, strings.ReplaceAll(node.Summary, "\n", "\n    "))
	}
	return text.String()
}

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
		{"light", `{resultTypes: ["violations"]}`},
		{"dark", `{resultTypes: ["violations"], runOnly: ["color-contrast"]}`},
	} {
		w.Scheme(test.scheme)
		violations := Evaluate[[]violation](w, `axe.run(document, `+test.options+`).then((found) => found.violations)`)
		for _, v := range violations {
			w.t.Errorf("%s, %s: %s", what, test.scheme, v)
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
