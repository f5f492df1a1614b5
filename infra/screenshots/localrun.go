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
	if err := waitUntilReady(output); err != nil {
		return nil, errors.Join(fmt.Errorf("start local run: %w", err), run.stop())
	}
	return run, nil
}

// waitUntilReady reads what the program prints until it says how to stop it.
func waitUntilReady(output io.Reader) error {
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if strings.HasPrefix(strings.TrimSpace(lines.Text()), "Stop it") {
			return nil
		}
	}
	return errors.New("it ended before it was ready")
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
