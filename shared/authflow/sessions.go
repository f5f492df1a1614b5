package authflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// SessionStore is what Sessions needs of the store.
type SessionStore interface {
	AttemptResult(ctx context.Context, sessionKey string) (store.AttemptResult, error)
	ResultAndUser(ctx context.Context, sessionKey, userID string) (store.AttemptResult, store.User, error)
	EndSession(ctx context.Context, sessionKey string) (store.Session, error)
	User(ctx context.Context, id string) (store.User, error)
}

// Sessions tells whose session an id is. Every check reads the session and its user
// afresh, so that ending access takes effect at once.
type Sessions struct {
	Store          SessionStore
	Authenticators Authenticators
	Now            func() time.Time
	// Lineages ends lineages with their sessions. Nil for a function that ends none.
	Lineages *Lineages
	// Audit is told of sessions that end. Nil for a function that ends none.
	Audit *audit.Log
}

// ActiveSession is a session that may be acted on now.
type ActiveSession struct {
	Key           string // see SessionKey
	Session       store.Session
	User          store.User // with the roles by rules of the session's corp
	Authenticator store.Authenticator
}

// Lineage returns the lineage of the session: the sid of tokens.
func (a ActiveSession) Lineage() string { return store.LineageOf(a.Key, a.Session) }

// SessionKey returns the key under which a session id is stored: its SHA-256 in hex, so
// that reading the store gives nobody a session.
func SessionKey(sessionID string) string {
	sum := sha256.Sum256([]byte(sessionID))
	return hex.EncodeToString(sum[:])
}

// SessionRef is a session id as a browser carries it.
type SessionRef struct {
	ID string
	// UserID is whose session it is, so that both are read at once. It is compared with
	// the session and trusted for nothing. Empty: a cookie from before it was there.
	UserID string
}

// Check returns the active session of an id. Error Unauthorized: it does not exist, has
// expired or was ended, its user is gone or disabled, or its authenticator is gone,
// disabled or belongs to another corp now.
func (s *Sessions) Check(ctx context.Context, ref SessionRef) (ActiveSession, error) {
	if ref.ID == "" {
		return ActiveSession{}, apierr.New(apierr.Unauthorized, nil)
	}
	return s.CheckKey(ctx, SessionKey(ref.ID), ref.UserID)
}

// CheckKey is Check for a session key and the user whose session it is, which an access
// token carries. The key alone gives nobody a session: it is not accepted where an id is
// asked for.
func (s *Sessions) CheckKey(ctx context.Context, sessionKey, userID string) (ActiveSession, error) {
	result, user, err := s.read(ctx, sessionKey, userID)
	if err != nil {
		return ActiveSession{}, err
	}
	session := result.Session
	if result.Kind != store.ResultSession || !s.Now().Before(session.ExpiresAt) || !user.Keeps(session.Begun()) {
		return ActiveSession{}, apierr.New(apierr.Unauthorized, nil)
	}
	authenticator, err := s.authenticatorOf(ctx, session)
	if err != nil {
		return ActiveSession{}, notActive("read authenticator of session", err)
	}
	if user, err = store.WithWeComRoles(ctx, s.Authenticators, user, session.CorpID); err != nil {
		return ActiveSession{}, err
	}
	return ActiveSession{sessionKey, session, user, authenticator}, nil
}

// authenticatorOf returns the authenticator by which a session goes on, or
// store.ErrNotFound: it is gone, disabled or another one since.
func (s *Sessions) authenticatorOf(ctx context.Context, session store.Session) (store.Authenticator, error) {
	authenticator, err := s.Authenticators.Authenticator(ctx, session.AuthenticatorName)
	if err == nil && (!authenticator.Enabled || authenticator.ID != session.AuthenticatorID || authenticator.Generation != session.AuthenticatorGeneration) {
		err = store.ErrNotFound
	}
	return authenticator, err
}

// read reads a session and its user, at once where the user is known.
func (s *Sessions) read(ctx context.Context, sessionKey, userID string) (store.AttemptResult, store.User, error) {
	if userID != "" {
		result, user, err := s.Store.ResultAndUser(ctx, sessionKey, userID)
		if err != nil {
			return store.AttemptResult{}, store.User{}, notActive("read session and user", err)
		}
		return result, user, nil
	}
	result, err := s.Store.AttemptResult(ctx, sessionKey)
	if err != nil {
		return store.AttemptResult{}, store.User{}, notActive("read session", err)
	}
	user, err := s.Store.User(ctx, result.Session.UserID)
	if err != nil {
		return store.AttemptResult{}, store.User{}, notActive("read user of session", err)
	}
	return result, user, nil
}

// End ends the session of an id and its lineage. An id without a session is not an error.
// The session is ended last: when something fails before, a further try still finds it.
func (s *Sessions) End(ctx context.Context, sessionID string) error {
	if sessionID == "" {
		return nil
	}
	key := SessionKey(sessionID)
	session, err := s.session(ctx, key)
	if err != nil || session.UserID == "" {
		return err
	}
	return s.end(ctx, key, session, store.AuditLine{Type: audit.SignedOut, User: session.UserID, Authenticator: session.AuthenticatorName})
}

// session returns the session of a key, the zero Session if there is none.
func (s *Sessions) session(ctx context.Context, key string) (store.Session, error) {
	result, err := s.Store.AttemptResult(ctx, key)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && result.Kind != store.ResultSession:
		return store.Session{}, nil
	case err != nil:
		return store.Session{}, fmt.Errorf("read session: %w", err)
	}
	return result.Session, nil
}

// end ends a session as End does, and notes why.
func (s *Sessions) end(ctx context.Context, key string, session store.Session, why store.AuditLine) error {
	if err := s.Lineages.End(ctx, store.LineageOf(key, session)); err != nil {
		return err
	}
	return s.endAlone(ctx, key, why)
}

// endAlone ends a session without its lineage.
func (s *Sessions) endAlone(ctx context.Context, key string, why store.AuditLine) error {
	ended, err := s.Store.EndSession(ctx, key)
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	if ended.UserID != "" { // another request was not faster
		s.Audit.Note(ctx, why)
	}
	return nil
}

// replace ends a session of the browser in which owner signs in. It returns the lineage
// that goes on: that of a live session of the same user. For the same user, who returns, it
// costs one call; the lineage of anybody else ends.
func (s *Sessions) replace(ctx context.Context, ref SessionRef, owner store.IdentityOwner) (lineage string, err error) {
	key := SessionKey(ref.ID)
	if ref.UserID != owner.UserID {
		session, err := s.session(ctx, key)
		switch {
		case err != nil || session.UserID == "":
			return "", err
		case session.UserID != owner.UserID:
			return "", s.end(ctx, key, session, store.AuditLine{
				Type: audit.SessionEnded, User: session.UserID, Authenticator: session.AuthenticatorName, Code: "replaced",
			})
		}
	}
	ended, err := s.Store.EndSession(ctx, key)
	switch {
	case err != nil:
		return "", fmt.Errorf("end session: %w", err)
	case !s.Now().Before(ended.ExpiresAt): // or there was none
		return "", nil
	}
	lineage = store.LineageOf(key, ended)
	switch {
	case ended.UserID != owner.UserID: // somebody changed the cookie
		return "", s.Lineages.End(ctx, lineage)
	case ended.CorpID != owner.Identity.CorpID:
		// What goes on by one company must not hide that the member leaves the other.
		return "", s.Lineages.End(ctx, lineage)
	case ended.UserGeneration != owner.SessionGeneration, ended.IdentityGeneration != owner.Identity.GenerationFor(ended.AuthenticatorID):
		return "", s.Lineages.End(ctx, lineage) // an administrator or a member check has ended it
	}
	switch _, err := s.authenticatorOf(ctx, ended); {
	case errors.Is(err, store.ErrNotFound):
		// It ended with its authenticator. Nobody finds it any more who tells of that.
		return "", s.Lineages.End(ctx, lineage)
	case err != nil:
		return "", errors.Join(fmt.Errorf("read authenticator of session: %w", err), s.Lineages.End(ctx, lineage))
	}
	return lineage, nil
}

func notActive(doing string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return apierr.New(apierr.Unauthorized, nil)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
