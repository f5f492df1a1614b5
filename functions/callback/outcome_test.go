package callback

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/metrics/metricstest"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Every request ends in one of few ways, and is counted once by it.
func TestOutcomes(t *testing.T) {
	goesOn := func(scope wecom.Scope) completerFunc {
		return func(authflow.CallbackRequest) (authflow.CallbackResult, error) {
			return authflow.CallbackResult{Redirect: &authflow.Redirect{URL: "https://wecom.example/go", Attempt: authflow.LoginAttempt{State: "NEXT", Scope: scope, IssuedAt: noon}}}, nil
		}
	}
	type test struct {
		name     string
		arrivals completerFunc
		query    string
		want     string
		internal bool
	}
	tests := []test{
		{"a session begins", func(authflow.CallbackRequest) (authflow.CallbackResult, error) {
			return authflow.CallbackResult{URL: "https://app.example.com/", SessionID: "SESSION", ExpiresAt: noon.Add(time.Hour), UserID: "u"}, nil
		}, "code=CODE&state=STATE", "signed_in", false},
		{"on for the phone", goesOn(wecom.ScopePrivateInfo), "code=CODE&state=STATE", "consent", false},
		{"once more in this browser", goesOn(wecom.ScopeBase), "code=CODE&state=STATE", "restarted", false},
		{"state given twice", nil, "code=A&state=S&state=T", "state_invalid", false},
		{"code given twice", nil, "code=A&code=B&state=S", "state_invalid", false},
		{"an error that is no fault", func(authflow.CallbackRequest) (authflow.CallbackResult, error) {
			return authflow.CallbackResult{}, errors.New("dynamodb: connection refused")
		}, "code=CODE&state=STATE", "internal", true},
		{"a panic", func(authflow.CallbackRequest) (authflow.CallbackResult, error) { panic("bug") }, "code=CODE&state=STATE", "internal", true},
	}
	for _, code := range []apierr.Code{
		apierr.StateInvalid, apierr.StateExpired, apierr.CookiesBlocked, apierr.AccessDenied, apierr.CodeInvalid,
		apierr.NotAMember, apierr.OtherCorp, apierr.FirstSignInInWeCom, apierr.PhoneNotShared, apierr.PhoneInvalid,
		apierr.PhoneInUse, apierr.SignupClosed, apierr.UserDisabled, apierr.NotAllowed, apierr.AuthenticatorUnknown,
		apierr.AuthenticatorDisabled, apierr.WeComBusy, apierr.WeComUnavailable, apierr.WeComConfiguration, apierr.Internal,
	} {
		tests = append(tests, test{"fault " + string(code), func(authflow.CallbackRequest) (authflow.CallbackResult, error) {
			return authflow.CallbackResult{}, apierr.New(code, nil)
		}, "code=CODE&state=STATE", string(code), code == apierr.Internal})
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			line := lineOf(t, test.arrivals, test.query)
			var event struct{ Outcome string }
			decoder := json.NewDecoder(bytes.NewReader(line))
			if err := decoder.Decode(&event); err != nil || decoder.More() {
				t.Fatalf("not one line (%v): %s", err, line)
			}
			got, err := metricstest.Read(line)
			if err != nil {
				t.Fatalf("%v\n%s", err, line)
			}
			failures := "0"
			if test.internal {
				failures = "1"
			}
			want := []string{
				"WeComSignIn InternalErrors{Service=wecom-signin} " + failures + " Count",
				"WeComSignIn InternalErrors{Service=wecom-signin,Function=callback} " + failures + " Count",
				"WeComSignIn SignIns{Service=wecom-signin,Outcome=" + test.want + "} 1 Count",
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if event.Outcome != test.want {
				t.Errorf("the event says %q", event.Outcome)
			}
			for _, secret := range []string{"CODE", "STATE", "NEXT", "SESSION"} {
				if bytes.Contains(line, []byte(secret)) {
					t.Errorf("the line shows %s: %s", secret, line)
				}
			}
		})
	}
}

// lineOf returns what is logged of one request.
func lineOf(t *testing.T, arrivals LoginCompleter, rawQuery string) []byte {
	t.Helper()
	var log bytes.Buffer
	function := apigw.New(apigw.Config{
		Handler:   New(Config{Completer: arrivals, Attempts: attempts(t), Now: func() time.Time { return noon }}),
		PublicURL: "https://signin.example.com", Name: "callback", Service: "wecom-signin", Logger: slog.New(slog.NewJSONHandler(&log, nil)),
	})
	event := events.APIGatewayV2HTTPRequest{
		RawPath: "/callback/demo", RawQueryString: rawQuery,
		// Attack: what cannot be read must not leave a request uncounted.
		Body: "%%%", IsBase64Encoded: true,
		PathParameters: map[string]string{"authenticator": "demo"},
	}
	event.RequestContext.HTTP.Method = http.MethodGet
	if _, err := function(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	return log.Bytes()
}
