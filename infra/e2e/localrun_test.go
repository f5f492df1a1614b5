package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/e2e"
)

// programFolder outlives the tests that share what is built there.
var programFolder = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "e2e-") })

// localProgram builds the program of `make run`, once.
var localProgram = sync.OnceValues(func() (string, error) {
	folder, err := programFolder()
	if err != nil {
		return "", err
	}
	program := filepath.Join(folder, "local")
	output, err := exec.CommandContext(context.Background(), "go", "build", "-buildvcs=false", "-o", program, moduleRoot+"/infra/local").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, output)
	}
	return program, nil
})

// startLocal starts it with a folder of its own.
func startLocal(t testing.TB, settings ...string) *e2e.Local {
	t.Helper()
	l, err := launch(t.TempDir(), settings...)
	must(t, err)
	t.Cleanup(func() { must(t, l.Stop()) })
	return l
}

func launch(folder string, settings ...string) (*e2e.Local, error) {
	program, err := localProgram()
	if err != nil {
		return nil, err
	}
	return e2e.StartLocal(program, moduleRoot, folder, settings...)
}
