package gateway_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/local/gateway"
	"github.com/wecom-signin/wecom-signin/infra/samtemplate"
)

type (
	request  = events.APIGatewayV2HTTPRequest
	response = events.APIGatewayV2HTTPResponse
	question = events.APIGatewayV2CustomAuthorizerV2Request
	verdict  = events.APIGatewayV2CustomAuthorizerSimpleResponse
)

var update = flag.Bool("update", false, "write the golden files anew")

// withRealRoutes has the routes of template.yaml, behind which every function tells what it was given.
func withRealRoutes(t *testing.T, authorizer gateway.Authorizer, seen func(function string, event request)) *gateway.Gateway {
	t.Helper()
	template, err := samtemplate.ReadFile("../../../template.yaml")
	must(t, err)
	functions := map[string]gateway.Function{}
	for _, route := range template.Routes {
		functions[route.Function] = func(_ context.Context, event request) (response, error) {
			seen(route.Function, event)
			return response{StatusCode: 200}, nil
		}
	}
	g, err := gateway.New(gateway.Config{
		Template: template, Functions: functions, Authorizers: map[string]gateway.Authorizer{"AuthorizerFunction": authorizer},
		Now: func() time.Time { return time.Date(2026, 11, 21, 9, 30, 0, 5e8, time.FixedZone("", 3600)) },
	})
	must(t, err)
	return g
}

// small is one public and one guarded function.
func small() *samtemplate.Template {
	return &samtemplate.Template{
		Functions: map[string]samtemplate.Function{
			"Public":  {Timeout: 2 * time.Second},
			"Guarded": {Timeout: 2 * time.Second},
			"Guard":   {Timeout: 2 * time.Second},
		},
		Authorizers: map[string]samtemplate.Authorizer{"Key": {Function: "Guard", Headers: []string{"Authorization"}}},
		Routes: []samtemplate.Route{
			{Function: "Public"},
			{Method: "GET", Path: "/public", Function: "Public"},
			{Method: "ANY", Path: "/guarded/{proxy+}", Function: "Guarded", Authorizer: "Key"},
		},
	}
}

func text(body string) gateway.Function {
	return func(context.Context, request) (response, error) { return response{StatusCode: 200, Body: body}, nil }
}

func allow(context.Context, question) (verdict, error) {
	return verdict{IsAuthorized: true}, nil
}

func newGateway(t testing.TB, cfg gateway.Config) *gateway.Gateway {
	t.Helper()
	if cfg.Template == nil {
		cfg.Template = small()
	}
	if cfg.Functions == nil {
		cfg.Functions = map[string]gateway.Function{}
	}
	for _, id := range []string{"Public", "Guarded"} {
		if cfg.Functions[id] == nil {
			cfg.Functions[id] = text(id)
		}
	}
	if cfg.Authorizers == nil {
		cfg.Authorizers = map[string]gateway.Authorizer{"Guard": allow}
	}
	g, err := gateway.New(cfg)
	must(t, err)
	return g
}

// publicGateway has a function at /public.
func publicGateway(t testing.TB, function gateway.Function) *gateway.Gateway {
	t.Helper()
	return newGateway(t, gateway.Config{Functions: map[string]gateway.Function{"Public": function}})
}

// send writes a request as it stands on the wire and returns the answer.
func send(t testing.TB, handler http.Handler, wire string) (status int, header http.Header, body string) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(wire, "\n", "\r\n"))))
	if err != nil {
		t.Fatalf("read request: %v", err)
	}
	r.RemoteAddr = "203.0.113.9:50000"
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code, w.Header(), w.Body.String()
}

func TestRoutes(t *testing.T) {
	type seen struct {
		Function, Route string
		Parameters      map[string]string
	}
	var got seen
	g := withRealRoutes(t, allow, func(function string, event request) { got = seen{function, event.RouteKey, event.PathParameters} })
	tests := []struct {
		method, path string
		want         seen
	}{
		{"GET", "/signin", seen{"SigninFunction", "GET /signin", nil}},
		{"HEAD", "/signin", seen{"SigninFunction", "$default", nil}},
		{"POST", "/signin", seen{"SigninFunction", "POST /signin", nil}},
		{"PUT", "/signin", seen{"SigninFunction", "$default", nil}},
		{"GET", "/signin/", seen{"SigninFunction", "$default", nil}},
		{"GET", "/signin?error=x", seen{"SigninFunction", "GET /signin", nil}},
		{"GET", "/", seen{"SigninFunction", "$default", nil}},
		{"GET", "/any/path", seen{"SigninFunction", "$default", nil}},
		{"GET", "/WW_verify_0123456789abcdef.txt", seen{"SigninFunction", "$default", nil}},
		{"GET", "/authorize/corp-one", seen{"AuthorizeFunction", "GET /authorize/{authenticator}", map[string]string{"authenticator": "corp-one"}}},
		{"GET", "/authorize/a%20b", seen{"AuthorizeFunction", "GET /authorize/{authenticator}", map[string]string{"authenticator": "a b"}}},
		{"GET", "/authorize/a%2Fb", seen{"AuthorizeFunction", "GET /authorize/{authenticator}", map[string]string{"authenticator": "a/b"}}},
		{"GET", "/authorize/%61", seen{"AuthorizeFunction", "GET /authorize/{authenticator}", map[string]string{"authenticator": "a"}}},
		{"GET", "/authorize/", seen{"SigninFunction", "$default", nil}},
		{"GET", "/authorize", seen{"SigninFunction", "$default", nil}},
		{"GET", "/authorize/a/b", seen{"SigninFunction", "$default", nil}},
		{"GET", "/callback/corp?code=1&state=2", seen{"CallbackFunction", "GET /callback/{authenticator}", map[string]string{"authenticator": "corp"}}},
		{"POST", "/callback/corp", seen{"SigninFunction", "$default", nil}},
		{"GET", "/api/session", seen{"SigninFunction", "GET /api/session", nil}},
		{"OPTIONS", "/api/session", seen{"SigninFunction", "OPTIONS /api/session", nil}},
		{"DELETE", "/api/session", seen{"SigninFunction", "ANY /api/{proxy+}", map[string]string{"proxy": "session"}}},
		{"GET", "/api/session/", seen{"SigninFunction", "ANY /api/{proxy+}", map[string]string{"proxy": "session/"}}},
		{"GET", "/api/", seen{"SigninFunction", "$default", nil}},
		{"GET", "/api/admin", seen{"SigninFunction", "ANY /api/{proxy+}", map[string]string{"proxy": "admin"}}},
		{"GET", "/api/admin/users", seen{"AdminFunction", "ANY /api/admin/{proxy+}", map[string]string{"proxy": "users"}}},
		{"PATCH", "/api/admin/users/1/x", seen{"AdminFunction", "ANY /api/admin/{proxy+}", map[string]string{"proxy": "users/1/x"}}},
		{"DELETE", "/api/admin/users/1/identities/corp/a%2Fb", seen{"AdminFunction", "ANY /api/admin/{proxy+}", map[string]string{"proxy": "users/1/identities/corp/a/b"}}},
		{"GET", "/api/%61dmin/users%2F1", seen{"AdminFunction", "ANY /api/admin/{proxy+}", map[string]string{"proxy": "users/1"}}},
		{"GET", "//api/admin/users", seen{"SigninFunction", "$default", nil}},
		{"GET", "/API/admin/users", seen{"SigninFunction", "$default", nil}},
		{"GET", "/console", seen{"AdminFunction", "GET /console", nil}},
		{"GET", "/.well-known/jwks.json", seen{"IssuerFunction", "GET /.well-known/jwks.json", nil}},
		{"GET", "/.well-known/openid-configuration", seen{"IssuerFunction", "GET /.well-known/openid-configuration", nil}},
		{"GET", "/.well-known/other", seen{"SigninFunction", "$default", nil}},
		{"GET", "/auto-login.js", seen{"SigninFunction", "GET /auto-login.js", nil}},
	}
	for _, test := range tests {
		got = seen{}
		status, _, body := send(t, g, test.method+" "+test.path+" HTTP/1.1\nHost: signin.example.com\nAuthorization: Bearer x\n\n")
		if diff := cmp.Diff(test.want, got); diff != "" || status != 200 {
			t.Errorf("%s %s: %d %s\n%s", test.method, test.path, status, body, diff)
		}
	}
}

// The golden events are what a function in AWS would be given.
func TestEvents(t *testing.T) {
	tests := map[string]string{
		"get": `GET /callback/corp?code=a%2Fb&state=S&x=1&x=2 HTTP/1.1
Host: signin.example.com
User-Agent: Mozilla/5.0 wxwork/4.1
Cookie: one=1; two=a=b
Cookie: three=3
X-Many: a
X-Many: b
X-Forwarded-For: 198.51.100.1
X-Forwarded-Proto: gopher
Connection: keep-alive

`,
		"decoded_path": "GET /50%25/a%3Fb%2Fc/%E4%B8%AD?redirect=%2Fa%3Fb&&flag HTTP/1.1\nHost: localhost:3000\n\n",
		"post_json":    "POST /api/token HTTP/1.1\nHost: signin.example.com\nContent-Type: application/json; charset=utf-8\nContent-Length: 11\n\n{\"a\":\"中\"}",
		"post_form":    "POST /api/signout HTTP/1.1\nHost: signin.example.com\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 3\n\na=b",
		"post_binary":  "POST /api/token HTTP/1.1\nHost: signin.example.com\nContent-Type: text/plain\nTransfer-Encoding: chunked\n\n2\n\xff\xfe\n0\n\n",
		"guarded":      "PATCH /api/admin/users/1 HTTP/1.1\nHost: signin.example.com\nAuthorization: Bearer key\n\n",
	}
	var got request
	var asked question
	authorizer := func(_ context.Context, q question) (verdict, error) {
		asked = q
		return verdict{IsAuthorized: true, Context: map[string]any{"caller": "user", "version": int64(7)}}, nil
	}
	g := withRealRoutes(t, authorizer, func(_ string, event request) { got = event })
	for name, wire := range tests {
		t.Run(name, func(t *testing.T) {
			_, header, _ := send(t, g, wire)
			if id := header.Get("Apigw-Requestid"); id == "" || id != got.RequestContext.RequestID {
				t.Errorf("request id %q in the answer, %q in the event", id, got.RequestContext.RequestID)
			}
			got.RequestContext.RequestID = "REQUESTID"
			golden(t, name, got)
			if name == "guarded" {
				asked.RequestContext.RequestID = "REQUESTID"
				golden(t, "guarded_question", asked)
			}
		})
	}
}

func golden(t *testing.T, name string, value any) {
	t.Helper()
	got, err := json.MarshalIndent(value, "", "  ")
	must(t, err)
	got = append(got, '\n')
	path := filepath.Join("testdata", name+".json")
	if *update {
		must(t, os.WriteFile(path, got, 0o600))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s:\n%s", path, diff)
	}
}

func TestAnswers(t *testing.T) {
	broken := `{"message":"Internal Server Error"}`
	tests := []struct {
		name, method string
		answer       response
		err          error
		wantStatus   int
		wantHeader   http.Header // those that matter
		wantBody     string
	}{
		{"text", "GET", response{StatusCode: 200, Body: "hello"}, nil, 200, http.Header{"Content-Type": {"text/plain; charset=utf-8"}, "Content-Length": {"5"}}, "hello"},
		{
			"headers and cookies", "GET",
			response{
				StatusCode: 302, Headers: map[string]string{"location": "https://a.example/", "vary": "Origin"},
				MultiValueHeaders: map[string][]string{"link": {"<a>", "<b>"}}, Cookies: []string{"a=1; Secure", "b=2"},
			},
			nil, 302,
			http.Header{"Location": {"https://a.example/"}, "Vary": {"Origin"}, "Link": {"<a>", "<b>"}, "Set-Cookie": {"a=1; Secure", "b=2"}, "Content-Type": nil},
			"",
		},
		{
			"base64", "GET",
			response{StatusCode: 200, Headers: map[string]string{"content-type": "image/png"}, Body: "//4=", IsBase64Encoded: true},
			nil,
			200,
			http.Header{"Content-Type": {"image/png"}, "Content-Length": {"2"}},
			"\xff\xfe",
		},
		{"no content", "GET", response{StatusCode: 204, Body: "x"}, nil, 204, http.Header{"Content-Length": nil}, ""},
		{"HEAD", "HEAD", response{StatusCode: 200, Body: "hello"}, nil, 200, nil, ""},
		{
			"length and connection are the gateway's", "GET",
			response{StatusCode: 200, Headers: map[string]string{"Content-Length": "99", "connection": "close", "Transfer-Encoding": "x"}, Body: "a"},
			nil,
			200,
			http.Header{"Content-Length": {"1"}, "Connection": nil, "Transfer-Encoding": nil},
			"a",
		},
		{"error", "GET", response{StatusCode: 200, Body: "x"}, errors.New("secret cause"), 500, nil, broken},
		{"no status", "GET", response{Body: "x"}, nil, 500, nil, broken},
		{"informational status", "GET", response{StatusCode: 101}, nil, 500, nil, broken},
		{"broken base64", "GET", response{StatusCode: 200, Body: "?", IsBase64Encoded: true}, nil, 500, nil, broken},
		{
			"split header", "GET",
			response{StatusCode: 302, Headers: map[string]string{"location": "/\r\nSet-Cookie: a=b"}},
			nil,
			500,
			http.Header{"Location": nil, "Set-Cookie": nil},
			broken,
		},
		{"too large", "GET", response{StatusCode: 200, Body: strings.Repeat("x", 6<<20+1)}, nil, 500, nil, broken},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := publicGateway(t, func(context.Context, request) (response, error) { return test.answer, test.err })
			status, header, body := send(t, g, test.method+" /public HTTP/1.1\nHost: a.example\n\n")
			if status != test.wantStatus || body != test.wantBody {
				t.Errorf("got %d %.80q", status, body)
			}
			for name, want := range test.wantHeader {
				if diff := cmp.Diff(want, header[name]); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		})
	}
}

func TestPanicIs500AndLeaksNothing(t *testing.T) {
	g := publicGateway(t, func(context.Context, request) (response, error) { panic("secret cause") })
	status, _, body := send(t, g, "GET /public HTTP/1.1\nHost: a.example\n\n")
	if status != 500 || body != `{"message":"Internal Server Error"}` {
		t.Errorf("got %d %s", status, body)
	}
}

func TestAuthorizer(t *testing.T) {
	tests := []struct {
		name, header string
		answer       func() (verdict, error)
		wantStatus   int
		wantBody     string
	}{
		{"yes", "Authorization: Bearer k\n", func() (verdict, error) { return verdict{IsAuthorized: true}, nil }, 200, "Guarded"},
		{"no header", "", func() (verdict, error) { return verdict{IsAuthorized: true}, nil }, 401, `{"message":"Unauthorized"}`},
		{"empty header", "Authorization:\n", func() (verdict, error) { return verdict{IsAuthorized: true}, nil }, 401, `{"message":"Unauthorized"}`},
		{"no", "Authorization: x\n", func() (verdict, error) { return verdict{}, nil }, 403, `{"message":"Forbidden"}`},
		{"yes with an error", "Authorization: x\n", func() (verdict, error) { return verdict{IsAuthorized: true}, errors.New("x") }, 403, `{"message":"Forbidden"}`},
		{"panic", "Authorization: x\n", func() (verdict, error) { panic("x") }, 403, `{"message":"Forbidden"}`},
		{"yes with a context that is no JSON", "Authorization: x\n", func() (verdict, error) {
			return verdict{IsAuthorized: true, Context: map[string]any{"f": func() {}}}, nil
		}, 403, `{"message":"Forbidden"}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := newGateway(t, gateway.Config{Authorizers: map[string]gateway.Authorizer{
				"Guard": func(context.Context, question) (verdict, error) { return test.answer() },
			}})
			status, _, body := send(t, g, "DELETE /guarded/x HTTP/1.1\nHost: a.example\n"+test.header+"\n")
			if status != test.wantStatus || body != test.wantBody {
				t.Errorf("got %d %s", status, body)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	g := newGateway(t, gateway.Config{})
	tests := []struct {
		name, wire string
		want       int
	}{
		{"headers", "GET /public HTTP/1.1\nHost: a.example\nCookie: a=" + strings.Repeat("x", 10_240) + "\n\n", 431},
		{"address", "GET /public?" + strings.Repeat("x", 10_240) + " HTTP/1.1\nHost: a.example\n\n", 431},
		{"announced body", "POST /public HTTP/1.1\nHost: a.example\nContent-Length: 10485761\n\n", 413},
		{"broken body", "POST /public HTTP/1.1\nHost: a.example\nContent-Length: 10\n\nshort", 400},
		{"no path", "OPTIONS * HTTP/1.1\nHost: a.example\n\n", 400},
		{"all is well", "GET /public HTTP/1.1\nHost: a.example\nCookie: a=" + strings.Repeat("x", 10_000) + "\n\n", 200},
	}
	for _, test := range tests {
		if status, _, body := send(t, g, test.wire); status != test.want {
			t.Errorf("%s: got %d %s", test.name, status, body)
		}
	}
}

func TestNoRouteAndNoDefault(t *testing.T) {
	template := small()
	template.Routes = template.Routes[1:]
	g := newGateway(t, gateway.Config{Template: template})
	status, _, body := send(t, g, "GET /other HTTP/1.1\nHost: a.example\n\n")
	if status != 404 || body != `{"message":"Not Found"}` {
		t.Errorf("got %d %s", status, body)
	}
}

func TestTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan struct{})
		g := publicGateway(t, func(ctx context.Context, _ request) (response, error) {
			defer close(ended)
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != 2*time.Second {
				t.Errorf("deadline %v %v", deadline, ok)
			}
			<-ctx.Done()
			return response{StatusCode: 200}, nil
		})
		started := time.Now()
		status, _, body := send(t, g, "GET /public HTTP/1.1\nHost: a.example\n\n")
		if status != 503 || body != `{"message":"Service Unavailable"}` || time.Since(started) != 2*time.Second {
			t.Errorf("got %d %s after %s", status, body, time.Since(started))
		}
		<-ended
	})
}

// A member closes WeCom's webview while the code is being spent: the exchange ends
// as if they had stayed.
func TestFunctionGoesOnWhenTheVisitorLeaves(t *testing.T) {
	started, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	g := publicGateway(t, func(ctx context.Context, _ request) (response, error) {
		close(started)
		<-release
		ended <- ctx.Err()
		return response{StatusCode: 200}, nil
	})
	server := httptest.NewServer(g)
	defer server.Close()
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	must(t, err)
	if _, err := io.WriteString(connection, "GET /public HTTP/1.1\r\nHost: a.example\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-started
	must(t, connection.Close())
	stop := make(chan error, 1)
	go func() { stop <- g.Shutdown(context.WithoutCancel(t.Context())) }()
	select {
	case err := <-stop:
		t.Fatalf("shutdown did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	if err := <-ended; err != nil {
		t.Errorf("the function's context ended: %v", err)
	}
	if err := <-stop; err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if status, _, _ := send(t, g, "GET /public HTTP/1.1\nHost: a.example\n\n"); status != 503 {
		t.Errorf("after shutdown: %d", status)
	}
}

func TestShutdownGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		g := publicGateway(t, func(context.Context, request) (response, error) {
			<-release
			return response{StatusCode: 200}, nil
		})
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/public", nil)
		go g.ServeHTTP(httptest.NewRecorder(), r)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		close(release)
	})
}

func TestNewReportsAllFaults(t *testing.T) {
	template := small()
	template.Routes = append(template.Routes, samtemplate.Route{Method: "GET", Path: "/x", Function: "Public", Authorizer: "Nobody"})
	_, err := gateway.New(gateway.Config{Template: template, Functions: map[string]gateway.Function{"Public": text(""), "Spare": text("")}})
	for _, want := range []string{"no function Guarded", "no function Guard\n", "function Spare has no route", "no authorizer Nobody"} {
		if err == nil || !strings.Contains(err.Error()+"\n", want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func BenchmarkGateway(b *testing.B) {
	g := newGateway(b, gateway.Config{})
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/public?code=c&state=s", nil)
	r.Header.Set("Cookie", "a=1; b=2")
	r.Header.Set("User-Agent", "Mozilla/5.0 wxwork/4.1")
	b.ReportAllocs()
	for b.Loop() {
		g.ServeHTTP(httptest.NewRecorder(), r)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("/a%2Fb?x=1", "text/plain", []byte("body"), "a=1; b")
	f.Add("/%25", "application/json", []byte("\xff"), ";;=")
	f.Add("/.//%5C..%2f", "", []byte(""), "\x00")
	g := newGateway(f, gateway.Config{Functions: map[string]gateway.Function{
		"Public": func(_ context.Context, event request) (response, error) {
			_, err := json.Marshal(event)
			return response{StatusCode: 200}, err
		},
		"Guarded": func(context.Context, request) (response, error) { panic("reached without authorization") },
	}})
	f.Fuzz(func(t *testing.T, target, contentType string, body []byte, cookie string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://a.example/", strings.NewReader(string(body)))
		must(t, err)
		u, err := r.URL.Parse(target)
		if err != nil || u.Host != "a.example" || !strings.HasPrefix(u.Path, "/") {
			return // no target that a client could ask this host for
		}
		r.URL = u
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Cookie", cookie)
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if w.Code >= 500 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
