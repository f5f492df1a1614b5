package issuer

import (
	"context"
	"net/http"

	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/wiring"
)

// Settings returns the names of what the function reads.
func Settings() []settings.Name {
	return []settings.Name{settings.PublicURL, settings.DirectoryTable, settings.ServiceName}
}

// Assemble puts the function together.
func Assemble(_ context.Context, parts wiring.Parts) (http.Handler, error) {
	return New(Config{Directory: parts.Store, Now: parts.Now}), nil
}
