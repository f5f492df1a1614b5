package store

import (
	"context"
	"errors"
	"time"
)

// The errors that callers handle. Any other is a failure of the system.
var (
	// ErrNotFound: there is no such record, or it has expired.
	ErrNotFound = errors.New("not found")
	// ErrExists: a record with this key exists already; nothing was written.
	ErrExists = errors.New("exists already")
	// ErrChanged: the record has changed since the caller read it; nothing was written.
	// Read and decide again.
	ErrChanged = errors.New("changed meanwhile")
	// ErrPhoneTaken: another user has this phone; nothing was written.
	ErrPhoneTaken = errors.New("phone taken")
	// ErrIdentityTaken: the identity belongs to another user; nothing was written.
	ErrIdentityTaken = errors.New("identity taken")
	// ErrBadCursor: the cursor does not come from this list.
	ErrBadCursor = errors.New("bad cursor")
)

// AutoLoginTakenError says which enabled authenticator has AutoLogin already. Nothing was
// written.
type AutoLoginTakenError struct{ Holder string }

func (e *AutoLoginTakenError) Error() string { return "automatic login is held by " + e.Holder }

// Page is a part of a list.
type Page struct {
	Cursor string // empty for the beginning
	Limit  int    // at least 1
}

// Engine is what every engine implements. Callers declare the part that they use.
type Engine interface {
	Directory
	Transient
	FirstSignIns
	ProviderEngine
	Audit
}

// Directory has the records that must last: it is backed up and outlives the stack.
type Directory interface {
	// Authenticator returns the authenticator of a name, or ErrNotFound.
	Authenticator(ctx context.Context, name string) (Authenticator, error)
	// Authenticators returns a page in order of name; next is empty on the last one.
	Authenticators(ctx context.Context, page Page) (items []Authenticator, next string, err error)
	// AutoLoginAuthenticator returns the enabled authenticator with AutoLogin, or
	// ErrNotFound.
	AutoLoginAuthenticator(ctx context.Context) (Authenticator, error)
	// CreateAuthenticator writes a new authenticator as it is. It returns ErrExists if the
	// name is taken, and *AutoLoginTakenError if both it and another one are enabled with
	// AutoLogin.
	CreateAuthenticator(ctx context.Context, a Authenticator) error
	// UpdateAuthenticator replaces from, as it was read, by to, which has the same Name and
	// ID and Version = from.Version + 1, and keeps the stored LastEventAt. It returns
	// ErrChanged or *AutoLoginTakenError.
	UpdateAuthenticator(ctx context.Context, from, to Authenticator) error
	// DeleteAuthenticator removes a, as it was read, and frees its AutoLogin, or returns
	// ErrChanged.
	DeleteAuthenticator(ctx context.Context, a Authenticator) error
	// NoteEvent notes at as the LastEventAt of the authenticator that was read, unless the
	// stored one is within EventNotePause before it, or later. An authenticator that is gone
	// is not an error.
	NoteEvent(ctx context.Context, a Authenticator, at time.Time) error

	// User returns the user of an id, or ErrNotFound.
	User(ctx context.Context, id string) (User, error)
	// UserByPhone returns the user with an E.164 phone, or ErrNotFound.
	UserByPhone(ctx context.Context, phone string) (User, error)
	// OwnerOfIdentity returns what a sign-in needs of the user a WeCom member is, by one
	// read, or ErrNotFound, also for one who is gone. The userid is compared by FoldUserID.
	OwnerOfIdentity(ctx context.Context, corpID, wecomUserID string) (IdentityOwner, error)
	// FormerOwnerOfIdentity returns the user whose identity with a userid is gone, or
	// ErrNotFound. Of several it is the last that became gone, or none, once another of them
	// has come back or was unbound or deleted since.
	FormerOwnerOfIdentity(ctx context.Context, corpID, wecomUserID string) (IdentityOwner, error)
	// Users returns a page in order of id; next is empty at the end.
	Users(ctx context.Context, page Page) (items []User, next string, err error)
	// UsersByName returns a page of the users whose FoldName begins with that of prefix, in
	// order of folded name, then id, without users who have no name. It returns
	// ErrBadCursor for the cursor of another prefix.
	UsersByName(ctx context.Context, prefix string, page Page) (items []User, next string, err error)
	// CreateUser writes a new user with phone and identities, or returns ErrExists (of the
	// id), ErrPhoneTaken or ErrIdentityTaken.
	CreateUser(ctx context.Context, u User) error
	// UpdateUser replaces from, as it was read, by to, which has the same ID and Version =
	// from.Version + 1. It frees phone and identities that to does not have or that are
	// gone in to, takes new ones, and keeps the stored LastSignInAt. It returns ErrChanged,
	// ErrPhoneTaken or ErrIdentityTaken.
	UpdateUser(ctx context.Context, from, to User) error
	// DeleteUser removes u, as it was read, and frees its phone and identities, or returns
	// ErrChanged.
	DeleteUser(ctx context.Context, u User) error

	// DomainFile returns the file of a name, or ErrNotFound.
	DomainFile(ctx context.Context, filename string) (DomainFile, error)
	// DomainFiles returns a page in order of file name.
	DomainFiles(ctx context.Context, page Page) (items []DomainFile, next string, err error)
	// PutDomainFile writes a file; an existing one keeps its CreatedAt.
	PutDomainFile(ctx context.Context, f DomainFile) error
	// DeleteDomainFile removes a file, or returns ErrNotFound.
	DeleteDomainFile(ctx context.Context, filename string) error

	// PublicKeys returns what PutPublicKeys has written last, or ErrNotFound.
	PublicKeys(ctx context.Context) (PublicKeys, error)
	// PutPublicKeys replaces the published keys.
	PutPublicKeys(ctx context.Context, keys PublicKeys) error
}

// Transient has the records that expire, by the engine's injectable clock.
type Transient interface {
	// AttemptResult returns what the attempt of this key came to, or ErrNotFound. A
	// session past its ExpiresAt is still returned, until KeepUntil.
	AttemptResult(ctx context.Context, key string) (AttemptResult, error)
	// RecordResult writes a result that is not a session. ErrExists: the attempt has one
	// already; a tentative one does not count, unless the new one is tentative, too.
	RecordResult(ctx context.Context, r AttemptResult) error
	// ResultAndUser returns AttemptResult and the user of an id by one read. A user that
	// does not exist is the zero User, and LastSignInAt may be missing; ErrNotFound is the
	// result's alone.
	ResultAndUser(ctx context.Context, sessionKey, userID string) (AttemptResult, User, error)
	// StartSession writes a ResultSession. ErrExists: see RecordResult.
	// The user is not looked at: checking a session compares user and SessionGeneration,
	// so a session that begins while its user is disabled is nobody's. noteSignIn says to
	// note r.Session.SignedInAt as the LastSignInAt of the session's identity, too;
	// failing to record it is not an error.
	StartSession(ctx context.Context, r AttemptResult, noteSignIn bool) error
	// EndSession turns the session of this key into ResultEnded, keeping KeepUntil, and
	// returns the session as it was. No session there is not an error: nothing is written
	// then, and the zero Session returned.
	EndSession(ctx context.Context, key string) (Session, error)
	// SessionsOfAuthenticator returns a page of the results of an authenticator, by its id,
	// that are sessions which have neither ended nor expired, in no particular order. A page
	// may have fewer than Limit, or none, and next is empty on the last one. It lists the
	// sessions that began with an event, and may lag a moment behind.
	SessionsOfAuthenticator(ctx context.Context, authenticatorID string, page Page) (items []AttemptResult, next string, err error)

	// RecordEvent records an attempt without a result, for administrators, in place of an
	// earlier event recorded under the same key. It does not change a result.
	RecordEvent(ctx context.Context, sessionKey string, event SignInEvent) error
	// EventsOfAuthenticator returns the events of results and of RecordEvent that belong to
	// an authenticator, newest first, at most limit (up to MaxEvents) and none older than
	// EventRetention. It may lag a moment behind.
	EventsOfAuthenticator(ctx context.Context, authenticatorID string, limit int) ([]SignInEvent, error)
	// EventsOfUser does the same for a user.
	EventsOfUser(ctx context.Context, userID string, limit int) ([]SignInEvent, error)
	// SessionsOfUser returns those results of a user that are sessions which have neither
	// ended nor expired, newest first, at most limit, of the MaxEvents newest events. It may
	// lack a new one for a moment, and has none that ended before the call. The user is not
	// looked at, as with StartSession.
	SessionsOfUser(ctx context.Context, userID string, limit int) ([]AttemptResult, error)

	// Fetched returns the record of a key, or ErrNotFound. The caller chooses the key, from
	// all that decides what is fetched.
	Fetched(ctx context.Context, key string) (Fetched, error)
	// LeaseFetched gives owner the right to fetch until the given time, or returns false
	// while another owner has it. The rest of the record stays.
	LeaseFetched(ctx context.Context, key, owner string, until time.Time) (bool, error)
	// SaveFetched replaces the record, which ends the lease. It returns ErrChanged, and
	// writes nothing, if owner has lost the lease meanwhile.
	SaveFetched(ctx context.Context, key, owner string, record Fetched) error
	// ForgetFetched removes the record, with lease and refusal, if there is one.
	ForgetFetched(ctx context.Context, key string) error
}
