package forwardauth

import (
	"context"
	"fmt"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// Settings returns the settings that the function reads.
func Settings() []settings.Name {
	return []settings.Name{
		settings.PublicURL, settings.DirectoryTable, settings.TransientTable,
		settings.SealingKeysSecret, settings.ForwardAuthKeysSecret, settings.SessionCookieDomain,
		settings.CompanyName, settings.CompanyLogo, settings.ServiceName,
	}
}

// NewHandler makes the handler of its dependencies. Signing keys, if it has any, are read
// when they are needed first.
func NewHandler(ctx context.Context, deps app.Deps) (http.Handler, error) {
	sealing, err := deps.SealingKeys(ctx)
	if err != nil {
		return nil, err
	}
	cookies, err := sealing.Deriver(aead.ProxyCookie)
	if err != nil {
		return nil, err
	}
	signIns, err := sealing.Box(aead.ProxySignIn)
	if err != nil {
		return nil, err
	}
	pages, err := page.New(page.Config{CompanyName: deps.Settings.CompanyName, CompanyLogo: deps.Settings.CompanyLogo})
	if err != nil {
		return nil, fmt.Errorf("read pages: %w", err)
	}
	provider := &oauth.Provider{
		Store: deps.Store, Applications: deps.Applications, Authenticators: deps.Authenticators,
		ProxyCookies: cookies, SessionDomain: deps.Settings.SessionCookieDomain, Now: deps.Now, LogField: apigw.LogField,
	}
	if name := deps.Settings.ForwardAuthKeysSecret; name != "" {
		provider.Signer = keys.NewMinter(keys.MinterConfig{
			Load: func(ctx context.Context) (string, error) {
				value, err := deps.Secrets.Get(ctx, name, secret.Current)
				return value.Reveal(), err
			},
			Now: deps.Now,
		})
	}
	return New(Config{
		Provider: provider,
		Sessions: &authflow.Sessions{Store: deps.Store, Authenticators: deps.Authenticators, Now: deps.Now},
		SignIns:  &session.ProxySignIns{Box: signIns, Now: deps.Now},
		Cookie:   session.Cookie{Domain: deps.Settings.SessionCookieDomain},
		Pages:    pages,
		Now:      deps.Now,
	}), nil
}
