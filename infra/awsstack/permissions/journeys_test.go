package permissions_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/wecom/receiver/receivertest"
)

// journeys make every function make every call that it ever makes.
func journeys(t *testing.T, w *world) {
	t.Helper()
	w.keysAreRotated()
	admin := w.visitor("", wecomsim.UserAgentBrowser)
	admin.connects()
	admin.keepsUsers()
	admin.keepsApplications()
	w.membersSignIn()
	w.everybodyAtOnce()
	w.applicationSignsIn()
	admin.judgesMembers()
	w.administratorsSignIn()
	w.membersLeave()
	admin.hasEventsPushed()
	admin.hasApplicationsTold()
	w.visitorsComeWithoutSession()
	w.weComRefuses()
	admin.disconnects()
}

// The first rotation, which the stack begins, and the next one, whose steps are all
// repeated after its end.
func (w *world) keysAreRotated() {
	w.t.Helper()
	token := ""
	secret := w.Resources(w.t)["SigningKeys"]
	rotated := func() bool {
		version, keys := w.Secret(w.t, secret)
		changed := version != token && strings.Contains(keys, "kid")
		if changed {
			token = version
		}
		return changed
	}
	awsstack.Until(w.t, "the first rotation ends", rotated)
	if _, err := secretsmanager.NewFromConfig(w.SDK()).RotateSecret(w.t.Context(), &secretsmanager.RotateSecretInput{SecretId: &secret}); err != nil {
		w.t.Fatal(err)
	}
	awsstack.Until(w.t, "the second rotation ends", rotated)
	for _, step := range []string{"createSecret", "setSecret", "testSecret", "finishSecret"} {
		event, err := json.Marshal(events.SecretsManagerSecretRotationEvent{Step: step, SecretID: secret, ClientRequestToken: token})
		must(w.t, err)
		w.Call(w.t, "lambda", http.MethodPost, "/2015-03-31/functions/"+w.Resources(w.t)["RotateKeysFunction"]+"/invocations", "", event)
	}
	anyone := w.visitor("", wecomsim.UserAgentBrowser)
	anyone.send(200, "GET", "/.well-known/openid-configuration", "", nil)
	anyone.send(200, "GET", "/.well-known/jwks.json", "", nil)
}

// An administrator with the key connects an app, and changes everything there is about
// an authenticator.
func (v *visitor) connects() {
	v.t.Helper()
	const all, one = "/api/admin/authenticators", "/api/admin/authenticators/main"
	v.send(401, "GET", all, "", nil)
	v.send(403, "GET", all, "not-the-key", nil)
	fields := map[string]any{
		"name": "main", "corpId": corpID, "agentId": agentID, "secret": "a-wrong-secret", "origin": application, "autoLogin": true,
	}
	if created := v.send(201, "POST", all, v.adminKey, fields); strings.Contains(created.Body, "a-wrong-secret") {
		v.t.Error("the answer shows the secret")
	}
	v.send(409, "POST", all, v.adminKey, fields)
	v.send(200, "POST", one+"/check", v.adminKey, nil) // WeCom refuses the secret
	v.send(200, "PATCH", one, v.adminKey, map[string]any{"secret": appSecret})
	v.send(200, "POST", one+"/check", v.adminKey, nil)
	fields["name"] = "other"
	v.send(409, "POST", all, v.adminKey, fields) // main has autoLogin
	fields["autoLogin"] = false
	v.send(201, "POST", all, v.adminKey, fields)
	v.send(200, "PATCH", one, v.adminKey, map[string]any{"autoLogin": false})
	v.send(200, "PATCH", "/api/admin/authenticators/other", v.adminKey, map[string]any{"autoLogin": true, "title": "Other"})
	v.send(204, "DELETE", "/api/admin/authenticators/other", v.adminKey, nil)
	v.send(200, "PATCH", one, v.adminKey, map[string]any{"autoLogin": true})
	if kept := v.authenticatorSecrets(); !slices.Equal(kept, []string{appSecret}) {
		v.t.Errorf("Secrets Manager keeps %d secrets of authenticators, or another one", len(kept))
	}
	v.send(200, "GET", all, v.adminKey, nil)
	v.send(200, "GET", one, v.adminKey, nil)

	const file = "/api/admin/domain-files/WW_verify_AbCdEf0123456789.txt"
	v.send(204, "PUT", file, v.adminKey, nil)
	v.send(200, "GET", "/api/admin/domain-files", v.adminKey, nil)
	v.send(200, "POST", file+"/check", v.adminKey, nil)
	v.send(200, "GET", "/WW_verify_AbCdEf0123456789.txt", "", nil)
	v.send(204, "DELETE", file, v.adminKey, nil)
	v.send(404, "GET", "/WW_verify_AbCdEf0123456789.txt", "", nil)
	v.send(200, "GET", "/api/admin/egress", v.adminKey, nil)
	v.send(200, "GET", "/console", "", nil)
}

type created struct{ ID string }

// She creates, finds, changes, imports and deletes users, and has one found in WeCom.
func (v *visitor) keepsUsers() {
	v.t.Helper()
	const all = "/api/admin/users"
	user := all + "/" + testbrowser.Decode[created](v.t, v.send(201, "POST", all, v.adminKey, map[string]any{"phone": "13900000001", "name": "Somebody"})).ID
	v.send(409, "POST", all, v.adminKey, map[string]any{"phone": "13900000001"})
	v.send(200, "PATCH", user, v.adminKey, map[string]any{"name": "Somebody else", "phone": "13900000002", "roles": []string{"buyer"}})
	v.send(200, "GET", user, v.adminKey, nil)
	v.send(200, "GET", all, v.adminKey, nil)
	v.send(200, "GET", all+"?phone=13900000002", v.adminKey, nil)
	v.send(200, "GET", all+"?name=some", v.adminKey, nil)
	v.send(200, "POST", all+"/import", v.adminKey, "phone,name,roles\n13900000002,Renamed,\n13900000003,New,buyer\n13900000004,,\n")
	imported := all + "/" + testbrowser.Decode[created](v.t, v.send(201, "POST", all, v.adminKey, map[string]any{"phone": "13800000006", "name": "周八"})).ID
	if found := v.send(200, "POST", "/api/admin/authenticators/main/lookup", v.adminKey, map[string]any{"dryRun": false}); !strings.Contains(found.Body, `"bound"`) {
		v.t.Errorf("the lookup found %s", found.Body)
	}
	v.send(204, "DELETE", imported, v.adminKey, nil)
	v.send(204, "DELETE", user+"/sessions", v.adminKey, nil)
	v.send(204, "DELETE", user, v.adminKey, nil)
}

// She registers an application, makes and deletes a secret of it, and looks at what it is
// told and at how sign-ins to it went.
func (v *visitor) keepsApplications() {
	v.t.Helper()
	const all = "/api/admin/applications"
	wiki := all + "/wiki"
	v.send(201, "POST", all, v.adminKey, map[string]any{"id": "wiki", "kind": "web", "authenticators": []string{"main"}})
	v.send(409, "POST", all, v.adminKey, map[string]any{"id": "wiki", "kind": "web"})
	v.send(200, "GET", all, v.adminKey, nil)
	v.send(200, "PATCH", wiki, v.adminKey, map[string]any{"title": "Wiki", "redirectUris": []string{application + "/callback"}})
	secret := testbrowser.Decode[created](v.t, v.send(201, "POST", wiki+"/secrets", v.adminKey, nil)).ID
	v.send(204, "DELETE", wiki+"/secrets/"+secret, v.adminKey, nil)
	user := testbrowser.Decode[created](v.t, v.send(201, "POST", "/api/admin/users", v.adminKey, map[string]any{"phone": "13900000005"})).ID
	v.send(200, "POST", wiki+"/preview", v.adminKey, map[string]any{"userId": user})
	v.send(200, "GET", wiki+"/attempts", v.adminKey, nil)
	v.send(204, "DELETE", wiki, v.adminKey, nil)
}

// An application is told of each end of a session, which it does not take: its name stands
// for nothing.
func (v *visitor) hasApplicationsTold() {
	v.t.Helper()
	const mail = "/api/admin/applications/mail"
	v.send(201, "POST", "/api/admin/applications", v.adminKey, map[string]any{
		"id": "mail", "kind": "web", "redirectUris": []string{application + "/callback"}, "backchannelLogoutUri": "https://mail.invalid/logout",
	})
	member := v.visitor("zhaoliu", wecomsim.UserAgentWeComAndroid)
	user := func() string {
		return "/api/admin/users/" + testbrowser.Decode[sessionAnswer](v.t, member.send(200, "GET", "/api/session", "", nil)).User.ID
	}
	opens := func() {
		v.t.Helper()
		member.signIn("/authorize/main", application+"/")
		request := url.Values{"response_type": {"code"}, "client_id": {"mail"}, "redirect_uri": {application + "/callback"}, "scope": {"openid"}}
		if back := member.send(303, "GET", "/oauth2/authorize?"+request.Encode(), "", nil).Location(); !strings.Contains(back, "code=") {
			v.t.Fatalf("no code: %s", back)
		}
	}
	attempts := 0
	told := func() {
		v.t.Helper()
		attempts++
		awsstack.Until(v.t, "the application is told", func() bool {
			return strings.Count(v.send(200, "GET", mail+"/attempts", v.adminKey, nil).Body, `"backchannel_unreachable"`) >= attempts
		})
	}
	opens()
	v.send(200, "PATCH", "/api/admin/authenticators/main", v.adminKey, map[string]any{"enabled": false})
	told()
	v.send(200, "PATCH", "/api/admin/authenticators/main", v.adminKey, map[string]any{"enabled": true})
	time.Sleep(11 * time.Second) // until no function has the authenticator as it was in its cache
	opens()
	member.send(204, "POST", "/api/signout", "", nil)
	told()
	opens()
	member.Member.UserID = "sunqi"
	member.signIn("/authorize/main", application+"/")
	told()
	opens()
	v.send(204, "DELETE", user()+"/sessions", v.adminKey, nil)
	told()
	opens()
	session := user()
	v.send(200, "PATCH", session, v.adminKey, map[string]any{"enabled": false})
	told()
	v.send(204, "DELETE", session, v.adminKey, nil) // with the consent that the user gave
	told()
	v.send(204, "DELETE", mail, v.adminKey, nil)
}

// Members sign in for the first time and again, and what goes wrong with that.
func (w *world) membersSignIn() {
	w.t.Helper()
	// The first time WeCom does not tell the name, the second time it does: the user is
	// renamed. The browser's first session ends then.
	w.weCom.Inject(wecomsim.Refuse(60011, 1).On("/cgi-bin/user/get"))
	member := w.visitor("zhangsan", wecomsim.UserAgentWeComAndroid)
	member.signIn("/authorize/main?redirect="+url.QueryEscape("/orders?id=1"), application+"/orders?id=1")
	callback := member.Callback(w.t, "/authorize/main")
	doubled := &visitor{member.Clone(), w}
	member.signIn(callback, application+"/")
	if session := testbrowser.Decode[sessionAnswer](w.t, member.send(200, "GET", "/api/session", "", nil)); session.User.Name != "张三" || session.User.Phone != "+8613800000001" {
		w.t.Fatalf("the name was not completed: %+v", session)
	}
	// Back in the history, and a request that came twice.
	member.send(302, "GET", callback, "", nil)
	doubled.send(302, "GET", callback, "", nil)

	// A cookie from before it carried the user's id beside the session's.
	older := &visitor{member.Clone(), w}
	for name, value := range older.Cookies("__Host-wecom_session") {
		id, _, _ := strings.Cut(value, ".")
		older.SetCookie(name, id)
	}
	older.send(200, "GET", "/api/session", "", nil)
	older.send(302, "GET", callback, "", nil)

	// What an application and its visitor do with the session.
	member.Origin = application
	member.send(200, "GET", "/api/session", "", nil)
	member.send(200, "POST", "/api/token", "", nil)
	member.Origin = ""
	member.send(200, "GET", "/api/authenticators", "", nil)
	member.send(302, "GET", "/orders/7?a=b", "", nil)
	member.send(200, "GET", "/signin", "", nil)
	member.send(200, "GET", "/auto-login.js", "", nil)
	member.send(204, "POST", "/api/signout", "", nil)
	member.send(401, "GET", "/api/session", "", nil)
	member.send(401, "POST", "/api/token", "", nil)

	// She comes back with a browser outside WeCom, which nobody does the first time.
	w.visitor("zhangsan", wecomsim.UserAgentBrowser).signIn("/authorize/main", application+"/")
	waits := w.visitor("lisi", wecomsim.UserAgentBrowser)
	waits.signIn("/authorize/main", "error=first_sign_in_in_wecom")
	waits.isTold(`{"state":"waiting"}`)
	// One refuses to give the phone number, another has the phone of somebody else.
	refuses := w.visitor("lisi", wecomsim.UserAgentWeComAndroid)
	refuses.Member.Deny = true
	refuses.signIn("/authorize/main", "error=access_denied")
	waits.isTold(`{"state":"over","error":"access_denied"}`)
	// Then the number is given, and the browser goes on by itself.
	waits.signIn("/authorize/main", "error=first_sign_in_in_wecom")
	w.weCom.ForgetConsent()
	w.visitor("lisi", wecomsim.UserAgentWeComAndroid).signIn("/authorize/main", application+"/")
	waits.isTold(`{"state":"ready"}`)
	waits.send(303, "POST", "/api/first-sign-in", "", nil)
	waits.send(200, "GET", "/api/session", "", nil)
	w.visitor("wangwu", wecomsim.UserAgentWeComAndroid).signIn("/authorize/main", "error=phone_in_use")
}

// isTold asks how far a first sign-in is.
func (v *visitor) isTold(want string) {
	v.t.Helper()
	if got := v.send(200, "GET", "/api/first-sign-in", "", nil); strings.TrimSpace(got.Body) != want {
		v.t.Fatalf("told %s, want %s", got.Body, want)
	}
}

type sessionAnswer struct {
	User struct{ ID, Name, Phone string }
}

// The administrator looks at what happened, frees the phone and unbinds the member.
func (v *visitor) judgesMembers() {
	v.t.Helper()
	found := testbrowser.Decode[struct{ Items []created }](v.t, v.send(200, "GET", "/api/admin/users?phone=13800000001", v.adminKey, nil))
	if len(found.Items) != 1 {
		v.t.Fatalf("found %+v", found)
	}
	user := "/api/admin/users/" + found.Items[0].ID
	for _, address := range []string{user + "/attempts", "/api/admin/authenticators/main/attempts"} {
		attempts := testbrowser.Decode[struct{ Items []json.RawMessage }](v.t, v.send(200, "GET", address, v.adminKey, nil))
		if len(attempts.Items) == 0 {
			v.t.Fatalf("%s shows none", address)
		}
	}
	for _, filter := range []string{"from=" + time.Now().UTC().Add(-time.Hour).Format(time.RFC3339), "user=" + found.Items[0].ID, "authenticator=main", "application=mail", "actor=key", "type=users_listed"} {
		lines := testbrowser.Decode[struct{ Items []json.RawMessage }](v.t, v.send(200, "GET", "/api/admin/audit?"+filter, v.adminKey, nil))
		if len(lines.Items) == 0 && !strings.HasPrefix(filter, "application=") {
			v.t.Errorf("the audit has nothing with %s", filter)
		}
	}
	member := v.visitor("zhangsan", wecomsim.UserAgentWeComAndroid)
	member.signIn("/authorize/main", application+"/")
	const one = "/api/admin/authenticators/main"
	v.send(200, "GET", one+"/departments", v.adminKey, nil)
	v.send(200, "POST", one+"/roles/preview", v.adminKey, map[string]any{"wecomUserId": "zhangsan", "roleRules": []any{map[string]any{"tag": 1, "role": "ops"}}})
	v.send(200, "PATCH", user, v.adminKey, map[string]any{"enabled": false})
	member.send(401, "GET", "/api/session", "", nil)
	member.send(401, "POST", "/api/token", "", nil)
	member.signIn("/authorize/main", "error=user_disabled")
	// Enabling again brings no session back.
	v.send(200, "PATCH", user, v.adminKey, map[string]any{"enabled": true})
	member.send(401, "GET", "/api/session", "", nil)
	v.send(204, "DELETE", user+"/identities/"+corpID+"/zhangsan", v.adminKey, nil)
	// Now the phone leads to this user, who is there already and gets an identity.
	v.visitor("wangwu", wecomsim.UserAgentWeComAndroid).signIn("/authorize/main", application+"/")
	v.send(204, "DELETE", user, v.adminKey, nil)
}

// A member who is an administrator uses the admin API with a token.
func (w *world) administratorsSignIn() {
	w.t.Helper()
	member := w.visitor("zhaoliu", wecomsim.UserAgentWeComAndroid)
	member.signIn("/authorize/main", application+"/")
	session := testbrowser.Decode[sessionAnswer](w.t, member.send(200, "GET", "/api/session", "", nil))
	token := testbrowser.AccessToken(w.t, member.send(200, "POST", "/api/token", "", nil))
	member.send(403, "GET", "/api/admin/users", token, nil)
	for _, change := range []struct {
		field string
		value any
		want  int
	}{{"roles", []string{"admin"}, 200}, {"enabled", false, 403}, {"enabled", true, 403}} {
		member.send(200, "PATCH", "/api/admin/users/"+session.User.ID, w.adminKey, map[string]any{change.field: change.value})
		member.send(change.want, "GET", "/api/admin/users", token, nil)
	}
}

// WeCom checks the URL of the receiver and pushes: a member gets another userid and then another
// name, and leaves.
func (v *visitor) hasEventsPushed() {
	v.t.Helper()
	const events = "/api/admin/authenticators/main/events"
	member := v.visitor("zhouba", wecomsim.UserAgentWeComAndroid)
	member.signIn("/authorize/main", application+"/")
	made := testbrowser.Decode[struct{ Token, EncodingAESKey string }](v.t, v.send(200, "POST", events, v.adminKey, nil))
	v.known.Add("token of the receiver", made.Token)
	v.known.Add("key of the receiver", made.EncodingAESKey)
	weCom := receivertest.Sender{Token: made.Token, EncodingAESKey: made.EncodingAESKey, CorpID: corpID, At: time.Now()}

	// WeCom gives up after a second, however long the function takes to start.
	began := time.Now()
	if answer := v.send(200, "GET", "/api/events/main?"+weCom.Check("1616140317555161061", true), "", nil); answer.Body != "1616140317555161061" {
		v.t.Errorf("the check of the URL is answered %q", answer.Body)
	}
	v.t.Logf("the first check of the URL, from a cold start, took %s", time.Since(began))
	v.send(404, "GET", "/api/events/nobody?"+weCom.Check("1", false), "", nil)
	push := func(status int, message string) {
		v.t.Helper()
		query, body := weCom.Push(message)
		v.Expect(v.t, status, "POST", "/api/events/main?"+query, testbrowser.Body("text/xml", body))
	}
	push(200, "<xml><FromUserName>sys</FromUserName><Event>enter_agent</Event></xml>")
	must(v.t, v.weCom.ChangeMember(corpID, "zhouba", func(m *wecomsim.Member) { m.UserID = "zhou.ba" }))
	push(200, "<xml><Event>change_contact</Event><ChangeType>update_user</ChangeType><UserID>zhouba</UserID><NewUserID>zhou.ba</NewUserID></xml>")
	must(v.t, v.weCom.ChangeMember(corpID, "zhou.ba", func(m *wecomsim.Member) { m.Name = "周捌" }))
	push(200, "<xml><Event>change_contact</Event><ChangeType>update_user</ChangeType><UserID>zhou.ba</UserID><Department>1</Department></xml>")
	if session := testbrowser.Decode[sessionAnswer](v.t, member.send(200, "GET", "/api/session", "", nil)); session.User.Name != "周捌" {
		v.t.Errorf("with another userid and name: %+v", session)
	}
	must(v.t, v.weCom.Dismiss(corpID, "zhou.ba"))
	push(200, "<xml><FromUserName>zhou.ba</FromUserName><Event>unsubscribe</Event></xml>")
	member.send(401, "GET", "/api/session", "", nil)
	weCom.Token = "Guess"
	push(403, "<xml></xml>")
	v.send(204, "DELETE", events, v.adminKey, nil)
}

// Application links and mistakes.
func (w *world) visitorsComeWithoutSession() {
	w.t.Helper()
	inside := w.visitor("zhangsan", wecomsim.UserAgentWeComAndroid)
	if next := inside.send(302, "GET", "/admin", "", nil).Location(); !strings.HasPrefix(next, w.url+"/authorize/main") {
		w.t.Fatalf("automatic login leads to %s", next)
	}
	outside := w.visitor("", wecomsim.UserAgentBrowser)
	outside.send(302, "GET", "/admin", "", nil)
	outside.send(302, "GET", "/authorize/nobody", "", nil)
	outside.send(302, "GET", "/callback/main?code=x&state=y", "", nil)
	outside.send(404, "GET", "/api/nothing", "", nil)
}

// WeCom takes a token back, and then the secret; a refusal is remembered.
func (w *world) weComRefuses() {
	w.t.Helper()
	must(w.t, w.weCom.RevokeTokens(corpID, agentID, 40014))
	w.visitor("zhaoliu", wecomsim.UserAgentWeComAndroid).signIn("/authorize/main", application+"/")
	must(w.t, w.weCom.ResetSecret(corpID, agentID, "another-"+appSecret))
	w.visitor("zhaoliu", wecomsim.UserAgentWeComAndroid).signIn("/authorize/main", "error=wecom_configuration")
	asked := w.weCom.Calls("/cgi-bin/gettoken")
	w.visitor("zhaoliu", wecomsim.UserAgentWeComAndroid).signIn("/authorize/main", "error=wecom_configuration")
	if again := w.weCom.Calls("/cgi-bin/gettoken"); again != asked {
		w.t.Errorf("the refusal was not remembered: %d calls of gettoken became %d", asked, again)
	}
}

// Six first sign-ins of one person at once, in processes of their own.
func (w *world) everybodyAtOnce() {
	w.t.Helper()
	var all sync.WaitGroup
	users := make([]string, 6)
	for i := range users {
		all.Go(func() {
			v := w.visitor("sunqi", wecomsim.UserAgentWeComAndroid)
			if end := v.Open(w.t, "/authorize/main").Address; end != application+"/" {
				w.t.Errorf("one of six sign-ins ended at %s", end)
			}
			var session sessionAnswer
			if json.Unmarshal([]byte(v.Send(w.t, "GET", "/api/session").Body), &session) == nil {
				users[i] = session.User.ID
			}
		})
	}
	all.Wait()
	if users[0] == "" || len(slices.Compact(users)) != 1 {
		w.t.Errorf("six sign-ins at once gave the users %q", users)
	}
	// The check fetched a token of its own, and all sign-ins together one.
	if n := w.weCom.Calls("/cgi-bin/gettoken"); n > 4 {
		w.t.Errorf("%d calls of gettoken", n)
	}
}

// A first deployment knows no address of its own: the service speaks of the one that
// the gateway was called by.
func (w *world) hasNoAddress() {
	w.t.Helper()
	api, _, _ := strings.Cut(w.Outputs(w.t)["ApiUrl"], ".")
	public := api + ".execute-api.localhost"
	v := w.visitor("", wecomsim.UserAgentWeComAndroid)
	created := testbrowser.Decode[struct{ CallbackURL, WorkbenchHomepageLink string }](w.t, v.send(201, "POST", "/api/admin/authenticators", w.adminKey, map[string]any{
		"name": "main", "corpId": corpID, "agentId": agentID, "secret": appSecret, "origin": application,
	}))
	if created.CallbackURL != public+"/callback/main" || !strings.HasPrefix(created.WorkbenchHomepageLink, public+"/authorize/main") {
		w.t.Errorf("created %+v, want %s", created, public)
	}
	discovery := testbrowser.Decode[map[string]any](w.t, v.send(200, "GET", "/.well-known/openid-configuration", "", nil))
	if discovery["issuer"] != public || discovery["jwks_uri"] != public+"/.well-known/jwks.json" {
		w.t.Errorf("discovered %v, want %s", discovery, public)
	}
	out, err := url.Parse(v.send(302, "GET", "/authorize/main", "", nil).Location())
	if err != nil || out.Query().Get("redirect_uri") != public+"/callback/main" {
		w.t.Errorf("sent to WeCom with %q (%v)", out.Query().Get("redirect_uri"), err)
	}
	if lost := v.send(302, "GET", "/authorize/nothing", "", nil).Location(); !strings.HasPrefix(lost, public+"/signin?") {
		w.t.Errorf("a failure leads to %s", lost)
	}
}

// The authenticator that has automatic login is deleted, with its secret.
func (v *visitor) disconnects() {
	v.t.Helper()
	v.send(204, "DELETE", "/api/admin/authenticators/main", v.adminKey, nil)
	if kept := v.authenticatorSecrets(); len(kept) != 0 {
		v.t.Errorf("Secrets Manager keeps %d secrets of a deleted authenticator", len(kept))
	}
}
