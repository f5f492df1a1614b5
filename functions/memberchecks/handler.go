package memberchecks

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/members/invoke"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/version"
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
	// Service is the setting SERVICE_NAME. Empty: log records carry no metrics.
	Service string
	// Logger receives one record per check. Nil: slog.Default().
	Logger *slog.Logger
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Function is the Lambda function.
type Function func(ctx context.Context, request invoke.Request) (invoke.Answer, error)

// New returns the function.
func New(cfg Config) Function {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return cfg.check
}

// errNotChecked is what the caller is told; the cause is in the log alone.
var errNotChecked = errors.New("the member could not be checked; the log says why")

func (cfg Config) check(ctx context.Context, request invoke.Request) (invoke.Answer, error) {
	started := cfg.Now()
	collecting, collected := apigw.Collect(ctx, invocationID(ctx))
	result, err := cfg.look(collecting, request)
	noted, measured := collected()
	attributes := []slog.Attr{
		slog.String("function", "memberchecks"), slog.String("version", version.Version), slog.String("service", cfg.Service),
		slog.String("authenticator", request.Authenticator), slog.String("wecomUserId", request.WeComUserID),
		slog.String("user", result.User.ID), slog.String("memberCheck", string(result.Verdict)),
	}
	attributes = append(attributes, noted...)
	level, failures := slog.LevelInfo, 0
	switch {
	case err != nil:
		level, failures = slog.LevelError, 1
		attributes = append(attributes, slog.String("cause", err.Error()))
	case result.Cause != nil:
		level = slog.LevelWarn
		attributes = append(attributes, slog.String("cause", result.Cause.Error()))
	}
	now := cfg.Now()
	attributes = append(attributes, slog.Float64("milliseconds", metrics.Milliseconds(now.Sub(started))))
	measured = append(measured, metrics.InternalErrors(failures, "memberchecks", ""))
	attributes = append(attributes, metrics.Attributes(cfg.Service, now, measured...)...)
	cfg.Logger.LogAttrs(ctx, level, "member check", attributes...)
	if result.Verdict == "" {
		return invoke.Answer{}, errNotChecked
	}
	return invoke.Answer{Verdict: result.Verdict}, nil // also when applications could not be told
}

// invocationID returns the id of the invocation in the log, by which the audit leads here.
func invocationID(ctx context.Context) string {
	if invocation, ok := lambdacontext.FromContext(ctx); ok {
		return invocation.AwsRequestID
	}
	return ""
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
