package openid

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
		settings.PublicURL, settings.DirectoryTable, settings.TransientTable, settings.AuditTable, settings.AuditRetention,
		settings.SealingKeysSecret, settings.SigningKeysSecret, settings.LogoutQueueURL, settings.SessionCookieDomain,
		settings.MemberChecksFunction, settings.CompanyName, settings.CompanyLogo, settings.ServiceName,
	}
}

// NewHandler makes the handler of its dependencies. Signing keys and public keys are read
// when they are needed first.
func NewHandler(ctx context.Context, deps app.Deps) (http.Handler, error) {
	sealing, err := deps.SealingKeys(ctx)
	if err != nil {
		return nil, err
	}
	requests, err := sealing.Box(aead.AuthorizationRequest)
	if err != nil {
		return nil, err
	}
	refreshTokens, err := sealing.Deriver(aead.RefreshToken)
	if err != nil {
		return nil, err
	}
	forms, err := sealing.Deriver(aead.Form)
	if err != nil {
		return nil, err
	}
	pages, err := page.New(page.Config{CompanyName: deps.Settings.CompanyName, CompanyLogo: deps.Settings.CompanyLogo})
	if err != nil {
		return nil, fmt.Errorf("read pages: %w", err)
	}
	return New(Config{
		Provider: &oauth.Provider{
			Store: deps.Store, Applications: deps.Applications, Authenticators: deps.Authenticators,
			Signer: keys.NewMinter(keys.MinterConfig{
				Load: func(ctx context.Context) (string, error) {
					value, err := deps.Secrets.Get(ctx, deps.Settings.SigningKeysSecret, secret.Current)
					return value.Reveal(), err
				},
				Now: deps.Now,
			}),
			Verifier: keys.NewVerifier(keys.VerifierConfig{
				Document: func(ctx context.Context) ([]byte, error) {
					published, err := deps.Store.PublicKeys(ctx)
					return published.Document, err
				},
				Now: deps.Now,
			}),
			MemberChecks:  deps.MemberChecks,
			RefreshTokens: refreshTokens, Forms: forms, SessionDomain: deps.Settings.SessionCookieDomain, Now: deps.Now, LogField: apigw.LogField,
			Audit: deps.AuditLog(),
		},
		Sessions: &authflow.Sessions{
			Store: deps.Store, Authenticators: deps.Authenticators, Now: deps.Now,
			Lineages: &authflow.Lineages{Store: deps.Store, Notifier: deps.LogoutNotifier},
			Audit:    deps.AuditLog(),
		},
		Applications:    deps.Applications,
		ApplicationList: deps.Store,
		Authenticators:  deps.Authenticators,
		Requests:        &session.Requests{Box: requests, Now: deps.Now},
		Cookie:          session.Cookie{Domain: deps.Settings.SessionCookieDomain},
		Pages:           pages,
		Now:             deps.Now,
	}), nil
}
