package memberchecks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/members/invoke"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/metrics/metricstest"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

type checker func(a store.Authenticator, userID string) (members.Result, error)

func (f checker) Check(_ context.Context, a store.Authenticator, userID string) (members.Result, error) {
	return f(a, userID)
}

type authenticators map[string]store.Authenticator

func (m authenticators) Authenticator(_ context.Context, name string) (store.Authenticator, error) {
	if name == "unreadable" {
		return store.Authenticator{}, errors.New("throttled")
	}
	a, ok := m[name]
	if !ok {
		return a, store.ErrNotFound
	}
	return a, nil
}

// TestCheck: what was asked, how the check went, what is answered and what the log says.
func TestCheck(t *testing.T) {
	result := func(verdict members.Verdict, cause, err error) checker {
		return func(a store.Authenticator, userID string) (members.Result, error) {
			if a.ID != "id" || userID != "zhangsan" {
				return members.Result{}, errors.New("another member")
			}
			return members.Result{Verdict: verdict, User: store.User{ID: "user"}, Cause: cause}, err
		}
	}
	internal := func(n string) string {
		return "WeComSignIn InternalErrors{Service=s,Function=memberchecks} " + n + " Count"
	}
	for _, test := range []struct {
		name          string
		authenticator string
		check         checker
		want          members.Verdict // "" is an error
		level         string
		metric        string
	}{
		{"active", "demo", result(members.Active, nil, nil), members.Active, "INFO", internal("0")},
		{"gone", "demo", result(members.Gone, nil, nil), members.Gone, "INFO", internal("0")},
		{"WeCom is busy", "demo", result(members.Unknown, fmt.Errorf("look: %w", &wecom.Error{Op: "user/get", Code: wecom.RateLimited}), nil), members.Unknown, "WARN", internal("0")},
		{"WeCom does not answer", "demo", result(members.Unknown, &wecom.UnavailableError{Op: "user/get", Reason: "timeout"}, nil), members.Unknown, "WARN", internal("0")},
		{"the app's secret is not read", "demo", result(members.Unknown, errors.New("throttled"), nil), members.Unknown, "ERROR", internal("1")},
		{"the tags are not read from our table", "demo", result(members.Active, errors.New("throttled"), nil), members.Active, "ERROR", internal("1")},
		{"ended, and applications not told", "demo", result(members.Disabled, nil, errors.New("the queue is down")), members.Disabled, "ERROR", internal("1")},
		{"the store is down", "demo", result("", nil, errors.New("throttled")), "", "ERROR", internal("1")},
		{"nobody here is the member", "demo", result("", nil, store.ErrNotFound), members.Gone, "INFO", internal("0")},
		{"unbound meanwhile", "demo", result("", nil, store.ErrChanged), members.Gone, "INFO", internal("0")},
		{"no such authenticator", "other", nil, members.NotAllowed, "INFO", internal("0")},
		{"an authenticator that is switched off", "off", nil, members.NotAllowed, "INFO", internal("0")},
		{"configuration not read", "unreadable", nil, "", "ERROR", internal("1")},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log bytes.Buffer
			function := New(Config{
				Checker: test.check, Authenticators: authenticators{"demo": {ID: "id", Name: "demo", Enabled: true}, "off": {ID: "off", Name: "off"}},
				Log: apigw.WorkLog{Function: "memberchecks", Service: "s", Logger: slog.New(slog.NewJSONHandler(&log, nil)), Now: time.Now},
			})
			answer, err := function(t.Context(), invoke.Request{Authenticator: test.authenticator, WeComUserID: "zhangsan"})
			if answer.Verdict != test.want || (test.want == "") != errors.Is(err, errNotChecked) {
				t.Errorf("%q, %v", answer.Verdict, err)
			}
			var line struct{ Level, Function, MemberCheck string }
			measured, readErr := metricstest.Read(log.Bytes())
			if err := errors.Join(readErr, json.Unmarshal(log.Bytes(), &line)); err != nil {
				t.Fatalf("%v\n%s", err, log.Bytes())
			}
			if line.Level != test.level || line.Function != "memberchecks" || line.MemberCheck != string(test.want) || !slices.Contains(measured, test.metric) {
				t.Errorf("%s measured %q", log.Bytes(), measured)
			}
		})
	}
}

// losingLines is a checker whose line the audit does not take.
type losingLines struct{ requestID string }

func (l *losingLines) Check(ctx context.Context, _ store.Authenticator, _ string) (members.Result, error) {
	l.requestID = apigw.RequestID(ctx)
	apigw.LogField(ctx, "auditNotWritten", "the table is gone")
	apigw.Measure(ctx, metrics.AuditWritesFailed())
	return members.Result{Verdict: members.Gone, User: store.User{ID: "user"}}, nil
}

// The audit leads to the invocation in the log, and what it did not take raises the alarm.
func TestLineThatIsLost(t *testing.T) {
	var log bytes.Buffer
	checker := &losingLines{}
	function := New(Config{
		Checker: checker, Authenticators: authenticators{"demo": {ID: "id", Name: "demo", Enabled: true}},
		Log: apigw.WorkLog{Function: "memberchecks", Service: "s", Logger: slog.New(slog.NewJSONHandler(&log, nil)), Now: time.Now},
	})
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "lambda-1"})
	if answer, err := function(ctx, invoke.Request{Authenticator: "demo", WeComUserID: "zhangsan"}); err != nil || answer.Verdict != members.Gone {
		t.Errorf("%q, %v", answer.Verdict, err)
	}
	measured, err := metricstest.Read(log.Bytes())
	if err != nil || !slices.Contains(measured, "WeComSignIn AuditWritesFailed{Service=s} 1 Count") || !bytes.Contains(log.Bytes(), []byte(`"auditNotWritten":"the table is gone"`)) {
		t.Errorf("%s measured %q, %v", log.Bytes(), measured, err)
	}
	if checker.requestID != "lambda-1" {
		t.Errorf("request %q", checker.requestID)
	}
}
