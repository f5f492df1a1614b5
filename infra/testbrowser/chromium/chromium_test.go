package chromium_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
)

func TestMain(m *testing.M) { os.Exit(chromium.Main(m)) }

// recorder is a test that notes its failures.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

// What must fail a test does.
func TestComplaints(t *testing.T) {
	const page = `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Page</title><link rel="icon" href="data:,"><main><h1>Page</h1>%s</main></html>`
	pages := map[string]struct{ markup, want string }{
		"/good":       {`<p>Nothing to see.</p>`, ""},
		"/exception":  {`<script>throw new Error("broken")</script>`, "exception"},
		"/console":    {`<script>console.warn("careful")</script>`, "console"},
		"/policy":     {`<p style="color: red">Styled.</p>`, "Content Security Policy"},
		"/lost":       {`<img src="/nothing" alt="">`, "404"},
		"/foreign":    {`<img src="http://foreign.invalid/x.png" alt="">`, "foreign"},
		"/wide":       {`<pre>` + strings.Repeat("x", 400) + `</pre>`, "pixels wide"},
		"/accessible": {`<input>`, "label"},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", "style-src 'none'")
		_, _ = fmt.Fprintf(w, page, shown.markup)
	}))
	defer server.Close()
	chromium.RequireAxe(t)
	browser := chromium.Shared(t)
	for path, shown := range pages {
		noted := &recorder{TB: t}
		w := browser.Open(noted, chromium.Device{Width: 360, Height: 640, Language: "en-US,en", UserAgent: "Test/1"}, nil)
		w.Do("open", chromium.Visit(server.URL+path), chromium.Sees("h1"))
		w.Accessible("page")
		w.Do("look again")
		found := strings.Join(noted.failures, "\n")
		if shown.want == "" && found != "" || !strings.Contains(found, shown.want) {
			t.Errorf("%s: found %q, want %q", path, found, shown.want)
		}
	}
	w := browser.Open(t, chromium.Device{Width: 360, Height: 640, UserAgent: "Test/1"}, chromium.Network)
	w.Do("a refusal that is part of the test", chromium.Visit(server.URL+"/lost"), chromium.Sees("h1"))
}
