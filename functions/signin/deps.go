package signin

import (
	"context"
	"fmt"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// Settings returns the settings that the function reads.
func Settings() []settings.Name {
	return []settings.Name{
		settings.PublicURL, settings.DirectoryTable, settings.TransientTable, settings.AuditTable, settings.AuditRetention,
		settings.SigningKeysSecret, settings.LogoutQueueURL, settings.SessionCookieDomain,
		settings.CompanyName, settings.CompanyLogo, settings.ServiceName,
	}
}

// NewHandler makes the handler of its dependencies. The signing keys are read at the
// first request for a token: most invocations never need them.
func NewHandler(_ context.Context, deps app.Deps) (http.Handler, error) {
	pages, err := page.New(page.Config{
		CompanyName: deps.Settings.CompanyName,
		CompanyLogo: deps.Settings.CompanyLogo,
	})
	if err != nil {
		return nil, fmt.Errorf("read pages: %w", err)
	}
	sessions := &authflow.Sessions{
		Store: deps.Store, Authenticators: deps.Authenticators, Now: deps.Now,
		Lineages: &authflow.Lineages{Store: deps.Store, Notifier: deps.LogoutNotifier},
		Audit:    deps.AuditLog(),
	}
	return New(Config{
		Authenticators: deps.Authenticators,
		Applications:   deps.Applications,
		DomainFiles:    deps.Store,
		Sessions:       sessions,
		SelfService:    &authflow.SelfService{Sessions: sessions, Store: deps.Store, Notifier: deps.LogoutNotifier},
		Members:        deps.Store,
		Minter: keys.NewMinter(keys.MinterConfig{
			Load: func(ctx context.Context) (string, error) {
				value, err := deps.Secrets.Get(ctx, deps.Settings.SigningKeysSecret, secret.Current)
				return value.Reveal(), err
			},
			Now: deps.Now,
		}),
		Cookie: session.Cookie{Domain: deps.Settings.SessionCookieDomain},
		Pages:  pages,
		Now:    deps.Now,
	}), nil
}
