package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// axeScript is axe-core, as `make tools` fetched it.
var axeScript = sync.OnceValues(func() (string, error) {
	content, err := os.ReadFile(moduleRoot + "/.tools/axe/axe.min.js")
	return string(content), err
})

// Without axe-core the other tests go their way, and nobody judges what they see.
func TestPagesAreJudged(t *testing.T) {
	if _, err := axeScript(); err != nil {
		missing(t, "accessibility of pages", "no axe-core (make tools)")
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

// accessible judges the page as it is by every rule of axe-core, and its colors
// once more in the dark.
func (w *window) accessible(what string) {
	w.t.Helper()
	script, err := axeScript()
	if err != nil {
		return // said once, by TestPagesAreJudged
	}
	ctx, cancel := context.WithTimeout(w.ctx, stepLimit)
	defer cancel()
	there, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`"axe" in window`))
	if err == nil && !there {
		// The debugger puts the script in: the page's policy would not let it.
		err = chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](script+"\nvoid 0"))
	}
	if err != nil {
		w.t.Errorf("%s: put axe-core in: %v", what, err)
		return
	}
	judge := func(scheme, options string) {
		found, err := chromedp.Run(ctx, chromedp.Evaluate[string](
			`axe.run(document, `+options+`).then((found) => JSON.stringify(found.violations))`, chromedp.EvalAwaitPromise))
		var violations []violation
		if err == nil {
			err = json.Unmarshal([]byte(found), &violations)
		}
		if err != nil {
			w.t.Errorf("%s, %s: judge the page: %v", what, scheme, err)
		}
		for _, v := range violations {
			w.t.Errorf("%s, %s: %s", what, scheme, v)
		}
		if len(violations) > 0 {
			w.picture(what + " " + scheme)
		}
	}
	w.scheme("light")
	judge("light", `{resultTypes: ["violations"]}`)
	w.scheme("dark")
	judge("dark", `{resultTypes: ["violations"], runOnly: ["color-contrast"]}`)
	w.scheme("light")
}

// scheme sets the color scheme that the person prefers.
func (w *window) scheme(name string) {
	w.t.Helper()
	if _, err := chromedp.Call(w.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	}); err != nil {
		w.t.Errorf("prefer %s: %v", name, err)
	}
}
