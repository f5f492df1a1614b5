package authorize

import (
	"context"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/session"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Settings returns the names of what the function reads.
func Settings() []settings.Name {
	return []settings.Name{
		settings.PublicURL, settings.WeComOAuthURL, settings.WeComLoginURL,
		settings.DirectoryTable, settings.SealingKeysSecret, settings.ServiceName,
	}
}

// NewHandler puts the function together.
func NewHandler(ctx context.Context, deps app.Deps) (http.Handler, error) {
	keys, err := deps.SealingKeys(ctx)
	if err != nil {
		return nil, err
	}
	box, err := keys.Box(aead.StateCookie)
	if err != nil {
		return nil, err
	}
	return New(Config{
		Starter: &authflow.LoginStarter{
			Authenticators: deps.Authenticators,
			Links:          wecom.Links{OAuthURL: deps.Settings.WeComOAuthURL, LoginURL: deps.Settings.WeComLoginURL},
			Now:            deps.Now,
		},
		Attempts: &session.Attempts{Box: box, Now: deps.Now},
	}), nil
}
