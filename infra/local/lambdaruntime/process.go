package lambdaruntime

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

const (
	initLimit = 10 * time.Second // Lambda's own
	maxAnswer = 6 << 20          // the largest answer of a synchronous call
)

// process is one running program with a runtime API of its own.
type process struct {
	cmd    *exec.Cmd
	server *http.Server
	calls  chan *call
	// ready is closed when the program asks for its first call.
	ready     chan struct{}
	readyOnce sync.Once
	// exited is closed when the program has ended.
	exited chan struct{}

	mu      sync.Mutex
	current *call
}

type call struct {
	id       string
	payload  []byte
	deadline time.Time
	result   chan result
}

type result struct {
	answer []byte
	err    error
}

func startProcess(cfg Config) (*process, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it lives as long as the process, not as a call
	if err != nil {
		return nil, fmt.Errorf("listen for the runtime API: %w", err)
	}
	p := &process{
		// The program outlives the call that starts it, so no context ends it.
		cmd:    exec.Command(cfg.Path), //nolint:gosec,noctx // running the program it is given is the purpose
		calls:  make(chan *call),
		ready:  make(chan struct{}),
		exited: make(chan struct{}),
	}
	p.cmd.Env = []string{
		"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(),
		"AWS_LAMBDA_FUNCTION_NAME=" + cfg.Name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512",
		"LAMBDA_TASK_ROOT=" + filepath.Dir(cfg.Path),
		"_HANDLER=bootstrap",
		"TZ=:UTC",
	}
	for name, value := range cfg.Environment {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Dir = filepath.Dir(cfg.Path)
	p.cmd.Stdout, p.cmd.Stderr = cfg.Log, cfg.Log

	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", p.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", p.response)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", p.failure)
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted) // the program ends by itself then
	})
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: initLimit}
	if err := p.cmd.Start(); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("start program: %w", err)
	}
	go func() { _ = p.server.Serve(listener) }()
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.exited)
		_ = p.server.Close()
	}()
	return p, nil
}

func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// stop ends the program and waits for it. It may be called more than once.
func (p *process) stop() {
	_ = p.cmd.Process.Kill() // an error means that it has ended
	<-p.exited
}

func (p *process) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	deadline, _ := ctx.Deadline()
	c := &call{id: newCallID(), payload: payload, deadline: deadline, result: make(chan result, 1)}
	start := time.NewTimer(initLimit)
	defer start.Stop()
	select {
	case <-p.ready:
	case <-start.C:
		return nil, errors.New("the program did not ask for work in time")
	case <-p.exited:
		return nil, errExited
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case p.calls <- c:
	case <-p.exited:
		return nil, errExited
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case r := <-c.result:
		return r.answer, r.err
	case <-p.exited:
		select {
		case r := <-c.result: // it answered, then ended: a panic is reported so
			return r.answer, r.err
		default:
			return nil, errExited
		}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *process) next(w http.ResponseWriter, r *http.Request) {
	p.readyOnce.Do(func() { close(p.ready) })
	select {
	case c := <-p.calls:
		p.mu.Lock()
		p.current = c
		p.mu.Unlock()
		header := w.Header()
		header.Set("Content-Type", "application/json")
		header.Set("Lambda-Runtime-Aws-Request-Id", c.id)
		header.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(c.deadline.UnixMilli(), 10))
		header.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:local:000000000000:function:local")
		_, _ = w.Write(c.payload)
	case <-r.Context().Done():
	}
}

// answer gives the result of the call of this id to whoever waits for it.
func (p *process) answer(w http.ResponseWriter, r *http.Request, result result) {
	p.mu.Lock()
	c := p.current
	known := c != nil && c.id == r.PathValue("id")
	if known {
		p.current = nil
	}
	p.mu.Unlock()
	if !known {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.result <- result
	w.WriteHeader(http.StatusAccepted)
}

func (p *process) response(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
	switch {
	case err != nil:
		err = fmt.Errorf("read answer: %w", err)
	case len(body) > maxAnswer:
		err = &InvocationError{Type: "Function.ResponseSizeTooLarge", Message: "the answer is too large"}
	case r.Trailer.Get("Lambda-Runtime-Function-Error-Type") != "":
		err = &InvocationError{Type: r.Trailer.Get("Lambda-Runtime-Function-Error-Type"), Message: "the answer broke off"}
	}
	p.answer(w, r, result{body, err})
}

func (p *process) failure(w http.ResponseWriter, r *http.Request) {
	failure := &InvocationError{}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxAnswer)).Decode(failure); err != nil || failure.Type == "" {
		failure.Type = "Unhandled"
	}
	p.answer(w, r, result{nil, failure})
}

// newCallID returns a random id in the form of Lambda's own.
func newCallID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // crypto/rand never fails: it ends the process instead
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}
