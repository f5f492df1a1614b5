package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// startDeadline is how long a function may take to ask for its first event. It starts in
// a tenth of a second; the rest is for a busy machine.
const startDeadline = 10 * time.Minute

// Function is a built function behind a Runtime API of its own
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html). It takes one event
// at a time.
type Function struct {
	// PathParameters are in every event. API Gateway finds them by the route, of which
	// this knows nothing.
	PathParameters map[string]string
	// Authorizer is the context of every event, as the route's authorizer gives it.
	Authorizer map[string]any

	process         *exec.Cmd
	runtime         *httptest.Server
	events, answers chan []byte
	stopped         chan struct{}
	stop            func()
}

// StartFunction starts a program, with nothing in its environment but what is given and
// what Lambda sets, and waits until it asks for its first event. It ends with ctx or Stop.
func StartFunction(ctx context.Context, program string, environment map[string]string) (*Function, error) {
	f := &Function{events: make(chan []byte), answers: make(chan []byte), stopped: make(chan struct{})}
	f.stop = sync.OnceFunc(func() { close(f.stopped) })
	ready := make(chan struct{})
	asks := sync.OnceFunc(func() { close(ready) })
	f.runtime = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost { // an answer, or why there is none
			answer, _ := io.ReadAll(r.Body)
			w.WriteHeader(http.StatusAccepted)
			select {
			case f.answers <- answer:
			case <-f.stopped:
			}
			return
		}
		asks()
		select {
		case event := <-f.events:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "request")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
			_, _ = w.Write(event)
		case <-r.Context().Done():
		}
	}))
	f.process = exec.CommandContext(ctx, program)
	f.process.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + f.runtime.Listener.Addr().String(), "AWS_LAMBDA_FUNCTION_NAME=" + filepath.Base(program)}
	for name, value := range environment {
		f.process.Env = append(f.process.Env, name+"="+value)
	}
	if err := f.process.Start(); err != nil {
		f.runtime.Close()
		return nil, fmt.Errorf("start the function: %w", err)
	}
	select {
	case <-ready:
		return f, nil
	case answer := <-f.answers:
		f.Stop()
		return nil, fmt.Errorf("%s does not start: %s", program, answer)
	case <-time.After(startDeadline):
		f.Stop()
		return nil, fmt.Errorf("%s does not start within %s", program, startDeadline)
	}
}

// Stop ends the program as Lambda does, without a word. It may be called twice.
func (f *Function) Stop() {
	_ = f.process.Process.Kill()
	_ = f.process.Wait()
	f.stop()
	f.runtime.CloseClientConnections()
	f.runtime.Close()
}

// Pid is the number of the function's process.
func (f *Function) Pid() int { return f.process.Process.Pid }

// Invoke hands over an event and returns the answer, or why there is none: nothing, of a
// program that was stopped meanwhile.
func (f *Function) Invoke(event []byte) (answer []byte) {
	select {
	case f.events <- event:
	case <-f.stopped:
		return nil
	}
	select {
	case answer = <-f.answers:
	case <-f.stopped:
	}
	return answer
}

// ServeHTTP hands a request over as API Gateway does (payload format 2.0).
func (f *Function) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // in memory
	event := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RawPath: r.URL.Path, RawQueryString: r.URL.RawQuery, PathParameters: f.PathParameters,
		Headers: map[string]string{}, Body: string(body), Cookies: strings.Split(r.Header.Get("Cookie"), "; "),
	}
	for name := range r.Header {
		event.Headers[strings.ToLower(name)] = r.Header.Get(name)
	}
	event.RequestContext.HTTP.Method = r.Method
	if f.Authorizer != nil {
		event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: f.Authorizer}
	}
	payload, _ := json.Marshal(event) // of texts, it cannot fail
	var answer events.APIGatewayV2HTTPResponse
	_ = json.Unmarshal(f.Invoke(payload), &answer)
	for name, value := range answer.Headers {
		w.Header().Set(name, value)
	}
	w.Header()["Set-Cookie"] = answer.Cookies
	w.WriteHeader(cmp.Or(answer.StatusCode, http.StatusBadGateway))
	_, _ = io.WriteString(w, answer.Body)
}
