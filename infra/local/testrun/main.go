// Command testrun runs `go test` and counts:
//
//	testrun -- ARGUMENTS OF GO TEST...
//
// It prints what failed and what was skipped, and as its last line
// "N passed, N failed, N skipped". With CI set, a skipped test is a failure: there
// everything that the tests need must be present.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	arguments := os.Args[1:]
	if len(arguments) > 0 && arguments[0] == "--" {
		arguments = arguments[1:]
	}
	ok, err := run(ctx, arguments, os.Getenv("CI") != "", os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testrun:", err)
	}
	if !ok || err != nil {
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

func run(ctx context.Context, arguments []string, strict bool, out io.Writer) (bool, error) {
	command := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, arguments...)...) //nolint:gosec // running go test is the purpose
	command.Stderr = os.Stderr
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	events, err := command.StdoutPipe()
	if err != nil {
		return false, fmt.Errorf("run go test: %w", err)
	}
	if err := command.Start(); err != nil {
		return false, fmt.Errorf("run go test: %w", err)
	}
	ok := newReport(out).read(events, strict)
	err = command.Wait()
	if exit, isExit := errors.AsType[*exec.ExitError](err); isExit && exit.Exited() {
		return false, nil // what failed has been printed
	}
	return ok, err
}

// event is one line of go test -json (see `go doc test2json`).
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
	Elapsed    float64
}

type report struct {
	out                     io.Writer
	output                  map[string][]string // by test: what it printed
	passed, failed, skipped int
}

func newReport(out io.Writer) *report {
	return &report{out: out, output: map[string][]string{}}
}

// read prints what matters of the events and reports whether all is well.
func (r *report) read(events io.Reader, strict bool) bool {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			r.line(line)
		}
		if err != nil {
			break
		}
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
	return r.failed == 0 && (r.skipped == 0 || !strict)
}

func (r *report) line(line []byte) {
	var e event
	if err := json.Unmarshal(line, &e); err != nil {
		_, _ = r.out.Write(line)
		return
	}
	if e.Action == "build-output" {
		fmt.Fprint(r.out, e.Output)
		return
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		r.output[key] = append(r.output[key], e.Output)
	case "pass":
		if e.Test != "" {
			r.passed++
		} else {
			fmt.Fprintf(r.out, "ok   %s %.1fs\n", e.Package, e.Elapsed)
		}
		delete(r.output, key)
	case "fail":
		if e.Test != "" {
			r.failed++
		} else if r.failed == 0 {
			r.failed++ // a package that did not compile, or ended outside a test
		}
		fmt.Fprintf(r.out, "FAIL %s\n%s", strings.TrimSpace(key), strings.Join(r.output[key], ""))
		delete(r.output, key)
	case "skip":
		// A seed that a fuzz target has no use for is no test that could not run.
		if e.Test != "" && !strings.HasPrefix(e.Test, "Fuzz") {
			r.skipped++
			fmt.Fprintf(r.out, "SKIP %s\n%s", key, reasons(r.output[key]))
		}
		delete(r.output, key)
	}
}

// reasons keeps of a skipped test's output what it says itself.
func reasons(lines []string) string {
	var kept strings.Builder
	for _, line := range lines {
		if !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- ") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
