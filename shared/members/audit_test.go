package members_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/storetest"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// The audit is told once of whatever takes access away, and of roles that rules change.
func TestAuditOfChecks(t *testing.T) {
	b := newBench(t)
	rule := b.gives
	for _, step := range []struct {
		name string
		set  func()
		want []string
	}{
		{"nothing new", func() { rule(true) }, nil},
		{"a role", func() { rule(true, "ops") }, []string{"member_roles_changed demo > ops"}},
		{"the same", func() {}, nil},
		{"not allowed any more", func() { b.demo.Allow = store.Allow{Roles: []string{"hr"}}; rule(false, "ops") }, []string{"member_not_allowed demo", "sessions_ended demo not_allowed"}},
		{"still not", func() {}, nil},
		{"disabled", func() { rule(true, "ops"); b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: 2} }, []string{"member_disabled demo", "member_roles_changed demo ops", "sessions_ended demo disabled"}},
		{"gone", func() { b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: 5} }, []string{"member_gone demo left", "sessions_ended demo gone"}},
		{"WeCom is down", func() { b.wecom.errs["zhangsan"] = &wecom.UnavailableError{} }, nil},
	} {
		b.now = b.now.Add(25 * time.Hour)
		step.set()
		_, err := b.Check(t.Context(), b.demo, "zhangsan")
		if err != nil && step.want != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		b.equal(step.name, step.want, b.told())
	}
}

// told returns what the audit was told now of the user, in short.
func (b *bench) told() (told []string) {
	b.Helper()
	lines, _, err := b.store.AuditLines(b.Context(), store.AuditQuery{From: b.now, User: b.user.ID}, store.Page{Limit: 50})
	b.ok(err)
	for _, l := range lines {
		text := strings.Join(slices.Concat([]string{l.Type, l.Authenticator, l.Code}, l.RolesBefore, []string{">"}, l.RolesAfter), " ")
		told = append(told, strings.TrimSuffix(strings.Join(strings.Fields(text), " "), " >"))
		if l.RequestID != "request-1" || l.Actor != "" {
			b.Errorf("incomplete: %+v", l)
		}
	}
	slices.Sort(told)
	return told
}

// What ends by another app's answer, by a rename, and when applications cannot be told.
func TestAuditOfOtherEnds(t *testing.T) {
	for name, test := range map[string]struct {
		check func(*bench) (members.Result, error)
		want  []string
	}{
		"another app does not see the member": {func(b *bench) (members.Result, error) {
			b.wecom.unseen[b.other.ID] = "zhangsan"
			return b.Check(b.Context(), b.other, "zhangsan")
		}, []string{"member_gone other out_of_range", "sessions_ended other gone"}},
		"renamed": {func(b *bench) (members.Result, error) {
			b.check(b.demo)
			b.wecom.members = map[string]wecom.Member{"zhang.san": {UserID: "zhang.san", Name: "张三", Status: 1}}
			return b.Rename(b.Context(), b.demo, "zhangsan", "zhang.san", b.now)
		}, []string{"member_renamed demo"}},
		"gone, and no application told": {func(b *bench) (members.Result, error) {
			b.wecom.members, b.notifier.err = nil, errors.New("the queue is down")
			result, err := b.Check(b.Context(), b.demo, "zhangsan")
			if !errors.Is(err, b.notifier.err) {
				b.Errorf("err = %v", err)
			}
			return result, nil
		}, []string{"sessions_ended demo gone"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			_, err := test.check(b)
			b.ok(err)
			b.equal("audit", test.want, b.told())
		})
	}
}

// Whatever takes access away happens without an audit, too; no rule gives a role, and no
// identity moves, without one.
func TestChecksWithoutAnAudit(t *testing.T) {
	const roles = "ops"
	for name, test := range map[string]struct {
		change func(*bench)
		ended  bool // a session
		role   bool // afterwards; before there is one, unless given
		given  bool // the check would give the role
	}{
		"left":           {func(b *bench) { b.wecom.members = nil }, true, false, false},
		"disabled":       {func(b *bench) { b.wecom.members["zhangsan"] = wecom.Member{UserID: "zhangsan", Status: 2} }, true, false, false},
		"not allowed":    {func(b *bench) { b.demo.Allow = store.Allow{Tags: []int64{3}}; b.gives(false, roles) }, true, true, false},
		"a role goes":    {func(b *bench) { b.gives(true) }, false, false, false},
		"a role comes":   {func(b *bench) { b.gives(true, roles) }, false, false, true},
		"nothing is new": {func(*bench) {}, false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if !test.given {
				b.gives(true, roles)
			}
			b.check(b.demo)
			began := b.began(b.demo)
			lost := ""
			b.Audit.LogField = func(_ context.Context, key string, _ any) { lost = key }
			b.Store, b.Audit.Store = storetest.WithoutAudit{Engine: b.store}, storetest.WithoutAudit{Engine: b.store}
			test.change(b)
			b.now = b.now.Add(time.Hour)
			if _, err := b.Check(t.Context(), b.demo, "zhangsan"); (err != nil) != test.given {
				t.Errorf("err = %v", err)
			}
			b.equal("goes on", !test.ended, b.stored().Keeps(began))
			access, _ := b.identity().AccessBy(b.demo.ID)
			b.equal("has the role", test.role, len(access.Roles) == 1)
			b.equal("told the operator", test.ended || !test.role && !test.given, lost == "auditNotWritten")
		})
	}
	b := newBench(t)
	b.check(b.demo)
	b.Store = storetest.WithoutAudit{Engine: b.store}
	b.wecom.members = map[string]wecom.Member{"zhang.san": {UserID: "zhang.san", Name: "张三", Status: 1}}
	if _, err := b.Rename(t.Context(), b.demo, "zhangsan", "zhang.san", b.now); err == nil || b.identity().WeComUserID != "zhangsan" {
		t.Errorf("moved to %s: %v", b.identity().WeComUserID, err)
	}
}

// gives has demo's rules give everybody roles.
func (b *bench) gives(allowed bool, roles ...string) {
	found := b.rules["demo"]
	found.Roles, found.Allowed = roles, allowed
	b.rules["demo"] = found
}

// Attack: a phone number as userid, name, position and department.
func TestAttackNoPhoneInTheLinesOfChecks(t *testing.T) {
	const number = "13800000001"
	b := newBench(t)
	from := b.stored()
	to := from.WithIdentity(store.Identity{CorpID: corpID, WeComUserID: number, Authenticator: "demo"})
	to.Version++
	b.ok(b.store.UpdateUser(t.Context(), from, to))
	b.gives(true, "ops")
	for _, m := range []wecom.Member{
		{UserID: number, Name: number, Position: number, Status: 1}, {UserID: number, Name: number, Status: 2}, {UserID: number, Name: number, Status: 5},
	} {
		b.now = b.now.Add(time.Hour)
		b.wecom.members = map[string]wecom.Member{number: m}
		_, err := b.Check(t.Context(), b.demo, number)
		b.ok(err)
	}
	lines, _, err := b.store.AuditLines(t.Context(), store.AuditQuery{}, store.Page{Limit: 50})
	b.ok(err)
	text, err := json.Marshal(lines)
	b.ok(err)
	if len(lines) != 6 || strings.Contains(string(text), number) {
		t.Errorf("%s", text)
	}
}
