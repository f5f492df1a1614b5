package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/emulator"
)

// state says where running emulators are. It lies in a file, for commands in other
// terminals.
type state struct {
	PID int
	// The addresses of service, demo application and WeCom for browsers.
	PublicURL, ApplicationURL, WeComURL string
	AdminKey                            string
	// Here is how programs on this machine reach the emulators.
	Here addresses
	// Containers is how containers do; empty without a Docker engine.
	Containers addresses
}

// addresses of the emulators.
type addresses struct{ DynamoDB, SecretsManager, WeComAPI string }

// variables are those that the SDK reads. They name every credential, so that none of
// the caller's shell takes its place.
func (a addresses) variables() map[string]string {
	return map[string]string{
		"AWS_ENDPOINT_URL_DYNAMODB":        a.DynamoDB,
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": a.SecretsManager,
		"AWS_REGION":                       emulator.Region,
		"AWS_DEFAULT_REGION":               emulator.Region,
		"AWS_ACCESS_KEY_ID":                emulator.Account,
		"AWS_SECRET_ACCESS_KEY":            "test",
		"AWS_SESSION_TOKEN":                "test",
	}
}

func (l *local) statePath() string       { return filepath.Join(l.stateFolder(), "state.json") }
func (l *local) certificatePath() string { return filepath.Join(l.stateFolder(), certificateName) }
func (l *local) variablesPath() string   { return filepath.Join(l.stateFolder(), "env.json") }

func (l *local) writeState(s state, certificate []byte) error {
	if err := os.MkdirAll(l.stateFolder(), 0o700); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	encoded, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return errors.Join(
		os.WriteFile(l.certificatePath(), certificate, 0o600), //nolint:gosec // the name is fixed
		os.WriteFile(l.statePath(), encoded, 0o600),
	)
}

// removeState leaves nothing behind that the next command would take for running
// emulators.
func (l *local) removeState() error {
	if err := os.RemoveAll(l.stateFolder()); err != nil {
		return fmt.Errorf("remove state: %w", err)
	}
	return nil
}

// running returns the state of emulators that run, perhaps in another terminal. Found
// is false when there are none: the file may be what a killed process left. Only the
// process that wrote the certificate has its key, so a handshake proves that it lives.
func (l *local) running(ctx context.Context) (s state, found bool, err error) {
	content, err := os.ReadFile(l.statePath())
	if errors.Is(err, fs.ErrNotExist) {
		return state{}, false, nil
	}
	if err != nil {
		return state{}, false, fmt.Errorf("read state: %w", err)
	}
	certificate, err := os.ReadFile(l.certificatePath())
	if err != nil || json.Unmarshal(content, &s) != nil {
		return state{}, false, nil //nolint:nilerr // half a state is none
	}
	address, err := url.Parse(s.Here.WeComAPI)
	if err != nil {
		return state{}, false, nil //nolint:nilerr // as above
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(certificate)
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	connection, err := (&tls.Dialer{Config: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS13}}).DialContext(ctx, "tcp", address.Host)
	if err != nil {
		return state{}, false, nil //nolint:nilerr // nobody there, or somebody else
	}
	return s, true, connection.Close()
}
