package teststack

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
)

// programs returns the folder with the built functions.
func (s *Stack) programs(t testing.TB) string {
	t.Helper()
	if _, err := exec.LookPath("make"); err != nil || processor() == "" || runtime.GOOS != "linux" {
		missing(t, "built functions", "they are built by make and run on Linux")
	}
	programs := s.cfg.Programs
	if programs == nil {
		programs = func() (string, error) {
			folder := t.TempDir()
			return folder, Build(t.Context(), s.cfg.Root, folder)
		}
	}
	folder, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// processor is Lambda's name of this machine's.
func processor() string {
	return map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
}

// Build makes the programs of all functions in a folder, with the Makefile's own
// command, for this machine.
func Build(ctx context.Context, root, folder string) error {
	command := exec.CommandContext(ctx, "make", "--silent", "build", "ARCH="+processor(), "BUILD="+folder) //nolint:gosec // the module's own Makefile
	command.Dir = root
	for _, variable := range os.Environ() {
		// Below another make this one would wait for its job server.
		if !strings.HasPrefix(variable, "MAKE") && !strings.HasPrefix(variable, "MFLAGS=") {
			command.Env = append(command.Env, variable)
		}
	}
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("make build: %w\n%s", err, output)
	}
	return nil
}
