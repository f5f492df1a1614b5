package notify

import (
	"context"

	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/logoutqueue"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// Settings returns the settings that the function reads. PublicURL must be set: no request
// tells it here.
func Settings() []settings.Name {
	return []settings.Name{
		settings.PublicURL, settings.DirectoryTable, settings.TransientTable,
		settings.SigningKeysSecret, settings.LogoutQueueURL, settings.ServiceName,
	}
}

// NewHandler makes the function of its dependencies and the queue whose messages it gets.
func NewHandler(deps app.Deps, queue logoutqueue.Queue) (Function, error) {
	return New(Config{
		Store: deps.Store, Applications: deps.Applications, Queue: queue,
		Signer: keys.NewMinter(keys.MinterConfig{
			Load: func(ctx context.Context) (string, error) {
				value, err := deps.Secrets.Get(ctx, deps.Settings.SigningKeysSecret, secret.Current)
				return value.Reveal(), err
			},
			Now: deps.Now,
		}),
		Issuer: deps.Settings.PublicURL, AllowLoopback: deps.Local,
		Log: deps.WorkLog("notify"), Now: deps.Now,
	})
}
