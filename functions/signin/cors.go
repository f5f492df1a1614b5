package signin

import (
	"fmt"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
)

// crossOrigin lets the pages of allowed origins use a path of the API that has one
// method, GET or POST, and answers their preflight requests (Fetch standard, "CORS
// protocol"). A page of another origin may neither read an answer nor change anything.
func (h handler) crossOrigin(method string, handle apigw.HandlerFunc) apigw.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		// Always, also without an Origin: a cache must not give this answer to a page.
		w.Header().Set("Vary", "Origin")
		origin, err := h.classifyOrigin(r)
		if err != nil {
			return fmt.Errorf("read allowed origins: %w", err)
		}
		if origin == allowed {
			w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
			w.Header().Set("Access-Control-Allow-Credentials", "true")
		}
		switch {
		case r.Method == http.MethodOptions:
			preflight(w, origin, method)
			return nil
		case method == http.MethodGet && !isRead(r.Method):
			return apigw.MethodNotAllowed(w, http.MethodGet, http.MethodHead, http.MethodOptions)
		case method == http.MethodPost && r.Method != http.MethodPost:
			return apigw.MethodNotAllowed(w, http.MethodPost, http.MethodOptions)
		case method == http.MethodPost && !mayChange(r, origin):
			return &apierr.Error{Code: apierr.Forbidden, Detail: "This origin may not do that."}
		}
		return handle(w, r)
	}
}

// originClass is what the Origin header says about the page that sends a request.
type originClass int

const (
	// absent: there is no Origin. No browser leaves it out of a POST that a page of
	// another site sends.
	absent originClass = iota
	// allowed: the service's own, or that of an enabled authenticator.
	allowed
	// denied: any other, "null" included.
	denied
)

func (h handler) classifyOrigin(r *http.Request) (originClass, error) {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return absent, nil
	}
	origin := values[0]
	if len(values) > 1 || origin == "" || origin == "null" {
		return denied, nil
	}
	if origin == apigw.PublicURL(r.Context()) {
		return allowed, nil
	}
	authenticators, err := h.enabledAuthenticators(r.Context())
	if err != nil {
		return denied, err
	}
	for _, a := range authenticators {
		// Exactly: origins are kept as browsers write them.
		if a.Origin == origin {
			return allowed, nil
		}
	}
	return denied, nil
}

// preflight tells a browser which request a page of this origin may send.
func preflight(w http.ResponseWriter, origin originClass, method string) {
	if origin == allowed {
		w.Header().Set("Access-Control-Allow-Methods", method)
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
		w.Header().Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
}

// mayChange reports whether a request may change anything. Without an Origin it comes
// from no browser or from an old one; Fetch Metadata tells the others apart.
func mayChange(r *http.Request, origin originClass) bool {
	switch origin {
	case allowed:
		return true
	case absent:
		site := r.Header.Get("Sec-Fetch-Site")
		return site == "" || site == "same-origin" || site == "none"
	default:
		return false
	}
}
