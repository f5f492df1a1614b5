package app_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/metrics/metricstest"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

func TestLogWeComCall(t *testing.T) {
	const took = 20 * time.Millisecond
	good := wecom.Call{Operation: "gettoken", Answered: true, Duration: took}
	busy := wecom.Call{Operation: "getuserinfo", Answered: true, Code: wecom.SystemBusy, Duration: took}
	untrusted := wecom.Call{Operation: "getuserinfo", Answered: true, Code: wecom.UntrustedIP, Duration: took}
	lost := wecom.Call{Operation: "getuserinfo", Duration: took}
	for _, test := range []struct {
		name  string
		calls []wecom.Call
		want  map[string]any // of the event
		error string         // WeComCode of the metric, or empty
	}{
		{"no call", nil, map[string]any{}, ""},
		{"all is well", []wecom.Call{good, good}, map[string]any{"wecomCalls": 2.0, "wecomMilliseconds": 40.0}, ""},
		{"a refusal", []wecom.Call{good, untrusted}, map[string]any{"wecomCalls": 2.0, "wecomMilliseconds": 40.0, "wecomCode": 60020.0}, "60020"},
		{"no answer", []wecom.Call{lost}, map[string]any{"wecomCalls": 1.0, "wecomMilliseconds": 20.0, "wecomCode": "none"}, "none"},
		{"busy, then well", []wecom.Call{busy, good}, map[string]any{"wecomCalls": 2.0, "wecomMilliseconds": 40.0, "wecomCode": -1.0}, "-1"},
		{"the last failure counts", []wecom.Call{busy, lost, untrusted}, map[string]any{"wecomCalls": 3.0, "wecomMilliseconds": 60.0, "wecomCode": 60020.0}, "60020"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			function := apigw.New(apigw.Config{
				Service: "s", Logger: slog.New(slog.NewJSONHandler(&log, nil)),
				Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					for i, call := range test.calls {
						if got, want := app.LogWeComCall(r.Context(), call), 20*float64(i+1); got != want {
							t.Errorf("%v ms in all, want %v", got, want)
						}
					}
				}),
			})
			if _, err := function(t.Context(), events.APIGatewayV2HTTPRequest{}); err != nil {
				t.Fatal(err)
			}
			var event map[string]any
			if err := json.Unmarshal(log.Bytes(), &event); err != nil {
				t.Fatal(err)
			}
			got := map[string]any{}
			for _, member := range []string{"wecomCalls", "wecomMilliseconds", "wecomCode"} {
				if value, ok := event[member]; ok {
					got[member] = value
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
			var want []string
			if test.error != "" {
				want = []string{"WeComSignIn WeComErrors{Service=s,WeComCode=" + test.error + "} 1 Count"}
			}
			measured, err := metricstest.Read(log.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, measured); diff != "" {
				t.Errorf("metrics (-want +got):\n%s", diff)
			}
		})
	}
}
