package admin

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

//go:embed console
var consoleFiles embed.FS

// consolePolicy lets only the console's own files run, wherever a name or a title
// may end up. The texts inside the document are data: nothing runs them.
const consolePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// foreverCache is for an address that never answers anything else.
const foreverCache = "public, max-age=31536000, immutable"

// content is what a browser may be sent. It is made and compressed when it is first
// asked for: a browser asks for one language and for all files at once, and each of
// these may be the one request that a new process of the function ever answers.
type content struct {
	mediaType    string
	cacheControl string // empty: what package apigw says
	plain        func() ([]byte, error)
	small        func() ([]byte, error) // gzip
}

// console is the administrator's page: one document per language and the files that
// all of them use. It holds no data and is the same for everybody; what it shows, it
// reads from the API with the credentials of the administrator.
type console struct {
	documents map[text.Language]content
	// version is the hash of all files; it is a part of their addresses.
	version string
	files   map[string]content
}

// consoleHandler makes the console when somebody first opens it: most starts of the
// function are for the API.
type consoleHandler struct {
	load func() (*console, error)
}

func newConsoleHandler() consoleHandler { return consoleHandler{sync.OnceValues(newConsole)} }

// newConsole assembles the embedded files.
func newConsole() (*console, error) {
	c := &console{documents: map[text.Language]content{}, files: map[string]content{}}
	entries, err := fs.ReadDir(consoleFiles, "console") // in the order of their names
	if err != nil {
		return nil, fmt.Errorf("read embedded files: %w", err)
	}
	sum := sha256.New()
	styles, modules := []string{"style.css"}, []string(nil) // others add to this style
	for _, entry := range entries {
		name := entry.Name()
		file, err := consoleFiles.ReadFile("console/" + name)
		if err != nil {
			return nil, fmt.Errorf("read embedded file: %w", err)
		}
		mediaType := ""
		switch path.Ext(name) {
		case ".js":
			mediaType, modules = "text/javascript; charset=utf-8", append(modules, name)
		case ".json":
			mediaType = "application/json" // data of a module, read when it is needed
		case ".css":
			mediaType = "text/css; charset=utf-8"
			if name != styles[0] {
				styles = append(styles, name)
			}
		default:
			continue // the document's own text
		}
		c.files[name] = newContent(mediaType, foreverCache, func() ([]byte, error) { return file, nil })
		_, _ = fmt.Fprintf(sum, "%s %d\n", name, len(file))
		_, _ = sum.Write(file)
	}
	c.version = hex.EncodeToString(sum.Sum(nil)[:8])
	for _, tag := range text.Languages() {
		c.documents[tag] = newContent("text/html; charset=utf-8", "", func() ([]byte, error) { return c.document(tag, styles, modules) })
	}
	return c, nil
}

// consoleDocument is what console/page.html shows.
type consoleDocument struct {
	Language  text.Language
	Languages []text.Language
	Texts     text.Texts
	Assets    string // address of the folder of this version
	Styles    []string
	Modules   []string
	// AuditTypes are the types of lines of the audit, in the order of the filter.
	AuditTypes []string
	Mark       template.HTML
	Icon       template.URL
}

// document fills console/page.html for one language. The template is parsed here and
// not at the start: most requests are for something else.
func (c *console) document(tag text.Language, styles, modules []string) ([]byte, error) {
	texts, err := consoleTexts(tag)
	if err != nil {
		return nil, err
	}
	mark, err := page.Mark()
	if err != nil {
		return nil, fmt.Errorf("read mark: %w", err)
	}
	parsed, err := template.New("page.html").Option("missingkey=error").ParseFS(consoleFiles, "console/page.html")
	if err != nil {
		return nil, fmt.Errorf("parse page: %w", err)
	}
	var filled bytes.Buffer
	if err := parsed.Execute(&filled, consoleDocument{
		Language:   tag,
		Languages:  text.Languages(),
		Texts:      texts,
		Assets:     "/assets/console/" + c.version + "/",
		Styles:     styles,
		Modules:    modules,
		AuditTypes: audit.Types(),
		Mark:       template.HTML(mark), //nolint:gosec // embedded, not input
		Icon: template.URL("data:image/svg+xml;base64," + //nolint:gosec // embedded, not input
			base64.StdEncoding.EncodeToString(mark)),
	}); err != nil {
		return nil, fmt.Errorf("fill page: %w", err)
	}
	return filled.Bytes(), nil
}

// consoleTexts returns what the console's files may say.
func consoleTexts(tag text.Language) (text.Texts, error) {
	texts, err := text.Read(tag, text.ConsoleArea)
	if err != nil {
		return nil, fmt.Errorf("read texts of the console: %w", err)
	}
	for _, area := range []text.Area{text.ApplicationsArea, text.LookupArea, text.RulesArea, text.SetupArea, text.AuditArea} {
		more, err := text.Read(tag, area)
		if err != nil {
			return nil, fmt.Errorf("read texts of %s: %w", area, err)
		}
		maps.Copy(texts, more)
	}
	return texts, nil
}

// newContent returns content that is made once, by what makes it plain.
func newContent(mediaType, cacheControl string, plain func() ([]byte, error)) content {
	plain = sync.OnceValues(plain)
	return content{mediaType, cacheControl, plain, sync.OnceValues(func() ([]byte, error) {
		content, err := plain()
		if err != nil {
			return nil, err
		}
		return compress(content)
	})}
}

func compress(plain []byte) ([]byte, error) {
	var small bytes.Buffer
	w, err := gzip.NewWriterLevel(&small, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if _, err := w.Write(plain); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return small.Bytes(), nil
}

// document answers GET /console.
func (h consoleHandler) document(w http.ResponseWriter, r *http.Request) error {
	c, err := h.load()
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Security-Policy", consolePolicy)
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Add("Vary", "Accept-Language, Cookie")
	text.RememberLanguage(w, r.URL.Query().Get("lang"))
	return c.documents[text.LanguageOf(r)].serve(w, r)
}

// asset answers GET /assets/console/{version}/{file}. There is only the version of
// this deployment: another would be another content under an address kept for ever.
func (h consoleHandler) asset(w http.ResponseWriter, r *http.Request) error {
	c, err := h.load()
	if err != nil {
		return err
	}
	file, known := c.files[r.PathValue("file")]
	if !known || r.PathValue("version") != c.version {
		return notFound()
	}
	return file.serve(w, r)
}

// serve writes the content, compressed for whoever takes that: the gateway in front
// of the function does not compress.
func (c content) serve(w http.ResponseWriter, r *http.Request) error {
	zipped := takesGzip(r.Header.Get("Accept-Encoding"))
	read := c.plain
	if zipped {
		read = c.small
	}
	body, err := read()
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", c.mediaType)
	header.Add("Vary", "Accept-Encoding")
	if c.cacheControl != "" {
		header.Set("Cache-Control", c.cacheControl)
	}
	if zipped {
		header.Set("Content-Encoding", "gzip")
	}
	_, err = w.Write(body)
	return err
}

// takesGzip reads Accept-Encoding (RFC 9110 §12.5.3) as far as browsers write it.
func takesGzip(acceptEncoding string) bool {
	for part := range strings.SplitSeq(acceptEncoding, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		quality, given := strings.CutPrefix(strings.ReplaceAll(strings.ToLower(parameters), " ", ""), "q=")
		weight, err := strconv.ParseFloat(quality, 64)
		return !given || err == nil && weight > 0
	}
	return false
}
