package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// localRun is the program of `make run`, and the addresses it printed.
type localRun struct {
	command *exec.Cmd
	folder  string
	// printed is what it printed, by the words in front: service, console,
	// application, WeCom, "admin key".
	printed map[string]string
}

// startRun starts the program with a folder of its own, beside whatever runs
// already, and waits until it says that it is ready.
func startRun(ctx context.Context, program string) (*localRun, error) {
	folder, err := os.MkdirTemp("", "screenshots-data-")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	run := &localRun{command: exec.CommandContext(ctx, program), folder: folder}
	// No setting of the developer's own may change the pictures.
	run.command.Env = []string{"PORT=0", "DATA_DIR=" + folder}
	run.command.Stderr = io.Discard // one line for each request
	run.command.Cancel = func() error { return run.command.Process.Signal(syscall.SIGTERM) }
	run.command.WaitDelay = 10 * time.Second
	output, err := run.command.StdoutPipe()
	if err == nil {
		err = run.command.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start local run: %w", err), os.RemoveAll(folder))
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

// stop ends the program and removes what it kept.
func (r *localRun) stop() error {
	signalled := r.command.Process.Signal(syscall.SIGTERM)
	err := r.command.Wait()
	if signalled != nil {
		err = nil // it had ended by itself, which startRun reports
	}
	return errors.Join(err, os.RemoveAll(r.folder))
}
