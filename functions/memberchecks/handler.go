package memberchecks

import (
	"context"
	"errors"
	"log/slog"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/members/invoke"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Checker looks members up; *members.Checker does.
type Checker interface {
	Check(ctx context.Context, a store.Authenticator, userID string) (members.Result, error)
}

// Authenticators reads the configuration; store.AuthenticatorReader does.
type Authenticators interface {
	Authenticator(ctx context.Context, name string) (store.Authenticator, error)
}

// Config is what New needs.
type Config struct {
	Checker        Checker
	Authenticators Authenticators
	// Log gets one record per check.
	Log apigw.WorkLog
}

// Function is the Lambda function.
type Function func(ctx context.Context, request invoke.Request) (invoke.Answer, error)

// New returns the function.
func New(cfg Config) Function {
	return cfg.check
}

// errNotChecked is what the caller is told; the cause is in the log alone.
var errNotChecked = errors.New("the member could not be checked; the log says why")

func (cfg Config) check(ctx context.Context, request invoke.Request) (invoke.Answer, error) {
	var result members.Result
	_ = cfg.Log.Record(ctx, "member check", func(ctx context.Context) (level slog.Level, err error) {
		apigw.LogField(ctx, "authenticator", request.Authenticator)
		apigw.LogField(ctx, "wecomUserId", request.WeComUserID)
		result, err = cfg.look(ctx, request)
		apigw.LogField(ctx, "user", result.User.ID)
		apigw.LogField(ctx, "memberCheck", string(result.Verdict))
		failures := 0
		switch {
		case err != nil:
			failures = 1
		case result.Cause != nil:
			level = slog.LevelWarn
			apigw.LogField(ctx, "cause", result.Cause.Error())
			if apierr.From(authflow.ExplainWeCom(result.Cause)).Code == apierr.Internal { // WeCom was not asked
				level, failures = slog.LevelError, 1
			}
		}
		apigw.Measure(ctx, metrics.InternalErrors(failures, "memberchecks", ""))
		return level, err
	})
	if result.Verdict == "" {
		return invoke.Answer{}, errNotChecked
	}
	return invoke.Answer{Verdict: result.Verdict}, nil // also when applications could not be told
}

// look checks the member. Where nobody here is the member any more, or the authenticator is
// not in use, there is nothing to check, and the caller reads why.
func (cfg Config) look(ctx context.Context, request invoke.Request) (members.Result, error) {
	a, err := cfg.Authenticators.Authenticator(ctx, request.Authenticator)
	if errors.Is(err, store.ErrNotFound) || err == nil && !a.Enabled {
		return members.Result{Verdict: members.NotAllowed}, nil
	}
	if err != nil {
		return members.Result{}, err
	}
	result, err := cfg.Checker.Check(ctx, a, request.WeComUserID)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrChanged) {
		return members.Result{Verdict: members.Gone}, nil
	}
	return result, err
}
