package main

import (
	"bufio"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/doctor/checks"
)

const adminKey = "ADMINKEYOFTHETESTADMINKEYOFTHETEST"

// localService starts the program of `make run` and returns the service's address.
func localService(t *testing.T) string {
	t.Helper()
	// `go test` keeps a result until what the test itself reads changes.
	for _, sources := range []string{"../local", "../wecomsim", "../../functions", "../../shared", "../../template.yaml"} {
		if err := filepath.WalkDir(sources, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			t.Fatal(err)
		}
	}
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

// The service itself, not what the checks' own tests believe of it.
func TestLocalService(t *testing.T) {
	address := localService(t)
	for _, test := range []struct {
		what, key    string
		status       int
		lines, fails []string
	}{
		{"with the key", adminKey + "\n", 0, []string{
			"ok    discovery       issuer " + address,
			"ok    sign-in-page    authenticators offered: 1",
			"ok    admin-api       closed without a key (401) and with a wrong one (403)",
			"ok    admin-key       accepted",
			"ok    wecom           demo: credentials, trusted-ip",
			"warn  domain-files    none",
			"(docs/guide/errors.md#the-ownership-file-is-not-found)",
			" 0 failed, ",
			"docs/operations.md#make-doctor",
		}, nil},
		{"without a key", "", 0, []string{"skip  admin-key       none was given", "skip  wecom           not tried without admin-key"}, nil},
		{"with a wrong key", "WRONGKEYWRONGKEYWRONGKEY", 1, []string{"FAIL  admin-key       refused (403)", " 1 failed, "}, []string{"admin-key"}},
	} {
		t.Run(test.what, func(t *testing.T) {
			var out, errs strings.Builder
			status := run(t.Context(), []string{address}, checks.Config{AdminKey: test.key}, &out, &errs)
			var fails []string
			for _, match := range regexp.MustCompile(`(?m)^FAIL +(\S+)`).FindAllStringSubmatch(out.String(), -1) {
				fails = append(fails, match[1])
			}
			missing := slices.DeleteFunc(test.lines, func(line string) bool { return strings.Contains(out.String(), line) })
			if status != test.status || !slices.Equal(fails, test.fails) || len(missing) > 0 || errs.Len() > 0 {
				t.Errorf("exit %d, without the lines %q\n%s%s", status, missing, &out, &errs)
			}
			if key := strings.TrimSpace(test.key); key != "" && strings.Contains(out.String(), key) {
				t.Errorf("the key is printed\n%s", &out)
			}
		})
	}
}

func TestCalledWrongly(t *testing.T) {
	const address = "https://signin.example.com"
	for what, test := range map[string]struct {
		arguments []string
		key       string
	}{
		"no address":          {nil, ""},
		"two addresses":       {[]string{address, address}, ""},
		"a path":              {[]string{address + "/signin"}, ""},
		"unknown flag":        {[]string{"-key", "x", address}, ""},
		"days are no number":  {[]string{"-rotation-days", "month", address}, ""},
		"days are none":       {[]string{"-rotation-days", "0", address}, ""},
		"key of two lines":    {[]string{address}, "SECRETLINE1\nSECRETLINE2"},
		"key with a header":   {[]string{address}, "SECRETLINE1\r\nX: y"},
		"key that isn't text": {[]string{address}, "SECRETLINE1密钥"},
	} {
		t.Run(what, func(t *testing.T) {
			var out, errs strings.Builder
			status := run(t.Context(), test.arguments, checks.Config{AdminKey: test.key}, &out, &errs)
			if status != exitUsage || errs.Len() == 0 || out.Len() > 0 || strings.Contains(errs.String(), "SECRET") {
				t.Errorf("exit %d\n%s\n%s", status, &out, &errs)
			}
		})
	}
}
