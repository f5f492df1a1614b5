package issuer

import (
	"context"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// Settings returns the settings that the function reads.
func Settings() []settings.Name {
	return []settings.Name{settings.PublicURL, settings.DirectoryTable, settings.ServiceName}
}

// NewHandler makes the handler of its dependencies.
func NewHandler(_ context.Context, deps app.Deps) (http.Handler, error) {
	return New(Config{Directory: deps.Store, Now: deps.Now}), nil
}
