package admin_test

import (
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/functions/admin"
)

// A route that a template wires without its authorizer must be closed.
func TestCallWithoutAuthorizerIsRefused(t *testing.T) {
	words := []request{
		{noAuthorizer: true},
		{authorizer: map[string]any{}},
		{authorizer: map[string]any{"caller": ""}},
		{authorizer: map[string]any{"caller": "anybody"}},
		{authorizer: map[string]any{"caller": true}},
		{authorizer: map[string]any{"caller": "user"}},
		{authorizer: map[string]any{"caller": "user", "userId": ""}},
		{authorizer: map[string]any{"Caller": "admin-key"}},
		{noAuthorizer: true, header: map[string]string{"Authorization": "Bearer x", "X-Caller": "admin-key"}},
	}
	paths := []request{
		{method: "GET", path: "/api/admin/authenticators"},
		{method: "POST", path: "/api/admin/authenticators", body: `{}`},
		{method: "DELETE", path: "/api/admin/authenticators/hr"},
		{method: "POST", path: "/api/admin/authenticators/hr/check"},
		{method: "GET", path: "/api/admin/users?phone=13800138000"},
		{method: "POST", path: "/api/admin/users/import", body: "phone,name\n", contentType: "text/csv"},
		{method: "DELETE", path: "/api/admin/users/u/sessions"},
		{method: "PUT", path: "/api/admin/domain-files/WW_verify_aaaaaaaaaaaaaaaa.txt"},
		{method: "POST", path: "/api/admin/domain-files/WW_verify_aaaaaaaaaaaaaaaa.txt/check"},
		{method: "GET", path: "/api/admin/egress"},
		{method: "GET", path: "/api/admin/users/u/attempts"},
		{method: "GET", path: "/api/admin/authenticators/hr/attempts"},
		{method: "GET", path: applicationsPath},
		{method: "POST", path: applicationsPath, body: `{"kind":"web"}`},
		{method: "PATCH", path: applicationsPath + "/app", body: `{"title":"x"}`},
		{method: "DELETE", path: applicationsPath + "/app"},
		{method: "POST", path: applicationsPath + "/app/secrets"},
		{method: "DELETE", path: applicationsPath + "/app/secrets/x"},
		{method: "POST", path: applicationsPath + "/app/preview", body: `{"userId":"u"}`},
		{method: "GET", path: applicationsPath + "/app/attempts"},
		{method: "GET", path: "/api/admin/nothing"},
		{method: "TRACE", path: "/api/admin/users"},
	}
	o := newOffice(t)
	o.create("hr", "")
	o.createApplication("app", "web", "")
	for _, word := range words {
		for _, r := range paths {
			r.noAuthorizer, r.authorizer, r.header = word.noAuthorizer, word.authorizer, word.header
			if got := o.expect(403, r).problem(t); got != "forbidden" {
				t.Errorf("%s %s as %v: %s", r.method, r.path, word.authorizer, got)
			}
		}
	}
	if len(o.authenticators()) != 1 || len(o.files()) != 0 || len(o.applications()) != 1 || o.application("app").Version != 1 {
		t.Error("something was done")
	}
}

func TestCallerIsLogged(t *testing.T) {
	o := newOffice(t)
	o.expect(200, request{method: "GET", path: "/api/admin/users", authorizer: map[string]any{"caller": "user", "userId": "u1"}})
	if log := o.log.String(); !strings.Contains(log, `"caller":"user","callerId":"u1"`) {
		t.Error(log)
	}
}

// What somebody puts into a path or a query is not in the log before it has the form of
// what it claims to be: it may be a phone number, a secret, or ten kilobytes.
func TestAttackLogHoldsWhatACallerMadeUp(t *testing.T) {
	long := strings.Repeat("made-up-", 1000)
	for _, r := range []request{
		{method: "GET", path: "/api/admin/authenticators/Made-Up"},
		{method: "GET", path: "/api/admin/authenticators/" + long},
		{method: "GET", path: "/api/admin/authenticators/made-up-"},
		{method: "PATCH", path: "/api/admin/authenticators/made_up", body: `{}`},
		{method: "POST", path: "/api/admin/authenticators/made%0Aup/check"},
		{method: "GET", path: "/api/admin/authenticators/made.up/attempts"},
		{method: "POST", path: "/api/admin/authenticators", body: `{"name":"Made-Up","corpId":"ww0123456789","agentId":"1","secret":"s","origin":"https://app.example.com"}`},
		{method: "POST", path: "/api/admin/authenticators", body: `{"made-up":1}`},
		{method: "GET", path: "/api/admin/users/made-up"},
		{method: "GET", path: "/api/admin/users/" + long},
		{method: "DELETE", path: "/api/admin/users/made-up/identities/made-up/made-up"},
		{method: "DELETE", path: "/api/admin/users/made-up/sessions"},
		{method: "GET", path: "/api/admin/users?name=made-up"},
		{method: "GET", path: "/api/admin/users?phone=made-up"},
		{method: "GET", path: "/api/admin/users?cursor=made-up"},
		{method: "PUT", path: "/api/admin/domain-files/made-up.txt"},
		{method: "DELETE", path: "/api/admin/domain-files/WW_verify_made-up-made-up.txt"},
		{method: "POST", path: "/api/admin/domain-files/WW_verify_0123456789abcdef.txt%0Amade-up/check"},
		{method: "POST", path: "/api/admin/users/import", contentType: "text/csv; charset=made-up", body: "phone,name\n"},
		{method: "POST", path: "/api/admin/users/import", contentType: "text/csv", body: "made-up,name\nmade-up,made-up\n"},
		{method: "POST", path: "/api/admin/users/import", contentType: "text/csv", body: "phone,name\n\"made-up,made-up\n"},
		{method: "POST", path: "/api/admin/users/import", contentType: "made-up/made-up", body: "phone,name\n"},
		{method: "GET", path: "/api/admin/made-up"},
		{method: "GET", path: applicationsPath + "/Made-Up"},
		{method: "PATCH", path: applicationsPath + "/" + long, body: `{}`},
		{method: "GET", path: applicationsPath + "/made.up/attempts"},
		{method: "POST", path: applicationsPath, body: `{"id":"Made-Up","kind":"web"}`},
		{method: "POST", path: applicationsPath, body: `{"kind":"made-up"}`},
		{method: "PATCH", path: applicationsPath + "/app", body: `{"claims":{"made-up":1}}`},
		{method: "PATCH", path: applicationsPath + "/app", body: `{"authenticators":["made-up"]}`},
		{method: "PATCH", path: applicationsPath + "/app", body: `{"redirectUris":["made-up:x"]}`},
		{method: "DELETE", path: applicationsPath + "/app/secrets/made-up"},
		{method: "POST", path: applicationsPath + "/app/preview", body: `{"userId":"made-up"}`},
	} {
		o := newOffice(t)
		o.create("hr", "")
		o.createApplication("app", "web", "")
		o.log.text.Reset()
		if got := o.send(r); got.status/100 == 5 {
			t.Errorf("%s %.80s: status %d", r.method, r.path, got.status)
		}
		if log := strings.ToLower(o.log.String()); strings.Contains(log, "made") || len(log) > 1000 {
			t.Errorf("%s %.80s: the log has %.1000s", r.method, r.path, log)
		}
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	tests := []struct {
		method, path string
		status       int
		allow        string
	}{
		{"GET", "/api/admin", 404, ""},
		{"GET", "/api/admin/", 404, ""},
		{"GET", "/api/admin/nothing", 404, ""},
		{"GET", "/api/admin/users/", 404, ""},
		{"GET", "/api/admin//users", 404, ""},
		{"GET", "/api/admin/../admin/users", 404, ""},
		{"GET", "/api/admin/users/u/nothing", 404, ""},
		{"GET", "/api/admin/Users", 404, ""},
		{"GET", "/somewhere", 404, ""},
		{"GET", "/console/", 404, ""},
		{"PUT", "/api/admin/authenticators", 405, "GET, POST"},
		{"OPTIONS", "/api/admin/users", 405, "GET, POST"},
		{"PUT", "/api/admin/authenticators/hr", 405, "DELETE, GET, PATCH"},
		{"GET", "/api/admin/authenticators/hr/check", 405, "POST"},
		{"PUT", "/api/admin/applications", 405, "GET, POST"},
		{"PUT", "/api/admin/applications/app", 405, "DELETE, GET, PATCH"},
		{"GET", "/api/admin/applications/app/secrets", 405, "POST"},
		{"GET", "/api/admin/applications/app/secrets/x", 405, "DELETE"},
		{"GET", "/api/admin/applications/app/preview", 405, "POST"},
		{"POST", "/api/admin/applications/app/attempts", 405, "GET"},
		{"GET", "/api/admin/applications/Not-An-Id", 404, ""},
		{"GET", "/api/admin/applications/app", 404, ""},
		{"POST", "/api/admin/applications/app/secrets", 404, ""},
		{"DELETE", "/api/admin/applications/app/secrets/x", 404, ""},
		{"POST", "/api/admin/users/u", 405, "DELETE, GET, PATCH"},
		{"GET", "/api/admin/users/import", 405, "POST"},
		{"GET", "/api/admin/users/u/sessions", 405, "DELETE"},
		{"PUT", "/api/admin/users/u/identities/c/m", 405, "DELETE"},
		{"POST", "/api/admin/domain-files", 405, "GET"},
		{"GET", "/api/admin/domain-files/WW_verify_aaaaaaaaaaaaaaaa.txt", 405, "DELETE, PUT"},
		{"POST", "/console", 405, "GET"},
		{"GET", "/api/admin/authenticators/Not-A-Name", 404, ""},
		{"GET", "/api/admin/authenticators/50%", 404, ""},
		{"GET", "/api/admin/users/u1", 404, ""},
		{"GET", "/api/admin/users/ü", 404, ""},
		{"DELETE", "/api/admin/users/u1/sessions", 404, ""},
		{"DELETE", "/api/admin/users/u1/identities/c/m", 404, ""},
		{"POST", "/api/admin/authenticators/hr/check", 404, ""},
	}
	o := newOffice(t)
	for _, test := range tests {
		got := o.expect(test.status, request{method: test.method, path: test.path})
		if want := map[int]string{404: "not_found", 405: "method_not_allowed"}[test.status]; got.problem(t) != want {
			t.Errorf("%s %s: %s", test.method, test.path, got.body)
		}
		if got.header["allow"] != test.allow {
			t.Errorf("%s %s: Allow %q, want %q", test.method, test.path, got.header["allow"], test.allow)
		}
	}
}

func TestBodies(t *testing.T) {
	pad := strings.Repeat(" ", 256<<10)
	tests := []struct {
		name, contentType, body string
		status                  int
		problem                 string
	}{
		{"no content type", "", `{"phone":"13800138000"}`, 415, "unsupported_media_type Content-Type"},
		{"form", "application/x-www-form-urlencoded", "phone=13800138000", 415, "unsupported_media_type Content-Type"},
		{"text", "text/plain", `{"phone":"13800138000"}`, 415, "unsupported_media_type Content-Type"},
		{"other charset", "application/json; charset=gbk", `{"phone":"13800138000"}`, 415, "unsupported_media_type Content-Type"},
		{"broken content type", "application/json; charset", `{"phone":"13800138000"}`, 415, "unsupported_media_type Content-Type"},
		{"empty", "application/json", "", 400, "invalid_request"},
		{"null", "application/json", "null", 400, "invalid_request"},
		{"array", "application/json", `[{"phone":"13800138000"}]`, 400, "invalid_request"},
		{"text in JSON", "application/json", `"phone"`, 400, "invalid_request"},
		{"broken", "application/json", `{"phone":"13800138000"`, 400, "invalid_request"},
		{"comma at the end", "application/json", `{"phone":"13800138000",}`, 400, "invalid_request"},
		{"garbage behind", "application/json", `{"phone":"13800138000"} x`, 400, "invalid_request"},
		{"a second object", "application/json", `{"phone":"13800138000"}{}`, 400, "invalid_request"},
		{"comment", "application/json", `{"phone":"13800138000"/* */}`, 400, "invalid_request"},
		{"not UTF-8", "application/json", "{\"phone\":\"13800138000\",\"name\":\"\xc4\xe3\"}", 400, "invalid_request"},
		{"deep", "application/json", `{"roles":` + strings.Repeat("[", 100000) + strings.Repeat("]", 100000) + `}`, 400, "invalid_request"},
		{"same name twice", "application/json", `{"phone":"13800138000","enabled":false,"enabled":true}`, 400, "invalid_request enabled"},
		{"same name twice, escaped", "application/json", `{"phone":"13800138000","enabled":false,"\u0065nabled":true}`, 400, "invalid_request enabled"},
		{"same name in another case", "application/json", `{"phone":"13800138000","Enabled":false}`, 400, "invalid_request Enabled"},
		{"too large", "application/json", `{"phone":"13800138000"}` + pad, 413, "payload_too_large"},
		{"largest", "application/json; charset=utf-8", (`{"phone":"13800138000"}` + pad)[:256<<10], 201, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newOffice(t)
			r := request{method: "POST", path: "/api/admin/users", contentType: test.contentType, body: test.body}
			if r.contentType == "" {
				r.header = map[string]string{"Content-Type": ""}
			}
			got := o.expect(test.status, r)
			if test.problem != "" {
				if problem := got.problem(t); problem != test.problem {
					t.Errorf("%s, want %s", problem, test.problem)
				}
				if len(o.users()) != 0 {
					t.Error("a user was made")
				}
			}
		})
	}
}

func TestPages(t *testing.T) {
	o := newOffice(t)
	for _, name := range []string{"a", "b", "c"} {
		o.create(name, "")
	}
	type page struct {
		Items      []struct{ Name string }
		NextCursor *string
	}
	var first, second page
	o.expect(200, request{method: "GET", path: "/api/admin/authenticators?limit=2"}).decode(t, &first)
	if len(first.Items) != 2 || first.NextCursor == nil {
		t.Fatalf("first page %+v", first)
	}
	o.expect(200, request{method: "GET", path: "/api/admin/authenticators?limit=2&cursor=" + *first.NextCursor}).decode(t, &second)
	if len(second.Items) != 1 || second.Items[0].Name != "c" || second.NextCursor != nil {
		t.Fatalf("second page %+v", second)
	}
	for _, list := range []string{"applications", "authenticators", "users", "domain-files"} {
		for query, problem := range map[string]string{
			"limit=0": "limit", "limit=201": "limit", "limit=-1": "limit", "limit=x": "limit", "limit=": "limit", "limit=1.5": "limit",
			"cursor=bad": "cursor",
		} {
			got := o.expect(400, request{method: "GET", path: "/api/admin/" + list + "?" + query})
			if got.problem(t) != "invalid_request "+problem {
				t.Errorf("%s?%s: %s", list, query, got.body)
			}
		}
		o.expect(200, request{method: "GET", path: "/api/admin/" + list + "?limit=200"})
	}
	if got := newOffice(t).expect(200, request{method: "GET", path: "/api/admin/users"}); got.body != `{"items":[],"nextCursor":null}`+"\n" {
		t.Error(got.body)
	}
}

func TestStoreFaultsSayNothing(t *testing.T) {
	o := newOffice(t)
	o.directory.before = func(string) error { return errSecretDetail }
	for _, r := range []request{
		{method: "POST", path: "/api/admin/users", body: `{"phone":"13800138000"}`},
		{method: "PUT", path: "/api/admin/domain-files/WW_verify_aaaaaaaaaaaaaaaa.txt"},
		{method: "DELETE", path: "/api/admin/domain-files/WW_verify_aaaaaaaaaaaaaaaa.txt"},
	} {
		if got := o.expect(500, r); strings.Contains(got.body, "table") || got.problem(t) != "internal" {
			t.Errorf("%s %s: %s", r.method, r.path, got.body)
		}
	}
}

func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":1}`, `{"a":1,"a":2}`, `[]`, `{"a":{"b":[null]}}`, `{"a":1}x`, "{\"\xff\":1}", `{"\ud800":1}`, `{"a":1,}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) { admin.CheckParseObject(t, body) })
}
