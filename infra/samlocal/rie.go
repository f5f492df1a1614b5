package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
)

// callByRIE runs a built function under the runtime interface emulator, the program
// that SAM puts into its containers too. It serves one call here: two at once end it.
func (l *local) callByRIE(ctx context.Context, stack *cloudformation.Stack, s state, id, event string) ([]byte, error) {
	emulator, err := l.findRIE()
	if err != nil {
		return nil, err
	}
	payload, err := os.ReadFile(event) //nolint:gosec // the caller's own file
	if err != nil {
		return nil, fmt.Errorf("read event: %w", err)
	}
	all, err := functions(stack, s)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(f function) bool { return f.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("the template has no function %s", id)
	}
	run, port, err := startServer(ctx, "the runtime interface emulator", func(ctx context.Context, port int) (*exec.Cmd, error) {
		runtimePort, err := freePort()
		if err != nil {
			return nil, err
		}
		return program(ctx, all[i].environment(s.Here, l.certificatePath()), l.log, emulator,
			"--log-level", "error",
			"--runtime-interface-emulator-address", "127.0.0.1:"+strconv.Itoa(port),
			"--runtime-api-address", "127.0.0.1:"+strconv.Itoa(runtimePort),
			filepath.Join(l.buildFolder(), id, "bootstrap")), nil
	})
	if err != nil {
		return nil, err
	}
	defer run.stop()
	ctx, cancelCall := context.WithTimeoutCause(ctx, time.Duration(all[i].Timeout)*time.Second+patience, errors.New("no answer after its time limit"))
	defer cancelCall()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost,
		fmt.Sprintf("http://127.0.0.1:%d/2015-03-31/functions/function/invocations", port), bytes.NewReader(payload))
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", id, err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", id, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", id, err)
	}
	return answer, nil
}

// environment is everything that the function's process is given.
func (f function) environment(addresses addresses, certificate string) []string {
	environment := []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "LANG=en_US.UTF-8", "TZ=:UTC", "AWS_SAM_LOCAL=true",
		"AWS_LAMBDA_FUNCTION_NAME=" + f.ID, "AWS_LAMBDA_FUNCTION_TIMEOUT=" + strconv.Itoa(f.Timeout),
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=" + strconv.Itoa(f.Memory), "AWS_LAMBDA_LOG_FORMAT=JSON",
	}
	for name, value := range f.with(addresses, certificate) {
		environment = append(environment, name+"="+value)
	}
	return environment
}

// findRIE returns the emulator inside an installed SAM command line.
func (l *local) findRIE() (string, error) {
	architecture, err := processor()
	if err != nil {
		return "", err
	}
	program, err := filepath.EvalSymlinks(l.sam)
	if err != nil {
		return "", fmt.Errorf("find the SAM command line: %w", err)
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(program), "..", "lib", "python3*", "site-packages", "samcli", "local", "rapid", "aws-lambda-rie-"+architecture))
	if err != nil {
		return "", fmt.Errorf("find the runtime interface emulator: %w", err)
	}
	if len(found) == 0 || runtime.GOOS != "linux" {
		return "", errors.New("a Docker engine is needed: the runtime interface emulator runs on Linux, beside a SAM command line that was installed by pip (make tools)")
	}
	return found[0], nil
}
