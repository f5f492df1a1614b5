package authflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// SessionStore is what Sessions needs of the store.
type SessionStore interface {
	AttemptResult(ctx context.Context, sessionKey string) (store.AttemptResult, error)
	EndSession(ctx context.Context, sessionKey string) error
	User(ctx context.Context, id string) (store.User, error)
}

// Sessions tells whose session an id is. Every check reads the session and its user
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

// SessionKey returns the key under which a session id is stored: its SHA-256 in hex, so
// that reading the store gives nobody a session.
func SessionKey(sessionID string) string {
	sum := sha256.Sum256([]byte(sessionID))
	return hex.EncodeToString(sum[:])
}

// Check returns the active session of an id. Error Unauthorized: it does not exist, has
// expired or was ended, its user is gone or disabled, or its authenticator is gone,
// disabled or belongs to another corp now.
func (s *Sessions) Check(ctx context.Context, sessionID string) (ActiveSession, error) {
	if sessionID == "" {
		return ActiveSession{}, apierr.New(apierr.Unauthorized, nil)
	}
	return s.CheckKey(ctx, SessionKey(sessionID))
}

// CheckKey is Check for a session key, which an access token carries. The key alone
// gives nobody a session: it is not accepted where an id is asked for.
func (s *Sessions) CheckKey(ctx context.Context, sessionKey string) (ActiveSession, error) {
	result, err := s.Store.AttemptResult(ctx, sessionKey)
	if err != nil {
		return ActiveSession{}, notActive("read session", err)
	}
	session := result.Session
	if result.Kind != store.ResultSession || !s.Now().Before(session.ExpiresAt) {
		return ActiveSession{}, apierr.New(apierr.Unauthorized, nil)
	}
	user, err := s.Store.User(ctx, session.UserID)
	if err != nil {
		return ActiveSession{}, notActive("read user of session", err)
	}
	if !user.Enabled || user.SessionGeneration != session.UserGeneration {
		return ActiveSession{}, apierr.New(apierr.Unauthorized, nil)
	}
	authenticator, err := s.Authenticators.Authenticator(ctx, session.AuthenticatorName)
	if err != nil {
		return ActiveSession{}, notActive("read authenticator of session", err)
	}
	if !authenticator.Enabled || authenticator.ID != session.AuthenticatorID || authenticator.Generation != session.AuthenticatorGeneration {
		return ActiveSession{}, apierr.New(apierr.Unauthorized, nil)
	}
	return ActiveSession{session, user, authenticator}, nil
}

// End ends the session of an id in the store. An id without a session is not an error.
func (s *Sessions) End(ctx context.Context, sessionID string) error {
	if sessionID == "" {
		return nil
	}
	if err := s.Store.EndSession(ctx, SessionKey(sessionID)); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

func notActive(doing string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return apierr.New(apierr.Unauthorized, nil)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
