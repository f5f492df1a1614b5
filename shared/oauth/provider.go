package oauth

import (
	"context"
	"fmt"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/limit"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Lifetimes.
const (
	// CodeLifetime is how long a code can be exchanged. RFC 6749 §4.1.2 allows 10 minutes.
	CodeLifetime = time.Minute
	// RetryWindow is how long the refresh token before the newest one gets the same answer
	// again: answers are lost on the way, and clients have several processes.
	RetryWindow = 30 * time.Second
	// keepAfter is how long a grant is kept after the last token that it gave has expired,
	// so that the clocks of expiry need not agree.
	keepAfter = time.Hour
	// checkInterval is how old the last check of a member may be at a refresh, checkTime how
	// long a refresh waits for another one, and checkPause how long none is made after one
	// that left the check due.
	checkInterval = time.Hour
	checkTime     = 3 * time.Second
	checkPause    = time.Minute
	// useInterval is how precise an application's and a secret's last use are.
	useInterval = time.Hour
)

// Provider decides for all endpoints. Its fields are set once; it is safe for concurrent
// use.
type Provider struct {
	Store          Store
	Applications   Applications
	Authenticators Authenticators
	Signer         TokenSigner // nil for a function that answers proxies without tokens
	Verifier       TokenVerifier
	// MemberChecks has members looked up before a refresh. Nil: nobody looks.
	MemberChecks MemberChecks
	// RefreshTokens makes the secrets of refresh tokens (aead.RefreshToken), and Forms the
	// proofs that a page's answer comes from the page (aead.Form).
	RefreshTokens, Forms Deriver
	// ProxyCookies makes the cookies of software behind a proxy (aead.ProxyCookie). Nil for
	// a function that answers no proxy.
	ProxyCookies Deriver
	// SessionDomain is the parent domain that shares the session cookie; empty: none does.
	SessionDomain string
	Now           func() time.Time
	// LogField adds a field to the request's line in the log.
	LogField func(ctx context.Context, name string, value any)
	// Audit is told of grants that are revoked. Nil: nobody is.
	Audit *audit.Log

	refusals, uses, checks limit.Limiter
}

// Store is what the provider needs of the store; see store.ProviderEngine.
type Store interface {
	Consent(ctx context.Context, userID, applicationID string) (store.Consent, error)
	PutConsent(ctx context.Context, c store.Consent) error
	CreateGrant(ctx context.Context, g store.Grant, sessionEnd time.Time) error
	Grant(ctx context.Context, id string) (store.Grant, error)
	GrantState(ctx context.Context, id, userID, lineage string) (store.Grant, store.User, store.Lineage, error)
	RotateGrant(ctx context.Context, id string, refreshed int64, at, expiresAt, keepUntil time.Time) error
	RevokeGrant(ctx context.Context, id string) error
	NoteApplicationUse(ctx context.Context, id, secretID string, at time.Time) error
	RecordApplicationEvent(ctx context.Context, e store.ApplicationEvent) error
}

// MemberChecks has the member of an authenticator looked up in WeCom, which stores what has
// changed and ends what must end; invoke.Function does. It takes as long as WeCom takes.
type MemberChecks interface {
	CheckMember(ctx context.Context, authenticator, wecomUserID string) (members.Verdict, error)
}

// Applications reads the registry. Answers may be up to 10 seconds old, absences may not.
type Applications interface {
	Application(ctx context.Context, id string) (store.Application, error)
}

// Authenticators reads the configuration. Answers may be up to 10 seconds old, absences
// may not.
type Authenticators interface {
	Authenticator(ctx context.Context, name string) (store.Authenticator, error)
	Authenticators(ctx context.Context, page store.Page) (items []store.Authenticator, next string, err error)
}

// TokenSigner signs tokens; keys.Minter does.
type TokenSigner interface {
	Mint(ctx context.Context, claims keys.AccessTokenClaims, end time.Time) (token string, lifetime time.Duration, err error)
	MintIDToken(ctx context.Context, claims keys.IDTokenClaims, accessToken string) (token string, err error)
}

// TokenVerifier verifies tokens; keys.Verifier does.
type TokenVerifier interface {
	VerifyOAuth(ctx context.Context, token, issuer string) (keys.AccessTokenClaims, error)
	VerifyIDTokenHint(ctx context.Context, token, issuer string) (claims keys.IDTokenClaims, expired bool, err error)
}

// Deriver derives what nobody without the key can; aead.Deriver does.
type Deriver interface {
	Derive(value string) string
	Matches(value, derived string) bool
}

// Call is what every request has.
type Call struct {
	// Issuer is the public URL of the service, without a slash at the end: the configured
	// one, never one from a request's header.
	Issuer    string
	RequestID string // of the log, for administrators
}

// Session is the live session of a browser, as package authflow has checked it.
type Session struct {
	Lineage string // the sid of tokens; for a session without one, its key
	Session store.Session
	User    store.User // with the roles by rules of the session's corp
}

// record records how a sign-in went. It is for administrators alone: what the member gets
// does not depend on it.
func (p *Provider) record(ctx context.Context, call Call, applicationID, userID string, refusal *Error) {
	event := store.ApplicationEvent{
		At: p.Now(), ApplicationID: applicationID, UserID: userID, Result: "ok", RequestID: call.RequestID,
	}
	if refusal != nil {
		event.Result, event.Cause = string(refusal.Code), string(refusal.Cause)
		p.LogField(ctx, "cause", event.Cause)
	}
	if refusal != nil && !p.refusals.Allow(applicationID+" "+event.Cause+" "+userID, event.At, refusalInterval) {
		return
	}
	if err := p.Store.RecordApplicationEvent(ctx, event); err != nil {
		p.LogField(ctx, "eventNotRecorded", err.Error())
	}
}

// refusalInterval is the time between two recorded refusals of the same application, cause
// and user: the refresh token of somebody whose access has ended is as good for filling a
// list as ever.
const refusalInterval = 10 * time.Second

// noteUse notes the last use of an application and of the secret that it used, once an
// hour: the process remembers it, because the application may be a copy from before.
func (p *Provider) noteUse(ctx context.Context, c client) {
	now, noted := p.Now(), c.LastUsedAt
	for _, s := range c.Secrets {
		if s.ID == c.secretID && s.LastUsedAt.Before(noted) {
			noted = s.LastUsedAt
		}
	}
	key := c.Generation + " " + c.secretID
	if now.Sub(noted) < useInterval || !p.uses.Allow(key, now, useInterval) {
		return
	}
	if err := p.Store.NoteApplicationUse(ctx, c.ID, c.secretID, now); err != nil {
		p.uses.Forget(key)
		p.LogField(ctx, "useNotNoted", err.Error())
	}
}

func wrap(doing string, err error) error { return fmt.Errorf("%s: %w", doing, err) }
