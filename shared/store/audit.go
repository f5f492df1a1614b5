package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// AuditLine says what happened, to whom and by whom. It contains no secret, code, token or
// phone number: users, applications and authenticators are named by their ids and names.
// Package audit makes lines and has the list of types.
type AuditLine struct {
	// ID sorts by At and is never reused; see NewAuditID.
	ID   string
	At   time.Time // to the millisecond, as in ID
	Type string
	// User is the id of the user whom the line is about, and Authenticator and Application
	// are the names by which it happened; each may be empty.
	User          string `json:",omitempty"`
	Authenticator string `json:",omitempty"`
	Application   string `json:",omitempty"`
	// Actor is who did it: the id of a user, or "key" for the administrator's key. Empty:
	// the service itself or WeCom.
	Actor     string `json:",omitempty"`
	RequestID string `json:",omitempty"`
	// Code is the error code of a refusal, or another word about what happened.
	Code string `json:",omitempty"`
	// Fields are the names of what was changed or read, never its values.
	Fields []string `json:",omitempty"`
	// RolesBefore and RolesAfter are set when roles were changed.
	RolesBefore []string `json:",omitempty"`
	RolesAfter  []string `json:",omitempty"`
}

// NewAuditID returns an id for a line of a time: ids sort by their times, to the
// millisecond, and their last 80 bits are random.
func NewAuditID(at time.Time) string { return NewUserID(at) }

// AuditQuery selects lines. An empty field selects every line.
type AuditQuery struct {
	From time.Time // inclusive
	To   time.Time // exclusive
	Type string

	User, Authenticator, Application, Actor string
}

// Matches reports whether the query selects a line.
func (q AuditQuery) Matches(l AuditLine) bool {
	is := func(wanted, value string) bool { return wanted == "" || wanted == value }
	return (q.From.IsZero() || !l.At.Before(q.From)) && (q.To.IsZero() || l.At.Before(q.To)) && is(q.Type, l.Type) &&
		is(q.User, l.User) && is(q.Authenticator, l.Authenticator) && is(q.Application, l.Application) && is(q.Actor, l.Actor)
}

// The types of most lines: an engine need not have an index of them.
const (
	AuditSignedIn = "signed_in"
	AuditRefused  = "sign_in_refused"
)

// DefaultAuditRetention is how long lines are kept unless an engine is told otherwise.
const DefaultAuditRetention = 180 * 24 * time.Hour

// Audit has the lines, which are written once, never changed, and removed only when they are
// older than the engine's retention.
type Audit interface {
	// RecordAudit writes a line. Writing the same line once more changes nothing; ErrExists:
	// another line has its id.
	RecordAudit(ctx context.Context, line AuditLine) error
	// Audited returns the writes of this engine, each of which writes the lines, too: all of
	// it happens, or nothing.
	Audited(lines ...AuditLine) AuditedWrites
	// AuditLines returns a page of the lines that a query selects, newest first. What one
	// page looks at is bounded, so it may have fewer than Limit, or none; next is empty on
	// the last one. The first page may lack lines of the last moment when the query has more
	// than a time.
	AuditLines(ctx context.Context, query AuditQuery, page Page) (lines []AuditLine, next string, err error)
}

// AuditedWrites are the writes that can carry audit lines. Each is what Engine says of it.
type AuditedWrites interface {
	CreateAuthenticator(ctx context.Context, a Authenticator) error
	UpdateAuthenticator(ctx context.Context, from, to Authenticator) error
	DeleteAuthenticator(ctx context.Context, a Authenticator) error
	CreateUser(ctx context.Context, u User) error
	UpdateUser(ctx context.Context, from, to User) error
	DeleteUser(ctx context.Context, u User) error
	PutDomainFile(ctx context.Context, f DomainFile) error
	DeleteDomainFile(ctx context.Context, filename string) error
	CreateApplication(ctx context.Context, a Application) error
	UpdateApplication(ctx context.Context, from, to Application) error
	DeleteApplication(ctx context.Context, a Application) error
	RecordResult(ctx context.Context, r AttemptResult) error
	StartSession(ctx context.Context, r AttemptResult, noteSignIn bool) error
	RecordEvent(ctx context.Context, sessionKey string, event SignInEvent) error
}

// AuditPosition is a place among the lines, newest first: between two ids. A line is after a
// position when its id is lower.
type AuditPosition string

// AuditPositionAt returns the place after all lines of a time or later.
func AuditPositionAt(at time.Time) AuditPosition {
	if whole := at.Truncate(time.Millisecond); whole.Before(at) {
		at = whole.Add(time.Millisecond)
	}
	return AuditPosition(firstID(at))
}

// Time returns the time of the lines around a position.
func (p AuditPosition) Time() (time.Time, error) { return timeOfID(string(p)) }

// CheckAuditLine returns an error for a line that no engine may write: its id must be of its
// time.
func CheckAuditLine(l AuditLine) error {
	at, err := timeOfID(l.ID)
	if err != nil || !l.At.Equal(at) {
		return fmt.Errorf("the id of audit line %q is not of its time", l.ID)
	}
	return nil
}

// AuditRange returns the positions between which a query's lines are: after newest, and not
// after oldest. Lines older than the retention are in no range. It returns ErrBadCursor.
func AuditRange(q AuditQuery, cursor string, now time.Time, retention time.Duration) (newest, oldest AuditPosition, err error) {
	from, to := now.Add(-retention), now.Add(auditClockSkew)
	if q.From.After(from) {
		from = q.From
	}
	if !q.To.IsZero() && q.To.Before(to) {
		to = q.To
	}
	newest, oldest = AuditPositionAt(to), AuditPositionAt(from)
	last, err := DecodeCursor(auditList, cursor)
	if err != nil || last == "" {
		return newest, oldest, err
	}
	if _, err := timeOfID(last); err != nil {
		return "", "", ErrBadCursor
	}
	return min(newest, AuditPosition(last)), oldest, nil
}

// AuditCursor returns the cursor of the lines after a position.
func AuditCursor(p AuditPosition) string { return EncodeCursor(auditList, string(p)) }

const auditList = "audit"

// auditClockSkew is how much another function's clock may be ahead.
const auditClockSkew = time.Minute

// Equal reports whether two lines say the same.
func (l AuditLine) Equal(other AuditLine) bool {
	return l.At.Equal(other.At) && l.ID == other.ID && l.Type == other.Type && l.User == other.User && l.Authenticator == other.Authenticator &&
		l.Application == other.Application && l.Actor == other.Actor && l.RequestID == other.RequestID && l.Code == other.Code &&
		slices.Equal(l.Fields, other.Fields) && slices.Equal(l.RolesBefore, other.RolesBefore) && slices.Equal(l.RolesAfter, other.RolesAfter)
}
