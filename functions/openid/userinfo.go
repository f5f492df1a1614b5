package openid

import (
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
)

// userInfo tells an application about the member whose access token it has, which it sends
// in the header or in a form (RFC 6750 §2.1 and §2.2), never in the query.
func (h handler) userInfo(w http.ResponseWriter, r *http.Request) error {
	body, _, err := formOf(r)
	if err != nil {
		return err
	}
	token, err := oauth.AccessTokenOf(r.Header.Values("Authorization"), body)
	if err != nil {
		return bearerError(w, r, err)
	}
	if token == "" {
		// Without a token there is no error to name (RFC 6750 §3.1).
		w.Header().Set("WWW-Authenticate", challenge(r.Context(), "Bearer"))
		w.WriteHeader(http.StatusUnauthorized)
		return nil
	}
	about, err := h.Provider.UserInfo(r.Context(), callOf(r), token)
	if err != nil {
		return bearerError(w, r, err)
	}
	return answer(w, about)
}

// bearerError answers a refusal in the words of RFC 6750 §3. A failure of the system is
// returned.
func bearerError(w http.ResponseWriter, r *http.Request, err error) error {
	refusal, ok := oauth.RefusalOf(err)
	if !ok {
		return err
	}
	logRefusal(r.Context(), refusal)
	status := http.StatusBadRequest
	switch refusal.Code {
	case oauth.InvalidToken:
		status = http.StatusUnauthorized
	case oauth.InsufficientScope:
		status = http.StatusForbidden
	}
	value := challenge(r.Context(), "Bearer") + `, error="` + string(refusal.Code) + `"`
	if refusal.Description != "" {
		value += `, error_description="` + refusal.Description + `"`
	}
	if refusal.Code == oauth.InsufficientScope {
		value += `, scope="` + claims.ScopeOpenID + `"`
	}
	w.Header().Set("WWW-Authenticate", value)
	return writeError(w, status, refusal)
}
