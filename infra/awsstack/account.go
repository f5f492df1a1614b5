package awsstack

import (
	"context"
	_ "embed"
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
)

const (
	// AccountID is the id of the account, and the access key of its root user.
	AccountID = "111122223333"
	// Region is where everything in the account is.
	Region = "eu-central-1"
)

// startTime is how long a start may take on a busy machine.
const startTime = 10 * time.Minute

//go:embed ministack_aws.py
var launcher []byte

// ErrMissing says that ministack is not installed.
var ErrMissing = errors.New("ministack is not installed (make tools)")

// Config is what Start needs.
type Config struct {
	// Root is the module's folder, with template.yaml and .tools in it.
	Root string
	// Log receives what the emulator prints. Nil: nothing is kept.
	Log io.Writer
	// EnforceIAM makes every call need the permission that it needs on AWS.
	EnforceIAM bool
	// Services are those that answer, with commas in between, such as secretsmanager.
	// Empty: all; then whoever reaches the account can run programs as its user.
	Services string
}

// Account is an emulated AWS account. It is empty at the start and ends with its data.
type Account struct {
	// Endpoint is its address, http://127.0.0.1:PORT.
	Endpoint string

	root      string
	process   *exec.Cmd
	folder    string
	authority *authority
	ended     chan struct{}
	close     sync.Once
	programs  map[string][]byte // zips of the functions, once they are built
	deployed  int               // templates so far
}

// Start starts an account on a free port of loopback and returns when it answers. It
// ends with Close, or with ctx.
func Start(ctx context.Context, cfg Config) (*Account, error) {
	python, err := filepath.Abs(filepath.Join(cfg.Root, ".tools", "ministack", "bin", "python"))
	if err != nil {
		return nil, fmt.Errorf("start account: %w", err)
	}
	if _, err := os.Stat(python); err != nil {
		return nil, ErrMissing
	}
	folder, err := os.MkdirTemp("", "aws")
	if err != nil {
		return nil, fmt.Errorf("start account: %w", err)
	}
	a := &Account{root: cfg.Root, folder: folder, ended: make(chan struct{})}
	if err := a.start(ctx, python, cfg); err != nil {
		_ = os.RemoveAll(folder)
		return nil, fmt.Errorf("start account: %w", err)
	}
	if err := a.wait(ctx); err != nil {
		_ = a.Close()
		return nil, fmt.Errorf("start account: %w", err)
	}
	return a, nil
}

func (a *Account) start(ctx context.Context, python string, cfg Config) error {
	var err error
	if a.authority, err = newAuthority(a.folder); err != nil {
		return err
	}
	var config net.ListenConfig
	// Python sets TCP_NODELAY for plain TCP alone; without, each call takes 40 ms more.
	config.SetMultipathTCP(false)
	listener, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	// The socket itself is handed over: nobody else can take the port in between.
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer func() { _ = socket.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	a.Endpoint = "http://" + listener.Addr().String()
	program := filepath.Join(a.folder, "ministack_aws.py")
	if err := os.WriteFile(program, launcher, 0o600); err != nil {
		return err
	}
	a.process = exec.CommandContext(ctx, python, program) //nolint:gosec // both are ours
	a.process.Dir = a.folder
	// Nothing of the caller's own environment: no proxy, no account, no Docker.
	a.process.Env = []string{
		"PATH=/usr/bin:/bin", "HOME=" + a.folder, "TMPDIR=" + a.folder, "LANG=C.UTF-8",
		"EMULATOR_FOLDER=" + a.folder, "EMULATOR_SOCKET=3", "SSL_CERT_FILE=" + a.authority.file,
		"BIND_HOST=127.0.0.1", "GATEWAY_PORT=" + port, "AWS_ENDPOINT_URL=" + a.Endpoint, "MINISTACK_HOST=localhost",
		"MINISTACK_REGION=" + Region, "MINISTACK_ACCOUNT_ID=" + AccountID, "LAMBDA_EXECUTOR=local",
		"IOT_MTLS_ENABLED=0", "SFTP_ENABLED=0", "DOCKER_HOST=unix://" + filepath.Join(a.folder, "no-docker.sock"),
		fmt.Sprintf("AUTH=%t", cfg.EnforceIAM), "SERVICES=" + cfg.Services,
	}
	a.process.ExtraFiles = []*os.File{socket}
	a.process.Stdout, a.process.Stderr = cfg.Log, cfg.Log
	// A group of its own: the functions' processes end with it. Nothing is written to
	// its input, which ends with this process, however that ends; the launcher ends the
	// group then.
	a.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	a.process.Cancel = a.kill
	if _, err := a.process.StdinPipe(); err != nil {
		return err
	}
	if err := a.process.Start(); err != nil {
		return err
	}
	go func() {
		defer close(a.ended)
		_ = a.process.Wait()
	}()
	return nil
}

// Close ends the account and the functions that it started, and removes its files.
func (a *Account) Close() error {
	var err error
	a.close.Do(func() {
		_ = a.kill()
		<-a.ended
		err = os.RemoveAll(a.folder)
	})
	return err
}

// SDK returns what clients of the SDK are made from, for the root user.
func (a *Account) SDK() aws.Config {
	return aws.Config{
		Region:       Region,
		BaseEndpoint: aws.String(a.Endpoint),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: AccountID, SecretAccessKey: "test"}, nil
		}),
	}
}

// Environment returns the variables with which AWS's own command lines find the
// account.
func (a *Account) Environment() []string {
	return []string{
		"AWS_ENDPOINT_URL=" + a.Endpoint, "AWS_REGION=" + Region, "AWS_DEFAULT_REGION=" + Region,
		"AWS_ACCESS_KEY_ID=" + AccountID, "AWS_SECRET_ACCESS_KEY=test", "AWS_EC2_METADATA_DISABLED=true",
		"SAM_CLI_TELEMETRY=0",
	}
}

func (a *Account) kill() error { return syscall.Kill(-a.process.Process.Pid, syscall.SIGKILL) }

// wait returns when the account answers.
func (a *Account) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Endpoint+"/_ministack/health", http.NoBody)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-a.ended:
			return fmt.Errorf("it ended (%s)", a.process.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
