package admin_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
)

func TestCreateSecret(t *testing.T) {
	o := newOffice(t)
	o.createApplication("app", "web", "")
	made := o.expect(201, request{method: "POST", path: applicationsPath + "/app/secrets"})
	parts := regexp.MustCompile(`^\{"id":"([a-z0-9]{26})","secret":"([A-Za-z0-9]{43})"\}\n$`).FindStringSubmatch(made.body)
	if parts == nil {
		t.Fatal(made.body)
	}
	id, secret := parts[1], parts[2]
	if made.header["location"] != applicationsPath+"/app/secrets/"+id || made.header["cache-control"] != "no-store" {
		t.Errorf("headers %v", made.header)
	}
	sum := sha256.Sum256([]byte(secret))
	if a := o.application("app"); len(a.Secrets) != 1 || a.Secrets[0].Hash != hex.EncodeToString(sum[:]) || a.Version != 2 {
		t.Errorf("record %+v", a)
	}
	want := `"secrets":[{"id":"` + id + `","prefix":"` + secret[:4] + `","createdAt":"2026-11-21T08:00:00Z","lastUsedAt":null}]`
	if got := o.expect(200, request{method: "GET", path: applicationsPath + "/app"}); !strings.Contains(got.body, want) {
		t.Errorf("%s\nwant %s", got.body, want)
	}
	if err := o.directory.NoteApplicationUse(t.Context(), "app", id, o.clock); err != nil {
		t.Fatal(err)
	}
	want = strings.Replace(want, "null", `"2026-11-21T08:00:00Z"`, 1)
	if got := o.expect(200, request{method: "GET", path: applicationsPath + "/app"}); !strings.Contains(got.body, want) || !strings.Contains(got.body, `"lastUsedAt":"2026-11-21T08:00:00Z","version":2}`) {
		t.Errorf("%s\nwant %s", got.body, want)
	}
}

// An application changes to another secret without a gap, and has no third.
func TestTwoSecretsAtMost(t *testing.T) {
	o := newOffice(t)
	o.createApplication("app", "web", "")
	first, _ := o.createSecret("app")
	second, _ := o.createSecret("app")
	full := request{method: "POST", path: applicationsPath + "/app/secrets", body: `{}`}
	if problem := o.expect(409, full).problem(t); problem != "too_many_secrets secrets" {
		t.Error(problem)
	}
	o.expect(204, request{method: "DELETE", path: applicationsPath + "/app/secrets/" + first})
	o.expect(404, request{method: "DELETE", path: applicationsPath + "/app/secrets/" + first})
	o.expect(201, full)
	if a := o.application("app"); len(a.Secrets) != 2 || a.Secrets[0].ID != second {
		t.Errorf("%+v", a.Secrets)
	}
}

func TestSecretOfWhatHasNone(t *testing.T) {
	o := newOffice(t)
	for _, kind := range []string{"browser", "native", "proxy"} {
		o.createApplication(kind, kind, `,"homepage":"https://app.example.com/"`)
		if problem := o.expect(409, request{method: "POST", path: applicationsPath + "/" + kind + "/secrets"}).problem(t); problem != "secret_not_allowed secrets" {
			t.Errorf("%s: %s", kind, problem)
		}
		if a := o.application(kind); len(a.Secrets) != 0 || a.Version != 1 {
			t.Errorf("%s: %+v", kind, a)
		}
	}
	o.expect(404, request{method: "POST", path: applicationsPath + "/none/secrets"})
	o.createApplication("app", "web", "")
	for body, field := range map[string]string{`{"secret":"chosen"}`: " secret", `{"id":"chosen"}`: " id", `[]`: "", `x`: ""} {
		if problem := o.expect(400, request{method: "POST", path: applicationsPath + "/app/secrets", body: body}).problem(t); problem != "invalid_request"+field {
			t.Errorf("%s: %s", body, problem)
		}
	}
	o.expect(415, request{method: "POST", path: applicationsPath + "/app/secrets", body: `{}`, contentType: "text/plain"})
	if a := o.application("app"); len(a.Secrets) != 0 {
		t.Errorf("%+v", a)
	}
}

// Ten administrators make a secret at the same moment: two have one, and both secrets are
// those that were answered.
func TestSecretLimitRace(t *testing.T) {
	o := newOffice(t)
	o.createApplication("app", "web", "")
	const rivals = 10
	answers := make([]answer, rivals)
	var wait sync.WaitGroup
	for i := range rivals {
		wait.Go(func() { answers[i] = o.send(request{method: "POST", path: applicationsPath + "/app/secrets"}) })
	}
	wait.Wait()
	hashes := map[string]bool{}
	for _, got := range answers {
		switch got.status {
		case 201:
			sum := sha256.Sum256([]byte(got.object(t)["secret"].(string)))
			hashes[hex.EncodeToString(sum[:])] = true
		case 409:
		default:
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	a := o.application("app")
	if len(hashes) != 2 || len(a.Secrets) != 2 || !hashes[a.Secrets[0].Hash] || !hashes[a.Secrets[1].Hash] {
		t.Errorf("%d answered, record %+v", len(hashes), a.Secrets)
	}
}

// A secret is answered once, to who made it. After that no answer and no log has it, nor
// its hash.
func TestAttackSecretIsAnsweredAgain(t *testing.T) {
	o := newOffice(t)
	o.createApplication("app", "web", "")
	id, secret := o.createSecret("app")
	user := o.createUser("13800138000")
	hash := o.application("app").Secrets[0].Hash
	app := applicationsPath + "/app"
	for _, r := range []request{
		{method: "GET", path: applicationsPath},
		{method: "GET", path: app},
		{method: "PATCH", path: app, body: `{"title":"x"}`},
		{method: "PATCH", path: app, body: `{"secrets":[]}`},
		{method: "GET", path: app + "/secrets"},
		{method: "GET", path: app + "/secrets/" + id},
		{method: "POST", path: app + "/secrets"},
		{method: "POST", path: app + "/secrets"},
		{method: "POST", path: app + "/preview", body: `{"userId":"` + user + `"}`},
		{method: "GET", path: app + "/attempts"},
		{method: "DELETE", path: app + "/secrets/" + secret},
		{method: "DELETE", path: app + "/secrets/" + id},
		{method: "DELETE", path: app},
	} {
		got := o.send(r)
		for _, value := range []string{secret, hash, hash[:16], secret[:8]} {
			if strings.Contains(got.body, value) || strings.Contains(fmt.Sprint(got.header), value) {
				t.Errorf("%s %s answers %q: %s", r.method, r.path, value, got.body)
			}
		}
	}
	for _, value := range []string{hash, hash[:16], secret, secret[:8]} {
		if strings.Contains(o.log.String(), value) {
			t.Errorf("the log has %q: %s", value, o.log)
		}
	}
}

// The id of another application's secret deletes nothing.
func TestAttackSecretOfAnotherApplication(t *testing.T) {
	o := newOffice(t)
	for _, id := range []string{"mine", "yours"} {
		o.createApplication(id, "web", "")
		_, _ = o.createSecret(id)
	}
	yours := o.application("yours").Secrets[0]
	for _, id := range []string{yours.ID, yours.Prefix, yours.Hash, "x", "yours/" + yours.ID, "..%2f..%2fyours%2fsecrets%2f" + yours.ID} {
		o.expect(404, request{method: "DELETE", path: applicationsPath + "/mine/secrets/" + id})
	}
	if len(o.application("mine").Secrets) != 1 || len(o.application("yours").Secrets) != 1 {
		t.Error("a secret is gone")
	}
}
