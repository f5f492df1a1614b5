package authorizer

import (
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// Settings returns the settings that the function reads.
func Settings() []settings.Name {
	return []settings.Name{
		settings.PublicURL, settings.DirectoryTable, settings.TransientTable, settings.AdminKeySecret, settings.ServiceName,
	}
}

// NewHandler makes the authorizer of its dependencies.
func NewHandler(deps app.Deps) *Authorizer {
	return New(Config{
		Directory:      deps.Store,
		Sessions:       &authflow.Sessions{Store: deps.Store, Authenticators: deps.Authenticators, Now: deps.Now},
		Secrets:        deps.Secrets,
		AdminKeySecret: deps.Settings.AdminKeySecret,
		PublicURL:      deps.Settings.PublicURL,
		Service:        deps.Settings.ServiceName,
		Logger:         deps.Logger,
		Now:            deps.Now,
	})
}
