package openid_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

func basic(id, secret string) map[string]string {
	return map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))}
}

func TestTokenErrors(t *testing.T) {
	p := newProvider(t)
	b := p.member("ann")
	good := func(change func(url.Values)) url.Values {
		values := url.Values{"grant_type": {"authorization_code"}, "code": {b.code(wikiRequest())}, "redirect_uri": {callback}, "code_verifier": {verifier}}
		if change != nil {
			change(values)
		}
		return values
	}
	const realm = `Basic realm="` + public + `"`
	for _, test := range []struct {
		name      string
		values    url.Values
		headers   map[string]string
		status    int
		error     string
		challenge string
	}{
		{"no client", good(nil), nil, 401, "invalid_client", ""},
		{"wrong secret in the body", func() url.Values { v := p.asWiki(good(nil)); v.Set("client_secret", "wrong"); return v }(), nil, 401, "invalid_client", ""},
		{"wrong secret by Basic", good(nil), basic("wiki", "wrong"), 401, "invalid_client", realm},
		{"unknown client by Basic", good(nil), basic("unknown", p.secret), 401, "invalid_client", realm},
		{"two methods", p.asWiki(good(nil)), basic("wiki", p.secret), 400, "invalid_request", ""},
		{"no grant type", p.asWiki(url.Values{"code": {"c"}}), nil, 400, "invalid_request", ""},
		{"another grant type", p.asWiki(url.Values{"grant_type": {"password"}}), nil, 400, "unsupported_grant_type", ""},
		{"no code", p.asWiki(good(func(v url.Values) { v.Del("code") })), nil, 400, "invalid_request", ""},
		{"made-up code", p.asWiki(good(func(v url.Values) { v.Set("code", "made-up") })), nil, 400, "invalid_grant", ""},
		{"another address", p.asWiki(good(func(v url.Values) { v.Set("redirect_uri", "https://wiki.example.com/") })), nil, 400, "invalid_grant", ""},
		{"no verifier", p.asWiki(good(func(v url.Values) { v.Del("code_verifier") })), nil, 400, "invalid_grant", ""},
		{"another verifier", p.asWiki(good(func(v url.Values) { v.Set("code_verifier", strings.Repeat("v", 43)) })), nil, 400, "invalid_grant", ""},
		{"made-up refresh token", p.asWiki(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"a.1.b"}}), nil, 400, "invalid_grant", ""},
		{"twice", func() url.Values { v := p.asWiki(good(nil)); v.Add("code", "b"); return v }(), nil, 400, "invalid_request", ""},
		{"not a form", p.asWiki(good(nil)), map[string]string{"Content-Type": "application/json"}, 400, "invalid_request", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := p.post("/oauth2/token", test.values, test.headers)
			body := got.json(t)
			if got.status != test.status || body["error"] != test.error || got.headers["www-authenticate"] != test.challenge {
				t.Errorf("%d %v, challenge %q", got.status, body, got.headers["www-authenticate"])
			}
			if got.headers["cache-control"] != "no-store" || got.headers["content-type"] != "application/json" {
				t.Errorf("%v", got.headers)
			}
			for name := range body {
				if name != "error" && name != "error_description" {
					t.Errorf("has %s", name)
				}
			}
		})
	}
	if got := p.send(request{method: "GET", path: "/oauth2/token", query: p.asWiki(good(nil)).Encode()}, nil); got.status != http.StatusMethodNotAllowed || got.headers["allow"] != "POST, OPTIONS" {
		t.Errorf("GET: %d, %q", got.status, got.headers["allow"])
	}
}

// Nothing is read from a query: it is in the logs of every server on the way.
func TestTokensAreNotReadFromTheQuery(t *testing.T) {
	p := newProvider(t)
	values := p.asWiki(url.Values{"grant_type": {"authorization_code"}, "code": {p.member("ann").code(wikiRequest())}, "redirect_uri": {callback}, "code_verifier": {verifier}})
	if got := p.send(request{method: "POST", path: "/oauth2/token", query: values.Encode(), body: "a=b"}, nil); got.status == http.StatusOK {
		t.Error("took a code from the query")
	}
	tokens := p.exchange(values.Get("code"))
	query := url.Values{"access_token": {tokens["access_token"].(string)}}.Encode()
	if got := p.send(request{method: "GET", path: "/oauth2/userinfo", query: query}, nil); got.status != http.StatusUnauthorized {
		t.Errorf("userinfo: %d", got.status)
	}
}

func TestTokensAreAnsweredOnceAndRefreshed(t *testing.T) {
	p := newProvider(t)
	b := p.member("ann")
	code := b.code(wikiRequest())
	tokens := p.exchange(code)
	refreshed := p.post("/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}}, basic("wiki", p.secret))
	if refreshed.status != http.StatusOK || refreshed.headers["cache-control"] != "no-store" {
		t.Fatalf("%d %s", refreshed.status, refreshed.body)
	}
	access := refreshed.json(t)["access_token"].(string)
	// The code a second time: refused, and what it gave is dead.
	again := p.post("/oauth2/token", p.asWiki(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}), nil)
	if again.status != http.StatusBadRequest || again.json(t)["error"] != "invalid_grant" {
		t.Errorf("%d %s", again.status, again.body)
	}
	if got := p.userinfo(access); got.status != http.StatusUnauthorized {
		t.Errorf("userinfo afterwards: %d %s", got.status, got.body)
	}
}

func (p *provider) userinfo(token string) answer {
	p.t.Helper()
	return p.send(request{method: "GET", path: "/oauth2/userinfo", headers: map[string]string{"Authorization": "Bearer " + token}}, nil)
}

func TestUserinfoChallenges(t *testing.T) {
	p := newProvider(t)
	tokens := p.exchange(p.member("ann").code(wikiRequest()))
	access := tokens["access_token"].(string)
	const realm = `Bearer realm="` + public + `"`
	for _, test := range []struct {
		name      string
		request   request
		status    int
		challenge string // its beginning
	}{
		{"header", request{method: "GET", headers: map[string]string{"Authorization": "Bearer " + access}}, 200, ""},
		{"header of a POST", request{method: "POST", headers: map[string]string{"Authorization": "bearer " + access}}, 200, ""},
		{"body", request{method: "POST", body: "access_token=" + url.QueryEscape(access)}, 200, ""},
		{"no token", request{method: "GET"}, 401, realm},
		{"another scheme", request{method: "GET", headers: basic("wiki", p.secret)}, 401, realm},
		{"body that is not a form", request{method: "POST", body: "access_token=" + access, headers: map[string]string{"Content-Type": "text/plain"}}, 401, realm},
		{"made up", request{method: "GET", headers: map[string]string{"Authorization": "Bearer made-up"}}, 401, realm + `, error="invalid_token"`},
		{"an ID token", request{method: "GET", headers: map[string]string{"Authorization": "Bearer " + tokens["id_token"].(string)}}, 401, realm + `, error="invalid_token"`},
		{"a refresh token", request{method: "GET", headers: map[string]string{"Authorization": "Bearer " + tokens["refresh_token"].(string)}}, 401, realm + `, error="invalid_token"`},
		{"two ways", request{method: "POST", body: "access_token=" + access, headers: map[string]string{"Authorization": "Bearer " + access}}, 400, realm + `, error="invalid_request"`},
		{"nothing after Bearer", request{method: "GET", headers: map[string]string{"Authorization": "Bearer "}}, 400, realm + `, error="invalid_request"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.request.path = "/oauth2/userinfo"
			got := p.send(test.request, nil)
			challenge := got.headers["www-authenticate"]
			if got.status != test.status || !strings.HasPrefix(challenge, test.challenge) || test.challenge == realm && challenge != realm {
				t.Fatalf("%d %q %s", got.status, challenge, got.body)
			}
			if got.headers["cache-control"] != "no-store" {
				t.Error("may be stored")
			}
			if test.status == http.StatusOK {
				if members := got.json(t); members["sub"] != "user-ann" || members["name"] != "ann" || members["phone_number"] == nil || members["email"] != nil {
					t.Errorf("%v", members)
				}
			}
		})
	}
	p.now = p.now.Add(16 * time.Minute)
	if got := p.userinfo(access); got.status != http.StatusUnauthorized || !strings.Contains(got.headers["www-authenticate"], "invalid_token") {
		t.Errorf("expired: %d %q", got.status, got.headers["www-authenticate"])
	}
}

func TestRevokeEndsTheGrantAndIsSilent(t *testing.T) {
	p := newProvider(t)
	tokens := p.exchange(p.member("ann").code(wikiRequest()))
	access, refresh := tokens["access_token"].(string), tokens["refresh_token"].(string)
	if got := p.post("/oauth2/revoke", url.Values{"token": {refresh}, "client_id": {"spa"}}, nil); got.status != http.StatusOK || got.body != "" {
		t.Errorf("another application: %d %s", got.status, got.body)
	}
	if got := p.post("/oauth2/revoke", p.asWiki(url.Values{"token": {"unknown"}}), nil); got.status != http.StatusOK || got.body != "" {
		t.Errorf("unknown: %d %s", got.status, got.body)
	}
	if got := p.post("/oauth2/revoke", url.Values{"token": {refresh}}, basic("wiki", "wrong")); got.status != http.StatusUnauthorized || got.headers["www-authenticate"] == "" {
		t.Errorf("wrong secret: %d", got.status)
	}
	if got := p.userinfo(access); got.status != http.StatusOK {
		t.Fatalf("the grant is gone: %d", got.status)
	}
	if got := p.post("/oauth2/revoke", p.asWiki(url.Values{"token": {refresh}}), nil); got.status != http.StatusOK || got.body != "" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := p.userinfo(access); got.status != http.StatusUnauthorized {
		t.Errorf("userinfo afterwards: %d", got.status)
	}
}

func TestIntrospection(t *testing.T) {
	p := newProvider(t)
	tokens := p.exchange(p.member("ann").code(wikiRequest()))
	got := p.post("/oauth2/introspect", url.Values{"token": {tokens["access_token"].(string)}}, basic("wiki", p.secret))
	if members := got.json(t); got.status != http.StatusOK || members["active"] != true || members["sub"] != "user-ann" {
		t.Errorf("%d %v", got.status, members)
	}
	if got := p.post("/oauth2/introspect", p.asWiki(url.Values{"token": {"unknown"}}), nil); strings.TrimSpace(got.body) != `{"active":false}` {
		t.Errorf("unknown: %s", got.body)
	}
	if got := p.post("/oauth2/introspect", url.Values{"token": {tokens["access_token"].(string)}, "client_id": {"spa"}}, nil); got.status != http.StatusUnauthorized || got.json(t)["error"] != "invalid_client" {
		t.Errorf("a public application: %d %s", got.status, got.body)
	}
}

// ------------------------------------------------------------------------ CORS

func TestUserinfoIsForItsOrigins(t *testing.T) { testCORS(t, "/oauth2/userinfo", "GET, POST") }

func TestPublicApplicationCORS(t *testing.T) {
	t.Run("token", func(t *testing.T) { testCORS(t, "/oauth2/token", "POST") })
	t.Run("revoke", func(t *testing.T) { testCORS(t, "/oauth2/revoke", "POST") })
}

func testCORS(t *testing.T, path, methods string) {
	t.Helper()
	p := newProvider(t)
	p.application(store.Application{ID: "off", Kind: store.KindBrowser, RedirectURIs: []string{"https://off.example.com/"}})
	p.change("off", func(a *store.Application) { a.Enabled = false })
	for _, test := range []struct {
		name, origin string
		allowed      bool
	}{
		{"of a browser application", spaOrigin, true},
		{"of a web application", "https://wiki.example.com", false},
		{"of one that is off", "https://off.example.com", false},
		{"of the service", public, false},
		{"another port", spaOrigin + ":444", false},
		{"http", "http://spa.example.com", false},
		{"more behind it", spaOrigin + ".evil.example", false},
		{"null", "null", false},
		{"none", "", false},
	} {
		for _, method := range []string{"OPTIONS", "POST"} {
			t.Run(test.name+", "+method, func(t *testing.T) {
				got := p.send(request{method: method, path: path, body: "a=b", headers: map[string]string{"Origin": test.origin}}, nil)
				allowed := got.headers["access-control-allow-origin"]
				if test.allowed && allowed != test.origin || !test.allowed && allowed != "" {
					t.Errorf("allows %q", allowed)
				}
				if got.headers["access-control-allow-credentials"] != "" || got.headers["vary"] != "Origin" {
					t.Errorf("%v", got.headers)
				}
				if method != "OPTIONS" {
					return
				}
				wantMethods, wantHeaders := methods, "Authorization, Content-Type"
				if !test.allowed {
					wantMethods, wantHeaders = "", ""
				}
				if got.status != http.StatusNoContent || got.headers["access-control-allow-methods"] != wantMethods || got.headers["access-control-allow-headers"] != wantHeaders {
					t.Errorf("%d %v", got.status, got.headers)
				}
			})
		}
	}
	// A new application works soon.
	p.application(store.Application{ID: "new", Kind: store.KindBrowser, RedirectURIs: []string{"https://new.example.com/"}})
	p.now = p.now.Add(3 * time.Second)
	if got := p.send(request{method: "OPTIONS", path: path, headers: map[string]string{"Origin": "https://new.example.com"}}, nil); got.headers["access-control-allow-origin"] == "" {
		t.Error("a new application's origin is refused")
	}
	p.change("spa", func(a *store.Application) { a.Enabled = false })
	p.now = p.now.Add(11 * time.Second)
	if got := p.send(request{method: "OPTIONS", path: path, headers: map[string]string{"Origin": spaOrigin}}, nil); got.headers["access-control-allow-origin"] != "" {
		t.Error("an application that was switched off is allowed")
	}
}

// No page of another site may read the others.
func TestOtherPathsHaveNoCORS(t *testing.T) {
	p := newProvider(t)
	for _, path := range []string{"/oauth2/authorize", "/oauth2/introspect", "/oauth2/logout", "/oauth2/consent"} {
		for _, method := range []string{"OPTIONS", "GET", "POST"} {
			got := p.send(request{method: method, path: path, body: "a=b", headers: map[string]string{"Origin": spaOrigin}}, nil)
			if got.headers["access-control-allow-origin"] != "" {
				t.Errorf("%s %s allows %s", method, path, got.headers["access-control-allow-origin"])
			}
		}
	}
}

// A browser application signs in, reads and revokes without a secret.
func TestBrowserApplication(t *testing.T) {
	p := newProvider(t)
	headers := map[string]string{"Origin": spaOrigin}
	code := p.member("ann").code(spaRequest())
	got := p.post("/oauth2/token", url.Values{"client_id": {"spa"}, "grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {spaAddress}, "code_verifier": {verifier}}, headers)
	if got.status != http.StatusOK || got.headers["access-control-allow-origin"] != spaOrigin {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if _, query := p.member("ann").get("/oauth2/authorize", spaRequest("code_challenge", "", "code_challenge_method", "")).location(t); query.Get("error") != "invalid_request" {
		t.Errorf("without PKCE: %v", query)
	}
}
