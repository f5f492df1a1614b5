package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Deps is what a function is made of.
type Deps struct {
	// Settings holds what the function named, and nothing else.
	Settings settings.Settings
	Store    store.Engine
	// Authenticators is the store's view of them, cached for a moment where reading
	// costs a remote call.
	Authenticators store.AuthenticatorReader
	Secrets        secret.Store
	Now            func() time.Time
	// Logger is for what is no request of an HTTP API. Nil: slog.Default().
	Logger *slog.Logger
}

// NewHandler makes the handler of a function.
type NewHandler func(ctx context.Context, deps Deps) (http.Handler, error)

// SealingKeys reads the keys that state cookies, session ids and stored access
// tokens come from.
func (p Deps) SealingKeys(ctx context.Context) (*aead.Keys, error) {
	value, err := p.Secrets.Get(ctx, p.Settings.SealingKeysSecret, secret.Current)
	if err != nil {
		return nil, fmt.Errorf("read sealing keys: %w", err)
	}
	return aead.ParseKeys(value)
}

// AuthenticatorSecretName is where the secret of an authenticator lies: under its
// id, so that a namesake never meets it.
func (p Deps) AuthenticatorSecretName(authenticatorID string) string {
	return p.Settings.AuthenticatorSecretPrefix + authenticatorID
}
