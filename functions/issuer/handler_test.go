package issuer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/functions/issuer"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/metrics/metricstest"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/version"
)

// directory is the published document.
type directory struct {
	mu        sync.Mutex
	published store.PublicKeys
	err       error
	reads     int
}

func (d *directory) PublicKeys(context.Context) (store.PublicKeys, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads++
	return d.published, d.err
}

func (d *directory) publish(t *testing.T, sets ...keys.Set) {
	t.Helper()
	document, err := keys.Public(sets...)
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.published, d.err = store.PublicKeys{Document: document}, nil
}

func (d *directory) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

func function(d *directory, publicURL string) apigw.Function {
	return apigw.New(apigw.Config{
		Handler:   issuer.New(issuer.Config{Directory: d}),
		PublicURL: publicURL,
		Name:      "issuer",
		Logger:    slog.New(slog.DiscardHandler),
	})
}

func event(method, path string) events.APIGatewayV2HTTPRequest {
	return events.APIGatewayV2HTTPRequest{
		RawPath: path,
		Headers: map[string]string{"host": "evil.example", "x-forwarded-host": "evil.example"},
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RequestID:  "request-1",
			DomainName: "abc.execute-api.eu-central-1.amazonaws.com",
			HTTP:       events.APIGatewayV2HTTPRequestContextHTTPDescription{Method: method, Path: path},
		},
	}
}

func makeSet(t *testing.T) keys.Set {
	t.Helper()
	set, err := keys.Generate(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestAnswers(t *testing.T) {
	const discovery = "/.well-known/openid-configuration"
	const server = "/.well-known/oauth-authorization-server"
	const jwks = "/.well-known/jwks.json"
	metadata := func(publicURL string) string {
		golden, err := os.ReadFile("testdata/metadata.json")
		var compact bytes.Buffer
		if err == nil {
			err = json.Compact(&compact, bytes.ReplaceAll(golden, []byte("https://signin.example.com"), []byte(publicURL)))
		}
		if err != nil {
			t.Fatal(err)
		}
		return compact.String() + "\n"
	}
	d := &directory{published: store.PublicKeys{Document: []byte(`{"keys":[]}`)}}
	unpublished := &directory{err: store.ErrNotFound}
	down := &directory{err: errors.New("dynamodb: connection refused")}
	problem := func(title, status, code string) string {
		return `{"title":"` + title + `","status":` + status + `,"code":"` + code + `","requestId":"request-1"}` + "\n"
	}
	tests := []struct {
		name, method, path, publicURL string
		directory                     *directory
		status                        int
		contentType, cache, allow     string
		body                          string
	}{
		{"discovery", "GET", discovery, "https://signin.example.com", d, 200, "application/json", "public, max-age=300", "", metadata("https://signin.example.com")},
		{"discovery of the API's own address", "GET", discovery, "", d, 200, "application/json", "public, max-age=300", "", metadata("https://abc.execute-api.eu-central-1.amazonaws.com")},
		{"discovery does not need the directory", "GET", discovery, "https://signin.example.com", down, 200, "application/json", "public, max-age=300", "", metadata("https://signin.example.com")},
		{"the same document by RFC 8414", "GET", server, "https://signin.example.com", down, 200, "application/json", "public, max-age=300", "", metadata("https://signin.example.com")},
		{"head", "HEAD", discovery, "https://signin.example.com", d, 200, "application/json", "public, max-age=300", "", ""},
		{"keys", "GET", jwks, "https://signin.example.com", d, 200, "application/json", "public, max-age=300", "", `{"keys":[]}`},
		{"keys not published yet", "GET", jwks, "", unpublished, 500, "application/problem+json", "no-store", "", problem("Internal Server Error", "500", "internal")},
		{"keys not readable", "GET", jwks, "", down, 500, "application/problem+json", "no-store", "", problem("Internal Server Error", "500", "internal")},
		{"another method", "POST", jwks, "", d, 405, "application/problem+json", "no-store", "GET, HEAD", problem("Method Not Allowed", "405", "method_not_allowed")},
		{"another path", "GET", "/.well-known/other", "", d, 404, "application/problem+json", "no-store", "", problem("Not Found", "404", "not_found")},
		{"a path below", "GET", jwks + "/", "", d, 404, "application/problem+json", "no-store", "", problem("Not Found", "404", "not_found")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := function(test.directory, test.publicURL)(t.Context(), event(test.method, test.path))
			if err != nil {
				t.Fatal(err)
			}
			type answer struct {
				Status                          int
				ContentType, Cache, Allow, Body string
			}
			want := answer{test.status, test.contentType, test.cache, test.allow, test.body}
			seen := answer{got.StatusCode, got.Headers["content-type"], got.Headers["cache-control"], got.Headers["allow"], got.Body}
			if diff := cmp.Diff(want, seen); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheDirectoryIsReadOnceAMinuteAndOutagesAreBridged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &directory{published: store.PublicKeys{Document: []byte(`{"keys":[1]}`)}}
		serve := function(d, "https://signin.example.com")
		want := func(body string, reads int) {
			t.Helper()
			got, _ := serve(t.Context(), event("GET", "/.well-known/jwks.json"))
			if got.StatusCode != http.StatusOK || got.Body != body || d.reads != reads {
				t.Errorf("got %d %s after %d reads; want %s after %d", got.StatusCode, got.Body, d.reads, body, reads)
			}
		}
		want(`{"keys":[1]}`, 1)
		d.published.Document = []byte(`{"keys":[2]}`)
		time.Sleep(59 * time.Second)
		want(`{"keys":[1]}`, 1)
		time.Sleep(2 * time.Second)
		want(`{"keys":[2]}`, 2)
		d.fail(errors.New("down"))
		time.Sleep(time.Hour)
		want(`{"keys":[2]}`, 3)
	})
}

// serve puts the function behind a real listener, as the gateway does.
func serve(t *testing.T, d *directory) *httptest.Server {
	t.Helper()
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := function(d, server.URL)(r.Context(), event(r.Method, r.URL.Path))
		if err != nil {
			t.Error(err)
		}
		for name, value := range got.Headers {
			w.Header().Set(name, value)
		}
		w.WriteHeader(got.StatusCode)
		_, _ = io.WriteString(w, got.Body)
	}))
	t.Cleanup(server.Close)
	return server
}

// An outsider's library must accept our tokens with what the issuer says alone,
// also from a client that read the keys before a rotation.
func TestAStandardClientVerifiesOurTokens(t *testing.T) {
	d := &directory{}
	server := serve(t, d)
	set := makeSet(t)
	d.publish(t, set)

	provider, err := oidc.NewProvider(t.Context(), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	const audience = "https://app.example.com"
	verifier := provider.VerifierContext(t.Context(), &oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{oidc.RS256}})
	remote := oidc.NewRemoteKeySet(t.Context(), server.URL+"/.well-known/jwks.json")

	mint := func(set keys.Set, change func(*keys.AccessTokenClaims)) string {
		minter := keys.NewMinter(keys.MinterConfig{Load: func(context.Context) (string, error) { return set.Encode() }})
		claims := keys.AccessTokenClaims{
			Issuer: server.URL, Audience: keys.Audience{audience}, Subject: "01user",
			Member: map[string]any{"name": "张三", "wecom_userid": "ZhangSan"},
		}
		if change != nil {
			change(&claims)
		}
		token, _, err := minter.Mint(t.Context(), claims, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	accepted := func(what, token string) {
		t.Helper()
		got, err := verifier.Verify(t.Context(), token)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		var claims struct {
			Subject     string `json:"sub"`
			WeComUserID string `json:"wecom_userid"`
		}
		if err := got.Claims(&claims); err != nil || claims.Subject != "01user" || claims.WeComUserID != "ZhangSan" {
			t.Errorf("%s: claims of %q, %v", what, claims.Subject, err)
		}
		if _, err := remote.VerifySignature(t.Context(), token); err != nil {
			t.Errorf("%s: remote key set: %v", what, err)
		}
	}
	accepted("current key", mint(set, nil))

	fresh, err := keys.NewKey(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	rotated := keys.Rotate(set, fresh)
	d.publish(t, rotated)
	accepted("a token from before the rotation", mint(set, nil))
	accepted("a token from after the rotation", mint(rotated, nil))

	refused := map[string]string{
		"another audience": mint(rotated, func(c *keys.AccessTokenClaims) { c.Audience = keys.Audience{"https://other.example.com"} }),
		"another issuer":   mint(rotated, func(c *keys.AccessTokenClaims) { c.Issuer = "https://evil.example" }),
		"a key of nobody":  mint(makeSet(t), nil),
	}
	for what, token := range refused {
		if _, err := verifier.Verify(t.Context(), token); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

// A monitor sees whether rotation goes on: by the date of the keys, or by the metric.
func TestKeysAreDated(t *testing.T) {
	published := time.Date(2026, 11, 1, 9, 30, 0, 0, time.FixedZone("", 8*3600))
	for _, test := range []struct {
		name      string
		published store.PublicKeys
		path      string
		date      string
		measured  []string
	}{
		{
			"keys",
			store.PublicKeys{Document: []byte(`{"keys":[]}`), UpdatedAt: published},
			"/.well-known/jwks.json",
			"Sun, 01 Nov 2026 01:30:00 GMT",
			[]string{"WeComSignIn SigningKeyAge{Service=s} 20.44 None"},
		},
		{"keys of an unknown time", store.PublicKeys{Document: []byte(`{"keys":[]}`)}, "/.well-known/jwks.json", "", nil},
		{"discovery", store.PublicKeys{UpdatedAt: published}, "/.well-known/openid-configuration", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			now := func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }
			serve := apigw.New(apigw.Config{
				Handler: issuer.New(issuer.Config{Directory: &directory{published: test.published}, Now: now}),
				Name:    "issuer", Service: "s", Logger: slog.New(slog.NewJSONHandler(&log, nil)), Now: now,
			})
			got, err := serve(t.Context(), event("GET", test.path))
			if err != nil {
				t.Fatal(err)
			}
			if date := got.Headers["last-modified"]; date != test.date {
				t.Errorf("Last-Modified is %q, want %q", date, test.date)
			}
			measured, err := metricstest.Read(log.Bytes())
			if diff := cmp.Diff(test.measured, measured); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestVersionIsToldByTheMetadataAlone(t *testing.T) {
	d := &directory{published: store.PublicKeys{Document: []byte(`{"keys":[]}`)}}
	for path, want := range map[string]string{
		"/.well-known/openid-configuration":       version.Version,
		"/.well-known/oauth-authorization-server": version.Version,
		"/.well-known/jwks.json":                  "",
		"/.well-known/other":                      "",
	} {
		got, _ := function(d, "https://signin.example.com")(t.Context(), event("GET", path))
		if told := got.Headers["wecom-signin-version"]; told != want {
			t.Errorf("%s tells version %q, want %q", path, told, want)
		}
	}
}

// Every page may read what anybody may, and no browser is told to send cookies along.
func TestEveryOriginMayReadMetadataAndKeys(t *testing.T) {
	d := &directory{published: store.PublicKeys{Document: []byte(`{"keys":[]}`)}}
	for path, want := range map[string]string{
		"/.well-known/openid-configuration":       "*",
		"/.well-known/oauth-authorization-server": "*",
		"/.well-known/jwks.json":                  "*",
		"/.well-known/other":                      "",
	} {
		got, _ := function(d, "https://signin.example.com")(t.Context(), event("GET", path))
		if origin := got.Headers["access-control-allow-origin"]; origin != want || got.Headers["access-control-allow-credentials"] != "" {
			t.Errorf("%s allows %q, want %q", path, origin, want)
		}
	}
}
