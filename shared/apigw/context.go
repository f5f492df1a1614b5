package apigw

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/shared/fault"
)

type infoKey struct{}

// requestInfo is what is known about the request in hand, and what its log event
// will say.
type requestInfo struct {
	requestID  string
	publicURL  string
	authorizer map[string]any
	started    time.Time

	mu    sync.Mutex
	notes []slog.Attr
	fault *fault.Error
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

// AuthorizerContext returns what the Lambda authorizer said of the caller, or nil
// when no authorizer was asked.
func AuthorizerContext(ctx context.Context) map[string]any { return info(ctx).authorizer }

// Note adds a field to the log event of this request. Values must not be secret:
// names, codes, ids.
func Note(ctx context.Context, key string, value any) {
	known := info(ctx)
	known.mu.Lock()
	defer known.mu.Unlock()
	known.notes = append(known.notes, slog.Any(key, value))
}

// NoteFault makes a failure part of the log event; the last one wins.
func NoteFault(ctx context.Context, failure *fault.Error) {
	known := info(ctx)
	known.mu.Lock()
	defer known.mu.Unlock()
	known.fault = failure
}

func (known *requestInfo) log(cfg Config, event *events.APIGatewayV2HTTPRequest, status int) {
	known.mu.Lock()
	defer known.mu.Unlock()
	// The route, never the path: a path may be the application's and a query holds codes.
	attributes := []slog.Attr{
		slog.String("function", cfg.Name),
		slog.String("route", event.RouteKey),
		slog.String("requestId", known.requestID),
		slog.Int("status", status),
		slog.Float64("milliseconds", float64(cfg.Now().Sub(known.started).Microseconds())/1000),
	}
	level := slog.LevelInfo
	if known.fault != nil {
		attributes = append(attributes, slog.String("code", string(known.fault.Code)))
		if known.fault.Err != nil {
			attributes = append(attributes, slog.String("cause", known.fault.Err.Error()))
		}
		if status >= 500 || known.fault.Code == fault.Internal {
			level = slog.LevelError
		}
	}
	attributes = append(attributes, known.notes...)
	cfg.Logger.LogAttrs(context.Background(), level, "request", attributes...)
}
