package emulator_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/emulator"
)

// startsAndWaits is the folder for what the test's own copy starts, before it is
// killed.
const startsAndWaits = "EMULATOR_TEST_FOLDER"

// until waits until something has happened.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !happened(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// Who is killed has no time to close anything: the emulator sees it by itself, and
// takes its functions and files with it.
func TestItEndsWithWhoIsKilled(t *testing.T) {
	t.Parallel()
	if folder := os.Getenv(startsAndWaits); folder != "" {
		callFunction(t, start(t, false), folder)
		_, _ = io.Copy(io.Discard, os.Stdin) // until the kill
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("SKIP AWS on ministack: processes are looked for in /proc")
	}
	start(t, false) // is it there at all?
	folder := t.TempDir()
	killed := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestItEndsWithWhoIsKilled$")
	killed.Env = append(os.Environ(), startsAndWaits+"="+folder, "TMPDIR="+folder)
	var said bytes.Buffer
	killed.Stdout, killed.Stderr = &said, &said
	if _, err := killed.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
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
	until(t, "a function runs", func() bool {
		select {
		case <-ended:
			t.Fatalf("it ended too early\n%s", said.String())
		default:
		}
		return read("function") != "" && read("emulator") != ""
	})
	processes := []string{read("function"), read("emulator")}
	for _, process := range processes {
		if !alive(process) {
			t.Errorf("process %s is not there before the kill", process)
		}
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-ended
	for _, process := range processes {
		until(t, "process "+process+" is gone", func() bool { return !alive(process) })
	}
	if left, err := filepath.Glob(filepath.Join(folder, "aws*")); err != nil || len(left) > 0 {
		t.Errorf("files are left: %q (%v)", left, err)
	}
}

// callFunction calls a function that never answers. It writes its process and the
// emulator's to files.
func callFunction(t *testing.T, a *emulator.AWS, folder string) {
	t.Helper()
	program := fmt.Sprintf("#!/bin/sh\necho $PPID >%[1]s/emulator\necho $$ >%[1]s/function\nexec sleep 600\n", folder)
	var archive bytes.Buffer
	files := zip.NewWriter(&archive)
	header := &zip.FileHeader{Name: "bootstrap"}
	header.SetMode(0o755)
	file, err := files.CreateHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte(program)); err != nil {
		t.Fatal(err)
	}
	if err := files.Close(); err != nil {
		t.Fatal(err)
	}
	function, err := json.Marshal(map[string]any{
		"FunctionName": "waits", "Runtime": "provided.al2023", "Handler": "bootstrap", "Timeout": 600,
		"Role": "arn:aws:iam::" + emulator.Account + ":role/any", "Code": map[string][]byte{"ZipFile": archive.Bytes()},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range []struct{ path, body string }{
		{"/2015-03-31/functions", string(function)},
		{"/2015-03-31/functions/waits/invocations", "{}"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.Endpoint+call.path, strings.NewReader(call.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Invocation-Type", "Event")
		if err := a.Sign(t.Context(), "lambda", r, call.body); err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode >= http.StatusMultipleChoices {
			t.Fatalf("%s: %d", call.path, response.StatusCode)
		}
	}
}

// alive reports whether a process runs. One that ended and that nobody has asked for
// does not.
func alive(process string) bool {
	status, err := os.ReadFile(filepath.Join("/proc", process, "status"))
	return err == nil && !strings.Contains(string(status), "State:\tZ")
}
