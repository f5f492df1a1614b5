package main

import (
	"bufio"
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// localService starts the program of `make run` and returns the address of the
// service.
func localService(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "local")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../local").CombinedOutput(); err != nil {
		t.Fatalf("build local run: %v\n%s", err, output)
	}
	command := exec.CommandContext(t.Context(), program)
	command.Env = []string{"PORT=0", "DATA_DIR=" + t.TempDir(), "ADMIN_KEY=" + adminKey}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Signal(syscall.SIGTERM); _ = command.Wait() })
	address := ""
	for lines := bufio.NewScanner(output); lines.Scan(); {
		if match := regexp.MustCompile(`^  service +(\S+)`).FindStringSubmatch(lines.Text()); match != nil {
			address = match[1]
		}
		if strings.HasPrefix(lines.Text(), "Stop it") {
			return address
		}
	}
	t.Fatal("the local run ended before it was ready")
	return ""
}

// The service itself, not what this package believes of it.
func TestLocalService(t *testing.T) {
	address := localService(t)
	examine := func(key string) (int, map[string][]string, string) {
		var out, errs strings.Builder
		status := run(t.Context(), invocation{
			arguments: []string{address}, lookup: func(name string) (string, bool) { return key, name == "ADMIN_KEY" },
			out: &out, errors: &errs, transport: http.DefaultTransport, now: time.Now,
			prompt: func(context.Context, string) (string, error) { return "", nil },
		})
		statuses := map[string][]string{}
		for line := range strings.Lines(out.String()) {
			fields := strings.Fields(line)
			statuses[fields[0]] = append(statuses[fields[0]], fields[1])
		}
		return status, statuses, out.String() + errs.String()
	}
	status, statuses, printed := examine(adminKey)
	t.Log(printed)
	if status != 0 || len(statuses["FAIL"]) > 0 {
		t.Errorf("exit %d\n%s", status, printed)
	}
	for _, want := range []string{
		"ok    discovery       issuer " + address,
		"ok    sign-in-page    offers demo",
		"ok    admin-api       closed without a key (401) and with a wrong one (403)",
		"ok    admin-key       accepted",
		"ok    wecom           demo: credentials, trusted-ip",
		"warn  domain-files    none",
	} {
		if !strings.Contains(printed, want) {
			t.Errorf("no line %q in\n%s", want, printed)
		}
	}
	if strings.Contains(printed, adminKey) {
		t.Errorf("the key is printed\n%s", printed)
	}
	status, statuses, printed = examine("")
	if needKey := []string{"admin-key", "wecom", "egress", "domain-files", "shared-domain"}; status != 0 || len(statuses["FAIL"]) > 0 || !containsAll(statuses["skip"], needKey) {
		t.Errorf("without key: exit %d\n%s", status, printed)
	}
	status, statuses, printed = examine("WRONGKEYWRONGKEYWRONGKEY")
	if status != 1 || !slices.Equal(statuses["FAIL"], []string{"admin-key"}) {
		t.Errorf("with a wrong key: exit %d\n%s", status, printed)
	}
}

func containsAll(list, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(name string) bool { return !slices.Contains(list, name) })
}
