package rehearsal_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// legacy is what people had under the former release, and what there was of its stack.
type legacy struct {
	resources map[string]string
	refresh   map[string]string // refresh tokens by userid
	people    map[string]*testbrowser.Browser
	ids       map[string]string    // users by userid
	attempts  []any                // of one of them
	underWay  *testbrowser.Browser // which has begun to sign in
	link      string               // where it is at WeCom
	told      int                  // messages about ended sessions before anybody left
}

// whenFormer is a step that only an update from another release has.
func (d *deployment) whenFormer(step func(*testing.T)) func(*testing.T) {
	if former() == "" {
		return nil
	}
	return step
}

// settles leaves behind what the next release has to know: members with sessions and
// refresh tokens, a user whom nobody is yet, and a browser that is at WeCom.
func (d *deployment) settles(t *testing.T) {
	d.connectsLedger(t)
	d.legacy = legacy{refresh: map[string]string{}, people: map[string]*testbrowser.Browser{}, ids: map[string]string{}}
	for _, member := range []string{"zhangsan", "wangwu", "sunqi"} {
		b := d.browser(member, wecomsim.UserAgentWeComAndroid)
		signIn(t, b)
		d.legacy.people[member], d.legacy.ids[member] = b, sessionOf(t, b).User.ID
		d.legacy.refresh[member] = d.opensLedger(t, b)
	}
	d.legacy.ids["zhaoliu"] = testbrowser.Decode[struct{ ID string }](t, d.anyone.Expect(t, 201, "POST", users, d.adminKey, testbrowser.JSON(map[string]any{
		"phone": "13800000004", "name": "赵六", "roles": []string{"buyer"},
	}))).ID
	d.legacy.underWay = d.browser("lisi", wecomsim.UserAgentWeComAndroid)
	d.legacy.link = d.legacy.underWay.Expect(t, 302, "GET", "/authorize/main").Location()
	d.legacy.attempts = d.attempts(t, "wangwu")
	d.legacy.resources = d.Resources(t)
	if len(d.legacy.attempts) != 1 {
		t.Errorf("the attempts are %v", d.legacy.attempts)
	}
}

const users = "/api/admin/users"

func (d *deployment) attempts(t *testing.T, member string) []any {
	t.Helper()
	return testbrowser.Decode[struct{ Items []any }](t, d.anyone.Expect(t, 200, "GET", users+"/"+d.legacy.ids[member]+"/attempts", d.adminKey)).Items
}

// refreshes has the application use a member's refresh token, and keeps the next one.
func (d *deployment) refreshes(t *testing.T, member string, want int) {
	t.Helper()
	status, next := d.refreshesLedger(t, d.legacy.refresh[member])
	if status != want {
		t.Errorf("the refresh token of %s: %d, want %d", member, status, want)
	}
	if status == http.StatusOK {
		d.legacy.refresh[member] = next
	}
}

// inFlight is how many sign-ins are at the callback when it has gone back to the former
// release, one for each browser of the crowd. The emulator then deletes at once what that
// does not have, the right to write the audit among it; AWS has no such haste.
const inFlight = 2

// hasSession checks whether the session that a member had is good. The browser keeps its
// cookie, which the answer may take away.
func (d *deployment) hasSession(t *testing.T, member string, want int) {
	t.Helper()
	if status := d.legacy.people[member].Clone().Send(t, "GET", "/api/session").Status; status != want {
		t.Errorf("the session of %s: %d, want %d", member, status, want)
	}
}

// isRolledBackToFormer fails as late as an update can.
func (d *deployment) isRolledBackToFormer(t *testing.T) {
	d.failsToUpdate(t, "failing", inFlight)
	d.refreshes(t, "zhangsan", 200)
	d.keepsResources(t)
	// Kept for good, a table of the update is not deleted with it.
	d.noteAudits(t)
	t.Logf("tables that are left: %q", d.audits)
}

// keepsResources checks that nothing was replaced or removed but what no data is in.
func (d *deployment) keepsResources(t *testing.T) {
	t.Helper()
	now := d.Resources(t)
	for id, was := range d.legacy.resources {
		if now[id] != was && id != "Placeholder" && !strings.HasPrefix(id, "CallbackFunctionVersion") {
			t.Errorf("%s was %s and is %q", id, was, now[id])
		}
	}
	maps.DeleteFunc(now, func(id, _ string) bool { return d.legacy.resources[id] != "" })
	t.Logf("added: %q", slices.Sorted(maps.Keys(now)))
}

// known is what an administrator sees of a user.
type known struct {
	ID         string
	Roles      []string
	Identities []struct {
		WeComUserID       string
		CheckedAt, GoneAt *string
	}
}

func (d *deployment) knownOf(t *testing.T, member string) known {
	t.Helper()
	return testbrowser.Decode[known](t, d.anyone.Expect(t, 200, "GET", users+"/"+d.legacy.ids[member], d.adminKey))
}

func (d *deployment) inherits(t *testing.T) {
	d.keepsResources(t)

	// Defaults of what the former release did not know, and its secret in the plain form.
	view := testbrowser.Decode[struct {
		LinkByPhone bool
		RoleRules   []any
		Allow       struct{ Departments, Tags, Roles []any }
		Events      struct{ Enabled bool }
	}](t, d.anyone.Expect(t, 200, "GET", authenticators+"/main", d.adminKey))
	if !view.LinkByPhone || len(view.RoleRules)+len(view.Allow.Departments)+len(view.Allow.Tags)+len(view.Allow.Roles) > 0 || view.Events.Enabled {
		t.Errorf("the authenticator is %+v", view)
	}
	d.checks(t, true)

	// Who was on the way, whom an administrator had created, and who had a session.
	callback, err := d.legacy.underWay.Follow(t, d.legacy.link)
	must(t, err)
	if end := d.legacy.underWay.Open(t, callback, testbrowser.Header("Sec-Fetch-Site", "cross-site")).Address; end != application+"/home" {
		t.Fatalf("a sign-in from before ended at %s", withoutQuery(end))
	}
	d.legacy.people["lisi"], d.legacy.ids["lisi"] = d.legacy.underWay, sessionOf(t, d.legacy.underWay).User.ID
	b := d.browser("zhaoliu", wecomsim.UserAgentWeComAndroid)
	signIn(t, b)
	if u := d.knownOf(t, "zhaoliu"); sessionOf(t, b).User.ID != u.ID || !slices.Equal(u.Roles, []string{"buyer"}) || len(u.Identities) != 1 {
		t.Errorf("the user from before is %+v", u)
	}
	for _, member := range []string{"zhangsan", "wangwu", "sunqi"} {
		d.hasSession(t, member, 200)
	}

	// A member of the former release was never checked: the first refresh does it, and ends
	// what those have who left before the update.
	if u := d.knownOf(t, "wangwu"); u.Identities[0].CheckedAt != nil {
		t.Errorf("checked by nobody: %+v", u)
	}
	d.refreshes(t, "wangwu", 200)
	if u := d.knownOf(t, "wangwu"); u.Identities[0].CheckedAt == nil {
		t.Errorf("not checked: %+v", u)
	}
	d.legacy.told = d.told(t)
	must(t, d.weCom.Dismiss(corpID, "sunqi"))
	d.refreshes(t, "sunqi", 400)
	d.hasSession(t, "sunqi", 401)
	d.refreshes(t, "zhangsan", 200)

	// Attempts go back as far as they did; the audit begins.
	if diff := cmp.Diff(d.legacy.attempts, d.attempts(t, "wangwu")); diff != "" {
		t.Error(diff)
	}
	if lines := d.audit(t, "sunqi"); !slices.Equal(lines, []string{"sessions_ended", "member_gone"}) {
		t.Errorf("the audit has %q", lines)
	}

	// Events keep the secret, and who leaves is out at once.
	sender := d.switchesEventsOn(t)
	must(t, d.weCom.Dismiss(corpID, "wangwu"))
	d.push(t, sender, "<xml><FromUserName>wangwu</FromUserName><Event>unsubscribe</Event></xml>")
	d.hasSession(t, "wangwu", 401)
	d.checks(t, true)

	// Disabled for a while, a member goes on with sessions of another generation.
	for _, status := range []int{wecomsim.StatusDisabled, wecomsim.StatusActive} {
		must(t, d.weCom.ChangeMember(corpID, "lisi", func(m *wecomsim.Member) { m.Status = status }))
		d.push(t, sender, "<xml><Event>change_contact</Event><ChangeType>update_user</ChangeType><UserID>lisi</UserID></xml>")
	}
	d.hasSession(t, "lisi", 401)
	signIn(t, d.legacy.people["lisi"])
	d.hasSession(t, "lisi", 200)
}

// told returns how many messages about ended sessions were taken from the queue, apart from
// those for one application.
func (d *deployment) told(t *testing.T) (n int) {
	t.Helper()
	for _, line := range d.Logs(t, "notify") {
		if strings.Contains(line, `"message":"logout"`) && !strings.Contains(line, `"application"`) {
			n++
		}
	}
	return n
}

// checks has the console check the app, which reads its secret and asks WeCom.
func (d *deployment) checks(t *testing.T, want bool) {
	t.Helper()
	answer := d.anyone.Expect(t, 200, "POST", authenticators+"/main/check", d.adminKey)
	if testbrowser.Decode[struct{ OK bool }](t, answer).OK != want {
		t.Errorf("the check says %s", answer.Body)
	}
}

// audit returns the types of the lines about a member, the newest first.
func (d *deployment) audit(t *testing.T, member string) (types []string) {
	t.Helper()
	for _, line := range testbrowser.Decode[struct{ Items []struct{ Type string } }](t, d.anyone.Expect(t, 200, "GET", "/api/admin/audit?user="+d.legacy.ids[member], d.adminKey)).Items {
		types = append(types, line.Type)
	}
	return types
}

// goesBack does what the manual says before a release without member checks and events is
// deployed again, but for one of two leavers and for the events, which somebody forgets.
func (d *deployment) goesBack(t *testing.T) {
	// The former release would not know their messages.
	awsstack.Until(t, "applications are told of the leavers", func() bool { return d.told(t) >= d.legacy.told+2 })
	d.anyone.Expect(t, 200, "PATCH", users+"/"+d.legacy.ids["sunqi"], d.adminKey, testbrowser.JSON(map[string]any{"enabled": false}))
	people := d.gather(t, inFlight)
	d.update(t, "first", "CompanyName=Second", "SessionLifetime=2h")
	people.disperse(t)
	d.keepsResources(t)

	d.phone.Expect(t, 200, "GET", "/api/session")
	d.hasSession(t, "lisi", 200)
	signIn(t, d.browser("lisi", wecomsim.UserAgentWeComAndroid))
	d.anyone.Expect(t, 200, "PATCH", users+"/"+d.legacy.ids["lisi"], d.adminKey, testbrowser.JSON(map[string]any{"roles": []string{"buyer"}}))
	signIn(t, d.browser("zhaoliu", wecomsim.UserAgentWeComAndroid))
	d.refreshes(t, "zhangsan", 200)
	d.hasSession(t, "sunqi", 401)
	// The former release knows nothing of leavers, and cannot change their users.
	d.hasSession(t, "wangwu", 200)
	d.refreshes(t, "wangwu", 200)
	if status := d.anyone.Send(t, "PATCH", users+"/"+d.legacy.ids["wangwu"], d.adminKey, testbrowser.JSON(map[string]any{"enabled": false})).Status; status == 200 {
		t.Error("a leaver's user can be disabled: the manual need not insist on doing it before")
	}
	// Nor can it read a secret with the parts of a receiver, until it is entered again.
	d.checks(t, false)
	d.anyone.Expect(t, 200, "PATCH", authenticators+"/main", d.adminKey, testbrowser.JSON(map[string]any{"secret": appSecret}))
	d.checks(t, true)

	people = d.gather(t, 0)
	d.update(t, "second", "CompanyName=Second", "SessionLifetime=2h")
	people.disperse(t)
	d.keepsResources(t)
	for member, status := range map[string]int{"zhangsan": 200, "wangwu": 401, "sunqi": 401} {
		d.hasSession(t, member, status)
	}
	d.refreshes(t, "zhangsan", 200)
	d.refreshes(t, "wangwu", 400)
	d.checks(t, true)
	// What the former release wrote of a user who had been disabled fits the identity no
	// more, until this release writes both.
	signIn(t, d.legacy.people["lisi"])
	d.hasSession(t, "lisi", 401)
	d.anyone.Expect(t, 204, "DELETE", users+"/"+d.legacy.ids["lisi"]+"/sessions", d.adminKey)
	signIn(t, d.legacy.people["lisi"])
	d.hasSession(t, "lisi", 200)
	d.anyone.Expect(t, 200, "PATCH", users+"/"+d.legacy.ids["wangwu"], d.adminKey, testbrowser.JSON(map[string]any{"enabled": false}))
}
