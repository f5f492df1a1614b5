package memberchecks

import (
	"context"

	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// Settings returns the settings that the function reads.
func Settings() []settings.Name {
	return []settings.Name{
		settings.WeComAPIURL, settings.DirectoryTable, settings.TransientTable, settings.AuditTable, settings.AuditRetention, settings.SealingKeysSecret,
		settings.AuthenticatorSecretPrefix, settings.LogoutQueueURL, settings.ServiceName,
	}
}

// NewHandler makes the function of its dependencies.
func NewHandler(ctx context.Context, deps app.Deps) (Function, error) {
	checker, _, err := deps.NewMemberChecks(ctx)
	if err != nil {
		return nil, err
	}
	return New(Config{
		Checker: checker, Authenticators: deps.Authenticators,
		Log: deps.WorkLog("memberchecks"),
	}), nil
}
