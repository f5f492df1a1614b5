package admin_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// A check sends an invalid code, and asks for the address without credentials; a lookup may
// find nobody. The refusals that they expect are not errors to look into; all others are.
func TestWeComErrorsOfAdministration(t *testing.T) {
	for _, test := range []struct {
		name string
		call wecom.Call
		want string // in the log; empty for no error
	}{
		{"credentials are good", wecom.Call{Operation: "gettoken", Answered: true}, ""},
		{"credentials are wrong", wecom.Call{Operation: "gettoken", Answered: true, Code: wecom.InvalidCredential}, `"wecomCode":40001`},
		{"the invalid code", wecom.Call{Operation: "getuserinfo", Answered: true, Code: wecom.InvalidCode}, ""},
		{"an address that is not trusted", wecom.Call{Operation: "getuserinfo", Answered: true, Code: wecom.UntrustedIP}, `"wecomCode":60020`},
		{"no corp in the question for the address", wecom.Call{Operation: "gettoken without credentials", Answered: true, Code: wecom.CorpIDMissing}, ""},
		{"no secret in the question for the address", wecom.Call{Operation: "gettoken without credentials", Answered: true, Code: wecom.SecretMissing}, ""},
		{"nobody has the phone", wecom.Call{Operation: "user/getuserid", Answered: true, Code: wecom.PhoneNotFound}, ""},
		{"too many phones", wecom.Call{Operation: "user/getuserid", Answered: true, Code: wecom.RateLimited}, `"wecomCode":45009`},
		{"no answer", wecom.Call{Operation: "gettoken"}, `"wecomCode":"none"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.call.Duration = 20 * time.Millisecond
			var log bytes.Buffer
			function := apigw.New(apigw.Config{
				Service: "s", Logger: slog.New(slog.NewJSONHandler(&log, nil)),
				Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { admin.Observe(r.Context(), test.call) }),
			})
			if _, err := function(t.Context(), events.APIGatewayV2HTTPRequest{}); err != nil {
				t.Fatal(err)
			}
			line := log.String()
			if !strings.Contains(line, `"wecomCalls":1,"wecomMilliseconds":20`) {
				t.Errorf("the call is not told: %s", line)
			}
			if got := strings.Contains(line, "WeComErrors"); got != (test.want != "") || !strings.Contains(line, test.want) || got != strings.Contains(line, "wecomCode") {
				t.Errorf("want %q: %s", test.want, line)
			}
			// The function callback measures how long people wait for WeCom.
			if strings.Contains(line, "WeComDuration") {
				t.Errorf("a check counts as the time of a sign-in: %s", line)
			}
		})
	}
}
