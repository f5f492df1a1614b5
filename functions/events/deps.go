package events

import (
	"context"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// Settings returns the settings that the function reads.
func Settings() []settings.Name {
	return []settings.Name{
		settings.PublicURL, settings.WeComAPIURL, settings.DirectoryTable, settings.TransientTable, settings.AuditTable, settings.AuditRetention,
		settings.SealingKeysSecret, settings.AuthenticatorSecretPrefix, settings.LogoutQueueURL, settings.ServiceName,
	}
}

// NewHandler makes the handler of its dependencies.
func NewHandler(ctx context.Context, deps app.Deps) (http.Handler, error) {
	checker, directory, err := deps.NewMemberChecks(ctx)
	if err != nil {
		return nil, err
	}
	return New(Config{
		Authenticators: deps.Authenticators,
		Secrets:        deps.Secrets,
		SecretName:     deps.AuthenticatorSecretName,
		Store:          deps.Store,
		Members:        checker,
		Directory:      directory,
		Audit:          deps.AuditLog(),
		Now:            deps.Now,
	}), nil
}
