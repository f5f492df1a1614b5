package signin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// api answers everything under /api/ that no other function has.
func (h handler) api(w http.ResponseWriter, r *http.Request) error {
	var method string
	var answer apigw.HandlerFunc
	switch r.URL.Path {
	case "/api/authenticators":
		method, answer = http.MethodGet, h.listAuthenticators
	case "/api/session":
		method, answer = http.MethodGet, h.showSession
	case "/api/token":
		method, answer = http.MethodPost, h.issueToken
	case "/api/signout":
		method, answer = http.MethodPost, h.signOut
	default:
		return apierr.New(apierr.NotFound, nil)
	}
	// Always, also for an answer without any Origin: a cache must not give it to one.
	w.Header().Set("Vary", "Origin")
	from, err := h.whose(r)
	if err != nil {
		return fmt.Errorf("read allowed origins: %w", err)
	}
	if from == friend {
		allow(w, r)
	}
	asked := r.Method
	if asked == http.MethodHead {
		asked = http.MethodGet
	}
	switch {
	case asked == http.MethodOptions:
		preflight(w, from, method)
		return nil
	case asked != method && method == http.MethodGet:
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		return apierr.New(apierr.MethodNotAllowed, nil)
	case asked != method:
		w.Header().Set("Allow", method+", OPTIONS")
		return apierr.New(apierr.MethodNotAllowed, nil)
	case method == http.MethodPost && !mayChange(r, from):
		return &apierr.Error{Code: apierr.Forbidden, Detail: "This origin may not do that."}
	}
	return answer(w, r)
}

// authenticatorEntry is what anybody may know of an authenticator.
type authenticatorEntry struct {
	Name         string `json:"name"`
	Title        string `json:"title"`
	Type         string `json:"type"`
	AuthorizeURL string `json:"authorizeUrl"`
}

func (h handler) listAuthenticators(w http.ResponseWriter, r *http.Request) error {
	authenticators, err := h.enabled(r.Context())
	if err != nil {
		return fmt.Errorf("list authenticators: %w", err)
	}
	entries := []authenticatorEntry{}
	for _, a := range authenticators {
		entries = append(entries, authenticatorEntry{
			Name: a.Name, Title: title(a), Type: "wecom",
			AuthorizeURL: authflow.AuthorizeURL(apigw.PublicURL(r.Context()), a.Name, authflow.Destination{}),
		})
	}
	return apigw.WriteJSON(w, http.StatusOK, entries)
}

// sessionBody tells an application who is signed in.
type sessionBody struct {
	User          userBody `json:"user"`
	Authenticator string   `json:"authenticator"`
	CorpID        string   `json:"corpId"`
	WeComUserID   string   `json:"wecomUserId"`
	SignedInAt    string   `json:"signedInAt"`
	ExpiresAt     string   `json:"expiresAt"`
}

type userBody struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Phone  string   `json:"phone"`
	Avatar string   `json:"avatar"`
	Roles  []string `json:"roles"`
}

func (h handler) showSession(w http.ResponseWriter, r *http.Request) error {
	live, err := h.live(w, r)
	if err != nil {
		if apierr.Is(err, apierr.Unauthorized) {
			return h.offerAutomaticLogin(w, r, err)
		}
		return err
	}
	return apigw.WriteJSON(w, http.StatusOK, sessionBody{
		User: userBody{
			ID: live.User.ID, Name: live.User.Name, Phone: live.User.Phone, Avatar: live.User.Avatar, Roles: roles(live.User),
		},
		Authenticator: live.Session.AuthenticatorName,
		CorpID:        live.Session.CorpID,
		WeComUserID:   live.Session.WeComUserID,
		SignedInAt:    timestamp(live.Session.SignedInAt),
		ExpiresAt:     timestamp(live.Session.ExpiresAt),
	})
}

// automaticLoginHeader tells auto-login.js where to go. A header and not a member
// of the body: it is for that script alone.
const automaticLoginHeader = "Automatic-Login"

// offerAutomaticLogin adds to a refusal where a page in WeCom's browser can sign in
// without asking: only if that comes back to the page's own origin, because the
// automatic authenticator may be another application's.
func (h handler) offerAutomaticLogin(w http.ResponseWriter, r *http.Request, refusal error) error {
	if !wecom.IsClient(r.UserAgent()) {
		return refusal
	}
	automatic, err := h.Authenticators.AutoLoginAuthenticator(r.Context())
	if errors.Is(err, store.ErrNotFound) {
		return refusal
	}
	if err != nil {
		return fmt.Errorf("read automatic authenticator: %w", err)
	}
	// A page of the service's own address, shared with an application, names no
	// origin when it only reads.
	public := apigw.PublicURL(r.Context())
	origin := r.Header.Get("Origin")
	if origin == "" {
		origin = public
	}
	if automatic.HoldsAutoLogin() && automatic.Origin == origin {
		w.Header().Set(automaticLoginHeader, authflow.AuthorizeURL(public, automatic.Name, authflow.Destination{}))
		w.Header().Set("Access-Control-Expose-Headers", automaticLoginHeader)
	}
	return refusal
}

// tokenBody is that of RFC 6749 §5.1.
type tokenBody struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"` // seconds
}

func (h handler) issueToken(w http.ResponseWriter, r *http.Request) error {
	live, err := h.live(w, r)
	if err != nil {
		return err
	}
	token, lifetime, err := h.Minter.Mint(r.Context(), keys.AccessTokenClaims{
		Issuer:      apigw.PublicURL(r.Context()),
		Audience:    live.Authenticator.Origin,
		Subject:     live.User.ID,
		Name:        live.User.Name,
		PhoneNumber: live.User.Phone,
		Roles:       roles(live.User),
		CorpID:      live.Session.CorpID,
		WeComUserID: live.Session.WeComUserID,
		SessionKey:  authflow.SessionKey(h.Cookie.ID(r)),
		// The authorizer of /api/admin takes no token that an application's page asked for.
		AuthorizedParty: applicationOf(r),
	}, live.Session.ExpiresAt)
	if errors.Is(err, keys.ErrNoTimeLeft) {
		return apierr.New(apierr.Unauthorized, err)
	}
	if err != nil {
		return fmt.Errorf("mint token: %w", err)
	}
	return apigw.WriteJSON(w, http.StatusOK, tokenBody{token, "Bearer", int(lifetime / time.Second)})
}

// applicationOf is the origin of the page that asks, unless that is the service's
// own. Pages cannot choose it: browsers write it into every POST.
func applicationOf(r *http.Request) string {
	if origin := r.Header.Get("Origin"); origin != apigw.PublicURL(r.Context()) {
		return origin
	}
	return ""
}

// signOut ends the session in the store first: if that fails the browser keeps its
// cookie and can try again.
func (h handler) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := h.Sessions.End(r.Context(), h.Cookie.ID(r)); err != nil {
		return err
	}
	h.Cookie.Clear(w)
	forgetBounces(w, r)
	if strings.Contains(strings.ToLower(r.Header.Get("Accept")), "text/html") {
		w.Header().Set("Location", authflow.SignInURL(apigw.PublicURL(r.Context()), authflow.SignInPage{}))
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// roles is never null in JSON.
func roles(u store.User) []string { return append([]string{}, u.Roles...) }

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
