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
	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// authenticatorEntry is the public part of an authenticator.
type authenticatorEntry struct {
	Name         string `json:"name"`
	Title        string `json:"title"`
	Type         string `json:"type"`
	AuthorizeURL string `json:"authorizeUrl"`
}

func (h handler) listAuthenticators(w http.ResponseWriter, r *http.Request) error {
	authenticators, err := h.enabledAuthenticators(r.Context())
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
	// Departments are those of the member who signed in, as far as the app may see them.
	Departments []claims.Department `json:"departments"`
}

type userBody struct {
	ID     string   `json:"id"`
	Name   string   `json:"name"`
	Phone  string   `json:"phone"`
	Avatar string   `json:"avatar"`
	Roles  []string `json:"roles"`
}

func (h handler) showSession(w http.ResponseWriter, r *http.Request) error {
	active, err := h.activeSession(w, r)
	if err != nil {
		if apierr.Is(err, apierr.Unauthorized) {
			return h.offerAutomaticLogin(w, r, err)
		}
		return err
	}
	// A page of another company is not told who this is, and may offer its own sign-in.
	audience, err := h.audience(r, active)
	if err != nil {
		return err
	}
	if audience == "" {
		return h.offerAutomaticLogin(w, r, apierr.Newf(apierr.Unauthorized, "the page belongs to another corp"))
	}
	member := memberOf(active)
	return apigw.WriteJSON(w, http.StatusOK, sessionBody{
		User: userBody{
			ID: active.User.ID, Name: active.User.Name, Phone: active.User.Phone, Avatar: active.User.Avatar, Roles: roles(active.User),
		},
		Authenticator: active.Session.AuthenticatorName,
		CorpID:        member.CorpID,
		WeComUserID:   member.WeComUserID,
		SignedInAt:    timestamp(active.Session.SignedInAt),
		ExpiresAt:     timestamp(active.Session.ExpiresAt),
		Departments:   claims.DepartmentsOf(member),
	})
}

// memberOf returns the member who is signed in by a session.
func memberOf(active authflow.ActiveSession) claims.Member {
	return claims.MemberOf(active.User, active.Session.CorpID, active.Session.WeComUserID)
}

// automaticLoginHeader tells auto-login.js where to go. It is a header, not a member
// of the body, because only that script needs it.
const automaticLoginHeader = "Automatic-Login"

// offerAutomaticLogin adds to a refusal the address at which a page in WeCom's browser
// signs in without asking. It does so only for pages of the automatic authenticator's
// origin: a sign-in that another page starts would end at the wrong application.
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
	// Browsers leave Origin out of a GET to the page's own origin, which an application
	// may share with the service.
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

// tokenBody is the answer of RFC 6749 §5.1.
type tokenBody struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"` // seconds
}

func (h handler) issueToken(w http.ResponseWriter, r *http.Request) error {
	active, err := h.activeSession(w, r)
	if err != nil {
		return err
	}
	audience, err := h.audience(r, active)
	if err != nil {
		return err
	}
	if audience == "" {
		return &apierr.Error{Code: apierr.Forbidden, Detail: "This origin belongs to another company."}
	}
	token, lifetime, err := h.Minter.Mint(r.Context(), keys.AccessTokenClaims{
		Issuer:     apigw.PublicURL(r.Context()),
		Audience:   keys.Audience{audience},
		Subject:    active.User.ID,
		SessionKey: active.Key,
		Member:     claims.ForSession(memberOf(active)).Map(),
	}, active.Session.ExpiresAt)
	if errors.Is(err, keys.ErrNoTimeLeft) {
		return apierr.New(apierr.Unauthorized, err)
	}
	if err != nil {
		return fmt.Errorf("mint token: %w", err)
	}
	return apigw.WriteJSON(w, http.StatusOK, tokenBody{token, "Bearer", int(lifetime / time.Second)})
}

// audience returns whom a token for the page that sends a request is meant for: the
// service itself, or an application of the session's own corp. Empty: the page is another
// corp's. apierr.NotAllowed: it is of an authenticator that is not for this member, who came
// by another. A page cannot choose its Origin, and a browser adds it to every POST; without
// one, the application that the session was begun for asks.
func (h handler) audience(r *http.Request, active authflow.ActiveSession) (string, error) {
	origin := r.Header.Get("Origin")
	switch origin {
	case "":
		return active.Authenticator.Origin, nil
	case apigw.PublicURL(r.Context()):
		return origin, nil
	}
	authenticators, err := h.enabledAuthenticators(r.Context())
	if err != nil {
		return "", fmt.Errorf("read allowed origins: %w", err)
	}
	member, _ := active.User.IdentityIn(active.Session.CorpID)
	kept := false
	for _, a := range authenticators {
		if a.Origin != origin || a.CorpID != active.Session.CorpID {
			continue
		}
		access, _ := member.AccessBy(a.ID)
		if a.ID == active.Session.AuthenticatorID || access.GoneAt.IsZero() && a.Allow.Allows(member, active.User.AllRoles()) {
			return origin, nil
		}
		kept = true
	}
	if kept {
		return "", apierr.Newf(apierr.NotAllowed, "the page's authenticator is not for the member")
	}
	return "", nil
}

func (h handler) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := h.endBrowserSessions(w, r); err != nil {
		return err
	}
	if strings.Contains(strings.ToLower(r.Header.Get("Accept")), "text/html") {
		seeOther(w, authflow.SignInURL(apigw.PublicURL(r.Context()), authflow.SignInPage{
			Destination: authflow.Destination{Locales: authflow.DestinationOf(apigw.Query(r)).Locales},
		}))
		return nil
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// endBrowserSessions signs the browser out. It ends the session in the store first: if that
// fails, the browser keeps its cookie and can try again.
func (h handler) endBrowserSessions(w http.ResponseWriter, r *http.Request) error {
	for _, ref := range h.Cookie.Sessions(r) {
		if err := h.Sessions.End(r.Context(), ref.ID); err != nil {
			return err
		}
	}
	h.Cookie.Clear(w)
	forgetRedirects(w, r)
	return nil
}

// roles returns the roles of a user, which JSON shows as [] rather than null.
func roles(u store.User) []string { return append([]string{}, u.AllRoles()...) }

func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
