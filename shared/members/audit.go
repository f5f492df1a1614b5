package members

import (
	"context"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// update stores what a check made of a user, and tells the audit. What ends sessions or takes
// a role away is told afterwards; what only gives roles, or moves the identity, carries its
// lines.
func (c *Checker) update(ctx context.Context, from, to store.User, corpID string, verdict Verdict) error {
	lines := LinesOf(corpID, from, to, verdict)
	if c.Audit == nil || len(lines) == 0 || slices.ContainsFunc(lines, takes) {
		if err := c.Store.UpdateUser(ctx, from, to); err != nil {
			return err
		}
		for _, line := range lines {
			c.Audit.Note(ctx, line)
		}
		return nil
	}
	for i := range lines {
		lines[i] = c.Audit.Line(ctx, lines[i])
	}
	return c.Store.Audited(lines...).UpdateUser(ctx, from, to)
}

// takes reports whether a line tells of access that was taken away.
func takes(line store.AuditLine) bool {
	switch line.Type {
	case audit.MemberRenamed:
		return false
	case audit.MemberRolesChanged:
		return slices.ContainsFunc(line.RolesBefore, func(role string) bool { return !slices.Contains(line.RolesAfter, role) })
	}
	return true
}

// LinesOf returns what the audit is told of a look at a member that made one user of another:
// what ended now, not what had ended before, and roles by rules that are others now. The
// lines have no time yet.
func LinesOf(corpID string, before, after store.User, verdict Verdict) (lines []store.AuditLine) {
	was, _ := before.IdentityIn(corpID)
	is, _ := after.IdentityIn(corpID)
	tell := func(kind, authenticator, code string) {
		lines = append(lines, store.AuditLine{Type: kind, User: after.ID, Authenticator: authenticator, Code: code})
	}
	if was.GoneAt.IsZero() && !is.GoneAt.IsZero() {
		tell(audit.MemberGone, is.Authenticator, string(is.GoneReason))
	}
	if was.DisabledAt.IsZero() && !is.DisabledAt.IsZero() {
		tell(audit.MemberDisabled, is.Authenticator, "")
	}
	if was.WeComUserID != "" && store.FoldUserID(was.WeComUserID) != store.FoldUserID(is.WeComUserID) {
		tell(audit.MemberRenamed, is.Authenticator, "")
	}
	if was.Generation != is.Generation {
		tell(audit.SessionsEnded, is.Authenticator, string(verdict))
	}
	for _, by := range is.Access {
		old, _ := was.AccessBy(by.AuthenticatorID)
		if old.GoneAt.IsZero() && !by.GoneAt.IsZero() {
			tell(audit.MemberGone, by.AuthenticatorName, string(store.GoneOutOfRange))
		}
		if !old.Refused && by.Refused {
			tell(audit.MemberNotAllowed, by.AuthenticatorName, "")
		}
		if old.Generation != by.Generation {
			tell(audit.SessionsEnded, by.AuthenticatorName, string(verdict))
		}
		if !slices.Equal(old.Roles, by.Roles) {
			lines = append(lines, store.AuditLine{
				Type: audit.MemberRolesChanged, User: after.ID, Authenticator: by.AuthenticatorName, RolesBefore: old.Roles, RolesAfter: by.Roles,
			})
		}
	}
	return lines
}
