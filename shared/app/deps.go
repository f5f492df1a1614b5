package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
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
	// MemberChecks has members looked up for a function that may not do it itself. Nil:
	// nobody looks.
	MemberChecks oauth.MemberChecks
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
	// MemberEnded has the applications told of those of a user's sessions that a member
	// check has ended; version is the user's before that is stored.
	MemberEnded(ctx context.Context, userID string, version int64) error
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

// WorkLog returns the log of a function without an HTTP API.
func (p Deps) WorkLog(function string) apigw.WorkLog {
	return apigw.WorkLog{Function: function, Service: p.Settings.ServiceName, Logger: cmp.Or(p.Logger, slog.Default()), Now: p.Now}
}

// AccessTokens returns the source of apps' access tokens, which a client of WeCom fetches.
func (p Deps) AccessTokens(keys *aead.Keys, client *wecom.Client) (*accesstoken.Source, error) {
	sealer, err := keys.Box(aead.AccessToken)
	if err != nil {
		return nil, err
	}
	return accesstoken.New(accesstoken.Config{Store: p.Store, Secrets: p.Secrets, Fetcher: client, Sealer: sealer, Now: p.Now}), nil
}

// NewMemberChecks returns what looks members up and the rules that it evaluates, for a function
// that calls WeCom for nothing else.
func (p Deps) NewMemberChecks(ctx context.Context) (*members.Checker, *members.Evaluator, error) {
	keys, err := p.SealingKeys(ctx)
	if err != nil {
		return nil, nil, err
	}
	client := wecom.New(wecom.Config{APIURL: p.Settings.WeComAPIURL, Observe: func(ctx context.Context, call wecom.Call) { LogWeComCall(ctx, call) }})
	tokens, err := p.AccessTokens(keys, client)
	if err != nil {
		return nil, nil, err
	}
	rules := p.MemberRules(client, tokens)
	return p.MemberChecker(client, tokens, rules), rules, nil
}

// MemberChecker returns what looks members up, by a client of WeCom and its access tokens.
func (p Deps) MemberChecker(client *wecom.Client, tokens accesstoken.Tokens, rules members.Rules) *members.Checker {
	return &members.Checker{Config: members.Config{
		Store: p.Store, Authenticators: p.Authenticators, WeCom: client, Tokens: tokens,
		SecretName: p.AuthenticatorSecretName, Rules: rules, Notifier: p.LogoutNotifier, Audit: p.AuditLog(), Now: p.Now,
	}}
}

// MemberRules returns what works out departments, tags and roles of members.
func (p Deps) MemberRules(client *wecom.Client, tokens accesstoken.Tokens) *members.Evaluator {
	return members.NewEvaluator(members.DirectoryConfig{
		Store: p.Store, WeCom: client, Tokens: tokens, SecretName: p.AuthenticatorSecretName, Now: p.Now,
	})
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
