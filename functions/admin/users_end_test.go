package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Applications are told when an administrator ends a user's sessions, by whatever route,
// and not when a change leaves them.
func TestApplicationsAreToldOfEndedSessions(t *testing.T) {
	for _, test := range []struct {
		name   string
		r      request // USER in the path is the user's id
		status int
		told   bool
	}{
		{"ending sessions", request{method: "DELETE", path: "/api/admin/users/USER/sessions"}, 204, true},
		{"disabling", request{method: "PATCH", path: "/api/admin/users/USER", body: `{"enabled":false}`}, 200, true},
		{"deleting", request{method: "DELETE", path: "/api/admin/users/USER"}, 204, true},
		{"unbinding a member", request{method: "DELETE", path: "/api/admin/users/USER/identities/wwA/LiLei"}, 204, true},
		{"another name and roles", request{method: "PATCH", path: "/api/admin/users/USER", body: `{"name":"x","roles":["a"],"enabled":true}`}, 200, false},
		{"an import", request{method: "POST", path: "/api/admin/users/import", contentType: "text/csv", body: "phone,name,roles\n13800138000,Lei,b\n13800138001,Mei,\n"}, 200, false},
		{"a version that is over", request{method: "DELETE", path: "/api/admin/users/USER", header: map[string]string{"If-Match": `"7"`}}, 412, false},
		{"a member who is not bound", request{method: "DELETE", path: "/api/admin/users/USER/identities/wwB/LiLei"}, 404, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, notifying := range []string{"works", "fails", "is not there"} {
				o := newOffice(t)
				id := o.createUser("13800138000")
				u := o.user(id)
				u.Identities = []store.Identity{{CorpID: "wwA", WeComUserID: "LiLei", Authenticator: "hr", BoundAt: o.clock}}
				o.replaceUser(u)
				switch notifying {
				case "fails":
					o.notifier.err = errSecretDetail
				case "is not there":
					o.assemble(publicURL, func(cfg *admin.Config) { cfg.Logout = nil })
				}
				o.log.text.Reset()
				r := test.r
				r.path = strings.Replace(r.path, "USER", id, 1)
				o.expect(test.status, r)
				want := "[]"
				if test.told && notifying != "is not there" {
					want = "[" + id + "]"
				}
				if got := fmt.Sprint(o.notifier.told); got != want {
					t.Errorf("notifying %s: told %s, want %s", notifying, got, want)
				}
				// The write stands, and the operator's alarm sees the error.
				if failed := strings.Contains(o.log.String(), `"level":"ERROR"`); failed != (test.told && notifying == "fails") {
					t.Errorf("notifying %s: the log is %s", notifying, o.log)
				}
			}
		})
	}
}

// The store fails, perhaps after it has written: applications are told, because the
// session may be over and a second try would find nothing to change.
func TestApplicationsAreToldOfAnUncertainEnd(t *testing.T) {
	o := newOffice(t)
	id := o.createUser("13800138000")
	o.directory.after = func(string) error { return errSecretDetail }
	o.expect(500, request{method: "PATCH", path: "/api/admin/users/" + id, body: `{"enabled":false}`})
	if o.user(id).Enabled || fmt.Sprint(o.notifier.told) != "["+id+"]" {
		t.Errorf("told %v", o.notifier.told)
	}
}

// What a deleted user agreed to goes with the user, and nobody else's.
func TestDeletingAUserRemovesItsConsents(t *testing.T) {
	o := newOffice(t)
	id, other := o.createUser("13800138000"), o.createUser("13800138001")
	for _, user := range []string{id, other} {
		for _, application := range []string{"a", "b", "c"} {
			if err := o.directory.PutConsent(t.Context(), store.Consent{UserID: user, ApplicationID: application}); err != nil {
				t.Fatal(err)
			}
		}
	}
	consents := func(user string) int {
		t.Helper()
		all, err := o.directory.Consents(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	o.expect(412, request{method: "DELETE", path: "/api/admin/users/" + id, header: map[string]string{"If-Match": `"7"`}})
	if consents(id) != 3 {
		t.Error("the user is there, the consents are not")
	}
	failures := 0
	o.directory.before = func(operation string) error {
		if operation == "DeleteConsent" && failures == 0 {
			failures++
			return errSecretDetail
		}
		return nil
	}
	o.log.text.Reset()
	o.expect(204, request{method: "DELETE", path: "/api/admin/users/" + id})
	if consents(id) != 1 || consents(other) != 3 || !strings.Contains(o.log.String(), `"level":"ERROR"`) {
		t.Errorf("%d and %d consents, the log is %s", consents(id), consents(other), o.log)
	}
	o.log.text.Reset()
	o.expect(204, request{method: "DELETE", path: "/api/admin/users/" + other})
	if consents(other) != 0 || strings.Contains(o.log.String(), `"level":"ERROR"`) {
		t.Errorf("%d consents, the log is %s", consents(other), o.log)
	}
}
