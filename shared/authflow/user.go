package authflow

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// errPhoneNeeded says that the identity is unknown and came without a user_ticket.
var errPhoneNeeded = errors.New("unknown identity without a user_ticket")

// findUser returns whom an identity belongs to, bound or created on the way when it is
// new; never a disabled user. errPhoneNeeded: only a phone can tell. A race (isRace)
// leaves nothing behind: find again and decide again.
func (l *login) findUser(ctx context.Context, identity wecom.Identity) (store.IdentityOwner, error) {
	owner, err := l.flow.Store.OwnerOfIdentity(ctx, l.authenticator.CorpID, identity.UserID)
	l.userID = owner.UserID
	switch {
	case errors.Is(err, store.ErrNotFound) && identity.UserTicket == "":
		return store.IdentityOwner{}, errPhoneNeeded
	case errors.Is(err, store.ErrNotFound):
		user, err := l.findByPhone(ctx, identity)
		return user.Owner(l.authenticator.CorpID), err
	case err != nil:
		return store.IdentityOwner{}, fmt.Errorf("read owner of identity: %w", err)
	case !owner.Enabled:
		return store.IdentityOwner{}, apierr.Newf(apierr.UserDisabled, "user %s is disabled", owner.UserID)
	case owner.NamePending:
		return l.completeName(ctx, owner, identity.UserID)
	}
	return owner, nil
}

// findByPhone finds the user with the member's phone and binds the member to it, or
// creates one where the authenticator allows that.
func (l *login) findByPhone(ctx context.Context, identity wecom.Identity) (store.User, error) {
	m, err := l.describe(ctx, identity)
	if err != nil {
		return store.User{}, err
	}
	user, err := l.flow.Store.UserByPhone(ctx, m.phone)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return l.createUser(ctx, m)
	case err != nil:
		return store.User{}, fmt.Errorf("read user by phone: %w", err)
	}
	return l.bindUser(ctx, user, m)
}

// bindUser makes the member the user's identity in this corp.
func (l *login) bindUser(ctx context.Context, user store.User, m member) (store.User, error) {
	l.userID = user.ID // a refusal belongs in this user's list, too
	if !user.Enabled {
		return store.User{}, apierr.Newf(apierr.UserDisabled, "user %s is disabled", user.ID)
	}
	if other, bound := user.IdentityIn(l.authenticator.CorpID); bound {
		if store.FoldUserID(other.WeComUserID) == store.FoldUserID(m.userID) {
			return user, nil // a simultaneous first sign-in of the same person
		}
		// A recycled number must not inherit an account: an administrator decides.
		l.notePhoneConflict(ctx, user, m)
		return store.User{}, apierr.Newf(apierr.PhoneInUse, "user %s is %s in this corp, and %s has the same phone", user.ID, other.WeComUserID, m.userID)
	}
	if l.authenticator.LinkByPhoneOff {
		l.notePhoneConflict(ctx, user, m)
		return store.User{}, apierr.Newf(apierr.PhoneInUse, "user %s has the phone of %s, and linkByPhone is off", user.ID, m.userID)
	}
	if len(user.Identities) > 0 && user.HasRoles() {
		// Another corp's directory must not reach what an administrator or a rule gave to
		// a member of the first one.
		l.notePhoneConflict(ctx, user, m)
		return store.User{}, apierr.Newf(apierr.PhoneInUse, "user %s has roles and an identity in another corp, and %s has the same phone", user.ID, m.userID)
	}
	bound := user
	bound.Identities = append(slices.Clone(user.Identities), l.identityOf(m))
	if bound.PhoneConflict != nil && bound.PhoneConflict.CorpID == l.authenticator.CorpID {
		bound.PhoneConflict = nil // WeCom says now whose phone it is in this corp
	}
	if bound.Avatar == "" {
		bound.Avatar = m.avatar
	}
	if bound.Name == "" || bound.NamePending && !m.namePending {
		bound.Name, bound.NamePending = m.name, m.namePending
	}
	bound.Version, bound.UpdatedAt = user.Version+1, l.flow.Now()
	line := store.AuditLine{Type: audit.UserUpdated, User: user.ID, Authenticator: l.authenticator.Name, Fields: []string{"identities"}}
	if err := l.auditedChange(line).UpdateUser(ctx, user, bound); err != nil {
		return store.User{}, fmt.Errorf("update user: %w", err)
	}
	return bound, nil
}

// auditedChange returns the writes that carry the line of a change by this sign-in.
func (l *login) auditedChange(line store.AuditLine) store.AuditedWrites {
	return l.flow.Store.Audited(audit.Complete(line, l.flow.Now(), l.req.RequestID))
}

// notePhoneConflict leaves the refused member on the user for the administrator. The
// refusal stands whether or not this succeeds.
func (l *login) notePhoneConflict(ctx context.Context, user store.User, m member) {
	conflict := l.identityOf(m)
	conflict.Email = "" // it is nobody's yet
	if known := user.PhoneConflict; known != nil && known.CorpID == conflict.CorpID && store.FoldUserID(known.WeComUserID) == store.FoldUserID(conflict.WeComUserID) {
		return
	}
	noted := user
	noted.PhoneConflict = &conflict
	if _, err := l.updateUser(ctx, user, noted); err != nil {
		l.flow.LogField(ctx, "conflictNotNoted", err.Error())
	}
}

// createUser makes a user of the member where the authenticator allows sign-up.
func (l *login) createUser(ctx context.Context, m member) (store.User, error) {
	if !l.authenticator.AutoSignup {
		return store.User{}, apierr.Newf(apierr.SignupClosed, "no user has this phone, and autoSignup is off")
	}
	now := l.flow.Now()
	user := store.User{
		ID: store.NewUserID(now), Phone: m.phone, Name: m.name, NamePending: m.namePending,
		Avatar: m.avatar, Enabled: true, Identities: []store.Identity{l.identityOf(m)},
		CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	line := store.AuditLine{Type: audit.UserCreated, User: user.ID, Authenticator: l.authenticator.Name}
	if err := l.auditedChange(line).CreateUser(ctx, user); err != nil {
		return store.User{}, fmt.Errorf("create user: %w", err)
	}
	l.flow.LogField(ctx, "userCreated", user.ID)
	return user, nil
}

// completeName asks again for a name that WeCom would not tell before. When it still
// does not, the sign-in goes on with the user as it is.
func (l *login) completeName(ctx context.Context, owner store.IdentityOwner, userID string) (store.IdentityOwner, error) {
	name, err := l.memberName(ctx, userID)
	if err != nil || name == "" {
		return owner, err
	}
	// WeCom took its time: an administrator may have disabled or unbound the user since.
	user, err := l.flow.Store.User(ctx, owner.UserID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return owner, fmt.Errorf("read user: %w", err)
	}
	identity, bound := user.IdentityIn(l.authenticator.CorpID)
	if err != nil || !user.Enabled || user.SessionGeneration != owner.SessionGeneration ||
		!bound || store.FoldUserID(identity.WeComUserID) != store.FoldUserID(userID) {
		return owner, store.ErrChanged
	}
	if !user.NamePending {
		return user.Owner(l.authenticator.CorpID), nil
	}
	named := user
	named.Name, named.NamePending = name, false
	named, err = l.updateUser(ctx, user, named)
	return named.Owner(l.authenticator.CorpID), err
}

func (l *login) updateUser(ctx context.Context, from, to store.User) (store.User, error) {
	to.Version, to.UpdatedAt = from.Version+1, l.flow.Now()
	if err := l.flow.Store.UpdateUser(ctx, from, to); err != nil {
		return store.User{}, fmt.Errorf("update user: %w", err)
	}
	return to, nil
}

func (l *login) identityOf(m member) store.Identity {
	return store.Identity{
		CorpID: l.authenticator.CorpID, WeComUserID: m.userID,
		Authenticator: l.authenticator.Name, BoundAt: l.flow.Now(), Email: m.email,
	}
}
