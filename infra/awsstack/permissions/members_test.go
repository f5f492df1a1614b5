package permissions_test

import (
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
)

// membersLeave has WeCom asked again about a member, by a refresh and at sign-in: who has a
// new name, is disabled, and has left.
func (w *world) membersLeave() {
	w.t.Helper()
	engine, err := dynamo.New(dynamo.Config{
		Client: dynamodb.NewFromConfig(w.SDK()), DirectoryTable: w.Outputs(w.t)["DirectoryTable"], TransientTable: w.Resources(w.t)["TransientTable"],
	})
	must(w.t, err)
	w.weCom.ForgetConsent() // she has refused before
	admin, member := w.visitor("", wecomsim.UserAgentBrowser), w.visitor("lisi", wecomsim.UserAgentWeComAndroid)
	const ledger = "/api/admin/applications/ledger"
	admin.send(201, "POST", "/api/admin/applications", w.adminKey, map[string]any{
		"id": "ledger", "kind": "web", "redirectUris": []string{application + "/callback"}, "backchannelLogoutUri": "https://ledger.invalid/logout",
	})
	secret := testbrowser.Decode[struct{ Secret string }](w.t, admin.send(201, "POST", ledger+"/secrets", w.adminKey, nil)).Secret
	w.known.Add("client secret", secret)
	token := func(status int, values url.Values) string {
		w.t.Helper()
		values.Set("client_id", "ledger")
		values.Set("client_secret", secret)
		answer := member.Expect(w.t, status, "POST", "/oauth2/token", testbrowser.Body(formType, values.Encode()))
		return testbrowser.Decode[struct {
			RefreshToken string `json:"refresh_token"`
		}](w.t, answer).RefreshToken
	}
	opens := func() string {
		w.t.Helper()
		member.signIn("/authorize/main", application+"/")
		request := url.Values{"response_type": {"code"}, "client_id": {"ledger"}, "redirect_uri": {application + "/callback"}, "scope": {"openid"}}
		back, err := url.Parse(member.send(303, "GET", "/oauth2/authorize?"+request.Encode(), "", nil).Location())
		must(w.t, err)
		return token(200, url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {application + "/callback"}})
	}
	// changes has WeCom say something new, and the check due.
	changes := func(change func(*wecomsim.Member)) {
		w.t.Helper()
		must(w.t, w.weCom.ChangeMember(corpID, "lisi", change))
		owner, err := engine.OwnerOfIdentity(w.t.Context(), corpID, "lisi")
		must(w.t, err)
		from, err := engine.User(w.t.Context(), owner.UserID)
		must(w.t, err)
		access := owner.Identity.Access[0]
		access.CheckedAt = time.Time{}
		to := from.WithIdentity(owner.Identity.WithAccess(access))
		to.Version++
		must(w.t, engine.UpdateUser(w.t.Context(), from, to))
	}
	refresh := func(status int, refreshToken string) string {
		w.t.Helper()
		return token(status, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}})
	}

	refreshToken := opens()
	must(w.t, w.weCom.RevokeTokens(corpID, agentID, 40014))
	changes(func(m *wecomsim.Member) { m.Name = "李四四" })
	refreshToken = refresh(200, refreshToken)
	if session := testbrowser.Decode[sessionAnswer](w.t, member.send(200, "GET", "/api/session", "", nil)); session.User.Name != "李四四" {
		w.t.Errorf("not renamed: %+v", session)
	}
	changes(func(m *wecomsim.Member) { m.Status = wecomsim.StatusDisabled })
	refresh(400, refreshToken)
	member.send(401, "GET", "/api/session", "", nil)
	awsstack.Until(w.t, "the application is told", func() bool {
		return strings.Contains(admin.send(200, "GET", ledger+"/attempts", w.adminKey, nil).Body, `"backchannel_unreachable"`)
	})
	changes(func(m *wecomsim.Member) { m.Status = wecomsim.StatusActive })
	refreshToken = opens()
	changes(func(m *wecomsim.Member) { m.Status = wecomsim.StatusLeft })
	refresh(400, refreshToken)

	// Back with the same phone; and gone once more, as the callback finds, and back.
	must(w.t, w.weCom.ChangeMember(corpID, "lisi", func(m *wecomsim.Member) { m.Status = wecomsim.StatusActive }))
	opens()
	changes(func(*wecomsim.Member) {})
	w.weCom.Inject(wecomsim.Refuse(60111, 1).On("/cgi-bin/user/get"))
	opens()
	owner, err := engine.OwnerOfIdentity(w.t.Context(), corpID, "lisi")
	must(w.t, err)
	if owner.Identity.IsGone() || owner.Identity.Generation != 3 {
		w.t.Errorf("%+v", owner.Identity)
	}
	admin.send(204, "DELETE", ledger, w.adminKey, nil)
}
