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

// Attack: a partner's member, who has the account of an employee by a phone, has the roles that
// the rules of the employee's company give. A session has those of its own company alone, by all
// of its authenticators, and those of administrators.
func TestAttackSessionHasTheRolesOfAnotherCompany(t *testing.T) {
	h := newFixture(t)
	demo := h.authenticator(t, func(a *store.Authenticator) { a.RoleRules = []store.RoleRule{{Leader: true, Role: "lead"}} })
	others := map[string]store.Authenticator{}
	for name, corp := range map[string]string{"second": corpID, "disabled": corpID, "partner": "wwpartner"} {
		others[name] = store.Authenticator{
			ID: "id of " + name, Name: name, Enabled: name != "disabled", CorpID: corp, Origin: "https://" + name + ".example.com", WorkbenchRedirectPath: "/",
			Generation: "g", RoleRules: []store.RoleRule{{Department: 12, Role: "by-" + name}}, Version: 1,
		}
		if err := h.store.CreateAuthenticator(t.Context(), others[name]); err != nil {
			t.Fatal(err)
		}
	}
	access := func(name string) store.MemberAccess {
		return store.MemberAccess{AuthenticatorID: others[name].ID, AuthenticatorName: name, Roles: []string{"by-" + name}, CheckedAt: h.now}
	}
	user := h.user(t, zhangsanPhone, func(u *store.User) {
		u.Roles = []string{"staff"}
		u.Identities = []store.Identity{
			{CorpID: corpID, WeComUserID: "zhangsan", Authenticator: "demo", Access: []store.MemberAccess{
				{AuthenticatorID: demo.ID, AuthenticatorName: "demo", Roles: []string{"lead"}}, access("second"), access("disabled"),
			}},
			{CorpID: "wwpartner", WeComUserID: "zhangsan", Authenticator: "partner", Access: []store.MemberAccess{access("partner")}},
		}
	})
	for name, want := range map[string]string{"demo": "[staff lead by-second]", "second": "[staff lead by-second]", "partner": "[staff by-partner]"} {
		redirect, err := h.Starter.Start(t.Context(), AuthRequest{Authenticator: name, PublicURL: publicURL, InWeCom: true})
		if err != nil {
			t.Fatal(err)
		}
		signedIn := h.mustComplete(t, h.back(redirect, func(r *CallbackRequest) { r.Authenticator = name }))
		active, err := h.Sessions.Check(t.Context(), SessionRef{ID: signedIn.SessionID, UserID: signedIn.UserID})
		if err != nil || active.User.ID != user.ID {
			t.Fatalf("%s: user %s, %v", name, active.User.ID, err)
		}
		if got := fmt.Sprint(active.User.AllRoles()); got != want {
			t.Errorf("a session by %s has the roles %s, want %s", name, got, want)
		}
	}
}
