package main

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// refresh uses a refresh token and wants an answer's status and, of a refusal, its error.
func (c *connected) refresh(status int, token, want string) (refreshToken string) {
	c.f.t.Helper()
	answer := testbrowser.New(testbrowser.Config{URL: c.f.url}).Expect(c.f.t, status, http.MethodPost, "/oauth2/token",
		testbrowser.Body("application/x-www-form-urlencoded", url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {c.id}, "client_secret": {c.secret},
		}.Encode()))
	body := testbrowser.Decode[struct {
		RefreshToken string `json:"refresh_token"`
		Error        string
	}](c.f.t, answer)
	if body.Error != want {
		c.f.t.Errorf("refused as %q, want %q: %s", body.Error, want, answer.Body)
	}
	return body.RefreshToken
}

// leaves makes a member leave the company.
func (f *fixture) leaves(userID string) {
	f.t.Helper()
	f.must(f.weCom.ChangeMember(corpID, userID, func(m *wecomsim.Member) { m.Status = wecomsim.StatusLeft }))
}

// A member who leaves the company loses access where the next look at the member happens: by
// a refresh token an hour later at most. Applications are told; colleagues notice nothing.
func TestALeaverLosesAccessAtTheNextRefresh(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	wiki := f.connect("wiki")
	b, colleague := f.signedIn("zhangsan"), f.signedIn("lisi")
	inWiki, theirs := wiki.signIn(b), wiki.signIn(colleague)
	f.leaves("zhangsan")
	refreshed := wiki.refresh(http.StatusOK, inWiki.refreshToken, "") // checked a moment ago
	f.wait(time.Hour)
	// WeCom is busy: it says nothing about anybody.
	f.weCom.Inject(wecomsim.Fault{API: "/cgi-bin/user/get", Code: 45009})
	refreshed = wiki.refresh(http.StatusOK, refreshed, "")
	f.weCom.ClearFaults()
	if b.session() == nil {
		t.Fatal("signed out by an outage")
	}
	f.wait(time.Minute) // so long WeCom is left alone
	wiki.refresh(http.StatusBadRequest, refreshed, "invalid_grant")
	wiki.wantTold(t, inWiki)
	if b.session() != nil {
		t.Error("the session of a leaver goes on")
	}
	for _, told := range []string{`"wecomCalls":1,[^{]*"wecomCode":45009,[^{]*"memberCheck":"unknown"`, `"wecomCalls":1,[^{]*"memberCheck":"gone"`} {
		if !regexp.MustCompile(told).MatchString(f.log.String()) {
			t.Errorf("the log does not say %s", told)
		}
	}
	wiki.refresh(http.StatusOK, theirs.refreshToken, "")
	if colleague.session() == nil {
		t.Error("a colleague was signed out")
	}
	wiki.wantNotTold(t)
	user := f.mustAdmin(http.StatusOK, http.MethodGet, "/users/"+inWiki.sub, nil)
	if !strings.Contains(user.Body, `"wecomUserId":"zhangsan"`) {
		t.Errorf("the identity is not kept for the administrator: %s", user.Body)
	}
}

// Attack: somebody has left, and nobody has looked since: a partner company's member with the
// phone comes first. While WeCom does not tell, nobody gets in and nobody loses anything.
func TestAttackPartnerComesBeforeTheLeaverIsNoticed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.addOther()
	b := f.signedIn("zhangsan")
	leaver := b.session().User.ID
	f.leaves("zhangsan")
	f.wait(time.Minute)
	partner := f.inWeCom(otherCorpID + "/san.zhang")
	refused := func(code string) {
		t.Helper()
		if end := partner.open("/authorize/other"); end.failure.Get("error") != code {
			t.Errorf("ended at %s, not with %s", end.Address, code)
		}
	}
	f.weCom.Inject(wecomsim.Fault{API: "/cgi-bin/user/get", Code: 45009})
	refused("wecom_busy")
	f.weCom.ClearFaults()
	if b.session() == nil {
		t.Error("signed out by an outage")
	}
	refused("phone_in_use")
	if b.session() != nil {
		t.Error("the session of a leaver goes on")
	}
	user := f.mustAdmin(http.StatusOK, http.MethodGet, "/users/"+leaver, nil)
	if len(f.users()) != 1 || !strings.Contains(user.Body, `"goneAt":"`) {
		t.Errorf("%s", user.Body)
	}
}

// Whoever comes with the userid of a leaver shows a phone, and is the user of that phone.
func TestTheUseridOfALeaverIsGivenToSomebodyElse(t *testing.T) {
	t.Parallel()
	f := newFixture(t, set(settings.MemberCheckInterval, "0"))
	visible := func(change func(ids []string) []string) {
		f.must(f.weCom.ChangeApp(corpID, agentID, func(a *wecomsim.App) { a.VisibleUserIDs = change(a.VisibleUserIDs) }))
	}
	b := f.signedIn("zhangsan")
	leaver := b.session().User.ID
	visible(func(ids []string) []string {
		return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "zhangsan" })
	})
	// WeCom still tells who comes, asks nobody outside of the visible range for a phone, and
	// shows a page of its own.
	if end := f.inWeCom("zhangsan").open("/authorize/main"); end.WeComPage == "" {
		t.Errorf("ended at %s", end.Address)
	}
	if b.session() != nil {
		t.Error("the session of a leaver goes on")
	}
	visible(func(ids []string) []string { return append(ids, "zhangsan") })
	f.must(f.weCom.ChangeMember(corpID, "zhangsan", func(m *wecomsim.Member) { m.Name, m.Mobile = "新人", "13800000099" }))
	f.weCom.ForgetConsent()
	desktop := f.onDesktop("zhangsan")
	desktop.wantFailure(desktop.open("/authorize/main"), "first_sign_in_in_wecom", "")
	heir := f.signedIn("zhangsan")
	if heir.session().User.ID == leaver || heir.session().User.Name != "新人" {
		t.Errorf("signed in as %+v, the leaver is %s", heir.session().User, leaver)
	}
}

// Disabled in WeCom, and enabled again.
func TestDisabledInWeCom(t *testing.T) {
	t.Parallel()
	f := newFixture(t, set(settings.MemberCheckInterval, "0"))
	wiki := f.connect("wiki")
	b := f.signedIn("zhangsan")
	inWiki := wiki.signIn(b)
	enter := func(status int) {
		f.must(f.weCom.ChangeMember(corpID, "zhangsan", func(m *wecomsim.Member) { m.Status = status }))
	}
	enter(wecomsim.StatusDisabled)
	f.wait(time.Hour)
	wiki.refresh(http.StatusBadRequest, inWiki.refreshToken, "invalid_grant")
	wiki.wantTold(t, inWiki)
	if b.session() != nil {
		t.Error("the session of a disabled member goes on")
	}
	enter(wecomsim.StatusActive)
	b.signIn("/authorize/main")
	if s := b.session(); s == nil || s.User.ID != inWiki.sub {
		t.Errorf("signed in as %+v", s)
	}
	wiki.refresh(http.StatusBadRequest, inWiki.refreshToken, "invalid_grant")
}
