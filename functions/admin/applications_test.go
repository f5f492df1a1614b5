package admin_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

func TestCreateApplication(t *testing.T) {
	o := newOffice(t)
	created := o.createApplication("gitlab", "web", `,"title":" GitLab ","redirectUris":["https://gitlab.example.com/callback"]`)
	want := `{"id":"gitlab","title":"GitLab","enabled":true,"kind":"web","homepage":"","redirectUris":["https://gitlab.example.com/callback"],` +
		`"postLogoutRedirectUris":[],"backchannelLogoutUri":"","authenticators":[],"allow":{"departments":[],"tags":[],"roles":[]},` +
		`"requirePkce":false,"firstParty":true,"claims":{"groups":{"name":"groups","from":["roles","departments"],"as":"id"},"email":"none","emailTemplate":"",` +
		`"preferredUsername":"wecom_userid","phone":true,"inIdToken":true},"forwardAuth":{"token":false},"audience":"","refreshTokenLifetime":"720h","secrets":[],` +
		`"createdAt":"2026-11-21T08:00:00Z","updatedAt":"2026-11-21T08:00:00Z","lastUsedAt":null,"version":1}` + "\n"
	if created.body != want {
		t.Errorf("body\n%s\nwant\n%s", created.body, want)
	}
	if created.header["location"] != "/api/admin/applications/gitlab" || created.header["etag"] != `"1"` {
		t.Errorf("headers %v", created.header)
	}
	if got := o.expect(200, request{method: "GET", path: applicationsPath + "/gitlab"}); got.body != want || got.header["etag"] != `"1"` {
		t.Errorf("GET one: %s %v", got.body, got.header)
	}
	if got := o.expect(200, request{method: "GET", path: applicationsPath}); got.body != `{"items":[`+strings.TrimSpace(want)+`],"nextCursor":null}`+"\n" {
		t.Errorf("GET list: %s", got.body)
	}
	if a := o.application("gitlab"); a.Generation == "" {
		t.Errorf("record %+v", a)
	}
	if problem := o.expect(409, request{method: "POST", path: applicationsPath, body: `{"id":"gitlab","kind":"native"}`}).problem(t); problem != "already_exists id" {
		t.Error(problem)
	}
}

// Each field, with a value other than its default, goes in and comes out.
func TestApplicationFields(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.create("it", "")
	all := `"title":"Wiki","enabled":false,"homepage":"https://wiki.example.com/start?a=b",` +
		`"redirectUris":["https://wiki.example.com/cb","http://127.0.0.1:8080/cb"],"postLogoutRedirectUris":["https://wiki.example.com/bye"],` +
		`"backchannelLogoutUri":"https://wiki.example.com/logout","authenticators":["it","hr"],"allow":{"departments":[],"tags":[],"roles":["staff","wiki:read"]},` +
		`"requirePkce":true,"firstParty":false,"claims":{"groups":{"name":"https://corp.example/groups","from":["roles"],"as":"path"},"email":"template",` +
		`"emailTemplate":"{wecom_userid}@corp.example","preferredUsername":"id","phone":false,"inIdToken":false},"forwardAuth":{"token":false},` +
		`"audience":"https://api.example.com","refreshTokenLifetime":"90m"`
	want := `{"id":"wiki",` + strings.Replace(all, `"enabled":false,`, `"enabled":false,"kind":"web",`, 1) +
		`,"secrets":[],"createdAt":"2026-11-21T08:00:00Z","updatedAt":"2026-11-21T08:00:00Z","lastUsedAt":null,"version":%d}` + "\n"
	if got := o.createApplication("wiki", "web", ","+all); got.body != fmt.Sprintf(want, 1) {
		t.Errorf("created\n%s\nwant\n%s", got.body, fmt.Sprintf(want, 1))
	}
	// The same again changes nothing; what it is about may be one by one.
	if got := o.expect(200, request{method: "PATCH", path: applicationsPath + "/wiki", body: "{" + all + "}"}); got.body != fmt.Sprintf(want, 1) {
		t.Errorf("patched\n%s\nwant\n%s", got.body, fmt.Sprintf(want, 1))
	}
	o.createApplication("other", "web", "")
	if got := o.expect(200, request{method: "PATCH", path: applicationsPath + "/other", body: "{" + all + "}"}); got.body != strings.Replace(fmt.Sprintf(want, 2), `"wiki"`, `"other"`, 1) {
		t.Errorf("changed\n%s", got.body)
	}
}

func TestRefreshTokenLifetimes(t *testing.T) {
	o := newOffice(t)
	o.createApplication("app", "web", "")
	for given, want := range map[string]string{"1m": "1m", "60s": "1m", "90m": "90m", "1h30m": "90m", "24h": "24h", "61s": "1m1s", "2160h": "2160h", "720h0m0s": "720h"} {
		got := o.expect(200, request{method: "PATCH", path: applicationsPath + "/app", body: fmt.Sprintf(`{"refreshTokenLifetime":%q}`, given)})
		if shown := got.object(t)["refreshTokenLifetime"]; shown != want {
			t.Errorf("%s: %v, want %s", given, shown, want)
		}
	}
}

// Members of claims and allow that are left out stay as they are.
func TestApplicationObjectsAreMerged(t *testing.T) {
	o := newOffice(t)
	o.createApplication("app", "web", `,"claims":{"phone":false},"allow":{"roles":["staff"]}`)
	want := claims.DefaultRules()
	want.Phone = false
	allow := store.Allow{Roles: []string{"staff"}}
	for _, step := range []struct {
		patch  string
		change func()
	}{
		{`{}`, func() {}},
		{`{"claims":{}}`, func() {}},
		{`{"claims":{"groups":{}}}`, func() {}},
		{`{"claims":{"groups":{"name":"roles"}}}`, func() { want.GroupsName = "roles" }},
		{`{"claims":{"groups":{"from":[]}}}`, func() { want.GroupsFrom = nil }},
		{`{"claims":{"groups":{"from":["roles","roles"],"as":"path"}}}`, func() { want.GroupsFrom, want.GroupsAs = []string{"roles"}, "path" }},
		{`{"claims":{"emailTemplate":"x.{wecom_userid}@corp.example"}}`, func() { want.EmailTemplate = "x.{wecom_userid}@corp.example" }},
		{`{"claims":{"email":"template"}}`, func() { want.Email = "template" }},
		{`{"claims":{"email":"wecom","emailTemplate":""}}`, func() { want.Email, want.EmailTemplate = "wecom", "" }},
		{`{"claims":{"preferredUsername":"phone","phone":true}}`, func() { want.PreferredUsername, want.Phone = "phone", true }},
		{`{"allow":{}}`, func() {}},
		{`{"allow":{"departments":[12,1,12],"tags":[3]}}`, func() { allow.Departments, allow.Tags = []int64{12, 1}, []int64{3} }},
		{`{"allow":{"departments":[]}}`, func() { allow.Departments = nil }},
		{`{"allow":{"tags":[]}}`, func() { allow.Tags = nil }},
	} {
		step.change()
		o.expect(200, request{method: "PATCH", path: applicationsPath + "/app", body: step.patch})
		a := o.application("app")
		if diff := cmp.Diff(want, a.Claims) + cmp.Diff(allow, a.Allow); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", step.patch, diff)
		}
	}
	o.expect(200, request{method: "PATCH", path: applicationsPath + "/app", body: `{"allow":{"roles":[]}}`})
	if a := o.application("app"); a.Allow.Roles != nil || a.Version != 12 {
		t.Errorf("version %d, allow %+v", a.Version, a.Allow)
	}
}

// The kind decides what an application can keep secret and where it may be.
func TestApplicationKinds(t *testing.T) {
	for _, test := range []struct {
		kind, changes string
		pkce          bool
	}{
		{"web", ``, false},
		{"web", `,"requirePkce":true`, true},
		{"web", `,"redirectUris":["http://localhost/cb","http://[::1]:8080/cb"]`, false},
		{"browser", `,"redirectUris":["https://spa.example.com/cb","http://localhost:5173/"]`, true},
		{"browser", `,"requirePkce":true`, true},
		{"native", `,"redirectUris":["http://127.0.0.1/cb","com.example.app:/cb"]`, true},
		{"proxy", `,"homepage":"https://wiki.example.com/"`, false},
		{"proxy", `,"homepage":"https://wiki.example.com/","redirectUris":[],"postLogoutRedirectUris":[]`, false},
	} {
		o := newOffice(t)
		created := o.createApplication("app", test.kind, test.changes).object(t)
		if created["kind"] != test.kind || created["requirePkce"] != test.pkce {
			t.Errorf("%s %s: %v", test.kind, test.changes, created)
		}
	}
}

func TestApplicationIDIsMade(t *testing.T) {
	o := newOffice(t)
	body := request{method: "POST", path: applicationsPath, body: `{"kind":"web"}`}
	first, second := o.expect(201, body).object(t)["id"].(string), o.expect(201, body).object(t)["id"].(string)
	if !regexp.MustCompile(`^[a-z0-9]{26}$`).MatchString(first) || first == second || o.application(first).Title != first {
		t.Errorf("%q, %q", first, second)
	}
}

// An address that could be anything else than what the administrator reads, or run, is
// refused by its field.
func TestAttackAddressOfAnApplication(t *testing.T) {
	everywhere := []string{
		"javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//evil.example/cb", "/cb", "app.example.com",
		"https://user@app.example.com/cb", "https://app.example.com:x@evil.example/cb", "https://app.example.com/cb#fragment", "https://app.example.com/cb#",
		"https://*.example.com/cb", "https://app.example.com/*", "http://app.example.com/cb", "http://127.0.0.1.evil.example/cb", "http://2130706433/cb",
		`https://app.example.com\@evil.example/cb`, `https://evil.example\.app.example.com/cb`, "https://app.example.com/a b", "https://app.example.com/a\tb",
		"https://app.example.com/a/../b", "https://app.example.com/%2e%2e/b", "https://例子.example/cb", "https:///cb", "https:app.example.com", "HTTPS:app",
		"https://app.example.com:0/cb", "https://app.example.com:99999/cb", "https://app.example.com/" + strings.Repeat("a", 1024), "vbscript:x", "blob:https://app.example.com/x",
	}
	redirects := append([]string{"", "https://app.example.com/cb?code=x", "https://app.example.com/cb?state=x&a=b", "https://app.example.com/cb?iss=x", "com.example.app://host/cb"}, everywhere...)
	for _, kind := range []string{"web", "browser", "native", "proxy"} {
		o := newOffice(t)
		o.createApplication("app", kind, `,"homepage":"https://app.example.com/"`)
		before := o.application("app")
		fields := map[string][]string{"homepage": everywhere, "backchannelLogoutUri": everywhere}
		if kind == "proxy" {
			redirects = append(redirects, "https://app.example.com/cb", "http://127.0.0.1/cb")
			fields["homepage"] = append(fields["homepage"], "")
		}
		for _, address := range redirects {
			if kind == "native" && strings.HasPrefix(address, "com.") {
				continue
			}
			for _, name := range []string{"redirectUris", "postLogoutRedirectUris"} {
				got := o.expect(400, request{method: "PATCH", path: applicationsPath + "/app", body: fmt.Sprintf(`{"title":"x",%q:[%q]}`, name, address)})
				if problem := got.problem(t); problem != "invalid_request "+name || !strings.Contains(got.body, "Address 1 of "+name) {
					t.Errorf("%s %s %q: %s", kind, name, address, got.body)
				}
			}
		}
		for name, addresses := range fields {
			for _, address := range addresses {
				got := o.expect(400, request{method: "PATCH", path: applicationsPath + "/app", body: fmt.Sprintf(`{"title":"x",%q:%q}`, name, address)})
				if problem := got.problem(t); problem != "invalid_request "+name {
					t.Errorf("%s %s %q: %s", kind, name, address, problem)
				}
			}
		}
		if diff := cmp.Diff(before, o.application("app")); diff != "" {
			t.Errorf("%s: changed:\n%s", kind, diff)
		}
	}
}

// Logout tokens are sent by the service itself, which reaches more than the internet does.
func TestAttackBackchannelIntoThePrivateNetwork(t *testing.T) {
	private := []string{
		"https://10.0.0.1/logout", "https://192.168.1.1/logout", "https://172.16.0.1/logout", "https://169.254.169.254/latest/meta-data",
		"https://[fd00:ec2::254]/latest", "https://[fe80::1]/logout", "https://[::ffff:10.0.0.1]/logout", "https://0.0.0.0/logout", "https://0x7f000001/", "https://127.1/",
	}
	loopback := []string{"http://127.0.0.1:8080/logout", "http://localhost:8080/logout", "https://localhost/logout", "http://[::1]/logout"}
	for _, local := range []bool{false, true} {
		o := newOffice(t)
		o.assemble(publicURL, func(cfg *admin.Config) { cfg.LocalRun = local })
		o.createApplication("app", "web", "")
		send := func(address string) answer {
			return o.send(request{method: "PATCH", path: applicationsPath + "/app", body: fmt.Sprintf(`{"backchannelLogoutUri":%q}`, address)})
		}
		for _, address := range private {
			if got := send(address); got.status != 400 || got.problem(t) != "invalid_request backchannelLogoutUri" {
				t.Errorf("local run %v: %s: %s", local, address, got.body)
			}
		}
		for _, address := range loopback {
			if got := send(address); (got.status == 200) != local {
				t.Errorf("local run %v: %s: %s", local, address, got.body)
			}
		}
		if got := send("https://app.example.com/logout"); got.status != 200 {
			t.Error(got.body)
		}
		if got := send(""); got.status != 200 || o.application("app").BackchannelLogoutURI != "" {
			t.Error(got.body)
		}
	}
}

// A userid names two people in two companies: an administrator does not give both one
// address by mistake, by whichever change.
func TestAttackOneAddressForTwoPeople(t *testing.T) {
	const template = `"claims":{"email":"template","emailTemplate":"{wecom_userid}@corp.example"}`
	o := newOffice(t)
	o.createApplication("early", "web", ","+template) // no company can sign in yet
	o.create("hr", "")
	o.create("hr-phone", "")
	o.createApplication("open", "web", ","+template)
	o.create("partner", "")
	o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/partner", body: `{"corpId":"wwPartner","enabled":false}`})
	o.createApplication("own", "web", `,"authenticators":["hr","hr-phone"],`+template)
	o.createApplication("partners", "web", `,"authenticators":["partner"],`+template)
	o.createApplication("plain", "web", "")
	for _, r := range []request{
		{method: "POST", path: applicationsPath, body: `{"kind":"web","id":"new",` + template + `}`},
		{method: "POST", path: applicationsPath, body: `{"kind":"web","id":"new","authenticators":["hr","partner"],` + template + `}`},
		{method: "PATCH", path: applicationsPath + "/plain", body: `{` + template + `}`},
		{method: "PATCH", path: applicationsPath + "/plain", body: `{"claims":{"email":"wecom"}}`},
		{method: "PATCH", path: applicationsPath + "/own", body: `{"authenticators":[]}`},
		{method: "PATCH", path: applicationsPath + "/own", body: `{"authenticators":["hr","partner"]}`},
		{method: "PATCH", path: applicationsPath + "/partners", body: `{"authenticators":["partner","hr"],"title":"Both"}`},
		{method: "PATCH", path: applicationsPath + "/open", body: `{"claims":{"phone":false}}`},
	} {
		if problem := o.expect(400, r).problem(t); problem != "invalid_request claims.email" {
			t.Errorf("%s %s: %s", r.method, r.body, problem)
		}
	}
	// What the partner has made ambiguous can be changed in everything else, and be mended.
	for _, body := range []string{`{"title":"Open"}`, `{"authenticators":["hr"]}`, `{"claims":{"email":"none"}}`, `{"authenticators":[]}`} {
		o.expect(200, request{method: "PATCH", path: applicationsPath + "/open", body: body})
	}
}

// Every wrong request names the field and changes nothing.
func TestApplicationRefusals(t *testing.T) {
	many := func(n int, text string) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(text, i))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	wrong := []struct {
		field  string // of the error
		name   string // of the member
		values []string
	}{
		{"title", "title", []string{`""`, `" "`, `"a\u0000"`, `"` + strings.Repeat("a", 201) + `"`, "null", "1"}},
		{"enabled", "enabled", []string{`"true"`, "1", "null"}},
		{"homepage", "homepage", []string{"null", "1", `["https://app.example.com"]`, `"ftp://app.example.com"`}},
		{"redirectUris", "redirectUris", []string{"null", `"https://app.example.com/cb"`, `[1]`, `[null]`, `{}`, many(21, `"https://app.example.com/%d"`)}},
		{"postLogoutRedirectUris", "postLogoutRedirectUris", []string{"null", `""`, `[[]]`, many(21, `"https://app.example.com/%d"`)}},
		{"backchannelLogoutUri", "backchannelLogoutUri", []string{"null", "false"}},
		{"authenticators", "authenticators", []string{"null", `"hr"`, `[1]`, `["none"]`, `["hr","none"]`, `["HR"]`, `[""]`, many(21, `"a%d"`)}},
		{"allow", "allow", []string{"null", "[]", `"staff"`, "true"}},
		{"allow.roles", "allow", []string{`{"roles":null}`, `{"roles":"staff"}`, `{"roles":["a b"]}`, `{"roles":[""]}`, `{"roles":` + many(51, `"r%d"`) + `}`}},
		{"allow.departments", "allow", []string{`{"departments":["1"]}`, `{"departments":null}`, `{"departments":1}`, `{"departments":[1,0]}`, `{"roles":["staff"],"departments":[-7]}`, `{"departments":[1.5]}`, `{"departments":[4294967296]}`}},
		{"allow.tags", "allow", []string{`{"tags":[null]}`, `{"tags":null}`, `{"tags":{}}`}},
		{"allow.users", "allow", []string{`{"users":[]}`}},
		{"requirePkce", "requirePkce", []string{`"true"`, "null"}},
		{"firstParty", "firstParty", []string{"0", "null"}},
		{"forwardAuth", "forwardAuth", []string{"null", "[]", "true"}},
		{"forwardAuth.token", "forwardAuth", []string{`{"token":null}`, `{"token":"yes"}`, `{"token":true}`}}, // true is for the kind proxy
		{"forwardAuth.Token", "forwardAuth", []string{`{"Token":false}`}},
		{"claims", "claims", []string{"null", "[]", `"x"`}},
		{"claims.groups", "claims", []string{`{"groups":null}`, `{"groups":[]}`, `{"groups":"roles"}`}},
		{"claims.groups.name", "claims", []string{`{"groups":{"name":""}}`, `{"groups":{"name":"sub"}}`, `{"groups":{"name":"Scope"}}`, `{"groups":{"name":"email"}}`, `{"groups":{"name":"a b"}}`, `{"groups":{"name":null}}`, `{"groups":{"name":"client_id"}}`}},
		{"claims.groups.from", "claims", []string{`{"groups":{"from":"roles"}}`, `{"groups":{"from":["tags"]}}`, `{"groups":{"from":null}}`}},
		{"claims.groups.as", "claims", []string{`{"groups":{"as":"name"}}`, `{"groups":{"as":""}}`, `{"groups":{"as":1}}`}},
		{"claims.groups.As", "claims", []string{`{"groups":{"As":"id"}}`}},
		{"claims.email", "claims", []string{`{"email":"phone"}`, `{"email":""}`, `{"email":false}`}},
		{"claims.emailTemplate", "claims", []string{
			`{"email":"template"}`, `{"email":"template","emailTemplate":""}`, `{"emailTemplate":"li@corp.example"}`, `{"emailTemplate":"{wecom_userid}"}`,
			`{"emailTemplate":"a@{wecom_userid}.example"}`, `{"emailTemplate":"{wecom_userid}@{wecom_userid}.example"}`, `{"emailTemplate":"{wecom_userid}@corp.example\n"}`,
			`{"emailTemplate":"{wecom_userid}@evil.example, x@corp.example"}`, `{"emailTemplate":"{wecom_userid}@"}`, `{"emailTemplate":"{wecom_userid}{wecom_userid}@corp.example"}`, `{"emailTemplate":"{wecom_userid}@127.0.0.1"}`,
		}},
		{"claims.preferredUsername", "claims", []string{`{"preferredUsername":"name"}`, `{"preferredUsername":null}`, `{"preferredUsername":"phone","phone":false}`}},
		{"claims.phone", "claims", []string{`{"phone":"yes"}`, `{"phone":null}`}},
		{"claims.inIdToken", "claims", []string{`{"inIdToken":1}`}},
		{"claims.inIDToken", "claims", []string{`{"inIDToken":true}`}},
		{"claims.phone", "claims", []string{`{"phone":true,"phone":false}`}},
		{"audience", "audience", []string{
			"null", "1", `"api"`, `"gitlab"`, `"//api.example.com"`, `"https://"`, `"https:///"`, `"urn:"`, `"https://api.example.com/#a"`, `"https://user@api.example.com"`, `"https://api.example.com/a b"`,
			`"https://` + strings.Repeat("a", 1020) + `.example"`, `"` + publicURL + `"`, `"` + publicURL + `/"`, `"` + publicURL + `/api/admin"`, `"HTTPS://SIGNIN.example.com:443/x"`,
		}},
		{"refreshTokenLifetime", "refreshTokenLifetime", []string{"null", "720", `"720"`, `""`, `"0h"`, `"-1h"`, `"59s"`, `"2160h1s"`, `"90d"`, `"90.0000001m"`}},
		{"secrets", "secrets", []string{`[]`, `[{"id":"x"}]`}},
		{"createdAt", "createdAt", []string{`"2026-01-01T00:00:00Z"`}},
		{"updatedAt", "updatedAt", []string{`"x"`}},
		{"lastUsedAt", "lastUsedAt", []string{"null"}},
		{"version", "version", []string{"1"}},
		{"generation", "generation", []string{`"x"`}},
		{"RedirectUris", "RedirectUris", []string{"[]"}},
		{"redirect_uris", "redirect_uris", []string{"[]"}},
		{"forwardAuth.token", "forwardAuth", []string{`{"token":true}`}},
		{"__proto__", "__proto__", []string{`{}`}},
	}
	o := newOffice(t)
	o.create("hr", "")
	o.createApplication("app", "web", "")
	before := o.application("app")
	check := func(field, method, path, body string) {
		t.Helper()
		if problem := o.expect(400, request{method: method, path: path, body: body}).problem(t); problem != "invalid_request "+field {
			t.Errorf("%s %s: %s", method, body, problem)
		}
	}
	for _, w := range wrong {
		for _, value := range w.values {
			check(w.field, "POST", applicationsPath, fmt.Sprintf(`{"kind":"web","id":"new",%q:%s}`, w.name, value))
			// A good change beside the wrong one must not be made either.
			good := `"firstParty":false`
			if w.name == "firstParty" {
				good = `"enabled":false`
			}
			check(w.field, "PATCH", applicationsPath+"/app", fmt.Sprintf(`{%s,%q:%s}`, good, w.name, value))
		}
	}
	for _, id := range []string{`""`, `"Upper"`, `"-a"`, `"a-"`, `"a_b"`, `"a/b"`, `"a.b"`, `"` + strings.Repeat("a", 65) + `"`, "1", "null", `"https://app.example.com"`} {
		check("id", "POST", applicationsPath, `{"kind":"web","id":`+id+`}`)
	}
	for _, kind := range []string{`""`, `"Web"`, `"confidential"`, "null", "1", `["web"]`} {
		check("kind", "POST", applicationsPath, `{"id":"new","kind":`+kind+`}`)
	}
	check("kind", "POST", applicationsPath, `{"id":"new"}`)
	check("homepage", "POST", applicationsPath, `{"id":"new","kind":"proxy"}`)
	check("redirectUris", "POST", applicationsPath, `{"id":"new","kind":"proxy","homepage":"https://a.example.com","redirectUris":["https://a.example.com/cb"]}`)
	check("requirePkce", "POST", applicationsPath, `{"id":"new","kind":"browser","requirePkce":false}`)
	check("requirePkce", "POST", applicationsPath, `{"id":"new","kind":"native","requirePkce":false}`)
	// What an application is cannot be changed, not even to what it is.
	check("id", "PATCH", applicationsPath+"/app", `{"id":"app"}`)
	check("kind", "PATCH", applicationsPath+"/app", `{"kind":"web"}`)
	check("kind", "PATCH", applicationsPath+"/app", `{"kind":"browser"}`)
	if diff := cmp.Diff([]store.Application{before}, o.applications()); diff != "" {
		t.Errorf("something was done:\n%s", diff)
	}
}

// An authenticator that has been deleted since stays in the list until the list is changed,
// because without it the application would be open to all authenticators.
func TestApplicationOfADeletedAuthenticator(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.createApplication("app", "web", `,"authenticators":["hr","hr"]`)
	o.expect(204, request{method: "DELETE", path: "/api/admin/authenticators/hr"})
	got := o.expect(200, request{method: "PATCH", path: applicationsPath + "/app", body: `{"title":"x"}`})
	if fmt.Sprint(got.object(t)["authenticators"]) != "[hr]" {
		t.Error(got.body)
	}
	if problem := o.expect(400, request{method: "PATCH", path: applicationsPath + "/app", body: `{"authenticators":["hr"]}`}).problem(t); problem != "invalid_request authenticators" {
		t.Error(problem)
	}
}

// Disabling ends the grants, which carry the generation; enabling does not bring them
// back, and nothing else ends them.
func TestDisablingAnApplicationEndsItsGrants(t *testing.T) {
	o := newOffice(t)
	o.createApplication("app", "web", "")
	generation := o.application("app").Generation
	for _, step := range []struct {
		patch string
		ends  bool
	}{
		{`{"title":"x","redirectUris":["https://app.example.com/cb"]}`, false},
		{`{"enabled":true}`, false},
		{`{"enabled":false}`, true},
		{`{"enabled":false,"title":"y"}`, false},
		{`{"enabled":true}`, false},
	} {
		o.expect(200, request{method: "PATCH", path: applicationsPath + "/app", body: step.patch})
		after := o.application("app").Generation
		if (after != generation) != step.ends {
			t.Errorf("%s: from %s to %s", step.patch, generation, after)
		}
		generation = after
	}
}

func TestDeleteApplicationAndUseTheIDAgain(t *testing.T) {
	o := newOffice(t)
	o.createApplication("app", "web", "")
	first := o.application("app")
	_, _ = o.createSecret("app")
	o.expect(204, request{method: "DELETE", path: applicationsPath + "/app"})
	o.expect(404, request{method: "GET", path: applicationsPath + "/app"})
	o.expect(404, request{method: "DELETE", path: applicationsPath + "/app"})
	o.createApplication("app", "web", "")
	if second := o.application("app"); second.Generation == first.Generation || len(second.Secrets) != 0 {
		t.Errorf("a namesake inherited from the deleted one: %+v", second)
	}
}

func TestApplicationIfMatch(t *testing.T) {
	for tag, matches := range map[string]bool{`"1"`: false, `"2"`: true, `*`: true, `W/"2"`: false, `2`: false} {
		for _, r := range []request{
			{method: "PATCH", path: applicationsPath + "/app", body: `{"title":"y"}`},
			{method: "DELETE", path: applicationsPath + "/app"},
			{method: "POST", path: applicationsPath + "/app/secrets"},
		} {
			o := newOffice(t)
			o.createApplication("app", "web", "")
			o.expect(200, request{method: "PATCH", path: applicationsPath + "/app", body: `{"title":"x"}`})
			before := o.application("app")
			r.header = map[string]string{"If-Match": tag}
			got := o.send(r)
			if (got.status/100 == 2) != matches || !matches && (got.status != 412 || got.problem(t) != "version_mismatch") {
				t.Errorf("%s %s If-Match %s: %d %s", r.method, r.path, tag, got.status, got.body)
			}
			if diff := cmp.Diff(before, o.application("app")); (diff == "") == matches {
				t.Errorf("%s %s If-Match %s: %s", r.method, r.path, tag, diff)
			}
		}
	}
}

// Two administrators change different fields at the same moment: without If-Match nothing
// is lost, with it the slower one gets 412.
func TestApplicationLostUpdate(t *testing.T) {
	o := newOffice(t)
	o.createApplication("app", "web", "")
	race := func(change string) {
		raced := false
		o.directory.before = func(operation string) error {
			if operation == "UpdateApplication" && !raced {
				raced = true
				o.expect(200, request{method: "PATCH", path: applicationsPath + "/app", body: change})
			}
			return nil
		}
	}
	race(`{"homepage":"https://app.example.com/"}`)
	o.expect(200, request{method: "PATCH", path: applicationsPath + "/app", body: `{"title":"x"}`})
	if a := o.application("app"); a.Title != "x" || a.Homepage == "" || a.Version != 3 {
		t.Errorf("lost: %+v", a)
	}
	race(`{"homepage":""}`)
	o.expect(412, request{method: "PATCH", path: applicationsPath + "/app", body: `{"title":"y"}`, header: map[string]string{"If-Match": `"3"`}})
	if a := o.application("app"); a.Title != "x" || a.Version != 4 {
		t.Errorf("changed in spite of If-Match: %+v", a)
	}
	race(`{"enabled":false}`)
	o.expect(201, request{method: "POST", path: applicationsPath + "/app/secrets"})
	if a := o.application("app"); a.Enabled || len(a.Secrets) != 1 {
		t.Errorf("lost: %+v", a)
	}
}

// Many administrators create one id, and each change of many is kept.
func TestApplicationRaces(t *testing.T) {
	o := newOffice(t)
	const rivals = 12
	var wait sync.WaitGroup
	statuses := make(chan int, rivals)
	for range rivals {
		wait.Go(func() {
			statuses <- o.send(request{method: "POST", path: applicationsPath, body: `{"id":"app","kind":"web"}`}).status
		})
	}
	wait.Wait()
	created := 0
	for range rivals {
		switch status := <-statuses; status {
		case 201:
			created++
		case 409:
		default:
			t.Errorf("status %d", status)
		}
	}
	for i := range rivals {
		wait.Go(func() {
			o.expect(200, request{method: "PATCH", path: applicationsPath + "/app", body: fmt.Sprintf(`{"title":"%d"}`, i)})
		})
	}
	wait.Wait()
	if a := o.application("app"); created != 1 || a.Version != 1+rivals {
		t.Errorf("%d created, version %d", created, a.Version)
	}
}

// TestAttackAllowedNumbersOfTheFormerCompany: departments and tags are those of the company
// whose members could sign in when they were given. Another that takes its place lets in nobody
// by the same numbers, until they are given for it.
func TestAttackAllowedNumbersOfTheFormerCompany(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.create("partner", "")
	o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/partner", body: `{"corpId":"wwPartner"}`})
	o.createApplication("app", "web", `,"allow":{"departments":[12],"roles":["staff"]}`)
	const several, another = `,"notes":["allow_several_companies"]`, `,"notes":["allow_another_company"]`
	for _, step := range []struct{ patch, want, notes string }{
		{`{"title":"App","claims":{"preferredUsername":"id"}}`, "", several},
		{`{"authenticators":["hr"]}`, "ww0123456789", ""},
		{`{"authenticators":["partner"]}`, "ww0123456789", another},
		{`{"title":"Partner's"}`, "ww0123456789", another},
		{`{"allow":{"departments":[12]}}`, "wwPartner", ""},
		{`{"authenticators":[]}`, "wwPartner", several},
		{`{"allow":{"departments":[13]}}`, "wwPartner", several},
		{`{"authenticators":["hr"],"allow":{"tags":[3]}}`, "ww0123456789", ""},
		{`{"allow":{"departments":[],"tags":[]}}`, "", ""},
		{`{"authenticators":[],"allow":{"tags":[3]}}`, "", several},
	} {
		got := o.expect(200, request{method: "PATCH", path: applicationsPath + "/app", body: step.patch})
		if of := o.application("app").AllowCorpID; of != step.want {
			t.Errorf("%s: of %q, want %q", step.patch, of, step.want)
		}
		if !strings.Contains(got.body, step.notes) || step.notes == "" && strings.Contains(got.body, "notes") {
			t.Errorf("%s: %s, want %s", step.patch, got.body, step.notes)
		}
	}
}

// Departments and tags let nobody in where members of two companies can sign in, and so the
// administrator is told.
func TestApplicationNotesThatDepartmentsLetNobodyIn(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.create("partner", "")
	o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/partner", body: `{"corpId":"wwPartner"}`})
	o.createApplication("app", "web", `,"claims":{"preferredUsername":"id"}`)
	user := o.createUser("13800138000")
	for _, test := range []struct{ body, want string }{
		{`{"allow":{"departments":[12]}}`, `"notes":["allow_several_companies"]`},
		{`{"allow":{"departments":[],"tags":[3],"roles":["ops"]}}`, `"notes":["allow_several_companies"]`},
		{`{"claims":{"preferredUsername":"wecom_userid"}}`, `"notes":["several_companies","allow_several_companies"]`},
		{`{"authenticators":["hr"]}`, ""},
		{`{"authenticators":[],"allow":{"tags":[]}}`, `"notes":["several_companies"]`},
	} {
		for _, r := range []request{
			{method: "PATCH", path: applicationsPath + "/app", body: test.body},
			{method: "GET", path: applicationsPath + "/app"},
			{method: "POST", path: applicationsPath + "/app/preview", body: `{"userId":"` + user + `"}`},
		} {
			if got := o.expect(200, r); !strings.Contains(got.body, test.want) || test.want == "" && strings.Contains(got.body, "notes") {
				t.Errorf("%s, %s: %s", test.body, r.method, got.body)
			}
		}
	}
}

// A second company takes user names and emails away; whoever looks at the application is
// told, until its authenticators are of one company.
func TestApplicationNotesASecondCompany(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	noted := func(r request, want bool) {
		t.Helper()
		status := 200
		if r.method == "" {
			r.method = "GET"
		}
		if r.path == "" {
			r.path = applicationsPath + "/app"
		}
		if got := o.expect(status, r); strings.Contains(got.body, `"notes":["several_companies"]`) != want || !want && strings.Contains(got.body, "notes") {
			t.Errorf("%s %s: %s", r.method, r.body, got.body)
		}
	}
	o.createApplication("app", "web", "")
	noted(request{}, false)
	o.create("partner", "")
	o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/partner", body: `{"corpId":"wwPartner"}`})
	noted(request{}, true)
	noted(request{path: applicationsPath}, false)
	noted(request{method: "PATCH", body: `{"claims":{"preferredUsername":"id"}}`}, false)
	noted(request{method: "PATCH", body: `{"claims":{"preferredUsername":"wecom_userid"}}`}, true)
	noted(request{method: "PATCH", body: `{"authenticators":["partner"]}`}, false)
	o.expect(400, request{method: "PATCH", path: applicationsPath + "/app", body: `{"notes":[]}`})
	// An authenticator that becomes another company's takes the addresses as well.
	o.create("it", "")
	noted(request{method: "PATCH", body: `{"authenticators":["hr","it"],"claims":{"email":"wecom","preferredUsername":"id"}}`}, false)
	o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/it", body: `{"corpId":"wwPartner"}`})
	noted(request{}, true)
}

// A proxy is handed tokens only when an administrator wants it.
func TestForwardAuthToken(t *testing.T) {
	o := newOffice(t)
	created := o.createApplication("wiki", "proxy", `,"homepage":"https://wiki.example.com"`)
	if !strings.Contains(created.body, `"forwardAuth":{"token":false}`) {
		t.Errorf("at first: %s", created.body)
	}
	for _, body := range []string{`{"forwardAuth":{"token":true}}`, `{"forwardAuth":{}}`, `{"title":"Wiki"}`} {
		o.expect(200, request{method: "PATCH", path: applicationsPath + "/wiki", body: body})
		if !o.application("wiki").ForwardAuthToken {
			t.Errorf("after %s: off", body)
		}
	}
	o.expect(200, request{method: "PATCH", path: applicationsPath + "/wiki", body: `{"forwardAuth":{"token":false}}`})
	if o.application("wiki").ForwardAuthToken {
		t.Error("still on")
	}
}
