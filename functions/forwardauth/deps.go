package forwardauth

import (
	"context"
	"fmt"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/app/proxyapp"
	"github.com/wecom-signin/wecom-signin/shared/page"
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

// NewHandler makes the handler of its dependencies.
func NewHandler(ctx context.Context, deps app.Deps) (http.Handler, error) {
	sealing, err := deps.SealingKeys(ctx)
	if err != nil {
		return nil, err
	}
	provider, err := proxyapp.NewProvider(deps, sealing)
	if err != nil {
		return nil, err
	}
	signIns, err := sealing.Box(aead.AuthorizationRequest)
	if err != nil {
		return nil, err
	}
	pages, err := page.New(page.Config{CompanyName: deps.Settings.CompanyName, CompanyLogo: deps.Settings.CompanyLogo})
	if err != nil {
		return nil, fmt.Errorf("read pages: %w", err)
	}
	return New(Config{
		Provider: provider,
		Sessions: proxyapp.NewSessions(deps),
		SignIns:  &session.ProxySignIns{Box: signIns, Now: deps.Now},
		Pages:    pages,
		Now:      deps.Now,
	}), nil
}
