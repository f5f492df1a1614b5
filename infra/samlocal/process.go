package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long a program may take to end by itself. It takes seconds, but on a
// busy machine `sam` needs time to remove its containers, and one that is killed
// leaves them.
const patience = 30 * time.Second

// program prepares a program. When ctx ends it is asked to end, and killed when it
// does not. It is in a process group of its own: Ctrl-C in a terminal reaches the
// whole group of this process, and `sam` must not be interrupted while it removes
// its containers.
func program(ctx context.Context, environment []string, output io.Writer, name string, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, arguments...) //nolint:gosec // the tools this repository fetches
	cmd.Env = environment
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	return cmd
}

// service is a program that runs until it is stopped.
type service struct {
	name   string
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // after ended
}

func startService(name string, cmd *exec.Cmd, cancel context.CancelFunc) (*service, error) {
	s := &service{name: name, cancel: cancel, ended: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		defer close(s.ended)
		s.err = cmd.Wait()
	}()
	return s, nil
}

// stop ends the program and waits for it.
func (s *service) stop() {
	s.cancel()
	<-s.ended
}

// wait calls ready until it returns nil, for at most limit.
func (s *service) wait(ctx context.Context, limit time.Duration, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errors.New("it does not answer"))
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("start %s: it ended (%w)", s.name, errors.Join(s.err))
		case <-ctx.Done():
			return fmt.Errorf("start %s: %w", s.name, errors.Join(context.Cause(ctx), err))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// samEnvironment is this process's environment without what would change what SAM
// does: an outer make, and the account of the caller's shell.
func (l *local) samEnvironment(more ...string) []string {
	var environment []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "MAKE") && !strings.HasPrefix(variable, "MFLAGS=") && !strings.HasPrefix(variable, "AWS_") {
			environment = append(environment, variable)
		}
	}
	return append(append(environment, "SAM_CLI_TELEMETRY=0", "DOCKER_HOST="+l.dockerHost), more...)
}

// listen takes a port; 0 means any.
func listen(host string, port int) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}

func portOf(listener net.Listener) int {
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	return address.Port
}

// freePort returns a port that nobody has at the moment.
func freePort() (int, error) {
	listener, err := listen("127.0.0.1", 0)
	if err != nil {
		return 0, err
	}
	defer func() { _ = listener.Close() }()
	return portOf(listener), nil
}
