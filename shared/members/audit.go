package members

import (
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// linesOf returns what the audit is told of a check that made one user of another: what ended
// now, not what had ended before, and roles by rules that are others now.
func linesOf(corpID string, before, after store.User) (lines []store.AuditLine) {
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
	if store.FoldUserID(was.WeComUserID) != store.FoldUserID(is.WeComUserID) {
		tell(audit.MemberRenamed, is.Authenticator, "")
	}
	for _, by := range is.Access {
		old, _ := was.AccessBy(by.AuthenticatorID)
		if old.GoneAt.IsZero() && !by.GoneAt.IsZero() {
			tell(audit.MemberGone, by.AuthenticatorName, string(store.GoneOutOfRange))
		}
		if !old.Refused && by.Refused {
			tell(audit.MemberNotAllowed, by.AuthenticatorName, "")
		}
		if !slices.Equal(old.Roles, by.Roles) {
			lines = append(lines, store.AuditLine{
				Type: audit.MemberRolesChanged, User: after.ID, Authenticator: by.AuthenticatorName, RolesBefore: old.Roles, RolesAfter: by.Roles,
			})
		}
	}
	return lines
}
