package sessionauthorizer

import (
	"context"

	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/app/proxyapp"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// Settings returns the settings that the function reads.
func Settings() []settings.Name {
	return []settings.Name{
		settings.PublicURL, settings.DirectoryTable, settings.TransientTable,
		settings.SealingKeysSecret, settings.ForwardAuthKeysSecret, settings.SessionCookieDomain, settings.ServiceName,
	}
}

// NewHandler makes the authorizer of its dependencies.
func NewHandler(ctx context.Context, deps app.Deps) (*Authorizer, error) {
	sealing, err := deps.SealingKeys(ctx)
	if err != nil {
		return nil, err
	}
	provider, err := proxyapp.NewProvider(deps, sealing)
	if err != nil {
		return nil, err
	}
	return New(Config{
		Provider:  provider,
		Sessions:  proxyapp.NewSessions(deps),
		PublicURL: deps.Settings.PublicURL,
		Service:   deps.Settings.ServiceName,
		Logger:    deps.Logger,
		Now:       deps.Now,
	}), nil
}
