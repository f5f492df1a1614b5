package emulator

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	// Account is the account of everything in the emulator, and the access key of its
	// root user.
	Account = "111122223333"
	// Region is where everything in the emulator is.
	Region = "eu-central-1"
)

// startTime is how long a start may take on a busy machine.
const startTime = 60 * time.Second

//go:embed ministack_aws.py
var launcher []byte

// ErrMissing says that ministack is not installed.
var ErrMissing = errors.New("ministack is not installed (make tools)")

// Config is what Start needs.
type Config struct {
	// Tools is the folder .tools, with ministack in it.
	Tools string
	// Log receives what the emulator prints. Nil: nothing is kept.
	Log io.Writer
	// EnforceIAM makes every call need the permission that it needs on AWS.
	EnforceIAM bool
	// Services are those that answer, with commas in between, such as secretsmanager.
	// Empty: all; then whoever reaches the emulator can run programs as its user.
	Services string
	// Environment is for the functions that the emulator starts, as NAME=value, such
	// as SSL_CERT_FILE.
	Environment []string
}

// AWS is a running emulator. It is empty at the start and ends with its data.
type AWS struct {
	// Endpoint is its address, http://127.0.0.1:PORT.
	Endpoint string

	process *exec.Cmd
	home    string
	ended   chan struct{}
	close   sync.Once
}

// Start starts an emulator on a free port of loopback and returns when it answers. It
// ends with Close, or with ctx.
func Start(ctx context.Context, cfg Config) (*AWS, error) {
	python, err := filepath.Abs(filepath.Join(cfg.Tools, "ministack", "bin", "python"))
	if err != nil {
		return nil, fmt.Errorf("start emulator: %w", err)
	}
	if _, err := os.Stat(python); err != nil {
		return nil, ErrMissing
	}
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, fmt.Errorf("start emulator: %w", err)
	}
	defer func() { _ = listener.Close() }()
	// The socket itself is handed over: nobody else can take the port in between.
	socket, err := listener.File()
	if err != nil {
		return nil, fmt.Errorf("start emulator: %w", err)
	}
	defer func() { _ = socket.Close() }()
	address := listener.Addr().String()
	_, port, _ := net.SplitHostPort(address)
	home, err := os.MkdirTemp("", "aws")
	if err != nil {
		return nil, fmt.Errorf("start emulator: %w", err)
	}
	a := &AWS{Endpoint: "http://" + address, home: home, ended: make(chan struct{})}
	program := filepath.Join(home, "ministack_aws.py")
	if err := os.WriteFile(program, launcher, 0o600); err != nil {
		_ = os.RemoveAll(home)
		return nil, fmt.Errorf("start emulator: %w", err)
	}
	a.process = exec.CommandContext(ctx, python, program) //nolint:gosec // both are ours
	a.process.Dir = home
	// Nothing of the caller's own environment: no proxy, no account, no Docker.
	a.process.Env = append([]string{
		"PATH=/usr/bin:/bin", "HOME=" + home, "TMPDIR=" + home, "LANG=C.UTF-8", "EMULATOR_FOLDER=" + home, "EMULATOR_SOCKET=3",
		"BIND_HOST=127.0.0.1", "GATEWAY_PORT=" + port, "AWS_ENDPOINT_URL=" + a.Endpoint, "MINISTACK_HOST=localhost",
		"MINISTACK_REGION=" + Region, "MINISTACK_ACCOUNT_ID=" + Account, "LAMBDA_EXECUTOR=local",
		"IOT_MTLS_ENABLED=0", "SFTP_ENABLED=0", "DOCKER_HOST=unix://" + filepath.Join(home, "no-docker.sock"),
		fmt.Sprintf("AUTH=%t", cfg.EnforceIAM), "SERVICES=" + cfg.Services,
	}, cfg.Environment...)
	a.process.ExtraFiles = []*os.File{socket}
	a.process.Stdout, a.process.Stderr = cfg.Log, cfg.Log
	// A group of its own: the functions' processes end with it. Nothing is written to
	// its input, which ends with this process, however that ends; the launcher ends the
	// group then.
	a.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	a.process.Cancel = a.kill
	if _, err := a.process.StdinPipe(); err != nil {
		_ = os.RemoveAll(home)
		return nil, fmt.Errorf("start emulator: %w", err)
	}
	if err := a.process.Start(); err != nil {
		_ = os.RemoveAll(home)
		return nil, fmt.Errorf("start emulator: %w", err)
	}
	// From here on the socket is the emulator's alone, and ends with it.
	_, _ = listener.Close(), socket.Close()
	go func() {
		defer close(a.ended)
		_ = a.process.Wait()
	}()
	if err := a.wait(ctx); err != nil {
		_ = a.Close()
		return nil, fmt.Errorf("start emulator: %w", err)
	}
	return a, nil
}

// Close ends the emulator and the functions that it started, and removes its files.
func (a *AWS) Close() error {
	var err error
	a.close.Do(func() {
		_ = a.kill()
		<-a.ended
		err = os.RemoveAll(a.home)
	})
	return err
}

// SDK returns what clients of the SDK are made from, for the root user.
func (a *AWS) SDK() aws.Config {
	return aws.Config{
		Region:       Region,
		BaseEndpoint: aws.String(a.Endpoint),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: Account, SecretAccessKey: "test"}, nil
		}),
	}
}

// Environment returns the variables with which AWS's own command lines find the
// emulator.
func (a *AWS) Environment() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + a.Endpoint, "AWS_REGION=" + Region, "AWS_DEFAULT_REGION=" + Region,
		"AWS_ACCESS_KEY_ID=" + Account, "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
		"SAM_CLI_TELEMETRY=0",
	}
}

// Sign signs a request of the root user with this body: for a question to a service
// that is not worth an SDK.
func (a *AWS) Sign(ctx context.Context, service string, r *http.Request, body string) error {
	credentials, err := a.SDK().Credentials.Retrieve(ctx)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	hash := sha256.Sum256([]byte(body))
	sum := hex.EncodeToString(hash[:])
	r.Header.Set("X-Amz-Content-Sha256", sum)
	if err := v4.NewSigner().SignHTTP(ctx, credentials, r, sum, service, Region, time.Now()); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	return nil
}

// HostOf is the name by which the emulator knows an API: the Host of a request to
// Endpoint.
func HostOf(apiID string) string { return apiID + ".execute-api.localhost" }

func (a *AWS) kill() error { return syscall.Kill(-a.process.Process.Pid, syscall.SIGKILL) }

// wait returns when the emulator answers.
func (a *AWS) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		err := a.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-a.ended:
			return fmt.Errorf("it ended (%s)", a.process.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (a *AWS) ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Endpoint+"/_ministack/health", http.NoBody)
	if err != nil {
		return fmt.Errorf("ask for health: %w", err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask for health: %w", err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("health is %d", response.StatusCode)
	}
	return nil
}
