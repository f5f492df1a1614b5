package authorize

import (
	"context"
	"net/http"

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
		settings.PublicURL, settings.WeComOAuthURL, settings.WeComLoginURL,
		settings.DirectoryTable, settings.SealingKeysSecret, settings.ServiceName,
	}
}

// Assemble puts the function together.
func Assemble(ctx context.Context, parts wiring.Parts) (http.Handler, error) {
	keys, err := parts.SealingKeys(ctx)
	if err != nil {
		return nil, err
	}
	box, err := keys.Box(seal.StateCookie)
	if err != nil {
		return nil, err
	}
	return New(Config{
		Departures: &signin.Departures{
			Authenticators: parts.Authenticators,
			Links:          wecom.Links{OAuthURL: parts.Settings.WeComOAuthURL, LoginURL: parts.Settings.WeComLoginURL},
			Now:            parts.Now,
		},
		Attempts: &session.Attempts{Box: box, Now: parts.Now},
	}), nil
}
