package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Local is what `make run` starts.
type Local struct {
	// Service, Application, WeCom and Console are addresses.
	Service, Application, WeCom, Console, AdminKey string

	process *exec.Cmd
	log     bytes.Buffer // complete when the process has ended
}

// StartLocal starts the program in the module's root on free ports, with its data in
// folder, and waits until it is ready. Settings (NAME=value) are added to those.
func StartLocal(program, root, folder string, settings ...string) (*Local, error) {
	l := &Local{process: exec.CommandContext(context.Background(), program)}
	l.process.Dir = root
	l.process.Env = append([]string{"PORT=0", "DATA_DIR=" + folder}, settings...)
	l.process.Stderr = &l.log
	output, err := l.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := l.process.Start(); err != nil {
		return nil, err
	}
	places := map[string]*string{
		"service": &l.Service, "application": &l.Application, "WeCom": &l.WeCom, "console": &l.Console, "admin key": &l.AdminKey,
	}
	for lines := bufio.NewScanner(output); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if name, rest, ok := strings.Cut(line, "  "); ok && places[name] != nil {
			*places[name], _, _ = strings.Cut(strings.TrimSpace(rest), " ")
		}
		if strings.HasPrefix(line, "Stop it") {
			go func() { _, _ = io.Copy(io.Discard, output) }()
			return l, nil
		}
	}
	return nil, fmt.Errorf("the program ended before it was ready: %w\n%s", l.process.Wait(), &l.log)
}

// Pid is the number of the program's process.
func (l *Local) Pid() int { return l.process.Process.Pid }

// Kill ends the program in the middle of what it does (kill -9).
func (l *Local) Kill() {
	_ = l.process.Process.Kill()
	_ = l.process.Wait()
}

// Stop ends the program as a terminal or a supervisor does, and returns an error that
// holds its log when it does not end well. It may be called twice.
func (l *Local) Stop() error {
	if l.process.ProcessState != nil {
		return nil
	}
	if err := l.process.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	// It cuts off after 4 s what still runs; the rest is for a busy machine.
	late := time.AfterFunc(time.Minute, func() { _ = l.process.Process.Kill() })
	defer late.Stop()
	if err := l.process.Wait(); err != nil {
		return fmt.Errorf("the program ended with %w\n%s", err, &l.log)
	}
	return nil
}
