package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/infra/samtemplate"
)

// Function is a Lambda function behind a route.
type Function = func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error)

// Authorizer is a Lambda authorizer with payload format 2.0 and simple responses.
type Authorizer = func(context.Context, events.APIGatewayV2CustomAuthorizerV2Request) (events.APIGatewayV2CustomAuthorizerSimpleResponse, error)

// Config is what New needs.
type Config struct {
	Template *samtemplate.Template
	// Functions by logical id: one for every function with a route.
	Functions map[string]Function
	// Authorizers by logical id of their function.
	Authorizers map[string]Authorizer
	// Logger receives what AWS would keep from the caller: panics, errors, time
	// limits. Nil: nothing is logged.
	Logger *slog.Logger
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Gateway serves the routes of a template. It is an http.Handler.
type Gateway struct {
	routes *routeTable
	logger *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup
}

type boundFunction struct {
	id      string
	timeout time.Duration
	call    Function
}

type boundAuthorizer struct {
	samtemplate.Authorizer
	timeout time.Duration
	call    Authorizer
}

// New returns a gateway. The error joins every function that is missing or has no
// route.
func New(cfg Config) (*Gateway, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	functions := map[string]*boundFunction{}
	authorizers := map[string]*boundAuthorizer{}
	for name, spec := range cfg.Template.Authorizers {
		call := cfg.Authorizers[spec.Function]
		if call == nil {
			fault("authorizer %s: no function %s", name, spec.Function)
		}
		authorizers[name] = &boundAuthorizer{spec, cfg.Template.Functions[spec.Function].Timeout, call}
	}
	var routes []*boundRoute
	for _, route := range cfg.Template.Routes {
		if route.Authorizer != "" && authorizers[route.Authorizer] == nil {
			fault("route %s: no authorizer %s", route.Key(), route.Authorizer)
		}
		bound := functions[route.Function]
		if bound == nil {
			bound = &boundFunction{route.Function, cfg.Template.Functions[route.Function].Timeout, cfg.Functions[route.Function]}
			functions[route.Function] = bound
			if bound.call == nil {
				fault("no function %s", route.Function)
			}
		}
		routes = append(routes, &boundRoute{Route: route, function: bound, authorizer: authorizers[route.Authorizer]})
	}
	for _, id := range slices.Sorted(maps.Keys(cfg.Functions)) {
		if functions[id] == nil {
			fault("function %s has no route", id)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("wire the gateway: %w", err)
	}
	return &Gateway{routes: newRouteTable(routes), logger: cfg.Logger, now: cfg.Now}, nil
}

// ServeHTTP answers a request as the HTTP API does.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := newRequestID()
	w.Header()["Apigw-Requestid"] = []string{requestID}
	if r.URL.Path == "" || r.URL.Path[0] != '/' { // OPTIONS *, CONNECT
		refuse(w, http.StatusBadRequest, "Bad Request")
		return
	}
	route, parameters := g.routes.match(r.Method, r.URL)
	if route == nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	event, err := newEvent(r, route, parameters, g.now(), requestID)
	switch {
	case errors.Is(err, errHeadersTooLarge):
		refuse(w, http.StatusRequestHeaderFieldsTooLarge, "Request Header Fields Too Large")
		return
	case errors.Is(err, errBodyTooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	case err != nil:
		refuse(w, http.StatusBadRequest, "Bad Request")
		return
	}
	if route.authorizer != nil && !g.authorize(w, r, route, &event) {
		return
	}
	answer, err := run(r.Context(), g, route.function.id, route.function.timeout, func(ctx context.Context) (events.APIGatewayV2HTTPResponse, error) {
		return route.function.call(ctx, event)
	})
	switch {
	case errors.Is(err, errTimeLimit), errors.Is(err, errStopped):
		refuse(w, http.StatusServiceUnavailable, "Service Unavailable")
	case err != nil:
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
	case !writeAnswer(w, r, &answer):
		g.logger.ErrorContext(r.Context(), "function answered what is no HTTP answer", "function", route.function.id, "requestId", requestID)
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
	}
}

// authorize asks the authorizer and reports whether the request may go on; if not,
// it has been answered.
func (g *Gateway) authorize(w http.ResponseWriter, r *http.Request, route *boundRoute, event *events.APIGatewayV2HTTPRequest) bool {
	question := events.APIGatewayV2CustomAuthorizerV2Request{
		Version:               event.Version,
		Type:                  "REQUEST",
		RouteArn:              "arn:aws:execute-api:local:000000000000:local/$default/" + r.Method + event.RawPath,
		RouteKey:              event.RouteKey,
		RawPath:               event.RawPath,
		RawQueryString:        event.RawQueryString,
		Cookies:               event.Cookies,
		Headers:               event.Headers,
		QueryStringParameters: event.QueryStringParameters,
		RequestContext:        event.RequestContext,
		PathParameters:        event.PathParameters,
	}
	for _, name := range route.authorizer.Headers {
		value := event.Headers[strings.ToLower(name)]
		if value == "" {
			refuse(w, http.StatusUnauthorized, "Unauthorized")
			return false
		}
		question.IdentitySource = append(question.IdentitySource, value)
	}
	verdict, err := run(r.Context(), g, route.authorizer.Function, route.authorizer.timeout, func(ctx context.Context) (events.APIGatewayV2CustomAuthorizerSimpleResponse, error) {
		return route.authorizer.call(ctx, question)
	})
	var said map[string]any
	if err == nil && verdict.Context != nil {
		// Between two functions in AWS lies JSON: an int64 arrives as a float64.
		said, err = throughJSON(verdict.Context)
	}
	if err != nil || !verdict.IsAuthorized {
		refuse(w, http.StatusForbidden, "Forbidden")
		return false
	}
	event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: said}
	return true
}

func throughJSON(value map[string]any) (map[string]any, error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encode authorizer context: %w", err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		return nil, fmt.Errorf("decode authorizer context: %w", err)
	}
	return decoded, nil
}

var (
	errTimeLimit = errors.New("time limit reached")
	errStopped   = errors.New("gateway is stopped")
	errPanic     = errors.New("function panicked")
)

// run calls a function with its time limit. It goes on when the client hangs up,
// as in Lambda; at the limit run returns while the function may still be ending.
func run[T any](parent context.Context, g *Gateway, id string, timeout time.Duration, call func(context.Context) (T, error)) (T, error) {
	var none T
	if !g.begin() {
		return none, errStopped
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(parent), timeout)
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		defer g.running.Done()
		defer func() {
			if cause := recover(); cause != nil {
				g.logger.Error("function panicked", "function", id, "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
				done <- result{none, errPanic}
			}
		}()
		value, err := call(ctx)
		done <- result{value, err}
	}()
	defer cancel()
	select {
	case r := <-done:
		if ctx.Err() == nil { // at the limit the answer is lost, whoever was first
			if r.err != nil && !errors.Is(r.err, errPanic) {
				g.logger.Error("function failed", "function", id, "cause", r.err.Error())
			}
			return r.value, r.err
		}
	case <-ctx.Done():
	}
	g.logger.Error("function reached its time limit", "function", id, "limit", timeout.String())
	return none, errTimeLimit
}

func (g *Gateway) begin() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopped {
		return false
	}
	g.running.Add(1)
	return true
}

// Shutdown refuses new requests with 503 and waits until no function runs, or until
// ctx ends; then it returns the context's error.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	done := make(chan struct{})
	go func() {
		g.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for functions: %w", ctx.Err())
	}
}

// refuse writes an answer of the gateway itself.
func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"message":"`+message+`"}`)
}
