package admin_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/storetest"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

const auditPath = "/api/admin/audit"

// lines returns what a query selects of the audit, newest first.
func (o *office) lines(q store.AuditQuery) []store.AuditLine {
	o.t.Helper()
	lines, next, err := o.directory.AuditLines(o.t.Context(), q, store.Page{Limit: 200})
	if err != nil || next != "" {
		o.t.Fatalf("audit: next %q, %v", next, err)
	}
	return lines
}

// inShort returns a line in short: what distinguishes it from others.
func inShort(l store.AuditLine) string {
	text := strings.Join([]string{l.Type, l.User, l.Authenticator, l.Application, "by", l.Actor}, " ")
	if l.Code != "" {
		text += " code " + l.Code
	}
	if len(l.Fields) > 0 {
		text += " fields " + strings.Join(l.Fields, ",")
	}
	if len(l.RolesBefore)+len(l.RolesAfter) > 0 {
		text += fmt.Sprintf(" roles %v %v", l.RolesBefore, l.RolesAfter)
	}
	return strings.Join(strings.Fields(text), " ")
}

// told sends a request and returns the lines that it leaves, oldest first.
func (o *office) told(r request) (told []string) {
	o.t.Helper()
	before := o.lines(store.AuditQuery{})
	o.send(r)
	after := o.lines(store.AuditQuery{})
	for _, line := range after {
		if slices.ContainsFunc(before, line.Equal) {
			continue
		}
		if line.RequestID != "request-1" || !line.At.Equal(o.clock) || !slices.Contains(audit.Types(), line.Type) {
			o.t.Errorf("incomplete: %+v", line)
		}
		told = append(told, inShort(line))
	}
	slices.Sort(told)
	return told
}

// Each change leaves one line with its author, and what changes nothing leaves none.
func TestAuditOfChanges(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	id := o.createUser("13800138000")
	u := o.user(id)
	u.Identities = []store.Identity{{CorpID: "wwA", WeComUserID: "LiLei", Authenticator: "hr", BoundAt: o.clock}}
	o.replaceUser(u)
	o.createApplication("app", "web", "")
	imported := o.importUser(phoneOf(1), "Li", nil)
	o.wecom.phones = map[string]wecom.Member{phoneOf(1): active("13800138000", "Li")}
	user, authenticator, app := "/api/admin/users/"+id, "/api/admin/authenticators/hr", applicationsPath+"/app"
	const file = "WW_verify_AbCdEfGh12345678.txt"
	byUser := map[string]any{"caller": "user", "userId": "the-administrator"}
	for _, test := range []struct {
		name string
		r    request
		want []string
	}{
		{
			"roles, by a user",
			request{method: "PATCH", path: user, authorizer: byUser, body: `{"roles":["staff","admin"]}`},
			[]string{"user_updated USER by the-administrator fields roles roles [] [staff admin]"},
		},
		{"nothing", request{method: "PATCH", path: user, body: `{"roles":["staff","admin"]}`}, nil},
		{"a refused change", request{method: "PATCH", path: user, body: `{"roles":["staff"],"phone":"1"}`}, nil},
		{"a version that is over", request{method: "DELETE", path: user, header: map[string]string{"If-Match": `"1"`}}, nil},
		{"disabling", request{method: "PATCH", path: user, body: `{"enabled":false,"name":"Lei"}`}, []string{"user_updated USER by key fields name,enabled,sessions"}},
		{"sessions", request{method: "DELETE", path: user + "/sessions"}, []string{"sessions_ended USER by key"}},
		{"an identity", request{method: "DELETE", path: user + "/identities/wwA/lilei"}, []string{"user_updated USER by key fields identities,sessions"}},
		{
			"an import",
			request{method: "POST", path: "/api/admin/users/import", contentType: "text/csv", body: "phone,name,roles\n13800138000,Li,staff\n13800138009,Wu,\n1,,\n"},
			[]string{"user_created NEW by key fields phone,name,enabled", "user_updated USER by key fields name,roles roles [staff admin] [staff]"},
		},
		{"the same import", request{method: "POST", path: "/api/admin/users/import", contentType: "text/csv", body: "phone,name,roles\n13800138000,Li,staff\n"}, nil},
		{"a list", request{method: "GET", path: "/api/admin/users"}, []string{"users_listed by key"}},
		{"a search", request{method: "GET", path: "/api/admin/users?phone=13800138000&limit=1", authorizer: byUser}, []string{"users_listed by the-administrator fields phone"}},
		{"a search in vain", request{method: "GET", path: "/api/admin/users?phone=138"}, []string{"users_listed by key fields phone"}},
		{"a search by name", request{method: "GET", path: "/api/admin/users?name=L"}, []string{"users_listed by key fields name"}},
		{"a bad search", request{method: "GET", path: "/api/admin/users?name="}, nil},
		{"one user", request{method: "GET", path: user}, nil},
		{"an application", request{method: "PATCH", path: app, body: `{"title":"x","enabled":false}`}, []string{"application_updated app by key fields title,enabled,grants"}},
		{"a secret", request{method: "POST", path: app + "/secrets"}, []string{"application_updated app by key fields secrets"}},
		{"the end of an application", request{method: "DELETE", path: app}, []string{"application_deleted app by key"}},
		{"an authenticator", request{method: "PATCH", path: authenticator, body: `{"secret":"another","title":"x"}`}, []string{"authenticator_updated hr by key fields title,secret"}},
		{"a receiver of events", request{method: "POST", path: eventsPath}, []string{"authenticator_updated hr by key fields events"}},
		{"no receiver any more, by a user", request{method: "DELETE", path: eventsPath, authorizer: byUser}, []string{"authenticator_updated hr by the-administrator fields events"}},
		{"no receiver, again", request{method: "DELETE", path: eventsPath}, nil},
		{"a check", request{method: "POST", path: authenticator + "/check"}, nil},
		{"a lookup", request{method: "POST", path: authenticator + "/lookup", body: `{}`}, []string{"users_looked_up hr by key code dry_run"}},
		{
			"a lookup that binds",
			request{method: "POST", path: authenticator + "/lookup", authorizer: byUser, body: `{"dryRun":false}`},
			[]string{"user_updated " + imported + " by the-administrator fields identities", "users_looked_up hr by the-administrator"},
		},
		{"a refused lookup", request{method: "POST", path: authenticator + "/lookup", body: `{"limit":0}`}, nil},
		{"the end of an authenticator", request{method: "DELETE", path: authenticator}, []string{"authenticator_deleted hr by key"}},
		{"a file", request{method: "PUT", path: "/api/admin/domain-files/" + file}, []string{"domain_file_created by key fields " + file}},
		{"the file again", request{method: "PUT", path: "/api/admin/domain-files/" + file}, nil},
		{"no file any more", request{method: "DELETE", path: "/api/admin/domain-files/" + file}, []string{"domain_file_deleted by key fields " + file}},
		{"the end of a user", request{method: "DELETE", path: user}, []string{"user_deleted USER by key roles [staff] []"}},
		{"the audit itself", request{method: "GET", path: auditPath}, nil},
		{"nobody", request{method: "GET", path: "/api/admin/users", noAuthorizer: true}, nil},
	} {
		var want []string
		for _, line := range test.want {
			want = append(want, strings.ReplaceAll(line, "USER", id))
		}
		got := o.told(test.r)
		for _, other := range o.users() {
			if other.ID != id && other.ID != imported {
				for i := range got {
					got[i] = strings.ReplaceAll(got[i], other.ID, "NEW")
				}
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	for kind, want := range map[string]string{"authenticator_created": "hr", "user_created": id, "application_created": "app"} {
		lines := o.lines(store.AuditQuery{Type: kind})
		if !slices.ContainsFunc(lines, func(l store.AuditLine) bool { return strings.Contains(inShort(l), want) }) {
			t.Errorf("%s: %+v", kind, lines)
		}
	}
}

// Without an audit an administrator neither changes anything nor sees a list of people.
func TestNothingWithoutAnAudit(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	id := o.createUser("13800138000")
	broken := errors.New("the table is gone")
	o.directory.audit = func() error { return broken }
	for _, r := range []request{
		{method: "PATCH", path: "/api/admin/users/" + id, body: `{"roles":["admin"]}`},
		{method: "DELETE", path: "/api/admin/users/" + id},
		{method: "GET", path: "/api/admin/users"},
		{method: "POST", path: eventsPath},
		{method: "POST", path: "/api/admin/authenticators/hr/lookup", body: `{}`},
		{method: "GET", path: "/api/admin/users?phone=13800138000"},
		{method: "GET", path: auditPath, header: map[string]string{"Accept": "text/csv"}},
	} {
		if got := o.expect(500, r); strings.Contains(got.body, id) || strings.Contains(got.body, "13800138000") {
			t.Errorf("%s %s: %s", r.method, r.path, got.body)
		}
	}
	if u := o.user(id); u.ID == "" || len(u.Roles) > 0 {
		t.Errorf("it was changed without a line: %+v", u)
	}
	if o.authenticator("hr").EventsEnabled || len(o.wecom.lookups()) > 0 {
		t.Error("a receiver was made, or somebody was looked up, without a line")
	}
}

// Attack: phones, secrets and tokens in every place that a request has.
func TestAttackNothingSecretInTheAudit(t *testing.T) {
	o := newOffice(t)
	const number = "13800138000"
	o.create("hr", "")
	id := o.createUser(number)
	o.createApplication("app", "web", "")
	_, secret := o.createSecret("app")
	token, key := o.enable()
	o.importUser("+86"+number[:10]+"9", number, nil)
	o.wecom.phones = map[string]wecom.Member{"+86" + number[:10] + "9": active(number, number)}
	user := "/api/admin/users/" + id
	for _, r := range []request{
		{method: "PATCH", path: user, body: `{"name":"+86` + number + `","avatar":"https://a.example.com/` + number + `"}`},
		{method: "PATCH", path: user, body: `{"phone":"+8613800138111"}`},
		{method: "GET", path: "/api/admin/users?phone=" + number},
		{method: "GET", path: "/api/admin/users?name=" + number},
		{method: "GET", path: "/api/admin/users?" + number + "=1"},
		{method: "GET", path: "/api/admin/users/" + number},
		{method: "POST", path: "/api/admin/users/import", contentType: "text/csv", body: "phone,name\n+86 138 0013 8222,+8613800138000\n"},
		{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"title":"` + number + `","secret":"` + theSecret + `x","agentId":"` + number + `"}`},
		{method: "POST", path: "/api/admin/authenticators/" + number + "/check"},
		{method: "PATCH", path: applicationsPath + "/app", body: `{"title":"` + number + `"}`},
		{method: "DELETE", path: applicationsPath + "/app/secrets/" + secret},
		{method: "DELETE", path: eventsPath},
		{method: "POST", path: "/api/admin/authenticators/hr/lookup", body: `{"dryRun":false}`},
		{method: "GET", path: auditPath + "?user=" + number},
		{method: "GET", path: auditPath + "?user=" + number + "&actor=" + number, header: map[string]string{"Accept": "application/x-ndjson"}},
		{method: "GET", path: auditPath + "?actor=" + url.QueryEscape(secret), header: map[string]string{"Accept": "text/csv"}},
		{method: "DELETE", path: user},
	} {
		o.send(r)
	}
	lines := o.lines(store.AuditQuery{})
	if len(lines) < 16 {
		t.Fatalf("%d lines", len(lines))
	}
	for _, line := range lines {
		text, _ := json.Marshal(line)
		for _, never := range []string{number, "13800138", theSecret, secret, secret[:8], token, key} {
			if strings.Contains(string(text), never) {
				t.Errorf("%s is in %s", never, text)
			}
		}
	}
}

// fillAudit writes n lines, a second apart, and returns them, newest first.
func (o *office) fillAudit(n int, change func(i int, l *store.AuditLine)) (lines []store.AuditLine) {
	o.t.Helper()
	lines = make([]store.AuditLine, n)
	for i := range lines {
		line := store.AuditLine{Type: audit.SignedIn, User: "u", Authenticator: "hr"}
		if change != nil {
			change(i, &line)
		}
		lines[i] = audit.Complete(line, o.clock.Add(time.Duration(i-n)*time.Second), fmt.Sprint("request ", i))
	}
	if err := errors.Join(storetest.AtOnce(n, func(i int) error { return o.directory.RecordAudit(o.t.Context(), lines[i]) })...); err != nil {
		o.t.Fatal(err)
	}
	slices.Reverse(lines)
	return lines
}

func TestAuditList(t *testing.T) {
	o := newOffice(t)
	lines := o.fillAudit(5, func(i int, l *store.AuditLine) {
		if i == 1 {
			*l = store.AuditLine{
				Type: audit.UserUpdated, User: "v", Application: "app", Actor: "key", Code: "c", Fields: []string{"roles"},
				RolesBefore: []string{"a"}, RolesAfter: []string{"a", "b"},
			}
		}
	})
	got := o.expect(200, request{method: "GET", path: auditPath + "?user=v"})
	want := `{"items":[{"id":"` + lines[3].ID + `","at":"2026-11-21T07:59:56.000Z","type":"user_updated","user":"v","authenticator":"","application":"app","actor":"key",` +
		`"requestId":"request 1","code":"c","fields":["roles"],"rolesBefore":["a"],"rolesAfter":["a","b"]}],"nextCursor":null}` + "\n"
	if diff := cmp.Diff(want, got.body); diff != "" {
		t.Error(diff)
	}
	ids := func(query string) (ids []string) {
		var page struct {
			Items []struct {
				ID     string
				Fields []string
			}
			NextCursor *string
		}
		for cursor := ""; ; cursor = "&cursor=" + *page.NextCursor {
			page.NextCursor = nil
			o.expect(200, request{method: "GET", path: auditPath + "?" + query + cursor}).decode(t, &page)
			for _, item := range page.Items {
				if ids = append(ids, item.ID); item.Fields == nil {
					t.Error("fields is null")
				}
			}
			if page.NextCursor == nil {
				return ids
			}
		}
	}
	of := func(indexes ...int) (ids []string) {
		for _, i := range indexes {
			ids = append(ids, lines[i].ID)
		}
		return ids
	}
	for query, want := range map[string][]string{
		"":                   of(0, 1, 2, 3, 4),
		"limit=2":            of(0, 1, 2, 3, 4),
		"type=signed_in":     of(0, 1, 2, 4),
		"authenticator=hr":   of(0, 1, 2, 4),
		"application=app":    of(3),
		"actor=key&user=v":   of(3),
		"actor=key&user=u":   nil,
		"authenticator=none": nil,
		"from=2026-11-21T07:59:57Z&to=2026-11-21T07:59:59Z":            of(1, 2),
		"from=2026-11-21T15:59:57%2B08:00&to=2026-11-21T07:59:59.000Z": of(1, 2),
		"from=2026-11-21T15:59:57+08:00&to=2026-11-21T07:59:59Z":       of(1, 2),
	} {
		if diff := cmp.Diff(want, ids(query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	for query, want := range map[string]string{
		"limit=201": "invalid_request limit", "limit=0": "invalid_request limit", "cursor=x": "invalid_request cursor",
		"type=nothing": "invalid_request type", "type=": "invalid_request type", "user=": "invalid_request user", "user=a%20b": "invalid_request user",
		"authenticator=A": "invalid_request authenticator", "application=a_b": "invalid_request application", "actor=*": "invalid_request actor",
		"from=yesterday": "invalid_request from", "from=": "invalid_request from", "to=2026-11-21": "invalid_request to",
		"from=0001-01-01T00:00:00Z": "invalid_request from",
		"users=u":                   "invalid_request users", "user=u&user=v": "invalid_request user", "%zz": "invalid_request query",
	} {
		if got := o.expect(400, request{method: "GET", path: auditPath + "?" + query}).problem(t); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

func TestAuditExports(t *testing.T) {
	o := newOffice(t)
	lines := o.fillAudit(1203, func(i int, l *store.AuditLine) {
		if i == 0 {
			l.Type, l.Fields, l.RolesAfter = audit.UserUpdated, []string{"roles"}, []string{"a", "b"}
		}
	})
	export := func(accept, query string) answer {
		return o.expect(200, request{method: "GET", path: auditPath + query, header: map[string]string{"Accept": accept}})
	}

	got := export("application/x-ndjson", "?user=u")
	all := strings.Split(strings.TrimSuffix(got.body, "\n"), "\n")
	if len(all) != len(lines) || got.header["content-type"] != "application/x-ndjson; charset=utf-8" || got.header["link"] != "" {
		t.Fatalf("%d lines, %v", len(all), got.header)
	}
	for i, text := range all {
		var view struct{ ID string }
		if err := json.Unmarshal([]byte(text), &view); err != nil || view.ID != lines[i].ID {
			t.Fatalf("line %d is %s", i, text)
		}
	}
	// The rest is where the header says.
	got = export("text/html, application/x-ndjson;q=0.5", "?user=u&limit=1200")
	next, _, _ := strings.Cut(strings.TrimPrefix(got.header["link"], "<"+publicURL+auditPath), ">")
	if rest := export("application/x-ndjson", next); strings.Count(rest.body, "\n") != 3 {
		t.Errorf("after %s come %q", next, rest.body)
	}

	rows, err := csv.NewReader(strings.NewReader(export("text/csv", "?type=user_updated").body)).ReadAll()
	if err != nil || len(rows) != 2 || rows[0][0] != "id" || rows[1][0] != lines[len(lines)-1].ID || rows[1][11] != "a b" {
		t.Errorf("%v, %v", rows, err)
	}
	told := o.lines(store.AuditQuery{Type: audit.Exported})
	want := []string{"audit_exported by key code csv fields type", "audit_exported by key code ndjson fields user", "audit_exported by key code ndjson fields user", "audit_exported by key code ndjson fields user"}
	var exports []string
	for _, line := range told {
		exports = append(exports, inShort(line))
	}
	slices.Sort(exports)
	if diff := cmp.Diff(want, exports); diff != "" {
		t.Error(diff)
	}
	for _, accept := range []string{"application/json", "*/*", "", "text/html", "application/json, text/csv"} {
		if got := export(accept, "?limit=1"); got.header["content-type"] != "application/json" {
			t.Errorf("%s: %s", accept, got.header["content-type"])
		}
	}
	for query, want := range map[string]string{"?limit=10001": "invalid_request limit", "?cursor=x": "invalid_request cursor", "?type=x": "invalid_request type"} {
		if got := o.expect(400, request{method: "GET", path: auditPath + query, header: map[string]string{"Accept": "text/csv"}}).problem(t); got != want {
			t.Errorf("%s: %s", query, got)
		}
	}
}

// Attack: a cell that a spreadsheet would execute.
func TestAttackFormulaInTheExport(t *testing.T) {
	o := newOffice(t)
	for _, cell := range []string{`=HYPERLINK("https://evil.example")`, "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", `"quoted", with commas`, "plain"} {
		o.fillAudit(1, func(_ int, l *store.AuditLine) {
			l.Code, l.Fields, l.RolesBefore = cell, []string{cell}, []string{cell}
		})
	}
	body := o.expect(200, request{method: "GET", path: auditPath, header: map[string]string{"Accept": "text/csv"}}).body
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(rows) != 10 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	harmless := 0
	for _, row := range rows {
		for _, cell := range row {
			if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") {
				t.Errorf("%q would be executed", cell)
			}
			if cell == "plain" || cell == `"quoted", with commas` {
				harmless++
			}
		}
	}
	if harmless != 6 {
		t.Errorf("%d of 6 harmless cells are as they were", harmless)
	}
}
