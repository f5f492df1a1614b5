package demo

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Where the service leads back to, and where it says that a session has ended.
const (
	callbackPath          = "/oidc/callback"
	BackchannelLogoutPath = "/oidc/backchannel-logout"
)

// RedirectURI is where codes are sent to, of an application at origin.
func RedirectURI(origin string) string { return origin + callbackPath }

const (
	sessionCookie = "demo_session"
	requestCookie = "demo_request_" // and the state: each tab has a request of its own
	requestAge    = 10 * time.Minute
	logoutEvent   = "http://schemas.openid.net/event/backchannel-logout" // Back-Channel Logout 1.0 §2.4
)

// client signs in by OpenID Connect with go-oidc and x/oauth2. It is for concurrent use.
type client struct {
	Config

	tokens *oidc.IDTokenVerifier // of /api/token
	http   context.Context       //nolint:containedctx // how go-oidc and x/oauth2 take an HTTP client

	mu       sync.Mutex
	provider *oidc.Provider // nil until it was read
	sessions map[string]signedIn
}

// signedIn is a session of the application, which is its own: the service's may end
// before.
type signedIn struct {
	idToken, refreshToken, sid string

	Claims   map[string]any `json:"id_token"`
	UserInfo map[string]any `json:"userinfo,omitempty"`
}

func newClient(cfg Config) *client {
	c := &client{Config: cfg, sessions: map[string]signedIn{}}
	c.http = oidc.ClientContext(context.Background(), &http.Client{Timeout: 10 * time.Second})
	// Keys are fetched when the first token comes, and again for an unknown kid.
	keys := oidc.NewRemoteKeySet(c.http, cfg.ServiceURL+"/.well-known/jwks.json")
	c.tokens = oidc.NewVerifier(cfg.ServiceURL, keys, &oidc.Config{ClientID: cfg.Origin, SupportedSigningAlgs: []string{oidc.RS256}, Now: cfg.Now})
	return c
}

// discover reads the service's metadata, once.
func (c *client) discover() (*oidc.Provider, *oauth2.Config, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.provider == nil {
		provider, err := oidc.NewProvider(c.http, c.ServiceURL)
		if err != nil {
			return nil, nil, fmt.Errorf("read the service's metadata: %w", err)
		}
		c.provider = provider
	}
	return c.provider, &oauth2.Config{
		ClientID: c.ClientID, ClientSecret: c.ClientSecret, Endpoint: c.provider.Endpoint(), RedirectURL: RedirectURI(c.Origin),
		Scopes: []string{oidc.ScopeOpenID, "profile", "phone", "groups"},
	}, nil
}

func (c *client) setCookie(w http.ResponseWriter, name, value string, age time.Duration) {
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // on http://localhost without Secure, which Safari would not keep
		Name: name, Value: value, Path: "/oidc/", MaxAge: int(age.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(c.Origin, "https:"),
	})
}

// signIn sends the browser to the service.
func (c *client) signIn(w http.ResponseWriter, r *http.Request) {
	_, config, err := c.discover()
	if err != nil {
		c.back(w, r, err)
		return
	}
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	c.setCookie(w, requestCookie+state, nonce+"."+verifier, requestAge)
	http.Redirect(w, r, config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
}

// callback takes the browser that comes back.
func (c *client) callback(w http.ResponseWriter, r *http.Request) {
	state := r.URL.Query().Get("state")
	session, err := c.takeCode(r, requestCookie+state)
	c.setCookie(w, requestCookie+state, "", -time.Second)
	if err == nil {
		id := rand.Text()
		c.keep(id, session)
		c.setCookie(w, sessionCookie, id, 12*time.Hour)
	}
	c.back(w, r, err)
}

// refusal is an error code of OAuth that the page explains.
type refusal string

// Error implements error.
func (r refusal) Error() string { return string(r) }

// back leads to the first page, which tells an error.
func (c *client) back(w http.ResponseWriter, r *http.Request, err error) {
	address := "/"
	if err != nil {
		code := refusal("failed")
		_ = errors.As(err, &code)
		address = "/?" + url.Values{"error": {string(code)}}.Encode()
	}
	http.Redirect(w, r, address, http.StatusSeeOther)
}

func (c *client) takeCode(r *http.Request, cookie string) (signedIn, error) {
	query := r.URL.Query()
	kept, err := r.Cookie(cookie)
	if err != nil {
		return signedIn{}, refusal("lost_request") // this browser did not begin it
	}
	if query.Get("iss") != c.ServiceURL { // RFC 9207
		return signedIn{}, refusal("wrong_issuer")
	}
	if code := query.Get("error"); code != "" {
		return signedIn{}, refusal(code)
	}
	_, config, err := c.discover()
	if err != nil {
		return signedIn{}, err
	}
	nonce, verifier, _ := strings.Cut(kept.Value, ".")
	token, err := config.Exchange(c.http, query.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return signedIn{}, fmt.Errorf("exchange code: %w", err)
	}
	return c.open(token, nonce)
}

// open checks an answer of the token endpoint. A refreshed ID token has no nonce.
func (c *client) open(token *oauth2.Token, nonce string) (signedIn, error) {
	raw, _ := token.Extra("id_token").(string)
	s := signedIn{idToken: raw, refreshToken: token.RefreshToken}
	idToken, err := c.idToken(raw)
	if err != nil {
		return s, err
	}
	if nonce != "" && idToken.Nonce != nonce {
		return s, errors.New("the ID token is of another request")
	}
	if err := idToken.VerifyAccessToken(token.AccessToken); err != nil {
		return s, err
	}
	err = idToken.Claims(&s.Claims)
	s.sid, _ = s.Claims["sid"].(string)
	return s, err
}

// idToken checks an ID token or a logout token of the service for this client.
func (c *client) idToken(raw string) (*oidc.IDToken, error) {
	provider, _, err := c.discover()
	if err != nil {
		return nil, err
	}
	return provider.Verifier(&oidc.Config{ClientID: c.ClientID, Now: c.Now}).Verify(c.http, raw)
}

func (c *client) keep(id string, s signedIn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions[id] = s
}

// current returns the session of a browser and its id; the zero session without one.
func (c *client) current(r *http.Request) (string, signedIn) {
	id := ""
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		id = cookie.Value
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return id, c.sessions[id]
}

// end removes sessions.
func (c *client) end(which func(id string, s signedIn) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.sessions, which)
}

// session returns what the application knows of its member, or nil.
func (c *client) session(r *http.Request) (any, error) {
	_, s := c.current(r)
	if s.Claims == nil {
		return nil, nil
	}
	return s, nil
}

// refresh takes new tokens, asks userinfo, and returns what the application knows then. Who
// is refused is signed out.
func (c *client) refresh(r *http.Request) (any, error) {
	id, s := c.current(r)
	provider, config, err := c.discover()
	if err != nil || s.Claims == nil {
		return nil, err
	}
	token, err := config.TokenSource(c.http, &oauth2.Token{RefreshToken: s.refreshToken}).Token()
	if answer, refused := errors.AsType[*oauth2.RetrieveError](err); refused && answer.ErrorCode == "invalid_grant" {
		c.end(func(other string, _ signedIn) bool { return other == id })
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("refresh: %w", err)
	}
	if s, err = c.open(token, ""); err != nil {
		return nil, err
	}
	info, err := provider.UserInfo(c.http, oauth2.StaticTokenSource(token))
	if err == nil {
		err = info.Claims(&s.UserInfo)
	}
	c.keep(id, s)
	return s, err
}

// signOut ends the session here and sends the browser to end it at the service
// (RP-Initiated Logout 1.0 §2).
func (c *client) signOut(w http.ResponseWriter, r *http.Request) {
	id, s := c.current(r)
	c.end(func(other string, _ signedIn) bool { return other == id })
	c.setCookie(w, sessionCookie, "", -time.Second)
	provider, _, err := c.discover()
	var metadata struct {
		Logout string `json:"end_session_endpoint"`
	}
	if err == nil {
		err = provider.Claims(&metadata)
	}
	if err != nil || s.idToken == "" {
		c.back(w, r, err)
		return
	}
	query := url.Values{"id_token_hint": {s.idToken}, "post_logout_redirect_uri": {c.Origin + "/"}}
	http.Redirect(w, r, metadata.Logout+"?"+query.Encode(), http.StatusSeeOther)
}

// backchannelLogout ends what the service says has ended (Back-Channel Logout 1.0 §2.6).
func (c *client) backchannelLogout(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	token, err := c.idToken(r.PostFormValue("logout_token"))
	var claims struct {
		SessionID string                    `json:"sid"`
		Events    map[string]map[string]any `json:"events"`
	}
	if err == nil {
		err = token.Claims(&claims)
	}
	if err != nil || claims.Events[logoutEvent] == nil || token.Nonce != "" || cmp.Or(claims.SessionID, token.Subject) == "" {
		http.Error(w, "this is no logout token for this application", http.StatusBadRequest)
		return
	}
	c.end(func(_ string, s signedIn) bool {
		if claims.SessionID != "" {
			return s.sid == claims.SessionID
		}
		return s.Claims["sub"] == token.Subject
	})
}
