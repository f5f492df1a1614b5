// The frame around every page, how a page is written, and the guard in front.

package page

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed layout.html style.css
var files embed.FS

// Frame is what the layout shows around the content. Views embed it.
type Frame struct {
	// Name becomes data-page.
	Name string
	// Code is the number of WeCom's error, shown as data-code; 0 means none.
	Code int
	// Wide uses the width of a desktop.
	Wide bool
	// Panel is a page within another page: without the bands around it.
	Panel bool
	// AnyClient says that any browser counts as the WeCom client here.
	AnyClient bool
}

// Person is a person as pages show them.
type Person struct {
	// Key identifies the person in forms.
	Key string
	// Name is in Chinese, and Latin is the same for those who cannot read it.
	Name, Latin string
	Note        string
	// Avatar is a URL.
	Avatar string
	// Marks name what makes a sign-in of this person differ from others.
	Marks []Mark
}

// Mark is a label beside a person, in both languages.
type Mark struct{ Chinese, English string }

// Group is a list of people under a heading.
type Group struct {
	Name, Latin string
	People      []Person
}

// Templates are pages by name, each within the layout.
type Templates map[string]*template.Template

// Parse parses pages/NAME.html as the page NAME; a page may use what
// pages/shared.html defines. The files are part of the program, so it panics on
// one that does not parse. A page defines title, english (the title in English)
// and content.
func Parse(folder fs.FS) Templates {
	layout := template.Must(template.ParseFS(files, "layout.html"))
	const shared = "pages/shared.html"
	if _, err := fs.Stat(folder, shared); err == nil {
		template.Must(layout.ParseFS(folder, shared))
	}
	parsed := Templates{}
	// The pattern is well formed, and Glob reports nothing else.
	names, _ := fs.Glob(folder, "pages/*.html")
	for _, name := range names {
		parsed[strings.TrimSuffix(path.Base(name), ".html")] = template.Must(template.Must(layout.Clone()).ParseFS(folder, name))
	}
	return parsed
}

// Write answers with the page of that name. The view embeds Frame.
func (t Templates) Write(w http.ResponseWriter, status int, name string, view any) {
	var out bytes.Buffer
	if err := t[name].ExecuteTemplate(&out, "layout.html", view); err != nil {
		http.Error(w, "the simulator's page is broken: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// Guard serves the style sheet and the avatars, and puts the guard in front of
// mux: a policy that admits no other host, and no other site around a page but
// the login panel; no posts from other sites, no large bodies.
func Guard(mux *http.ServeMux) http.Handler {
	mux.HandleFunc("GET /wecomsim/assets/style.css", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "style.css")
	})
	mux.HandleFunc("GET /wecomsim/avatar", avatar)
	sameOrigin := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		h := w.Header()
		around := "'none'"
		if strings.HasPrefix(r.URL.Path, "/wwlogin/sso/") {
			around = "http: https:" // the login panel
		}
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data: https:; base-uri 'none'; frame-ancestors "+around)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		sameOrigin.ServeHTTP(w, r)
	})
}
