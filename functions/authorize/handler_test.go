package authorize

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/aead/aeadtest"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/session"
)

// starterFunc starts attempts as a test says.
type starterFunc func(authflow.AuthRequest) (authflow.Redirect, error)

func (f starterFunc) Start(_ context.Context, d authflow.AuthRequest) (authflow.Redirect, error) {
	return f(d)
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func serve(t *testing.T, starter LoginStarter, rawQuery string, headers map[string]string) events.APIGatewayV2HTTPResponse {
	t.Helper()
	box := aeadtest.Box(t, aead.StateCookie)
	function := apigw.New(apigw.Config{
		Handler:   New(Config{Starter: starter, Attempts: &session.Attempts{Box: box, Now: func() time.Time { return noon }}}),
		PublicURL: "https://signin.example.com", Logger: slog.New(slog.DiscardHandler),
	})
	event := events.APIGatewayV2HTTPRequest{
		RawPath: "/authorize/demo", RawQueryString: rawQuery, Headers: headers,
		PathParameters: map[string]string{"authenticator": "demo"},
	}
	event.RequestContext.RequestID = "request-1"
	event.RequestContext.HTTP.Method = http.MethodGet
	response, err := function(t.Context(), event)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func TestBrowserIsSentToWeCom(t *testing.T) {
	for name, test := range map[string]struct {
		query   string
		headers map[string]string
		want    authflow.AuthRequest
	}{
		"WeCom's client": {
			"redirect=%2Fa%3Fb%3Dc",
			map[string]string{"user-agent": "Mozilla/5.0 WxWork/4.1 MicroMessenger/7", "accept-language": "zh-CN"},
			authflow.AuthRequest{Authenticator: "demo", PublicURL: "https://signin.example.com", Destination: authflow.DestinationOf(url.Values{"redirect": {"/a?b=c"}}), InWeCom: true, Language: "zh"},
		},
		"an administrator on the way to the console": {
			"return=console",
			nil,
			authflow.AuthRequest{Authenticator: "demo", PublicURL: "https://signin.example.com", Destination: authflow.Destination{Console: true}},
		},
		"attack: a return address of the visitor's choice": {
			"return=https%3A%2F%2Fevil.example",
			nil,
			authflow.AuthRequest{Authenticator: "demo", PublicURL: "https://signin.example.com"},
		},
		"another browser": {
			"",
			map[string]string{"user-agent": "Mozilla/5.0 Firefox/145"},
			authflow.AuthRequest{Authenticator: "demo", PublicURL: "https://signin.example.com"},
		},
		"personal WeChat on a phone, which cannot scan its own screen": {
			"",
			map[string]string{"user-agent": "Mozilla/5.0 (Linux; Android 14; wv) Mobile MicroMessenger/8.0.57"},
			authflow.AuthRequest{Authenticator: "demo", PublicURL: "https://signin.example.com", InWeCom: true},
		},
		"a path with a semicolon": {
			"redirect=/list;jsessionid=AB12",
			nil,
			authflow.AuthRequest{Authenticator: "demo", PublicURL: "https://signin.example.com", Destination: authflow.DestinationOf(url.Values{"redirect": {"/list;jsessionid=AB12"}})},
		},
		"attack: headers that name another host": {
			"",
			map[string]string{"user-agent": "Mozilla/5.0 MicroMessenger/8.0", "host": "evil.example", "x-forwarded-host": "evil.example"},
			authflow.AuthRequest{Authenticator: "demo", PublicURL: "https://signin.example.com"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			response := serve(t, starterFunc(func(got authflow.AuthRequest) (authflow.Redirect, error) {
				if got != test.want {
					t.Errorf("request %+v, want %+v", got, test.want)
				}
				return authflow.Redirect{URL: "https://wecom.example/go", Attempt: authflow.LoginAttempt{State: "STATE", IssuedAt: noon}}, nil
			}), test.query, test.headers)
			if response.StatusCode != http.StatusFound || response.Headers["location"] != "https://wecom.example/go" || response.Body != "" {
				t.Fatalf("%d to %s: %q", response.StatusCode, response.Headers["location"], response.Body)
			}
			if len(response.Cookies) != 1 || !strings.HasPrefix(response.Cookies[0], "__Host-wecom_attempt_") {
				t.Fatalf("cookies %q", response.Cookies)
			}
		})
	}
}

func TestFailureGoesToTheSignInPageWithTheWayForward(t *testing.T) {
	response := serve(t, starterFunc(func(authflow.AuthRequest) (authflow.Redirect, error) {
		return authflow.Redirect{}, apierr.New(apierr.AuthenticatorDisabled, nil)
	}), "redirect=%2Fa&return=console", nil)
	want := "https://signin.example.com/signin?authenticator=demo&error=authenticator_disabled&redirect=%2Fa&request=request-1&return=console"
	if response.StatusCode != http.StatusFound || response.Headers["location"] != want || len(response.Cookies) != 0 {
		t.Fatalf("%d to %s with %q", response.StatusCode, response.Headers["location"], response.Cookies)
	}
}

func TestPageCannotFillTheBrowserWithAttempts(t *testing.T) {
	for _, destination := range []string{"image", "script", "iframe", "empty"} {
		response := serve(t, starterFunc(func(authflow.AuthRequest) (authflow.Redirect, error) {
			t.Error("an attempt was started")
			return authflow.Redirect{}, nil
		}), "", map[string]string{"sec-fetch-dest": destination})
		if response.StatusCode != http.StatusFound || len(response.Cookies) != 0 {
			t.Errorf("%s: %d %q", destination, response.StatusCode, response.Cookies)
		}
	}
	response := serve(t, starterFunc(func(authflow.AuthRequest) (authflow.Redirect, error) {
		return authflow.Redirect{URL: "https://wecom.example/go", Attempt: authflow.LoginAttempt{State: "STATE", IssuedAt: noon}}, nil
	}), "", map[string]string{"sec-fetch-dest": "document"})
	if len(response.Cookies) != 1 {
		t.Errorf("a navigation keeps %q", response.Cookies)
	}
}

func TestOpenRedirectDoesNotReachTheSignInPage(t *testing.T) {
	response := serve(t, starterFunc(func(authflow.AuthRequest) (authflow.Redirect, error) {
		return authflow.Redirect{}, apierr.New(apierr.AuthenticatorUnknown, nil)
	}), "redirect=%2F%2Fevil.example", nil)
	if got := response.Headers["location"]; strings.Contains(got, "evil") {
		t.Fatalf("redirected to %s", got)
	}
}

const panelPage = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/145"

func TestSignInPageIsToldWhatToFrame(t *testing.T) {
	for name, headers := range map[string]map[string]string{
		"a browser with Fetch Metadata": {"sec-fetch-site": "same-origin", "sec-fetch-dest": "empty"},
		"an older one":                  {},
	} {
		t.Run(name, func(t *testing.T) {
			headers["user-agent"] = panelPage
			response := serve(t, starterFunc(func(got authflow.AuthRequest) (authflow.Redirect, error) {
				want := authflow.AuthRequest{
					Authenticator: "demo", PublicURL: "https://signin.example.com", Panel: true,
					Destination: authflow.DestinationOf(url.Values{"redirect": {"/a"}, "return": {"console"}}),
				}
				if got != want {
					t.Errorf("request %+v, want %+v", got, want)
				}
				return authflow.Redirect{URL: "https://wecom.example/go?a&b", Attempt: authflow.LoginAttempt{State: "STATE", IssuedAt: noon}}, nil
			}), "panel=1&redirect=%2Fa&return=console", headers)
			if response.StatusCode != http.StatusOK || strings.TrimSpace(response.Body) != `{"url":"https://wecom.example/go?a\u0026b"}` {
				t.Fatalf("%d %s", response.StatusCode, response.Body)
			}
			if len(response.Cookies) != 1 || !strings.HasPrefix(response.Cookies[0], "__Host-wecom_attempt_") || response.Headers["access-control-allow-origin"] != "" {
				t.Fatalf("%v %q", response.Headers, response.Cookies)
			}
		})
	}
}

func TestAttackPanelForAnotherPage(t *testing.T) {
	for name, headers := range map[string]map[string]string{
		"another site":                 {"sec-fetch-site": "cross-site", "sec-fetch-dest": "empty"},
		"a neighbouring domain":        {"sec-fetch-site": "same-site", "sec-fetch-dest": "empty"},
		"a frame of the page itself":   {"sec-fetch-site": "same-origin", "sec-fetch-dest": "iframe"},
		"an address that somebody has": {"sec-fetch-site": "none", "sec-fetch-dest": "document"},
		"WeCom's client":               {"sec-fetch-site": "same-origin", "sec-fetch-dest": "empty", "user-agent": "Mozilla/5.0 WxWork/4.1 MicroMessenger/7"},
	} {
		response := serve(t, starterFunc(func(authflow.AuthRequest) (authflow.Redirect, error) {
			t.Error("an attempt was started")
			return authflow.Redirect{}, nil
		}), "panel=1", headers)
		if response.StatusCode != http.StatusForbidden || len(response.Cookies) != 0 || !strings.Contains(response.Body, `"forbidden"`) {
			t.Errorf("%s: %d %s %q", name, response.StatusCode, response.Body, response.Cookies)
		}
	}
}

func TestThereIsNoPanelOfADisabledAuthenticator(t *testing.T) {
	response := serve(t, starterFunc(func(authflow.AuthRequest) (authflow.Redirect, error) {
		return authflow.Redirect{}, apierr.New(apierr.AuthenticatorDisabled, nil)
	}), "panel=1", map[string]string{"user-agent": panelPage})
	if response.StatusCode != http.StatusNotFound || response.Headers["location"] != "" || len(response.Cookies) != 0 {
		t.Errorf("%d to %s with %q", response.StatusCode, response.Headers["location"], response.Cookies)
	}
}
