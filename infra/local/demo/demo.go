package demo

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"
)

//go:embed page
var files embed.FS

// Config is what New needs.
type Config struct {
	// ServiceURL is where WeCom Sign-in is seen, without a slash at the end.
	ServiceURL string
	// Origin is the application's own; tokens of /api/token must be meant for it.
	Origin string
	// ClientID and ClientSecret are of the registration as an OpenID Connect client of kind
	// web. Without them the application signs in by cookie alone.
	ClientID, ClientSecret string
	// PageURL is where NewPage is seen, or empty.
	PageURL string
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// New returns the application. Any path is a page of it.
func New(cfg Config) (http.Handler, error) {
	mux := http.NewServeMux()
	w := newWriter(cfg.ServiceURL)
	if err := w.serve(mux, "page", cfg); err != nil {
		return nil, err
	}
	c := newClient(cfg)
	mux.Handle("POST /demo/verify", w.answer(c.verify))
	if cfg.ClientID != "" {
		mux.HandleFunc("GET /oidc/signin", c.signIn)
		mux.HandleFunc("GET "+callbackPath, c.callback)
		mux.Handle("GET /oidc/session", w.answer(c.session))
		mux.Handle("POST /oidc/refresh", w.answer(c.refresh))
		mux.HandleFunc("POST /oidc/signout", c.signOut)
		mux.HandleFunc("POST "+BackchannelLogoutPath, c.backchannelLogout)
	}
	// The cookie is sent from other ports of the same host, too.
	return http.NewCrossOriginProtection().Handler(mux), nil
}

// NewPage returns the application that has no backend: a page for a client of kind browser.
func NewPage(serviceURL, clientID string) (http.Handler, error) {
	mux := http.NewServeMux()
	return mux, newWriter(serviceURL).serve(mux, "browser", Config{ServiceURL: serviceURL, ClientID: clientID})
}

// writer writes answers whose pages load nothing from anywhere but here and the service.
type writer struct{ policy string }

func newWriter(serviceURL string) writer {
	return writer{"default-src 'none'; script-src 'self' " + serviceURL + "; style-src 'self'; connect-src 'self' " + serviceURL +
		"; img-src 'self'; base-uri 'none'; form-action 'self' " + serviceURL + "; frame-ancestors 'none'"}
}

// serve serves a page at every path, and what it loads.
func (w writer) serve(mux *http.ServeMux, name string, cfg Config) error {
	templates, err := template.ParseFS(files, "page/"+name+".html")
	if err != nil {
		return fmt.Errorf("read page: %w", err)
	}
	var page bytes.Buffer
	if err := templates.Execute(&page, cfg); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	mux.HandleFunc("GET /", func(rw http.ResponseWriter, _ *http.Request) {
		w.write(rw, "text/html; charset=utf-8", page.Bytes())
	})
	for path, contentType := range map[string]string{
		name + ".js": "text/javascript; charset=utf-8", "page.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml",
	} {
		content, err := files.ReadFile("page/" + path)
		if err != nil {
			return fmt.Errorf("read page: %w", err)
		}
		mux.HandleFunc("GET /demo/"+path, func(rw http.ResponseWriter, _ *http.Request) { w.write(rw, contentType, content) })
	}
	return nil
}

func (w writer) write(rw http.ResponseWriter, contentType string, content []byte) {
	header := rw.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Security-Policy", w.policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	_, _ = rw.Write(content)
}

// answer answers what ask returns as JSON, or its error with 401.
func (w writer) answer(ask func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		value, err := ask(r)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusUnauthorized)
			return
		}
		content, err := json.MarshalIndent(value, "", "  ")
		if err != nil {
			http.Error(rw, "this cannot be shown", http.StatusInternalServerError)
			return
		}
		w.write(rw, "application/json", content)
	})
}

// verify checks a bearer token as an application's backend does, and returns its claims.
func (c *client) verify(r *http.Request) (any, error) {
	raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return nil, fmt.Errorf("no token")
	}
	token, err := c.tokens.Verify(r.Context(), raw)
	if err != nil {
		return nil, fmt.Errorf("the token is not valid for this application")
	}
	var claims map[string]any
	return claims, token.Claims(&claims)
}
