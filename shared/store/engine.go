package store

import (
	"context"
	"errors"
	"time"
)

// What an operation may answer beside success. Anything else is a system fault.
var (
	// ErrNotFound: there is no such record, or it has expired.
	ErrNotFound = errors.New("not found")
	// ErrExists: a record of this key exists already; nothing was written.
	ErrExists = errors.New("exists already")
	// ErrChanged: the record is no longer what the caller read; nothing was
	// written. Read again and decide again.
	ErrChanged = errors.New("changed meanwhile")
	// ErrPhoneTaken: another user has this phone; nothing was written.
	ErrPhoneTaken = errors.New("phone taken")
	// ErrIdentityTaken: the identity belongs to another user; nothing was written.
	ErrIdentityTaken = errors.New("identity taken")
	// ErrBadCursor: the cursor is not one that this list gave out.
	ErrBadCursor = errors.New("bad cursor")
)

// AutoLoginTakenError says which enabled authenticator has AutoLogin already.
// Nothing was written.
type AutoLoginTakenError struct{ Holder string }

func (e *AutoLoginTakenError) Error() string { return "automatic login is held by " + e.Holder }

// Page asks for a part of a list.
type Page struct {
	Cursor string // empty for the beginning
	Limit  int    // at least 1
}

// Engine is everything an engine does. No consumer needs all of it: each declares
// the part it uses.
type Engine interface {
	Directory
	Transient
}

// Directory is what must last: it is backed up and outlives the service.
type Directory interface {
	// Authenticator returns one by name, or ErrNotFound.
	Authenticator(ctx context.Context, name string) (Authenticator, error)
	// Authenticators returns a page in order of name; next is empty at the end.
	Authenticators(ctx context.Context, page Page) (items []Authenticator, next string, err error)
	// AutoLoginAuthenticator returns the enabled one with AutoLogin, or ErrNotFound.
	AutoLoginAuthenticator(ctx context.Context) (Authenticator, error)
	// CreateAuthenticator writes a new one as it is. ErrExists: the name is taken.
	// *AutoLoginTakenError: it is enabled with AutoLogin and another one is too.
	CreateAuthenticator(ctx context.Context, a Authenticator) error
	// UpdateAuthenticator replaces from, as it was read, by to: same Name and ID,
	// to.Version = from.Version + 1. ErrChanged or *AutoLoginTakenError.
	UpdateAuthenticator(ctx context.Context, from, to Authenticator) error
	// DeleteAuthenticator removes a as it was read, and frees its AutoLogin. ErrChanged.
	DeleteAuthenticator(ctx context.Context, a Authenticator) error

	// User returns one by id, or ErrNotFound.
	User(ctx context.Context, id string) (User, error)
	// UserByPhone returns the user with an E.164 phone, or ErrNotFound.
	UserByPhone(ctx context.Context, phone string) (User, error)
	// OwnerOfIdentity returns what a sign-in needs of the user a WeCom member is, by one
	// read, or ErrNotFound. The userid is compared by FoldUserID.
	OwnerOfIdentity(ctx context.Context, corpID, wecomUserID string) (IdentityOwner, error)
	// Users returns a page in order of id; next is empty at the end.
	Users(ctx context.Context, page Page) (items []User, next string, err error)
	// UsersByName returns a page of the users whose FoldName begins with that of prefix,
	// in order of folded name, then id. Users without a name are not among them. The
	// cursor goes with the prefix (ErrBadCursor).
	UsersByName(ctx context.Context, prefix string, page Page) (items []User, next string, err error)
	// CreateUser writes a new user with its phone and identities, or nothing:
	// ErrExists (the id), ErrPhoneTaken, ErrIdentityTaken.
	CreateUser(ctx context.Context, u User) error
	// UpdateUser replaces from, as it was read, by to: same ID, to.Version =
	// from.Version + 1. Phones and identities no longer in to are freed, new ones
	// taken. ErrChanged, ErrPhoneTaken, ErrIdentityTaken. LastSignInAt is left as
	// the store has it.
	UpdateUser(ctx context.Context, from, to User) error
	// DeleteUser removes u as it was read and frees its phone and identities. ErrChanged.
	DeleteUser(ctx context.Context, u User) error

	// DomainFile returns one by file name, or ErrNotFound.
	DomainFile(ctx context.Context, filename string) (DomainFile, error)
	// DomainFiles returns a page in order of file name.
	DomainFiles(ctx context.Context, page Page) (items []DomainFile, next string, err error)
	// PutDomainFile writes one; an existing one keeps its CreatedAt.
	PutDomainFile(ctx context.Context, f DomainFile) error
	// DeleteDomainFile removes one; ErrNotFound.
	DeleteDomainFile(ctx context.Context, filename string) error

	// PublicKeys returns what PutPublicKeys wrote last, or ErrNotFound.
	PublicKeys(ctx context.Context) (PublicKeys, error)
	// PutPublicKeys replaces the published keys.
	PutPublicKeys(ctx context.Context, keys PublicKeys) error
}

// Transient is what passes: every record ends by itself. Times are compared with
// the engine's injectable clock.
type Transient interface {
	// AttemptResult returns what the attempt of this key came to, or ErrNotFound. A
	// session past its ExpiresAt is still returned, until KeepUntil.
	AttemptResult(ctx context.Context, key string) (AttemptResult, error)
	// RecordResult writes an outcome that is no session. ErrExists: the attempt
	// has one already.
	RecordResult(ctx context.Context, o AttemptResult) error
	// ResultAndUser returns AttemptResult and the user of an id by one read. A user that
	// does not exist is the zero User, and LastSignInAt may be missing; ErrNotFound is the
	// result's alone.
	ResultAndUser(ctx context.Context, sessionKey, userID string) (AttemptResult, User, error)
	// StartSession writes a ResultSession. ErrExists: the attempt has a result already.
	// The user is not looked at: checking a session compares user and SessionGeneration,
	// so a session that begins while its user is disabled is nobody's. noteSignIn says to
	// note r.Session.SignedInAt as the LastSignInAt of the session's identity, too; that
	// it is lost is not an error.
	StartSession(ctx context.Context, r AttemptResult, noteSignIn bool) error
	// EndSession turns the session of this key into ResultEnded, keeping KeepUntil.
	// No session there is no fault, and nothing is written then.
	EndSession(ctx context.Context, key string) error

	// RecordEvent notes an attempt that has no outcome, for administrators; another
	// note under the same key, the attempt's, replaces it. An outcome is not touched.
	RecordEvent(ctx context.Context, key string, a SignInEvent) error
	// EventsOfAuthenticator returns what RecordEvent and the outcomes noted of an
	// authenticator, newest first, at most limit (up to MaxEvents) and none older
	// than EventRetention. It may lag a moment behind.
	EventsOfAuthenticator(ctx context.Context, authenticatorID string, limit int) ([]SignInEvent, error)
	// EventsOfUser is the same for a user.
	EventsOfUser(ctx context.Context, userID string, limit int) ([]SignInEvent, error)

	// AccessToken returns the record of an app's token, or ErrNotFound. The key is
	// the caller's choice: corp, app and secret version.
	AccessToken(ctx context.Context, key string) (AccessToken, error)
	// LeaseAccessToken gives owner the right to fetch until the given time, unless
	// another owner has it still: then false. What the record knows stays.
	LeaseAccessToken(ctx context.Context, key, owner string, until time.Time) (bool, error)
	// SaveAccessToken replaces the record and thereby gives the lease back.
	// ErrChanged: owner has lost the lease meanwhile; nothing was written.
	SaveAccessToken(ctx context.Context, key, owner string, token AccessToken) error
	// ForgetAccessToken removes the record, with lease and refusal. None is no fault.
	ForgetAccessToken(ctx context.Context, key string) error
}
