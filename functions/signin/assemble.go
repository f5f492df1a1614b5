package signin

import (
	"context"
	"fmt"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	rules "github.com/wecom-signin/wecom-signin/shared/signin"
	"github.com/wecom-signin/wecom-signin/shared/wiring"
)

// Settings returns the names of what the function reads.
func Settings() []settings.Name {
	return []settings.Name{
		settings.PublicURL, settings.DirectoryTable, settings.TransientTable,
		settings.SigningKeysSecret, settings.SessionCookieDomain,
		settings.CompanyName, settings.CompanyLogo, settings.ServiceName,
	}
}

// Assemble puts the function together. The signing keys are read when the first
// token is asked for: most invocations never need them.
func Assemble(_ context.Context, parts wiring.Parts) (http.Handler, error) {
	pages, err := page.New(page.Config{
		CompanyName: parts.Settings.CompanyName,
		CompanyLogo: parts.Settings.CompanyLogo,
	})
	if err != nil {
		return nil, fmt.Errorf("read pages: %w", err)
	}
	return New(Config{
		Authenticators: parts.Authenticators,
		DomainFiles:    parts.Store,
		Sessions:       &rules.Sessions{Store: parts.Store, Authenticators: parts.Authenticators, Now: parts.Now},
		Minter: keys.NewMinter(keys.MinterConfig{
			Load: func(ctx context.Context) (string, error) {
				value, err := parts.Secrets.Get(ctx, parts.Settings.SigningKeysSecret, secret.Current)
				return value.Reveal(), err
			},
			Now: parts.Now,
		}),
		Cookie: session.Cookie{Domain: parts.Settings.SessionCookieDomain},
		Pages:  pages,
		Now:    parts.Now,
	}), nil
}
