package authflow

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/members"
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
// what a user has by the first one, nor take over whom that one has let go. CheckLink sees only
// what is stored, and nobody may have looked since: callers have a user's identities in other
// corps checked first, or leave such users out.
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

// checkLink is CheckLink after WeCom was asked whether the user's other corps still have the
// user. It returns the user as stored now, also beside a refusal. store.ErrChanged: somebody
// else changed the user meanwhile.
func (l *login) checkLink(ctx context.Context, user store.User, identity store.Identity) (store.User, error) {
	err := CheckLink(l.authenticator, user, identity)
	if _, bound := user.IdentityIn(l.authenticator.CorpID); err != nil || bound {
		return user, err
	}
	for _, elsewhere := range user.Identities {
		if user, err = l.checkElsewhere(ctx, user, elsewhere); err != nil {
			return user, err
		}
	}
	return user, CheckLink(l.authenticator, user, identity)
}

// checkElsewhere checks a user's identity in another corp by the authenticator that bound
// it. Only a member there, with roles by rules that are known, lets the user be linked.
func (l *login) checkElsewhere(ctx context.Context, user store.User, i store.Identity) (store.User, error) {
	by, err := l.flow.Starter.enabledAuthenticator(ctx, i.Authenticator)
	switch {
	case apierr.Is(err, apierr.AuthenticatorUnknown), apierr.Is(err, apierr.AuthenticatorDisabled), err == nil && by.CorpID != i.CorpID:
		return user, apierr.Newf(apierr.PhoneInUse, "nobody can ask whether user %s is still a member of another corp", user.ID)
	case err != nil:
		return user, err
	case !l.isDueElsewhere(by, i):
		return user, nil
	}
	result, err := l.flow.Members.CheckOwner(ctx, by, user.Owner(i.CorpID))
	switch {
	case err != nil && result.Verdict == "":
		return user, fmt.Errorf("check member of another corp: %w", err)
	case err != nil:
		l.flow.LogField(ctx, "applicationsNotTold", err.Error()) // the access has ended
	}
	switch stored := result.User.Version; stored {
	case 0: // nothing was
	case user.Version + 1:
		user = result.User
	default:
		return user, store.ErrChanged
	}
	switch result.Verdict {
	case members.Active:
		if !l.isDueElsewhere(by, result.Owner.Identity) {
			return user, nil
		}
	case members.NotAllowed: // and a member
		return user, nil
	case members.Disabled, members.Gone:
		return user, apierr.Newf(apierr.PhoneInUse, "user %s is %s in another corp", user.ID, result.Verdict)
	}
	return user, l.notFoundOut(ctx, result.Cause)
}

// isDueElsewhere reports whether an identity is to be checked, or still is: only a check made
// since WeCom named the member counts, which spares WeCom the further try after a race.
func (l *login) isDueElsewhere(by store.Authenticator, i store.Identity) bool {
	now := l.flow.Now()
	return members.Due(by, i, now.Sub(l.identifiedAt)+1, now)
}
