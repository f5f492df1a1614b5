package apigw

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
)

// goldenEvent is an event of payload 2.0 as API Gateway sends it.
const goldenEvent = `{
  "version": "2.0",
  "routeKey": "GET /callback/{authenticator}",
  "rawPath": "/callback/demo",
  "rawQueryString": "code=secret-code&state=secret-state",
  "cookies": ["a=1", "b=2"],
  "headers": {"accept-language": "zh-CN,zh;q=0.9", "user-agent": "wxwork/4.1", "x-twice": "1,2", "host": "attacker.example"},
  "pathParameters": {"authenticator": "demo"},
  "requestContext": {
    "domainName": "signin.example.com", "requestId": "request-1", "routeKey": "GET /callback/{authenticator}", "stage": "$default",
    "http": {"method": "GET", "path": "/callback/demo", "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9", "userAgent": "wxwork/4.1"}
  },
  "isBase64Encoded": false
}`

func event(t *testing.T, change func(*events.APIGatewayV2HTTPRequest)) events.APIGatewayV2HTTPRequest {
	t.Helper()
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal([]byte(goldenEvent), &e); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&e)
	}
	return e
}

func serve(t *testing.T, cfg Config, e events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, string) {
	t.Helper()
	var log bytes.Buffer
	cfg.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	response, err := New(cfg)(t.Context(), e)
	if err != nil {
		t.Fatalf("the function returned an error, so the gateway would answer in its own words: %v", err)
	}
	return response, log.String()
}

func TestRequestIsCompleted(t *testing.T) {
	var got *http.Request
	var body []byte
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	})
	serve(t, Config{Handler: handler}, event(t, func(e *events.APIGatewayV2HTTPRequest) {
		e.RequestContext.HTTP.Method = "POST"
		e.Body, e.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte{0xff, 0x00, 'x'}), true
		e.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{
			Lambda: map[string]any{"caller": "admin-key"},
		}
	}))
	for _, check := range []struct{ name, got, want string }{
		{"method", got.Method, "POST"},
		{"path", got.URL.Path, "/callback/demo"},
		{"query", got.URL.RawQuery, "code=secret-code&state=secret-state"},
		{"path value", got.PathValue("authenticator"), "demo"},
		{"cookies", got.Header.Get("Cookie"), "a=1; b=2"},
		{"agent", got.UserAgent(), "wxwork/4.1"},
		{"host is the one the gateway matched", got.Host, "signin.example.com"},
		{"source address", got.RemoteAddr, "203.0.113.9"},
		{"request id", RequestID(got.Context()), "request-1"},
		{"public url", PublicURL(got.Context()), "https://signin.example.com"},
		{"body", string(body), "\xff\x00x"},
	} {
		if check.got != check.want {
			t.Errorf("%s = %q, want %q", check.name, check.got, check.want)
		}
	}
	if caller, err := CallerOf(got.Context()); err != nil || caller != AdminKeyCaller() {
		t.Errorf("caller = %+v, %v", caller, err)
	}
}

func TestPathIsTakenAsItIs(t *testing.T) {
	// The gateway decodes: what looks like syntax in the result is a character.
	for _, path := range []string{"/50%", "/a?b", "/a#b", "/a b", "//evil.example/x", "/%zz", "/a/../b", "/你好"} {
		t.Run(path, func(t *testing.T) {
			var got string
			handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.URL.Path })
			serve(t, Config{Handler: handler}, event(t, func(e *events.APIGatewayV2HTTPRequest) { e.RawPath = path }))
			if got != path {
				t.Fatalf("path = %q", got)
			}
		})
	}
}

func TestResponse(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "a=1; Path=/")
		w.Header().Add("Set-Cookie", "b=2; Path=/")
		w.Header().Add("Vary", "Origin")
		w.Header().Add("Vary", "Accept-Language")
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "made")
	})
	got, _ := serve(t, Config{Handler: handler, PublicURL: "https://signin.example.com"}, event(t, nil))
	want := events.APIGatewayV2HTTPResponse{
		StatusCode: 201,
		Headers: map[string]string{
			"vary": "Origin, Accept-Language", "content-type": "text/plain", "cache-control": "no-store",
			"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "x-frame-options": "DENY",
			"content-security-policy":   "default-src 'none'; frame-ancestors 'none'",
			"strict-transport-security": "max-age=31536000",
		},
		Cookies: []string{"a=1; Path=/", "b=2; Path=/"},
		Body:    "made",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestBinaryBodyIsEncodedAndHeadHasNone(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0xff, 0xfe}) })
	got, _ := serve(t, Config{Handler: handler}, event(t, nil))
	if !got.IsBase64Encoded || got.Body != "//4=" {
		t.Fatalf("body = %q, encoded %v", got.Body, got.IsBase64Encoded)
	}
	got, _ = serve(t, Config{Handler: handler}, event(t, func(e *events.APIGatewayV2HTTPRequest) { e.RequestContext.HTTP.Method = "HEAD" }))
	if got.Body != "" {
		t.Fatalf("HEAD has a body: %q", got.Body)
	}
}

func TestErrorsAreAnsweredWithoutTheirCause(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.1: connection refused")
	for _, test := range []struct {
		name   string
		err    error
		status int
		body   string
	}{
		{
			"a field", &apierr.Error{Code: apierr.InvalidRequest, Field: "phone", Detail: "Not a telephone number.", Err: cause}, 400,
			`{"title":"Bad Request","status":400,"code":"invalid_request","detail":"Not a telephone number.","field":"phone","requestId":"request-1"}`,
		},
		{
			"an unknown error", cause, 500,
			`{"title":"Internal Server Error","status":500,"code":"internal","requestId":"request-1"}`,
		},
		{
			"a detail of our own failure", &apierr.Error{Code: apierr.Internal, Detail: "table Directory-1 is throttled", Err: cause}, 500,
			`{"title":"Internal Server Error","status":500,"code":"internal","requestId":"request-1"}`,
		},
		{
			"a conflict", &apierr.Error{Code: apierr.AutoLoginTaken, Detail: "demo has automatic login."}, 409,
			`{"title":"Conflict","status":409,"code":"auto_login_taken","detail":"demo has automatic login.","requestId":"request-1"}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			response, log := serve(t, Config{Handler: JSON(func(http.ResponseWriter, *http.Request) error { return test.err })}, event(t, nil))
			if response.StatusCode != test.status || strings.TrimSpace(response.Body) != test.body {
				t.Fatalf("%d %s", response.StatusCode, response.Body)
			}
			if response.Headers["content-type"] != "application/problem+json" {
				t.Fatalf("content type %q", response.Headers["content-type"])
			}
			if apierr.From(test.err).Err != nil && !strings.Contains(log, "connection refused") {
				t.Fatalf("the operator does not see the cause: %s", log)
			}
		})
	}
}

func TestBrowserErrorsAreRedirectedToThePageThatExplainsThem(t *testing.T) {
	err := apierr.Newf(apierr.PhoneInUse, "zhangsan and lisi")
	errorURL := func(publicURL, requestID string, failure error) string {
		return publicURL + "/signin?error=" + string(apierr.From(failure).Code) + "&request=" + requestID
	}
	response, _ := serve(t, Config{Handler: Browser(func(http.ResponseWriter, *http.Request) error { return err }, errorURL)}, event(t, nil))
	want := "https://signin.example.com/signin?error=phone_in_use&request=request-1"
	if response.StatusCode != 302 || response.Headers["location"] != want {
		t.Fatalf("%d %s", response.StatusCode, response.Headers["location"])
	}
}

// A program that asks for JSON is told that the member is not allowed; a browser sees the page.
func TestNotAllowedIsAnsweredAsAsked(t *testing.T) {
	handler := Browser(func(http.ResponseWriter, *http.Request) error { return apierr.New(apierr.NotAllowed, nil) },
		func(string, string, error) string { return "/signin?error=not_allowed" })
	for accept, want := range map[string]int{"application/json": 403, "": 302, "text/html,application/xhtml+xml,*/*;q=0.8": 302} {
		response, _ := serve(t, Config{Handler: handler}, event(t, func(e *events.APIGatewayV2HTTPRequest) {
			e.Headers = map[string]string{"accept": accept}
		}))
		if response.StatusCode != want || want == 403 && !strings.Contains(response.Body, `"code":"not_allowed"`) {
			t.Errorf("Accept %q: %d %s", accept, response.StatusCode, response.Body)
		}
	}
}

func TestPanicBecomesAnAnswer(t *testing.T) {
	panicking := func(http.ResponseWriter, *http.Request) error { panic("secret of ours") }
	response, log := serve(t, Config{Handler: JSON(panicking)}, event(t, nil))
	if response.StatusCode != 500 || strings.Contains(response.Body, "ours") {
		t.Fatalf("%d %s", response.StatusCode, response.Body)
	}
	if !strings.Contains(log, "apigw_test.go") {
		t.Fatal("the log does not say where it happened")
	}
}

func TestOversizedBodyIsRefusedBeforeTheHandler(t *testing.T) {
	handler := JSON(func(http.ResponseWriter, *http.Request) error { t.Error("handler ran"); return nil })
	response, _ := serve(t, Config{Handler: handler, MaxBody: 4}, event(t, func(e *events.APIGatewayV2HTTPRequest) {
		e.RequestContext.HTTP.Method, e.Body = "POST", "12345"
	}))
	if response.StatusCode != 413 || !strings.Contains(response.Body, `"code":"payload_too_large"`) {
		t.Fatalf("%d %s", response.StatusCode, response.Body)
	}
}

// Attack: send a body that has no meaning, so that the request fails before the handler
// sees it.
func TestBodyOfAReadIsNotLookedAt(t *testing.T) {
	for _, method := range []string{"GET", "HEAD"} {
		var got []byte
		asked := false
		handler := JSON(func(_ http.ResponseWriter, r *http.Request) error {
			asked = true
			got, _ = io.ReadAll(r.Body)
			return nil
		})
		response, _ := serve(t, Config{Handler: handler, MaxBody: 4}, event(t, func(e *events.APIGatewayV2HTTPRequest) {
			e.RequestContext.HTTP.Method, e.Body, e.IsBase64Encoded = method, "%%% no base64", true
		}))
		if response.StatusCode != 200 || !asked || len(got) > 0 {
			t.Errorf("%s: %d, the handler was asked: %v, with %q", method, response.StatusCode, asked, got)
		}
	}
}

func TestLogHoldsNoQueryCookieOrPath(t *testing.T) {
	handler := JSON(func(_ http.ResponseWriter, r *http.Request) error {
		LogField(r.Context(), "authenticator", "demo")
		return nil
	})
	_, log := serve(t, Config{Handler: handler, Name: "callback"}, event(t, nil))
	for _, secret := range []string{"secret-code", "secret-state", "a=1", "/callback/demo"} {
		if strings.Contains(log, secret) {
			t.Errorf("log shows %q: %s", secret, log)
		}
	}
	for _, fact := range []string{`"function":"callback"`, `"requestId":"request-1"`, `"status":200`, `"authenticator":"demo"`, `"route":"GET /callback/{authenticator}"`} {
		if !strings.Contains(log, fact) {
			t.Errorf("log lacks %s: %s", fact, log)
		}
	}
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte(goldenEvent))
	f.Add([]byte(`{}`))
	f.Add([]byte(`{"body":"%%%","isBase64Encoded":true}`))
	handler := JSON(func(w http.ResponseWriter, r *http.Request) error {
		_, _ = io.Copy(w, r.Body)
		_, _ = r.Cookie("a")
		return nil
	})
	logger := slog.New(slog.DiscardHandler)
	f.Fuzz(func(t *testing.T, data []byte) {
		var e events.APIGatewayV2HTTPRequest
		if json.Unmarshal(data, &e) != nil {
			t.Skip()
		}
		response, err := New(Config{Handler: handler, Logger: logger})(context.Background(), e)
		if err != nil || response.StatusCode < 200 || response.StatusCode > 599 {
			t.Fatalf("%d, %v", response.StatusCode, err)
		}
	})
}
