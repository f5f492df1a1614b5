package oauth

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/claims"
)

// Longest parameters, in bytes.
const (
	maxState  = 1 << 10
	maxNonce  = 512
	maxClaims = 2 << 10
	maxScope  = 1 << 10
)

// AuthorizationRequest is what an application asks at the authorization endpoint. It comes
// from ParseAuthorizationRequest, and ClientID and RedirectURI are not matched yet.
type AuthorizationRequest struct {
	ClientID    string
	RedirectURI string
	// State goes back with every answer; empty if it may not: it was repeated or too long.
	State         string
	Nonce         string
	Scopes        []string // known ones, in the order of claims.Scopes
	CodeChallenge string   // S256; empty: none was sent
	Prompt        Prompt
	MaxAge        time.Duration // negative: none was asked for
	IDTokenHint   string
	UILocales     string // tags of BCP 47, in order of preference; unchecked
	// Claims is the claims parameter as it came, which parses, and claims what it says.
	Claims string
	claims claims.Request
	// Refusal says why the request is refused whatever the session. It goes to RedirectURI
	// if that is the application's, and to nowhere otherwise.
	Refusal *Error
}

// Prompt is what the application asks to be shown (OpenID Connect Core §3.1.2.1).
type Prompt struct {
	None    bool // no page at all
	Login   bool // sign in again; also for select_account
	Consent bool
}

// authorizationParameters may be there once.
var authorizationParameters = []string{
	"client_id", "redirect_uri", "state", "response_type", "response_mode", "scope", "nonce",
	"code_challenge", "code_challenge_method", "prompt", "max_age", "id_token_hint", "login_hint",
	"ui_locales", "acr_values", "claims", "request", "request_uri", "registration", "display",
}

// ParseAuthorizationRequest reads the raw query of an authorization request. The error, an
// *Error, is for a page: without one client id and one redirect URI there is nobody to
// answer to. A request with a Refusal is returned as far as it could be read.
func ParseAuthorizationRequest(rawQuery string) (AuthorizationRequest, error) {
	form, err := ParseForm(rawQuery)
	if err != nil {
		return AuthorizationRequest{}, err
	}
	repeated := form.firstRepeated(authorizationParameters)
	r := AuthorizationRequest{
		ClientID: form.Get("client_id"), RedirectURI: form.Get("redirect_uri"), State: form.Get("state"), MaxAge: -1,
		UILocales: form.Get("ui_locales"),
	}
	switch {
	case form.repeated["client_id"] || form.repeated["redirect_uri"]:
		return AuthorizationRequest{}, refuse(InvalidRequest, CauseRepeatedParameter, repeated+" was sent more than once.")
	case r.ClientID == "":
		return AuthorizationRequest{}, refuse(InvalidRequest, CauseMissingParameter, "client_id is missing.")
	case r.RedirectURI == "":
		return r, refuse(InvalidRequest, CauseRedirectMissing, "redirect_uri is missing.")
	}
	if form.repeated["state"] || len(r.State) > maxState {
		r.State = ""
	}
	r.Refusal = r.read(form, repeated)
	return r, nil
}

func (r *AuthorizationRequest) read(form Form, repeated string) *Error {
	switch {
	case repeated != "":
		return refuse(InvalidRequest, CauseRepeatedParameter, repeated+" was sent more than once.")
	case len(form.Get("state")) > maxState:
		return refuse(InvalidRequest, CauseTooLong, "state is longer than 1024 bytes.")
	case len(form.Get("nonce")) > maxNonce:
		return refuse(InvalidRequest, CauseTooLong, "nonce is longer than 512 bytes.")
	case len(form.Get("scope")) > maxScope:
		return refuse(InvalidRequest, CauseTooLong, "scope is longer than 1024 bytes.")
	case len(form.Get("claims")) > maxClaims:
		return refuse(InvalidRequest, CauseTooLong, "claims is longer than 2048 bytes.")
	case form.Get("request") != "":
		return refuse(RequestNotSupported, CauseRequestObject, "The request parameter is not supported.")
	case form.Get("request_uri") != "":
		return refuse(RequestURINotSupported, CauseRequestObject, "The request_uri parameter is not supported.")
	case form.Get("registration") != "":
		return refuse(RegistrationNotSupported, CauseRequestObject, "The registration parameter is not supported.")
	case form.Get("response_type") == "":
		return refuse(InvalidRequest, CauseMissingParameter, "response_type is missing.")
	case form.Get("response_type") != "code":
		return refuse(UnsupportedResponseType, CauseResponseType, "response_type must be code.")
	case form.Get("response_mode") != "" && form.Get("response_mode") != "query":
		return refuse(InvalidRequest, CauseResponseMode, "response_mode must be query.")
	}
	if r.Scopes = claims.KnownScopes(strings.Fields(form.Get("scope"))); !slices.Contains(r.Scopes, claims.ScopeOpenID) {
		return refuse(InvalidScope, CauseScope, "scope must contain openid.")
	}
	if refusal := checkChallenge(form.Get("code_challenge"), form.Get("code_challenge_method")); refusal != nil {
		return refusal
	}
	r.CodeChallenge = form.Get("code_challenge")
	var ok bool
	if r.Prompt, ok = parsePrompt(form.Get("prompt")); !ok {
		return refuse(InvalidRequest, CausePrompt, "prompt must be none alone, or some of login, consent and select_account.")
	}
	if r.MaxAge, ok = parseMaxAge(form.Get("max_age")); !ok {
		return refuse(InvalidRequest, CauseMalformed, "max_age must be a number of seconds.")
	}
	var err error
	if r.claims, err = claims.ParseRequest(form.Get("claims")); err != nil {
		return refuse(InvalidRequest, CauseClaims, "claims must be a JSON object as in OpenID Connect Core 5.5.")
	}
	r.Claims, r.Nonce, r.IDTokenHint = form.Get("claims"), form.Get("nonce"), form.Get("id_token_hint")
	return nil
}

func parsePrompt(list string) (p Prompt, ok bool) {
	words := strings.Fields(list)
	for _, word := range words {
		switch word {
		case "none":
			p.None = true
		case "login", "select_account":
			p.Login = true
		case "consent":
			p.Consent = true
		default:
			return Prompt{}, false
		}
	}
	return p, !p.None || len(words) == 1
}

// parseMaxAge reads a number of seconds. More than a hundred years are as good as none.
func parseMaxAge(text string) (age time.Duration, ok bool) {
	if text == "" {
		return -1, true
	}
	seconds, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return -1, false
	}
	return time.Duration(min(seconds, 100*365*24*3600)) * time.Second, true
}
