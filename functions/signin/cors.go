package signin

import (
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
)

// party is whose page a request comes from, by its Origin header.
type party int

const (
	// unnamed: no Origin. No browser sends a POST of another site's page without one.
	unnamed party = iota
	// friend: the service itself or the origin of an enabled authenticator.
	friend
	// stranger: anybody else, "null" included.
	stranger
)

// whose finds out who asks.
func (h handler) whose(r *http.Request) (party, error) {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		return unnamed, nil
	}
	origin := values[0]
	if len(values) > 1 || origin == "" || origin == "null" {
		return stranger, nil
	}
	if origin == apigw.PublicURL(r.Context()) {
		return friend, nil
	}
	authenticators, err := h.enabled(r.Context())
	if err != nil {
		return stranger, err
	}
	for _, a := range authenticators {
		// Exactly: origins are kept as browsers write them.
		if a.Origin == origin {
			return friend, nil
		}
	}
	return stranger, nil
}

// allow lets the page that asks read the answer (Fetch standard, "CORS protocol").
func allow(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
	w.Header().Set("Access-Control-Allow-Credentials", "true")
}

// preflight answers a browser's question before a request.
func preflight(w http.ResponseWriter, from party, method string) {
	if from == friend {
		w.Header().Set("Access-Control-Allow-Methods", method)
		w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
		w.Header().Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
}

// mayChange reports whether a request may change anything. Without an Origin it is
// no browser's, or an old one's; Fetch Metadata tells the rest apart.
func mayChange(r *http.Request, from party) bool {
	switch from {
	case friend:
		return true
	case unnamed:
		site := r.Header.Get("Sec-Fetch-Site")
		return site == "" || site == "same-origin" || site == "none"
	default:
		return false
	}
}
