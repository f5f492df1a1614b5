package admin_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

var errSecretDetail = errors.New("table wecom-directory is gone")

func TestCreateUser(t *testing.T) {
	o := newOffice(t)
	created := o.expect(201, request{method: "POST", path: "/api/admin/users", body: `{"phone":"138 0013-8000","name":" 李雷 ","avatar":"https://img.example.com/a.png","roles":["admin","editor","admin"],"enabled":false}`})
	id := created.object(t)["id"].(string)
	want := fmt.Sprintf(`{"id":%q,"phone":"+8613800138000","phoneText":"138 0013 8000","name":"李雷","avatar":"https://img.example.com/a.png","roles":["admin","editor"],"wecomRoles":[],"enabled":false,`+
		`"identities":[],"createdAt":"2026-11-21T08:00:00Z","updatedAt":"2026-11-21T08:00:00Z","lastSignInAt":null,"version":1}`+"\n", id)
	if created.body != want {
		t.Errorf("body\n%s\nwant\n%s", created.body, want)
	}
	if created.header["location"] != "/api/admin/users/"+id || created.header["etag"] != `"1"` {
		t.Errorf("headers %v", created.header)
	}
	if got := o.expect(200, request{method: "GET", path: "/api/admin/users/" + id}); got.body != want || got.header["etag"] != `"1"` {
		t.Errorf("GET: %s", got.body)
	}
	least := o.expect(201, request{method: "POST", path: "/api/admin/users", body: `{"phone":"+14155550100"}`}).object(t)
	if least["name"] != "" || least["enabled"] != true || fmt.Sprint(least["roles"]) != "[]" {
		t.Errorf("defaults: %v", least)
	}
	if !o.user(least["id"].(string)).NamePending {
		t.Error("a user without a name is not asked for it")
	}
	o.expect(404, request{method: "GET", path: "/api/admin/users/13800138000"})
	if strings.Contains(o.log.String(), "13800138000") {
		t.Error("the log has the phone")
	}
}

func TestUserRefusals(t *testing.T) {
	wrong := map[string][]string{
		"phone":   {`""`, `"abc"`, `"12"`, "13800138000", "null", `["13800138000"]`},
		"name":    {"null", "1", `"` + strings.Repeat("李", 201) + `"`, `"a\nb"`},
		"avatar":  {"null", `"javascript:alert(1)"`, `"data:text/html,x"`, `"//img.example.com/a.png"`, `"/a.png"`, `"https://u:p@img.example.com/"`, `"https://img.example.com/` + strings.Repeat("a", 2048) + `"`},
		"roles":   {"null", `"admin"`, `{"0":"admin"}`, `[1]`, `[null]`, `[["admin"]]`, `[""]`, `["two words"]`, `["-a"]`, `["` + strings.Repeat("a", 65) + `"]`, `["` + strings.Join(numbered(51), `","`) + `"]`},
		"enabled": {"null", `"false"`, "0"},
		"id":      {`"x"`}, "identities": {"[]", `[{"corpId":"c","wecomUserId":"m"}]`}, "createdAt": {`"x"`}, "updatedAt": {`"x"`},
		"lastSignInAt": {`"x"`, "null"}, "version": {"7"}, "phoneText": {`"138 0013 8000"`}, "phoneConflict": {"null"},
		"sessionGeneration": {"0"}, "namePending": {"false"}, "__proto__": {`{"roles":["admin"]}`}, "constructor": {"{}"}, "Phone": {`"13800138001"`},
	}
	o := newOffice(t)
	id := o.createUser("13900139000")
	before := o.user(id)
	for field, values := range wrong {
		for _, value := range values {
			post := fmt.Sprintf(`{"phone":"13800138000",%q:%s}`, field, value)
			if field == "phone" {
				post = fmt.Sprintf(`{"phone":%s}`, value)
			}
			for _, r := range []request{
				{method: "POST", path: "/api/admin/users", body: post},
				{method: "PATCH", path: "/api/admin/users/" + id, body: fmt.Sprintf(`{%q:%s}`, field, value)},
			} {
				if got := o.expect(400, r).problem(t); got != "invalid_request "+field {
					t.Errorf("%s %s = %s: %s", r.method, field, value, got)
				}
			}
		}
	}
	if got := o.expect(400, request{method: "POST", path: "/api/admin/users", body: `{"name":"x"}`}).problem(t); got != "invalid_request phone" {
		t.Errorf("without a phone: %s", got)
	}
	if len(o.users()) != 1 || !slices.Equal(o.user(id).Roles, before.Roles) || o.user(id).Version != 1 {
		t.Error("something was half done")
	}
}

func numbered(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("r%d", i)
	}
	return names
}

func TestFindUserByPhone(t *testing.T) {
	o := newOffice(t)
	id := o.createUser("+86 138-0013-8000")
	o.createUser("+14155550100")
	for _, query := range []string{
		"13800138000", "%2B8613800138000", "+8613800138000", "%E2%80%8B13800138000%E2%80%AC", "138%C2%AD0013%EF%BB%BF8000", "%EF%BC%8B86%EF%BC%91380013800%EF%BC%90", "13800138000.0", "+86+138+0013+8000", "138-0013-8000", "138%200013%208000", "008613800138000", "8613800138000",
	} {
		got := o.expect(200, request{method: "GET", path: "/api/admin/users?phone=" + query})
		if !strings.Contains(got.body, id) || strings.Count(got.body, `"id"`) != 1 {
			t.Errorf("?phone=%s: %s", query, got.body)
		}
	}
	// Typed digit by digit, a number is nobody's until it is whole.
	for _, query := range []string{
		"13900000000", "139", "1", "", "%2B", "+86", "+8613", "86139", "0086", "1390000000", "139000000001", "(", "abc", "139%00", "%F0%9F%98%80", strings.Repeat("1", 4000),
	} {
		if got := o.expect(200, request{method: "GET", path: "/api/admin/users?phone=" + query}); got.body != `{"items":[],"nextCursor":null}`+"\n" {
			t.Errorf("?phone=%.20s: %s", query, got.body)
		}
	}
	for query, field := range map[string]string{"phone=%zz": "query", "phone=139&cursor=x": "cursor", "phone=139&limit=0": "limit", "phone=13800138000&cursor=x": "cursor", "phone=13800138000&limit=0": "limit"} {
		if got := o.expect(400, request{method: "GET", path: "/api/admin/users?" + query}).problem(t); got != "invalid_request "+field {
			t.Errorf("?%s: %s", query, got)
		}
	}
}

// The number is written as readers of the request's language write it.
func TestPhoneText(t *testing.T) {
	o := newOffice(t)
	id := o.createUser("13800138000")
	for language, want := range map[string]string{"": "138 0013 8000", "zh-CN": "138 0013 8000", "zh-Hans,en;q=0.5": "138 0013 8000", "en": "+86 138 0013 8000", "sv-SE": "+86 138 0013 8000"} {
		header := map[string]string{"Accept-Language": language}
		for _, path := range []string{"/" + id, "", "?phone=13800138000", "?name=li"} {
			got := o.expect(200, request{method: "GET", path: "/api/admin/users" + path, header: header})
			if !strings.Contains(got.body, `"phone":"+8613800138000","phoneText":"`+want+`",`) || got.header["vary"] != "Accept-Language" {
				t.Errorf("%s in %q: %v %s", path, language, got.header, got.body)
			}
		}
	}
}

func TestFindUsersByName(t *testing.T) {
	o := newOffice(t)
	for i, name := range []string{"Li Lei", "li ming", "LILY", "Han Meimei", "李雷", "李明", ""} {
		o.expect(201, request{method: "POST", path: "/api/admin/users", body: fmt.Sprintf(`{"phone":"1380013800%d","name":%q}`, i, name)})
	}
	names := func(query string) (found []string, next string) {
		t.Helper()
		var page struct {
			Items      []struct{ Name string }
			NextCursor *string
		}
		o.expect(200, request{method: "GET", path: "/api/admin/users?" + query}).decode(t, &page)
		for _, item := range page.Items {
			found = append(found, item.Name)
		}
		if page.NextCursor != nil {
			next = *page.NextCursor
		}
		return found, next
	}
	for query, want := range map[string]string{
		"name=li": "[Li Lei li ming LILY]", "name=LI%20": "[Li Lei li ming LILY]", "name=Li+L": "[Li Lei]", "name=%E6%9D%8E": "[李明 李雷]", "name=nobody": "[]",
		"name=%25": "[]", "name=han+meimei": "[Han Meimei]",
	} {
		if found, next := names(query); fmt.Sprint(found) != want || next != "" {
			t.Errorf("?%s: %v %q, want %s", query, found, next, want)
		}
	}
	first, next := names("name=li&limit=2")
	second, end := names("name=li&limit=2&cursor=" + next)
	if fmt.Sprint(first, second) != "[Li Lei li ming] [LILY]" || end != "" {
		t.Errorf("%v %v %q", first, second, end)
	}
	for query, field := range map[string]string{
		"name=": "name", "name=%20": "name", "name=a%0Ab": "name", "name=" + strings.Repeat("a", 201): "name", "name=li&phone=13800138000": "name", "phone=&name=li": "name",
		"name=li&cursor=x": "cursor", "name=li&limit=201": "limit", "name=%zz": "query", "name=%ff": "name",
	} {
		if got := o.expect(400, request{method: "GET", path: "/api/admin/users?" + query}).problem(t); got != "invalid_request "+field {
			t.Errorf("?%s: %s", query, got)
		}
	}
}

func TestPatchUser(t *testing.T) {
	o := newOffice(t)
	id := o.createUser("13800138000")
	signedIn := o.user(id)
	signedIn.LastSignInAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	o.replaceUser(signedIn)
	patch := func(body string) store.User {
		t.Helper()
		got := o.expect(200, request{method: "PATCH", path: "/api/admin/users/" + id, body: body})
		u := o.user(id)
		if got.header["etag"] != fmt.Sprintf(`"%d"`, u.Version) || got.object(t)["lastSignInAt"] != "2026-01-02T03:04:05Z" {
			t.Errorf("%v %s", got.header, got.body)
		}
		return u
	}
	if u := patch(`{"name":"Han","phone":"+14155550100","roles":["admin"]}`); u.Name != "Han" || u.Phone != "+14155550100" || u.Version != 2 || u.SessionGeneration != 1 {
		t.Errorf("%+v", u)
	}
	if u := patch(`{"name":"Han","roles":["admin"]}`); u.Version != 2 {
		t.Errorf("nothing to change: %+v", u)
	}
	if u := patch(`{"roles":[],"avatar":""}`); len(u.Roles) != 0 || u.Version != 3 {
		t.Errorf("%+v", u)
	}
	// Disabling ends the sessions, enabling does not bring them back.
	if u := patch(`{"enabled":false}`); u.SessionGeneration != 2 {
		t.Errorf("%+v", u)
	}
	if u := patch(`{"enabled":false}`); u.SessionGeneration != 2 || u.Version != 4 {
		t.Errorf("%+v", u)
	}
	if u := patch(`{"enabled":true}`); u.SessionGeneration != 2 {
		t.Errorf("%+v", u)
	}
	if u := patch(`{"name":""}`); !u.NamePending {
		t.Errorf("%+v", u)
	}
	if u := patch(`{"name":"Mei"}`); u.NamePending {
		t.Errorf("%+v", u)
	}
}

// A member who was refused and has become the user since is no conflict any more.
func TestPhoneConflictEndsWhenTheMemberIsBound(t *testing.T) {
	o := newOffice(t)
	id := o.createUser("13800138000")
	refused := store.Identity{CorpID: "wwB", WeComUserID: "LiLei", Authenticator: "partner", BoundAt: o.clock}
	for _, test := range []struct {
		name     string
		bound    []store.Identity
		conflict bool
	}{
		{"nobody", nil, true},
		{"the member", []store.Identity{{CorpID: "wwA", WeComUserID: "li"}, {CorpID: "wwB", WeComUserID: "lilei"}}, false},
		{"another member", []store.Identity{{CorpID: "wwB", WeComUserID: "li"}}, true},
		{"a namesake in another company", []store.Identity{{CorpID: "wwA", WeComUserID: "lilei"}}, true},
	} {
		u := o.user(id)
		u.PhoneConflict, u.Identities = &refused, test.bound
		o.replaceUser(u)
		for _, path := range []string{"/" + id, ""} {
			got := o.expect(200, request{method: "GET", path: "/api/admin/users" + path})
			if strings.Contains(got.body, `"phoneConflict"`) != test.conflict {
				t.Errorf("%s: %s", test.name, got.body)
			}
		}
	}
}

func TestPhoneTaken(t *testing.T) {
	o := newOffice(t)
	first, second := o.createUser("13800138000"), o.createUser("13900139000")
	for _, r := range []request{
		{method: "POST", path: "/api/admin/users", body: `{"phone":"+8613800138000"}`},
		{method: "PATCH", path: "/api/admin/users/" + second, body: `{"phone":"138 0013 8000"}`},
	} {
		got := o.expect(409, r)
		if got.problem(t) != "phone_taken phone" || !strings.Contains(got.body, first) {
			t.Errorf("%s: %s", r.method, got.body)
		}
	}
	o.expect(200, request{method: "PATCH", path: "/api/admin/users/" + first, body: `{"phone":"138 0013 8000"}`})
	o.expect(204, request{method: "DELETE", path: "/api/admin/users/" + first})
	o.expect(404, request{method: "GET", path: "/api/admin/users/" + first})
	o.expect(200, request{method: "PATCH", path: "/api/admin/users/" + second, body: `{"phone":"13800138000"}`})
}

// Two requests read that a phone is free, then both write.
func TestPhoneIsFreeReadThenWriteRace(t *testing.T) {
	o := newOffice(t)
	others := []string{o.createUser("13900139001"), o.createUser("13900139002")}
	var wait sync.WaitGroup
	statuses := make(chan int, 12)
	for i := range 10 {
		wait.Go(func() {
			statuses <- o.send(request{method: "POST", path: "/api/admin/users", body: fmt.Sprintf(`{"phone":"+86%s13800138000"}`, strings.Repeat(" ", i))}).status
		})
	}
	for _, id := range others {
		wait.Go(func() {
			statuses <- o.send(request{method: "PATCH", path: "/api/admin/users/" + id, body: `{"phone":"13800138000"}`}).status
		})
	}
	wait.Wait()
	close(statuses)
	won := 0
	for status := range statuses {
		if status == 200 || status == 201 {
			won++
		} else if status != 409 {
			t.Errorf("status %d", status)
		}
	}
	if won != 1 {
		t.Errorf("%d have the phone", won)
	}
}

func TestEndSessionsAndUnbind(t *testing.T) {
	o := newOffice(t)
	id := o.createUser("13800138000")
	u := o.user(id)
	u.Identities = []store.Identity{
		{CorpID: "wwA", WeComUserID: "LiLei", Authenticator: "hr", BoundAt: o.clock},
		{CorpID: "wwB", WeComUserID: "li.lei@b", Authenticator: "it", BoundAt: o.clock},
	}
	o.replaceUser(u)
	o.expect(204, request{method: "DELETE", path: "/api/admin/users/" + id + "/sessions"})
	if got := o.user(id); got.SessionGeneration != 2 || got.Version != 2 {
		t.Errorf("%+v", got)
	}
	o.expect(412, request{method: "DELETE", path: "/api/admin/users/" + id + "/sessions", header: map[string]string{"If-Match": `"1"`}})
	o.expect(404, request{method: "DELETE", path: "/api/admin/users/" + id + "/identities/wwB/LiLei"})
	o.expect(204, request{method: "DELETE", path: "/api/admin/users/" + id + "/identities/wwA/lilei"})
	o.expect(404, request{method: "DELETE", path: "/api/admin/users/" + id + "/identities/wwA/lilei"})
	got := o.expect(200, request{method: "GET", path: "/api/admin/users/" + id}).object(t)["identities"]
	if fmt.Sprint(got) != "[map[authenticator:it boundAt:2026-11-21T08:00:00Z checkedAt:<nil> corpId:wwB departments:[] disabledAt:<nil> goneAt:<nil> position: wecomUserId:li.lei@b]]" {
		t.Errorf("%v", got)
	}
	if o.user(id).SessionGeneration != 3 {
		t.Error("the sessions of the unbound member go on")
	}
	if len(u.Identities) != 2 {
		t.Error("what was read was changed in place")
	}
}

func TestDomainFiles(t *testing.T) {
	const name = "WW_verify_AbCdEfGh12345678.txt"
	o := newOffice(t)
	path := "/api/admin/domain-files/" + name
	o.expect(204, request{method: "PUT", path: path})
	o.expect(204, request{method: "PUT", path: path, body: "AbCdEfGh12345678", contentType: "text/plain"})
	for _, body := range []string{"abcdefgh12345678", "AbCdEfGh12345678\n", "\uFEFFAbCdEfGh12345678", "{}"} {
		if got := o.expect(400, request{method: "PUT", path: path, body: body}).problem(t); got != "invalid_request body" {
			t.Errorf("%q: %s", body, got)
		}
	}
	for _, wrong := range []string{"WW_verify_AbCdEfGh1234567.txt", "WW_verify_AbCdEfGh123456789.txt", "ww_verify_AbCdEfGh12345678.txt", "WW_verify_AbCdEfGh1234567-.txt", "index.html", name + "x"} {
		if got := o.expect(400, request{method: "PUT", path: "/api/admin/domain-files/" + wrong}).problem(t); got != "invalid_request filename" {
			t.Errorf("%s: %s", wrong, got)
		}
		o.expect(404, request{method: "DELETE", path: "/api/admin/domain-files/" + wrong})
	}
	want := `{"items":[{"filename":"` + name + `","url":"https://signin.example.com/` + name + `","createdAt":"2026-11-21T08:00:00Z"}],"nextCursor":null}` + "\n"
	if got := o.expect(200, request{method: "GET", path: "/api/admin/domain-files"}); got.body != want {
		t.Error(got.body)
	}
	o.expect(204, request{method: "DELETE", path: path})
	o.expect(404, request{method: "DELETE", path: path})
}
