package issuer

import (
	"context"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// Settings returns the names of what the function reads.
func Settings() []settings.Name {
	return []settings.Name{settings.PublicURL, settings.DirectoryTable, settings.ServiceName}
}

// NewHandler puts the function together.
func NewHandler(_ context.Context, deps app.Deps) (http.Handler, error) {
	return New(Config{Directory: deps.Store, Now: deps.Now}), nil
}
