package memberchecks

import (
	"context"

	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
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
	keys, err := deps.SealingKeys(ctx)
	if err != nil {
		return nil, err
	}
	client := wecom.New(wecom.Config{APIURL: deps.Settings.WeComAPIURL, Observe: func(ctx context.Context, call wecom.Call) { app.LogWeComCall(ctx, call) }})
	tokens, err := deps.AccessTokens(keys, client)
	if err != nil {
		return nil, err
	}
	return New(Config{
		Checker: deps.MemberChecker(client, tokens), Authenticators: deps.Authenticators,
		Log: deps.WorkLog("memberchecks"),
	}), nil
}
