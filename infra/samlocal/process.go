package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long a program may take to end by itself. It takes seconds, but on a
// busy machine `sam` needs time to remove its containers, and one that is killed
// leaves them.
const patience = 30 * time.Second

// guarded becomes the program that its arguments name, beside a guard in the same
// process group. The guard reads the standard input, which ends with this process
// however that ends, and asks the group to end then.
const guarded = `exec 3<&0; { cat <&3; kill -TERM 0; } >/dev/null 2>&1 & exec "$@" 3<&- </dev/null`

// program prepares a program. When ctx ends it is asked to end, and killed when it
// does not. It is in a process group of its own: Ctrl-C in a terminal reaches the
// whole group of this process, and `sam` must not be interrupted while it removes
// its containers. It ends with this process, even when that is killed.
func program(ctx context.Context, environment []string, output io.Writer, name string, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/bin/sh", append([]string{"-c", guarded, "guarded", name}, arguments...)...) //nolint:gosec // the tools this repository fetches
	cmd.Env = environment
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	// Nothing is written to it. Without it the guard would end the program at once.
	_, _ = cmd.StdinPipe()
	return cmd
}

// service is a program that runs until it is stopped.
type service struct {
	name   string
	cmd    *exec.Cmd
	cancel context.CancelFunc
	ended  chan struct{}
	err    error // after ended
}

func startService(name string, cmd *exec.Cmd, cancel context.CancelFunc) (*service, error) {
	s := &service{name: name, cmd: cmd, cancel: cancel, ended: make(chan struct{})}
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

// errEnded says that a program has ended before it was ready.
var errEnded = errors.New("it ended")

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
			return fmt.Errorf("start %s: %w (%s)", s.name, errEnded, s.cmd.ProcessState)
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

// answers reports whether something takes connections at a port of loopback.
func answers(ctx context.Context, port int) error {
	connection, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return connection.Close()
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

// attempts is how often a program is given another port, when somebody else was
// quicker.
const attempts = 3

// startServer starts a program that listens on a port of loopback, and returns when
// that program answers there: not another one that has taken the port meanwhile.
func startServer(ctx context.Context, name string, prepare func(ctx context.Context, port int) (*exec.Cmd, error)) (*service, int, error) {
	for attempt := 1; ; attempt++ {
		port, err := freePort()
		if err != nil {
			return nil, 0, err
		}
		programContext, cancel := context.WithCancel(ctx)
		cmd, err := prepare(programContext, port)
		if err != nil {
			cancel()
			return nil, 0, err
		}
		server, err := startService(name, cmd, cancel)
		if err != nil {
			return nil, 0, err
		}
		err = server.wait(ctx, startLimit, func(ctx context.Context) error {
			if err := answers(ctx, port); err != nil {
				return err
			}
			return listens(cmd.Process.Pid, port)
		})
		if err == nil {
			return server, port, nil
		}
		server.stop()
		if !errors.Is(err, errEnded) || attempt == attempts {
			return nil, 0, err
		}
	}
}

// listens returns an error when it is not this process that listens on a port of
// loopback. Only Linux tells; elsewhere it is believed.
func listens(pid, port int) error {
	if runtime.GOOS != "linux" {
		return nil
	}
	sockets, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return fmt.Errorf("find who listens: %w", err)
	}
	// sl, local address, remote address, state (0A listens), …, the socket as the tenth.
	var socket string
	for line := range strings.Lines(string(sockets)) {
		fields := strings.Fields(line)
		if len(fields) > 9 && fields[3] == "0A" && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) {
			socket = "socket:[" + fields[9] + "]"
		}
	}
	folder := fmt.Sprintf("/proc/%d/fd", pid)
	files, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("find who listens: %w", err)
	}
	for _, file := range files {
		if target, err := os.Readlink(filepath.Join(folder, file.Name())); err == nil && target == socket {
			return nil
		}
	}
	return fmt.Errorf("another program listens on port %d", port)
}
