package callback

import (
	"context"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Settings returns the names of what the function reads.
func Settings() []settings.Name {
	return []settings.Name{
		settings.PublicURL, settings.WeComAPIURL, settings.WeComOAuthURL, settings.WeComLoginURL,
		settings.DirectoryTable, settings.TransientTable, settings.AuditTable, settings.AuditRetention, settings.SealingKeysSecret, settings.AuthenticatorSecretPrefix,
		settings.LogoutQueueURL, settings.SessionLifetime, settings.MemberCheckInterval, settings.SessionCookieDomain, settings.ServiceName,
	}
}

// NewHandler puts the function together.
func NewHandler(ctx context.Context, deps app.Deps) (http.Handler, error) {
	keys, err := deps.SealingKeys(ctx)
	if err != nil {
		return nil, err
	}
	attempts, err := keys.Box(aead.StateCookie)
	if err != nil {
		return nil, err
	}
	proofs, err := keys.Box(aead.FirstSignIn)
	if err != nil {
		return nil, err
	}
	sessionIDs, err := keys.Deriver(aead.SessionID)
	if err != nil {
		return nil, err
	}
	client := wecom.New(wecom.Config{APIURL: deps.Settings.WeComAPIURL, Observe: observe})
	source, err := deps.AccessTokens(keys, client)
	if err != nil {
		return nil, err
	}
	return New(Config{
		Completer: &authflow.LoginCompleter{
			Starter: &authflow.LoginStarter{
				Authenticators: deps.Authenticators,
				Links:          wecom.Links{OAuthURL: deps.Settings.WeComOAuthURL, LoginURL: deps.Settings.WeComLoginURL},
				Now:            deps.Now,
			},
			Sessions: &authflow.Sessions{
				Store: deps.Store, Authenticators: deps.Authenticators, Now: deps.Now,
				Lineages: &authflow.Lineages{Store: deps.Store, Notifier: deps.LogoutNotifier},
				Audit:    deps.AuditLog(),
			},
			Store:      deps.Store,
			WeCom:      client,
			Tokens:     source,
			Members:    deps.MemberChecker(client, source, deps.MemberRules(client, source)),
			SessionIDs: sessionIDs,
			SecretName: deps.AuthenticatorSecretName,

			SessionLifetime: deps.Settings.SessionLifetime,
			CheckInterval:   deps.Settings.MemberCheckInterval,
			Now:             deps.Now,
			LogField:        apigw.LogField,
		},
		Attempts: &session.Attempts{Box: attempts, Now: deps.Now},
		Proofs:   &session.Proofs{Box: proofs, Now: deps.Now},
		Cookie:   session.Cookie{Domain: deps.Settings.SessionCookieDomain},
		Now:      deps.Now,
	}), nil
}

// observe measures how long visitors wait for WeCom.
func observe(ctx context.Context, call wecom.Call) {
	apigw.Measure(ctx, metrics.WeComDuration(app.LogWeComCall(ctx, call)))
}
