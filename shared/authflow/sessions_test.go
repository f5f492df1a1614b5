package authflow

import (
	"fmt"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// A session has the roles by rules, from the authenticators as they are at this moment.
func TestSessionHasRolesByRules(t *testing.T) {
	h := newFixture(t)
	a := h.authenticator(t, func(a *store.Authenticator) {
		a.RoleRules = []store.RoleRule{{Leader: true, Role: "lead"}, {Tag: 3, Role: "ops"}, {Tag: 4, Role: store.RoleAdmin}}
	})
	h.user(t, "+8613800000001", func(u *store.User) {
		u.Roles = []string{"staff"}
		u.Identities = []store.Identity{{
			CorpID: corpID, WeComUserID: "ZhangSan",
			Access: []store.MemberAccess{{AuthenticatorID: a.ID, AuthenticatorName: "demo", Roles: []string{"lead", "old", store.RoleAdmin}}},
		}}
	})
	signedIn := h.mustComplete(t, h.callback(t, nil))
	for _, ref := range []SessionRef{{ID: signedIn.SessionID, UserID: signedIn.UserID}, {ID: signedIn.SessionID}} {
		active, err := h.Sessions.Check(t.Context(), ref)
		if err != nil || fmt.Sprint(active.User.WeComRoles, active.User.Roles, active.User.AllRoles()) != "[lead] [staff] [staff lead]" {
			t.Errorf("%v %v, %v", active.User.WeComRoles, active.User.Roles, err)
		}
	}
}
