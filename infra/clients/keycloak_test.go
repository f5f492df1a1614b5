//go:build slow

package clients

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	keycloakRealm  = "/realms/company"
	keycloakBroker = keycloakRealm + "/broker/wecom"
)

// Keycloak is a broker: the application knows it alone, and it signs the members in by the
// service. It trades the grant's refresh token for others, and hands the access token out.
//
// With both kinds of sign-out at once it depends on who comes first: told that the session
// has ended, Keycloak answers the browser that is on its way back by an error page.
func TestKeycloakSignsIn(t *testing.T) {
	home := filepath.Dir(tool(t, "keycloak/ready"))
	program{
		callback: keycloakBroker + "/endpoint", backchannel: keycloakRealm + "/protocol/openid-connect/logout/backchannel-logout",
		start: func(t *testing.T, a application, _ string) {
			_, err := a.admin(http.MethodPatch, "/applications/"+a.id, answer{"postLogoutRedirectUris": []string{a.callback + "/logout_response"}})
			must(t, err)
			a.serveBehindKeycloak(t, a.startKeycloak(t, home))
		},
		email: "email", token: "access_token",
		refresh: func(a application, _ string) string { return a.url + "/" }, // each time
		signOut: func(a application, _ string) string { return a.url + "/signout" },
	}.test(t, "keycloak")
}

// startKeycloak starts Keycloak, gives it a realm with one application and adds the service
// by the console's configuration. It returns what serves a.url, so far Keycloak alone.
func (a application) startKeycloak(t *testing.T, home string) *http.ServeMux {
	t.Helper()
	// It listens a minute after it was started. The system gives other ports to others meanwhile.
	port, management := strconv.Itoa(20000+rand.IntN(5000)), strconv.Itoa(25000+rand.IntN(5000))
	keycloak := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "127.0.0.1:" + port})
	keycloak.ModifyResponse = func(r *http.Response) error {
		// The loopback address is a secure context to a browser, and not to Go's client.
		for i, cookie := range r.Header.Values("Set-Cookie") {
			r.Header["Set-Cookie"][i] = strings.Replace(cookie, ";Secure", "", 1)
		}
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("/realms/", keycloak)
	listener, err := net.Listen("tcp", strings.TrimPrefix(a.url, "http://"))
	must(t, err)
	front := &httptest.Server{Listener: listener, Config: &http.Server{Handler: mux}}
	front.Start()
	t.Cleanup(front.Close)
	const password = "password-of-the-first-administrator"
	server := a
	server.url = "http://127.0.0.1:" + port
	command := exec.Command(filepath.Join(home, "bin/kc.sh"), "start", "--optimized", "--cache=local", "--http-enabled=true", "--http-host=127.0.0.1", "--http-port="+port,
		"--http-management-port="+management, "--hostname="+a.url, "--truststore-paths="+a.authority)
	command.Env = append(os.Environ(), "KC_BOOTSTRAP_ADMIN_USERNAME=admin", "KC_BOOTSTRAP_ADMIN_PASSWORD="+password)
	server.run(t, command)
	create := func(kind, body string, options ...string) {
		t.Helper()
		command := exec.Command(filepath.Join(home, "bin/kcadm.sh"), append([]string{
			"create", kind, "--no-config", "--server", server.url, "--realm", "master", "--user", "admin", "--password", password, "-f", "-",
		}, options...)...)
		command.Stdin = strings.NewReader(body)
		if output, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, output)
		}
	}
	realm, err := os.ReadFile("keycloak/realm.json")
	must(t, err)
	create("realms", strings.ReplaceAll(string(realm), "{url}", a.url))
	create("identity-provider/instances", a.configuration(t, "keycloak"), "-r", "company",
		// Keycloak hands the service's access token out, a new one each time.
		"-s", "storeToken=true", "-s", "addReadTokenRoleOnCreate=true", "-s", "config.minValidityToken=1000")
	return mux
}

// serveBehindKeycloak serves the application, which knows Keycloak alone.
func (a application) serveBehindKeycloak(t *testing.T, mux *http.ServeMux) {
	t.Helper()
	provider, err := oidc.NewProvider(t.Context(), a.url+keycloakRealm)
	must(t, err)
	config := oauth2.Config{ClientID: "application", RedirectURL: a.url + "/signed-in", Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, "email"}}
	verifier := oauth2.GenerateVerifier()
	token := &oauth2.Token{} // of the only browser
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		var person struct {
			Email       string `json:"email"`
			AccessToken string `json:"access_token"`
		}
		raw, _ := token.Extra("id_token").(string)
		idToken, err := provider.Verifier(&oidc.Config{ClientID: config.ClientID}).Verify(r.Context(), raw)
		if err == nil {
			err = a.brokered(token, &person)
		}
		if err != nil || idToken.Claims(&person) != nil {
			http.Redirect(w, r, config.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("kc_idp_hint", "wecom")), http.StatusSeeOther)
			return
		}
		_ = json.NewEncoder(w).Encode(person)
	})
	mux.HandleFunc("/signed-in", func(w http.ResponseWriter, r *http.Request) {
		exchanged, err := config.Exchange(r.Context(), r.FormValue("code"), oauth2.VerifierOption(verifier))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		token = exchanged
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("/signout", func(w http.ResponseWriter, r *http.Request) {
		hint, _ := token.Extra("id_token").(string)
		token = &oauth2.Token{}
		http.Redirect(w, r, a.url+keycloakRealm+"/protocol/openid-connect/logout?"+url.Values{
			"id_token_hint": {hint}, "post_logout_redirect_uri": {a.url + "/bye"},
		}.Encode(), http.StatusSeeOther)
	})
	mux.HandleFunc("/bye", func(http.ResponseWriter, *http.Request) {})
}

// brokered reads the service's tokens, which Keycloak has of the person of its own token.
// Keycloak refreshes them first.
func (a application) brokered(token *oauth2.Token, tokens any) error {
	r, err := http.NewRequest(http.MethodGet, a.url+keycloakBroker+"/token", http.NoBody)
	if err != nil {
		return err
	}
	token.SetAuthHeader(r)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("Keycloak answers %s", response.Status)
	}
	return json.NewDecoder(response.Body).Decode(tokens)
}
