package wecomsim

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestGetUserInfo(t *testing.T) {
	const other, second = "https://other.example.com:8443/", "https://second.example.com/"
	changeApp := func(f func(*App)) func(*harness, string) {
		return func(h *harness, _ string) { must(h.t, h.ChangeApp(corpID, appA, f)) }
	}
	exchange := func(secret string) func(*harness, string) {
		return func(h *harness, code string) { h.exchange(h.token(secret), code) }
	}
	advance := func(d time.Duration) func(*harness, string) {
		return func(h *harness, _ string) { h.clock.advance(d) }
	}
	userID := func(id string) map[string]string { return map[string]string{"userid": id} }
	openID := map[string]string{"openid": "*"}
	tests := []struct {
		rule   string
		change func(*Config)
		// The person goes through an in-client link with these changes, or
		// through browser login.
		user, agent string
		link        []string
		web         bool
		// before happens between the callback and the exchange, which is made
		// with the token of secret.
		before func(h *harness, code string)
		secret string
		want   int
		fields map[string]string
		ticket bool
	}{
		{rule: "code spent", before: exchange(secretA), want: 40029},
		{rule: "code of 300 s", before: func(h *harness, _ string) { h.age(CodeLifetime) }, want: 40029},
		{rule: "code of 299 s", before: advance(CodeLifetime - time.Second), fields: userID("zhangsan")},
		{rule: "code of another app", secret: secretB, want: 50001},
		{rule: "code of another app on the same domain", change: func(c *Config) { c.Corps[0].Apps[1].TrustedDomain = "id.example.com" }, secret: secretB, want: 50001},
		{rule: "50001 spends no code", before: exchange(secretB), fields: userID("zhangsan")},
		{rule: "code without agentid, domain of the token's app", link: []string{"agentid", "-"}, fields: userID("zhangsan")},
		{rule: "code without agentid, domain of another app", link: []string{"agentid", "-", "redirect_uri", other}, want: 50001},
		{rule: "trusted domain changed meanwhile", before: changeApp(func(a *App) { a.TrustedDomain = "new.example.com" }), want: 50001},
		{rule: "code of another corp", user: "colleague", link: []string{"appid", "wwsecond", "redirect_uri", second}, want: 50001},
		{rule: "contact-sync token", secret: syncKey, want: 50001},
		{rule: "member, base scope: userid only", user: "ZHANGSAN", fields: userID("zhangsan")},
		{rule: "member out of range, base scope: userid only", user: "hidden", fields: userID("hidden")},
		{rule: "disabled member: userid", user: "lisi", fields: userID("LiSi")},
		{rule: "member, QR: userid only", web: true, fields: userID("zhangsan")},
		{rule: "member, QR on the callback domain", web: true, link: []string{"redirect_uri", "https://login.example.com/"}, fields: userID("zhangsan")},
		{rule: "member, QR with a scope: never a ticket", web: true, link: []string{"scope", scopePrivateInfo}, fields: userID("zhangsan")},
		{rule: "member, privateinfo, in range: ticket", link: []string{"scope", scopePrivateInfo}, fields: userID("zhangsan"), ticket: true},
		{rule: "member, privateinfo, no agentid: no ticket", link: []string{"scope", scopePrivateInfo, "agentid", "-"}, fields: userID("zhangsan")},
		{
			rule: "member, privateinfo, meanwhile out of range: no ticket", link: []string{"scope", scopePrivateInfo},
			before: changeApp(func(a *App) { a.VisibleUserIDs = []string{} }), fields: userID("zhangsan"),
		},
		{rule: "non-member: openid only", user: "oGuest", fields: map[string]string{"openid": "oGuest"}},
		{rule: "customer: external_userid too", user: "oCustomer", fields: map[string]string{"openid": "oCustomer", "external_userid": "wmCustomer"}},
		{rule: "interconnected corp's member", user: "wwpartner/peer", fields: userID("wwpartner/peer")},
		{rule: "another corp's member: openid", user: "wwsecond/colleague", fields: openID},
		{rule: "personal WeChat: openid", agent: UserAgentWeChat, fields: openID},
		{rule: "personal WeChat, switched: userid", change: func(c *Config) { c.Choices.PersonalWeChatGivesUserID = true }, agent: UserAgentWeChat, fields: userID("zhangsan")},
		{rule: "left the corp: openid", user: "qianqi", fields: openID},
		{rule: "left the corp, switched: userid", change: func(c *Config) { c.Choices.LeftMemberIsReadable = true }, user: "qianqi", fields: userID("qianqi")},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, test.change)
			link := h.inWeCom(test.link...)
			if test.web {
				link = h.webLink(test.link...)
			}
			code := h.codeOf(link, Browser{UserID: cmp.Or(test.user, "zhangsan"), UserAgent: test.agent})
			if test.before != nil {
				test.before(h, code)
			}
			got := h.exchange(h.token(cmp.Or(test.secret, secretA)), code)
			h.expect(test.want, got)
			if got.errcode != 0 || t.Failed() {
				return
			}
			for _, name := range []string{"userid", "openid", "external_userid"} {
				value, has := got.fields[name].(string)
				if want, wanted := test.fields[name]; has != wanted || want != "*" && value != want {
					t.Errorf("%s is %q, want %q", name, value, want)
				}
			}
			if _, has := got.fields["user_ticket"]; has != test.ticket {
				t.Errorf("user_ticket there: %t, want %t", has, test.ticket)
			}
		})
	}
	t.Run("spent, switched", func(t *testing.T) {
		h := newHarness(t, func(c *Config) { c.Choices.SpentCode = 42022 })
		token, code := h.token(secretA), h.code(Browser{UserID: "zhangsan"})
		h.exchange(token, code)
		h.expect(42022, h.exchange(token, code))
	})
	t.Run("without a code, and with an unknown one", func(t *testing.T) {
		h := newHarness(t, nil)
		token := h.token(secretA)
		for want, query := range map[int][]string{
			41008: {"access_token", token}, 40029: {"access_token", token, "code", "x"}, 40014: {"access_token", "the token is checked first"},
		} {
			h.expect(want, h.get(PathGetUserInfo, query...))
		}
	})
}

func TestGetUserInfoOldPath(t *testing.T) {
	h := newHarness(t, nil)
	token := h.token(secretA)
	code := h.code(Browser{UserID: "zhangsan"}, "scope", scopePrivateInfo)
	got := h.get(PathGetUserInfoOld, "access_token", token, "code", code)
	if got.fields["UserId"] != "zhangsan" || got.fields["userid"] != nil || got.fields["DeviceId"] != "" || got.fields["user_ticket"] == nil || got.fields["expires_in"] != 1800.0 {
		t.Errorf("member: %s", got.raw)
	}
	got = h.get(PathGetUserInfoOld, "access_token", token, "code", h.code(Browser{UserID: "oGuest"}))
	if got.fields["OpenId"] != "oGuest" || got.fields["openid"] != nil || got.fields["UserId"] != nil {
		t.Errorf("non-member: %s", got.raw)
	}
}

func TestOneCodeAmongManyExchanges(t *testing.T) {
	h := newHarness(t, nil)
	token, code := h.token(secretA), h.code(Browser{UserID: "zhangsan"})
	results := make([]int, 16)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i] = h.exchange(token, code).errcode })
	}
	wg.Wait()
	slices.Sort(results)
	if want := append([]int{0}, slices.Repeat([]int{40029}, 15)...); !slices.Equal(results, want) {
		t.Fatalf("got %v", results)
	}
}

func TestGetUserDetail(t *testing.T) {
	changeApp := func(f func(*App)) func(*harness) {
		return func(h *harness) { must(h.t, h.ChangeApp(corpID, appA, f)) }
	}
	mailboxes := func(c *Config) {
		c.Corps[0].Apps[0].Fields, c.Corps[0].Members[0].BizMail = []Field{FieldEmail, FieldBizMail}, "z@corp.example"
	}
	nothing := map[string]any{"userid": "zhangsan", "gender": "0", "avatar": "default"}
	mobile := map[string]any{"userid": "zhangsan", "gender": "0", "avatar": "default", "mobile": "13800000001"}
	tests := []struct {
		rule    string
		change  func(*Config)
		consent Consent
		// before happens after the member signed in; twice means that the ticket
		// was already used; the call is made with the token of secret and, if
		// there is one, with body.
		before       func(*harness)
		twice        bool
		secret, body string
		want         int
		fields       map[string]any
	}{
		{rule: "no JSON", body: "user_ticket=x", want: 47001},
		{rule: "empty body", body: " ", want: 47001},
		{rule: "ticket missing", body: "{}", want: 84090},
		{rule: "ticket unknown", body: `{"user_ticket":"x"}`, want: 84015},
		{rule: "ticket unknown, switched", change: func(c *Config) { c.Choices.BadTicket = 40063 }, body: `{"user_ticket":"x"}`, want: 40063},
		{rule: "ticket of another app", secret: secretB, want: 84015},
		{rule: "ticket of 1800 s", before: func(h *harness) { h.age(TicketLifetime) }, want: 84014},
		{rule: "ticket used twice, switched to single use", change: func(c *Config) { c.Choices.TicketIsSingleUse = true }, twice: true, want: 84015},
		{rule: "ticket used twice", consent: ConsentTo(FieldMobile), twice: true, fields: mobile},
		{rule: "member meanwhile out of range", before: changeApp(func(a *App) { a.VisibleUserIDs = []string{} }), want: 60011},
		{rule: "member meanwhile out of range, switched", change: func(c *Config) { c.Choices.DetailOutOfRange = 60111 }, before: changeApp(func(a *App) { a.VisibleUserIDs = []string{} }), want: 60111},
		{rule: "member meanwhile unknown", before: func(h *harness) {
			must(h.t, h.ChangeMember(corpID, "zhangsan", func(m *Member) { m.UserID = "renamed" }))
		}, want: 60011},
		{rule: "contact-sync token", secret: syncKey, want: 48002},
		{
			rule:   "all ticked: what the administrator selected, no more",
			fields: map[string]any{"userid": "zhangsan", "mobile": "13800000001", "gender": "1", "avatar": "own"},
		},
		{rule: "a field forced into the form is not given", consent: ConsentTo(FieldEmail), fields: nothing},
		{rule: "administrator selects a field after the consent", consent: ConsentTo(FieldEmail), before: changeApp(func(a *App) { a.Fields = []Field{FieldEmail} }), fields: nothing},
		{rule: "administrator unselected the field since", before: changeApp(func(a *App) { a.Fields = nil }), fields: nothing},
		{rule: "the company's mailbox", change: mailboxes, consent: ConsentTo(FieldBizMail), fields: map[string]any{"userid": "zhangsan", "gender": "0", "avatar": "default", "biz_mail": "z@corp.example"}},
		{rule: "the company's mailbox, not ticked", change: mailboxes, consent: ConsentTo(FieldEmail), fields: map[string]any{"userid": "zhangsan", "gender": "0", "avatar": "default", "email": "z@example.com"}},
		{rule: "the company's mailbox, not selected", consent: ConsentTo(FieldBizMail), fields: nothing},
		{rule: "nothing ticked", consent: ConsentNone(), fields: nothing},
		{
			rule: "nothing ticked, avatar switched to absent", change: func(c *Config) { c.Choices.DefaultAvatarIsAbsent = true }, consent: ConsentNone(),
			fields: map[string]any{"userid": "zhangsan", "gender": "0"},
		},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, test.change)
			token, ticket := h.ticket(test.consent)
			if test.before != nil {
				test.before(h)
			}
			if test.twice {
				h.detail(token, ticket)
			}
			if test.secret != "" {
				token = h.token(test.secret)
			}
			got := h.detail(token, ticket)
			if test.body != "" {
				got = h.do(http.MethodPost, PathGetUserDetail+"?access_token="+token, test.body, nil)
			}
			h.expect(test.want, got)
			if got.errcode != 0 || t.Failed() {
				return
			}
			delete(got.fields, "errcode")
			delete(got.fields, "errmsg")
			switch got.fields["avatar"] {
			case h.base + "/wecomsim/avatar":
				got.fields["avatar"] = "default"
			case h.base + "/wecomsim/avatar?name=" + url.QueryEscape("张三"):
				got.fields["avatar"] = "own"
			}
			if !maps.Equal(got.fields, test.fields) {
				t.Errorf("got %v, want %v", got.fields, test.fields)
			}
		})
	}
}

func TestGetUser(t *testing.T) {
	tests := []struct {
		rule           string
		change         func(*Config)
		secret, userID string
		want           int
		status         float64
		// details says whether the seven fields are there.
		details bool
	}{
		{rule: "no userid", want: 41009},
		{rule: "unknown", userID: "nobody", want: 60111},
		{rule: "out of range", userID: "hidden", want: 60111},
		{rule: "left", userID: "qianqi", want: 60111},
		{rule: "left, switched: status 5", change: func(c *Config) { c.Choices.LeftMemberIsReadable = true }, userID: "qianqi", status: 5},
		{rule: "unknown, switched", change: func(c *Config) { c.Choices.UserNotFound = 60011 }, userID: "nobody", want: 60011},
		{rule: "app created after 2022-06-20: the 7 fields absent", userID: "zhangsan", status: 1},
		{rule: "app created before: the 7 fields there", change: func(c *Config) { c.Corps[0].Apps[0].CreatedBefore20220620 = true }, userID: "zhangsan", status: 1, details: true},
		{rule: "contact-sync token", secret: syncKey, userID: "zhangsan", want: 48009},
		{rule: "userid in other letter case: same member", userID: "ZhangSan", status: 1},
		{rule: "disabled member: status 2", userID: "lisi", status: 2},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, test.change)
			got := h.get(PathGetUser, "access_token", h.token(cmp.Or(test.secret, secretA)), "userid", test.userID)
			h.expect(test.want, got)
			if got.errcode != 0 || t.Failed() {
				return
			}
			if userID, _ := got.fields["userid"].(string); !strings.EqualFold(userID, test.userID) || got.fields["name"] == "" || got.fields["status"] != test.status {
				t.Errorf("got %s", got.raw)
			}
			for _, f := range AllFields() {
				if _, has := got.fields[string(f)]; has != test.details {
					t.Errorf("%s there: %t, want %t", f, has, test.details)
				}
			}
		})
	}
}
