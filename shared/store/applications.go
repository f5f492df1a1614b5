package store

import (
	"context"
	"slices"
	"time"
)

// Application is an OAuth client: software that members sign in to.
type Application struct {
	ID       string // the client id; see IsAuthenticatorName; unchangeable
	Title    string
	Enabled  bool
	Kind     ApplicationKind
	Homepage string // https, or http on loopback; may be empty, except for KindProxy
	// RedirectURIs, PostLogoutRedirectURIs and BackchannelLogoutURI are compared byte for
	// byte; package oauth knows the one exception.
	RedirectURIs           []string
	PostLogoutRedirectURIs []string
	BackchannelLogoutURI   string
	// Authenticators are the names of those that may be used; empty: all enabled ones.
	Authenticators []string
	Allow          Allow
	// AllowCorpID is the corp whose departments and tags Allow names; empty: not known, and
	// they let nobody in.
	AllowCorpID string `json:",omitempty"`
	RequirePKCE bool
	// FirstParty applications are not asked for consent for.
	FirstParty bool
	Claims     ClaimRules
	// ForwardAuthToken: a proxy is handed an access token with every yes, too.
	ForwardAuthToken bool
	// Audience is that of access tokens, an absolute URI; empty: the issuer alone.
	Audience             string
	RefreshTokenLifetime time.Duration
	Secrets              []ClientSecret // at most two
	// Generation changes when the application's grants must end: on disabling.
	// A new application of the same id has another one.
	Generation string
	CreatedAt  time.Time
	UpdatedAt  time.Time
	LastUsedAt time.Time // of the newest code, about; zero: never; not part of Version
	Version    int64     // 1 when created, plus 1 with every update
}

// Allow says who may use an application, or sign in by an authenticator: who is in one of
// the departments or below, has one of the tags or one of the roles. Empty: everybody.
type Allow struct {
	Departments, Tags []int64
	Roles             []string
}

// IsEmpty reports whether everybody is allowed.
func (a Allow) IsEmpty() bool { return len(a.Departments)+len(a.Tags)+len(a.Roles) == 0 }

// Allows reports whether a member with these roles is allowed, by the departments and tags
// that the last check found.
func (a Allow) Allows(member Identity, roles []string) bool {
	return a.IsEmpty() ||
		slices.ContainsFunc(member.Departments, func(d Department) bool {
			return slices.ContainsFunc(a.Departments, d.IsIn)
		}) ||
		slices.ContainsFunc(member.Tags, func(tag int64) bool { return slices.Contains(a.Tags, tag) }) ||
		slices.ContainsFunc(roles, func(role string) bool { return slices.Contains(a.Roles, role) })
}

// ApplicationKind says where an application runs, and so what it can keep secret.
type ApplicationKind string

// The kinds of applications.
const (
	KindWeb     ApplicationKind = "web"     // on a server: confidential
	KindBrowser ApplicationKind = "browser" // in a page: public, CORS for its origins
	KindNative  ApplicationKind = "native"  // on a device: public, loopback and private schemes
	KindProxy   ApplicationKind = "proxy"   // behind a proxy: forward auth, no OAuth
)

// IsPublic reports whether the kind cannot keep a secret (RFC 6749 §2.1).
func (k ApplicationKind) IsPublic() bool { return k == KindBrowser || k == KindNative }

// ClientSecret is a secret of an application. The secret itself is not kept.
type ClientSecret struct {
	ID     string
	Prefix string // its first four characters, to tell secrets apart
	// Hash is the hex SHA-256 of the secret, which has 256 random bits.
	Hash       string
	CreatedAt  time.Time
	LastUsedAt time.Time // about; zero: never; not part of the application's Version
}

// ClaimRules say what an application is told of a member.
type ClaimRules struct {
	// GroupsName is the name of the claim with the groups.
	GroupsName string
	// GroupsFrom has "roles", "departments" or both; empty: no groups.
	GroupsFrom []string
	// GroupsAs is "id" or "path", for departments.
	GroupsAs string
	// Email is "none", "wecom" or "template"; EmailTemplate has "{wecom_userid}" in it.
	Email         string
	EmailTemplate string
	// PreferredUsername is "wecom_userid", "phone" or "id".
	PreferredUsername string
	Phone             bool
	// InIDToken puts the claims into the ID token, too, not only into userinfo.
	InIDToken bool
}

// Grant is one member's sign-in to one application, from the code on: the family of its
// tokens. Its fields do not change, except KeepUntil and those after it, by RotateGrant and
// RevokeGrant.
type Grant struct {
	// ID is derived from the code (package oauth), so that the code leads to the grant
	// and the grant does not lead to the code.
	ID                    string
	ApplicationID         string
	ApplicationGeneration string // Application.Generation when it began
	UserID                string
	UserGeneration        int64 // User.SessionGeneration when it began
	// Lineage is that of the session from which it came.
	Lineage                 string
	AuthenticatorName       string
	AuthenticatorID         string
	AuthenticatorGeneration string
	CorpID                  string
	WeComUserID             string
	IdentityGeneration      int64     `json:",omitempty"` // Identity.GenerationFor its authenticator when it began
	SignedInAt              time.Time // when WeCom vouched for the member: auth_time
	InWeCom                 bool      // in WeCom's client, or else by a scan: acr
	Scopes                  []string  // those granted, in order
	RedirectURI             string
	CodeChallenge           string // S256; empty: none was sent
	Nonce                   string
	// Claims is the claims parameter of the request (OpenID Connect Core §5.5), or empty.
	Claims        string
	CreatedAt     time.Time
	CodeExpiresAt time.Time
	// Offline grants outlive the session; others end with the lineage.
	Offline bool
	// KeepUntil is when the record may be removed: not before the last token it gave.
	KeepUntil time.Time

	// Refreshed is 0 until the code is taken, 1 with the first refresh token, and one more
	// with every rotation.
	Refreshed int64
	// RefreshedAt is when Refreshed changed last, and ExpiresAt when the newest refresh
	// token expires.
	RefreshedAt time.Time
	ExpiresAt   time.Time
	Revoked     bool
}

// Begun returns what the grant remembers of its beginning.
func (g Grant) Begun() Begun {
	return Begun{g.UserID, g.UserGeneration, g.CorpID, g.AuthenticatorID, g.IdentityGeneration}
}

// Lineage is a member's stay in one browser: the sessions that follow one another there,
// each begun before the one before it ended. It is recorded with its first grant.
type Lineage struct {
	ID     string // the sid of tokens; no credential
	UserID string
	// Applications are the ids of those that have had a grant of it.
	Applications []string
	ExpiresAt    time.Time // of its latest session that made a grant
	Ended        bool      // by sign-out, or because another member signed in
}

// EndedLineageKept is how long at least an engine remembers that a lineage ended which had
// no grant, so that a request that was under way cannot give it one: longer than any
// request takes.
const EndedLineageKept = time.Hour

// Consent is a member's agreement to what an application is told.
type Consent struct {
	UserID        string
	ApplicationID string
	// ApplicationGeneration binds it: a new application of the same id must ask again.
	ApplicationGeneration string
	Scopes                []string
	At                    time.Time // when the member agreed last
	// Since is when the member agreed first since there was no consent. A grant from before
	// has ended with the consent that was taken back.
	Since time.Time
}

// ApplicationEvent tells administrators how a sign-in to an application went. It contains
// no secret, code, token, state or phone number.
type ApplicationEvent struct {
	At            time.Time
	ApplicationID string
	UserID        string // empty when nobody was identified
	// Result is "ok" or an OAuth error code; Cause says why in a word of package oauth.
	Result    string
	Cause     string
	RequestID string
}

// ProviderEngine is what an engine keeps for the OpenID provider: the applications and
// consents last, as a Directory's records do; the rest expires, as a Transient's do.
type ProviderEngine interface {
	// Application returns the application of a client id, or ErrNotFound.
	Application(ctx context.Context, id string) (Application, error)
	// Applications returns a page in order of id; next is empty on the last one.
	Applications(ctx context.Context, page Page) (items []Application, next string, err error)
	// CreateApplication writes a new application as it is, or returns ErrExists.
	CreateApplication(ctx context.Context, a Application) error
	// UpdateApplication replaces from, as it was read, by to, which has the same ID and
	// Version = from.Version + 1, and keeps the stored times of last use. It returns
	// ErrChanged.
	UpdateApplication(ctx context.Context, from, to Application) error
	// DeleteApplication removes a, as it was read, or returns ErrChanged.
	DeleteApplication(ctx context.Context, a Application) error
	// NoteApplicationUse notes when an application, and one of its secrets unless secretID
	// is empty, was used last. An application that is gone is not an error.
	NoteApplicationUse(ctx context.Context, id, secretID string, at time.Time) error

	// Consent returns what a user agreed to for an application, or ErrNotFound.
	Consent(ctx context.Context, userID, applicationID string) (Consent, error)
	// Consents returns all consents of a user, in order of application.
	Consents(ctx context.Context, userID string) ([]Consent, error)
	// PutConsent writes a consent in place of an earlier one.
	PutConsent(ctx context.Context, c Consent) error
	// DeleteConsent removes a consent, if there is one.
	DeleteConsent(ctx context.Context, userID, applicationID string) error

	// CreateGrant writes a grant whose code is not taken, and notes its application with
	// its lineage, which expires at sessionEnd or later. It returns ErrNotFound, and the
	// grant is of no use, if the lineage has ended, and ErrExists for an id in use.
	CreateGrant(ctx context.Context, g Grant, sessionEnd time.Time) error
	// Grant returns a grant, revoked or not, or ErrNotFound.
	Grant(ctx context.Context, id string) (Grant, error)
	// GrantState returns a grant, its user and its lineage by one read. A user or a lineage
	// that does not exist is zero; ErrNotFound is the grant's alone.
	GrantState(ctx context.Context, id, userID, lineage string) (Grant, User, Lineage, error)
	// RotateGrant makes Refreshed one more than refreshed, as it was read, and sets
	// RefreshedAt, ExpiresAt and KeepUntil. ErrChanged: the grant is revoked or gone, or
	// Refreshed is another; of many callers at most one succeeds. refreshed 0 takes the
	// code, which must not have expired at the time at.
	RotateGrant(ctx context.Context, id string, refreshed int64, at, expiresAt, keepUntil time.Time) error
	// RevokeGrant ends a grant for good. No grant is not an error.
	RevokeGrant(ctx context.Context, id string) error
	// EndLineage marks a lineage as ended and returns it, also one that has ended before:
	// whoever tells applications can begin again. ErrNotFound: it has had no grant, or has
	// expired. In each case it has ended then, and gets no grant any more.
	EndLineage(ctx context.Context, id string) (Lineage, error)
	// Lineage returns a lineage that has had a grant, ended or not, or ErrNotFound.
	Lineage(ctx context.Context, id string) (Lineage, error)
	// LineagesOfUser returns the lineages of a user that have not expired, ended or not.
	// It may lag a moment behind.
	LineagesOfUser(ctx context.Context, userID string) ([]Lineage, error)

	// RecordApplicationEvent records an event for administrators.
	RecordApplicationEvent(ctx context.Context, e ApplicationEvent) error
	// EventsOfApplication returns events, newest first, as EventsOfAuthenticator does.
	EventsOfApplication(ctx context.Context, applicationID string, limit int) ([]ApplicationEvent, error)
}
