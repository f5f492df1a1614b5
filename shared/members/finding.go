package members

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Rules works out what WeCom's directory and the rules of an authenticator say of a member.
type Rules interface {
	// Evaluate returns what they say of a member, who had other userids before. An error:
	// departments or tags could not be read; Allowed is certain all the same if it is true.
	Evaluate(ctx context.Context, a store.Authenticator, m wecom.Member, former []store.FormerUserID) (Evaluation, error)
}

// Finding is what WeCom and the rules said of a member at one moment. Nothing of it is
// stored yet.
type Finding struct {
	// Verdict is Active, Disabled, Gone or Unknown. Whether Allow matches depends on the
	// user, too.
	Verdict Verdict
	// WeComCode is WeCom's number, 0 for an answer or when there was none.
	WeComCode int
	// Cause is why the verdict is Unknown, or why the rules could not be evaluated.
	Cause error

	at         time.Time
	reason     store.GoneReason
	member     wecom.Member // zero unless WeCom told of the member
	evaluation *Evaluation  // nil without one
	allowed    bool         // for certain, although there is none
}

// Look asks WeCom for a member, and the rules, by one user/get. Only what WeCom says of this
// member leads to another verdict than Unknown.
func (c *Checker) Look(ctx context.Context, a store.Authenticator, userID string) Finding {
	return c.look(ctx, a, userID, nil)
}

// look is Look for a member who had other userids before.
func (c *Checker) look(ctx context.Context, a store.Authenticator, userID string, former []store.FormerUserID) Finding {
	f := Finding{Verdict: Unknown, at: c.Now()}
	var member wecom.Member
	var told error // what user/get itself said; a refused secret or token is not about the member
	err := accesstoken.Use(ctx, c.Tokens, accesstoken.AppOf(a, c.SecretName(a.ID)), func(token secret.Value) error {
		member, told = c.WeCom.Member(ctx, token, userID)
		return told
	})
	if answered, ok := errors.AsType[*wecom.Error](err); ok {
		f.WeComCode = answered.Code
	}
	answered, _ := errors.AsType[*wecom.Error](told)
	switch {
	case err != nil && answered != nil:
		f.Cause = err
		f.reason = goneReason(answered)
	case err != nil:
		f.Cause = err
	case member.Status == wecom.MemberLeft:
		f.member, f.reason = member, store.GoneLeft
	case member.Status == wecom.MemberDisabled:
		f.member, f.Verdict = member, Disabled
	case member.UnknownStatus() != nil:
		f.Cause = member.UnknownStatus()
	default:
		f.member, f.Verdict = member, Active
		evaluation, err := c.Rules.Evaluate(ctx, a, member, former)
		if f.Cause = err; err == nil {
			f.evaluation = &evaluation
		}
		f.allowed = err != nil && evaluation.Allowed
	}
	if f.reason != "" {
		f.Verdict, f.Cause = Gone, nil
	}
	return f
}

// goneReason returns what an answer of user/get says of the member, or nothing: any other
// number is about the app, its secret, its address or WeCom.
func goneReason(answered *wecom.Error) store.GoneReason {
	switch {
	case !answered.SaysNoMember():
		return ""
	case answered.Code == wecom.OutOfScope, answered.Code == wecom.OutsideVisibleRange:
		return store.GoneOutOfRange
	}
	return store.GoneNotFound
}

// Told reports whether WeCom answered with the member's entry, whatever it says.
func (f Finding) Told() bool { return f.member.UserID != "" }

// Name is the member's name, empty when WeCom does not tell.
func (f Finding) Name() string { return f.member.Name }

// names reports whether WeCom calls the member as it last called the one of an identity. An app
// is told of a member who has left, or is outside of its visible range, as of one who got another
// userid: that there is none. So the name is what tells a new userid of the same person from the
// userid of another one, of whom an event says so.
func (f Finding) names(i store.Identity) bool { return i.Name != "" && f.Name() == i.Name }

// First returns the identity of a member who signs in for the first time, or again after
// being gone, with what was found, and the verdict. roles are those that an administrator
// gave the user. The phone came from WeCom a moment ago: that WeCom knows no such member
// says nothing. The verdict is Unknown when Allow needs what could not be found out.
func (f Finding) First(i store.Identity, a store.Authenticator, roles []string) (store.Identity, Verdict) {
	access, _ := i.AccessBy(a.ID)
	if i.IsGone() {
		i.GoneAt, i.GoneReason, i.DisabledAt = time.Time{}, "", time.Time{}
	}
	if !access.GoneAt.IsZero() {
		access.GoneAt = time.Time{}
		i = i.WithAccess(access)
	}
	switch {
	case f.Told() && f.Verdict == Gone: // it has left
		return i, Gone
	case f.Told():
		return f.apply(i, a, roles)
	case !i.DisabledAt.IsZero(): // by another app of the corp
		return i, Disabled
	}
	i = unchecked(i)
	if !a.Allow.IsEmpty() {
		return i, Unknown
	}
	return i, Active
}

// apply returns the identity with what WeCom told of the member, and the verdict. A finding
// that began before the check that is stored changes nothing, unless it says that the member is
// disabled: WeCom may have answered it later, and the next sign-in asks again. If the stored
// check was by another app of the corp, the finding still decides what its own authenticator
// makes of the member.
func (f Finding) apply(i store.Identity, a store.Authenticator, roles []string) (store.Identity, Verdict) {
	access, _ := i.AccessBy(a.ID)
	older, replaced := f.Verdict != Disabled && i.CheckedAt.After(f.at), access.CheckedAt.After(f.at)
	allowed := f.allowed || a.Allow.Allows(store.Identity{}, roles) // whatever could not be read
	switch {
	case !older:
	case !i.DisabledAt.IsZero():
		return i, Disabled
	case !replaced && f.evaluation != nil:
	case access.Refused:
		return i, NotAllowed
	case !replaced && !allowed:
		return i, Unknown
	default:
		return i, Active
	}
	access.AuthenticatorID, access.AuthenticatorName = a.ID, a.Name
	if f.Verdict == Disabled {
		i = withoutRoles(i)
		access.Roles, access.Tags = nil, nil
		if i.DisabledAt.IsZero() {
			i.DisabledAt = f.at
			i.Generation++
		}
		i.CheckedAt, access.CheckedAt = f.at, f.at
		return i.WithAccess(access), Disabled
	}
	if !older {
		i.DisabledAt = time.Time{}
		i.Position, i.Former = f.member.Position, recent(i.Former, f.at)
		if f.member.Name != "" {
			i.Name = f.member.Name
		}
	}
	if f.evaluation == nil {
		// Roles and tags stay as they were, and the check is due where they are needed.
		i.Departments = departmentsOf(f.member, i.Departments)
		switch {
		case !allowed:
			return i, Unknown
		case a.Allow.IsEmpty() && len(a.RoleRules) == 0:
			i.CheckedAt, access.CheckedAt = f.at, f.at
		case a.Allow.IsEmpty():
			access.CheckedAt = time.Time{}
		}
		access.Refused = false
		return i.WithAccess(access), Active
	}
	if !older {
		i.CheckedAt, i.Departments = f.at, f.evaluation.Departments
	}
	otherRules := access.RulesVersion != a.RulesVersion
	access.CheckedAt, access.Roles, access.Tags, access.RulesVersion = f.at, f.evaluation.Roles, f.evaluation.Tags, a.RulesVersion
	refused := !f.evaluation.Allowed && !a.Allow.Allows(store.Identity{Departments: f.evaluation.Departments, Tags: access.Tags}, roles)
	if refused && (!access.Refused || otherRules) { // others may have let the member in, unchecked
		access.Generation++
	}
	access.Refused = refused
	i = withTags(i.WithAccess(access))
	if refused {
		return i, NotAllowed
	}
	return i, Active
}

// recent returns those userids that a list still in use may name.
func recent(former []store.FormerUserID, now time.Time) (all []store.FormerUserID) {
	for _, f := range former {
		if now.Sub(f.Until) < directoryAge {
			all = append(all, f)
		}
	}
	return all
}

// unchecked returns an identity whose checks are all due.
func unchecked(i store.Identity) store.Identity {
	i.CheckedAt, i.Access = time.Time{}, slices.Clone(i.Access)
	for n := range i.Access {
		i.Access[n].CheckedAt = time.Time{}
	}
	return i
}

// withoutRoles returns an identity that gives no role until it is checked again: the member
// may come back without them.
func withoutRoles(i store.Identity) store.Identity {
	i.Access = slices.Clone(i.Access)
	for n := range i.Access {
		i.Access[n].Roles, i.Access[n].Tags, i.Access[n].CheckedAt = nil, nil, time.Time{}
	}
	return withTags(i)
}

// withTags returns an identity with the tags that its authenticators found: each looks up
// its own.
func withTags(i store.Identity) store.Identity {
	i.Tags = nil
	for _, access := range i.Access {
		i.Tags = append(i.Tags, access.Tags...)
	}
	slices.Sort(i.Tags)
	i.Tags = slices.Compact(i.Tags)
	return i
}

// departmentsOf returns the member's departments, with what is known of each.
func departmentsOf(m wecom.Member, known []store.Department) []store.Department {
	var all []store.Department
	for _, is := range m.Departments {
		d := store.Department{ID: is.ID}
		for _, k := range known {
			if k.ID == is.ID {
				d = k
			}
		}
		d.Leader = is.Leader
		all = append(all, d)
	}
	return all
}

// goneBy returns the identity of a member whom the app of an authenticator does not know.
// binding: the app bound the identity, so that the whole corp ends; otherwise only what
// hangs on the authenticator does.
func (f Finding) goneBy(i store.Identity, a store.Authenticator, binding bool) store.Identity {
	if binding {
		i = withoutRoles(i)
		i.GoneAt, i.GoneReason = f.at, f.reason
		i.Generation++
		return i
	}
	access, _ := i.AccessBy(a.ID)
	access.AuthenticatorID, access.AuthenticatorName = a.ID, a.Name
	access.GoneAt, access.Roles, access.Tags = f.at, nil, nil
	access.Generation++
	return withTags(i.WithAccess(access))
}
