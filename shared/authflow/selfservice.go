package authflow

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// SelfServiceStore is what SelfService needs of the store.
type SelfServiceStore interface {
	SessionsOfUser(ctx context.Context, userID string, limit int) ([]store.AttemptResult, error)
	User(ctx context.Context, id string) (store.User, error)
	UpdateUser(ctx context.Context, from, to store.User) error
	LineagesOfUser(ctx context.Context, userID string) ([]store.Lineage, error)
	Consent(ctx context.Context, userID, applicationID string) (store.Consent, error)
	DeleteConsent(ctx context.Context, userID, applicationID string) error
}

// SelfServiceNotifier tells applications what a member has ended, as LogoutNotifier does.
type SelfServiceNotifier interface {
	// UserEnded has the applications of all sessions of a user told.
	UserEnded(ctx context.Context, userID string) error
	// ApplicationEnded has one application of a lineage told, which goes on without it.
	ApplicationEnded(ctx context.Context, lineage, applicationID string) error
}

// SelfService is what members do about their own sessions and consents. Each method acts on
// the member of an active session and on nobody else.
type SelfService struct {
	Sessions *Sessions
	Store    SelfServiceStore
	// Notifier is nil where no application is told.
	Notifier SelfServiceNotifier
}

// ActiveSessions returns the active sessions of a session's member, newest first. The
// session itself is among them, though the list may lag behind; see
// store.Transient.SessionsOfUser.
func (s *SelfService) ActiveSessions(ctx context.Context, active ActiveSession) ([]store.AttemptResult, error) {
	found, err := s.Store.SessionsOfUser(ctx, active.User.ID, store.MaxEvents)
	if err != nil {
		return nil, fmt.Errorf("list sessions of user: %w", err)
	}
	sessions := []store.AttemptResult{{SessionKey: active.Key, Kind: store.ResultSession, Session: active.Session}}
	for _, result := range found {
		session := result.Session
		if result.SessionKey == active.Key || !active.User.Keeps(session.Begun()) {
			continue
		}
		switch _, err := s.Sessions.authenticatorOf(ctx, session); {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, fmt.Errorf("read authenticator of session: %w", err)
		default:
			sessions = append(sessions, result)
		}
	}
	slices.SortStableFunc(sessions, func(x, y store.AttemptResult) int { return y.Session.SignedInAt.Compare(x.Session.SignedInAt) })
	return sessions, nil
}

// EndSession ends another session of the member, by its key. The key of anybody else's
// session, and that of none, does nothing.
func (s *SelfService) EndSession(ctx context.Context, active ActiveSession, key string) error {
	session, err := s.Sessions.session(ctx, key)
	if err != nil || session.UserID == "" || session.UserID != active.User.ID {
		return err
	}
	return s.end(ctx, active, key, session)
}

// endsAtOnce is how many sessions are ended at the same time.
const endsAtOnce = 8

// EndOtherSessions ends every session of the member but this one.
func (s *SelfService) EndOtherSessions(ctx context.Context, active ActiveSession) error {
	sessions, err := s.ActiveSessions(ctx, active)
	if err != nil {
		return err
	}
	var all errgroup.Group // without its context: one failure leaves the others to be ended
	all.SetLimit(endsAtOnce)
	for _, session := range sessions {
		if session.SessionKey != active.Key {
			all.Go(func() error { return s.end(ctx, active, session.SessionKey, session.Session) })
		}
	}
	return all.Wait()
}

// end ends another session. A lineage that goes on in the active session does not end.
func (s *SelfService) end(ctx context.Context, active ActiveSession, key string, session store.Session) error {
	why := store.AuditLine{Type: audit.SessionEnded, User: session.UserID, Authenticator: session.AuthenticatorName}
	if store.LineageOf(key, session) != active.Lineage() {
		return s.Sessions.end(ctx, key, session, why)
	}
	return s.Sessions.endAlone(ctx, key, why)
}

// EndEverywhere ends every session of the member, this one included, and every grant.
// Applications are announced first: when something fails then, the member is still signed
// in and can try again, and an application that was told in vain loses nothing, because the
// member comes back by a redirect.
func (s *SelfService) EndEverywhere(ctx context.Context, active ActiveSession) error {
	if s.Notifier != nil {
		if err := s.Notifier.UserEnded(ctx, active.User.ID); err != nil {
			return fmt.Errorf("announce the end of all sessions: %w", err)
		}
	}
	_, err := store.RetryChanged(ctx, func() (store.User, error) {
		from, err := s.Store.User(ctx, active.User.ID)
		if err != nil {
			return from, err
		}
		if from.SessionGeneration != active.Session.UserGeneration {
			return from, nil // all have ended meanwhile
		}
		to := from
		to.SessionGeneration++
		to.Version, to.UpdatedAt = from.Version+1, s.Sessions.Now().UTC()
		return to, s.Store.UpdateUser(ctx, from, to)
	})
	if err != nil {
		return fmt.Errorf("end all sessions: %w", err)
	}
	s.Sessions.Audit.Note(ctx, store.AuditLine{Type: audit.SessionsEnded, User: active.Session.UserID, Authenticator: active.Session.AuthenticatorName})
	return nil
}

// Withdraw takes back the member's consent to an application, which ends its grants. Without
// a consent it does nothing. The application is announced first, as in EndEverywhere.
func (s *SelfService) Withdraw(ctx context.Context, active ActiveSession, applicationID string) error {
	userID := active.User.ID
	_, err := s.Store.Consent(ctx, userID, applicationID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("read consent: %w", err)
	}
	if err := s.announce(ctx, userID, applicationID); err != nil {
		return err
	}
	if err := s.Store.DeleteConsent(ctx, userID, applicationID); err != nil {
		return fmt.Errorf("delete consent: %w", err)
	}
	s.Sessions.Audit.Note(ctx, store.AuditLine{Type: audit.ConsentWithdrawn, User: userID, Application: applicationID})
	return nil
}

// announce has an application told of each lineage that it has had a grant of.
func (s *SelfService) announce(ctx context.Context, userID, applicationID string) error {
	if s.Notifier == nil {
		return nil
	}
	lineages, err := s.Store.LineagesOfUser(ctx, userID)
	if err != nil {
		return fmt.Errorf("list lineages of user: %w", err)
	}
	for _, l := range lineages {
		if l.Ended || !slices.Contains(l.Applications, applicationID) {
			continue
		}
		if err := s.Notifier.ApplicationEnded(ctx, l.ID, applicationID); err != nil {
			return fmt.Errorf("announce a withdrawn consent: %w", err)
		}
	}
	return nil
}
