package members_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// The audit is told once of whatever takes access away, and of roles that rules change.
func TestAuditOfChecks(t *testing.T) {
	b := newBench(t)
	told := func() (told []string) {
		t.Helper()
		lines, _, err := b.store.AuditLines(t.Context(), store.AuditQuery{From: b.now, User: b.user.ID}, store.Page{Limit: 50})
		b.ok(err)
		for _, l := range lines {
			text := strings.Join(slices.Concat([]string{l.Type, l.Authenticator, l.Code}, l.RolesBefore, []string{">"}, l.RolesAfter), " ")
			told = append(told, strings.TrimSuffix(strings.Join(strings.Fields(text), " "), " >"))
		}
		slices.Sort(told)
		return told
	}
	rule := func(allowed bool, roles ...string) {
		b.rules["demo"] = struct {
			members.Evaluation
			err error
		}{members.Evaluation{Roles: roles, Allowed: allowed}, nil}
	}
	for _, step := range []struct {
		name string
		set  func()
		want []string
	}{
		{"nothing new", func() { rule(true) }, nil},
		{"a role", func() { rule(true, "ops") }, []string{"member_roles_changed demo > ops"}},
		{"the same", func() {}, nil},
		{"not allowed any more", func() { b.demo.Allow = store.Allow{Roles: []string{"hr"}}; rule(false, "ops") }, []string{"member_not_allowed demo"}},
		{"still not", func() {}, nil},
		{"disabled", func() { rule(true, "ops"); b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: 2} }, []string{"member_disabled demo", "member_roles_changed demo ops"}},
		{"gone", func() { b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: 5} }, []string{"member_gone demo left"}},
		{"WeCom is down", func() { b.wecom.errs["zhangsan"] = &wecom.UnavailableError{} }, nil},
	} {
		b.now = b.now.Add(25 * time.Hour)
		step.set()
		_, err := b.Check(t.Context(), b.demo, "zhangsan")
		if err != nil && step.want != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		b.equal(step.name, step.want, told())
	}
}
