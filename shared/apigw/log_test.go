package apigw

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/metrics/metricstest"
	"github.com/wecom-signin/wecom-signin/shared/version"
)

// clock returns a clock that goes on by 12.5 ms whenever it is looked at.
func clock() func() time.Time {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	return func() time.Time { now = now.Add(12500 * time.Microsecond); return now }
}

// withoutTime returns a logger of lines without their time.
func withoutTime(log *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

// logged returns the line of a request that takes 12.5 ms.
func logged(t *testing.T, cfg Config) []byte {
	t.Helper()
	var log bytes.Buffer
	cfg.Now, cfg.Logger = clock(), withoutTime(&log)
	if _, err := New(cfg)(t.Context(), event(t, nil)); err != nil {
		t.Fatal(err)
	}
	return log.Bytes()
}

// One request, one line, for people who search and for CloudWatch.
func TestLogEvent(t *testing.T) {
	cause := errors.New("dynamodb: connection refused")
	begins := `{"level":"INFO","msg":"request","function":"callback","version":"` + version.Version + `","method":"GET","route":"GET /callback/{authenticator}","requestId":"request-1"`
	failed := `{"level":"ERROR","msg":"request","function":"callback","version":"` + version.Version + `","method":"GET","route":"GET /callback/{authenticator}","requestId":"request-1"`
	for _, test := range []struct {
		name    string
		service string
		handle  HandlerFunc
		want    string
	}{
		{
			"nothing to say", "", func(http.ResponseWriter, *http.Request) error { return nil },
			begins + `,"status":200,"milliseconds":12.5}`,
		},
		{
			"a deployment without a name has no metrics", "", func(_ http.ResponseWriter, r *http.Request) error {
				Measure(r.Context(), metrics.SignIns("signed_in"))
				return cause
			},
			failed + `,"status":500,"milliseconds":12.5,"code":"internal","cause":"dynamodb: connection refused"}`,
		},
		{
			"a request without metrics", "wecom-signin", func(_ http.ResponseWriter, r *http.Request) error {
				LogField(r.Context(), "authenticator", "demo")
				return nil
			},
			begins + `,"status":200,"milliseconds":12.5,"authenticator":"demo"}`,
		},
		{
			"values that change while the request is answered", "wecom-signin", func(_ http.ResponseWriter, r *http.Request) error {
				ctx := r.Context()
				for _, outcome := range []string{"restarted", "signed_in"} {
					LogField(ctx, "outcome", outcome)
					Measure(ctx, metrics.SignIns(outcome))
				}
				for _, milliseconds := range []float64{0.1, 0.2, 30} {
					AddToLogField(ctx, "wecomCalls", 1)
					Measure(ctx, metrics.WeComDuration(AddToLogField(ctx, "wecomMilliseconds", milliseconds)))
				}
				return nil
			},
			begins + `,"status":200,"milliseconds":12.5,"outcome":"signed_in","wecomCalls":3,"wecomMilliseconds":30.3` +
				`,"Service":"wecom-signin","Outcome":"signed_in","SignIns":1,"WeComDuration":30.3,"_aws":{"Timestamp":1795262400025,"CloudWatchMetrics":[` +
				`{"Namespace":"WeComSignIn","Dimensions":[["Service","Outcome"]],"Metrics":[{"Name":"SignIns","Unit":"Count"}]},` +
				`{"Namespace":"WeComSignIn","Dimensions":[["Service"]],"Metrics":[{"Name":"WeComDuration","Unit":"Milliseconds"}]}]}}`,
		},
		{
			"no failure of ours", "wecom-signin", func(_ http.ResponseWriter, r *http.Request) error {
				MeasureInternalErrors(r.Context())
				return nil
			},
			begins + `,"status":200,"milliseconds":12.5,"Service":"wecom-signin","Function":"callback","InternalErrors":0,"_aws":{"Timestamp":1795262400025,"CloudWatchMetrics":[` +
				`{"Namespace":"WeComSignIn","Dimensions":[["Service"],["Service","Function"]],"Metrics":[{"Name":"InternalErrors","Unit":"Count"}]}]}}`,
		},
		{
			"a failure of ours", "wecom-signin", func(_ http.ResponseWriter, r *http.Request) error {
				MeasureInternalErrors(r.Context())
				return cause
			},
			failed + `,"status":500,"milliseconds":12.5,"code":"internal","cause":"dynamodb: connection refused"` +
				`,"Service":"wecom-signin","Function":"callback","InternalErrors":1,"_aws":{"Timestamp":1795262400025,"CloudWatchMetrics":[` +
				`{"Namespace":"WeComSignIn","Dimensions":[["Service"],["Service","Function"]],"Metrics":[{"Name":"InternalErrors","Unit":"Count"}]}]}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := logged(t, Config{Handler: JSON(test.handle), Name: "callback", Service: test.service})
			if diff := cmp.Diff(test.want+"\n", string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if _, err := metricstest.Read(got); err != nil {
				t.Errorf("CloudWatch would drop it: %v", err)
			}
		})
	}
}

// The work of a function without an HTTP API has a line of the same form.
func TestWorkLog(t *testing.T) {
	for _, test := range []struct {
		name  string
		level slog.Level
		err   error
		want  string
	}{
		{"done", slog.LevelInfo, nil, `{"level":"INFO",#,"milliseconds":12.5,*}`},
		{"done, with a warning", slog.LevelWarn, nil, `{"level":"WARN",#,"milliseconds":12.5,*}`},
		{"failed", slog.LevelInfo, errors.New("the table is gone"), `{"level":"ERROR",#,"milliseconds":12.5,"cause":"the table is gone",*}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "lambda-1"})
			err := WorkLog{Function: "notify", Service: "s", Logger: withoutTime(&log), Now: clock()}.Record(ctx, "logout", func(ctx context.Context) (slog.Level, error) {
				LogField(ctx, "id", RequestID(ctx))
				Measure(ctx, metrics.AuditWritesFailed())
				return test.level, test.err
			})
			want := strings.NewReplacer("#", `"msg":"logout","function":"notify","version":"`+version.Version+`","service":"s","id":"lambda-1"`,
				"*", `"Service":"s","AuditWritesFailed":1,"_aws":{"Timestamp":1795262400025,"CloudWatchMetrics":[`+
					`{"Namespace":"WeComSignIn","Dimensions":[["Service"]],"Metrics":[{"Name":"AuditWritesFailed","Unit":"Count"}]}]}`).Replace(test.want)
			if diff := cmp.Diff(want+"\n", log.String()); diff != "" || !errors.Is(err, test.err) {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// Only failures of the service itself alarm the operator, not those of people or WeCom.
func TestInternalErrorsAreOurs(t *testing.T) {
	errorPage := func(publicURL, _ string, _ error) string { return publicURL + "/signin" }
	fails := func(code apierr.Code) HandlerFunc {
		return func(http.ResponseWriter, *http.Request) error { return apierr.New(code, nil) }
	}
	for _, test := range []struct {
		name    string
		handler http.Handler
		ours    bool
	}{
		{"an answer", JSON(func(http.ResponseWriter, *http.Request) error { return nil }), false},
		{"an unknown error", JSON(func(http.ResponseWriter, *http.Request) error { return errors.New("down") }), true},
		{"a panic", JSON(func(http.ResponseWriter, *http.Request) error { panic("bug") }), true},
		{"a panic in a browser's request", Browser(func(http.ResponseWriter, *http.Request) error { panic("bug") }, errorPage), true},
		{"a redirect to the page that says internal", Browser(fails(apierr.Internal), errorPage), true},
		{"a page that is shown nevertheless", JSON(func(_ http.ResponseWriter, r *http.Request) error {
			LogError(r.Context(), apierr.Newf(apierr.Internal, "authenticators cannot be read"))
			return nil
		}), true},
		{"a status without an error", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }), true},
		{"a code without its own status", JSON(fails("nobody knows")), true},
		{"nobody signed in", JSON(fails(apierr.Unauthorized)), false},
		{"a wrong request", JSON(fails(apierr.InvalidRequest)), false},
		{"a refused person", Browser(fails(apierr.UserDisabled), errorPage), false},
		{"WeCom is busy", JSON(fails(apierr.WeComBusy)), false},
		{"WeCom does not answer", JSON(fails(apierr.WeComUnavailable)), false},
		{"WeCom refuses the app", JSON(fails(apierr.WeComConfiguration)), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := metricstest.Read(logged(t, Config{Handler: test.handler, Name: "admin", Service: "s"}))
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			if test.ours {
				want = []string{"WeComSignIn InternalErrors{Service=s} 1 Count", "WeComSignIn InternalErrors{Service=s,Function=admin} 1 Count"}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoggedErrorIsTheOneOfTheAnswer(t *testing.T) {
	var before, after *apierr.Error
	handler := JSON(func(http.ResponseWriter, *http.Request) error { return apierr.New(apierr.NotFound, nil) })
	logged(t, Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before = LoggedError(r.Context())
		handler.ServeHTTP(w, r)
		after = LoggedError(r.Context())
	})})
	if before != nil || after == nil || after.Code != apierr.NotFound {
		t.Errorf("before the answer %v, after it %v", before, after)
	}
}

// Code that runs outside of a request, as in a test, logs nothing.
func TestLoggingOutsideOfARequestDoesNothing(t *testing.T) {
	ctx := context.Background()
	LogField(ctx, "outcome", "signed_in")
	Measure(ctx, metrics.SignIns("signed_in"))
	if got := AddToLogField(ctx, "wecomCalls", 1); got != 1 {
		t.Errorf("sum %v", got)
	}
}
