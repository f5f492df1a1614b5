package signin

import (
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// domainFileName is the form of WeCom's proofs of domain ownership. The file's content
// is the 16 characters in its name.
var domainFileName = regexp.MustCompile(`^WW_verify_([A-Za-z0-9]{16})\.txt$`)

// domainFile answers WeCom's check of the domain.
func (h handler) domainFile(w http.ResponseWriter, r *http.Request) error {
	match := domainFileName.FindStringSubmatch(r.URL.Path[1:])
	if match == nil {
		return apierr.New(apierr.NotFound, nil)
	}
	_, err := h.DomainFiles.DomainFile(r.Context(), match[0])
	if errors.Is(err, store.ErrNotFound) {
		return apierr.New(apierr.NotFound, nil)
	}
	if err != nil {
		return fmt.Errorf("read domain file: %w", err)
	}
	w.Header().Set("Content-Type", "text/plain")
	return write(w, []byte(match[1]))
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
