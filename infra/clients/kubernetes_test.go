//go:build kubernetes

package clients

import (
	"os"
	"slices"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"k8s.io/apiserver/pkg/apis/apiserver"
	kubernetes "k8s.io/apiserver/plugin/pkg/authenticator/token/oidc"
)

// authority is a certificate as the API server reads it.
type authority []byte

func (a authority) CurrentCABundleContent() []byte { return a }

// kubectl sends the ID token, and the API server judges it by the metadata alone.
func TestKubernetesAcceptsTheIDToken(t *testing.T) {
	t.Parallel()
	a := deployed(t).register(t, "kubernetes", "/callback", answer{"kind": "native"})
	m := a.member(t, "cluster-admin")
	certificate, err := os.ReadFile(a.authority)
	must(t, err)
	prefix, none := "wecom:", ""
	server, err := kubernetes.New(t.Context(), kubernetes.Options{
		JWTAuthenticator: apiserver.JWTAuthenticator{
			Issuer: apiserver.Issuer{URL: a.service.url, Audiences: []string{a.id}},
			ClaimMappings: apiserver.ClaimMappings{
				Username: apiserver.PrefixedClaimOrExpression{Claim: "preferred_username", Prefix: &prefix},
				Groups:   apiserver.PrefixedClaimOrExpression{Claim: "groups", Prefix: &none},
			},
		},
		CAContentProvider: authority(certificate), SupportedSigningAlgs: []string{"RS256"},
	})
	must(t, err)
	for deadline := time.Now().Add(time.Minute); server.HealthCheck() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(server.HealthCheck())
		}
	}
	config, _, token, _ := a.signIn(m, "profile", "groups")
	renewed, err := config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	must(t, err)
	for _, from := range []*oauth2.Token{token, renewed} {
		idToken, _ := from.Extra("id_token").(string)
		response, ok, err := server.AuthenticateToken(t.Context(), idToken)
		if err != nil || !ok || response.User.GetName() != prefix+m.userID || !slices.Contains(response.User.GetGroups(), "role:cluster-admin") {
			t.Errorf("ID token: %+v %v %v", response, ok, err)
		}
		if response, ok, _ := server.AuthenticateToken(t.Context(), from.AccessToken); ok {
			t.Errorf("the access token passes: %+v", response)
		}
	}
}
