package openid

import (
	"context"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
)

// errorBody is the answer of RFC 6749 §5.2.
type errorBody struct {
	Error       oauth.ErrorCode `json:"error"`
	Description string          `json:"error_description,omitempty"`
}

// token exchanges codes and refresh tokens.
func (h handler) token(w http.ResponseWriter, r *http.Request) error {
	in, err := tokenInput(r)
	if err != nil {
		return answerError(w, r, err)
	}
	response, err := h.Provider.Token(r.Context(), in)
	if err != nil {
		return answerError(w, r, err)
	}
	return answer(w, response)
}

// introspect tells applications about their tokens.
func (h handler) introspect(w http.ResponseWriter, r *http.Request) error {
	in, err := tokenInput(r)
	if err != nil {
		return answerError(w, r, err)
	}
	claims, err := h.Provider.Introspect(r.Context(), in)
	if err != nil {
		return answerError(w, r, err)
	}
	return answer(w, claims)
}

// revoke ends the grant of a token. The answer has no body (RFC 7009 §2.2).
func (h handler) revoke(w http.ResponseWriter, r *http.Request) error {
	in, err := tokenInput(r)
	if err == nil {
		err = h.Provider.Revoke(r.Context(), in)
	}
	if err != nil {
		return answerError(w, r, err)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// tokenInput reads a request of an application. A query is not looked at: it is in the logs
// of every server on the way.
func tokenInput(r *http.Request) (oauth.TokenInput, error) {
	body, ok, err := formOf(r)
	if err != nil {
		return oauth.TokenInput{}, err
	}
	if !ok {
		return oauth.TokenInput{}, &oauth.Error{
			Code: oauth.InvalidRequest, Cause: oauth.CauseMalformed,
			Description: "The body must be application/x-www-form-urlencoded.",
		}
	}
	return oauth.TokenInput{Call: callOf(r), Authorization: r.Header.Values("Authorization"), Body: body}, nil
}

func answer(w http.ResponseWriter, body any) error {
	w.Header().Set("Cache-Control", "no-store")
	return apigw.WriteJSON(w, http.StatusOK, body)
}

// answerError answers a refusal in the words of RFC 6749 §5.2. A failure of the system is
// returned.
func answerError(w http.ResponseWriter, r *http.Request, err error) error {
	refusal, ok := oauth.RefusalOf(err)
	if !ok {
		return err
	}
	logRefusal(r.Context(), refusal)
	status := http.StatusBadRequest
	if refusal.Code == oauth.InvalidClient {
		status = http.StatusUnauthorized
		if refusal.Basic {
			w.Header().Set("WWW-Authenticate", challenge(r.Context(), "Basic"))
		}
	}
	return writeError(w, status, refusal)
}

func writeError(w http.ResponseWriter, status int, refusal *oauth.Error) error {
	w.Header().Set("Cache-Control", "no-store")
	return apigw.WriteJSON(w, status, errorBody{refusal.Code, refusal.Description})
}

// challenge returns a value of WWW-Authenticate (RFC 9110 §11.6.1). The realm is the
// configured public URL, which has no quotes in it.
func challenge(ctx context.Context, scheme string) string {
	return scheme + ` realm="` + apigw.PublicURL(ctx) + `"`
}
