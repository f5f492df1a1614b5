package admin_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

func TestAttempts(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.create("it", "")
	user, other := o.createUser("13800138000"), o.createUser("13800138001")
	hr := o.authenticator("hr")
	attempts := []store.SignInEvent{
		{At: o.clock.Add(-time.Hour), UserID: user, CorpID: "ww0123456789", WeComUserID: "LiLei", InWeCom: true, RequestID: "r-1"},
		{At: o.clock.Add(-time.Minute), Code: "phone_in_use", UserID: user, CorpID: "ww0123456789", WeComUserID: "LiLei2", RequestID: "r-2"},
		{At: o.clock, Code: "wecom_configuration", WeComCode: 60020, CorpID: "ww0123456789", RequestID: "r-3"},
	}
	for i, attempt := range attempts {
		attempt.AuthenticatorID, attempt.AuthenticatorName = hr.ID, hr.Name
		if err := o.directory.RecordEvent(t.Context(), fmt.Sprintf("key-%d", i), attempt); err != nil {
			t.Fatal(err)
		}
	}
	third := `{"at":"2026-11-21T08:00:00Z","result":"refused","code":"wecom_configuration","wecomCode":60020,"authenticator":"hr","userId":"","corpId":"ww0123456789","wecomUserId":"","client":"browser","requestId":"r-3"}`
	second := `{"at":"2026-11-21T07:59:00Z","result":"refused","code":"phone_in_use","wecomCode":0,"authenticator":"hr","userId":"` + user + `","corpId":"ww0123456789","wecomUserId":"LiLei2","client":"browser","requestId":"r-2"}`
	first := `{"at":"2026-11-21T07:00:00Z","result":"signed_in","code":"","wecomCode":0,"authenticator":"hr","userId":"` + user + `","corpId":"ww0123456789","wecomUserId":"LiLei","client":"wecom","requestId":"r-1"}`
	list := func(items string) string { return `{"items":[` + items + `],"nextCursor":null}` + "\n" }
	for path, want := range map[string]string{
		"authenticators/hr/attempts":           list(third + "," + second + "," + first),
		"authenticators/hr/attempts?limit=1":   list(third),
		"authenticators/hr/attempts?limit=100": list(third + "," + second + "," + first),
		"authenticators/it/attempts":           list(""),
		"users/" + user + "/attempts":          list(second + "," + first),
		"users/" + user + "/attempts?limit=1":  list(second),
		"users/" + other + "/attempts":         list(""),
	} {
		if got := o.expect(200, request{method: "GET", path: "/api/admin/" + path}); got.body != want {
			t.Errorf("%s: got\n%s\nwant\n%s", path, got.body, want)
		}
	}
	for query, field := range map[string]string{"limit=0": "limit", "limit=101": "limit", "limit=": "limit", "limit=x": "limit", "cursor=x": "cursor", "limit=%zz": "query"} {
		for _, path := range []string{"authenticators/hr/attempts?", "users/" + user + "/attempts?"} {
			if got := o.expect(400, request{method: "GET", path: "/api/admin/" + path + query}).problem(t); got != "invalid_request "+field {
				t.Errorf("%s%s: %s", path, query, got)
			}
		}
	}
	o.expect(405, request{method: "POST", path: "/api/admin/users/" + user + "/attempts"})

	// A deleted one has no list, and a namesake does not inherit it.
	o.expect(204, request{method: "DELETE", path: "/api/admin/users/" + user})
	o.expect(204, request{method: "DELETE", path: "/api/admin/authenticators/hr"})
	for _, path := range []string{"users/" + user, "users/13800138000", "authenticators/hr", "authenticators/none", "authenticators/UPPER"} {
		if got := o.expect(404, request{method: "GET", path: "/api/admin/" + path + "/attempts"}).problem(t); got != "not_found" {
			t.Errorf("%s: %s", path, got)
		}
	}
	o.create("hr", "")
	if got := o.expect(200, request{method: "GET", path: "/api/admin/authenticators/hr/attempts"}); got.body != list("") {
		t.Error(got.body)
	}
}

func TestAttemptsOfAnApplication(t *testing.T) {
	o := newOffice(t)
	o.createApplication("app", "web", "")
	o.createApplication("other", "web", "")
	record := func(e store.ApplicationEvent) {
		t.Helper()
		e.ApplicationID = "app"
		if err := o.directory.RecordApplicationEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	record(store.ApplicationEvent{At: o.clock, UserID: "u1", Result: "ok", RequestID: "r-1"})
	record(store.ApplicationEvent{At: o.clock.Add(time.Minute), Result: "invalid_request", Cause: "redirect_mismatch", RequestID: "r-2"})
	// Of an earlier application with this id.
	record(store.ApplicationEvent{At: o.clock.Add(-time.Second), UserID: "u0", Result: "ok", RequestID: "r-0"})
	second := `{"at":"2026-11-21T08:01:00Z","result":"invalid_request","cause":"redirect_mismatch","userId":"","requestId":"r-2"}`
	first := `{"at":"2026-11-21T08:00:00Z","result":"ok","cause":"","userId":"u1","requestId":"r-1"}`
	for path, items := range map[string]string{"app/attempts": second + "," + first, "app/attempts?limit=1": second, "app/attempts?limit=100": second + "," + first, "other/attempts": ""} {
		if got := o.expect(200, request{method: "GET", path: applicationsPath + "/" + path}); got.body != `{"items":[`+items+`],"nextCursor":null}`+"\n" {
			t.Errorf("%s: %s", path, got.body)
		}
	}
	for query, field := range map[string]string{"limit=0": "limit", "limit=101": "limit", "limit=x": "limit", "cursor=x": "cursor", "limit=%zz": "query"} {
		if got := o.expect(400, request{method: "GET", path: applicationsPath + "/app/attempts?" + query}).problem(t); got != "invalid_request "+field {
			t.Errorf("%s: %s", query, got)
		}
	}
	o.expect(404, request{method: "GET", path: applicationsPath + "/none/attempts"})
	o.expect(404, request{method: "GET", path: applicationsPath + "/Not-An-Id/attempts"})
}
