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
	"testing"
	"time"
)

// startsAndWaits is the folder for what the test's own copy starts, before it is
// killed.
const startsAndWaits = "SAMLOCAL_TEST_FOLDER"

// Who is killed has no time to stop anything: what was started sees it by itself.
func TestSAMLocalProgramsEndWithWhoIsKilled(t *testing.T) {
	t.Parallel()
	// A program that starts another one, as `sam` does.
	const nested = `echo $$ >"$1/outer"; /bin/sh -c 'echo $$ >"$1/inner"; exec sleep 600' inner "$1"; exit 0`
	if folder := os.Getenv(startsAndWaits); folder != "" {
		if _, err := startService("nested", program(t.Context(), os.Environ(), io.Discard, "/bin/sh", "-c", nested, "outer", folder), func() {}); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, os.Stdin) // until the kill
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("SKIP sam local: processes are looked for in /proc")
	}
	folder := t.TempDir()
	killed := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSAMLocalProgramsEndWithWhoIsKilled$")
	killed.Env = append(os.Environ(), startsAndWaits+"="+folder)
	if _, err := killed.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	until := func(what string, happened func() bool) {
		for deadline := time.Now().Add(time.Minute); !happened(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain until %s", what)
			}
		}
	}
	processes := make([]string, 2)
	until("both programs run", func() bool {
		for i, name := range []string{"outer", "inner"} {
			content, err := os.ReadFile(filepath.Join(folder, name))
			if processes[i] = strings.TrimSpace(string(content)); err != nil || !alive(processes[i]) {
				return false
			}
		}
		return true
	})
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait()
	for _, process := range processes {
		until("process "+process+" is gone", func() bool { return !alive(process) })
	}
}

// alive reports whether a process runs. One that ended and that nobody has asked for
// does not.
func alive(process string) bool {
	status, err := os.ReadFile(filepath.Join("/proc", process, "status"))
	return process != "" && err == nil && !strings.Contains(string(status), "State:\tZ")
}

func TestSAMLocalSaysHowAProgramEndedTooEarly(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		0: "start early: it ended (exit status 0)",
		3: "start early: it ended (exit status 3)",
	} {
		ctx, cancel := context.WithCancel(t.Context())
		s, err := startService("early", program(ctx, os.Environ(), io.Discard, "/bin/sh", "-c", "exit "+strconv.Itoa(status)), cancel)
		if err != nil {
			t.Fatal(err)
		}
		err = s.wait(t.Context(), time.Minute, func(context.Context) error { return errors.New("not ready") })
		if err == nil || err.Error() != want {
			t.Errorf("status %d: %v; want %s", status, err, want)
		}
	}
}

// Between the choice of a port and its use another program may take it.
func TestSAMLocalAnotherProgramOnThePortIsNotTakenForOurs(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("SKIP sam local: only Linux tells who listens")
	}
	var ports []int
	var others []net.Listener
	t.Cleanup(func() {
		for _, other := range others {
			_ = other.Close()
		}
	})
	// Quicker each time; the program sees it and ends.
	_, _, err := startServer(t.Context(), "late", func(ctx context.Context, port int) (*exec.Cmd, error) {
		other, err := listen("127.0.0.1", port)
		for deadline := time.Now().Add(10 * time.Second); err != nil && time.Now().Before(deadline); other, err = listen("127.0.0.1", port) {
			// A process that another test starts at this moment has a copy of everything.
			time.Sleep(5 * time.Millisecond)
		}
		if err != nil {
			return nil, err
		}
		ports, others = append(ports, port), append(others, other)
		return program(ctx, os.Environ(), io.Discard, "/bin/sh", "-c", "sleep 0.3; exit 1"), nil
	})
	if !errors.Is(err, errEnded) {
		t.Errorf("another program's port: %v", err)
	}
	if len(ports) != attempts {
		t.Fatalf("it was tried on the ports %v; want %d", ports, attempts)
	}
	if err := listens(os.Getpid(), ports[0]); err != nil {
		t.Errorf("this process listens itself: %v", err)
	}
	if err := listens(1, ports[0]); err == nil {
		t.Error("another process is said to listen")
	}
}

func TestSAMLocalTwoAtOnceDoNotBuildIntoOneFolder(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	first, second := &local{folder: folder}, &local{folder: folder}
	unlock, err := first.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := second.lock(); err == nil || !strings.Contains(err.Error(), "another make invoke") {
		t.Errorf("the second is told %v", err)
	}
	unlock()
	again, err := second.lock()
	if err != nil {
		t.Fatal(fmt.Errorf("after the first: %w", err))
	}
	again()
}
