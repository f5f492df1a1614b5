package admin_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

func TestCreateAuthenticator(t *testing.T) {
	o := newOffice(t)
	created := o.create("hr", "")
	want := `{"name":"hr","title":"hr","enabled":true,"corpId":"ww0123456789","agentId":"1000002","origin":"https://app.example.com",` +
		`"workbenchRedirectPath":"/","autoSignup":true,"autoLogin":false,"linkByPhone":true,"roleRules":[],"allow":{"departments":[],"tags":[],"roles":[]},` +
		`"workbenchHomepageLink":"https://signin.example.com/authorize/hr?redirect=%2F","callbackUrl":"https://signin.example.com/callback/hr",` +
		`"callbackDomain":"signin.example.com","events":{"url":"https://signin.example.com/api/events/hr","enabled":false,"lastEventAt":null},"createdAt":"2026-11-21T08:00:00Z","updatedAt":"2026-11-21T08:00:00Z","version":1}` + "\n"
	if created.body != want {
		t.Errorf("body\n%s\nwant\n%s", created.body, want)
	}
	if created.header["location"] != "/api/admin/authenticators/hr" || created.header["etag"] != `"1"` {
		t.Errorf("headers %v", created.header)
	}
	if got := o.expect(200, request{method: "GET", path: "/api/admin/authenticators/hr"}); got.body != want || got.header["etag"] != `"1"` {
		t.Errorf("GET one: %s %v", got.body, got.header)
	}
	if got := o.expect(200, request{method: "GET", path: "/api/admin/authenticators"}); got.body != `{"items":[`+strings.TrimSpace(want)+`],"nextCursor":null}`+"\n" {
		t.Errorf("GET list: %s", got.body)
	}
	a := o.authenticator("hr")
	if o.vault.secretOf(a) != theSecret || a.ID == "" || a.Generation == "" {
		t.Errorf("record %+v", a)
	}
}

func TestAuthenticatorLinks(t *testing.T) {
	tests := []struct{ name, changes, link string }{
		{"plain", `,"workbenchRedirectPath":"/admin?a=b&c=d"`, publicURL + "/authorize/plain?redirect=%2Fadmin%3Fa%3Db%26c%3Dd"},
		{"automatic", `,"workbenchRedirectPath":"/admin","autoLogin":true`, publicURL + "/admin"},
		{"hash", `,"workbenchRedirectPath":"/#/home","autoLogin":true`, publicURL + "/authorize/hash?redirect=%2F%23%2Fhome"},
		{"answer", `,"workbenchRedirectPath":"/x?code=1&state=2","autoLogin":true`, publicURL + "/authorize/answer?redirect=%2Fx%3Fcode%3D1%26state%3D2"},
	}
	for _, test := range tests {
		if got := newOffice(t).create(test.name, test.changes).object(t)["workbenchHomepageLink"]; got != test.link {
			t.Errorf("%s: %v, want %s", test.name, got, test.link)
		}
	}
}

// Every wrong request names the field and changes nothing.
func TestAuthenticatorRefusals(t *testing.T) {
	base := map[string]string{
		"name": `"new"`, "corpId": `"ww0123456789"`, "agentId": `"1000002"`, "secret": `"s"`, "origin": `"https://app.example.com"`,
	}
	post := func(field, value string) string {
		var members []string
		for _, name := range []string{"name", "corpId", "agentId", "secret", "origin"} {
			if name != field {
				members = append(members, fmt.Sprintf("%q:%s", name, base[name]))
			}
		}
		if value != "" {
			members = append(members, fmt.Sprintf("%q:%s", field, value))
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	wrong := map[string][]string{
		"name":                  {"", `""`, `"Upper"`, `"-a"`, `"a-"`, `"a_b"`, `"a/b"`, `"` + strings.Repeat("a", 65) + `"`, "1", "null", `["a"]`},
		"corpId":                {"", `""`, `"abc"`, `"ww 123"`, `"企业微信"`, "null", "{}"},
		"agentId":               {"", `""`, "1000002", `"1000002a"`, `"12345678901234567"`, `"-1"`, "null"},
		"secret":                {"", `""`, "null", `"a b"`, `"a\n"`, `"密钥"`, `"` + strings.Repeat("a", 513) + `"`, "[]"},
		"origin":                {"", `""`, `"app.example.com"`, `"//app.example.com"`, `"http://app.example.com"`, `"https://app.example.com/"`, `"https://app.example.com/a"`, `"https://app.example.com?a"`, `"https://app.example.com#a"`, `"https://u:p@app.example.com"`, `"https://"`, `"ftp://app.example.com"`, `"javascript:alert(1)"`, `"https://app.example.com:99999"`, `"https://app example.com"`, "null", "7"},
		"title":                 {`""`, `" "`, `"a\u0000"`, `"` + strings.Repeat("a", 201) + `"`, "null"},
		"enabled":               {`"true"`, "1", "null"},
		"autoSignup":            {`"false"`, "0", "null"},
		"autoLogin":             {`"yes"`, "[]", "null"},
		"linkByPhone":           {`"false"`, "0", "null"},
		"workbenchRedirectPath": {`""`, `"admin"`, `"//evil.example"`, `"/\\evil.example"`, `"https://evil.example/"`, `"/a\n"`, `"/` + strings.Repeat("a", 2048) + `"`, "null"},
		"callbackUrl":           {`"https://evil.example/"`}, "callbackDomain": {`"evil.example"`}, "workbenchHomepageLink": {`"x"`},
		"createdAt": {`"2026-01-01T00:00:00Z"`}, "updatedAt": {`"x"`}, "version": {"1", `"1"`},
		"id": {`"x"`}, "generation": {`"x"`}, "secretVersion": {`"x"`}, "linkByPhoneOff": {"true"}, "Title": {`"x"`}, "__proto__": {`{"enabled":true}`}, "constructor": {`{}`}, "": {`1`},
	}
	o := newOffice(t)
	for field, values := range wrong {
		for _, value := range values {
			if field == "" && value == "" {
				continue
			}
			got := o.expect(400, request{method: "POST", path: "/api/admin/authenticators", body: post(field, value)})
			if problem := got.problem(t); problem != strings.TrimSpace("invalid_request "+field) {
				t.Errorf("POST %s = %s: %s", field, value, problem)
			}
		}
	}
	if len(o.authenticators()) != 0 || len(o.vault.names()) != 0 {
		t.Fatalf("something was half done: %v %v", o.authenticators(), o.vault.names())
	}
	o.create("hr", "")
	before := o.authenticator("hr")
	wrong["name"] = []string{`"hr"`, `"other"`, "null"}
	for field, values := range wrong {
		for _, value := range values {
			if value == "" {
				continue
			}
			// A good change beside the wrong one must not be made either.
			got := o.expect(400, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: fmt.Sprintf(`{"agentId":"7",%q:%s}`, field, value)})
			if problem := got.problem(t); problem != strings.TrimSpace("invalid_request "+field) {
				t.Errorf("PATCH %s = %s: %s", field, value, problem)
			}
		}
	}
	if !reflect.DeepEqual(o.authenticator("hr"), before) {
		t.Errorf("changed: %+v", o.authenticator("hr"))
	}
}

func TestOriginIsNormalised(t *testing.T) {
	for given, want := range map[string]string{
		"https://App.Example.COM":     "https://app.example.com",
		"HTTPS://app.example.com:443": "https://app.example.com",
		"https://app.example.com:444": "https://app.example.com:444",
		"http://localhost:8080":       "http://localhost:8080",
		"http://127.0.0.1":            "http://127.0.0.1",
		"http://[::1]:8080":           "http://[::1]:8080",
	} {
		o := newOffice(t)
		o.create("hr", "")
		got := o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: fmt.Sprintf(`{"origin":%q}`, given)})
		if origin := got.object(t)["origin"]; origin != want {
			t.Errorf("%s: %v, want %s", given, origin, want)
		}
	}
}

func TestPatchAuthenticator(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	first := o.authenticator("hr")
	patch := func(body string) store.Authenticator {
		t.Helper()
		got := o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: body})
		a := o.authenticator("hr")
		if want := fmt.Sprintf(`"%d"`, a.Version); got.header["etag"] != want {
			t.Errorf("ETag %s, want %s", got.header["etag"], want)
		}
		return a
	}
	if a := patch(`{"title":"人事"}`); a.Title != "人事" || a.Version != 2 || a.Generation != first.Generation || a.SecretVersion != first.SecretVersion {
		t.Errorf("title: %+v", a)
	}
	if a := patch(`{}`); a.Version != 2 {
		t.Errorf("nothing to change, but version %d", a.Version)
	}
	if a := patch(`{"title":"人事","enabled":true}`); a.Version != 2 {
		t.Errorf("same values, but version %d", a.Version)
	}
	if a := patch(`{"secret":"another"}`); o.vault.secretOf(a) != "another" || a.SecretVersion == first.SecretVersion || a.Version != 3 {
		t.Errorf("secret: %+v", a)
	}
	disabled := patch(`{"enabled":false}`)
	if disabled.Generation == first.Generation {
		t.Error("disabling did not end the sessions")
	}
	if a := patch(`{"enabled":true}`); a.Generation == first.Generation {
		t.Error("enabling again brought the sessions back")
	}
	if a := patch(`{"corpId":"wwOther"}`); a.Generation == disabled.Generation {
		t.Error("another corp, but the sessions go on")
	}
}

// Members of a corp become existing users by their phone unless that is switched off.
func TestLinkByPhone(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.create("partner", `,"linkByPhone":false`)
	for _, step := range []struct {
		name, patch string
		off         bool
	}{
		{"hr", `{}`, false},
		{"partner", `{}`, true},
		{"partner", `{"title":"Partner"}`, true},
		{"partner", `{"linkByPhone":true}`, false},
		{"hr", `{"linkByPhone":false}`, true},
		{"hr", `{"linkByPhone":false,"autoSignup":false}`, true},
	} {
		got := o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/" + step.name, body: step.patch})
		if off := o.authenticator(step.name).LinkByPhoneOff; off != step.off || got.object(t)["linkByPhone"] != !step.off {
			t.Errorf("%s %s: stored off %v: %s", step.name, step.patch, off, got.body)
		}
	}
	// One more than before for each that changed something.
	if a := o.authenticator("hr"); a.Version != 3 {
		t.Errorf("version %d", a.Version)
	}
}

func TestDeleteAuthenticatorAndUseTheNameAgain(t *testing.T) {
	o := newOffice(t)
	o.create("hr", `,"autoLogin":true`)
	first := o.authenticator("hr")
	o.expect(204, request{method: "DELETE", path: "/api/admin/authenticators/hr"})
	o.expect(404, request{method: "GET", path: "/api/admin/authenticators/hr"})
	o.expect(404, request{method: "DELETE", path: "/api/admin/authenticators/hr"})
	if names := o.vault.names(); len(names) != 0 {
		t.Fatalf("secrets left: %v", names)
	}
	o.create("hr", `,"autoLogin":true`)
	if second := o.authenticator("hr"); second.ID == first.ID || second.Generation == first.Generation {
		t.Error("a namesake inherited the identity of the deleted one")
	}
}

func TestNameIsTaken(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	body := `{"name":"hr","corpId":"wwOther","agentId":"1","secret":"x","origin":"https://b.example.com"}`
	if got := o.expect(409, request{method: "POST", path: "/api/admin/authenticators", body: body}).problem(t); got != "already_exists name" {
		t.Error(got)
	}
	if len(o.vault.names()) != 1 {
		t.Errorf("secrets %v", o.vault.names())
	}
}

func TestAutoLoginTaken(t *testing.T) {
	for name, send := range map[string]func(o *office) answer{
		"on create": func(o *office) answer {
			return o.send(request{method: "POST", path: "/api/admin/authenticators", body: `{"name":"third","corpId":"wwOther","agentId":"1","secret":"x","origin":"https://b.example.com","autoLogin":true}`})
		},
		"on change": func(o *office) answer {
			return o.send(request{method: "PATCH", path: "/api/admin/authenticators/second", body: `{"autoLogin":true,"secret":"new"}`})
		},
		"on enabling": func(o *office) answer {
			return o.send(request{method: "PATCH", path: "/api/admin/authenticators/off", body: `{"enabled":true}`})
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			o.create("first", `,"autoLogin":true`)
			o.create("second", "")
			o.create("off", `,"autoLogin":true,"enabled":false`)
			got := send(o)
			if problem := got.problem(t); got.status != 409 || problem != "auto_login_taken autoLogin" {
				t.Fatalf("%d %s", got.status, problem)
			}
			if !strings.Contains(got.body, "first") {
				t.Errorf("the holder is not named: %s", got.body)
			}
			if len(o.authenticators()) != 3 || len(o.vault.names()) != 3 || o.vault.secretOf(o.authenticator("second")) != theSecret {
				t.Error("something was half done")
			}
			o.expect(204, request{method: "DELETE", path: "/api/admin/authenticators/first"})
			if got := send(o); got.status/100 != 2 {
				t.Errorf("after the holder went: %d %s", got.status, got.body)
			}
		})
	}
}

// Two administrators read that nobody has automatic login, then both
// write.
func TestAutomaticLoginReadThenWriteRace(t *testing.T) {
	o := newOffice(t)
	const rivals = 8
	for i := range rivals {
		o.create(fmt.Sprintf("a%d", i), "")
	}
	var wait sync.WaitGroup
	statuses := make(chan int, 2*rivals)
	for i := range rivals {
		wait.Go(func() {
			statuses <- o.send(request{method: "PATCH", path: fmt.Sprintf("/api/admin/authenticators/a%d", i), body: `{"autoLogin":true}`}).status
		})
		wait.Go(func() {
			statuses <- o.send(request{method: "POST", path: "/api/admin/authenticators", body: fmt.Sprintf(
				`{"name":"b%d","corpId":"wwOther","agentId":"1","secret":"x","origin":"https://b.example.com","autoLogin":true}`, i)}).status
		})
	}
	wait.Wait()
	close(statuses)
	won := 0
	for status := range statuses {
		switch status {
		case 200, 201:
			won++
		case 409:
		default:
			t.Errorf("status %d", status)
		}
	}
	holders := 0
	for _, a := range o.authenticators() {
		if a.HoldsAutoLogin() {
			holders++
		}
	}
	if won != 1 || holders != 1 {
		t.Errorf("%d won, %d hold it", won, holders)
	}
	if len(o.vault.names()) != len(o.authenticators()) {
		t.Errorf("%d secrets for %d authenticators", len(o.vault.names()), len(o.authenticators()))
	}
}

func TestIfMatch(t *testing.T) {
	for _, method := range []string{"PATCH", "DELETE"} {
		for tag, status := range map[string]int{
			`"1"`: 412, `"2"`: 0, `*`: 0, `"9", "2"`: 0, `W/"2"`: 412, `2`: 412, ``: 412, `"9", "8"`: 412, `"02"`: 412,
		} {
			o := newOffice(t)
			o.create("hr", "")
			o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"title":"x"}`})
			id := o.createUser("13800138000")
			o.expect(200, request{method: "PATCH", path: "/api/admin/users/" + id, body: `{"name":"x"}`})
			for _, path := range []string{"/api/admin/authenticators/hr", "/api/admin/users/" + id} {
				r := request{method: method, path: path, header: map[string]string{"If-Match": tag}}
				want := 204
				if method == "PATCH" {
					r.body, want = `{"enabled":false}`, 200
				}
				if status != 0 {
					want = status
				}
				if got := o.expect(want, r); want == 412 && got.problem(t) != "version_mismatch" {
					t.Errorf("%s %s If-Match %s: %s", method, path, tag, got.body)
				}
			}
		}
	}
}

// Two administrators change different fields at the same moment: without If-Match
// nothing is lost, with it the slower one gets 412.
func TestLostUpdate(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	race := func() {
		raced := false
		o.directory.before = func(operation string) error {
			if operation == "UpdateAuthenticator" && !raced {
				raced = true
				o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: fmt.Sprintf(`{"agentId":"%d"}`, len(o.log.String()))})
			}
			return nil
		}
	}
	race()
	o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"title":"x","secret":"second"}`})
	a := o.authenticator("hr")
	if a.Title != "x" || a.AgentID == "1000002" || a.Version != 3 || o.vault.secretOf(a) != "second" {
		t.Errorf("lost: %+v", a)
	}
	if versions := len(o.vault.versions[secretName(a.ID)]); versions != 2 {
		t.Errorf("%d versions of the secret: written again on every attempt?", versions)
	}
	race()
	o.expect(412, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"title":"y"}`, header: map[string]string{"If-Match": `"3"`}})
	if a := o.authenticator("hr"); a.Title != "x" || a.Version != 4 {
		t.Errorf("changed in spite of If-Match: %+v", a)
	}
}

func TestManyWritersAtOnce(t *testing.T) {
	o := newOffice(t)
	id := o.createUser("13800138000")
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() { o.expect(204, request{method: "DELETE", path: "/api/admin/users/" + id + "/sessions"}) })
	}
	wait.Wait()
	if got := o.user(id).SessionGeneration; got != 21 {
		t.Errorf("generation %d, want 21", got)
	}
}

func TestRaceThatIsNeverWonEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.create("hr", "")
		o.directory.before = func(string) error { return store.ErrChanged }
		if got := o.expect(500, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"title":"x"}`}).problem(t); got != "internal" {
			t.Error(got)
		}
	})
}

// The record decides whether an authenticator exists; the secret follows it, whatever
// fails in between.
func TestSecretAndRecordStayTogether(t *testing.T) {
	down := errors.New("the store is down")
	only := func(name string) func(string) error {
		return func(operation string) error {
			if operation == name {
				return down
			}
			return nil
		}
	}
	body := `{"name":"hr","corpId":"ww0123456789","agentId":"1","secret":"x","origin":"https://b.example.com"}`
	post := request{method: "POST", path: "/api/admin/authenticators", body: body}

	t.Run("the secret cannot be written", func(t *testing.T) {
		o := newOffice(t)
		o.vault.fail = only("Create")
		o.expect(500, post)
		if len(o.authenticators()) != 0 {
			t.Error("an authenticator without a secret")
		}
	})
	t.Run("the record cannot be written", func(t *testing.T) {
		o := newOffice(t)
		o.directory.before = only("CreateAuthenticator")
		o.expect(500, post)
		if len(o.vault.names()) != 0 {
			t.Error("the secret stayed")
		}
	})
	t.Run("the record was written and the answer got lost", func(t *testing.T) {
		o := newOffice(t)
		o.directory.after = only("CreateAuthenticator")
		o.expect(201, post)
		if o.vault.secretOf(o.authenticator("hr")) != "x" {
			t.Error("the secret was taken from an authenticator that exists")
		}
	})
	t.Run("the new secret cannot be written", func(t *testing.T) {
		o := newOffice(t)
		o.create("hr", "")
		o.vault.fail = only("Put")
		o.expect(500, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"title":"x","secret":"new"}`})
		if a := o.authenticator("hr"); a.Title == "x" || o.vault.secretOf(a) != theSecret {
			t.Error("half done")
		}
	})
	t.Run("the change of the record fails after the secret", func(t *testing.T) {
		o := newOffice(t)
		o.create("hr", "")
		o.directory.before = only("UpdateAuthenticator")
		o.expect(500, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"secret":"new"}`})
		if o.vault.secretOf(o.authenticator("hr")) != theSecret {
			t.Error("the new secret is in force although the change failed")
		}
	})
	t.Run("the secret was removed by hand", func(t *testing.T) {
		o := newOffice(t)
		o.create("hr", "")
		_ = o.vault.Delete(context.Background(), secretName(o.authenticator("hr").ID))
		o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"secret":"new"}`})
		if o.vault.secretOf(o.authenticator("hr")) != "new" {
			t.Error("not repaired")
		}
	})
	t.Run("the record was deleted and the answer got lost", func(t *testing.T) {
		o := newOffice(t)
		o.create("hr", "")
		o.directory.after = only("DeleteAuthenticator")
		o.expect(204, request{method: "DELETE", path: "/api/admin/authenticators/hr"})
		if len(o.vault.names()) != 0 {
			t.Error("the secret stayed")
		}
	})
	t.Run("the secret cannot be deleted", func(t *testing.T) {
		o := newOffice(t)
		o.create("hr", "")
		o.vault.fail = only("Delete")
		o.expect(204, request{method: "DELETE", path: "/api/admin/authenticators/hr"})
		if log := o.log.String(); !strings.Contains(log, `"level":"ERROR"`) || !strings.Contains(log, "secretLeft") {
			t.Errorf("the operator does not hear of it: %s", log)
		}
	})
	t.Run("deleted while its secret changes", func(t *testing.T) {
		o := newOffice(t)
		o.create("hr", "")
		o.directory.before = func(operation string) error {
			if operation == "UpdateAuthenticator" {
				o.expect(204, request{method: "DELETE", path: "/api/admin/authenticators/hr"})
			}
			return nil
		}
		o.expect(404, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"secret":"new"}`})
		if len(o.vault.names()) != 0 {
			t.Error("a secret without an authenticator stays")
		}
	})
}

// The secret goes in and never comes out.
func TestSecretIsNeverReturned(t *testing.T) {
	o := newOffice(t)
	requests := []request{
		{method: "POST", path: "/api/admin/authenticators", body: `{"name":"hr","corpId":"ww0123456789","agentId":"1","secret":"` + theSecret + `","origin":"https://b.example.com"}`},
		{method: "POST", path: "/api/admin/authenticators", body: `{"name":"hr","corpId":"ww0123456789","agentId":"1","secret":"` + theSecret + `","origin":"https://b.example.com"}`},
		{method: "POST", path: "/api/admin/authenticators", body: `{"name":"x","secret":"` + theSecret + ` "}`},
		{method: "GET", path: "/api/admin/authenticators"},
		{method: "GET", path: "/api/admin/authenticators/hr"},
		{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"secret":"` + theSecret + `"}`},
		{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"secret":"` + theSecret + ` "}`},
		{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"secret":"` + theSecret},
		{method: "POST", path: "/api/admin/authenticators/hr/check"},
		{method: "POST", path: "/api/admin/authenticators/hr/events"},
		{method: "GET", path: "/api/admin/authenticators/hr"},
		{method: "DELETE", path: "/api/admin/authenticators/hr/events"},
	}
	check := func(r request) {
		if got := o.send(r); strings.Contains(got.body+fmt.Sprint(got.header), theSecret) {
			t.Errorf("%s %s returned the secret: %s", r.method, r.path, got.body)
		}
	}
	for _, r := range requests {
		check(r)
	}
	o.vault.fail = func(string) error { return errors.New("down") }
	for _, r := range requests {
		check(r)
	}
	if strings.Contains(o.log.String(), theSecret) {
		t.Errorf("the log has the secret: %s", o.log)
	}
}

// Applications are told when the sessions of an authenticator end, by whatever change.
func TestApplicationsAreToldOfAnAuthenticator(t *testing.T) {
	for _, test := range []struct {
		name   string
		r      request
		status int
		told   bool
	}{
		{"disabling", request{method: "PATCH", body: `{"enabled":false}`}, 200, true},
		{"another company", request{method: "PATCH", body: `{"corpId":"wwffffffffffffffff"}`}, 200, true},
		{"deleting", request{method: "DELETE"}, 204, true},
		{"a title and a secret", request{method: "PATCH", body: `{"title":"x","secret":"` + strings.Repeat("y", 43) + `"}`}, 200, false},
		{"a version that is over", request{method: "DELETE", header: map[string]string{"If-Match": `"7"`}}, 412, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, failing := range []bool{false, true} {
				o := newOffice(t)
				o.create("hr", "")
				was := o.authenticator("hr")
				if failing {
					o.notifier.err = errSecretDetail
				}
				o.log.text.Reset()
				r := test.r
				r.path = "/api/admin/authenticators/hr"
				o.expect(test.status, r)
				want := "[]"
				if test.told {
					want = "[hr " + was.Generation + "]"
				}
				if got := fmt.Sprint(o.notifier.told); got != want {
					t.Errorf("told %s, want %s", got, want)
				}
				if failed := strings.Contains(o.log.String(), `"level":"ERROR"`); failed != (test.told && failing) {
					t.Errorf("the log is %s", o.log)
				}
			}
		})
	}
}

func TestApplicationsAreToldOfAnUncertainEndOfAnAuthenticator(t *testing.T) {
	for _, r := range []request{{method: "PATCH", body: `{"enabled":false}`}, {method: "DELETE"}} {
		o := newOffice(t)
		o.create("hr", "")
		o.directory.after = func(string) error { return errSecretDetail }
		r.path = "/api/admin/authenticators/hr"
		o.send(r)
		if len(o.notifier.told) != 1 {
			t.Errorf("%s: told %v", r.method, o.notifier.told)
		}
	}
}
