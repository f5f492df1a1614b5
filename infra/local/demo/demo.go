package demo

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

//go:embed page
var files embed.FS

// Config is what New needs.
type Config struct {
	// ServiceURL is where WeCom Sign-in is seen, without a slash at the end.
	ServiceURL string
	// Origin is the application's own; tokens must be meant for it.
	Origin string
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

type app struct {
	page     []byte
	policy   string
	verifier *oidc.IDTokenVerifier
}

// New returns the application. Any path is a page of it.
func New(cfg Config) (http.Handler, error) {
	templates, err := template.ParseFS(files, "page/page.html")
	if err != nil {
		return nil, fmt.Errorf("read page: %w", err)
	}
	var page bytes.Buffer
	if err := templates.Execute(&page, cfg); err != nil {
		return nil, fmt.Errorf("write page: %w", err)
	}
	// Keys are fetched when the first token comes, and again for an unknown kid.
	keys := oidc.NewRemoteKeySet(context.Background(), cfg.ServiceURL+"/.well-known/jwks.json")
	a := &app{
		page: page.Bytes(),
		policy: "default-src 'none'; script-src 'self' " + cfg.ServiceURL + "; style-src 'self'; connect-src 'self' " + cfg.ServiceURL +
			"; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		verifier: oidc.NewVerifier(cfg.ServiceURL, keys, &oidc.Config{
			ClientID: cfg.Origin, SupportedSigningAlgs: []string{oidc.RS256}, Now: cfg.Now,
		}),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", a.servePage)
	for path, contentType := range map[string]string{
		"page.js": "text/javascript; charset=utf-8", "page.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml",
	} {
		content, err := files.ReadFile("page/" + path)
		if err != nil {
			return nil, fmt.Errorf("read page: %w", err)
		}
		mux.HandleFunc("GET /demo/"+path, func(w http.ResponseWriter, _ *http.Request) {
			a.write(w, contentType, content)
		})
	}
	mux.HandleFunc("POST /demo/verify", a.verify)
	return mux, nil
}

func (a *app) servePage(w http.ResponseWriter, _ *http.Request) {
	a.write(w, "text/html; charset=utf-8", a.page)
}

func (a *app) write(w http.ResponseWriter, contentType string, content []byte) {
	header := w.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Security-Policy", a.policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	_, _ = w.Write(content)
}

// verify checks a bearer token as an application's backend does, and answers its
// claims.
func (a *app) verify(w http.ResponseWriter, r *http.Request) {
	raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		http.Error(w, "no token", http.StatusUnauthorized)
		return
	}
	token, err := a.verifier.Verify(r.Context(), raw)
	if err != nil {
		http.Error(w, "the token is not valid for this application", http.StatusUnauthorized)
		return
	}
	var claims map[string]any
	if err := token.Claims(&claims); err != nil {
		http.Error(w, "the token has no claims", http.StatusUnauthorized)
		return
	}
	content, err := json.MarshalIndent(claims, "", "  ")
	if err != nil {
		http.Error(w, "the claims cannot be shown", http.StatusInternalServerError)
		return
	}
	a.write(w, "application/json", content)
}
