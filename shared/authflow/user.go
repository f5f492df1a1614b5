package authflow

import (
	"context"
	"errors"
	"fmt"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// errPhoneNeeded says that the identity is unknown and came without a user_ticket.
var errPhoneNeeded = errors.New("unknown identity without a user_ticket")

// findUser returns whom an identity belongs to, bound or created on the way when it is
// new; never a disabled user, and never a member whom WeCom or the authenticator's rules
// keep out. errPhoneNeeded: only a phone can tell. A race (isRace) leaves nothing behind:
// find again and decide again.
func (l *login) findUser(ctx context.Context, identity wecom.Identity) (store.IdentityOwner, error) {
	owner, err := l.flow.Store.OwnerOfIdentity(ctx, l.authenticator.CorpID, identity.UserID)
	l.userID = owner.UserID
	switch {
	case errors.Is(err, store.ErrNotFound):
		return l.findByPhone(ctx, identity, "")
	case err != nil:
		return store.IdentityOwner{}, fmt.Errorf("read owner of identity: %w", err)
	case owner.Enabled && (owner.NamePending || members.Due(l.authenticator, owner.Identity, l.flow.CheckInterval, l.flow.Now())):
		return l.checkOwner(ctx, identity, owner)
	}
	return owner, l.checkEnabled(owner.UserID, owner.Enabled)
}

func (l *login) checkEnabled(userID string, enabled bool) error {
	if !enabled {
		return apierr.Newf(apierr.UserDisabled, "user %s is disabled", userID)
	}
	return nil
}

// checkOwner looks a returning member up in WeCom before the sign-in goes on.
func (l *login) checkOwner(ctx context.Context, identity wecom.Identity, owner store.IdentityOwner) (store.IdentityOwner, error) {
	result, err := l.flow.Members.CheckOwner(ctx, l.authenticator, owner)
	switch {
	case err != nil && result.Verdict == "":
		return store.IdentityOwner{}, fmt.Errorf("check member: %w", err)
	case err != nil:
		l.flow.LogField(ctx, "applicationsNotTold", err.Error()) // the access has ended
	}
	if result.Cause != nil {
		l.flow.LogField(ctx, "memberUnknown", result.Cause.Error())
	}
	verdict := result.AtSignIn(l.authenticator)
	l.flow.LogField(ctx, "memberCheck", string(verdict))
	switch owner = result.Owner; {
	case verdict == members.Gone && owner.Identity.IsGone():
		return l.findByPhone(ctx, identity, "")
	case verdict == members.Gone:
		return l.findByPhone(ctx, identity, owner.UserID)
	}
	if err := l.checkVerdict(ctx, verdict, result.Cause); err != nil {
		return store.IdentityOwner{}, err
	}
	return owner, l.checkEnabled(owner.UserID, owner.Enabled)
}

// checkVerdict refuses a member unless the verdict is Active.
func (l *login) checkVerdict(ctx context.Context, verdict members.Verdict, cause error) error {
	switch verdict {
	case members.Active:
		return nil
	case members.NotAllowed:
		return apierr.Newf(apierr.NotAllowed, "the authenticator's allow does not match the member")
	case members.Unknown:
		return l.notFoundOut(ctx, cause)
	default:
		return apierr.Newf(apierr.UserDisabled, "the member is %s in WeCom", verdict)
	}
}

// findByPhone finds the user with the member's phone and binds the member to it, or
// creates one where the authenticator allows that. known is the user who is this member for
// another app of the corp, while the authenticator's own does not know the member any more:
// then the phone must be that user's.
func (l *login) findByPhone(ctx context.Context, identity wecom.Identity, known string) (store.IdentityOwner, error) {
	l.unknown = true
	if identity.UserTicket == "" {
		return store.IdentityOwner{}, errPhoneNeeded
	}
	m, err := l.describe(ctx, identity)
	if err != nil {
		return store.IdentityOwner{}, err
	}
	user, err := l.flow.Store.UserByPhone(ctx, m.phone)
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return store.IdentityOwner{}, fmt.Errorf("read user by phone: %w", err)
	case known != "" && user.ID != known:
		return store.IdentityOwner{}, apierr.Newf(apierr.PhoneInUse, "user %s is %s for another app, and %s has another phone", known, m.userID, m.userID)
	case err != nil:
		user, err = l.createUser(ctx, m)
	default:
		user, err = l.bindUser(ctx, user, m)
	}
	return user.Owner(l.authenticator.CorpID), err
}

// bindUser makes the member the user's identity in this corp.
func (l *login) bindUser(ctx context.Context, user store.User, m member) (store.User, error) {
	l.userID = user.ID // a refusal belongs in this user's list, too
	was, wasBound := user.IdentityIn(l.authenticator.CorpID)
	identity := l.identityOf(m)
	if wasBound && store.FoldUserID(was.WeComUserID) == store.FoldUserID(m.userID) {
		if identity = was; was.IsGone() {
			identity.WeComUserID, identity.Authenticator, identity.BoundAt, identity.Email = m.userID, l.authenticator.Name, l.flow.Now(), m.email
		}
	}
	identity, verdict := m.found.First(identity, l.authenticator, user.Roles)
	if err := l.checkVerdict(ctx, verdict, m.found.Cause); err != nil {
		return store.User{}, err
	}
	user, err := l.checkLink(ctx, user, identity)
	switch {
	case errors.Is(err, ErrRulesUnread):
		return store.User{}, l.notFoundOut(ctx, m.found.Cause)
	case apierr.Is(err, apierr.PhoneInUse):
		l.notePhoneConflict(ctx, user, m)
		return store.User{}, err
	case err != nil:
		return store.User{}, err
	}
	if access, _ := was.AccessBy(l.authenticator.ID); wasBound && !was.IsGone() && access.GoneAt.IsZero() {
		return user, nil // a simultaneous first sign-in of the same person
	}
	bound := user.WithIdentity(identity)
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
	if err := l.auditedChange(user, bound, line).UpdateUser(ctx, user, bound); err != nil {
		return store.User{}, fmt.Errorf("update user: %w", err)
	}
	return bound, nil
}

// auditedChange returns the writes that carry the line of a change by this sign-in, and those
// of the roles that rules give with it.
func (l *login) auditedChange(from, to store.User, line store.AuditLine) store.AuditedWrites {
	lines := append([]store.AuditLine{line}, members.LinesOf(l.authenticator.CorpID, from, to, members.Active)...)
	for i := range lines {
		lines[i] = audit.Complete(lines[i], l.flow.Now(), l.req.RequestID)
	}
	return l.flow.Store.Audited(lines...)
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
	identity, verdict := m.found.First(l.identityOf(m), l.authenticator, nil)
	if err := l.checkVerdict(ctx, verdict, m.found.Cause); err != nil {
		return store.User{}, err
	}
	now := l.flow.Now()
	user := store.User{
		ID: store.NewUserID(now), Phone: m.phone, Name: m.name, NamePending: m.namePending,
		Avatar: m.avatar, Enabled: true, Identities: []store.Identity{identity},
		CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	line := store.AuditLine{Type: audit.UserCreated, User: user.ID, Authenticator: l.authenticator.Name}
	if err := l.auditedChange(store.User{}, user, line).CreateUser(ctx, user); err != nil {
		return store.User{}, fmt.Errorf("create user: %w", err)
	}
	l.flow.LogField(ctx, "userCreated", user.ID)
	return user, nil
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
