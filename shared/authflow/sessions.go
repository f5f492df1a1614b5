package authflow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// SessionStore is what Sessions needs of the store.
type SessionStore interface {
	AttemptResult(ctx context.Context, key string) (store.AttemptResult, error)
	EndSession(ctx context.Context, key string) error
	User(ctx context.Context, id string) (store.User, error)
}

// Sessions says whose session an id is. Every check reads the session and its user
// afresh, so that ending access takes effect at once.
type Sessions struct {
	Store          SessionStore
	Authenticators Authenticators
	Now            func() time.Time
}

// ActiveSession is a session that may be acted on now.
type ActiveSession struct {
	Session       store.Session
	User          store.User
	Authenticator store.Authenticator
}

// Check returns the live session of an id. Fault Unauthorized: there is none, it
// has expired or was ended, its user is gone or disabled, or its authenticator is
// gone, disabled or belongs to another corp now.
func (s *Sessions) Check(ctx context.Context, sessionID string) (ActiveSession, error) {
	if sessionID == "" {
		return ActiveSession{}, apierr.New(apierr.Unauthorized, nil)
	}
	return s.CheckKey(ctx, SessionKey(sessionID))
}

// CheckKey is Check for the key of a session, which an access token carries. The
// key alone gives nobody a session: it is not accepted where an id is asked for.
func (s *Sessions) CheckKey(ctx context.Context, key string) (ActiveSession, error) {
	outcome, err := s.Store.AttemptResult(ctx, key)
	if err != nil {
		return ActiveSession{}, noSession("read session", err)
	}
	session := outcome.Session
	if outcome.Kind != store.ResultSession || !s.Now().Before(session.ExpiresAt) {
		return ActiveSession{}, apierr.New(apierr.Unauthorized, nil)
	}
	user, err := s.Store.User(ctx, session.UserID)
	if err != nil {
		return ActiveSession{}, noSession("read user of session", err)
	}
	if !user.Enabled || user.SessionGeneration != session.UserGeneration {
		return ActiveSession{}, apierr.New(apierr.Unauthorized, nil)
	}
	authenticator, err := s.Authenticators.Authenticator(ctx, session.AuthenticatorName)
	if err != nil {
		return ActiveSession{}, noSession("read authenticator of session", err)
	}
	if !authenticator.Enabled || authenticator.ID != session.AuthenticatorID || authenticator.Generation != session.AuthenticatorGeneration {
		return ActiveSession{}, apierr.New(apierr.Unauthorized, nil)
	}
	return ActiveSession{session, user, authenticator}, nil
}

// End ends the session of an id in the store. An id of no session is no fault.
func (s *Sessions) End(ctx context.Context, sessionID string) error {
	if sessionID == "" {
		return nil
	}
	if err := s.Store.EndSession(ctx, SessionKey(sessionID)); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

func noSession(doing string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return apierr.New(apierr.Unauthorized, nil)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
