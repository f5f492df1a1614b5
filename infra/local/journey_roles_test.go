package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// withDepartments gives the company a tree, which the app sees whole, and two tags: 7 is 张三
// alone, 8 is everybody in 销售部 and below.
func withDepartments(c *wecomsim.Config) {
	corp := &c.Corps[0]
	corp.Departments = []wecomsim.Department{
		{ID: 1, Name: "总部"}, {ID: 2, Name: "销售部"}, {ID: 21, Name: "华东区", ParentID: 2}, {ID: 3, Name: "财务部"},
	}
	corp.Tags = []wecomsim.Tag{{ID: 7, Name: "值班", UserIDs: []string{"ZhangSan"}}, {ID: 8, Name: "外勤", Departments: []int{2}}}
	app := &corp.Apps[0]
	app.VisibleUserIDs, app.VisibleDepartments = nil, []int{1}
	for i := range corp.Members {
		switch m := &corp.Members[i]; m.UserID {
		case "zhangsan":
			m.Departments, m.LeaderOf = []int{21}, []int{21}
		case "lisi":
			m.Departments = []int{3}
		}
	}
}

func rule(condition string, value any, role string) map[string]any {
	return map[string]any{condition: value, "role": role}
}

// Roles come with the departments and tags of WeCom, and go with them; who matches nothing
// does not come in.
func TestRolesFollowTheDirectory(t *testing.T) {
	t.Parallel()
	f := newFixture(t, weComWhere(withDepartments), set(settings.MemberCheckInterval, "0"),
		with("roleRules", []any{rule("department", 2, "sales"), rule("tag", 7, "duty"), rule("tag", 8, "field"), rule("leader", true, "lead")}))
	zhangsan, lisi := f.signedIn("zhangsan"), f.signedIn("lisi")
	wants := func(b *browser, roles, departments string) {
		t.Helper()
		answer := b.get("/api/session").Body
		if s := b.session(); s == nil || strings.Join(s.User.Roles, " ") != roles || !strings.Contains(answer, `"departments":`+departments) {
			t.Errorf("%s", answer)
		}
	}
	wants(zhangsan, "sales duty field lead", `[{"id":21,"name":"华东区","leader":true}]`)
	wants(lisi, "", `[{"id":3,"name":"财务部","leader":false}]`)
	// An application gets the same, and those that need a tag are open to who has it.
	wiki := f.connect("wiki")
	f.mustAdmin(http.StatusOK, http.MethodPatch, "/applications/wiki", map[string]any{"allow": map[string]any{"tags": []int{8}}})
	refreshed := wiki.refresh(http.StatusOK, wiki.signIn(zhangsan).refreshToken, "")

	// 张三 moves to finance: at the next look, also for the application.
	f.must(f.weCom.ChangeMember(corpID, "zhangsan", func(m *wecomsim.Member) { m.Departments, m.LeaderOf = []int{3}, nil }))
	zhangsan.signIn("/authorize/main")
	wants(zhangsan, "duty", `[{"id":3,"name":"财务部","leader":false}]`)
	wiki.refresh(http.StatusBadRequest, refreshed, "invalid_grant")

	// A rule that goes takes its role at once.
	f.mustAdmin(http.StatusOK, http.MethodPatch, "/authenticators/main", map[string]any{"roleRules": []any{rule("leader", true, "lead")}})
	wants(zhangsan, "", `[{"id":3,`)

	// Now only sales may sign in.
	f.mustAdmin(http.StatusOK, http.MethodPatch, "/authenticators/main", map[string]any{"allow": map[string]any{"departments": []int{2}}})
	desktop := f.onDesktop("lisi")
	desktop.wantFailure(desktop.open("/authorize/main"), "not_allowed", "")
	f.must(f.weCom.ChangeMember(corpID, "lisi", func(m *wecomsim.Member) { m.Departments = []int{3, 21} }))
	f.onDesktop("lisi").wantOpen("/authorize/main", "/", 1)
}

// WeCom tells no departments and tags for a while: roles stay as they were, and nobody is let
// in by what is not known.
func TestDirectoryThatCannotBeRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, weComWhere(withDepartments), set(settings.MemberCheckInterval, "0"), with("roleRules", []any{rule("department", 2, "sales")}))
	b := f.signedIn("zhangsan")
	f.wait(10 * time.Minute)
	f.weCom.Inject(wecomsim.Fault{API: "/cgi-bin/department/simplelist", Code: 48002})
	b.signIn("/authorize/main")
	if s := b.session(); s == nil || !slices.Equal(s.User.Roles, []string{"sales"}) {
		t.Errorf("signed in as %+v", s)
	}
	f.mustAdmin(http.StatusOK, http.MethodPatch, "/authenticators/main", map[string]any{"allow": map[string]any{"departments": []int{2}}})
	f.wait(time.Minute)
	desktop := f.onDesktop("zhangsan")
	desktop.wantFailure(desktop.open("/authorize/main"), "wecom_unavailable", "")
	f.weCom.ClearFaults()
	f.wait(time.Minute)
	f.onDesktop("zhangsan").wantOpen("/authorize/main", "/", 1)
}

// A company signs in of a morning: WeCom is asked for its directory once in ten minutes.
func TestDirectoryIsReadOnceForAll(t *testing.T) {
	t.Parallel()
	f := newFixture(t, weComWhere(withDepartments), set(settings.MemberCheckInterval, "0"), with("roleRules", []any{rule("department", 2, "sales"), rule("tag", 8, "field")}))
	f.signedIn("zhangsan")
	f.weCom.ResetCalls()
	for range 5 {
		f.onDesktop("zhangsan").wantOpen("/authorize/main", "/", 1)
		f.wait(time.Minute)
	}
	directory := []string{"/cgi-bin/department/simplelist", "/cgi-bin/department/list", "/cgi-bin/tag/get"}
	if n := f.weCom.Calls(directory...); n != 0 {
		t.Errorf("%d calls within ten minutes: %v", n, f.weCom.CallsByPath())
	}
	f.wait(10 * time.Minute)
	f.onDesktop("zhangsan").wantOpen("/authorize/main", "/", 1)
	if got := f.weCom.CallsByPath(); f.weCom.Calls(directory...) != 3 {
		t.Errorf("after ten minutes: %v", got)
	}
	if preview := f.mustAdmin(http.StatusOK, http.MethodPost, "/authenticators/main/roles/preview", map[string]any{"wecomUserId": "zhangsan"}); preview.Body != fmt.Sprintln(`{"roles":["sales","field"],"allowed":true,"departments":[{"id":21,"name":"华东区","leader":true}]}`) {
		t.Errorf("%s", preview.Body)
	}
}

// What WeCom pushes as changed is fetched anew at the next look at a member, and nothing else.
func TestChangedDirectoryIsFetchedAnew(t *testing.T) {
	t.Parallel()
	f := newFixture(t, weComWhere(withDepartments), set(settings.MemberCheckInterval, "0"), with("roleRules", []any{rule("department", 2, "sales"), rule("tag", 7, "duty")}))
	receiver := f.receive()
	b := f.signedIn("zhangsan")
	push := func(change string) {
		t.Helper()
		if status := receiver.push("<FromUserName>sys</FromUserName><Event>change_contact</Event>" + change); status != http.StatusOK {
			t.Errorf("push of %s: %d", change, status)
		}
	}
	fetched := func(trees, tags int) {
		t.Helper()
		b.signIn("/authorize/main")
		if got, tagged := f.weCom.Calls("/cgi-bin/department/simplelist"), f.weCom.Calls("/cgi-bin/tag/get"); got != trees || tagged != tags {
			t.Errorf("%d trees and %d tags were fetched, want %d and %d", got, tagged, trees, tags)
		}
	}
	fetched(1, 1)
	push("<ChangeType>create_party</ChangeType><Id>99</Id><ParentId>2</ParentId>")
	fetched(2, 1)
	push("<ChangeType>update_tag</ChangeType><TagId>8</TagId>") // no rule names it
	fetched(2, 1)
	push("<ChangeType>update_tag</ChangeType><TagId>7</TagId>")
	fetched(2, 2)
}

// Attack: a partner writes an employee's phone down for one of its own members, who becomes the
// same user while no rule gives the employee a role. When one does, it gives the employee's
// sessions that role and not the partner's, whoever came first.
func TestAttackPartnerGetsTheRolesOfAnEmployee(t *testing.T) {
	finance := []any{rule("department", 1, "finance")}
	for name, test := range map[string]struct {
		partnerFirst bool
		by           string // the authenticator that gets the rule
	}{
		"the partner first, a rule afterwards":  {true, mainName},
		"the employee first, a rule afterwards": {false, mainName},
		"the partner first, by another app":     {true, "second"},
		"the employee first, by another app":    {false, "second"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, weComWhere(func(c *wecomsim.Config) {
				withDepartments(c)
				withSecondApp(c)
			}))
			f.addOther()
			f.addSecondApp("second", "/")
			wiki := f.registerWiki(func(a *store.Application) { a.Allow.Roles = []string{"finance"} })
			wiki.config.Scopes = append(wiki.config.Scopes, "groups")
			employee, partner := f.inWeCom("zhangsan"), f.inWeCom(otherCorpID+"/san.zhang")
			if test.partnerFirst {
				partner.signIn("/authorize/other")
			}
			employee.signIn("/authorize/main")
			if !test.partnerFirst {
				partner.signIn("/authorize/other")
			}
			id := employee.session().User.ID
			if partner.session().User.ID != id {
				t.Fatal("they are two users")
			}
			f.patch("/authenticators/"+test.by, map[string]any{"roleRules": finance})
			f.wait(11 * time.Second) // the caches
			employee.signIn("/authorize/" + test.by)
			again := f.inWeCom(otherCorpID + "/san.zhang")
			again.signIn("/authorize/other")

			if roles := employee.session().User.Roles; !slices.Equal(roles, []string{"finance"}) {
				t.Errorf("the employee has the roles %v", roles)
			}
			entered := wiki.begin()
			if claims := entered.finish(employee.open(entered.address)).claims; fmt.Sprint(claims["roles"]) != "[finance]" {
				t.Errorf("the application is told %v of the employee", claims["roles"])
			}
			for _, b := range []*browser{partner, again} {
				if s := b.session(); len(s.User.Roles) != 0 || s.User.ID != id || s.CorpID != otherCorpID {
					t.Errorf("the partner's session: %+v", s)
				}
				if roles := claimsOf(t, b.token())["roles"]; fmt.Sprint(roles) != "[]" {
					t.Errorf("the partner's token has the roles %v", roles)
				}
				if end := b.open(wiki.begin().address); end.Page.Status != http.StatusForbidden {
					t.Errorf("the partner ended at %s with %d", end.Address, end.Page.Status)
				}
			}
			f.patch("/applications/wiki", map[string]any{"allow": map[string]any{"roles": []string{}}})
			f.wait(11 * time.Second)
			for _, b := range []*browser{partner, again} {
				entered := wiki.begin()
				got := entered.finish(b.open(entered.address))
				if got.claims["roles"] != nil || got.claims["groups"] != nil {
					t.Errorf("the application is told %v of the partner", got.claims)
				}
			}
			// Administrators see what the user's rules give, by whatever company.
			if user := f.mustAdmin(http.StatusOK, http.MethodGet, "/users/"+id, nil).Body; !strings.Contains(user, `"wecomRoles":["finance"]`) {
				t.Errorf("%s", user)
			}
		})
	}
}
