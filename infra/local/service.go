package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/local/gateway"
	"github.com/wecom-signin/wecom-signin/infra/samtemplate"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/secret/sealedfile"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// What the stack's resources are called here.
const (
	directoryTable      = "directory"
	transientTable      = "transient"
	auditTable          = "audit"
	adminKeySecret      = "admin-key"
	sealingKeysSecret   = "sealing-keys"
	signingKeysSecret   = "signing-keys"
	authenticatorPrefix = "authenticators/"
	logoutQueueURL      = "logouts"
)

// service is WeCom Sign-in in this process.
type service struct {
	gateway *gateway.Gateway
	logouts *logoutQueue
	store   store.Engine
	secrets secret.Store
	close   func() error // of the store
	now     func() time.Time
	logger  *slog.Logger
	// generatedAdminKey is empty when ADMIN_KEY was given.
	generatedAdminKey string
}

func newService(ctx context.Context, s settings.Settings, now func() time.Time, logger *slog.Logger) (_ *service, err error) {
	template, err := readTemplate()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make DATA_DIR: %w", err)
	}
	service := &service{now: now, logger: logger, logouts: newLogoutQueue(logger)}
	// First the store: its lock keeps a second process away from the secrets too.
	if service.store, service.close, err = openStore(s.DataDir, s.AuditRetention, now); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, service.close())
		}
	}()
	service.secrets, err = sealedfile.Open(sealedfile.Config{
		Path:    filepath.Join(s.DataDir, "secrets"),
		KeyPath: filepath.Join(s.DataDir, "secrets.key"),
	})
	if err != nil {
		return nil, err
	}
	if err := service.makeSecrets(ctx, s.AdminKey); err != nil {
		return nil, err
	}
	if service.gateway, err = assemble(ctx, template, service, environment(s), logger); err != nil {
		return nil, err
	}
	return service, nil
}

// stop waits for running functions and for what they announced, then closes the store.
func (s *service) stop(ctx context.Context) error {
	if err := s.gateway.Shutdown(ctx); err != nil {
		// What is cut off now is as safe as after a crash: answered requests are kept.
		s.logger.Warn("requests in progress were cut off", "cause", err.Error())
	}
	s.logouts.stop(ctx)
	return s.close()
}

// makeSecrets makes what the template's resources generate in AWS. What exists is
// kept: sessions and tokens outlive a restart.
func (s *service) makeSecrets(ctx context.Context, adminKey secret.Value) error {
	if adminKey.IsEmpty() {
		key, err := s.ensure(ctx, adminKeySecret, rand.Text)
		if err != nil {
			return err
		}
		s.generatedAdminKey = key.Reveal()
	} else {
		// A given key is used and not kept: without the setting there is the generated one.
		s.secrets = givenAdminKey{s.secrets, adminKey}
	}
	if _, err := s.ensure(ctx, sealingKeysSecret, func() string {
		encoded, _ := json.Marshal(map[string]string{"current": rand.Text() + rand.Text()}) // of strings, it cannot fail
		return string(encoded)
	}); err != nil {
		return err
	}
	return s.makeSigningKeys(ctx)
}

func (s *service) ensure(ctx context.Context, name string, generate func() string) (secret.Value, error) {
	value, err := s.secrets.Get(ctx, name, secret.Current)
	if errors.Is(err, secret.ErrNotFound) {
		value = secret.NewValue(generate())
		err = s.secrets.Create(ctx, name, newVersion(), value)
	}
	if err != nil {
		return secret.Value{}, fmt.Errorf("make secret %s: %w", name, err)
	}
	return value, nil
}

func newVersion() string { return rand.Text() + rand.Text() }

// givenAdminKey is a secret store with the key of the setting ADMIN_KEY in it.
type givenAdminKey struct {
	secret.Store
	key secret.Value
}

// Get returns the given key, and everything else from the store.
func (g givenAdminKey) Get(ctx context.Context, name, version string) (secret.Value, error) {
	if name == adminKeySecret {
		return g.key, nil
	}
	return g.Store.Get(ctx, name, version)
}

// environment returns the values of the variables that the template gives to
// functions.
func environment(s settings.Settings) func(string) (string, bool) {
	var addresses []string
	for _, address := range s.EgressAddresses {
		addresses = append(addresses, address.String())
	}
	values := map[settings.Name]string{
		settings.PublicURL:                 s.PublicURL,
		settings.WeComAPIURL:               s.WeComAPIURL,
		settings.WeComOAuthURL:             s.WeComOAuthURL,
		settings.WeComLoginURL:             s.WeComLoginURL,
		settings.DirectoryTable:            directoryTable,
		settings.TransientTable:            transientTable,
		settings.AuditTable:                auditTable,
		settings.AuditRetention:            s.AuditRetention.String(),
		settings.SigningKeysSecret:         signingKeysSecret,
		settings.ForwardAuthKeysSecret:     signingKeysSecret,
		settings.SealingKeysSecret:         sealingKeysSecret,
		settings.AdminKeySecret:            adminKeySecret,
		settings.AuthenticatorSecretPrefix: authenticatorPrefix,
		settings.LogoutQueueURL:            logoutQueueURL,
		settings.SessionLifetime:           s.SessionLifetime.String(),
		settings.MemberCheckInterval:       s.MemberCheckInterval.String(),
		settings.MemberChecksFunction:      memberChecksID,
		settings.SessionCookieDomain:       s.SessionCookieDomain,
		settings.CompanyName:               s.CompanyName,
		settings.CompanyLogo:               s.CompanyLogo,
		settings.SignInPanel:               onOff(s.SignInPanel),
		settings.EgressAddresses:           strings.Join(addresses, ","),
		settings.LookupMissesPerDay:        strconv.Itoa(s.LookupMissesPerDay),
		settings.ServiceName:               "", // nobody reads metrics here
	}
	return func(name string) (string, bool) {
		value, ok := values[settings.Name(name)]
		return value, ok
	}
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// readTemplate finds template.yaml here or in a folder above.
func readTemplate() (*samtemplate.Template, error) {
	folder, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find template.yaml: %w", err)
	}
	for {
		path := filepath.Join(folder, "template.yaml")
		_, err := os.Stat(path)
		if err == nil {
			return samtemplate.ReadFile(path)
		}
		above := filepath.Dir(folder)
		if !errors.Is(err, fs.ErrNotExist) || above == folder {
			return nil, fmt.Errorf("find template.yaml: %w", err)
		}
		folder = above
	}
}

// hostOf returns host and port of an address that has been checked.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
