package lambdaruntime_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/infra/local/gateway"
	"github.com/wecom-signin/wecom-signin/infra/local/lambdaruntime"
	"github.com/wecom-signin/wecom-signin/infra/samtemplate"
)

var program string // built once by TestMain

func TestMain(m *testing.M) {
	os.Exit(func() int {
		folder, err := os.MkdirTemp("", "lambdaruntime")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(folder)
		program = filepath.Join(folder, "bootstrap")
		build := exec.Command("go", "build", "-tags", "lambda.norpc", "-o", program, "./testdata/bootstrap")
		if output, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build test function: %v\n%s", err, output)
			return 1
		}
		return m.Run()
	}())
}

func newFunction(t *testing.T, change func(*lambdaruntime.Config)) *lambdaruntime.Function {
	t.Helper()
	cfg := lambdaruntime.Config{
		Path: program, Name: "test", Environment: map[string]string{"GREETING": "hello"},
		Timeout: 5 * time.Second, Log: io.Discard,
	}
	if change != nil {
		change(&cfg)
	}
	f, err := lambdaruntime.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func get(t *testing.T, f *lambdaruntime.Function, path string) (events.APIGatewayV2HTTPResponse, error) {
	t.Helper()
	return f.HTTP()(t.Context(), events.APIGatewayV2HTTPRequest{RawPath: path, Body: "中"})
}

func TestInvoke(t *testing.T) {
	t.Setenv("HOME", "/home/somebody") // must not reach the function
	f := newFunction(t, nil)
	seen := map[string]bool{}
	for i := 1; i <= 3; i++ {
		answer, err := get(t, f, "/")
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode != 200 || answer.Body != "中" || answer.Headers["greeting"] != "hello" || answer.Headers["home"] != "" {
			t.Errorf("got %+v", answer)
		}
		if want := fmt.Sprint(i); answer.Headers["calls"] != want {
			t.Errorf("call %s of its process, want %s: the process was not kept", answer.Headers["calls"], want)
		}
		if id := answer.Headers["id"]; id == "" || seen[id] {
			t.Errorf("request id %q", id)
		} else {
			seen[id] = true
		}
	}
}

func TestFailures(t *testing.T) {
	tests := []struct{ path, want string }{
		{"/error", "errorString: no luck"},
		{"/panic", "string: bad luck"},
		{"/exit", "the process ended"},
		{"/sleep", "time limit"},
	}
	for _, test := range tests {
		t.Run(test.path, func(t *testing.T) {
			f := newFunction(t, func(cfg *lambdaruntime.Config) { cfg.Timeout = time.Second })
			if _, err := get(t, f, test.path); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			if answer, err := get(t, f, "/"); err != nil || answer.StatusCode != 200 {
				t.Errorf("the next call: %v %+v", err, answer)
			}
		})
	}
}

func TestProgramThatDoesNotStart(t *testing.T) {
	f := newFunction(t, func(cfg *lambdaruntime.Config) { cfg.Environment["FAIL_AT_START"] = "yes" })
	if _, err := get(t, f, "/"); err == nil || !strings.Contains(err.Error(), "the process ended") {
		t.Errorf("got %v", err)
	}
	if _, err := lambdaruntime.New(lambdaruntime.Config{Path: t.TempDir()}); err == nil {
		t.Error("a folder was taken for a program")
	}
}

func TestCallsRunAtTheSameTime(t *testing.T) {
	f := newFunction(t, func(cfg *lambdaruntime.Config) { cfg.Concurrency = 4 })
	started := time.Now()
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			answer, err := f.HTTP()(t.Context(), events.APIGatewayV2HTTPRequest{RawPath: "/nap"})
			if err != nil || answer.Headers["calls"] != "1" {
				t.Errorf("%v %+v", err, answer)
			}
		})
	}
	group.Wait()
	if took := time.Since(started); took > 1100*time.Millisecond {
		t.Errorf("four naps of 0.3 s took %s", took)
	}
}

func TestCloseEndsACallInProgress(t *testing.T) {
	f := newFunction(t, nil)
	failed := make(chan error, 1)
	go func() {
		_, err := f.HTTP()(context.WithoutCancel(t.Context()), events.APIGatewayV2HTTPRequest{RawPath: "/sleep"})
		failed <- err
	}()
	time.Sleep(100 * time.Millisecond)
	f.Close()
	if err := <-failed; err == nil {
		t.Error("the call went on")
	}
	if _, err := get(t, f, "/"); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after Close: %v", err)
	}
}

func TestBehindTheGateway(t *testing.T) {
	f := newFunction(t, nil)
	g, err := gateway.New(gateway.Config{
		Template: &samtemplate.Template{
			Functions: map[string]samtemplate.Function{"Echo": {Timeout: 5 * time.Second}},
			Routes:    []samtemplate.Route{{Function: "Echo"}},
		},
		Functions: map[string]gateway.Function{"Echo": f.HTTP()},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/": 200, "/error": 500, "/panic": 500} {
		w := httptest.NewRecorder()
		g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader("中")))
		if w.Code != want || want == 200 && w.Body.String() != "中" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
