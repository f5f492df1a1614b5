package signin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
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
		settings.SigningKeysSecret, settings.SealingKeysSecret, settings.LogoutQueueURL,
		settings.SessionLifetime, settings.SessionCookieDomain,
		settings.WeComLoginURL, settings.SignInPanel, settings.CompanyName, settings.CompanyLogo, settings.ServiceName,
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
		FirstSignIn:    openFirstSignIn(deps, sessions),
		Minter: keys.NewMinter(keys.MinterConfig{
			Load: func(ctx context.Context) (string, error) {
				value, err := deps.Secrets.Get(ctx, deps.Settings.SigningKeysSecret, secret.Current)
				return value.Reveal(), err
			},
			Now: deps.Now,
		}),
		Cookie: session.Cookie{Domain: deps.Settings.SessionCookieDomain},
		Pages:  pages,
		Panel:  panelOrigin(deps.Settings),
		Now:    deps.Now,
	}), nil
}

// openFirstSignIn makes what answers a browser that waits for a first sign-in.
func openFirstSignIn(deps app.Deps, sessions *authflow.Sessions) OpenFirstSignIn {
	return func(ctx context.Context) (FirstSignIns, *session.Proofs, error) {
		sealing, err := deps.SealingKeys(ctx)
		if err != nil {
			return nil, nil, err
		}
		box, err := sealing.Box(aead.FirstSignIn)
		if err != nil {
			return nil, nil, err
		}
		sessionIDs, err := sealing.Deriver(aead.SessionID)
		if err != nil {
			return nil, nil, err
		}
		return &authflow.FirstSignIns{
			Completer: &authflow.LoginCompleter{
				Starter:  &authflow.LoginStarter{Authenticators: deps.Authenticators, Now: deps.Now},
				Sessions: sessions, Store: deps.Store, SessionIDs: sessionIDs,
				SessionLifetime: deps.Settings.SessionLifetime, Now: deps.Now, LogField: apigw.LogField,
			},
			Store: deps.Store,
		}, &session.Proofs{Box: box, Now: deps.Now}, nil
	}
}

// panelOrigin returns the origin of WeCom's login page, or "" where it is not to be framed.
func panelOrigin(s settings.Settings) string {
	login, err := url.Parse(s.WeComLoginURL)
	if err != nil || !s.SignInPanel {
		return ""
	}
	return login.Scheme + "://" + login.Host
}
