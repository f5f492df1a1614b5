package callback

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/aead/aeadtest"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// completerFunc signs people in as a test says.
type completerFunc func(authflow.CallbackRequest) (authflow.CallbackResult, error)

func (f completerFunc) Complete(_ context.Context, a authflow.CallbackRequest) (authflow.CallbackResult, error) {
	return f(a)
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func attempts(t *testing.T) *session.Attempts {
	t.Helper()
	return &session.Attempts{Box: aeadtest.Box(t, aead.StateCookie), Now: func() time.Time { return noon }}
}

func proofs(t *testing.T) *session.Proofs {
	t.Helper()
	return &session.Proofs{Box: aeadtest.Box(t, aead.FirstSignIn), Now: func() time.Time { return noon }}
}

// cookieOf returns the cookie of an attempt as the browser sends it.
func cookieOf(t *testing.T, a *session.Attempts, attempt authflow.LoginAttempt) string {
	t.Helper()
	w := httptest.NewRecorder()
	if err := a.Save(w, httptest.NewRequest(http.MethodGet, "/", nil), attempt); err != nil {
		t.Fatal(err)
	}
	pair, _, _ := strings.Cut(w.Header().Get("Set-Cookie"), ";")
	return pair
}

func serve(t *testing.T, completer LoginCompleter, a *session.Attempts, rawQuery string, cookies ...string) events.APIGatewayV2HTTPResponse {
	t.Helper()
	return serveWith(t, completer, a, rawQuery, nil, cookies...)
}

func serveWith(t *testing.T, completer LoginCompleter, a *session.Attempts, rawQuery string, headers map[string]string, cookies ...string) events.APIGatewayV2HTTPResponse {
	t.Helper()
	function := apigw.New(apigw.Config{
		Handler:   New(Config{Completer: completer, Attempts: a, Proofs: proofs(t), Now: func() time.Time { return noon }}),
		PublicURL: "https://signin.example.com", Logger: slog.New(slog.DiscardHandler),
	})
	event := events.APIGatewayV2HTTPRequest{
		RawPath: "/callback/demo", RawQueryString: rawQuery, Cookies: cookies,
		Headers:        map[string]string{"user-agent": "wxwork/4.1"},
		PathParameters: map[string]string{"authenticator": "demo"},
	}
	maps.Copy(event.Headers, headers)
	event.RequestContext.RequestID = "request-1"
	event.RequestContext.HTTP.Method, event.RequestContext.HTTP.SourceIP = http.MethodGet, "203.0.113.9"
	response, err := function(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func TestSignedInVisitorGoesToTheApplication(t *testing.T) {
	a := attempts(t)
	attempt := authflow.LoginAttempt{State: "STATE", Destination: authflow.DestinationOf(url.Values{"redirect": {"/a"}}), InWeCom: true, Scope: "snsapi_base", IssuedAt: time.UnixMilli(noon.UnixMilli())}
	earlier := strings.Repeat("e", 43)
	response := serve(t, completerFunc(func(got authflow.CallbackRequest) (authflow.CallbackResult, error) {
		want := authflow.CallbackRequest{
			Authenticator: "demo", PublicURL: "https://signin.example.com", Code: "CODE", State: "STATE", ReturnTo: attempt.Destination, InWeCom: true,
			Sessions: []authflow.SessionRef{{ID: earlier}}, RequestID: "request-1", Source: authflow.SourceOf("203.0.113.9"), Address: "203.0.113.9",
			Client: store.Client{Browser: store.BrowserWeCom, System: store.SystemOther}, Attempt: attempt, AttemptFound: true,
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(authflow.ReturnPath{}, authflow.Source{})); diff != "" {
			t.Error(diff)
		}
		return authflow.CallbackResult{URL: "https://app.example.com/a", SessionID: "SESSION", ExpiresAt: noon.Add(time.Hour), UserID: "u"}, nil
	}), a, "redirect=%2Fa&code=CODE&state=STATE", cookieOf(t, a, attempt), "__Host-wecom_session="+earlier)
	if response.StatusCode != http.StatusFound || response.Headers["location"] != "https://app.example.com/a#" || response.Headers["cache-control"] != "no-store" {
		t.Fatalf("%d %v", response.StatusCode, response.Headers)
	}
	if len(response.Cookies) != 2 || !strings.HasPrefix(response.Cookies[0], "__Host-wecom_attempt_") || !strings.Contains(response.Cookies[0], "Max-Age=0") ||
		response.Cookies[1] != "__Host-wecom_session=SESSION.u; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax" {
		t.Fatalf("cookies %q", response.Cookies)
	}
}

func TestVisitorWhoGoesOnKeepsANewAttempt(t *testing.T) {
	a := attempts(t)
	response := serve(t, completerFunc(func(got authflow.CallbackRequest) (authflow.CallbackResult, error) {
		if got.AttemptFound || !got.Restarted || !got.ReturnTo.Console || len(got.Sessions) != 0 {
			t.Errorf("%+v", got)
		}
		return authflow.CallbackResult{Redirect: &authflow.Redirect{URL: "https://wecom.example/go", Attempt: authflow.LoginAttempt{State: "NEXT", IssuedAt: noon}}}, nil
	}), a, "again=1&return=console&code=CODE&state=STATE", "__Host-wecom_session=short")
	if response.Headers["location"] != "https://wecom.example/go" || len(response.Cookies) != 1 || strings.Contains(response.Cookies[0], "Max-Age=0") {
		t.Fatalf("%v %q", response.Headers, response.Cookies)
	}
}

func TestFailureGoesToTheSignInPageAndSetsNothing(t *testing.T) {
	a := attempts(t)
	response := serve(t, completerFunc(func(authflow.CallbackRequest) (authflow.CallbackResult, error) {
		return authflow.CallbackResult{}, apierr.Newf(apierr.PhoneInUse, "zhangsan and lisi")
	}), a, "code=CODE&state=STATE", cookieOf(t, a, authflow.LoginAttempt{State: "STATE", Destination: authflow.DestinationOf(url.Values{"redirect": {"/kept"}, "return": {"console"}}), IssuedAt: noon}))
	want := "https://signin.example.com/signin?authenticator=demo&error=phone_in_use&redirect=%2Fkept&request=request-1&return=console"
	if response.Headers["location"] != want || len(response.Cookies) != 0 {
		t.Fatalf("%s %q", response.Headers["location"], response.Cookies)
	}
}

// A browser whose member is not known yet keeps whom it has proven to be, and waits.
func TestUnknownMembersBrowserKeepsAProof(t *testing.T) {
	a := attempts(t)
	proof := authflow.Proof{State: "STATE", Authenticator: "demo", CorpID: "ww0123", WeComUserID: "ZhangSan", At: noon}
	response := serve(t, completerFunc(func(authflow.CallbackRequest) (authflow.CallbackResult, error) {
		return authflow.CallbackResult{Proof: &proof}, apierr.New(apierr.FirstSignInInWeCom, nil)
	}), a, "code=CODE&state=STATE", cookieOf(t, a, authflow.LoginAttempt{State: "STATE", IssuedAt: noon}))
	if want := "https://signin.example.com/signin?authenticator=demo&error=first_sign_in_in_wecom&request=request-1"; response.Headers["location"] != want {
		t.Fatalf("leads to %s", response.Headers["location"])
	}
	if len(response.Cookies) != 1 {
		t.Fatalf("cookies %q", response.Cookies)
	}
	pair, attributes, _ := strings.Cut(response.Cookies[0], "; ")
	if attributes != "Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax" || strings.Contains(pair, "ZhangSan") {
		t.Fatalf("cookie %q", response.Cookies[0])
	}
	back := httptest.NewRequest(http.MethodGet, "/", nil)
	back.Header.Set("Cookie", pair)
	if got, ok := proofs(t).Find(back); !ok || got != proof {
		t.Fatalf("%+v, %t", got, ok)
	}
}

// WeCom's #wechat_redirect would stay in the address bar, and break hash routers.
func TestWeComsFragmentDoesNotReachTheApplication(t *testing.T) {
	for target, want := range map[string]string{
		"https://app.example.com/":                 "https://app.example.com/#",
		"https://app.example.com/shop?v=2":         "https://app.example.com/shop?v=2#",
		"https://app.example.com/#/home":           "https://app.example.com/#/home",
		"https://app.example.com/a?v=2#/orders/42": "https://app.example.com/a?v=2#/orders/42",
		"https://signin.example.com/console":       "https://signin.example.com/console#",
	} {
		response := serve(t, completerFunc(func(authflow.CallbackRequest) (authflow.CallbackResult, error) {
			return authflow.CallbackResult{URL: target, SessionID: "SESSION", ExpiresAt: noon.Add(time.Hour)}, nil
		}), attempts(t), "code=CODE&state=STATE")
		if got := response.Headers["location"]; got != want {
			t.Errorf("%s leads to %s", target, got)
		}
	}
}

// Attack: 180 pictures whose address is the callback fill the browser with cookies until
// its headers are too large for the gateway; a frame spends somebody's code.
func TestPageCannotLoadTheCallback(t *testing.T) {
	for _, destination := range []string{"image", "script", "iframe", "empty"} {
		response := serveWith(t, completerFunc(func(authflow.CallbackRequest) (authflow.CallbackResult, error) {
			t.Error("the login was completed")
			return authflow.CallbackResult{}, nil
		}), attempts(t), "code=CODE&state=STATE&redirect=%2Fa", map[string]string{"sec-fetch-dest": destination})
		want := "https://signin.example.com/signin?authenticator=demo&error=access_denied&request=request-1"
		if response.Headers["location"] != want || len(response.Cookies) != 0 {
			t.Errorf("%s: %s %q", destination, response.Headers["location"], response.Cookies)
		}
	}
}

func TestParameterGivenTwiceIsRefusedUnread(t *testing.T) {
	for _, query := range []string{"code=A&code=B&state=S", "code=A&state=S&state=T"} {
		response := serve(t, completerFunc(func(authflow.CallbackRequest) (authflow.CallbackResult, error) {
			t.Error("the login was completed")
			return authflow.CallbackResult{}, nil
		}), attempts(t), query)
		if !strings.Contains(response.Headers["location"], "error=state_invalid") {
			t.Errorf("%s leads to %s", query, response.Headers["location"])
		}
	}
}
