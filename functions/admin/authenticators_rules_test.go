package admin_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

const hrPath = "/api/admin/authenticators/hr"

func TestRoleRulesAndAllow(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	if version := o.authenticator("hr").RulesVersion; version != "" {
		t.Errorf("an authenticator without rules has the version %q, with which every check is due", version)
	}
	last := ""
	for _, test := range []struct {
		body, rules, allow string
		same               bool // what checks come to is the same
	}{
		{
			`{"roleRules":[{"department":12,"role":"finance"},{"role":"ops","tag":3},{"leader":true,"role":"lead"},{"tag":3,"role":"ops"}]}`,
			"[map[department:12 role:finance] map[role:ops tag:3] map[leader:true role:lead]]", "map[departments:[] roles:[] tags:[]]", false,
		},
		{`{"title":"HR"}`, "[map[department:12 role:finance] map[role:ops tag:3] map[leader:true role:lead]]", "map[departments:[] roles:[] tags:[]]", true},
		{`{"allow":{"departments":[1,2,1],"roles":["lead"]},"roleRules":[{"leader":true,"role":"lead"}]}`, "[map[leader:true role:lead]]", "map[departments:[1 2] roles:[lead] tags:[]]", false},
		{`{"allow":{"tags":[4294967295]}}`, "[map[leader:true role:lead]]", "map[departments:[1 2] roles:[lead] tags:[4.294967295e+09]]", false},
		{`{"allow":{"departments":[1,2]},"roleRules":[{"role":"lead","leader":true}]}`, "[map[leader:true role:lead]]", "map[departments:[1 2] roles:[lead] tags:[4.294967295e+09]]", true},
		{`{"allow":{"departments":[],"tags":[],"roles":[]},"roleRules":[]}`, "[]", "map[departments:[] roles:[] tags:[]]", false},
	} {
		got := o.expect(200, request{method: "PATCH", path: hrPath, body: test.body}).object(t)
		if fmt.Sprint(got["roleRules"]) != test.rules || fmt.Sprint(got["allow"]) != test.allow {
			t.Errorf("%s: %v, %v", test.body, got["roleRules"], got["allow"])
		}
		version := o.authenticator("hr").RulesVersion
		if (version == last) != test.same || version == "" {
			t.Errorf("%s: the version of the rules was %q and is %q", test.body, last, version)
		}
		last = version
	}
	if made := o.create("it", `,"roleRules":[{"tag":3,"role":"ops"}]`).object(t); fmt.Sprint(made["roleRules"]) != "[map[role:ops tag:3]]" || o.authenticator("it").RulesVersion == "" {
		t.Errorf("created %v", made)
	}
}

// Attack: the role of administrators by something that others may change.
func TestRoleRuleRefusals(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	before := o.authenticator("hr")
	many := make([]string, 51)
	for i := range many {
		many[i] = fmt.Sprintf(`{"department":%d,"role":"r"}`, i+1)
	}
	for field, values := range map[string][]string{
		"roleRules": {
			`null`, `{}`, `[1]`, `[null]`, `[[]]`, `[{}]`, `[{"role":"x"}]`, `[{"department":1}]`, `[{"leader":true,"role":"r"},{"department":1,"tag":2,"role":"x"}]`,
			`[{"leader":false,"role":"x"}]`, `[{"leader":"true","role":"x"}]`, `[{"department":"12","role":"x"}]`, `[{"department":0,"role":"x"}]`, `[{"tag":-1,"role":"x"}]`, `[{"tag":1.5,"role":"x"}]`,
			`[{"tag":4294967296,"role":"x"}]`, `[{"userid":"li","role":"x"}]`, `[{"Department":1,"role":"x"}]`, `[{"department":"Sales","role":"x"}]`,
			`[{"department":1,"role":"admin"}]`, `[{"tag":1,"role":"admin"}]`, `[{"leader":true,"role":"admin"}]`, `[{"tag":1,"role":"Admin"}]`, `[{"tag":1,"role":"admin "}]`,
			`[{"tag":1,"role":""}]`, `[{"tag":1,"role":"a b"}]`, `[{"tag":1,"role":"-a"}]`, `[{"tag":1,"role":"a:b"}]`, `[{"tag":1,"role":null}]`, `[{"tag":1,"role":"` + strings.Repeat("a", 65) + `"}]`,
			"[" + strings.Join(many, ",") + "]",
		},
		"roleRules.role":    {`[{"tag":1,"role":"a","role":"admin"}]`},
		"allow":             {`null`, `[]`, `"everybody"`},
		"allow.users":       {`{"users":["li"]}`},
		"allow.departments": {`{"departments":null}`, `{"departments":["1"]}`, `{"departments":[0]}`, `{"departments":[1,[]]}`},
		"allow.tags":        {`{"tags":7}`, `{"tags":[` + strings.Repeat("1,", 50) + `1.1]}`, `{"tags":` + numbers(51) + `}`},
		"allow.roles":       {`{"roles":"staff"}`, `{"roles":["a b"]}`},
	} {
		for _, value := range values {
			name, _, _ := strings.Cut(field, ".")
			got := o.expect(400, request{method: "PATCH", path: hrPath, body: fmt.Sprintf(`{"title":"other",%q:%s}`, name, value)})
			if problem := got.problem(t); problem != "invalid_request "+field {
				t.Errorf("%s: %s", value, got.body)
			}
		}
	}
	if !reflect.DeepEqual(o.authenticator("hr"), before) {
		t.Errorf("changed: %+v", o.authenticator("hr"))
	}
}

// numbers returns a JSON array of the numbers from 1.
func numbers(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(i + 1)
	}
	return "[" + strings.Join(all, ",") + "]"
}

// Attack: department 12 of the former company lets in, or gives roles to, department 12 of the
// new one. Nothing is cleared unasked: an empty allow lets in everybody.
func TestAttackNumbersOfTheFormerCompany(t *testing.T) {
	const rules, leader = `"roleRules":[{"leader":true,"role":"lead"},{"tag":3,"role":"ops"}]`, `"roleRules":[{"leader":true,"role":"lead"}]`
	for _, test := range []struct {
		stored, body string
		field        string // refused for; empty: not refused
	}{
		{rules, `{"corpId":"wwnew"}`, "roleRules"},
		{rules, `{"corpId":"wwnew","allow":{"departments":[1]}}`, "roleRules"},
		{rules, `{"corpId":"wwnew","roleRules":[{"tag":3,"role":"ops"}]}`, ""},
		{rules, `{"corpId":"wwnew","roleRules":[]}`, ""},
		{rules, `{"corpId":"ww0123456789"}`, ""}, // as it is
		{leader, `{"corpId":"wwnew"}`, ""},
		{`"allow":{"departments":[12]}`, `{"corpId":"wwnew"}`, "allow.departments"},
		{`"allow":{"departments":[12]}`, `{"corpId":"wwnew","allow":{"roles":["staff"]}}`, "allow.departments"},
		{`"allow":{"departments":[12]}`, `{"corpId":"wwnew","allow":{"departments":[7]}}`, ""},
		{`"allow":{"departments":[12],"tags":[3]}`, `{"corpId":"wwnew","allow":{"departments":[7]}}`, "allow.tags"},
		{`"allow":{"departments":[12],"tags":[3]}`, `{"corpId":"wwnew","allow":{"departments":[],"tags":[]}}`, ""},
		{`"allow":{"roles":["staff"]}`, `{"corpId":"wwnew"}`, ""},
	} {
		o := newOffice(t)
		o.create("hr", ","+test.stored)
		before := o.authenticator("hr")
		status := 200
		if test.field != "" {
			status = 400
		}
		got := o.expect(status, request{method: "PATCH", path: hrPath, body: test.body})
		if test.field == "" {
			continue
		}
		if problem := got.problem(t); problem != "invalid_request "+test.field || !strings.Contains(got.body, "give "+test.field+" for the new corpId") {
			t.Errorf("%s, %s: %s", test.stored, test.body, got.body)
		}
		if !reflect.DeepEqual(o.authenticator("hr"), before) {
			t.Errorf("%s, %s: changed all the same", test.stored, test.body)
		}
	}
}

// A tag that an application names is looked up by every authenticator that it may use, from
// the next check on; one that is looked up already makes no check due.
func TestTagsOfApplicationsAreLookedUp(t *testing.T) {
	o := newOffice(t)
	o.create("hr", `,"roleRules":[{"tag":3,"role":"ops"}]`)
	o.create("it", "")
	o.createApplication("wiki", "web", "")
	versions := func() [2]string {
		return [2]string{o.authenticator("hr").RulesVersion, o.authenticator("it").RulesVersion}
	}
	lookedUp := func(hr, it string) {
		t.Helper()
		if got := fmt.Sprint(o.authenticator("hr").LookedUpTags(), o.authenticator("it").LookedUpTags()); got != hr+" "+it {
			t.Errorf("looked up: %s, want %s %s", got, hr, it)
		}
	}
	patch := func(id, body string) {
		o.expect(200, request{method: "PATCH", path: applicationsPath + "/" + id, body: body})
	}
	was := versions()
	patch("wiki", `{"authenticators":["hr"],"allow":{"tags":[3],"departments":[1]}}`)
	if versions() != was {
		t.Error("a tag that rules name made checks due")
	}
	patch("wiki", `{"allow":{"tags":[3,7]}}`)
	lookedUp("[3 7]", "[]")
	if now := versions(); now[0] == was[0] || now[1] != was[1] {
		t.Errorf("was %v, is %v", was, now)
	}
	patch("wiki", `{"authenticators":[]}`)
	lookedUp("[3 7]", "[3 7]")
	o.createApplication("chat", "web", `,"authenticators":["it"],"allow":{"tags":[9]}`)
	lookedUp("[3 7]", "[3 7 9]")
	was = versions()
	patch("chat", `{"allow":{"tags":[9]},"title":"Chat"}`)
	patch("chat", `{"allow":{"roles":["ops"]}}`)
	if versions() != was {
		t.Error("nothing new was named")
	}
	// What no application names any more goes with the next change.
	patch("chat", `{"allow":{"tags":[5]}}`)
	lookedUp("[3 7]", "[3 5 7]")
	// A new authenticator begins with them, and is of use for every application.
	o.create("new", "")
	if got := fmt.Sprint(o.authenticator("new").LookedUpTags()); got != "[3 7]" || o.authenticator("new").RulesVersion == "" {
		t.Errorf("a new authenticator looks up %s", got)
	}

	// No application names a tag that nobody looks up.
	o.directory.before = func(operation string) error {
		if operation == "UpdateAuthenticator" {
			return errors.New("down")
		}
		return nil
	}
	o.expect(500, request{method: "PATCH", path: applicationsPath + "/wiki", body: `{"allow":{"tags":[11]}}`})
	if got := o.application("wiki").Allow.Tags; fmt.Sprint(got) != "[3 7]" {
		t.Errorf("the application has the tags %v", got)
	}
}

func TestLogOfRules(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	id := o.authenticator("hr").ID
	if got := o.changed(request{method: "PATCH", path: hrPath, body: `{"roleRules":[{"tag":3,"role":"ops"}],"allow":{"tags":[3]}}`}); got !=
		`{"change":"updated","changedFields":"roleRules allow","object":"authenticator","objectId":"`+id+`"}` {
		t.Error(got)
	}
	o.createApplication("wiki", "web", "")
	if got := o.changed(request{method: "PATCH", path: applicationsPath + "/wiki", body: `{"allow":{"tags":[7]}}`}); !strings.Contains(got, `"changedFields":"applicationTags"`) || !strings.Contains(got, `"changedFields":"allow"`) {
		t.Error(got)
	}
}

func TestDepartmentsOfAnAuthenticator(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.wecom.departments = []wecom.Department{{ID: 12, ParentID: 1, Name: "财务部"}, {ID: 1, Name: "总部"}}
	if got := o.expect(200, request{method: "GET", path: hrPath + "/departments"}); got.body != `{"items":[{"id":1,"name":"总部","parentId":0},{"id":12,"name":"财务部","parentId":1}]}`+"\n" {
		t.Error(got.body)
	}
	o.expect(404, request{method: "GET", path: "/api/admin/authenticators/it/departments"})
	o.clock = o.clock.Add(10 * time.Minute)
	o.wecom.departments = nil
	if got := o.expect(200, request{method: "GET", path: hrPath + "/departments"}); got.body != `{"items":[]}`+"\n" {
		t.Error(got.body)
	}
	for _, test := range []struct {
		err    error
		status int
		code   string
		says   string
	}{
		{&wecom.Error{Op: "department/simplelist", Code: wecom.RateLimited}, 503, "wecom_busy", "45009"},
		{&wecom.Error{Op: "department/simplelist", Code: wecom.UntrustedIP}, 502, "wecom_configuration", "60020"},
		{&wecom.UnavailableError{Op: "department/simplelist", Reason: "time-out"}, 503, "wecom_unavailable", "does not answer"},
	} {
		o.clock = o.clock.Add(10 * time.Minute)
		o.wecom.directoryErr = test.err
		if got := o.expect(test.status, request{method: "GET", path: hrPath + "/departments"}); got.problem(t) != test.code || !strings.Contains(got.body, test.says) {
			t.Errorf("%v: %s", test.err, got.body)
		}
	}
}

func TestPreviewOfRoles(t *testing.T) {
	o := newOffice(t)
	o.create("hr", `,"roleRules":[{"department":1,"role":"staff"}],"allow":{"departments":[12]}`)
	o.wecom.departments = []wecom.Department{{ID: 1, Name: "总部"}, {ID: 12, ParentID: 1, Name: "财务部"}}
	o.wecom.tags = map[int64]wecom.Tag{3: {UserIDs: []string{"lilei"}}}
	o.wecom.members = map[string]wecom.Member{
		"LiLei":  {UserID: "LiLei", Status: wecom.MemberActive, Departments: []wecom.MemberDepartment{{ID: 12, Leader: true}}},
		"HanMei": {UserID: "HanMei", Status: wecom.MemberActive, Departments: []wecom.MemberDepartment{{ID: 1}}},
		"Nobody": {UserID: "Nobody", Status: wecom.MemberActive},
		"Left":   {UserID: "Left", Status: wecom.MemberLeft},
		"Fired":  {UserID: "Fired", Status: wecom.MemberDisabled, Departments: []wecom.MemberDepartment{{ID: 12}}},
		"Odd":    {UserID: "Odd", Status: 3, Departments: []wecom.MemberDepartment{{ID: 12}}},
	}
	before := o.authenticator("hr")
	id := o.createUser("13800138000")
	u := o.user(id)
	u.Roles, u.Identities = []string{"guest"}, []store.Identity{{CorpID: "ww0123456789", WeComUserID: "Nobody", Authenticator: "hr", BoundAt: o.clock}}
	o.replaceUser(u)
	preview := request{method: "POST", path: hrPath + "/roles/preview"}
	for body, want := range map[string]string{
		`{"wecomUserId":"LiLei"}`:  `{"roles":["staff"],"allowed":true,"departments":[{"id":12,"name":"财务部","leader":true}]}`,
		`{"wecomUserId":"HanMei"}`: `{"roles":["staff"],"allowed":false,"departments":[{"id":1,"name":"总部","leader":false}],"refusal":"not_allowed"}`,
		`{"wecomUserId":"Nobody"}`: `{"roles":[],"allowed":false,"departments":[],"refusal":"not_allowed"}`,
		`{"wecomUserId":"Fired"}`:  `{"roles":[],"allowed":false,"departments":[{"id":12,"name":"财务部","leader":false}],"refusal":"user_disabled"}`,
		// Before saving.
		`{"wecomUserId":"LiLei","roleRules":[{"tag":3,"role":"ops"},{"leader":true,"role":"lead"}]}`:       `{"roles":["ops","lead"],"allowed":true,"departments":[{"id":12,"name":"财务部","leader":true}]}`,
		`{"wecomUserId":"HanMei","allow":{"departments":[],"roles":["staff"]}}`:                            `{"roles":["staff"],"allowed":true,"departments":[{"id":1,"name":"总部","leader":false}]}`,
		`{"wecomUserId":"HanMei","roleRules":[],"allow":{"departments":[],"tags":[],"roles":["staff"]}}`:   `{"roles":[],"allowed":false,"departments":[{"id":1,"name":"总部","leader":false}],"refusal":"not_allowed"}`,
		`{"wecomUserId":"Nobody","roleRules":[],"allow":{"departments":[12],"tags":[],"roles":["guest"]}}`: `{"roles":[],"allowed":true,"departments":[]}`, // by an administrator's role
	} {
		preview.body = body
		if got := o.expect(200, preview); got.body != want+"\n" {
			t.Errorf("%s: %s", body, got.body)
		}
	}
	u = o.user(id)
	u.Enabled, u.Version = false, u.Version+1
	o.replaceUser(u)
	preview.body = `{"wecomUserId":"Nobody","allow":{"departments":[],"tags":[],"roles":["guest"]}}`
	if got := o.expect(200, preview); got.body != `{"roles":[],"allowed":false,"departments":[],"refusal":"user_disabled"}`+"\n" {
		t.Errorf("a disabled user: %s", got.body)
	}
	for body, want := range map[string]string{
		`{"wecomUserId":"Unknown"}`: "404 not_found wecomUserId", `{"wecomUserId":"Left"}`: "404 not_found wecomUserId",
		`{"wecomUserId":"Odd"}`: "503 wecom_unavailable", // by this status nothing is known
		`{}`:                    "400 invalid_request wecomUserId", `{"wecomUserId":""}`: "400 invalid_request wecomUserId", `{"wecomUserId":7}`: "400 invalid_request wecomUserId",
		`{"wecomUserId":"` + strings.Repeat("a", 65) + `"}`: "400 invalid_request wecomUserId", `{"wecomUserId":"LiLei","userId":"x"}`: "400 invalid_request userId",
		`{"wecomUserId":"LiLei","roleRules":[{"tag":3,"role":"admin"}]}`: "400 invalid_request roleRules", `{"wecomUserId":"LiLei","allow":{"tags":["3"]}}`: "400 invalid_request allow.tags",
	} {
		preview.body = body
		got := o.send(preview)
		if problem := fmt.Sprint(got.status, " ", got.problem(t)); problem != want {
			t.Errorf("%s: %s", body, problem)
		}
	}
	if !reflect.DeepEqual(o.authenticator("hr"), before) {
		t.Error("the preview stored something")
	}
	if strings.Contains(o.log.String(), "LiLei") {
		t.Error("the log names the member")
	}
}

// wecomRoles are of enabled authenticators that still have such a rule, and are read-only.
func TestUserShowsRolesByRules(t *testing.T) {
	o := newOffice(t)
	o.create("hr", `,"roleRules":[{"leader":true,"role":"lead"},{"tag":3,"role":"ops"},{"tag":4,"role":"desk"}]`)
	o.create("it", `,"roleRules":[{"leader":true,"role":"partner"}]`)
	o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/it", body: `{"corpId":"wwOther"}`})
	id := o.createUser("13800138000")
	u := o.user(id)
	u.Roles = []string{"staff"}
	u.Identities = []store.Identity{{
		CorpID: "ww0123456789", WeComUserID: "LiLei", Authenticator: "hr", BoundAt: o.clock, CheckedAt: o.clock.Add(time.Hour), DisabledAt: o.clock.Add(time.Minute), GoneAt: o.clock, Position: "会计",
		Departments: []store.Department{{ID: 12, Name: "财务部", Leader: true}, {ID: 1}},
		Access: []store.MemberAccess{
			{AuthenticatorID: o.authenticator("hr").ID, AuthenticatorName: "hr", Roles: []string{"ops", "desk", "old", "admin"}},
			{AuthenticatorID: "an earlier one", AuthenticatorName: "hr", Roles: []string{"lead"}},
			{AuthenticatorID: o.authenticator("it").ID, AuthenticatorName: "it", Roles: []string{"partner"}},
			{AuthenticatorID: "deleted", AuthenticatorName: "gone", Roles: []string{"partner"}},
		},
	}}
	o.replaceUser(u)
	path := "/api/admin/users/" + id
	roles := func(want string) {
		t.Helper()
		for _, r := range []string{path, "/api/admin/users"} {
			if got := o.expect(200, request{method: "GET", path: r}).body; !strings.Contains(got, `"roles":["staff"],"wecomRoles":`+want+`,`) {
				t.Errorf("%s: %s", r, got)
			}
		}
	}
	roles("[]") // WeCom does not know the member any more
	if got := fmt.Sprint(o.expect(200, request{method: "GET", path: path}).object(t)["identities"]); got !=
		"[map[authenticator:hr boundAt:2026-11-21T08:00:00Z checkedAt:2026-11-21T09:00:00Z corpId:ww0123456789 departments:[12 1] disabledAt:2026-11-21T08:01:00Z goneAt:2026-11-21T08:00:00Z position:会计 wecomUserId:LiLei]]" {
		t.Error(got)
	}
	u.Identities[0].GoneAt = time.Time{}
	o.replaceUser(u)
	roles(`["ops","desk"]`)
	o.expect(200, request{method: "PATCH", path: hrPath, body: `{"roleRules":[{"leader":true,"role":"lead"},{"tag":4,"role":"desk"}]}`})
	roles(`["desk"]`) // at once, not with the next check
	o.expect(200, request{method: "PATCH", path: hrPath, body: `{"enabled":false}`})
	roles("[]")
	// Of a user in two companies, those that the rules of either give.
	o.expect(200, request{method: "PATCH", path: hrPath, body: `{"enabled":true}`})
	u.Identities = append(u.Identities, store.Identity{
		CorpID: "wwOther", WeComUserID: "lei.li", Authenticator: "it",
		Access: []store.MemberAccess{{AuthenticatorID: o.authenticator("it").ID, AuthenticatorName: "it", Roles: []string{"partner"}}},
	})
	o.replaceUser(u)
	roles(`["desk","partner"]`)
	if problem := o.expect(400, request{method: "PATCH", path: path, body: `{"wecomRoles":["x"]}`}).problem(t); problem != "invalid_request wecomRoles" {
		t.Error(problem)
	}
}
