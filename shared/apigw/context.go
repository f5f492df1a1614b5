package apigw

import (
	"context"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/version"
)

type infoKey struct{}

// requestInfo is what the gateway says about a request, and what its log event will
// contain.
type requestInfo struct {
	requestID  string
	publicURL  string
	function   string
	version    string
	authorizer map[string]any
	started    time.Time

	mu       sync.Mutex
	fields   []slog.Attr
	measured []metrics.Measurement
	failure  *apierr.Error
}

func infoOf(ctx context.Context) *requestInfo {
	if info, ok := ctx.Value(infoKey{}).(*requestInfo); ok {
		return info
	}
	return &requestInfo{}
}

// RequestID returns the gateway's id of the request. People see it, and the log has it. In
// the work of a WorkLog it is the id of the invocation.
func RequestID(ctx context.Context) string { return infoOf(ctx).requestID }

// PublicURL returns scheme, host and port under which browsers see the service,
// without a slash at the end.
func PublicURL(ctx context.Context) string { return infoOf(ctx).publicURL }

// LogField sets a field in the log event of the request; the last value of a field wins.
// Values must not be secret: names, codes, ids.
func LogField(ctx context.Context, key string, value any) {
	info := infoOf(ctx)
	info.mu.Lock()
	defer info.mu.Unlock()
	info.setField(slog.Any(key, value))
}

// AddToLogField adds to a number in the log event of the request, and returns the sum,
// rounded to thousandths.
func AddToLogField(ctx context.Context, key string, value float64) float64 {
	info := infoOf(ctx)
	info.mu.Lock()
	defer info.mu.Unlock()
	if i := info.findField(key); i >= 0 && info.fields[i].Value.Kind() == slog.KindFloat64 {
		value = math.Round((value+info.fields[i].Value.Float64())*1000) / 1000
	}
	info.setField(slog.Float64(key, value))
	return value
}

// Measure adds a value of a metric to the log event of the request; the last value of a
// metric wins.
func Measure(ctx context.Context, m metrics.Measurement) {
	info := infoOf(ctx)
	info.mu.Lock()
	defer info.mu.Unlock()
	info.setMeasurement(m)
}

// MeasureInternalErrors adds the metric InternalErrors to the log event of the request: 0
// unless the service itself fails. Without it only failures are counted, and an alarm
// cannot tell success from silence.
func MeasureInternalErrors(ctx context.Context) {
	info := infoOf(ctx)
	info.mu.Lock()
	defer info.mu.Unlock()
	info.setMeasurement(metrics.InternalErrors(0, info.function, info.version))
}

// LogError adds an error to the log event of the request; the last one wins.
func LogError(ctx context.Context, failure *apierr.Error) {
	info := infoOf(ctx)
	info.mu.Lock()
	defer info.mu.Unlock()
	info.failure = failure
}

// LoggedError returns the error in the log event of the request, or nil.
func LoggedError(ctx context.Context) *apierr.Error {
	info := infoOf(ctx)
	info.mu.Lock()
	defer info.mu.Unlock()
	return info.failure
}

// findField returns the index of a field, or -1. Its caller holds the lock, as do those
// of the methods below.
func (info *requestInfo) findField(key string) int {
	return slices.IndexFunc(info.fields, func(a slog.Attr) bool { return a.Key == key })
}

func (info *requestInfo) setField(field slog.Attr) {
	if i := info.findField(field.Key); i >= 0 {
		info.fields[i] = field
		return
	}
	info.fields = append(info.fields, field)
}

func (info *requestInfo) setMeasurement(m metrics.Measurement) {
	same := func(other metrics.Measurement) bool { return other.Name() == m.Name() }
	if i := slices.IndexFunc(info.measured, same); i >= 0 {
		info.measured[i] = m
		return
	}
	info.measured = append(info.measured, m)
}

// code returns the code of the logged error, or nothing.
func (info *requestInfo) code() apierr.Code {
	if info.failure == nil {
		return ""
	}
	return info.failure.Code
}

// isInternal reports whether the service itself failed, whatever the answer says.
// WeCom's failures have a metric of their own.
func (info *requestInfo) isInternal(status int) bool {
	switch info.code() {
	case apierr.Internal:
		return true
	case apierr.WeComBusy, apierr.WeComUnavailable, apierr.WeComConfiguration:
		return false
	default:
		return status >= 500
	}
}

func (info *requestInfo) log(cfg Config, event *events.APIGatewayV2HTTPRequest, status int) {
	info.mu.Lock()
	defer info.mu.Unlock()
	now := cfg.Now()
	// The route, never the path: a path may be an application's, and a query holds codes.
	attributes := []slog.Attr{
		slog.String("function", cfg.Name),
		slog.String("version", version.Version),
		slog.String("method", loggedMethod(event.RequestContext.HTTP.Method)),
		slog.String("route", event.RouteKey),
		slog.String("requestId", info.requestID),
		slog.Int("status", status),
		slog.Float64("milliseconds", metrics.Milliseconds(now.Sub(info.started))),
	}
	level := slog.LevelInfo
	if status >= 500 || info.code() == apierr.Internal {
		level = slog.LevelError
	}
	if info.isInternal(status) {
		info.setMeasurement(metrics.InternalErrors(1, cfg.Name, cfg.Version))
	}
	if info.failure != nil {
		attributes = append(attributes, slog.String("code", string(info.failure.Code)))
		if info.failure.Err != nil {
			attributes = append(attributes, slog.String("cause", info.failure.Err.Error()))
		}
	}
	attributes = append(attributes, info.fields...)
	attributes = append(attributes, metrics.Attributes(cfg.Service, now, info.measured...)...)
	cfg.Logger.LogAttrs(context.Background(), level, "request", attributes...)
}

// loggedMethod returns a method that HTTP knows, or "other": a method may be any text.
func loggedMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}
