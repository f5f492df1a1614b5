package audit

import "github.com/wecom-signin/wecom-signin/shared/store"

// The types of lines. Users, authenticators and applications are in the fields of these
// names; Actor is the administrator, and empty where there was none.
const (
	// SignedIn: a session of the user began, by the authenticator.
	SignedIn = store.AuditSignedIn
	// Refused: somebody was not let in; Code is that of the sign-in page. The user is empty
	// when none was found. A program can make as many attempts that name no member as it
	// likes: of these, state_expired, access_denied and code_invalid of a first round are in
	// no line, and of the others there is one in ten seconds for each authenticator and code,
	// in each process.
	Refused = store.AuditRefused
	// SignedOut: the user signed out in the browser that the session was in.
	SignedOut = "signed_out"
	// SessionEnded: the user ended another session, or a sign-in of somebody else in the same
	// browser did (code "replaced").
	SessionEnded = "session_ended"
	// SessionsEnded: all sessions of the user ended, by the user or by an administrator; or,
	// with what a member check found as Code, those through a corp or an authenticator.
	SessionsEnded = "sessions_ended"

	// TokenReused: a code or a refresh token came a second time, so that the user's grant for
	// the application was revoked; Code says which.
	TokenReused = "token_reused"
	// TokenRevoked: the application gave back the user's grant.
	TokenRevoked = "token_revoked"
	// ConsentWithdrawn: the user took back the consent to the application.
	ConsentWithdrawn = "consent_withdrawn"

	// MemberGone: WeCom does not know the user's member any more; Code is a store.GoneReason.
	MemberGone = "member_gone"
	// MemberDisabled: WeCom says that the user's member is disabled.
	MemberDisabled = "member_disabled"
	// MemberNotAllowed: what the authenticator allows does not match the member any more.
	MemberNotAllowed = "member_not_allowed"
	// MemberRenamed: the user's member has another userid.
	MemberRenamed = "member_renamed"
	// MemberRolesChanged: rules gave the user other roles.
	MemberRolesChanged = "member_roles_changed"
	// EventReceived: WeCom pushed an event to the authenticator; Code is its name.
	EventReceived = "event_received"
	// AppInactive: WeCom says that nobody uses the authenticator's app, or has switched it
	// off; Code is the name of the event.
	AppInactive = "app_inactive"

	// What became of users, authenticators, applications and domain files, by an
	// administrator, or of a user by a sign-in. Fields are the names of what changed, of a
	// domain file its own.
	UserCreated          = "user_created"
	UserUpdated          = "user_updated"
	UserDeleted          = "user_deleted"
	AuthenticatorCreated = "authenticator_created"
	AuthenticatorUpdated = "authenticator_updated"
	AuthenticatorDeleted = "authenticator_deleted"
	ApplicationCreated   = "application_created"
	ApplicationUpdated   = "application_updated"
	ApplicationDeleted   = "application_deleted"
	DomainFileCreated    = "domain_file_created"
	DomainFileDeleted    = "domain_file_deleted"

	// UsersListed: an administrator read a list of users; Fields are what it was searched by.
	UsersListed = "users_listed"
	// UsersLookedUp: an administrator had users looked up in WeCom, by the authenticator; Code
	// is "dry_run" when none was to be bound.
	UsersLookedUp = "users_looked_up"
	// Exported: an administrator exported the audit; Code is "ndjson" or "csv", and Fields
	// are the filters.
	Exported = "audit_exported"
)

// Types returns all types, in the order in which people should read them.
func Types() []string {
	return []string{
		SignedIn, Refused, SignedOut, SessionEnded, SessionsEnded,
		TokenReused, TokenRevoked, ConsentWithdrawn,
		MemberGone, MemberDisabled, MemberNotAllowed, MemberRenamed, MemberRolesChanged, EventReceived, AppInactive,
		UserCreated, UserUpdated, UserDeleted, AuthenticatorCreated, AuthenticatorUpdated, AuthenticatorDeleted,
		ApplicationCreated, ApplicationUpdated, ApplicationDeleted, DomainFileCreated, DomainFileDeleted,
		UsersListed, UsersLookedUp, Exported,
	}
}

// ActorKey is the actor of whoever has the administrator's key.
const ActorKey = "key"
