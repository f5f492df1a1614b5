package members_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded/embeddedtest"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// company is WeCom's directory of one corp, slow and counted.
//
//	1 Head Office
//	├── 2 Sales
//	│   └── 21 Sales East
//	└── 3 Finance
//
// Tag 7 has the member ZhangSan and everybody of Sales; tag 8 has Head Office.
type company struct {
	mu          sync.Mutex
	departments []wecom.Department
	tags        map[int64]wecom.Tag
	treeErr     error
	namesErr    error
	tagErr      error
	slow        map[int64]time.Duration // tags that are told, but late
	oldTokens   map[string]bool
	asked       []string
}

func newCompany() *company {
	return &company{
		departments: []wecom.Department{{ID: 1, Name: "Head Office"}, {ID: 2, ParentID: 1, Name: "Sales"}, {ID: 21, ParentID: 2, Name: "Sales East"}, {ID: 3, ParentID: 1, Name: "Finance"}},
		tags:        map[int64]wecom.Tag{7: {UserIDs: []string{"ZhangSan"}, Departments: []int64{2}}, 8: {Departments: []int64{1}}},
	}
}

func (c *company) ask(ctx context.Context, token secret.Value, what string) error {
	time.Sleep(200 * time.Millisecond)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, what)
	switch {
	case ctx.Err() != nil:
		return &wecom.UnavailableError{Op: what, Reason: "time-out"}
	case c.oldTokens[token.Reveal()]:
		return &wecom.Error{Op: what, Code: wecom.InvalidToken}
	}
	return nil
}

func (c *company) DepartmentTree(ctx context.Context, token secret.Value) ([]wecom.Department, error) {
	if err := c.ask(ctx, token, "tree"); err != nil || c.treeErr != nil {
		return nil, errors.Join(err, c.treeErr)
	}
	var unnamed []wecom.Department
	for _, d := range c.departments {
		d.Name = ""
		unnamed = append(unnamed, d)
	}
	return unnamed, nil
}

func (c *company) DepartmentNames(ctx context.Context, token secret.Value) ([]wecom.Department, error) {
	return c.departments, errors.Join(c.ask(ctx, token, "names"), c.namesErr)
}

func (c *company) Tag(ctx context.Context, token secret.Value, id int64) (wecom.Tag, error) {
	err := c.ask(ctx, token, fmt.Sprint("tag ", id))
	if late := c.slow[id]; late > 0 {
		time.Sleep(late)
	} else {
		err = errors.Join(err, c.tagErr)
	}
	if err != nil {
		return wecom.Tag{}, err
	}
	tag, found := c.tags[id]
	if !found {
		return tag, &wecom.Error{Op: "tag/get", Code: wecom.TagNotFound}
	}
	return tag, nil
}

// wantAsked compares the calls since the last time, in any order.
func (c *company) wantAsked(t *testing.T, want string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[string]int{}
	for _, what := range c.asked {
		counts[what]++
	}
	c.asked = nil
	wanted := map[string]int{}
	for what := range strings.SplitSeq(want, ", ") {
		if want != "" {
			wanted[what]++
		}
	}
	if diff := cmp.Diff(wanted, counts); diff != "" {
		t.Errorf("calls of WeCom: %s", diff)
	}
}

// tokens gives the token "first" until it is rejected, then "second".
type tokens struct {
	mu       sync.Mutex
	rejected bool
}

func (s *tokens) Token(context.Context, accesstoken.App) (secret.Value, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rejected {
		return secret.NewValue("second"), nil
	}
	return secret.NewValue("first"), nil
}

func (s *tokens) Reject(context.Context, accesstoken.App, secret.Value) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejected = true
	return nil
}

func evaluator(c *company, table *embedded.Engine) *members.Evaluator {
	return members.NewEvaluator(members.DirectoryConfig{
		Store: table, WeCom: c, Tokens: &tokens{}, SecretName: func(id string) string { return id },
	})
}

func authenticator(allow store.Allow, rules ...store.RoleRule) store.Authenticator {
	return store.Authenticator{ID: "id", Name: "hr", Enabled: true, CorpID: "ww1", AgentID: "1000002", SecretVersion: "v1", RoleRules: rules, Allow: allow}
}

func member(userID string, departments ...wecom.MemberDepartment) wecom.Member {
	return wecom.Member{UserID: userID, Status: wecom.MemberActive, Departments: departments}
}

func in(id int64) wecom.MemberDepartment    { return wecom.MemberDepartment{ID: id} }
func leads(id int64) wecom.MemberDepartment { return wecom.MemberDepartment{ID: id, Leader: true} }

func TestEvaluate(t *testing.T) {
	everybody := store.Allow{}
	all := []store.RoleRule{
		{Department: 2, Role: "sales"},
		{Department: 21, Role: "east"},
		{Department: 1, Role: "staff"},
		{Leader: true, Role: "lead"},
		{Tag: 7, Role: "ops"},
		{Department: 3, Role: "ops"},
		{Tag: 9, Role: "nobody"},
	}
	for _, test := range []struct {
		name  string
		a     store.Authenticator
		m     wecom.Member
		roles string
		tags  []int64
		allow bool
	}{
		{"with all departments below", authenticator(everybody, all...), member("lisi", in(21)), "sales east staff ops", []int64{7}, true},
		{"not with those above", authenticator(everybody, all...), member("lisi", in(2)), "sales staff ops", []int64{7}, true},
		{"one of several departments", authenticator(everybody, all...), member("lisi", in(3), in(21)), "sales east staff ops", []int64{7}, true},
		{"a tag of the member alone, without case", authenticator(everybody, all...), member("zhangsan"), "ops", []int64{7}, true},
		{"a role by two rules, once", authenticator(everybody, all...), member("zhangsan", in(3)), "staff ops", []int64{7}, true},
		{"leader of any department", authenticator(everybody, all...), member("lisi", in(3), leads(1)), "staff lead ops", nil, true},
		{"nothing fits", authenticator(everybody, all[:2]...), member("lisi", in(3)), "", nil, true},
		{"no department", authenticator(everybody, all...), member("lisi"), "", nil, true},
		{"no rules", authenticator(everybody), member("lisi", in(21)), "", nil, true},
		{
			"attack: a rule of the record gives the role of administrators",
			authenticator(everybody, store.RoleRule{Department: 1, Role: store.RoleAdmin}, store.RoleRule{Tag: 7, Role: store.RoleAdmin}, store.RoleRule{Leader: true, Role: store.RoleAdmin}),
			member("zhangsan", leads(21)), "",
			[]int64{7},
			true,
		},

		{"allowed by a department above", authenticator(store.Allow{Departments: []int64{2}}), member("lisi", in(21)), "", nil, true},
		{"in another department", authenticator(store.Allow{Departments: []int64{2}}), member("lisi", in(3)), "", nil, false},
		{"in the department above", authenticator(store.Allow{Departments: []int64{21}}), member("lisi", in(2)), "", nil, false},
		{"allowed by a tag", authenticator(store.Allow{Departments: []int64{3}, Tags: []int64{7}}), member("lisi", in(21)), "", []int64{7}, true},
		{"without the tag", authenticator(store.Allow{Tags: []int64{7}}), member("lisi", in(3)), "", nil, false},
		{"allowed by a role of the rules", authenticator(store.Allow{Roles: []string{"lead"}}, all...), member("lisi", leads(3)), "staff lead ops", nil, true},
		{"without the role", authenticator(store.Allow{Roles: []string{"lead"}}, all...), member("lisi", in(3)), "staff ops", nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got, err := evaluator(newCompany(), embeddedtest.New(t, nil)).Evaluate(t.Context(), test.a, test.m, nil)
				if err != nil || strings.Join(got.Roles, " ") != test.roles || got.Allowed != test.allow || cmp.Diff(test.tags, got.Tags) != "" {
					t.Errorf("got %+v, %v", got, err)
				}
			})
		})
	}
}

func TestDepartmentsStandInTheirTree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany()
		c.departments = append(c.departments, wecom.Department{ID: 50, ParentID: 49, Name: "Round"}, wecom.Department{ID: 51, ParentID: 52}, wecom.Department{ID: 52, ParentID: 51}) // 49 is not visible
		got, err := evaluator(c, embeddedtest.New(t, nil)).Evaluate(t.Context(), authenticator(store.Allow{}), member("lisi", leads(21), in(50), in(51)), nil)
		if err != nil || len(got.Departments) != 3 || len(got.Departments[2].Above) > 50 { // 51 and 52 go round in a circle
			t.Fatalf("%+v, %v", got, err)
		}
		want := []store.Department{
			{ID: 21, Name: "Sales East", Leader: true, Above: []int64{1, 2}, NamesAbove: []string{"Head Office", "Sales"}},
			{ID: 50, Name: "Round"},
		}
		if diff := cmp.Diff(want, got.Departments[:2]); diff != "" {
			t.Error(diff)
		}
	})
}

// A thousand members sign in within ten minutes, in twenty functions.
func TestThousandMembersCostAHandfulOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, table := newCompany(), embeddedtest.New(t, nil)
		a := authenticator(store.Allow{Tags: []int64{7}, Departments: []int64{1}}, store.RoleRule{Department: 2, Role: "sales"}, store.RoleRule{Tag: 8, Role: "ops"})
		a.ApplicationTags = []int64{8, 9}
		var group sync.WaitGroup
		for range 20 {
			e := evaluator(c, table)
			for i := range 50 {
				group.Go(func() {
					got, err := e.Evaluate(t.Context(), a, member(fmt.Sprint("member", i), in(21)), nil)
					if err != nil || strings.Join(got.Roles, " ") != "sales ops" {
						t.Errorf("%+v, %v", got, err)
					}
				})
			}
		}
		group.Wait()
		c.wantAsked(t, "tree, names, tag 7, tag 8, tag 9")
	})
}

func TestDirectoryIsTenMinutesOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, table := newCompany(), embeddedtest.New(t, nil)
		a := authenticator(store.Allow{}, store.RoleRule{Department: 2, Role: "sales"}, store.RoleRule{Tag: 7, Role: "ops"})
		roles := func(e *members.Evaluator, want string) {
			t.Helper()
			got, err := e.Evaluate(t.Context(), a, member("lisi", in(21)), nil)
			if err != nil || strings.Join(got.Roles, " ") != want {
				t.Errorf("roles %q, %v; want %q", got.Roles, err, want)
			}
		}
		first := evaluator(c, table)
		roles(first, "sales ops")
		c.wantAsked(t, "tree, names, tag 7")
		c.departments[2].ParentID, c.tags[7] = 3, wecom.Tag{}
		time.Sleep(9 * time.Minute)
		late := evaluator(c, table) // has it from the table, and no longer than others
		roles(first, "sales ops")
		roles(late, "sales ops")
		c.wantAsked(t, "")
		time.Sleep(time.Minute)
		roles(late, "")
		roles(first, "")
		c.wantAsked(t, "tree, names, tag 7")
		// Another secret, and so perhaps another visible range.
		a.SecretVersion = "v2"
		roles(first, "")
		c.wantAsked(t, "tree, names, tag 7")
	})
}

// A member who has another userid since keeps what a list of the earlier one gives, and
// nobody else's: once that list is over, the old userid may be somebody else's.
func TestTagListsNameTheFormerUserID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, table := newCompany(), embeddedtest.New(t, nil)
		a := authenticator(store.Allow{}, store.RoleRule{Tag: 7, Role: "ops"})
		var former []store.FormerUserID
		roles := func(userID, want string) {
			t.Helper()
			got, err := evaluator(c, table).Evaluate(t.Context(), a, member(userID), former)
			if err != nil || strings.Join(got.Roles, " ") != want {
				t.Errorf("roles %q, %v; want %q", got.Roles, err, want)
			}
		}
		roles("zhangsan", "ops")
		time.Sleep(time.Minute)
		former = []store.FormerUserID{{WeComUserID: "zhang.SAN", Until: time.Now()}, {WeComUserID: "ZhangSan", Until: time.Now()}}
		roles("zs", "ops")
		c.wantAsked(t, "tag 7")
		former = nil
		roles("zs", "")
		former = []store.FormerUserID{{WeComUserID: "ZhangSan", Until: time.Now()}}
		time.Sleep(9 * time.Minute)
		roles("zs", "") // attack: somebody else has the old userid by now, and the tag
		c.wantAsked(t, "tag 7")
	})
}

// Trap: a failure of WeCom takes roles away, or everybody waits for it in turn.
func TestFailureSaysNothingOfTheMember(t *testing.T) {
	for name, test := range map[string]struct {
		fail  func(*company, error)
		asked string
	}{
		"tree": {func(c *company, err error) { c.treeErr = err }, "tree, names"},
		"tag":  {func(c *company, err error) { c.tagErr = err }, "tree, names, tag 7"},
	} {
		for _, failure := range []error{
			&wecom.Error{Op: "x", Code: wecom.RateLimited}, &wecom.Error{Op: "x", Code: wecom.APIForbidden}, &wecom.UnavailableError{Op: "x", Reason: "time-out"},
		} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c, table := newCompany(), embeddedtest.New(t, nil)
					a := authenticator(store.Allow{}, store.RoleRule{Tag: 7, Role: "ops"})
					evaluate := func() error {
						_, err := evaluator(c, table).Evaluate(t.Context(), a, member("lisi", in(2)), nil)
						return err
					}
					if err := evaluate(); err != nil {
						t.Fatal(err)
					}
					time.Sleep(10 * time.Minute)
					c.wantAsked(t, "tree, names, tag 7")
					test.fail(c, failure)
					var group sync.WaitGroup
					for range 10 {
						group.Go(func() {
							err := evaluate()
							answered, ok := errors.AsType[*wecom.Error](err)
							wanted, refused := errors.AsType[*wecom.Error](failure)
							_, lost := errors.AsType[*wecom.UnavailableError](err)
							if err == nil || ok != refused || ok && answered.Code != wanted.Code || !refused && !lost {
								t.Errorf("got %v, want %v", err, failure)
							}
						})
					}
					group.Wait()
					c.wantAsked(t, test.asked)
					test.fail(c, nil)
					time.Sleep(10 * time.Second)
					if err := evaluate(); err != nil {
						t.Errorf("after the failure: %v", err)
					}
				})
			})
		}
	}
}

func TestNamesAreNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, table := newCompany(), embeddedtest.New(t, nil)
		c.namesErr = &wecom.Error{Op: "department/list", Code: wecom.APIForbidden}
		name := func(want string) {
			t.Helper()
			got, err := evaluator(c, table).Evaluate(t.Context(), authenticator(store.Allow{}), member("lisi", in(2)), nil)
			if err != nil || got.Departments[0].Name != want || got.Departments[0].Above[0] != 1 {
				t.Errorf("%+v, %v; want the name %q", got, err, want)
			}
			time.Sleep(10 * time.Minute)
		}
		name("")
		c.namesErr = nil
		name("Sales")
		c.namesErr = &wecom.UnavailableError{Op: "department/list", Reason: "time-out"}
		name("Sales") // as it was
	})
}

// An app whose visible range has members and tags only.
func TestAppWithoutDepartments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany()
		c.treeErr = &wecom.Error{Op: "department/simplelist", Code: wecom.OutOfScope}
		got, err := evaluator(c, embeddedtest.New(t, nil)).Evaluate(t.Context(), authenticator(store.Allow{}, store.RoleRule{Tag: 7, Role: "ops"}), member("zhangsan"), nil)
		if err != nil || strings.Join(got.Roles, " ") != "ops" || len(got.Departments) != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestRejectedTokenIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany()
		c.oldTokens = map[string]bool{"first": true}
		if got, err := evaluator(c, embeddedtest.New(t, nil)).Evaluate(t.Context(), authenticator(store.Allow{}), member("lisi", in(2)), nil); err != nil || got.Departments[0].Name != "Sales" {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// A holder of the lease that died keeps nobody waiting for ever.
// A tag too large for the table is looked up all the same.
func TestLargeTag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCompany()
		var large wecom.Tag
		for range 30_000 {
			large.UserIDs = append(large.UserIDs, rand.Text())
		}
		large.UserIDs = append(large.UserIDs, "lisi")
		c.tags[7] = large
		e := evaluator(c, embeddedtest.New(t, nil))
		for range 3 {
			got, err := e.Evaluate(t.Context(), authenticator(store.Allow{}, store.RoleRule{Tag: 7, Role: "ops"}), member("LiSi"), nil)
			if err != nil || len(got.Roles) != 1 {
				t.Fatalf("%+v, %v", got, err)
			}
		}
		c.wantAsked(t, "tag 7")
	})
}

func TestDepartmentsForThePicker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := evaluator(newCompany(), embeddedtest.New(t, nil)).Departments(t.Context(), authenticator(store.Allow{}))
		want := []wecom.Department{{ID: 1, Name: "Head Office"}, {ID: 2, ParentID: 1, Name: "Sales"}, {ID: 3, ParentID: 1, Name: "Finance"}, {ID: 21, ParentID: 2, Name: "Sales East"}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
}
