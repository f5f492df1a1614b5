package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// localRun is the program of `make run`.
type localRun struct {
	command *exec.Cmd
	// printed is what it printed, by the words in front: service, console.
	printed map[string]string
}

// startRun starts the program with settings, and nothing of the developer's own,
// which may not change the pictures. It waits until the program says that it is ready.
func startRun(ctx context.Context, program string, settings []string) (*localRun, error) {
	run := &localRun{command: exec.CommandContext(ctx, program)}
	run.command.Env = settings
	run.command.Stderr = io.Discard // one line for each request
	run.command.Cancel = func() error { return run.command.Process.Signal(syscall.SIGTERM) }
	run.command.WaitDelay = 10 * time.Second
	output, err := run.command.StdoutPipe()
	if err == nil {
		err = run.command.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start local run: %w", err)
	}
	if run.printed, err = readPrinted(output); err != nil {
		return nil, errors.Join(fmt.Errorf("start local run: %w", err), run.stop())
	}
	return run, nil
}

// readPrinted reads "name  address" lines until the program is ready.
func readPrinted(output io.Reader) (map[string]string, error) {
	printed := map[string]string{}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "Stop it") {
			return printed, nil
		}
		if name, rest, ok := strings.Cut(line, "  "); ok {
			printed[name], _, _ = strings.Cut(strings.TrimSpace(rest), " ")
		}
	}
	return nil, errors.New("it ended before it was ready")
}

// stop ends the program.
func (r *localRun) stop() error {
	signalled := r.command.Process.Signal(syscall.SIGTERM)
	err := r.command.Wait()
	if signalled != nil {
		err = nil // it had ended by itself, which startRun reports
	}
	return err
}
