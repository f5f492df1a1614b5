package lambdaruntime

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// Config is what New needs.
type Config struct {
	// Path of the program.
	Path string
	// Name of the function, for its own log.
	Name string
	// Environment holds the function's variables. Nothing else of this process is
	// handed on.
	Environment map[string]string
	// Timeout ends a call and its process. Zero: 3 seconds, as in Lambda.
	Timeout time.Duration
	// Concurrency is how many processes there may be. Zero: 10.
	Concurrency int
	// Log receives what the processes print. Nil: standard error.
	Log io.Writer
}

// Function is a built Lambda function. Its methods may be called at the same time.
type Function struct {
	cfg   Config
	slots chan struct{} // one for every call in progress

	mu     sync.Mutex
	closed bool
	idle   []*process
	all    map[*process]struct{}
}

var (
	errClosed  = errors.New("function is closed")
	errExited  = errors.New("the process ended")
	errTimeout = errors.New("the call reached its time limit")
)

// InvocationError is a failure that the function reported itself: an error it
// returned, or a panic.
type InvocationError struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
	// Trace is there after a panic; the process ends by itself then.
	Trace []any `json:"stackTrace"`
}

func (e *InvocationError) Error() string { return e.Type + ": " + e.Message }

// New returns a function; its processes start when they are needed.
func New(cfg Config) (*Function, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = 3 * time.Second
	}
	if cfg.Concurrency == 0 {
		cfg.Concurrency = 10
	}
	if cfg.Log == nil {
		cfg.Log = os.Stderr
	}
	cfg.Environment = maps.Clone(cfg.Environment)
	info, err := os.Stat(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("find program: %w", err)
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return nil, fmt.Errorf("%s is no program", cfg.Path)
	}
	return &Function{cfg: cfg, slots: make(chan struct{}, cfg.Concurrency), all: map[*process]struct{}{}}, nil
}

// Invoke calls the function and returns its answer. The call ends at the function's
// time limit or with ctx, whichever is first, and its process with it.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.cfg.Timeout, errTimeout)
	defer cancel()
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a process: %w", context.Cause(ctx))
	}
	p, err := f.take()
	if err != nil {
		return nil, err
	}
	answer, err := p.invoke(ctx, payload)
	failure, reported := errors.AsType[*InvocationError](err)
	if err != nil && (!reported || len(failure.Trace) > 0) {
		p.stop()
		f.forget(p)
		return nil, fmt.Errorf("call %s: %w", f.cfg.Name, err)
	}
	f.putBack(p)
	if reported {
		return nil, failure
	}
	return answer, nil
}

// take returns a process that waits for a call, or starts one.
func (f *Function) take() (*process, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, errClosed
	}
	for len(f.idle) > 0 {
		p := f.idle[len(f.idle)-1]
		f.idle = f.idle[:len(f.idle)-1]
		if !p.hasExited() {
			return p, nil
		}
		delete(f.all, p)
	}
	p, err := startProcess(f.cfg)
	if err != nil {
		return nil, err
	}
	f.all[p] = struct{}{}
	return p, nil
}

func (f *Function) putBack(p *process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.idle = append(f.idle, p)
	}
}

func (f *Function) forget(p *process) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.all, p)
}

// Close ends all processes and waits for them; calls in progress fail.
func (f *Function) Close() {
	f.mu.Lock()
	f.closed = true
	all := slices.Collect(maps.Keys(f.all))
	f.idle = nil
	clear(f.all)
	f.mu.Unlock()
	for _, p := range all {
		p.stop()
	}
}

// HTTP returns the function as one behind a route of package gateway.
func (f *Function) HTTP() func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return invokeJSON[events.APIGatewayV2HTTPRequest, events.APIGatewayV2HTTPResponse](f)
}

// Authorizer returns the function as a Lambda authorizer of package gateway.
func (f *Function) Authorizer() func(context.Context, events.APIGatewayV2CustomAuthorizerV2Request) (events.APIGatewayV2CustomAuthorizerSimpleResponse, error) {
	return invokeJSON[events.APIGatewayV2CustomAuthorizerV2Request, events.APIGatewayV2CustomAuthorizerSimpleResponse](f)
}

func invokeJSON[In, Out any](f *Function) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		var out, none Out
		payload, err := json.Marshal(in)
		if err != nil {
			return none, fmt.Errorf("encode event: %w", err)
		}
		answer, err := f.Invoke(ctx, payload)
		if err != nil {
			return none, err
		}
		if err := json.Unmarshal(answer, &out); err != nil {
			return none, fmt.Errorf("decode answer: %w", err)
		}
		return out, nil
	}
}
