package clients

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/markbates/goth/providers/openidConnect"
	"golang.org/x/oauth2"
)

// returned is the query with which the browser comes back to the application, which listens
// nowhere.
func (m *member) returned(address, callback string) url.Values {
	m.t.Helper()
	end := m.browser.Open(m.t, address)
	m.weCom += end.WeCom
	u, err := url.Parse(end.Address)
	must(m.t, err)
	if !strings.HasPrefix(end.Address, callback+"?") || u.Query().Get("code") == "" {
		m.t.Fatalf("ended at %s %d %.1000s", end.Address, end.Page.Status, end.Page.Body)
	}
	return u.Query()
}

// signIn signs the member in by go-oidc and x/oauth2.
func (a application) signIn(m *member, scopes ...string) (*oauth2.Config, *oidc.Provider, *oauth2.Token, *oidc.IDToken) {
	m.t.Helper()
	provider, err := oidc.NewProvider(m.t.Context(), a.service.url)
	must(m.t, err)
	config := &oauth2.Config{
		ClientID: a.id, ClientSecret: a.secret, Endpoint: provider.Endpoint(), RedirectURL: a.callback, Scopes: append(scopes, oidc.ScopeOpenID),
	}
	nonce, verifier := rand.Text(), oauth2.GenerateVerifier()
	query := m.returned(config.AuthCodeURL("state", oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), a.callback)
	token, err := config.Exchange(m.t.Context(), query.Get("code"), oauth2.VerifierOption(verifier))
	must(m.t, err)
	raw, _ := token.Extra("id_token").(string)
	idToken, err := provider.Verifier(&oidc.Config{ClientID: a.id}).Verify(m.t.Context(), raw)
	must(m.t, err)
	must(m.t, idToken.VerifyAccessToken(token.AccessToken))
	if idToken.Nonce != nonce || query.Get("iss") != a.service.url || query.Get("state") != "state" {
		m.t.Errorf("nonce %q, query %v", idToken.Nonce, query)
	}
	return config, provider, token, idToken
}

// A command-line tool has no secret, and listens at a port that nobody has registered.
func TestCommandLineToolSignsIn(t *testing.T) {
	t.Parallel()
	a := deployed(t).register(t, "go-oidc", "/callback", answer{"kind": "native", "redirectUris": []string{"http://127.0.0.1/callback"}})
	m := a.member(t)
	config, provider, token, idToken := a.signIn(m, "profile", "email", "groups")
	info, err := provider.UserInfo(t.Context(), oauth2.StaticTokenSource(token))
	must(t, err)
	if info.Email != m.email() || info.Subject != idToken.Subject {
		t.Errorf("userinfo %+v", info)
	}
	renewed, err := config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	must(t, err)
	var metadata struct {
		Revocation string `json:"revocation_endpoint"`
		EndSession string `json:"end_session_endpoint"`
	}
	must(t, provider.Claims(&metadata))
	response, err := http.PostForm(metadata.Revocation, url.Values{"token": {renewed.RefreshToken}, "client_id": {a.id}})
	must(t, err)
	if response.Body.Close(); response.StatusCode != http.StatusOK {
		t.Errorf("revoke: %s", response.Status)
	}
	if _, err := provider.UserInfo(t.Context(), oauth2.StaticTokenSource(renewed)); err == nil {
		t.Error("userinfo after the revocation")
	}
	end := m.browser.Open(t, metadata.EndSession+"?"+url.Values{
		"id_token_hint": {token.Extra("id_token").(string)}, "post_logout_redirect_uri": {a.url + "/bye"}, "state": {"s"},
	}.Encode())
	if end.Address != a.url+"/bye?state=s" {
		t.Errorf("sign-out ends at %s %.500s", end.Address, end.Page.Body)
	}
	m.wantSignedOut()
}

// Gitea and Forgejo sign in by goth, which knows no PKCE, no nonce and no iss.
func TestGiteasLibrarySignsIn(t *testing.T) {
	t.Parallel()
	a := deployed(t).register(t, "gitea", "/user/oauth2/wecom/callback", nil)
	m := a.member(t, "developer")
	provider, err := openidConnect.New(a.id, a.secret, a.callback, a.service.url+"/.well-known/openid-configuration", "profile", "email", "groups")
	must(t, err)
	begun, err := provider.BeginAuth("state")
	must(t, err)
	address, err := begun.GetAuthURL()
	must(t, err)
	_, err = begun.Authorize(provider, m.returned(address, a.callback))
	must(t, err)
	user, err := provider.FetchUser(begun)
	must(t, err)
	groups, _ := user.RawData["groups"].([]any)
	if user.Email != m.email() || user.Name != "张三" || user.NickName == "" || !slices.Contains(groups, any("role:developer")) {
		t.Errorf("user %+v", user)
	}
	renewed, err := provider.RefreshTokenWithIDToken(user.RefreshToken)
	must(t, err)
	if renewed.IdToken == "" || renewed.RefreshToken == user.RefreshToken {
		t.Errorf("refreshed: %+v", renewed)
	}
	// Gitea sends the browser to the address of the metadata without a hint, so the service asks.
	if end := m.visit(provider.OpenIDConfig.EndSessionEndpoint); end.Status != http.StatusOK {
		t.Errorf("sign-out ends at %s %d", end.URL, end.Status)
	}
	m.wantSignedOut()
}
