package demo_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
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
