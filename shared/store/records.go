package store

import (
	"slices"
	"strings"
	"time"
)

// Authenticator is the configuration of one WeCom app that people sign in with.
type Authenticator struct {
	// ID is random and never reused; sessions and states carry it, so that a new
	// authenticator of the same name inherits nothing.
	ID    string
	Name  string // [a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?, unchangeable
	Title string
	// Enabled authenticators are offered and usable.
	Enabled bool
	CorpID  string
	AgentID string
	// SecretVersion names the version of the app's secret that is in force; the
	// secret itself is in a secret store, see package secret.
	SecretVersion string
	// Origin is the application's: scheme, host and port only.
	Origin                string
	WorkbenchRedirectPath string
	AutoSignup            bool
	AutoLogin             bool
	// Generation changes whenever the authenticator's sessions and pending states
	// must end: on disabling and on another CorpID.
	Generation string
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Version    int64 // 1 when created, one more with every update
}

// HoldsAutoLogin reports whether a is the one enabled authenticator with AutoLogin.
func (a Authenticator) HoldsAutoLogin() bool { return a.Enabled && a.AutoLogin }

// User is a person, found by phone or by a WeCom identity.
type User struct {
	ID     string // sortable by creation, see NewUserID
	Phone  string // E.164
	Name   string
	Avatar string
	Roles  []string
	// Enabled users may sign in and keep their sessions.
	Enabled bool
	// NamePending is set while Name is only the WeCom userid, because WeCom would
	// not tell the name; the next sign-in asks again.
	NamePending bool
	Identities  []Identity // at most one per corp
	// PhoneConflict is the member who was refused last because WeCom gave this
	// user's phone for somebody else of the same corp. An administrator decides whose
	// it is; nil when there is nothing to decide.
	PhoneConflict *Identity `json:",omitempty"`
	// SessionGeneration is carried by the user's sessions; one more ends them all.
	SessionGeneration int64
	CreatedAt         time.Time
	UpdatedAt         time.Time
	LastSignInAt      time.Time // zero before the first; not part of Version
	Version           int64     // 1 when created, one more with every update
}

// Identity says that a WeCom member is a user.
type Identity struct {
	CorpID        string
	WeComUserID   string // as WeCom spells it; compared without case, see FoldUserID
	Authenticator string // name of the authenticator that bound it
	BoundAt       time.Time
}

// IdentityIn returns the user's identity in a corp.
func (u User) IdentityIn(corpID string) (Identity, bool) {
	i := slices.IndexFunc(u.Identities, func(id Identity) bool { return id.CorpID == corpID })
	if i < 0 {
		return Identity{}, false
	}
	return u.Identities[i], true
}

// FoldUserID returns the form in which WeCom userids are compared: WeCom itself
// ignores their case (path 90196 of its documentation).
func FoldUserID(userID string) string { return strings.ToLower(userID) }

// FoldName returns the form in which names are searched for: without case and
// without blanks at the ends.
func FoldName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// Session is a signed-in browser.
type Session struct {
	UserID                  string
	UserGeneration          int64 // User.SessionGeneration when it began
	AuthenticatorName       string
	AuthenticatorID         string
	AuthenticatorGeneration string // Authenticator.Generation when it began
	CorpID                  string
	WeComUserID             string
	SignedInAt              time.Time
	ExpiresAt               time.Time
}

// AttemptResult is how one attempt to sign in ended. An attempt has one outcome, ever:
// it is written under a key derived from the attempt's state, only if absent.
type AttemptResult struct {
	// SessionKey is the hex SHA-256 of the session id that the state leads to. Its name
	// in JSON is the one that files of the embedded engine have.
	SessionKey string `json:"Key"`
	Kind       ResultKind
	// Session is set for ResultSession; ResultEnded keeps nothing of it.
	Session Session
	// Code is the fault code for ResultRefused.
	Code string
	// Attempt is what administrators are shown of the attempt; nil leaves it out of
	// their lists, as for one that goes on under another state. It is written with the
	// outcome and read back by Transient.EventsOfAuthenticator and EventsOfUser
	// alone: Transient.AttemptResult leaves it nil.
	Attempt *SignInEvent
	// KeepUntil is when the record may be forgotten: not before the attempt's
	// state can no longer be used and the session has expired.
	KeepUntil time.Time
}

// ResultKind tells the outcomes apart.
type ResultKind string

// The outcomes of an attempt.
const (
	ResultSession   ResultKind = "session"   // a session began
	ResultContinued ResultKind = "continued" // go on with snsapi_privateinfo, with a new state
	ResultRefused   ResultKind = "refused"   // refused with Code
	ResultEnded     ResultKind = "ended"     // a session began and was ended; the state stays used
)

// EventRetention is how long administrators are shown an attempt.
const EventRetention = 30 * 24 * time.Hour

// MaxEvents is how many attempts of an authenticator or a user are shown at most.
const MaxEvents = 100

// SignInEvent tells administrators who tried to sign in, when, and why it was
// refused. It holds no secret, no code, no state and no phone number.
type SignInEvent struct {
	At                time.Time
	AuthenticatorID   string
	AuthenticatorName string
	// UserID is empty when no user was found out.
	UserID string
	CorpID string
	// WeComUserID is empty when WeCom named no member.
	WeComUserID string
	// InWeCom tells WeCom's own browser from any other.
	InWeCom bool
	// Code is the fault code of a refusal, empty for a sign-in.
	Code string
	// WeComCode is WeCom's number of the failure, 0 when it gave none.
	WeComCode int
	RequestID string
}

// AccessToken is what is known about WeCom's access token of one app.
type AccessToken struct {
	// Sealed is the encrypted token; empty when none is known.
	Sealed []byte
	// ExpiresAt is when WeCom lets the token end.
	ExpiresAt time.Time
	// RefusedUntil and RefusedCode remember a refused secret (WeCom's number), so
	// that WeCom is not asked again before.
	RefusedUntil time.Time
	RefusedCode  int
	// LeaseOwner may fetch a new token until LeaseUntil; nobody else should.
	LeaseOwner string
	LeaseUntil time.Time
}

// DomainFile is WeCom's proof of domain ownership: WW_verify_{Token}.txt.
type DomainFile struct {
	Filename  string // WW_verify_ + 16 letters or digits + .txt
	CreatedAt time.Time
}

// PublicKeys is the JWKS document that the issuer publishes.
type PublicKeys struct {
	Document  []byte // a JSON Web Key Set (RFC 7517), public keys only
	UpdatedAt time.Time
}
