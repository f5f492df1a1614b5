package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// auditEntry is a line of GET /api/admin/audit.
type auditEntry struct {
	ID, At, Type, User, Authenticator, Application, Actor, RequestID, Code string

	Fields, RolesBefore, RolesAfter []string
}

// inShort is what distinguishes a line from others of its type.
func (e auditEntry) inShort() string {
	parts := []string{e.Authenticator, e.Application, e.Actor, e.Code, strings.Join(e.Fields, ",")}
	if len(e.RolesBefore)+len(e.RolesAfter) > 0 {
		parts = append(parts, fmt.Sprint(e.RolesBefore, e.RolesAfter))
	}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

// refusals counts the lines of refused sign-ins.
func (f *fixture) refusals() int {
	f.t.Helper()
	lines := testbrowser.Decode[struct{ Items []auditEntry }](f.t, f.mustAdmin(http.StatusOK, http.MethodGet, "/audit?limit=200&type="+audit.Refused, nil)).Items
	return len(lines)
}

// Attack: while the app's secret is wrong, a stranger's program fetches attempts and sends
// made-up codes, so that each leaves a line of which no function may remove one.
func TestAttackStrangersFillTheAudit(t *testing.T) {
	t.Parallel()
	f := newFixture(t, quiet, with("secret", "wrong-secret-0123456789abcdefghijklmnopqrst"))
	for range 50 {
		b := f.onDesktop("nobody")
		state := queryOf(b.get("/authorize/main").Location()).Get("state")
		b.get("/callback/main?code=made-up&state=" + state)
	}
	if lines := f.refusals(); lines != 1 {
		t.Errorf("%d lines", lines)
	}
}

// Attack: the cookie of an attempt that asked an unknown member for the phone is sent again
// and again, weeks later and from other browsers.
func TestAttackOldCookieFillsTheAudit(t *testing.T) {
	t.Parallel()
	f := newFixture(t, quiet, with("autoSignup", false))
	b := f.inWeCom("outside")
	away := b.get(b.callback("/authorize/main")[len(f.url):])
	state := queryOf(away.Location()).Get("state")
	kept := b.Cookies(attemptCookie)
	if state == "" || len(kept) == 0 {
		t.Fatalf("not asked for the phone: %s", away.Location())
	}
	for _, age := range []time.Duration{0, 20 * 24 * time.Hour} {
		f.wait(age)
		before := f.refusals()
		for range 50 {
			anyone := f.onDesktop("nobody")
			for name, value := range kept {
				anyone.SetCookie(name, value)
			}
			anyone.get("/callback/main?state=" + state)
		}
		if lines := f.refusals() - before; lines != 1 {
			t.Errorf("after %s: %d lines", age, lines)
		}
	}
}

// Whatever happens leaves its line: one of every type, from the functions that run. Nothing
// that a member, WeCom or an administrator has as a secret is in any of them (see leaks).
func TestJourneyEveryTypeOfLine(t *testing.T) {
	t.Parallel()
	f := newFixture(t, weComWhere(withDepartments), set(settings.MemberCheckInterval, "0"), with("roleRules", []any{rule("department", 2, "sales")}))
	f.receive("", agentID)
	patch := func(path string, fields map[string]any) { f.mustAdmin(http.StatusOK, http.MethodPatch, path, fields) }
	change := func(userID string, change func(*wecomsim.Member)) {
		f.must(f.weCom.ChangeMember(corpID, userID, change))
		f.weCom.Settle()
	}

	// Members, in one browser and in others.
	f.onDesktop("zhangsan").wantError("/authorize/main", "first_sign_in_in_wecom")
	waiting := f.onDesktop("lisi").scan("/authorize/main")
	f.signedIn("lisi")
	waiting.goOn()
	b := f.signedIn("zhangsan")
	other := f.signedIn("zhangsan")
	b.act(t, "end", "key", fieldKey.FindStringSubmatch(b.memberPage(t))[1])
	other.wantMember("", "the other browser")
	b.act(t, "end-everywhere")
	b.signIn("/authorize/main")
	b.post("/api/signout")
	b.signIn("/authorize/main")

	// An application, which uses a refresh token twice, and another that gives one back.
	f.mustAdmin(http.StatusCreated, http.MethodPost, "/applications", map[string]any{"id": "mail", "kind": "web", "redirectUris": []string{application + "/mail"}})
	patch("/applications/mail", map[string]any{"title": "Mail"})
	f.mustAdmin(http.StatusNoContent, http.MethodDelete, "/applications/mail", nil)
	w := f.registerWiki(func(a *store.Application) { a.FirstParty = false })
	r := w.begin()
	given := r.finish(b.agree(b.open(r.address).Page))
	refreshed, err := given.refresh()
	f.must(err)
	f.wait(time.Hour)
	_, _ = given.refresh()
	refreshed.wantEnded("used twice")
	r = w.begin()
	given = r.finish(b.open(r.address))
	testbrowser.New(testbrowser.Config{URL: f.url}).Expect(t, http.StatusOK, http.MethodPost, "/oauth2/revoke", testbrowser.Body("application/x-www-form-urlencoded",
		url.Values{"token": {given.RefreshToken}, "client_id": {"wiki"}, "client_secret": {w.config.ClientSecret}}.Encode()))
	b.act(t, "withdraw", "application", "wiki")

	// WeCom: another department, another userid, disabled, gone; the app that nobody uses.
	change("zhangsan", func(m *wecomsim.Member) { m.Departments, m.LeaderOf = []int{3}, nil })
	change("zhangsan", func(m *wecomsim.Member) { m.UserID = "zhang.san" })
	change("zhang.san", func(m *wecomsim.Member) { m.Status = wecomsim.StatusDisabled })
	f.must(f.weCom.Dismiss(corpID, "zhang.san"))
	f.weCom.Settle()
	f.must(f.weCom.WarnInactive(corpID, agentID, f.now().Add(72*time.Hour)))
	f.weCom.Settle()
	patch("/authenticators/main", map[string]any{"allow": map[string]any{"departments": []int{21}}})
	desktop := f.onDesktop("lisi")
	desktop.wantFailure(desktop.open("/authorize/main"), "not_allowed", "")

	// The administrator.
	user := testbrowser.Decode[userEntry](t, f.mustAdmin(http.StatusCreated, http.MethodPost, "/users", map[string]any{"phone": "13811112222", "name": "Nobody"}))
	patch("/users/"+user.ID, map[string]any{"roles": []string{"staff"}})
	f.mustAdmin(http.StatusOK, http.MethodPost, "/authenticators/main/lookup", map[string]any{})
	f.mustAdmin(http.StatusNoContent, http.MethodDelete, "/users/"+user.ID, nil)
	f.users()
	f.addOther()
	f.mustAdmin(http.StatusNoContent, http.MethodDelete, "/authenticators/other", nil)
	const file = "/domain-files/WW_verify_AbCdEf0123456789.txt"
	f.mustAdmin(http.StatusNoContent, http.MethodPut, file, nil)
	f.mustAdmin(http.StatusNoContent, http.MethodDelete, file, nil)
	export := f.api.Expect(t, http.StatusOK, http.MethodGet, "/api/admin/audit", testbrowser.Bearer(adminKey), testbrowser.Header("Accept", "application/x-ndjson"))

	want := map[string]string{
		audit.SignedIn: "main", audit.Refused: "main not_allowed", audit.SignedOut: "main", audit.SessionEnded: "main", audit.SessionsEnded: "main gone",
		audit.TokenReused: "wiki refresh_token_used_twice", audit.TokenRevoked: "wiki", audit.ConsentWithdrawn: "wiki",
		audit.MemberGone: "main not_found", audit.MemberDisabled: "main", audit.MemberNotAllowed: "main", audit.MemberRenamed: "main",
		audit.MemberRolesChanged: "main [sales] []", audit.EventReceived: "main delete_user", audit.AppInactive: "main inactive_alert",
		audit.UserCreated: "main", audit.UserUpdated: "key roles [] [staff]", audit.UserDeleted: "key [staff] []",
		audit.AuthenticatorCreated: "other key title,enabled,corpId,agentId,secret,origin,workbenchRedirectPath,autoSignup", audit.AuthenticatorUpdated: "main key events", audit.AuthenticatorDeleted: "other key",
		audit.ApplicationCreated: "mail key title,enabled,kind,redirectUris,firstParty,claims,refreshTokenLifetime", audit.ApplicationUpdated: "mail key title", audit.ApplicationDeleted: "mail key",
		audit.DomainFileCreated: "key WW_verify_AbCdEf0123456789.txt", audit.DomainFileDeleted: "key WW_verify_AbCdEf0123456789.txt",
		audit.UsersListed: "key", audit.UsersLookedUp: "main key dry_run", audit.Exported: "key ndjson",
	}
	for _, kind := range audit.Types() {
		lines := testbrowser.Decode[struct{ Items []auditEntry }](t, f.mustAdmin(http.StatusOK, http.MethodGet, "/audit?limit=200&type="+kind, nil)).Items
		var told []string
		for _, line := range lines {
			told = append(told, line.inShort())
			if line.ID == "" || line.At == "" || line.RequestID == "" {
				t.Errorf("incomplete: %+v", line)
			}
		}
		if wanted, known := want[kind]; !known || !slices.Contains(told, wanted) {
			t.Errorf("%s: %q, want %q", kind, told, wanted)
		}
	}
	for _, never := range []string{"1380000", "1381111", "张三", "zhang", "lisi", appSecret, given.RefreshToken} {
		if strings.Contains(export.Body, never) {
			t.Errorf("the audit has %s", never)
		}
	}
}
