package authorizer

import (
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/signin"
	"github.com/wecom-signin/wecom-signin/shared/wiring"
)

// Settings returns the names of what the function reads.
func Settings() []settings.Name {
	return []settings.Name{
		settings.PublicURL, settings.DirectoryTable, settings.TransientTable, settings.AdminKeySecret, settings.ServiceName,
	}
}

// Assemble puts the function together.
func Assemble(parts wiring.Parts) *Authorizer {
	return New(Config{
		Directory:      parts.Store,
		Sessions:       &signin.Sessions{Store: parts.Store, Authenticators: parts.Authenticators, Now: parts.Now},
		Secrets:        parts.Secrets,
		AdminKeySecret: parts.Settings.AdminKeySecret,
		PublicURL:      parts.Settings.PublicURL,
		Service:        parts.Settings.ServiceName,
		Logger:         parts.Logger,
		Now:            parts.Now,
	})
}
