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
	// RoleRules give roles to members by what WeCom says of them; see package members.
	RoleRules []RoleRule `json:",omitempty"`
	// Allow says who may sign in by this authenticator. Empty: everybody in the app's visible
	// range.
	Allow Allow `json:",omitzero"`
	// ApplicationTags are the tags that applications which may use the authenticator name, so
	// that a check looks them up, too; see LookedUpTags.
	ApplicationTags []int64 `json:",omitempty"`
	// RulesVersion is another one whenever what a member check works out may have changed:
	// RoleRules, Allow or ApplicationTags. A check made under another
	// version is due again.
	RulesVersion string `json:",omitempty"`
	// EventsEnabled: WeCom may push events here. Token and key are with the app's secret.
	EventsEnabled bool `json:",omitempty"`
	// LastEventAt is when WeCom pushed last, give or take EventNotePause; zero: never. It is
	// not part of Version.
	LastEventAt time.Time `json:",omitzero"`
	// Generation changes when the authenticator's sessions and pending attempts must end:
	// on disabling and with another CorpID.
	Generation string
	CreatedAt  time.Time
	UpdatedAt  time.Time
	Version    int64 // 1 when created, plus 1 with every update
}

// EventNotePause is the least time between two writes of Authenticator.LastEventAt.
const EventNotePause = time.Minute

// RoleRule gives a role to members. One of Department, Tag and Leader is set.
type RoleRule struct {
	Department int64  `json:",omitempty"` // with all departments below
	Tag        int64  `json:",omitempty"`
	Leader     bool   `json:",omitempty"` // of any department
	Role       string // never RoleAdmin
}

// LookedUpTags returns the tags that a member check looks up, each once: those that rules,
// Allow and applications name.
func (a Authenticator) LookedUpTags() []int64 {
	var tags []int64
	for _, rule := range a.RoleRules {
		if rule.Tag != 0 {
			tags = append(tags, rule.Tag)
		}
	}
	tags = slices.Concat(tags, a.Allow.Tags, a.ApplicationTags)
	slices.Sort(tags)
	return slices.Compact(tags)
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
	// Roles are those that administrators gave. Who may administer depends on them alone.
	Roles []string
	// WeComRoles are those by the rules of the enabled authenticators of the corp that the
	// user came through; WithWeComRoles works them out when a session or a grant is read, and
	// they are not stored. See AllRoles.
	WeComRoles []string `json:"-"`
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
	// Former are the userids that the member had before, as long as lists of members may be
	// in use that WeCom told earlier. They may be somebody else's by now.
	Former []FormerUserID `json:",omitempty"`
	// Email is the mailbox that the company gave the member (biz_mail), as WeCom told it
	// when the identity was bound; empty if it did not. It is never the address that
	// members enter themselves.
	Email string `json:",omitempty"`

	// CheckedAt is when WeCom last told of the member (user/get, path 90196), by any app of
	// the corp; zero: never yet.
	CheckedAt time.Time `json:",omitzero"`
	// Name is the member's as the last check found it. The user's Name follows it, unless
	// an administrator chose another one.
	Name string `json:",omitempty"`
	// DisabledAt is since when WeCom says that the member is disabled (status 2).
	DisabledAt time.Time `json:",omitzero"`
	// GoneAt is since when WeCom does not know the member any more, and GoneReason why. A
	// gone identity counts as unknown at sign-in: the userid may be somebody else's now. So
	// it is nobody's in the store, and another user may take it.
	GoneAt     time.Time  `json:",omitzero"`
	GoneReason GoneReason `json:",omitempty"`
	Position   string     `json:",omitempty"`
	// Departments are those that the app may see, as the last check found them, and Tags
	// those of Access.
	Departments []Department `json:",omitempty"`
	Tags        []int64      `json:",omitempty"`
	// Generation is part of the member's sessions by any authenticator of the corp;
	// increasing it ends them all.
	Generation int64 `json:",omitempty"`
	// Untold: applications may not have been told of sessions that a check has ended. The next
	// one tells.
	Untold bool `json:",omitempty"`
	// Access has what each authenticator says of the member, in no particular order.
	Access []MemberAccess `json:",omitempty"`
}

// FormerUserID is a userid that a member had until WeCom knew it no more.
type FormerUserID struct {
	WeComUserID string
	Until       time.Time
}

// GoneReason says why an identity is gone.
type GoneReason string

// The reasons.
const (
	GoneLeft       GoneReason = "left"         // status 5
	GoneNotFound   GoneReason = "not_found"    // WeCom knows no such member
	GoneOutOfRange GoneReason = "out_of_range" // outside the app's visible range
)

// Department is a department of a member.
type Department struct {
	ID     int64
	Name   string `json:",omitempty"` // empty when WeCom does not tell
	Leader bool   `json:",omitempty"`
	// Above are the ids of the departments that it is below, from the topmost that the app
	// may see, and NamesAbove their names.
	Above      []int64  `json:",omitempty"`
	NamesAbove []string `json:",omitempty"`
}

// IsIn reports whether the department is the one of a number, or below it.
func (d Department) IsIn(id int64) bool { return id == d.ID || slices.Contains(d.Above, id) }

// MemberAccess is what one authenticator says of a member.
type MemberAccess struct {
	AuthenticatorID   string
	AuthenticatorName string
	Roles             []string `json:",omitempty"` // by its rules
	Tags              []int64  `json:",omitempty"` // of those that it looks up
	// RulesVersion is the authenticator's when this was worked out.
	RulesVersion string `json:",omitempty"`
	// CheckedAt is when WeCom last told its app of the member; zero: never yet.
	CheckedAt time.Time `json:",omitzero"`
	// GoneAt is since when its app does not know the member, where another app bound the
	// identity. By this authenticator the member must show the phone again.
	GoneAt time.Time `json:",omitzero"`
	// Refused: its Allow does not match.
	Refused bool `json:",omitempty"`
	// Generation is part of the member's sessions by this authenticator; increasing it ends
	// them.
	Generation int64 `json:",omitempty"`
}

// AccessBy returns what an authenticator says of the member, by the authenticator's id.
func (i Identity) AccessBy(authenticatorID string) (MemberAccess, bool) {
	n := slices.IndexFunc(i.Access, func(a MemberAccess) bool { return a.AuthenticatorID == authenticatorID })
	if n < 0 {
		return MemberAccess{}, false
	}
	return i.Access[n], true
}

// GenerationFor is what a session or a grant by an authenticator must have as its
// IdentityGeneration. Both parts only grow, so their sum stands for both.
func (i Identity) GenerationFor(authenticatorID string) int64 {
	access, _ := i.AccessBy(authenticatorID)
	return i.Generation + access.Generation
}

// WithAccess returns the identity with what an authenticator says of it, in place of what
// it said before.
func (i Identity) WithAccess(access MemberAccess) Identity {
	i.Access = put(i.Access, access, func(a MemberAccess) bool { return a.AuthenticatorID == access.AuthenticatorID })
	return i
}

// IsGone reports whether WeCom does not know the member any more.
func (i Identity) IsGone() bool { return !i.GoneAt.IsZero() }

// Is reports whether the identity is that of a member, by corp and userid. A gone one is
// nobody's.
func (i Identity) Is(corpID, wecomUserID string) bool {
	return !i.IsGone() && i.CorpID == corpID && FoldUserID(i.WeComUserID) == FoldUserID(wecomUserID)
}

// Was reports whether the identity is that of a member who is gone, by corp and userid.
func (i Identity) Was(corpID, wecomUserID string) bool {
	return i.IsGone() && i.CorpID == corpID && FoldUserID(i.WeComUserID) == FoldUserID(wecomUserID)
}

// AllRoles returns the roles that applications see: those that administrators gave, then
// WeComRoles, each once.
func (u User) AllRoles() []string {
	all := slices.Clone(u.Roles)
	for _, role := range u.WeComRoles {
		if role != RoleAdmin && !slices.Contains(all, role) {
			all = append(all, role)
		}
	}
	return all
}

// WithIdentity returns the user with an identity, in place of the one in the same corp.
func (u User) WithIdentity(identity Identity) User {
	u.Identities = put(u.Identities, identity, func(i Identity) bool { return i.CorpID == identity.CorpID })
	return u
}

// put returns a copy of a list with an item in the place of the one that it replaces, or at
// the end.
func put[T any](list []T, item T, replaces func(T) bool) []T {
	list = slices.Clone(list)
	if i := slices.IndexFunc(list, replaces); i >= 0 {
		list[i] = item
		return list
	}
	return append(list, item)
}

// HasRoles reports whether administrators, or the rules of an authenticator, enabled or not,
// gave the user a role.
func (u User) HasRoles() bool {
	return len(u.Roles) > 0 || slices.ContainsFunc(u.Identities, func(i Identity) bool {
		return slices.ContainsFunc(i.Access, func(a MemberAccess) bool { return len(a.Roles) > 0 })
	})
}

// IdentityIn returns the user's identity in a corp.
func (u User) IdentityIn(corpID string) (Identity, bool) {
	i := slices.IndexFunc(u.Identities, func(id Identity) bool { return id.CorpID == corpID })
	if i < 0 {
		return Identity{}, false
	}
	return u.Identities[i], true
}

// WeComUserIDIn returns the user's present userid in a corp, or otherwise, with which a
// session or a grant began: WeCom can rename a member, and give the old userid to another.
func (u User) WeComUserIDIn(corpID, otherwise string) string {
	if identity, bound := u.IdentityIn(corpID); bound && !identity.IsGone() {
		return identity.WeComUserID
	}
	return otherwise
}

// IdentityOwner is what a sign-in needs of the user whom an identity belongs to.
type IdentityOwner struct {
	UserID            string
	Enabled           bool
	NamePending       bool
	SessionGeneration int64
	LastSignInAt      time.Time // by this identity; zero before the first
	Identity          Identity
}

// Owner returns what the user's identity in a corp says of it.
func (u User) Owner(corpID string) IdentityOwner {
	identity, _ := u.IdentityIn(corpID)
	return IdentityOwner{UserID: u.ID, Enabled: u.Enabled, NamePending: u.NamePending, SessionGeneration: u.SessionGeneration, LastSignInAt: u.LastSignInAt, Identity: identity}
}

// Begun is what a session or a grant remembers of when it began.
type Begun struct {
	UserID             string
	UserGeneration     int64
	CorpID             string
	AuthenticatorID    string
	IdentityGeneration int64
}

// Keeps reports whether what began so goes on: the user is the same and enabled, and nobody
// has ended it since.
func (u User) Keeps(b Begun) bool {
	identity, _ := u.IdentityIn(b.CorpID)
	return u.ID != "" && u.ID == b.UserID && u.Enabled && u.SessionGeneration == b.UserGeneration &&
		identity.GenerationFor(b.AuthenticatorID) == b.IdentityGeneration
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
	// IdentityGeneration is Identity.GenerationFor its authenticator when it began.
	IdentityGeneration int64 `json:",omitempty"`
	SignedInAt         time.Time
	ExpiresAt          time.Time
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

// Begun returns what the session remembers of its beginning.
func (s Session) Begun() Begun {
	return Begun{s.UserID, s.UserGeneration, s.CorpID, s.AuthenticatorID, s.IdentityGeneration}
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
	// Tentative is a refusal that any result which is not tentative replaces: a doubled
	// request waited in vain for the first, which may still be at work, or the member may try
	// once more.
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

// Fetched is the record of something that is fetched from WeCom by one caller at a time, for
// all: an app's access token, the departments that it may see, or the members of a tag; or
// that one caller at a time counts for all: the lookups of a corp; or a lease alone: who tells
// applications of a member.
type Fetched struct {
	// Content is what was fetched, as the caller encoded it, or empty. A token is encrypted.
	Content []byte
	// ExpiresAt is when it must be fetched anew.
	ExpiresAt time.Time
	// RefusedUntil and RefusedCode (WeCom's number, 0 when it gave none) are set when WeCom
	// has refused or failed: nobody asks it again before.
	RefusedUntil time.Time
	RefusedCode  int
	// LeaseOwner alone may fetch, until LeaseUntil.
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
