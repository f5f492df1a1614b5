package rotatekeys

import (
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// Settings returns the settings that the function reads.
func Settings() []settings.Name {
	return []settings.Name{settings.DirectoryTable, settings.SigningKeysSecret, settings.ServiceName}
}

// NewHandler makes the function of its dependencies and a client of Secrets Manager.
func NewHandler(deps app.Deps, client SecretsManager) Function {
	return New(Config{
		SecretsManager: client,
		Publisher:      deps.Store,
		Secret:         deps.Settings.SigningKeysSecret,
		Log:            deps.WorkLog("rotatekeys"),
		Now:            deps.Now,
	})
}
