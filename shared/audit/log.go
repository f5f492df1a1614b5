package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Store is what a Log needs of the store.
type Store interface {
	RecordAudit(ctx context.Context, line store.AuditLine) error
}

// Log makes and writes lines. A nil *Log writes none: for a function that has nothing to
// tell.
type Log struct {
	Store Store
	Now   func() time.Time
	// RequestID returns the id of a request in the log, by its context.
	RequestID func(ctx context.Context) string
	// LogField tells the operator of a line that could not be written.
	LogField func(ctx context.Context, key string, value any)
}

// Line fills in what every line has: its id, the time and the request.
func (l *Log) Line(ctx context.Context, line store.AuditLine) store.AuditLine {
	return Complete(line, l.Now(), l.RequestID(ctx))
}

// Complete returns a line of a time and a request.
func Complete(line store.AuditLine, at time.Time, requestID string) store.AuditLine {
	line.At = at.UTC().Truncate(time.Millisecond)
	line.ID, line.RequestID = store.NewAuditID(line.At), requestID
	return line
}

// Write writes a line by itself, before what it tells is answered.
func (l *Log) Write(ctx context.Context, line store.AuditLine) error {
	if err := l.Store.RecordAudit(ctx, l.Line(ctx, line)); err != nil {
		return fmt.Errorf("write audit line: %w", err)
	}
	return nil
}

// noteTime bounds the writing of a line of something that has happened already.
const noteTime = 2 * time.Second

// Note writes a line of something that took access away and has happened already, even if
// the caller has hung up. A failure is logged and not returned: the access has ended all the
// same.
func (l *Log) Note(ctx context.Context, line store.AuditLine) {
	if l == nil {
		return
	}
	noting, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer cancel()
	if err := l.Write(noting, line); err != nil {
		l.LogField(ctx, "auditNotWritten", err.Error())
	}
}

// OfSignIn returns the line of a sign-in or a refusal.
func OfSignIn(event store.SignInEvent) store.AuditLine {
	line := store.AuditLine{Type: SignedIn, User: event.UserID, Authenticator: event.AuthenticatorName, Code: event.Code}
	if event.Code != "" {
		line.Type = Refused
	}
	return Complete(line, event.At, event.RequestID)
}

// OfEvent returns the line of an event that WeCom pushed to an authenticator, without its
// time. userID is whom it was about, or empty.
func OfEvent(name, userID string, to store.Authenticator) store.AuditLine {
	line := store.AuditLine{Type: EventReceived, User: userID, Authenticator: to.Name, Code: name}
	if name == "inactive_alert" || name == "close_inactive_agent" {
		line.Type = AppInactive
	}
	return line
}
