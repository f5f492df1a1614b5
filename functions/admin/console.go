package admin

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/page"
)

//go:embed console
var consoleFiles embed.FS

// console is the administrator's page: one document per language, made once, with
// its style and script inside. It holds no data and is the same for everybody; what
// it shows, its script reads from the API with the credentials of the administrator.
type console struct {
	pages  map[page.Language][]byte
	policy string // Content-Security-Policy
}

// newConsole assembles the pages of the embedded files.
func newConsole() (*console, error) {
	files := map[string]string{}
	for _, name := range []string{"page.html", "style.css", "script.js", string(page.Chinese) + ".json", string(page.English) + ".json"} {
		content, err := consoleFiles.ReadFile("console/" + name)
		if err != nil {
			return nil, fmt.Errorf("read embedded file: %w", err)
		}
		files[name] = string(content)
	}
	style, script := files["style.css"], files["script.js"]
	c := &console{pages: map[page.Language][]byte{}, policy: strings.Join([]string{
		"default-src 'none'",
		// Only what was embedded here runs, wherever a name or a title may end up.
		"script-src " + hashSource(script),
		"style-src " + hashSource(style),
		"connect-src 'self'",
		"img-src data:", // the empty icon
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
	}, "; ")}
	for _, lang := range page.Languages() {
		texts := files[string(lang)+".json"]
		var words struct{ Title, Noscript string }
		if err := json.Unmarshal([]byte(texts), &words); err != nil {
			return nil, fmt.Errorf("read texts in %s: %w", lang, err)
		}
		c.pages[lang] = []byte(strings.NewReplacer(
			"@lang@", string(lang),
			"@title@", html.EscapeString(words.Title),
			"@noscript@", html.EscapeString(words.Noscript),
			"@style@", style,
			"@script@", script,
			"@texts@", strings.ReplaceAll(texts, "<", `\u003c`), // so that no text can end the element
		).Replace(files["page.html"]))
	}
	return c, nil
}

// serveConsole answers GET /console.
func serveConsole() apigw.HandlerFunc {
	c, err := newConsole()
	if err != nil {
		return func(http.ResponseWriter, *http.Request) error { return err }
	}
	return c.serve
}

func hashSource(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func (c *console) serve(w http.ResponseWriter, r *http.Request) error {
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", c.policy)
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Vary", "Accept-Language")
	_, err := w.Write(c.pages[page.Choose(r.Header.Get("Accept-Language"))])
	return err
}
