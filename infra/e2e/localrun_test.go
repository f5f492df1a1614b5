package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// programFolder outlives the tests that share what is built there.
var programFolder = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "e2e-") })

// localProgram builds the program of `make run`, once.
var localProgram = sync.OnceValues(func() (string, error) {
	folder, err := programFolder()
	if err != nil {
		return "", err
	}
	program := filepath.Join(folder, "local")
	output, err := exec.CommandContext(context.Background(), "go", "build", "-buildvcs=false", "-o", program, moduleRoot+"/infra/local").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	return program, nil
})

// localRun is what `make run` starts.
type localRun struct {
	process *exec.Cmd
	log     bytes.Buffer // complete when the process has ended
	// service, application, weCom and console are addresses.
	service, application, weCom, console, adminKey string
}

// startLocal starts the program with a folder of its own on free ports and waits
// until it is ready. Settings are added to those.
func startLocal(t testing.TB, settings ...string) *localRun {
	t.Helper()
	r, err := launch(t.TempDir(), settings...)
	must(t, err)
	t.Cleanup(func() { r.stop(t) })
	return r
}

// launch starts the program with its data in a folder.
func launch(folder string, settings ...string) (*localRun, error) {
	program, err := localProgram()
	if err != nil {
		return nil, err
	}
	r := &localRun{process: exec.CommandContext(context.Background(), program)}
	r.process.Dir = moduleRoot
	r.process.Env = append([]string{"PORT=0", "DATA_DIR=" + folder}, settings...)
	r.process.Stderr = &r.log
	output, err := r.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := r.process.Start(); err != nil {
		return nil, err
	}
	places := map[string]*string{
		"service": &r.service, "application": &r.application, "WeCom": &r.weCom, "console": &r.console, "admin key": &r.adminKey,
	}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if name, rest, ok := strings.Cut(line, "  "); ok && places[name] != nil {
			*places[name], _, _ = strings.Cut(strings.TrimSpace(rest), " ")
		}
		if strings.HasPrefix(line, "Stop it") {
			go func() { _, _ = io.Copy(io.Discard, output) }()
			return r, nil
		}
	}
	return nil, fmt.Errorf("the program ended before it was ready: %w\n%s", r.process.Wait(), &r.log)
}

// stop ends the program as a terminal or a supervisor does. It may be called twice.
func (r *localRun) stop(t testing.TB) {
	t.Helper()
	if err := r.end(); err != nil {
		t.Error(err)
	}
}

func (r *localRun) end() error {
	if r.process.ProcessState != nil {
		return nil
	}
	if err := r.process.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	// It cuts off after 4 s what still runs; the rest is for a busy machine.
	late := time.AfterFunc(20*time.Second, func() { _ = r.process.Process.Kill() })
	defer late.Stop()
	if err := r.process.Wait(); err != nil {
		return fmt.Errorf("the program ended with %w\n%s", err, &r.log)
	}
	return nil
}
