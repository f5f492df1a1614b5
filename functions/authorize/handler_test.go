package authorize

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/fault"
	"github.com/wecom-signin/wecom-signin/shared/seal"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/signin"
)

// departuresFunc starts attempts as a test says.
type departuresFunc func(signin.Departure) (signin.Ticket, error)

func (f departuresFunc) Leave(_ context.Context, d signin.Departure) (signin.Ticket, error) {
	return f(d)
}

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func serve(t *testing.T, departures Departures, rawQuery string, headers map[string]string) events.APIGatewayV2HTTPResponse {
	t.Helper()
	keys, err := seal.ParseKeys(secret.NewValue(`{"current":"a sealing secret of more than 32 characters"}`))
	if err != nil {
		t.Fatal(err)
	}
	box, err := keys.Box(seal.StateCookie)
	if err != nil {
		t.Fatal(err)
	}
	function := apigw.New(apigw.Config{
		Handler:   New(Config{Departures: departures, Attempts: &session.Attempts{Box: box, Now: func() time.Time { return noon }}}),
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
		want    signin.Departure
	}{
		"WeCom's client": {
			"redirect=%2Fa%3Fb%3Dc",
			map[string]string{"user-agent": "Mozilla/5.0 WxWork/4.1 MicroMessenger/7", "accept-language": "zh-CN"},
			signin.Departure{Authenticator: "demo", PublicURL: "https://signin.example.com", Target: "/a?b=c", InClient: true, Language: "zh"},
		},
		"an administrator on the way to the console": {
			"return=console",
			nil,
			signin.Departure{Authenticator: "demo", PublicURL: "https://signin.example.com", ToConsole: true},
		},
		"attack: a return address of the visitor's choice": {
			"return=https%3A%2F%2Fevil.example",
			nil,
			signin.Departure{Authenticator: "demo", PublicURL: "https://signin.example.com"},
		},
		"another browser": {
			"",
			map[string]string{"user-agent": "Mozilla/5.0 Firefox/145"},
			signin.Departure{Authenticator: "demo", PublicURL: "https://signin.example.com"},
		},
		"personal WeChat is no WeCom": {
			"",
			map[string]string{"user-agent": "Mozilla/5.0 MicroMessenger/8.0", "host": "evil.example", "x-forwarded-host": "evil.example"},
			signin.Departure{Authenticator: "demo", PublicURL: "https://signin.example.com"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			response := serve(t, departuresFunc(func(got signin.Departure) (signin.Ticket, error) {
				if got != test.want {
					t.Errorf("departure %+v, want %+v", got, test.want)
				}
				return signin.Ticket{URL: "https://wecom.example/go", Attempt: signin.Attempt{State: "STATE", IssuedAt: noon}}, nil
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
	response := serve(t, departuresFunc(func(signin.Departure) (signin.Ticket, error) {
		return signin.Ticket{}, fault.New(fault.AuthenticatorDisabled, nil)
	}), "redirect=%2Fa&return=console", nil)
	want := "https://signin.example.com/signin?authenticator=demo&error=authenticator_disabled&redirect=%2Fa&request=request-1&return=console"
	if response.StatusCode != http.StatusFound || response.Headers["location"] != want || len(response.Cookies) != 0 {
		t.Fatalf("%d to %s with %q", response.StatusCode, response.Headers["location"], response.Cookies)
	}
}

func TestPageCannotFillTheBrowserWithAttempts(t *testing.T) {
	for _, destination := range []string{"image", "script", "iframe", "empty"} {
		response := serve(t, departuresFunc(func(signin.Departure) (signin.Ticket, error) {
			t.Error("an attempt was started")
			return signin.Ticket{}, nil
		}), "", map[string]string{"sec-fetch-dest": destination})
		if response.StatusCode != http.StatusFound || len(response.Cookies) != 0 {
			t.Errorf("%s: %d %q", destination, response.StatusCode, response.Cookies)
		}
	}
	response := serve(t, departuresFunc(func(signin.Departure) (signin.Ticket, error) {
		return signin.Ticket{URL: "https://wecom.example/go", Attempt: signin.Attempt{State: "STATE", IssuedAt: noon}}, nil
	}), "", map[string]string{"sec-fetch-dest": "document"})
	if len(response.Cookies) != 1 {
		t.Errorf("a navigation keeps %q", response.Cookies)
	}
}

func TestOpenRedirectDoesNotReachTheSignInPage(t *testing.T) {
	response := serve(t, departuresFunc(func(signin.Departure) (signin.Ticket, error) {
		return signin.Ticket{}, fault.New(fault.AuthenticatorUnknown, nil)
	}), "redirect=%2F%2Fevil.example", nil)
	if got := response.Headers["location"]; strings.Contains(got, "evil") {
		t.Fatalf("redirected to %s", got)
	}
}
