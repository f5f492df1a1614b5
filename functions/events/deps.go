package events

import (
	"context"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
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
	keys, err := deps.SealingKeys(ctx)
	if err != nil {
		return nil, err
	}
	client := wecom.New(wecom.Config{APIURL: deps.Settings.WeComAPIURL, Observe: func(ctx context.Context, call wecom.Call) { app.LogWeComCall(ctx, call) }})
	tokens, err := deps.AccessTokens(keys, client)
	if err != nil {
		return nil, err
	}
	checker, directory := deps.MemberChecker(client, tokens), deps.MemberRules(client, tokens)
	checker.Rules = directory
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
