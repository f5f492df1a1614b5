package store

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Authenticator is the configuration of one WeCom app that people sign in with.
type Authenticator struct {
	// ID is random and never reused. Sessions and attempts carry it, so that a new
	// authenticator of the same name inherits nothing.
	ID    string
	Name  string // see IsAuthenticatorName; unchangeable
	Title string
	// Enabled authenticators are offered and can be used.
	Enabled bool
	CorpID  string
	AgentID string
	// SecretVersion is the current version of the app's secret, which is in a secret store
	// (package secret).
	SecretVersion string
	// Origin is the application's: scheme, host and port only.
	Origin                string
	WorkbenchRedirectPath string
	AutoSignup            bool
	AutoLogin             bool
	// LinkByPhoneOff keeps members of this corp from becoming an existing user by their
	// phone. Records from before it was there link.
	LinkByPhoneOff bool `json:",omitempty"`
	// Generation changes when the authenticator's sessions and pending attempts must end:
	// on disabling and with another CorpID.
	Generation string
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Version    int64 // 1 when created, plus 1 with every update
}

// IsAuthenticatorName reports whether an authenticator can have this name:
// [a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?. Anything else comes from an address that somebody
// made up; it need not be looked up, and belongs neither in a log nor in an answer.
func IsAuthenticatorName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return name != "" && len(name) <= 64 && name[0] != '-' && name[len(name)-1] != '-'
}

// HoldsAutoLogin reports whether a is the one enabled authenticator with AutoLogin.
func (a Authenticator) HoldsAutoLogin() bool { return a.Enabled && a.AutoLogin }

// RoleAdmin is the role of administrators.
const RoleAdmin = "admin"

// User is a person, identified by phone and WeCom identities.
type User struct {
	ID     string // sorts by creation, see NewUserID
	Phone  string // E.164
	Name   string
	Avatar string
	Roles  []string
	// Enabled users can sign in and have sessions.
	Enabled bool
	// NamePending is set while Name is empty or the WeCom userid, because WeCom did not
	// tell the name; the next sign-in asks again.
	NamePending bool
	Identities  []Identity // at most one per corp
	// PhoneConflict is the member who was refused last because WeCom gave this user's phone
	// for another member of the same corp. An administrator decides who is the user; nil
	// without a conflict.
	PhoneConflict *Identity `json:",omitempty"`
	// SessionGeneration is part of the user's sessions; increasing it ends them all.
	SessionGeneration int64
	CreatedAt         time.Time
	UpdatedAt         time.Time
	LastSignInAt      time.Time // by any identity; zero before the first; not part of Version
	Version           int64     // 1 when created, one more with every update
}

// Identity is a WeCom member who is a user.
type Identity struct {
	CorpID        string
	WeComUserID   string // as WeCom spells it; compared without case, see FoldUserID
	Authenticator string // name of the authenticator that bound it
	BoundAt       time.Time
	// Email is the mailbox that the company gave the member (biz_mail), as WeCom told it
	// when the identity was bound; empty if it did not. It is never the address that
	// members enter themselves.
	Email string `json:",omitempty"`
}

// IdentityIn returns the user's identity in a corp.
func (u User) IdentityIn(corpID string) (Identity, bool) {
	i := slices.IndexFunc(u.Identities, func(id Identity) bool { return id.CorpID == corpID })
	if i < 0 {
		return Identity{}, false
	}
	return u.Identities[i], true
}

// IdentityOwner is what a sign-in needs of the user whom an identity belongs to.
type IdentityOwner struct {
	UserID            string
	Enabled           bool
	NamePending       bool
	SessionGeneration int64
	LastSignInAt      time.Time // by this identity; zero before the first
}

// Owner returns what the identities of a user say of it.
func (u User) Owner() IdentityOwner {
	return IdentityOwner{UserID: u.ID, Enabled: u.Enabled, NamePending: u.NamePending, SessionGeneration: u.SessionGeneration, LastSignInAt: u.LastSignInAt}
}

// FoldUserID returns the form in which WeCom userids are compared: WeCom itself
// ignores their case (path 90196 of its documentation).
func FoldUserID(userID string) string { return strings.ToLower(userID) }

// FoldName returns the form in which names are searched: in lower case and trimmed.
func FoldName(name string) string { return strings.ToLower(strings.TrimSpace(name)) }

// Session is the session of a signed-in browser.
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
	// InWeCom is set for a session that began in WeCom's client.
	InWeCom bool `json:",omitempty"`
	// Lineage is inherited from the session of the same member that the browser had
	// before, or new; see Lineage. Sessions from before it was there have none.
	Lineage string `json:",omitempty"`
	// Client and Address are shown to the member, and decide nothing. Sessions from before
	// they were there have none.
	Client  Client `json:",omitzero"`
	Address string `json:",omitempty"` // IP address, as the gateway saw it
}

// Client is the browser in which a session began, as its User-Agent says: anybody can write
// one, so only our own words are kept of it. Empty: unknown.
type Client struct {
	Browser Browser `json:",omitempty"`
	System  System  `json:",omitempty"`
}

// Browser is a kind of browser.
type Browser string

// The browsers.
const (
	BrowserWeCom   Browser = "wecom"
	BrowserWeChat  Browser = "wechat"
	BrowserChrome  Browser = "chrome"
	BrowserEdge    Browser = "edge"
	BrowserSafari  Browser = "safari"
	BrowserFirefox Browser = "firefox"
	BrowserOther   Browser = "other"
)

// System is a kind of operating system.
type System string

// The systems.
const (
	SystemWindows System = "windows"
	SystemMacOS   System = "macos"
	SystemIOS     System = "ios"
	SystemAndroid System = "android"
	SystemLinux   System = "linux"
	SystemOther   System = "other"
)

// LineageOf returns the lineage of a session that is stored under a key. One from before
// there were lineages is a lineage of its own.
func LineageOf(sessionKey string, s Session) string {
	if s.Lineage == "" {
		return sessionKey
	}
	return s.Lineage
}

// AttemptResult is the result of an attempt to sign in. An attempt has one result, ever: it
// is written under a key derived from the attempt's state, only if absent.
type AttemptResult struct {
	// SessionKey is the hex SHA-256 of the session id, which is derived from the state. Its
	// name in JSON is the one in files of the embedded engine.
	SessionKey string `json:"Key"`
	Kind       ResultKind
	// Session is set for ResultSession only; ResultEnded does not keep it.
	Session Session
	// Code is the error code of a ResultRefused.
	Code string
	// Event is what administrators see of the attempt; nil keeps it out of their lists, as
	// for an attempt that continues with another state. It is written with the result, but
	// only EventsOfAuthenticator and EventsOfUser return it: AttemptResult does not.
	Event *SignInEvent `json:"Attempt"`
	// Tentative is a guess that any result which is not one replaces: a doubled request
	// waited in vain for the first, which may still be at work.
	Tentative bool `json:",omitempty"`
	// KeepUntil is when the record may be removed: not before the state of the attempt and
	// the session have expired.
	KeepUntil time.Time
}

// ResultKind is the kind of an AttemptResult.
type ResultKind string

// The results of an attempt.
const (
	ResultSession   ResultKind = "session"   // a session started
	ResultContinued ResultKind = "continued" // continued with snsapi_privateinfo and a new state
	ResultRefused   ResultKind = "refused"   // refused with Code
	ResultEnded     ResultKind = "ended"     // a session started and was ended; the state stays used
)

// EventRetention is how long administrators see an event.
const EventRetention = 30 * 24 * time.Hour

// MaxEvents is how many events of an authenticator or a user administrators see.
const MaxEvents = 100

// SignInEvent tells administrators who tried to sign in, when, and why it failed. It
// contains no secret, code, state or phone number.
type SignInEvent struct {
	At                time.Time
	AuthenticatorID   string
	AuthenticatorName string
	// UserID is empty when no user was found.
	UserID string
	CorpID string
	// WeComUserID is empty when WeCom named no member.
	WeComUserID string
	// InWeCom is set for WeCom's own browser.
	InWeCom bool
	// Code is the error code of a refusal, empty for a sign-in.
	Code string
	// WeComCode is WeCom's number of the failure, or 0.
	WeComCode int
	RequestID string
}

// AccessToken is the record of an app's access token.
type AccessToken struct {
	// Sealed is the encrypted token, or empty.
	Sealed []byte
	// ExpiresAt is when WeCom's token expires.
	ExpiresAt time.Time
	// RefusedUntil and RefusedCode (WeCom's number) are set when WeCom has refused the
	// secret: nobody asks it again before.
	RefusedUntil time.Time
	RefusedCode  int
	// LeaseOwner alone may fetch a new token, until LeaseUntil.
	LeaseOwner string
	LeaseUntil time.Time
}

// DomainFile is WeCom's proof of domain ownership. Its name contains its content, see
// DomainFileContent.
type DomainFile struct {
	Filename  string
	CreatedAt time.Time
}

var domainFilename = regexp.MustCompile(`^WW_verify_([A-Za-z0-9]{16})\.txt$`)

// DomainFileContent returns the content of a domain file, which is part of its name:
// WW_verify_, 16 letters or digits, .txt. ok is false for any other name.
func DomainFileContent(filename string) (content string, ok bool) {
	match := domainFilename.FindStringSubmatch(filename)
	if match == nil {
		return "", false
	}
	return match[1], true
}

// PublicKeys is the JWKS document that the issuer publishes.
type PublicKeys struct {
	Document  []byte // a JSON Web Key Set (RFC 7517), public keys only
	UpdatedAt time.Time
}
