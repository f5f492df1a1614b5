package members_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded/embeddedtest"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// wantRoles evaluates a member by an Evaluator. want "unread": nothing can be said.
func wantRoles(t *testing.T, e *members.Evaluator, a store.Authenticator, m wecom.Member, want string) {
	t.Helper()
	got, err := e.Evaluate(t.Context(), a, m, nil)
	if _, lost := errors.AsType[*wecom.UnavailableError](err); lost && want == "unread" {
		return
	}
	if err != nil || strings.Join(got.Roles, " ") != want {
		t.Errorf("roles %q, %v; want %q", got.Roles, err, want)
	}
}

// Attack: ten members are moved to a new department, and a tree that is some minutes old
// throws them out.
func TestAttackNewDepartmentThrowsItsMembersOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, table := newCompany(), embeddedtest.New(t, nil)
		a := authenticator(store.Allow{Departments: []int64{2}}, store.RoleRule{Department: 2, Role: "sales"})
		first, second := evaluator(c, table), evaluator(c, table)
		wantRoles(t, first, a, member("lisi", in(21)), "sales")
		wantRoles(t, second, a, member("lisi", in(21)), "sales")
		time.Sleep(5 * time.Minute)
		c.wantAsked(t, "tree, names")
		c.departments = append(c.departments, wecom.Department{ID: 99, ParentID: 2, Name: "Sales North"})
		var group sync.WaitGroup
		for _, e := range []*members.Evaluator{first, second} {
			for range 10 {
				group.Go(func() { wantRoles(t, e, a, member("wangwu", in(99)), "sales") })
			}
		}
		group.Wait()
		c.wantAsked(t, "tree, names")
		time.Sleep(9 * time.Minute)
		wantRoles(t, second, a, member("wangwu", in(99)), "sales")
		c.wantAsked(t, "")
	})
}

// Attack: WeCom answers without the departments of its own members, and they are thrown out,
// or whoever comes makes calls, or the answer is used for ten minutes.
func TestAttackTreeWithoutTheMembersDepartment(t *testing.T) {
	for name, answer := range map[string]struct {
		departments []wecom.Department
		err         error
	}{
		"nothing":          {nil, nil},
		"the root alone":   {newCompany().departments[:1], nil},
		"not in its scope": {nil, &wecom.Error{Op: "department/simplelist", Code: wecom.OutOfScope}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, table := newCompany(), embeddedtest.New(t, nil)
				whole := c.departments
				a := authenticator(store.Allow{}, store.RoleRule{Department: 1, Role: "staff"}, store.RoleRule{Tag: 7, Role: "ops"})
				c.departments, c.treeErr = answer.departments, answer.err
				for range 20 {
					wantRoles(t, evaluator(c, table), a, member("lisi", in(3)), "unread")
				}
				c.wantAsked(t, "tree, names")
				// Somebody without departments is told.
				wantRoles(t, evaluator(c, table), a, member("zhangsan"), "ops")
				c.wantAsked(t, "tag 7")
				c.departments, c.treeErr = whole, nil
				time.Sleep(5 * time.Second)
				e := evaluator(c, table)
				wantRoles(t, e, a, member("sunqi", in(1)), "staff") // whom that answer did not contradict
				c.wantAsked(t, "tree, names")
				wantRoles(t, e, a, member("lisi", in(3)), "staff")
				c.wantAsked(t, "")
			})
		})
	}
}

// Trap: an answer that was good for one member is wrong for another one for ten minutes.
func TestAnswerThatContradictsAnotherMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, table := newCompany(), embeddedtest.New(t, nil)
		whole := c.departments
		a := authenticator(store.Allow{}, store.RoleRule{Department: 2, Role: "sales"})
		c.departments = whole[:1]
		e := evaluator(c, table)
		wantRoles(t, e, a, member("zhangsan", in(1)), "")
		wantRoles(t, e, a, member("lisi", in(21)), "unread")
		c.wantAsked(t, "tree, names")
		time.Sleep(5 * time.Second)
		c.treeErr = &wecom.UnavailableError{Op: "department/simplelist", Reason: "time-out"}
		wantRoles(t, e, a, member("lisi", in(21)), "unread")
		wantRoles(t, e, a, member("lisi", in(21)), "unread") // within ten seconds, nobody asks again
		c.wantAsked(t, "tree, names")
		wantRoles(t, e, a, member("zhangsan", in(1)), "") // for whom the tree will do
		c.departments, c.treeErr = whole, nil
		time.Sleep(10 * time.Second)
		wantRoles(t, e, a, member("lisi", in(21)), "sales")
		c.wantAsked(t, "tree, names")
	})
}

// Any match lets in: an unread tree, or an unread tag, says nothing only of those who need it.
func TestAttackUnreadTreeRefusesWhoNeedsNone(t *testing.T) {
	lead := store.RoleRule{Leader: true, Role: "lead"}
	tree := func(c *company) { c.treeErr = &wecom.Error{Op: "department/simplelist", Code: wecom.SystemBusy} }
	tags := func(c *company) { c.tagErr = &wecom.Error{Op: "tag/get", Code: wecom.SystemBusy} }
	for _, test := range []struct {
		name  string
		a     store.Authenticator
		m     wecom.Member
		fail  func(*company)
		want  bool
		asked string
	}{
		{"own department", authenticator(store.Allow{Departments: []int64{3}, Tags: []int64{7}}), member("lisi", in(3)), tree, true, "tree, names"},
		{"department above", authenticator(store.Allow{Departments: []int64{2}}), member("lisi", in(21)), tree, false, "tree, names"},
		{"tag of the member", authenticator(store.Allow{Departments: []int64{2}, Tags: []int64{7}}), member("zhangsan", in(3)), tree, true, "tree, names, tag 7"},
		{"tag of the own department", authenticator(store.Allow{Tags: []int64{7}}), member("lisi", in(2)), tree, true, "tree, names, tag 7"},
		{"tag of the department above", authenticator(store.Allow{Tags: []int64{7}}), member("lisi", in(21)), tree, false, "tree, names, tag 7"},
		{"role of a leader", authenticator(store.Allow{Roles: []string{"lead"}}, lead), member("lisi", leads(21)), tree, true, "tree, names"},
		{"leads nothing", authenticator(store.Allow{Roles: []string{"lead"}}, lead), member("lisi", in(21)), tree, false, "tree, names"},
		{"role of a tag", authenticator(store.Allow{Roles: []string{"ops"}}, store.RoleRule{Tag: 7, Role: "ops"}), member("zhangsan", in(3)), tree, true, "tree, names, tag 7"},
		{"department above, and a tag that is not read", authenticator(store.Allow{Departments: []int64{2}, Tags: []int64{7}}), member("lisi", in(21)), tags, true, "tree, names, tag 7"},
		{"a tag that is not read", authenticator(store.Allow{Departments: []int64{3}, Tags: []int64{7}}), member("zhangsan", in(21)), tags, false, "tree, names, tag 7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCompany()
				test.fail(c)
				got, err := evaluator(c, embeddedtest.New(t, nil)).Evaluate(t.Context(), test.a, test.m, nil)
				answered, ok := errors.AsType[*wecom.Error](err)
				if !ok || answered.Code != wecom.SystemBusy || got.Allowed != test.want {
					t.Errorf("allowed %v, %v", got.Allowed, err)
				}
				c.wantAsked(t, test.asked)
			})
		})
	}
}

// A tag that cannot be read keeps nobody out whom a later one lets in, and nobody waiting for
// one that comes too late.
func TestOtherTagsAreWaitedForWhileTheyMayLetIn(t *testing.T) {
	for name, test := range map[string]struct {
		allow       store.Allow
		late, waits time.Duration
		want        bool
	}{
		"lets in":             {store.Allow{Tags: []int64{7, 8}}, time.Second, 1200 * time.Millisecond, true},
		"too late":            {store.Allow{Tags: []int64{7, 8}}, 7 * time.Second, 3200 * time.Millisecond, false},
		"everybody is let in": {store.Allow{}, time.Second, 200 * time.Millisecond, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, table := newCompany(), embeddedtest.New(t, nil)
				a := authenticator(test.allow)
				a.ApplicationTags = []int64{7, 8}
				wantRoles(t, evaluator(c, table), authenticator(store.Allow{}), member("lisi", in(3)), "") // the tree
				c.tagErr, c.slow = &wecom.Error{Op: "tag/get", Code: wecom.SystemBusy}, map[int64]time.Duration{8: test.late}
				began := time.Now()
				got, err := evaluator(c, table).Evaluate(t.Context(), a, member("lisi", in(3)), nil)
				if waited := time.Since(began).Round(100 * time.Millisecond); err == nil || got.Allowed != test.want || waited != test.waits {
					t.Errorf("allowed %v, %v, after %v", got.Allowed, err, waited)
				}
				time.Sleep(10 * time.Second)
			})
		})
	}
}

// Attack: WeCom says that a tag was taken away or a department moved, and the list from before
// gives the role for minutes, in another function.
func TestAttackChangeThatWeComTellsIsNotSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, table := newCompany(), embeddedtest.New(t, nil)
		a := authenticator(store.Allow{}, store.RoleRule{Department: 2, Role: "sales"}, store.RoleRule{Tag: 7, Role: "ops"})
		receiver, callback := evaluator(c, table), evaluator(c, table)
		for _, e := range []*members.Evaluator{receiver, callback} {
			wantRoles(t, e, a, member("zhangsan", in(21)), "sales ops")
		}
		c.wantAsked(t, "tree, names, tag 7")
		changed := func(err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
		}
		c.tags[7] = wecom.Tag{}
		changed(receiver.TagChanged(t.Context(), a, 7))
		changed(receiver.TagChanged(t.Context(), a, 7))
		changed(receiver.TagChanged(t.Context(), a, 8)) // nobody looks it up
		c.wantAsked(t, "")
		wantRoles(t, callback, a, member("zhangsan", in(21)), "sales")
		wantRoles(t, receiver, a, member("zhangsan", in(21)), "sales")
		c.wantAsked(t, "tag 7")
		c.departments[2].ParentID = 3
		changed(receiver.DepartmentsChanged(t.Context(), a))
		wantRoles(t, callback, a, member("zhangsan", in(21)), "")
		wantRoles(t, receiver, a, member("zhangsan", in(21)), "")
		c.wantAsked(t, "tree, names")
	})
}

// Trap: what another function asked for before the change is written down after it.
func TestChangeDuringAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, table := newCompany(), embeddedtest.New(t, nil)
		a := authenticator(store.Allow{}, store.RoleRule{Tag: 7, Role: "ops"})
		receiver, callback := evaluator(c, table), evaluator(c, table)
		var group sync.WaitGroup
		group.Go(func() { wantRoles(t, callback, a, member("zhangsan"), "ops") })
		time.Sleep(100 * time.Millisecond)
		if err := receiver.TagChanged(t.Context(), a, 7); err != nil {
			t.Error(err)
		}
		group.Wait()
		c.wantAsked(t, "tag 7")
		c.tags[7] = wecom.Tag{}
		wantRoles(t, callback, a, member("zhangsan"), "")
		c.wantAsked(t, "tag 7")
	})
}
