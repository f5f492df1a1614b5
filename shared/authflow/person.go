package authflow

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/phone"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// person is what WeCom tells of a member who signs in for the first time.
type person struct {
	userID      string // as WeCom spells it
	phone       string // E.164
	avatar      string
	name        string
	namePending bool // name is only the userid
}

// bindByPhone finds the user with the member's phone and binds the member to it, or
// creates one where the authenticator allows that. A race (isRace) leaves nothing
// behind: read again and decide again.
func (v *visit) bindByPhone(ctx context.Context, visitor wecom.Identity) (store.User, error) {
	member, err := v.describe(ctx, visitor)
	if err != nil {
		return store.User{}, err
	}
	user, err := v.Store.UserByPhone(ctx, member.phone)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return v.create(ctx, member)
	case err != nil:
		return store.User{}, fmt.Errorf("read user by phone: %w", err)
	}
	return v.bind(ctx, user, member)
}

// describe asks WeCom for the member's phone, and then for name and status. The
// answer is kept, because a user_ticket need not serve twice.
func (v *visit) describe(ctx context.Context, visitor wecom.Identity) (person, error) {
	if v.described != nil {
		return *v.described, nil
	}
	member := person{userID: visitor.UserID, name: visitor.UserID, namePending: true}
	var detail wecom.Detail
	err := v.withToken(ctx, func(token wecom.AccessToken) (err error) {
		detail, err = v.WeCom.Detail(ctx, token, visitor.UserTicket)
		return err
	})
	if err != nil {
		return person{}, v.detailFault(ctx, err)
	}
	switch normalized, ok := phone.Normalize(detail.Mobile); {
	case store.FoldUserID(detail.UserID) != store.FoldUserID(visitor.UserID):
		return person{}, apierr.Newf(apierr.WeComUnavailable, "getuserdetail answered for another member")
	case detail.Mobile == "":
		return person{}, apierr.Newf(apierr.PhoneNotShared, "getuserdetail answered without mobile")
	case !ok:
		return person{}, apierr.Newf(apierr.PhoneInvalid, "mobile is no telephone number")
	default:
		member.phone, member.avatar = normalized, detail.Avatar
	}
	name, err := v.name(ctx, visitor.UserID)
	if err != nil {
		return person{}, err
	}
	if name != "" {
		member.name, member.namePending = name, false
	}
	v.described = &member
	return member, nil
}

// detailFault names a failure of getuserdetail. Which number a bad ticket has is
// not documented; so what is neither the access token's nor the deployment's fault
// means that no phone was given this time.
func (v *visit) detailFault(ctx context.Context, err error) error {
	failure := v.wecomFault(ctx, err)
	answered, ok := errors.AsType[*wecom.Error](err)
	if !ok || !apierr.Is(failure, apierr.WeComConfiguration) || answered.Misconfigured() {
		return failure
	}
	return apierr.New(apierr.PhoneNotShared, err)
}

// name asks WeCom for a member's name. It is empty when WeCom does not tell: a name
// can be had later, the sign-in need not wait. Fault UserDisabled: WeCom says that
// the member is disabled or has left.
func (v *visit) name(ctx context.Context, userID string) (string, error) {
	var member wecom.Member
	err := v.withToken(ctx, func(token wecom.AccessToken) (err error) {
		member, err = v.WeCom.Member(ctx, token, userID)
		return err
	})
	switch {
	case err != nil:
		v.LogField(ctx, "nameUnknown", err.Error())
		return "", nil
	case store.FoldUserID(member.UserID) != store.FoldUserID(userID):
		v.LogField(ctx, "nameUnknown", "user/get answered for another member")
		return "", nil
	case member.Status == wecom.MemberDisabled || member.Status == wecom.MemberLeft:
		return "", apierr.Newf(apierr.UserDisabled, "member status %d", member.Status)
	}
	return member.Name, nil
}

// bind makes the member the user's identity in this corp.
func (v *visit) bind(ctx context.Context, user store.User, member person) (store.User, error) {
	v.userID = user.ID // a refusal belongs into this user's list, too
	if !user.Enabled {
		return store.User{}, apierr.Newf(apierr.UserDisabled, "user %s is disabled", user.ID)
	}
	if other, bound := user.IdentityIn(v.authenticator.CorpID); bound {
		if store.FoldUserID(other.WeComUserID) == store.FoldUserID(member.userID) {
			return user, nil // a simultaneous first sign-in of the same person
		}
		// A recycled number must not inherit an account: an administrator decides.
		v.noteConflict(ctx, user, member)
		return store.User{}, apierr.Newf(apierr.PhoneInUse, "user %s is %s in this corp, and %s has the same phone", user.ID, other.WeComUserID, member.userID)
	}
	bound := user
	bound.Identities = append(slices.Clone(user.Identities), v.identity(member))
	if bound.Avatar == "" {
		bound.Avatar = member.avatar
	}
	if bound.Name == "" || bound.NamePending && !member.namePending {
		bound.Name, bound.NamePending = member.name, member.namePending
	}
	return v.update(ctx, user, bound)
}

// noteConflict leaves the refused member on the user for the administrator. The
// refusal stands whether or not this succeeds.
func (v *visit) noteConflict(ctx context.Context, user store.User, member person) {
	conflict := v.identity(member)
	if known := user.PhoneConflict; known != nil && known.CorpID == conflict.CorpID && known.WeComUserID == conflict.WeComUserID {
		return
	}
	noted := user
	noted.PhoneConflict = &conflict
	if _, err := v.update(ctx, user, noted); err != nil {
		v.LogField(ctx, "conflictNotNoted", err.Error())
	}
}

// create makes a user of the member, when the authenticator signs up.
func (v *visit) create(ctx context.Context, member person) (store.User, error) {
	if !v.authenticator.AutoSignup {
		return store.User{}, apierr.Newf(apierr.SignupClosed, "no user has this phone, and autoSignup is off")
	}
	now := v.Now()
	user := store.User{
		ID: store.NewUserID(now), Phone: member.phone, Name: member.name, NamePending: member.namePending,
		Avatar: member.avatar, Enabled: true, Identities: []store.Identity{v.identity(member)},
		CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	if err := v.Store.CreateUser(ctx, user); err != nil {
		return store.User{}, fmt.Errorf("create user: %w", err)
	}
	v.LogField(ctx, "userCreated", user.ID)
	return user, nil
}

// completeName asks again for a name that WeCom would not tell before. Whatever
// comes of it, the sign-in goes on with the user as it is.
func (v *visit) completeName(ctx context.Context, user store.User, userID string) (store.User, error) {
	name, err := v.name(ctx, userID)
	if err != nil || name == "" {
		return user, err
	}
	named := user
	named.Name, named.NamePending = name, false
	return v.update(ctx, user, named)
}

func (v *visit) update(ctx context.Context, from, to store.User) (store.User, error) {
	to.Version, to.UpdatedAt = from.Version+1, v.Now()
	if err := v.Store.UpdateUser(ctx, from, to); err != nil {
		return store.User{}, fmt.Errorf("update user: %w", err)
	}
	return to, nil
}

func (v *visit) identity(member person) store.Identity {
	return store.Identity{
		CorpID: v.authenticator.CorpID, WeComUserID: member.userID,
		Authenticator: v.authenticator.Name, BoundAt: v.Now(),
	}
}
