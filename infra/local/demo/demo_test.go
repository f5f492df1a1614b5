package demo_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/wecom-signin/wecom-signin/infra/local/demo"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
)

const origin = "http://localhost:3002"

func newDemo(t *testing.T, service string, now time.Time) *testbrowser.Browser {
	t.Helper()
	handler, err := demo.New(demo.Config{ServiceURL: service, Origin: origin, Now: func() time.Time { return now }})
	must(t, err)
	return testbrowser.New(testbrowser.Config{URL: origin, Transport: testbrowser.Handler(handler)})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestPages(t *testing.T) {
	b := newDemo(t, "http://localhost:3000", time.Now())
	tests := []struct{ path, contentType, contains string }{
		{"/", "text/html; charset=utf-8", `data-service="http://localhost:3000"`},
		{"/admin?x=1", "text/html; charset=utf-8", `src="http://localhost:3000/auto-login.js"`},
		{"/demo/page.js", "text/javascript; charset=utf-8", "/api/session"},
		{"/demo/page.css", "text/css; charset=utf-8", "color-scheme"},
		{"/demo/icon.svg", "image/svg+xml", "<svg"},
	}
	for _, test := range tests {
		a := b.Send(t, http.MethodGet, test.path)
		if a.Status != 200 || a.Header.Get("Content-Type") != test.contentType || !strings.Contains(a.Body, test.contains) {
			t.Errorf("%s: %d %v", test.path, a.Status, a.Header)
		}
		policy := a.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'none'; script-src 'self' http://localhost:3000;") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", test.path, policy)
		}
		for _, foreign := range []string{"https://", "//cdn", "url("} {
			if strings.Contains(a.Body, foreign) {
				t.Errorf("%s: holds %q", test.path, foreign)
			}
		}
	}
}

func TestBackendChecksTokens(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	}))
	defer service.Close()
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	b := newDemo(t, service.URL, now)
	verify := func(authorization string) testbrowser.Answer {
		return b.Send(t, http.MethodPost, "/demo/verify", testbrowser.Header("Authorization", authorization))
	}
	good := map[string]any{"iss": service.URL, "aud": origin, "sub": "user", "name": "张三", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	tests := []struct {
		name   string
		key    *rsa.PrivateKey
		change map[string]any
		want   int
	}{
		{"good", key, nil, 200},
		{"signed by somebody else", foreign, nil, 401},
		{"meant for another application", key, map[string]any{"aud": "https://other.example"}, 401},
		{"from another issuer", key, map[string]any{"iss": "https://other.example"}, 401},
		{"expired", key, map[string]any{"exp": now.Add(-time.Minute).Unix()}, 401},
	}
	for _, test := range tests {
		claims := maps.Clone(good)
		maps.Copy(claims, test.change)
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: test.key, KeyID: "k"}}, nil)
		must(t, err)
		token, err := jwt.Signed(signer).Claims(claims).Serialize()
		must(t, err)
		if a := verify("Bearer " + token); a.Status != test.want || test.want == 200 && !strings.Contains(a.Body, "张三") {
			t.Errorf("%s: %d %s", test.name, a.Status, a.Body)
		}
	}
	if a := verify(""); a.Status != 401 {
		t.Errorf("no token: %d", a.Status)
	}
}

// A callback that this browser did not begin, an answer of somebody else, and the logout
// of nobody: no session begins and none ends.
func TestForeignAnswersAreRefused(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	var service *httptest.Server
	service = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{
			"issuer": service.URL, "authorization_endpoint": service.URL + "/authorize", "token_endpoint": service.URL + "/token", "jwks_uri": service.URL + "/keys",
		})
	}))
	defer service.Close()
	handler, err := demo.New(demo.Config{ServiceURL: service.URL, Origin: origin, ClientID: "demo-web", ClientSecret: "secret"})
	must(t, err)
	b := testbrowser.New(testbrowser.Config{URL: origin, Transport: testbrowser.Handler(handler)})
	start := b.Send(t, http.MethodGet, "/oidc/signin")
	cookie, _, _ := strings.Cut(start.Header.Get("Set-Cookie"), ";")
	begun, err := url.Parse(start.Location())
	must(t, err)
	state := begun.Query().Get("state")
	if query := begun.Query(); query.Get("code_challenge_method") != "S256" || query.Get("nonce") == "" || state == "" {
		t.Fatalf("sent to %s", begun)
	}
	for _, test := range []struct{ query, want string }{
		{"state=other&code=c&iss=" + service.URL, "/?error=lost_request"},
		{"code=c&iss=" + service.URL, "/?error=lost_request"},
		{"state=" + state + "&code=c&iss=https://other.example", "/?error=wrong_issuer"},
	} {
		if a := b.Send(t, http.MethodGet, "/oidc/callback?"+test.query, testbrowser.Header("Cookie", cookie)); a.Location() != test.want {
			t.Errorf("%s leads to %s", test.query, a.Location())
		}
	}
	if a := b.Send(t, http.MethodGet, "/oidc/session"); a.Body != "null" {
		t.Errorf("a session: %s", a.Body)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	must(t, err)
	event := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
	for _, test := range []struct {
		name   string
		change map[string]any
		want   int
	}{
		{"good", nil, 200},
		{"an ID token", map[string]any{"events": nil}, 400},
		{"with a nonce", map[string]any{"nonce": "n"}, 400},
		{"of nobody", map[string]any{"sid": "", "sub": ""}, 400},
		{"for another client", map[string]any{"aud": "other"}, 400},
		{"expired", map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}, 400},
	} {
		claims := map[string]any{"iss": service.URL, "aud": "demo-web", "sid": "s", "exp": time.Now().Add(time.Minute).Unix(), "events": event}
		maps.Copy(claims, test.change)
		token, err := jwt.Signed(signer).Claims(claims).Serialize()
		must(t, err)
		a := b.Send(t, http.MethodPost, demo.BackchannelLogoutPath, testbrowser.Body("application/x-www-form-urlencoded", url.Values{"logout_token": {token}}.Encode()))
		if a.Status != test.want {
			t.Errorf("%s: %d %s", test.name, a.Status, a.Body)
		}
	}
}
