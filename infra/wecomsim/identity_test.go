package wecomsim

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestGetUserInfo(t *testing.T) {
	info := func(b *bench, code string) answer {
		return b.get(PathGetUserInfo, "access_token", b.token(secretA), "code", code)
	}
	tests := []struct {
		rule   string
		change func(*Config)
		run    func(*bench) answer
		want   int
		fields map[string]string
		ticket bool
	}{
		{rule: "no code", run: func(b *bench) answer { return b.get(PathGetUserInfo, "access_token", b.token(secretA)) }, want: 41008},
		{rule: "code unknown", run: func(b *bench) answer { return info(b, "x") }, want: 40029},
		{rule: "code spent", run: func(b *bench) answer {
			code := b.code(Browser{UserID: "zhangsan"})
			info(b, code)
			return info(b, code)
		}, want: 40029},
		{rule: "code of 300 s", run: func(b *bench) answer {
			code := b.code(Browser{UserID: "zhangsan"})
			b.age(CodeLifetime)
			return info(b, code)
		}, want: 40029},
		{rule: "code of 299 s", run: func(b *bench) answer {
			code := b.code(Browser{UserID: "zhangsan"})
			b.clock.advance(CodeLifetime - time.Second)
			return info(b, code)
		}, fields: map[string]string{"userid": "zhangsan"}},
		{rule: "the token is checked before the code", run: func(b *bench) answer { return b.get(PathGetUserInfo, "access_token", "x") }, want: 40014},
		{rule: "code of another app", run: func(b *bench) answer {
			return b.get(PathGetUserInfo, "access_token", b.token(secretB), "code", b.code(Browser{UserID: "zhangsan"}))
		}, want: 50001},
		{rule: "code of another app on the same domain", change: func(c *Config) { c.Corps[0].Apps[1].TrustedDomain = "id.example.com" }, run: func(b *bench) answer {
			return b.get(PathGetUserInfo, "access_token", b.token(secretB), "code", b.code(Browser{UserID: "zhangsan"}))
		}, want: 50001},
		{rule: "50001 spends no code", run: func(b *bench) answer {
			code := b.code(Browser{UserID: "zhangsan"})
			b.get(PathGetUserInfo, "access_token", b.token(secretB), "code", code)
			return info(b, code)
		}, fields: map[string]string{"userid": "zhangsan"}},
		{rule: "code without agentid, domain of the token's app", run: func(b *bench) answer {
			return info(b, b.code(Browser{UserID: "zhangsan"}, "agentid", "-"))
		}, fields: map[string]string{"userid": "zhangsan"}},
		{rule: "code without agentid, domain of another app", run: func(b *bench) answer {
			return info(b, b.code(Browser{UserID: "zhangsan"}, "agentid", "-", "redirect_uri", "https://other.example.com:8443/"))
		}, want: 50001},
		{rule: "trusted domain changed meanwhile", run: func(b *bench) answer {
			code := b.code(Browser{UserID: "zhangsan"})
			must(b.t, b.ChangeApp(corpID, appA, func(a *App) { a.TrustedDomain = "new.example.com" }))
			return info(b, code)
		}, want: 50001},
		{rule: "code of another corp", run: func(b *bench) answer {
			return info(b, b.code(Browser{UserID: "stranger"}, "appid", "wwsecond", "redirect_uri", "https://second.example.com/"))
		}, want: 50001},
		{rule: "contact-sync token", run: func(b *bench) answer {
			return b.get(PathGetUserInfo, "access_token", b.token(syncKey), "code", b.code(Browser{UserID: "zhangsan"}))
		}, want: 50001},
		{rule: "member, base scope: userid only", run: func(b *bench) answer { return info(b, b.code(Browser{UserID: "ZHANGSAN"})) }, fields: map[string]string{"userid": "zhangsan"}},
		{rule: "member out of range, base scope: userid only", run: func(b *bench) answer { return info(b, b.code(Browser{UserID: "hidden"})) }, fields: map[string]string{"userid": "hidden"}},
		{rule: "disabled member: userid", run: func(b *bench) answer { return info(b, b.code(Browser{UserID: "lisi"})) }, fields: map[string]string{"userid": "LiSi"}},
		{rule: "member, QR: userid only", run: func(b *bench) answer { return info(b, b.codeOf(b.webLink(), Browser{UserID: "zhangsan"})) }, fields: map[string]string{"userid": "zhangsan"}},
		{rule: "member, QR on the callback domain", run: func(b *bench) answer {
			return info(b, b.codeOf(b.webLink("redirect_uri", "https://login.example.com/"), Browser{UserID: "zhangsan"}))
		}, fields: map[string]string{"userid": "zhangsan"}},
		{rule: "member, privateinfo, in range: ticket", run: func(b *bench) answer {
			return info(b, b.code(Browser{UserID: "zhangsan"}, "scope", scopePrivateInfo))
		}, fields: map[string]string{"userid": "zhangsan"}, ticket: true},
		{rule: "member, privateinfo, no agentid: no ticket", run: func(b *bench) answer {
			return info(b, b.code(Browser{UserID: "zhangsan"}, "scope", scopePrivateInfo, "agentid", "-"))
		}, fields: map[string]string{"userid": "zhangsan"}},
		{rule: "member, privateinfo, meanwhile out of range: no ticket", run: func(b *bench) answer {
			code := b.code(Browser{UserID: "zhangsan"}, "scope", scopePrivateInfo)
			must(b.t, b.ChangeApp(corpID, appA, func(a *App) { a.VisibleUserIDs = []string{} }))
			return info(b, code)
		}, fields: map[string]string{"userid": "zhangsan"}},
		{rule: "non-member: openid only", run: func(b *bench) answer { return info(b, b.code(Browser{UserID: "oVisitor"})) }, fields: map[string]string{"openid": "oVisitor"}},
		{rule: "customer: external_userid too", run: func(b *bench) answer { return info(b, b.code(Browser{UserID: "oCustomer"})) }, fields: map[string]string{"openid": "oCustomer", "external_userid": "wmCustomer"}},
		{rule: "interconnected corp's member", run: func(b *bench) answer { return info(b, b.code(Browser{UserID: "wwpartner/peer"})) }, fields: map[string]string{"userid": "wwpartner/peer"}},
		{rule: "another corp's member: openid", run: func(b *bench) answer { return info(b, b.code(Browser{UserID: "wwsecond/stranger"})) }, fields: map[string]string{"openid": "*"}},
		{rule: "personal WeChat: openid", run: func(b *bench) answer {
			return info(b, b.code(Browser{UserID: "zhangsan", UserAgent: UserAgentWeChat}))
		}, fields: map[string]string{"openid": "*"}},
		{rule: "personal WeChat, switched: userid", change: func(c *Config) { c.Choices.PersonalWeChatGivesUserID = true }, run: func(b *bench) answer {
			return info(b, b.code(Browser{UserID: "zhangsan", UserAgent: UserAgentWeChat}))
		}, fields: map[string]string{"userid": "zhangsan"}},
		{rule: "left the corp: openid", run: func(b *bench) answer { return info(b, b.code(Browser{UserID: "qianqi"})) }, fields: map[string]string{"openid": "*"}},
		{rule: "left the corp, switched: userid", change: func(c *Config) { c.Choices.LeftMemberIsReadable = true }, run: func(b *bench) answer { return info(b, b.code(Browser{UserID: "qianqi"})) }, fields: map[string]string{"userid": "qianqi"}},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			b := newBench(t, test.change)
			got := test.run(b)
			if got.errcode != test.want {
				t.Fatalf("got %s, want %d", got.raw, test.want)
			}
			if test.want != 0 {
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
}

func TestGetUserInfoOldPath(t *testing.T) {
	b := newBench(t, nil)
	token := b.token(secretA)
	code := b.code(Browser{UserID: "zhangsan"}, "scope", scopePrivateInfo)
	got := b.get(PathGetUserInfoOld, "access_token", token, "code", code)
	if got.fields["UserId"] != "zhangsan" || got.fields["userid"] != nil || got.fields["DeviceId"] != "" || got.fields["user_ticket"] == nil || got.fields["expires_in"] != 1800.0 {
		t.Errorf("member: %s", got.raw)
	}
	got = b.get(PathGetUserInfoOld, "access_token", token, "code", b.code(Browser{UserID: "oVisitor"}))
	if got.fields["OpenId"] != "oVisitor" || got.fields["openid"] != nil || got.fields["UserId"] != nil {
		t.Errorf("non-member: %s", got.raw)
	}
}

func TestOneCodeAmongManyExchanges(t *testing.T) {
	b := newBench(t, nil)
	token, code := b.token(secretA), b.code(Browser{UserID: "zhangsan"})
	results := make([]int, 16)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i] = b.get(PathGetUserInfo, "access_token", token, "code", code).errcode })
	}
	wg.Wait()
	won := 0
	for _, errcode := range results {
		switch errcode {
		case 0:
			won++
		case 40029:
		default:
			t.Errorf("got %d", errcode)
		}
	}
	if won != 1 {
		t.Fatalf("%d exchanges of one code worked", won)
	}
}

func TestGetUserDetail(t *testing.T) {
	post := func(b *bench, token, body string) answer {
		return b.do(http.MethodPost, PathGetUserDetail, values("access_token", token), body, nil)
	}
	tests := []struct {
		rule   string
		change func(*Config)
		run    func(*bench) answer
		want   int
		fields map[string]string
	}{
		{rule: "no JSON", run: func(b *bench) answer { return post(b, b.token(secretA), "user_ticket=x") }, want: 47001},
		{rule: "empty body", run: func(b *bench) answer { return post(b, b.token(secretA), "") }, want: 47001},
		{rule: "ticket missing", run: func(b *bench) answer { return post(b, b.token(secretA), "{}") }, want: 40058},
		{rule: "ticket unknown", run: func(b *bench) answer { return b.detail(b.token(secretA), "x") }, want: 40058},
		{rule: "ticket unknown, switched", change: func(c *Config) { c.Choices.BadTicket = 40063 }, run: func(b *bench) answer { return b.detail(b.token(secretA), "x") }, want: 40063},
		{rule: "ticket of another app", run: func(b *bench) answer {
			_, ticket := b.ticket(ConsentAll())
			return b.detail(b.token(secretB), ticket)
		}, want: 40058},
		{rule: "ticket of 1800 s", run: func(b *bench) answer {
			token, ticket := b.ticket(ConsentAll())
			b.age(TicketLifetime)
			return b.detail(token, ticket)
		}, want: 40058},
		{rule: "ticket used twice, switched to single use", change: func(c *Config) { c.Choices.TicketIsSingleUse = true }, run: func(b *bench) answer {
			token, ticket := b.ticket(ConsentAll())
			b.detail(token, ticket)
			return b.detail(token, ticket)
		}, want: 40058},
		{rule: "ticket used twice", run: func(b *bench) answer {
			token, ticket := b.ticket(ConsentTo(FieldMobile))
			b.detail(token, ticket)
			return b.detail(token, ticket)
		}, fields: map[string]string{"userid": "zhangsan", "mobile": "13800000001", "gender": "0", "avatar": "default"}},
		{rule: "member meanwhile out of range", run: func(b *bench) answer {
			token, ticket := b.ticket(ConsentAll())
			must(b.t, b.ChangeApp(corpID, appA, func(a *App) { a.VisibleUserIDs = []string{} }))
			return b.detail(token, ticket)
		}, want: 60011},
		{rule: "member meanwhile removed", run: func(b *bench) answer {
			token, ticket := b.ticket(ConsentAll())
			must(b.t, b.RemoveMember(corpID, "zhangsan"))
			return b.detail(token, ticket)
		}, want: 60011},
		{rule: "contact-sync token", run: func(b *bench) answer {
			_, ticket := b.ticket(ConsentAll())
			return b.detail(b.token(syncKey), ticket)
		}, want: 48002},
		{rule: "all ticked: what the administrator selected, no more", run: func(b *bench) answer { return b.detail(b.ticket(ConsentAll())) }, fields: map[string]string{"userid": "zhangsan", "mobile": "13800000001", "gender": "1", "avatar": "own"}},
		{rule: "a field forced into the form is not given", run: func(b *bench) answer { return b.detail(b.ticket(ConsentTo(FieldEmail))) }, fields: map[string]string{"userid": "zhangsan", "gender": "0", "avatar": "default"}},
		{rule: "administrator selects a field after the consent", run: func(b *bench) answer {
			token, ticket := b.ticket(ConsentTo(FieldEmail))
			must(b.t, b.ChangeApp(corpID, appA, func(a *App) { a.Fields = []Field{FieldEmail} }))
			return b.detail(token, ticket)
		}, fields: map[string]string{"userid": "zhangsan", "gender": "0", "avatar": "default"}},
		{rule: "nothing ticked", run: func(b *bench) answer { return b.detail(b.ticket(ConsentNone())) }, fields: map[string]string{"userid": "zhangsan", "gender": "0", "avatar": "default"}},
		{rule: "nothing ticked, avatar switched to absent", change: func(c *Config) { c.Choices.DefaultAvatarIsAbsent = true }, run: func(b *bench) answer { return b.detail(b.ticket(ConsentNone())) }, fields: map[string]string{"userid": "zhangsan", "gender": "0"}},
		{rule: "administrator unselected the field since", run: func(b *bench) answer {
			token, ticket := b.ticket(ConsentAll())
			must(b.t, b.ChangeApp(corpID, appA, func(a *App) { a.Fields = nil }))
			return b.detail(token, ticket)
		}, fields: map[string]string{"userid": "zhangsan", "gender": "0", "avatar": "default"}},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			b := newBench(t, test.change)
			got := test.run(b)
			if got.errcode != test.want {
				t.Fatalf("got %s, want %d", got.raw, test.want)
			}
			if test.want != 0 {
				return
			}
			delete(got.fields, "errcode")
			delete(got.fields, "errmsg")
			switch got.fields["avatar"] {
			case b.base + "/wecomsim/avatar":
				got.fields["avatar"] = "default"
			case b.base + "/wecomsim/avatar?name=" + url.QueryEscape("张三"):
				got.fields["avatar"] = "own"
			}
			if len(got.fields) != len(test.fields) {
				t.Errorf("got %v, want %v", got.fields, test.fields)
			}
			for name, want := range test.fields {
				if got.fields[name] != want {
					t.Errorf("%s is %v, want %s", name, got.fields[name], want)
				}
			}
		})
	}
}

func TestGetUser(t *testing.T) {
	tests := []struct {
		rule   string
		change func(*Config)
		secret string
		userID string
		want   int
		status float64
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
			b := newBench(t, test.change)
			if test.secret == "" {
				test.secret = secretA
			}
			got := b.get(PathGetUser, "access_token", b.token(test.secret), "userid", test.userID)
			if got.errcode != test.want {
				t.Fatalf("got %s, want %d", got.raw, test.want)
			}
			if test.want != 0 {
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
