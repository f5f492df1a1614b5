package admin_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

func TestPreview(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.create("partner", "")
	o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/partner", body: `{"corpId":"wwPartner"}`})
	o.replaceUser(store.User{
		ID: o.createUser("13800138000"), Phone: "+8613800138000", Name: "李雷", Avatar: "https://img.example.com/a", Roles: []string{"admin", "staff"}, Enabled: true,
		Identities: []store.Identity{{CorpID: "ww0123456789", WeComUserID: "LiLei"}, {CorpID: "wwPartner", WeComUserID: "lei.li", Email: "lei@partner.example"}},
		UpdatedAt:  o.clock, CreatedAt: o.clock, Version: 1, SessionGeneration: 1,
	})
	user := o.users()[0].ID
	newcomer := o.createUser("13800138001")
	o.createApplication("app", "web", `,"authenticators":["hr"],"claims":{"email":"template","emailTemplate":"{wecom_userid}@corp.example","groups":{"name":"team"}}`)
	o.createApplication("partner-app", "browser", `,"authenticators":["partner"],"claims":{"phone":false,"inIdToken":false,"groups":{"from":[]},"preferredUsername":"id"}`)
	o.createApplication("mailbox", "web", `,"authenticators":["partner"],"claims":{"email":"wecom","phone":false,"groups":{"from":[]},"preferredUsername":"id"}`)
	o.createApplication("both", "web", `,"claims":{"phone":false,"groups":{"from":[]}}`)
	userinfo := `{"sub":{"value":"` + user + `","scope":"openid"},"name":{"value":"李雷","scope":"profile"},"preferred_username":{"value":"LiLei","scope":"profile"},` +
		`"picture":{"value":"https://img.example.com/a","scope":"profile"},"updated_at":{"value":` + unix(o.clock) + `,"scope":"profile"},` +
		`"corp_id":{"value":"ww0123456789","scope":"profile"},"wecom_userid":{"value":"LiLei","scope":"profile"},` +
		`"phone_number":{"value":"+8613800138000","scope":"phone"},"phone_number_verified":{"value":true,"scope":"phone"},` +
		`"email":{"value":"LiLei@corp.example","scope":"email"},"email_verified":{"value":true,"scope":"email"},` +
		`"team":{"value":["role:admin","role:staff"],"scope":"groups"},"roles":{"value":["admin","staff"],"scope":"groups"}}`
	headers := func(user, name, email, phone, roles, groups string) string {
		return `{"X-Auth-User":{"value":"` + user + `","scope":"openid"},"X-Auth-Name":{"value":"` + name + `","scope":"profile"},"X-Auth-Email":{"value":"` + email + `","scope":"email"},` +
			`"X-Auth-Phone":{"value":"` + phone + `","scope":"phone"},"X-Auth-Roles":{"value":"` + roles + `","scope":"groups"},"X-Auth-Groups":{"value":"` + groups + `","scope":"groups"}}`
	}
	partner := `{"sub":{"value":"` + user + `","scope":"openid"},"name":{"value":"李雷","scope":"profile"},"preferred_username":{"value":"` + user + `","scope":"profile"},` +
		`"picture":{"value":"https://img.example.com/a","scope":"profile"},"updated_at":{"value":` + unix(o.clock) + `,"scope":"profile"},` +
		`"corp_id":{"value":"wwPartner","scope":"profile"},"wecom_userid":{"value":"lei.li","scope":"profile"}}`
	nameless := strings.Replace(strings.Replace(strings.Replace(partner, `"preferred_username":{"value":"`+user+`","scope":"profile"},`, "", 1), "wwPartner", "ww0123456789", 1), "lei.li", "LiLei", 1)
	mailbox := strings.TrimSuffix(partner, "}") + `,"email":{"value":"lei@partner.example","scope":"email"},"email_verified":{"value":true,"scope":"email"}}`
	sub := func(id string) string { return `{"sub":{"value":"` + id + `","scope":"openid"}}` }
	fresh := `{"sub":{"value":"` + newcomer + `","scope":"openid"},"name":{"value":"Li","scope":"profile"},"preferred_username":{"value":"` + newcomer + `","scope":"profile"},"updated_at":{"value":` + unix(o.clock) + `,"scope":"profile"}}`
	for _, test := range []struct{ name, application, user, want string }{
		{
			"everything", "app", user,
			`{"idToken":` + userinfo + `,"userinfo":` + userinfo + `,"accessToken":` + userinfo +
				`,"headers":` + headers(user, "%E6%9D%8E%E9%9B%B7", "LiLei@corp.example", "+8613800138000", "admin staff", "role:admin role:staff") + `}`,
		},
		{
			"another company, with little", "partner-app", user,
			`{"idToken":` + sub(user) + `,"userinfo":` + partner + `,"accessToken":` + partner + `,"headers":` + headers(user, "%E6%9D%8E%E9%9B%B7", "", "", "", "") + `}`,
		},
		{
			"two companies, in which a userid names two people", "both", user,
			`{"idToken":` + nameless + `,"userinfo":` + nameless + `,"accessToken":` + nameless + `,"headers":` + headers(user, "%E6%9D%8E%E9%9B%B7", "", "", "", "") + `,"notes":["several_companies"]}`,
		},
		{
			"a mailbox that WeCom told", "mailbox", user,
			`{"idToken":` + mailbox + `,"userinfo":` + mailbox + `,"accessToken":` + mailbox + `,"headers":` + headers(user, "%E6%9D%8E%E9%9B%B7", "lei@partner.example", "", "", "") + `}`,
		},
		{
			"a user who has not signed in yet", "partner-app", newcomer,
			`{"idToken":` + sub(newcomer) + `,"userinfo":` + fresh + `,"accessToken":` + fresh + `,"headers":` + headers(newcomer, "Li", "", "", "", "") + `}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := o.expect(200, request{method: "POST", path: applicationsPath + "/" + test.application + "/preview", body: `{"userId":"` + test.user + `"}`})
			var want map[string]any
			if err := json.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got.object(t)); diff != "" {
				t.Errorf("want (-), got (+):\n%s", diff)
			}
		})
	}
	// Another company's mailbox is none.
	o.expect(200, request{method: "PATCH", path: applicationsPath + "/mailbox", body: `{"authenticators":["hr"]}`})
	got := o.expect(200, request{method: "POST", path: applicationsPath + "/mailbox/preview", body: `{"userId":"` + user + `"}`})
	if strings.Contains(got.body, "partner.example") || !strings.Contains(got.body, `"notes":["no_mailbox"]`) {
		t.Error(got.body)
	}
	for body, problem := range map[string]string{
		`{}`: "invalid_request userId", `{"userId":""}`: "invalid_request userId", `{"userId":"none"}`: "invalid_request userId", `{"userId":"13800138000"}`: "invalid_request userId",
		`{"userId":null}`: "invalid_request userId", `{"userId":"` + user + `","scope":"openid"}`: "invalid_request scope", `[]`: "invalid_request",
	} {
		if got := o.expect(400, request{method: "POST", path: applicationsPath + "/app/preview", body: body}).problem(t); got != problem {
			t.Errorf("%s: %s", body, got)
		}
	}
	o.expect(404, request{method: "POST", path: applicationsPath + "/none/preview", body: `{"userId":"` + user + `"}`})
	// The authenticator that the application may use is gone, and with it the company.
	o.expect(204, request{method: "DELETE", path: "/api/admin/authenticators/partner"})
	got = o.expect(200, request{method: "POST", path: applicationsPath + "/partner-app/preview", body: `{"userId":"` + user + `"}`})
	if _, there := got.object(t)["userinfo"].(map[string]any)["corp_id"]; there {
		t.Error(got.body)
	}
}

// An application is told the roles by the rules of the company through which the user comes to it.
func TestPreviewHasTheRolesOfOneCompany(t *testing.T) {
	o := newOffice(t)
	o.create("hr", `,"roleRules":[{"leader":true,"role":"lead"}]`)
	o.create("desk", `,"roleRules":[{"leader":true,"role":"desk"}]`)
	o.create("partner", `,"roleRules":[{"leader":true,"role":"ops"}]`)
	o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/partner", body: `{"corpId":"wwPartner"}`})
	access := func(name, role string) store.MemberAccess {
		return store.MemberAccess{AuthenticatorID: o.authenticator(name).ID, AuthenticatorName: name, Roles: []string{role}}
	}
	user := o.createUser("13800138000")
	u := o.user(user)
	u.Roles = []string{"staff"}
	u.Identities = []store.Identity{
		{CorpID: "ww0123456789", WeComUserID: "LiLei", Access: []store.MemberAccess{access("hr", "lead"), access("desk", "desk")}},
		{CorpID: "wwPartner", WeComUserID: "lei.li", Access: []store.MemberAccess{access("partner", "ops")}},
	}
	o.replaceUser(u)
	for authenticators, want := range map[string]string{
		``: "[staff lead desk]", `"hr"`: "[staff lead desk]", `"partner"`: "[staff ops]", `"partner","hr"`: "[staff ops]",
	} {
		id := "app-" + strings.NewReplacer(`"`, "", ",", "-").Replace(authenticators+"x")
		o.createApplication(id, "web", `,"authenticators":[`+authenticators+`]`)
		got := o.expect(200, request{method: "POST", path: applicationsPath + "/" + id + "/preview", body: `{"userId":"` + user + `"}`}).object(t)
		if told := fmt.Sprint(got["userinfo"].(map[string]any)["roles"].(map[string]any)["value"]); told != want {
			t.Errorf("with authenticators %s: roles %s, want %s", authenticators, told, want)
		}
	}
}

func unix(t time.Time) string {
	text, _ := json.Marshal(t.Unix())
	return string(text)
}
