package apigw

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/version"
)

type infoKey struct{}

// requestInfo is what is known about the request in hand, and what its log event
// will say.
type requestInfo struct {
	requestID  string
	publicURL  string
	function   string
	authorizer map[string]any
	started    time.Time

	mu       sync.Mutex
	notes    []slog.Attr
	measured []metrics.Measurement
	fault    *apierr.Error
}

func info(ctx context.Context) *requestInfo {
	if known, ok := ctx.Value(infoKey{}).(*requestInfo); ok {
		return known
	}
	return &requestInfo{}
}

// RequestID returns the gateway's id of the request: it is shown to people and
// found in the log.
func RequestID(ctx context.Context) string { return info(ctx).requestID }

// PublicURL returns scheme, host and port under which browsers see the service,
// without a slash at the end.
func PublicURL(ctx context.Context) string { return info(ctx).publicURL }

// LogField adds a field to the log event of this request; of several values for one
// field the last one wins. Values must not be secret: names, codes, ids.
func LogField(ctx context.Context, key string, value any) {
	known := info(ctx)
	known.mu.Lock()
	defer known.mu.Unlock()
	known.note(slog.Any(key, value))
}

// AddToLogField adds to a number in the log event of this request, and returns the sum, to the
// thousandth.
func AddToLogField(ctx context.Context, key string, value float64) float64 {
	known := info(ctx)
	known.mu.Lock()
	defer known.mu.Unlock()
	if i := known.find(key); i >= 0 && known.notes[i].Value.Kind() == slog.KindFloat64 {
		value = math.Round((value+known.notes[i].Value.Float64())*1000) / 1000
	}
	known.note(slog.Float64(key, value))
	return value
}

// Measure makes the log event of this request a value of a metric, too; of several
// values for one metric the last one wins.
func Measure(ctx context.Context, m metrics.Measurement) {
	known := info(ctx)
	known.mu.Lock()
	defer known.mu.Unlock()
	known.measure(m)
}

// MeasureInternalErrors makes every request of this function a value of the metric
// InternalErrors: 0, unless the service itself fails. A 0 tells an alarm that there was
// something to look at; without it only failures are counted.
func MeasureInternalErrors(ctx context.Context) {
	known := info(ctx)
	known.mu.Lock()
	defer known.mu.Unlock()
	known.measure(metrics.InternalErrors(0, known.function))
}

// LogError makes a failure part of the log event; the last one wins.
func LogError(ctx context.Context, failure *apierr.Error) {
	known := info(ctx)
	known.mu.Lock()
	defer known.mu.Unlock()
	known.fault = failure
}

// LoggedError returns the failure that was noted, or nil.
func LoggedError(ctx context.Context) *apierr.Error {
	known := info(ctx)
	known.mu.Lock()
	defer known.mu.Unlock()
	return known.fault
}

// find returns where a field is among the notes, or -1. The caller holds the lock,
// here and below.
func (known *requestInfo) find(key string) int {
	return slices.IndexFunc(known.notes, func(a slog.Attr) bool { return a.Key == key })
}

func (known *requestInfo) note(field slog.Attr) {
	if i := known.find(field.Key); i >= 0 {
		known.notes[i] = field
		return
	}
	known.notes = append(known.notes, field)
}

func (known *requestInfo) measure(m metrics.Measurement) {
	same := func(other metrics.Measurement) bool { return other.Name() == m.Name() }
	if i := slices.IndexFunc(known.measured, same); i >= 0 {
		known.measured[i] = m
		return
	}
	known.measured = append(known.measured, m)
}

// code returns the code of the failure, or empty.
func (known *requestInfo) code() apierr.Code {
	if known.fault == nil {
		return ""
	}
	return known.fault.Code
}

// isInternal reports whether the service itself failed, whatever the visitor was
// shown. WeCom's failures are counted apart.
func (known *requestInfo) isInternal(status int) bool {
	switch known.code() {
	case apierr.Internal:
		return true
	case apierr.WeComBusy, apierr.WeComUnavailable, apierr.WeComConfiguration:
		return false
	default:
		return status >= 500
	}
}

func (known *requestInfo) log(cfg Config, event *events.APIGatewayV2HTTPRequest, status int) {
	known.mu.Lock()
	defer known.mu.Unlock()
	now := cfg.Now()
	// The route, never the path: a path may be the application's and a query holds codes.
	attributes := []slog.Attr{
		slog.String("function", cfg.Name),
		slog.String("version", version.Version),
		slog.String("method", event.RequestContext.HTTP.Method),
		slog.String("route", event.RouteKey),
		slog.String("requestId", known.requestID),
		slog.Int("status", status),
		slog.Float64("milliseconds", metrics.Milliseconds(now.Sub(known.started))),
	}
	level := slog.LevelInfo
	if status >= 500 || known.code() == apierr.Internal {
		level = slog.LevelError
	}
	if known.isInternal(status) {
		known.measure(metrics.InternalErrors(1, cfg.Name))
	}
	if known.fault != nil {
		attributes = append(attributes, slog.String("code", string(known.fault.Code)))
		if known.fault.Err != nil {
			attributes = append(attributes, slog.String("cause", known.fault.Err.Error()))
		}
	}
	attributes = append(attributes, known.notes...)
	attributes = append(attributes, metrics.Attributes(cfg.Service, now, known.measured...)...)
	cfg.Logger.LogAttrs(context.Background(), level, "request", attributes...)
}
