package callback

import (
	"context"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/metrics"
	"github.com/wecom-signin/wecom-signin/shared/seal"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/signin"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
	"github.com/wecom-signin/wecom-signin/shared/wiring"
)

// Settings returns the names of what the function reads.
func Settings() []settings.Name {
	return []settings.Name{
		settings.PublicURL, settings.WeComAPIURL, settings.WeComOAuthURL, settings.WeComLoginURL,
		settings.DirectoryTable, settings.TransientTable, settings.SealingKeysSecret, settings.AuthenticatorSecretPrefix,
		settings.SessionLifetime, settings.SessionCookieDomain, settings.ServiceName,
	}
}

// Assemble puts the function together.
func Assemble(ctx context.Context, parts wiring.Parts) (http.Handler, error) {
	keys, err := parts.SealingKeys(ctx)
	if err != nil {
		return nil, err
	}
	attempts, err := keys.Box(seal.StateCookie)
	if err != nil {
		return nil, err
	}
	tokens, err := keys.Box(seal.AccessToken)
	if err != nil {
		return nil, err
	}
	sessionIDs, err := keys.Deriver(seal.SessionID)
	if err != nil {
		return nil, err
	}
	client := wecom.New(wecom.Config{APIURL: parts.Settings.WeComAPIURL, Observe: observe})
	return New(Config{
		Arrivals: &signin.Arrivals{
			Departures: &signin.Departures{
				Authenticators: parts.Authenticators,
				Links:          wecom.Links{OAuthURL: parts.Settings.WeComOAuthURL, LoginURL: parts.Settings.WeComLoginURL},
				Now:            parts.Now,
			},
			Sessions:   &signin.Sessions{Store: parts.Store, Authenticators: parts.Authenticators, Now: parts.Now},
			Store:      parts.Store,
			WeCom:      client,
			Tokens:     accesstoken.New(accesstoken.Config{Store: parts.Store, Secrets: parts.Secrets, Fetcher: client, Sealer: tokens, Now: parts.Now}),
			SessionIDs: sessionIDs,
			SecretName: parts.AuthenticatorSecretName,

			SessionLifetime: parts.Settings.SessionLifetime,
			Now:             parts.Now,
			Note:            apigw.Note,
		},
		Attempts: &session.Attempts{Box: attempts, Now: parts.Now},
		Cookie:   session.Cookie{Domain: parts.Settings.SessionCookieDomain},
		Now:      parts.Now,
	}), nil
}

// observe measures how long visitors wait for WeCom.
func observe(ctx context.Context, call wecom.Call) {
	apigw.Measure(ctx, metrics.WeComDuration(wiring.NoteWeCom(ctx, call)))
}
