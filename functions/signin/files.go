package signin

import (
	_ "embed"
	"errors"
	"fmt"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// domainFile answers WeCom's check of the domain.
func (h handler) domainFile(w http.ResponseWriter, r *http.Request) error {
	filename := r.URL.Path[1:]
	content, ok := store.DomainFileContent(filename)
	if !ok {
		return apierr.New(apierr.NotFound, nil)
	}
	_, err := h.DomainFiles.DomainFile(r.Context(), filename)
	if errors.Is(err, store.ErrNotFound) {
		return apierr.New(apierr.NotFound, nil)
	}
	if err != nil {
		return fmt.Errorf("read domain file: %w", err)
	}
	w.Header().Set("Content-Type", "text/plain")
	return write(w, []byte(content))
}

//go:embed auto-login.js
var autoLogin []byte

// autoLoginScript serves the script that applications load.
func autoLoginScript(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=300")
	// It is for pages of other origins, and holds no secret.
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	return write(w, autoLogin)
}

// robots keeps search engines out.
func robots(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=86400")
	return write(w, []byte("User-agent: *\nDisallow: /\n"))
}

func icon(w http.ResponseWriter, _ *http.Request) error {
	mark, err := page.Mark()
	if err != nil {
		return fmt.Errorf("read icon: %w", err)
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "public, max-age=86400")
	return write(w, mark)
}

func write(w http.ResponseWriter, body []byte) error {
	_, err := w.Write(body) //nolint:gosec // sixteen letters and digits, or our own files, never as HTML
	return err
}
