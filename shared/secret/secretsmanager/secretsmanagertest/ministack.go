package secretsmanagertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/shared/secret/secrettest"
)

// Gaps returns the promises that ministack 1.5.33 does not let an engine keep,
// though AWS does. What the engine asks of AWS there is tested with a stand-in.
func Gaps() secrettest.Gaps {
	return secrettest.Gaps{
		secrettest.FirstVersion: "ministack 1.5.33 chooses the VersionId itself when a secret is created",
		secrettest.CreateTwice:  "ministack 1.5.33 does not compare the request token of a second CreateSecret",
		secrettest.PutTwice:     "ministack 1.5.33 overwrites a version when its request token is used again",
	}
}

// Start starts an empty emulator that ends with the test, and returns a client for
// it. Its python is named by MINISTACK_PYTHON, or is .tools/ministack/bin/python of
// this module. Without it the test is skipped, and fails where CI is set.
func Start(t testing.TB) *secretsmanager.Client {
	t.Helper()
	python, err := findPython()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("Secrets Manager on ministack: %v", err)
		}
		t.Skipf("SKIP Secrets Manager on ministack: %v", err)
	}
	address := start(t, python)
	return secretsmanager.New(secretsmanager.Options{
		BaseEndpoint: aws.String("http://" + address),
		Region:       "eu-central-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "111122223333", SecretAccessKey: "test"}, nil
		}),
	})
}

func findPython() (string, error) {
	if python := os.Getenv("MINISTACK_PYTHON"); python != "" {
		return python, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no module root above the test")
		}
		dir = parent
	}
	python := filepath.Join(dir, ".tools", "ministack", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return "", errors.New("MINISTACK_PYTHON is not set and .tools/ministack/bin/python is not there")
	}
	return python, nil
}

func start(t testing.TB, python string) (address string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = listener.Addr().String()
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(address)
	home := t.TempDir()
	emulator := exec.CommandContext(t.Context(), python, "-m", "ministack")
	emulator.Dir = home
	// Nothing of the tester's own environment: no proxy, no account, no Docker.
	emulator.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + home, "TMPDIR=" + home, "LANG=C.UTF-8",
		"BIND_HOST=127.0.0.1", "GATEWAY_PORT=" + port, "AWS_ENDPOINT_URL=http://" + address,
		"MINISTACK_REGION=eu-central-1", "MINISTACK_ACCOUNT_ID=111122223333",
		"IOT_MTLS_ENABLED=0", "SFTP_ENABLED=0", "DOCKER_HOST=unix://" + filepath.Join(home, "no-docker.sock"),
	}
	var output strings.Builder
	emulator.Stdout, emulator.Stderr = &output, &output
	if err := emulator.Start(); err != nil {
		t.Fatalf("start ministack: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = emulator.Wait()
	}()
	t.Cleanup(func() {
		_ = emulator.Process.Kill()
		<-ended
	})
	deadline := time.After(30 * time.Second)
	for {
		err := ready(t.Context(), address)
		if err == nil {
			return address
		}
		select {
		case <-ended:
			t.Fatalf("ministack ended: %v\n%s", emulator.ProcessState, output.String())
		case <-deadline:
			t.Fatalf("ministack is not ready after 30 s: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func ready(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/_ministack/health", http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}
