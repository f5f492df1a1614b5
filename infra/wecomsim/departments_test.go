package wecomsim

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// withDepartments gives the first corp a tree, tags and people in them:
//
//	1 ── 2 Research ── 3 Compilers ── 4 Parsers
//	└── 5 Sales
func withDepartments(change func(*App)) func(*Config) {
	return func(c *Config) {
		corp := &c.Corps[0]
		corp.Departments = []Department{
			{ID: 2, Name: "研发部", LatinName: "Research", Order: 20},
			{ID: 3, Name: "编译组", LatinName: "Compilers", ParentID: 2},
			{ID: 4, Name: "语法组", LatinName: "Parsers", ParentID: 3},
			{ID: 5, Name: "销售部", LatinName: "Sales", Order: 10},
		}
		corp.Tags = []Tag{{ID: 1, Name: "值班", UserIDs: []string{"zhangsan", "hidden"}, Departments: []int{3, 5}}}
		corp.Members = []Member{
			{UserID: "zhangsan", Name: "张三", Mobile: "13800000001", Departments: []int{3, 5}, LeaderOf: []int{3}, DirectLeader: "boss", Position: "工程师"},
			{UserID: "parser", Name: "语法", Mobile: "+44 7700-900123", Departments: []int{4}, DirectLeader: "zhangsan"},
			{UserID: "boss", Name: "老板", Mobile: "13800000009", LeaderOf: []int{1}},
			{UserID: "hidden", Name: "王五", Mobile: "13800000003", Departments: []int{5}, LeaderOf: []int{5}},
			{UserID: "gone", Name: "走了", Mobile: "13800000004", Departments: []int{3}, Status: StatusLeft},
		}
		corp.Apps[0].VisibleUserIDs = nil
		change(&corp.Apps[0])
	}
}

func TestVisibleRange(t *testing.T) {
	const (
		root      = `{"department_leader":["boss"],"id":1,"name":"示例公司","name_en":"","order":0,"parentid":0}`
		research  = `{"department_leader":[],"id":2,"name":"研发部","name_en":"Research","order":20,"parentid":1}`
		compilers = `{"department_leader":["zhangsan"],"id":3,"name":"编译组","name_en":"Compilers","order":0,"parentid":2}`
		parsers   = `{"department_leader":[],"id":4,"name":"语法组","name_en":"Parsers","order":0,"parentid":3}`
		sales     = `{"department_leader":["hidden"],"id":5,"name":"销售部","name_en":"Sales","order":10,"parentid":1}`
	)
	departments := func(d ...string) string {
		return `{"department":[` + strings.Join(d, ",") + `],"errcode":0,"errmsg":"ok"}`
	}
	ids := func(d ...string) string {
		return `{"department_id":[` + strings.Join(d, ",") + `],"errcode":0,"errmsg":"ok"}`
	}
	tag := func(parties, users string) string {
		return `{"errcode":0,"errmsg":"ok","partylist":[` + parties + `],"tagname":"值班","userlist":[` + users + `]}`
	}
	members := func(m ...string) string {
		return `{"errcode":0,"errmsg":"ok","userlist":[` + strings.Join(m, ",") + `]}`
	}
	const parser = `{"alias":"","department":[4],"direct_leader":["zhangsan"],"extattr":{"attrs":[]},"external_position":"","external_profile":{"external_attr":[]},` +
		`"is_leader_in_dept":[0],"main_department":4,"name":"语法","order":[0],"position":"","status":1,"telephone":"","userid":"parser"}`
	everyone := func(*App) {}
	research2 := func(a *App) { a.VisibleDepartments = []int{2} }
	membersOnly := func(a *App) { a.VisibleUserIDs = []string{"zhangsan"} }
	tagOnly := func(a *App) { a.VisibleTags = []int{1} }
	nobody := func(a *App) { a.VisibleUserIDs = []string{} }
	tests := []struct {
		rule  string
		app   func(*App)
		path  string
		query []string
		code  int
		want  string
	}{
		{"whole company", everyone, PathListDepartments, nil, 0, departments(root, research, compilers, parsers, sales)},
		{"a department and those below", everyone, PathListDepartments, []string{"id", "3"}, 0, departments(compilers, parsers)},
		{"a department in the range brings those below", research2, PathListDepartments, nil, 0, departments(research, compilers, parsers)},
		{"a range of members has no departments", membersOnly, PathListDepartments, nil, 0, departments()},
		{"an empty range has none", nobody, PathListDepartments, nil, 0, departments()},
		{"a tag brings its departments and those below", tagOnly, PathListDepartments, nil, 0, departments(compilers, parsers, sales)},
		{"named outside the range", research2, PathListDepartments, []string{"id", "5"}, 60011, ""},
		{"the root outside the range", research2, PathListDepartments, []string{"id", "1"}, 60011, ""},
		{"unknown", research2, PathListDepartments, []string{"id", "99"}, 60003, ""},
		{"not a number", research2, PathListDepartments, []string{"id", "x"}, 60003, ""},

		{"ids: below a department in the range", research2, PathDepartmentIDs, []string{"id", "3"}, 0, ids(`{"id":3,"order":0,"parentid":2}`, `{"id":4,"order":0,"parentid":3}`)},
		{"ids: the parent's is there even when out of range", tagOnly, PathDepartmentIDs, nil, 0, ids(`{"id":3,"order":0,"parentid":2}`, `{"id":4,"order":0,"parentid":3}`, `{"id":5,"order":10,"parentid":1}`)},
		{"ids: a range of members has none", membersOnly, PathDepartmentIDs, nil, 0, ids()},
		{"ids: named outside the range", research2, PathDepartmentIDs, []string{"id", "5"}, 60011, ""},

		{"one department", research2, PathGetDepartment, []string{"id", "3"}, 0, `{"department":` + compilers + `,"errcode":0,"errmsg":"ok"}`},
		{"one department outside the range", research2, PathGetDepartment, []string{"id", "5"}, 60011, ""},
		{"one department without an id", research2, PathGetDepartment, nil, 60003, ""},

		{"names: of the department itself", everyone, PathMemberNames, []string{"department_id", "3"}, 0, members(`{"department":[3,5],"name":"张三","userid":"zhangsan"}`)},
		{"names: departments out of range are left out", research2, PathMemberNames, []string{"department_id", "3"}, 0, members(`{"department":[3],"name":"张三","userid":"zhangsan"}`)},
		{"names: nobody", everyone, PathMemberNames, []string{"department_id", "2"}, 0, members()},
		{"names: those below are not meant", everyone, PathMemberNames, []string{"department_id", "2", "fetch_child", "1"}, 0, members()},
		{"names: named outside the range", research2, PathMemberNames, []string{"department_id", "5"}, 60011, ""},
		{"names: a range of members has no departments", membersOnly, PathMemberNames, []string{"department_id", "3"}, 60011, ""},
		{"names: unknown", everyone, PathMemberNames, []string{"department_id", "99"}, 60003, ""},
		{"names: missing", everyone, PathMemberNames, nil, 60003, ""},
		{"members: the fields of one", research2, PathListMembers, []string{"department_id", "4"}, 0, members(parser)},
		{"members: named outside the range", research2, PathListMembers, []string{"department_id", "5"}, 60011, ""},

		{"tag", everyone, PathGetTag, []string{"tagid", "1"}, 0, tag("3,5", `{"name":"张三","userid":"zhangsan"},{"name":"王五","userid":"hidden"}`)},
		{"tag: cut to the range", research2, PathGetTag, []string{"tagid", "1"}, 0, tag("3", `{"name":"张三","userid":"zhangsan"}`)},
		{"tag: nothing of it in the range", nobody, PathGetTag, []string{"tagid", "1"}, 0, tag("", "")},
		{"tag: unknown", everyone, PathGetTag, []string{"tagid", "2"}, 40068, ""},
		{"tag: missing", everyone, PathGetTag, nil, 40068, ""},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, withDepartments(test.app))
			got := h.get(test.path, append([]string{"access_token", h.token(secretA)}, test.query...)...)
			h.expect(test.code, got)
			if test.code == 0 && string(got.raw) != test.want {
				t.Errorf("got\n%s\nwant\n%s", got.raw, test.want)
			}
		})
	}
	t.Run("contact-sync", func(t *testing.T) {
		h := newHarness(t, withDepartments(nobody))
		token := h.token(syncKey)
		for path, want := range map[string]int{
			PathListDepartments: 48009, PathGetDepartment: 48009, PathGetTag: 48009, PathListMembers: 48009, PathMemberNames: 48009, PathGetUser: 48009,
			PathGetUserID: 48002, PathGetUserIDByMail: 48002,
		} {
			method, body := http.MethodGet, ""
			if want == 48002 {
				method, body = http.MethodPost, "{}"
			}
			h.expect(want, h.do(method, path+"?access_token="+token+"&id=2&department_id=2&tagid=1&userid=boss", body, nil))
		}
		got := h.get(PathDepartmentIDs, "access_token", token, "id", "2")
		if want := ids(`{"id":2,"order":20,"parentid":1}`, `{"id":3,"order":0,"parentid":2}`, `{"id":4,"order":0,"parentid":3}`); string(got.raw) != want {
			t.Errorf("got\n%s\nwant\n%s", got.raw, want)
		}
	})
}

// user/list_id has a row a membership, without those who left, for contact-sync
// alone.
func TestMemberIDs(t *testing.T) {
	tests := []struct {
		rule, body, want string
		secret           string
		choice           bool
		code             int
	}{
		{rule: "all on one page", body: `{}`, want: "[zhangsan 3 zhangsan 5 parser 4 boss 1 hidden 5]"},
		{rule: "the last page has no cursor, switched", choice: true, body: `{}`, want: "[zhangsan 3 zhangsan 5 parser 4 boss 1 hidden 5] <nil>"},
		{rule: "the first page", body: `{"limit":2}`, want: "[zhangsan 3 zhangsan 5] 2"},
		{rule: "the next", body: `{"cursor":"2","limit":2}`, want: "[parser 4 boss 1] 4"},
		{rule: "the last", body: `{"cursor":"4","limit":2}`, want: "[hidden 5]"},
		{rule: "a page too large", body: `{"limit":10001}`, code: 40063},
		{rule: "an unknown cursor", body: `{"cursor":"x"}`, code: 40063},
		{rule: "no JSON", body: `cursor=`, code: 47001},
		{rule: "an app", secret: secretA, body: `{}`, code: 48002},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, withDepartments(func(*App) {}))
			h.Change(func(c *Choices) { c.LastPageWithoutCursor = test.choice })
			got := h.do(http.MethodPost, PathMemberIDs+"?access_token="+h.token(cmp.Or(test.secret, syncKey)), test.body, nil)
			h.expect(test.code, got)
			rows, _ := got.fields["dept_user"].([]any)
			var shown []any
			for _, row := range rows {
				row, _ := row.(map[string]any)
				shown = append(shown, row["userid"], row["department"])
			}
			if text := strings.TrimSpace(fmt.Sprint(fmt.Sprint(shown), " ", got.fields["next_cursor"])); test.code == 0 && text != test.want {
				t.Errorf("got %s, want %s", text, test.want)
			}
		})
	}
}

// A member is shown with the departments that the app sees, and the lists beside
// them have the same length.
func TestMemberInDepartments(t *testing.T) {
	tests := []struct {
		rule   string
		app    func(*App)
		userID string
		want   string
	}{
		{"all departments", func(*App) {}, "zhangsan", `[3 5] [0 0] [1 0] 3 [boss]`},
		{"the main department out of range", func(a *App) { a.VisibleDepartments = []int{5} }, "zhangsan", `[5] [0] [0] <nil> []`},
		{"a range of members", func(a *App) { a.VisibleUserIDs = []string{"ZhangSan", "boss"} }, "zhangsan", `[] [] [] <nil> [boss]`},
		{"by a tag", func(a *App) { a.VisibleTags = []int{1} }, "zhangsan", `[3 5] [0 0] [1 0] 3 []`},
		{"by a department above", func(a *App) { a.VisibleDepartments = []int{2} }, "parser", `[4] [0] [0] 4 [zhangsan]`},
		{"by a tagged department above", func(a *App) { a.VisibleTags = []int{1} }, "parser", `[4] [0] [0] 4 [zhangsan]`},
		{"in no department: the root", func(*App) {}, "boss", `[1] [0] [1] 1 []`},
		{"out of range", func(a *App) { a.VisibleDepartments = []int{3} }, "boss", ""},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, withDepartments(test.app))
			got := h.get(PathGetUser, "access_token", h.token(secretA), "userid", test.userID)
			if test.want == "" {
				h.expect(60111, got)
				return
			}
			f := got.fields
			if shown := fmt.Sprint(f["department"], f["order"], f["is_leader_in_dept"], f["main_department"], f["direct_leader"]); shown != test.want {
				t.Errorf("got %s, want %s", shown, test.want)
			}
		})
	}
}

// 代开发: two UserIDs that differ in case are two members, and nothing has a name.
func TestOpaqueIDs(t *testing.T) {
	h := newHarness(t, func(c *Config) {
		withDepartments(func(a *App) { a.VisibleUserIDs, a.VisibleDepartments = []string{"woAb"}, []int{3} })(c)
		c.Corps[0].OpaqueIDs = true
		c.Corps[0].Members = append(c.Corps[0].Members, Member{UserID: "woAb", Name: "甲", Alias: "a"}, Member{UserID: "woaB", Name: "乙"})
	})
	token := h.token(secretA)
	for rule, test := range map[string]struct {
		path, name, value string
		code              int
	}{
		"a member":           {path: PathGetUser, name: "userid", value: "woAb"},
		"in other letters":   {path: PathGetUser, name: "userid", value: "woaB", code: 60111},
		"members":            {path: PathListMembers, name: "department_id", value: "3"},
		"members in a list":  {path: PathMemberNames, name: "department_id", value: "3"},
		"members with a tag": {path: PathGetTag, name: "tagid", value: "1"},
		"a department":       {path: PathGetDepartment, name: "id", value: "3"},
		"departments":        {path: PathListDepartments, name: "id", value: "3"},
	} {
		got := h.get(test.path, "access_token", token, test.name, test.value)
		h.expect(test.code, got)
		if text := string(got.raw); strings.Contains(text, `"name`) || strings.Contains(text, `"alias`) || test.code == 0 && !strings.Contains(text, `"userid":`) && !strings.Contains(text, `"id":3`) {
			t.Errorf("%s: got %s", rule, text)
		}
	}
}

func (h *harness) lookUp(token, phone string) answer {
	h.t.Helper()
	return h.do(http.MethodPost, PathGetUserID+"?access_token="+token, fmt.Sprintf(`{"mobile":%q}`, phone), nil)
}

func TestGetUserID(t *testing.T) {
	h := newHarness(t, withDepartments(func(a *App) { a.VisibleDepartments = []int{2} }))
	token := h.token(secretA)
	tests := []struct {
		rule, phone string
		want        any
		code        int
	}{
		{"found", "13800000001", "zhangsan", 0},
		{"blanks and dashes do not count", "+447700900123", "parser", 0},
		{"with the mainland's code", "+8613800000001", "", 46004},
		{"unknown", "13899999999", "", 46004},
		{"out of range, which looks the same", "13800000003", "", 46004},
		{"left, which looks the same", "13800000004", "", 46004},
		{"letters", "1380000000x", "", 60103},
		{"too short", "1380", "", 60103},
		{"missing", "", "", 40063},
	}
	for _, test := range tests {
		if got := h.lookUp(token, test.phone); got.errcode != test.code || got.fields["userid"] != test.want {
			t.Errorf("%s: got %s", test.rule, got.raw)
		}
	}
	h.expect(47001, h.do(http.MethodPost, PathGetUserID+"?access_token="+token, "mobile=13800000001", nil))
	h.expect(40063, h.get(PathGetUserID, "access_token", token))
}

func TestGetUserIDByMail(t *testing.T) {
	h := newHarness(t, func(c *Config) {
		withDepartments(func(a *App) { a.VisibleDepartments = []int{2} })(c)
		c.Corps[0].MemberLimit = 20
		members := c.Corps[0].Members
		members[0].BizMail, members[0].Email = "z@corp.example", "z@own.example"
		members[3].BizMail = "hidden@corp.example"
	})
	target := PathGetUserIDByMail + "?access_token=" + h.token(secretA)
	tests := []struct {
		rule, body string
		want       any
		code       int
	}{
		{"the company's", `{"email":"z@corp.example"}`, "zhangsan", 0},
		{"the company's, said so", `{"email":"z@corp.example","email_type":1}`, "zhangsan", 0},
		{"the member's own", `{"email":"z@own.example","email_type":2}`, "zhangsan", 0},
		{"of the other kind", `{"email":"z@own.example"}`, "", 46004},
		{"in capitals", `{"email":"Z@corp.example"}`, "", 46004},
		{"out of range, which looks the same", `{"email":"hidden@corp.example"}`, "", 46004},
		{"missing", `{"email_type":2}`, "", 40063},
		{"no such kind", `{"email":"z@own.example","email_type":3}`, "", 40063},
		{"no JSON", `email=z@corp.example`, "", 47001},
	}
	for _, test := range tests {
		if got := h.do(http.MethodPost, target, test.body, nil); got.errcode != test.code || got.fields["userid"] != test.want {
			t.Errorf("%s: got %s", test.rule, got.raw)
		}
	}
	// Phones and mail addresses share the misses: 3 above, and 4 are allowed.
	h.expect(46004, h.lookUp(h.token(secretA), "13899999999"))
	h.expect(46004, h.lookUp(h.token(secretA), "13899999999"))
	h.expect(45009, h.do(http.MethodPost, target, tests[0].body, nil))
}

// More misses than a fifth of the member limit close the call for every app of
// the corp, for a day; hits cost nothing.
func TestManyMissesCloseTheLookup(t *testing.T) {
	open := func(c *Config) {
		withDepartments(func(*App) {})(c)
		c.Corps[0].MemberLimit = 10
	}
	for rule, test := range map[string]struct {
		limits Limits
		misses int
		closed time.Duration
	}{
		"a fifth, a day":   {misses: 3, closed: 24 * time.Hour},
		"switched":         {limits: Limits{LookupMisses: 1, LookupPeriod: time.Hour}, misses: 2, closed: time.Hour},
		"switched to none": {limits: Limits{LookupMisses: -1}, misses: 20},
	} {
		t.Run(rule, func(t *testing.T) {
			h := newHarness(t, func(c *Config) { open(c); c.Limits = test.limits })
			for range test.misses {
				token := h.token(secretA)
				h.expect(0, h.lookUp(token, "13800000001"))
				h.expect(46004, h.lookUp(token, "13899999999"))
			}
			if test.closed == 0 {
				h.expect(0, h.lookUp(h.token(secretA), "13800000001"))
				return
			}
			h.expect(45009, h.lookUp(h.token(secretB), "13800000001"))
			h.clock.advance(test.closed - time.Second)
			h.expect(45009, h.lookUp(h.token(secretA), "13800000001"))
			h.clock.advance(time.Second)
			h.expect(0, h.lookUp(h.token(secretA), "13800000001"))
		})
	}
}

func TestValidateDepartments(t *testing.T) {
	mistakes := map[string]func(*Corp){
		"department used twice":    func(c *Corp) { c.Departments = append(c.Departments, Department{ID: 2}) },
		"department 0":             func(c *Corp) { c.Departments[0].ID = 0 },
		"unknown parent":           func(c *Corp) { c.Departments[1].ParentID = 99 },
		"tag used twice":           func(c *Corp) { c.Tags = append(c.Tags, Tag{ID: 1}) },
		"tag with unknown part":    func(c *Corp) { c.Tags[0].Departments = []int{99} },
		"member of an unknown one": func(c *Corp) { c.Members[0].Departments = []int{99} },
	}
	for mistake, make := range mistakes {
		config := Config{Corps: []Corp{{ID: corpID, Apps: []App{{AgentID: appA, Secret: secretA}}}}}
		withDepartments(func(*App) {})(&config)
		must(t, config.Validate())
		config.Corps[0].Departments = slices.Clone(config.Corps[0].Departments)
		make(&config.Corps[0])
		if config.Validate() == nil {
			t.Errorf("%s: accepted", mistake)
		}
	}
}
