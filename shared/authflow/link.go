package authflow

import (
	"errors"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// ErrRulesUnread: the authenticator's rules may give the member roles, and nobody has
// evaluated them yet.
var ErrRulesUnread = errors.New("rules may give roles, and were not evaluated")

// CheckLink refuses to make a member, whose phone is a user's, that user: identity is what the
// user would get in the authenticator's corp, with what a check found of it so far. It is
// the one rule of linking by phone, for members who show their phone and for administrators
// who look phones up. The error is UserDisabled, PhoneInUse or ErrRulesUnread.
//
// Each corp decides which phones its members have. So another corp's directory must not reach
// what a user has by the first one, nor take over whom that one has let go.
func CheckLink(a store.Authenticator, u store.User, identity store.Identity) error {
	was, bound := u.IdentityIn(a.CorpID)
	access, _ := identity.AccessBy(a.ID)
	refuse := func(because string) error {
		return apierr.Newf(apierr.PhoneInUse, "%s has the phone of user %s, %s", identity.WeComUserID, u.ID, because)
	}
	switch {
	case !u.Enabled:
		return apierr.Newf(apierr.UserDisabled, "user %s is disabled", u.ID)
	case bound && store.FoldUserID(was.WeComUserID) != store.FoldUserID(identity.WeComUserID):
		// A recycled number must not inherit an account: an administrator decides.
		return refuse("who is or was " + was.WeComUserID + " in this corp")
	case bound:
		return nil // the phone proves that the userid is still this user's
	case a.LinkByPhoneOff:
		return refuse("and linkByPhone is off")
	case len(u.Identities) == 0:
		return nil
	case u.HasRoles():
		return refuse("who has roles and an identity in another corp")
	case slices.ContainsFunc(u.Identities, func(i store.Identity) bool { return i.IsGone() || !i.DisabledAt.IsZero() }):
		// The roles by rules are gone with the member, the account and all that applications
		// know by it are not.
		return refuse("who has left another corp or is disabled there")
	case len(access.Roles) > 0:
		// The user came first, with a phone that the other corp's directory may have made up.
		return refuse("who has an identity in another corp, and would get roles by rules")
	case len(a.RoleRules) > 0 && access.CheckedAt.IsZero():
		return ErrRulesUnread
	}
	return nil
}
