package awsstack_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
)

// startsAndWaits is the folder for what the test's own copy starts, before it is
// killed.
const startsAndWaits = "AWSSTACK_TEST_FOLDER"

// Who is killed has no time to close anything: the emulator sees it by itself, and
// takes its functions and files with it.
func TestItEndsWithWhoIsKilled(t *testing.T) {
	t.Parallel()
	if folder := os.Getenv(startsAndWaits); folder != "" {
		a := awsstack.New(t, awsstack.Config{Root: moduleRoot})
		const program = "#!/bin/sh\necho $PPID >%[1]s/account\necho $$ >%[1]s/function\nexec sleep 600\n"
		a.CreateFunction(t, "waits", fmt.Appendf(nil, program, folder))
		go a.Call(t, "lambda", http.MethodPost, "/2015-03-31/functions/waits/invocations", "", []byte("{}"))
		_, _ = io.Copy(io.Discard, os.Stdin) // until the kill
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("SKIP AWS on ministack: processes are looked for in /proc")
	}
	awsstack.New(t, awsstack.Config{Root: moduleRoot}) // is it there at all?
	folder := t.TempDir()
	killed := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestItEndsWithWhoIsKilled$")
	killed.Env = append(os.Environ(), startsAndWaits+"="+folder, "TMPDIR="+folder)
	var said bytes.Buffer
	killed.Stdout, killed.Stderr = &said, &said
	if _, err := killed.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	must(t, killed.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = killed.Wait()
	}()
	read := func(name string) string {
		content, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(content))
	}
	awsstack.Until(t, "a function runs", func() bool {
		select {
		case <-ended:
			t.Fatalf("it ended too early\n%s", said.String())
		default:
		}
		return read("function") != "" && read("account") != ""
	})
	processes := []string{read("function"), read("account")}
	for _, process := range processes {
		if !alive(process) {
			t.Errorf("process %s is not there before the kill", process)
		}
	}
	must(t, killed.Process.Kill())
	<-ended
	for _, process := range processes {
		awsstack.Until(t, "process "+process+" is gone", func() bool { return !alive(process) })
	}
	if left, err := filepath.Glob(filepath.Join(folder, "aws*")); err != nil || len(left) > 0 {
		t.Errorf("files are left: %q (%v)", left, err)
	}
}

// alive reports whether a process runs. One that ended and that nobody has asked for
// does not.
func alive(process string) bool {
	status, err := os.ReadFile(filepath.Join("/proc", process, "status"))
	return err == nil && !strings.Contains(string(status), "State:\tZ")
}
