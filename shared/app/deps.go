package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Deps are the dependencies of a function.
type Deps struct {
	// Settings has the settings that the function named, and no others.
	Settings settings.Settings
	Store    store.Engine
	// Authenticators reads them from the store, through a cache where that is a remote
	// call.
	Authenticators store.AuthenticatorReader
	Secrets        secret.Store
	// Applications reads them from the store, through a cache where that is a remote call.
	Applications store.ApplicationReader
	// LogoutNotifier tells applications of sessions that end. Nil: nobody is told.
	LogoutNotifier LogoutNotifier
	// Local: this is the local run, where applications on loopback may be called, too.
	Local bool
	Now   func() time.Time
	// Logger is for functions without an HTTP API. Nil: slog.Default().
	Logger *slog.Logger
}

// LogoutNotifier tells applications of sessions that end, one by one or all of a user or an
// authenticator; package logoutqueue has it.
type LogoutNotifier interface {
	authflow.LogoutNotifier
	// UserEnded has the applications of all sessions of a user told, who may be gone.
	UserEnded(ctx context.Context, userID string) error
	// ApplicationEnded has one application of a lineage told, which goes on without it.
	ApplicationEnded(ctx context.Context, lineage, applicationID string) error
	// AuthenticatorEnded has the applications of all sessions told that began with an
	// authenticator as it was.
	AuthenticatorEnded(ctx context.Context, was store.Authenticator) error
}

// NewHandler makes the handler of a function.
type NewHandler func(ctx context.Context, deps Deps) (http.Handler, error)

// AuditLog returns the log of what the function tells the audit about its requests.
func (p Deps) AuditLog() *audit.Log {
	return &audit.Log{Store: p.Store, Now: p.Now, RequestID: apigw.RequestID, LogField: apigw.LogField}
}

// SealingKeys reads the keys for state cookies, session ids and stored access tokens.
func (p Deps) SealingKeys(ctx context.Context) (*aead.Keys, error) {
	value, err := p.Secrets.Get(ctx, p.Settings.SealingKeysSecret, secret.Current)
	if err != nil {
		return nil, fmt.Errorf("read sealing keys: %w", err)
	}
	return aead.ParseKeys(value)
}

// AuthenticatorSecretName returns the name of an authenticator's secret. It contains the
// id, so that a namesake never reads it.
func (p Deps) AuthenticatorSecretName(authenticatorID string) string {
	return p.Settings.AuthenticatorSecretPrefix + authenticatorID
}
