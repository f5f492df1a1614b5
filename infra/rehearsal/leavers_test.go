package rehearsal_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/wecom/receiver/receivertest"
)

// dismisses has a member leave the company, and WeCom tell of it: session and refresh token
// are refused at once, and the application is told. How soon is reported.
func (d *deployment) dismisses(t *testing.T) {
	const member = "zhaoliu"
	if d.ledgerSecret == "" {
		d.connectsLedger(t)
	}
	d.anyone.Expect(t, 200, "PATCH", applications+"/ledger", d.adminKey, testbrowser.JSON(map[string]any{"backchannelLogoutUri": "https://ledger.invalid/logout"}))
	b := d.browser(member, wecomsim.UserAgentWeComAndroid)
	signIn(t, b)
	id, refreshToken := sessionOf(t, b).User.ID, d.opensLedger(t, b)
	sender := d.switchesEventsOn(t)

	must(t, d.weCom.Dismiss(corpID, member))
	pushed := time.Now()
	d.push(t, sender, "<xml><FromUserName>"+member+"</FromUserName><Event>unsubscribe</Event></xml>")
	answered := time.Since(pushed)
	b.Expect(t, 401, "GET", "/api/session")
	if status, _ := d.refreshesLedger(t, refreshToken); status != http.StatusBadRequest {
		t.Errorf("the refresh token of a leaver: %d", status)
	}
	refused := time.Since(pushed)
	awsstack.Until(t, "the application is told of the leaver", func() bool { return d.unreachable(t, "ledger") > 0 })
	t.Logf("after a push: answered in %.1f s, session and refresh token refused in %.1f s, the application told in %.1f s", answered.Seconds(), refused.Seconds(), time.Since(pushed).Seconds())

	lines := testbrowser.Decode[struct{ Items []struct{ Type string } }](t, d.anyone.Expect(t, 200, "GET", "/api/admin/audit?user="+id, d.adminKey)).Items
	for _, want := range []string{"member_gone", "sessions_ended"} {
		if !slices.ContainsFunc(lines, func(line struct{ Type string }) bool { return line.Type == want }) {
			t.Errorf("the audit has %v, not %s", lines, want)
		}
	}
}

// connectsLedger creates an application that asks for refresh tokens.
func (d *deployment) connectsLedger(t *testing.T) {
	t.Helper()
	d.anyone.Expect(t, 201, "POST", applications, d.adminKey, testbrowser.JSON(map[string]any{
		"id": "ledger", "kind": "web", "redirectUris": []string{application + "/callback"},
	}))
	d.ledgerSecret = testbrowser.Decode[struct{ Secret string }](t, d.anyone.Expect(t, 201, "POST", applications+"/ledger/secrets", d.adminKey)).Secret
}

// opensLedger has a member with a session open the application, and returns its refresh token.
func (d *deployment) opensLedger(t *testing.T, b *testbrowser.Browser) string {
	t.Helper()
	request := url.Values{"response_type": {"code"}, "client_id": {"ledger"}, "redirect_uri": {application + "/callback"}, "scope": {"openid"}}
	back, err := url.Parse(b.Expect(t, 303, "GET", "/oauth2/authorize?"+request.Encode()).Location())
	must(t, err)
	_, token := d.ledgersToken(t, url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {application + "/callback"}})
	return token
}

func (d *deployment) ledgersToken(t *testing.T, values url.Values) (status int, refreshToken string) {
	t.Helper()
	values.Set("client_id", "ledger")
	values.Set("client_secret", d.ledgerSecret)
	answer := d.anyone.Send(t, "POST", "/oauth2/token", testbrowser.Body("application/x-www-form-urlencoded", values.Encode()))
	return answer.Status, testbrowser.Decode[struct {
		RefreshToken string `json:"refresh_token"`
	}](t, answer).RefreshToken
}

// refreshesLedger uses a refresh token and returns the next one.
func (d *deployment) refreshesLedger(t *testing.T, token string) (status int, next string) {
	t.Helper()
	return d.ledgersToken(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// switchesEventsOn makes a receiver of events and returns WeCom's side of it.
func (d *deployment) switchesEventsOn(t *testing.T) receivertest.Sender {
	t.Helper()
	made := testbrowser.Decode[struct{ Token, EncodingAESKey string }](t, d.anyone.Expect(t, 200, "POST", authenticators+"/main/events", d.adminKey))
	sender := receivertest.Sender{Token: made.Token, EncodingAESKey: made.EncodingAESKey, CorpID: corpID, At: time.Now()}
	d.anyone.Expect(t, 200, "GET", "/api/events/main?"+sender.Check("1616140317555161061", true))
	return sender
}

func (d *deployment) push(t *testing.T, sender receivertest.Sender, message string) {
	t.Helper()
	query, body := sender.Push(message)
	d.anyone.Expect(t, 200, "POST", "/api/events/main?"+query, testbrowser.Body("text/xml", body))
}
