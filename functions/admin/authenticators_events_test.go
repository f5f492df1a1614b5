package admin_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/appsecret"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/wecom/receiver"
)

const eventsPath = "/api/admin/authenticators/hr/events"

// enable makes a receiver and returns the token and the key of the answer.
func (o *office) enable() (token, key string) {
	o.t.Helper()
	made := o.expect(200, request{method: "POST", path: eventsPath}).object(o.t)
	if made["url"] != publicURL+"/api/events/hr" || len(made) != 3 {
		o.t.Errorf("answer %v", made)
	}
	token, _ = made["token"].(string)
	key, _ = made["encodingAesKey"].(string)
	if _, err := receiver.New(secret.NewValue(token), secret.NewValue(key), "ww0123456789"); err != nil {
		o.t.Error(err)
	}
	return token, key
}

// parts returns what an authenticator's record refers to: app's secret, token, key.
func (o *office) parts(name string) [3]string {
	o.t.Helper()
	s, err := appsecret.Parse(secret.NewValue(o.vault.secretOf(o.authenticator(name))))
	if err != nil {
		o.t.Fatal(err)
	}
	return [3]string{s.App.Reveal(), s.Token.Reveal(), s.EncodingAESKey.Reveal()}
}

func (o *office) events() map[string]any {
	o.t.Helper()
	view, _ := o.expect(200, request{method: "GET", path: "/api/admin/authenticators/hr"}).object(o.t)["events"].(map[string]any)
	return view
}

func TestReceiverOfEvents(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	equal := func(what string, want, got any) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	view := func(enabled bool, last any) map[string]any {
		return map[string]any{"url": publicURL + "/api/events/hr", "enabled": enabled, "lastEventAt": last}
	}
	equal("before", view(false, nil), o.events())

	token, key := o.enable()
	equal("enabled", view(true, nil), o.events())
	equal("parts", [3]string{theSecret, token, key}, o.parts("hr"))

	// WeCom pushes, which changes no version.
	a := o.authenticator("hr")
	if err := o.directory.NoteEvent(t.Context(), a, o.clock.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	equal("pushed", view(true, "2026-11-21T08:01:00Z"), o.events())

	// A new secret of the app leaves token and key, and all else leaves the secret.
	o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"secret":"another"}`, header: map[string]string{"If-Match": `"2"`}})
	equal("another secret", [3]string{"another", token, key}, o.parts("hr"))
	o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"title":"x"}`})
	equal("another title", view(true, "2026-11-21T08:01:00Z"), o.events())

	// New ones take the place of the old ones.
	newToken, newKey := o.enable()
	if newToken == token || newKey == key {
		t.Error("the same again")
	}
	equal("new ones", [3]string{"another", newToken, newKey}, o.parts("hr"))

	o.expect(204, request{method: "DELETE", path: eventsPath})
	equal("switched off", view(false, "2026-11-21T08:01:00Z"), o.events())
	// As releases before this one wrote it, which can then read it.
	equal("secret", "another", o.vault.secretOf(o.authenticator("hr")))
	version := o.authenticator("hr").Version
	o.expect(204, request{method: "DELETE", path: eventsPath})
	equal("switched off twice", version, o.authenticator("hr").Version)

	for _, logged := range []string{`"changedFields":"events"`, `"changedFields":"secret"`} {
		if !strings.Contains(o.log.String(), logged) {
			t.Errorf("no %s in %s", logged, o.log)
		}
	}
	for _, kept := range []string{token, key, newToken, newKey} {
		if strings.Contains(o.log.String(), kept) {
			t.Error("the log has a token or a key")
		}
	}
}

// Attack: the former company, whose app has token and key, pushes events for the new one.
func TestAttackReceiverOfTheFormerCompany(t *testing.T) {
	for body, app := range map[string]string{
		`{"corpId":"wwnew"}`: theSecret,
		`{"corpId":"wwnew","agentId":"1000009","secret":"of-wwnew"}`: "of-wwnew",
	} {
		o := newOffice(t)
		o.create("hr", "")
		o.enable()
		o.expect(200, request{method: "PATCH", path: hrPath, body: `{"corpId":"ww0123456789","title":"x"}`})
		if enabled := o.events()["enabled"]; enabled != true {
			t.Errorf("the same company, and events are %v", enabled)
		}
		o.expect(200, request{method: "PATCH", path: hrPath, body: body})
		if enabled, parts := o.events()["enabled"], o.parts("hr"); enabled != false || parts != [3]string{app, "", ""} {
			t.Errorf("%s: events are %v, the secret is %q", body, enabled, parts)
		}
		if !strings.Contains(o.log.String(), "corpId") || !strings.Contains(o.log.String(), "secret") || !strings.Contains(o.log.String(), "events") {
			t.Errorf("%s: the log does not say what was changed: %s", body, o.log)
		}
		o.enable()
		o.expect(200, request{method: "PATCH", path: hrPath, body: `{"title":"y"}`})
		if enabled := o.events()["enabled"]; enabled != true {
			t.Errorf("made anew, and events are %v", enabled)
		}
	}
}

func TestRefusedReceivers(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	for _, test := range []struct {
		r      request
		status int
		want   string
	}{
		{request{method: "POST", path: "/api/admin/authenticators/absent/events"}, 404, "not_found"},
		{request{method: "DELETE", path: "/api/admin/authenticators/absent/events"}, 404, "not_found"},
		{request{method: "POST", path: eventsPath, body: `{"token":"mine"}`}, 400, "invalid_request token"},
		{request{method: "GET", path: eventsPath}, 405, "method_not_allowed"},
		{request{method: "POST", path: eventsPath, noAuthorizer: true}, 403, "forbidden"},
		{request{method: "POST", path: eventsPath, header: map[string]string{"If-Match": `"7"`}}, 412, "version_mismatch"},
		{request{method: "DELETE", path: eventsPath, header: map[string]string{"If-Match": `"7"`}}, 412, "version_mismatch"},
		{request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"events":{"enabled":true}}`}, 400, "invalid_request events"},
	} {
		if got := o.expect(test.status, test.r).problem(t); got != test.want {
			t.Errorf("%s %s: %s, want %s", test.r.method, test.r.path, got, test.want)
		}
	}
	if a := o.authenticator("hr"); a.EventsEnabled || a.Version != 1 || o.vault.secretOf(a) != theSecret {
		t.Errorf("changed all the same: %+v", a)
	}
}

// Two administrators change the app's secret and the receiver at the same moment: neither
// loses what the other wrote.
func TestSecretAndReceiverAtOnce(t *testing.T) {
	for name, test := range map[string]struct{ slower, faster request }{
		"the secret is faster":   {request{method: "POST", path: eventsPath}, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"secret":"another"}`}},
		"the receiver is faster": {request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"secret":"another"}`}, request{method: "POST", path: eventsPath}},
	} {
		o := newOffice(t)
		o.create("hr", "")
		var once sync.Once
		o.directory.before = func(operation string) error {
			if operation == "UpdateAuthenticator" {
				once.Do(func() {
					o.directory.before = nil
					o.expect(200, test.faster)
				})
			}
			return nil
		}
		o.expect(200, test.slower)
		if parts := o.parts("hr"); parts[0] != "another" || parts[1] == "" || parts[2] == "" || !o.authenticator("hr").EventsEnabled {
			t.Errorf("%s: %v", name, parts)
		}
	}
}

// What fails changes nothing; what was lost is entered again.
func TestReceiverWithABrokenSecretStore(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.enable()
	before := o.authenticator("hr")
	o.vault.fail = func(operation string) error {
		if operation == "Put" {
			return errors.New("down")
		}
		return nil
	}
	o.expect(500, request{method: "POST", path: eventsPath})
	o.expect(500, request{method: "DELETE", path: eventsPath})
	if diff := cmp.Diff(before, o.authenticator("hr")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	o.vault.fail = nil
	_ = o.vault.Delete(context.Background(), secretName(before.ID))
	if got := o.expect(400, request{method: "POST", path: eventsPath}).problem(t); got != "invalid_request secret" {
		t.Error(got)
	}
	// The token is lost with the secret, so there is no receiver any more.
	o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"secret":"again"}`})
	if a := o.authenticator("hr"); a.EventsEnabled || o.vault.secretOf(a) != "again" {
		t.Errorf("%+v", a)
	}
	o.enable()
	_ = o.vault.Delete(context.Background(), secretName(before.ID))
	o.expect(204, request{method: "DELETE", path: eventsPath})
	if o.authenticator("hr").EventsEnabled {
		t.Error("a receiver without a secret cannot be switched off")
	}
	// The record cannot be written after the secret.
	o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"secret":"again"}`})
	o.directory.before = func(string) error { return errors.New("table down") }
	o.expect(500, request{method: "POST", path: eventsPath})
	o.directory.before = nil
	if a := o.authenticator("hr"); a.EventsEnabled || o.vault.secretOf(a) != "again" {
		t.Errorf("%+v", a)
	}
}
