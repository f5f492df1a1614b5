package apigw

import (
	"context"
	"log/slog"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/version"
)

// WorkLog writes the log of a function without an HTTP API.
type WorkLog struct {
	// Function is the name of the function.
	Function string
	// Service is the setting SERVICE_NAME. Empty: records carry no metrics.
	Service string
	// Logger receives one record for each piece of work.
	Logger *slog.Logger
	Now    func() time.Time
}

// Record does a piece of work, writes its record and returns its error. The record has what
// LogField and Measure were given in the context of the work, and the level that the work
// returns: ERROR with an error. RequestID is the id of Lambda's invocation there.
func (l WorkLog) Record(ctx context.Context, message string, work func(context.Context) (slog.Level, error)) error {
	info := &requestInfo{function: l.Function, started: l.Now()}
	if invocation, ok := lambdacontext.FromContext(ctx); ok {
		info.requestID = invocation.AwsRequestID
	}
	level, err := work(context.WithValue(ctx, infoKey{}, info))
	info.mu.Lock()
	defer info.mu.Unlock()
	now := l.Now()
	attributes := append([]slog.Attr{
		slog.String("function", l.Function), slog.String("version", version.Version), slog.String("service", l.Service),
	}, info.fields...)
	attributes = append(attributes, slog.Float64("milliseconds", metrics.Milliseconds(now.Sub(info.started))))
	if err != nil {
		level = slog.LevelError
		attributes = append(attributes, slog.String("cause", err.Error()))
	}
	attributes = append(attributes, metrics.Attributes(l.Service, now, info.measured...)...)
	l.Logger.LogAttrs(ctx, level, message, attributes...)
	return err
}
