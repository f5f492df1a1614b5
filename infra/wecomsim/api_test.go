package wecomsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestGetToken(t *testing.T) {
	tests := []struct {
		rule   string
		change func(*Config)
		query  []string
		want   int
	}{
		{rule: "good", query: []string{"corpid", corpID, "corpsecret", secretA}},
		{rule: "no secret is checked first", query: nil, want: 41004},
		{rule: "empty secret", query: []string{"corpid", corpID, "corpsecret", ""}, want: 41004},
		{rule: "no corpid", query: []string{"corpsecret", secretA}, want: 41002},
		{rule: "unknown corpid", query: []string{"corpid", "wwnone", "corpsecret", "x"}, want: 40013},
		{rule: "corpid is compared with case", query: []string{"corpid", strings.ToUpper(corpID), "corpsecret", secretA}, want: 40013},
		{rule: "wrong secret", query: []string{"corpid", corpID, "corpsecret", "x"}, want: 40001},
		{rule: "secret of another corp", query: []string{"corpid", corpID, "corpsecret", "secret-of-second"}, want: 40001},
		{rule: "disabled app", change: func(c *Config) { c.Corps[0].Apps[0].Disabled = true }, query: []string{"corpid", corpID, "corpsecret", secretA}, want: 40001},
		{rule: "caller IP not trusted: still a token", change: func(c *Config) { c.Corps[0].Apps[0].TrustedIPs = []string{} }, query: []string{"corpid", corpID, "corpsecret", secretA}},
		{rule: "caller IP not trusted, switched", change: func(c *Config) {
			c.Corps[0].Apps[0].TrustedIPs = []string{"203.0.113.1"}
			c.Choices.GetTokenChecksIP = true
		}, query: []string{"corpid", corpID, "corpsecret", secretA}, want: 60020},
		{rule: "contact-sync", query: []string{"corpid", corpID, "corpsecret", syncKey}},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, test.change)
			got := h.get(PathGetToken, test.query...)
			if got.status != http.StatusOK || got.errcode != test.want {
				t.Fatalf("got %d %s, want errcode %d", got.status, got.raw, test.want)
			}
			// A caller learns its own address from any error, even without a secret.
			if test.want == 0 && (got.fields["access_token"] == "" || got.fields["expires_in"] != 7200.0) ||
				test.want != 0 && !strings.Contains(got.message, ", from ip: 127.0.0.1, more info at ") {
				t.Fatalf("got %s", got.raw)
			}
		})
	}
}

func TestGetTokenRepeatedWhileValid(t *testing.T) {
	tests := []struct {
		rule      string
		choice    TokenRepeat
		same      bool
		expiresIn float64
		// old is what the first token answers afterwards.
		old int
	}{
		{"same token, remaining life", SameTokenRemainingLife, true, 7100, 0},
		{"same token, full life claimed", SameTokenFullLife, true, 7200, 0},
		{"new token, old one valid", NewTokenKeepsOld, false, 7200, 0},
		{"new token, old one killed", NewTokenKillsOld, false, 7200, 40014},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, func(c *Config) { c.Choices.TokenRepeat = test.choice })
			first := h.token(secretA)
			if first == h.token(secretB) {
				t.Error("two apps have one token")
			}
			h.clock.advance(100 * time.Second)
			second := h.getToken(secretA)
			if (second.fields["access_token"] == first) != test.same || second.fields["expires_in"] != test.expiresIn {
				t.Errorf("got %s", second.raw)
			}
			h.expect(test.old, h.probe(first))
			h.clock.advance(TokenLifetime)
			if h.token(secretA) == first {
				t.Error("an expired token was given again")
			}
		})
	}
}

func TestGetAgent(t *testing.T) {
	const shape = `{"agentid":1000002,"allow_partys":{"partyid":[%s]},"allow_tags":{"tagid":[]},"allow_userinfos":{"user":[%s]},"close":0,` +
		`"description":"","errcode":0,"errmsg":"ok","home_url":%q,"isreportenter":0,"name":%q,"redirect_domain":%q,"report_location_flag":0,` +
		`"square_logo_url":"%s/wecomsim/avatar?name=%s"}`
	tests := []struct {
		rule    string
		change  func(*App)
		agentID string
		// want are the values of a good answer; else there is a code.
		want []any
		code int
	}{
		{
			rule: "members of the range", agentID: appA,
			want: []any{"", `{"userid":"zhangsan"},{"userid":"LiSi"},{"userid":"qianqi"}`, "", appA, "id.example.com", appA},
		},
		{
			rule: "the whole company is its root department", agentID: appA, change: func(a *App) { a.VisibleUserIDs = nil },
			want: []any{"1", "", "", appA, "id.example.com", appA},
		},
		{rule: "nothing set", agentID: appA, change: func(a *App) { a.VisibleUserIDs, a.TrustedDomain = []string{}, "" }, want: []any{"", "", "", appA, "", appA}},
		{
			rule: "name and homepage", agentID: appA, change: func(a *App) {
				a.Name, a.VisibleUserIDs, a.HomeURL, a.DesktopHomeURL = "Expenses", []string{"hidden"}, "https://a.example/m", "https://a.example/"
			},
			want: []any{"", `{"userid":"hidden"}`, "https://a.example/m", "Expenses", "id.example.com", "Expenses"},
		},
		{rule: "another app", agentID: appB, code: 301002},
		{rule: "no such app", agentID: "999", code: 301002},
		{rule: "not a number", agentID: "app", code: 40056},
		{rule: "a negative number", agentID: "-1000002", code: 40056},
		{rule: "zero", agentID: "0", code: 40056},
		{rule: "missing", agentID: "", code: 41011},
		{rule: "IP not trusted", agentID: appA, change: func(a *App) { a.TrustedIPs = []string{} }, code: 60020},
		{rule: "IP not trusted, which is seen first", agentID: "", change: func(a *App) { a.TrustedIPs = []string{} }, code: 60020},
		{rule: "disabled", agentID: appA, change: func(a *App) { a.Disabled = true }, code: 50003},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, nil)
			token := h.token(secretA)
			if test.change != nil {
				must(t, h.ChangeApp(corpID, appA, test.change))
			}
			got := h.get(PathGetAgent, "access_token", token, "agentid", test.agentID)
			if test.code != 0 {
				if got.errcode != test.code || !strings.Contains(got.message, ", from ip: 127.0.0.1, ") {
					t.Fatalf("got %s, want %d", got.raw, test.code)
				}
				return
			}
			values := slices.Insert(slices.Clone(test.want), 5, any(h.base))
			if want := fmt.Sprintf(shape, values...); string(got.raw) != want {
				t.Fatalf("got\n%s\nwant\n%s", got.raw, want)
			}
		})
	}
}

func TestManyWrongSecretsBlockTheIP(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Limits.WrongSecrets = 3 })
	for range 3 {
		h.expect(40001, h.getToken("x"))
	}
	h.expect(45009, h.getToken(secretA))
	h.SetCallerIP("203.0.113.77")
	h.token(secretA)
	h.SetCallerIP("")
	h.clock.advance(WrongSecretBlock)
	h.token(secretA)
}

func TestEveryAPI(t *testing.T) {
	paths := []string{PathGetUserInfo, PathGetUserInfoOld, PathGetUserDetail, PathGetUser, PathGetUserID, PathGetUserIDByMail, PathListMembers, PathMemberNames, PathMemberIDs, PathSendMessage, PathUpdateCard, PathGetAgent, PathListDepartments, PathDepartmentIDs, PathGetDepartment, PathGetTag}
	app := func(change func(*App)) func(*testing.T, *harness) {
		return func(t *testing.T, h *harness) { must(t, h.ChangeApp(corpID, appA, change)) }
	}
	tests := []struct {
		rule string
		// change happens after the token was issued; without it, token is sent.
		change func(*testing.T, *harness)
		token  string
		header http.Header
		body   string
		want   int
	}{
		{rule: "token absent", want: 41001},
		{rule: "token in header", header: http.Header{"Authorization": {"Bearer x"}}, want: 41001},
		{rule: "token in body", body: `{"access_token":"x"}`, want: 41001},
		{rule: "token unknown", token: "x", want: 40014},
		{rule: "token expired", change: func(_ *testing.T, h *harness) { h.clock.advance(TokenLifetime) }, want: 42001},
		{rule: "token expired, switched", change: func(_ *testing.T, h *harness) {
			h.Change(func(c *Choices) { c.ExpiredTokenIsInvalid = true })
			h.clock.advance(TokenLifetime)
		}, want: 40014},
		{rule: "token revoked early", change: func(t *testing.T, h *harness) { must(t, h.RevokeTokens(corpID, appA, 42001)) }, want: 42001},
		{rule: "token revoked early, switched", change: func(t *testing.T, h *harness) { must(t, h.RevokeTokens(corpID, appA, 40014)) }, want: 40014},
		{rule: "secret reset", change: func(t *testing.T, h *harness) { must(t, h.ResetSecret(corpID, appA, "new")) }, want: 40014},
		{rule: "caller IP not in 可信IP", change: app(func(a *App) { a.TrustedIPs = []string{"203.0.113.1"} }), want: 60020},
		{rule: "app disabled after the token was issued", change: app(func(a *App) { a.Disabled = true }), want: 50003},
		{rule: "busy", change: func(_ *testing.T, h *harness) { h.Inject(Busy(1)) }, want: -1},
		{rule: "too many parallel, forced", change: func(_ *testing.T, h *harness) { h.Inject(Refuse(45033, 1)) }, want: 45033},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			for _, path := range paths {
				h := newHarness(t, nil)
				if test.change != nil {
					test.token = h.token(secretA)
					test.change(t, h)
				}
				h.SetCallerIP("203.0.113.9")
				method := http.MethodGet
				if path == PathGetUserDetail {
					method = http.MethodPost
				}
				got := h.do(method, path+"?"+values("access_token", test.token).Encode(), test.body, test.header)
				if got.errcode != test.want || !strings.Contains(got.message, ", from ip: 203.0.113.9, more info at ") {
					t.Errorf("%s: got %s, want %d", path, got.raw, test.want)
				}
			}
		})
	}
}

func TestUnknownPath(t *testing.T) {
	h := newHarness(t, nil)
	got := h.get("/cgi-bin/user/getuserdetails", "access_token", h.token(secretA))
	if got.status != http.StatusNotFound || len(got.raw) != 0 {
		t.Fatalf("got %d %q, want 404 and nothing", got.status, got.raw)
	}
}

func TestShapeOfAnswers(t *testing.T) {
	t.Run("errors: HTTP 200, JSON, headers, hint, IP, empty fields", func(t *testing.T) {
		h := newHarness(t, nil)
		got := h.get(PathGetUser)
		if got.status != http.StatusOK || got.errcode != 41001 ||
			got.header.Get("Content-Type") != "application/json; charset=UTF-8" || got.header.Get("Error-Code") != "41001" ||
			got.header.Get("Error-Msg") != got.message || !strings.HasPrefix(got.message, "access_token missing, hint: [") ||
			!strings.Contains(got.message, "from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=41001") {
			t.Errorf("got %d %v %s", got.status, got.header, got.raw)
		}
		for _, field := range []string{"department", "order", "is_leader_in_dept", "direct_leader"} {
			if list, ok := got.fields[field].([]any); !ok || len(list) != 0 {
				t.Errorf("%s is %v, want an empty list", field, got.fields[field])
			}
		}
	})
	t.Run("bare errors, and success without errcode, switched", func(t *testing.T) {
		h := newHarness(t, func(c *Config) { c.Choices.BareErrors, c.Choices.NoErrcodeOnSuccess = true, true })
		if got := h.get(PathGetUser); string(got.raw) != `{"errcode":41001,"errmsg":"access_token missing"}` {
			t.Errorf("got %s", got.raw)
		}
		if got := h.probe(h.token(secretA)); got.fields["errcode"] != nil || got.fields["name"] == nil {
			t.Errorf("got %s", got.raw)
		}
	})
	t.Run("longest values, switched", func(t *testing.T) {
		h := newHarness(t, func(c *Config) { c.Choices.LongestValues = true })
		token, ticket := h.ticket(Consent{})
		if len(token) != 512 || len(ticket) != 512 || len(h.code(Browser{UserID: "zhangsan"})) != 512 {
			t.Errorf("token %d, ticket %d bytes", len(token), len(ticket))
		}
	})
	t.Run("plain HTTP, switched: 301 to HTTPS", func(t *testing.T) {
		h := newHarness(t, func(c *Config) { c.Choices.RequireTLS = true })
		got := h.getToken(secretA)
		if got.status != http.StatusMovedPermanently || !strings.HasPrefix(got.header.Get("Location"), "https://") || len(got.raw) != 0 {
			t.Errorf("got %d %v", got.status, got.header)
		}
	})
	t.Run("wrong method", func(t *testing.T) {
		h := newHarness(t, nil)
		h.expect(40063, h.get(PathGetUserDetail, "access_token", h.token(secretA)))
		h.expect(40063, h.do(http.MethodPost, PathGetToken, `{"corpid":"x"}`, nil))
		h.Change(func(c *Choices) { c.GetInsteadOfPost = 43002 })
		h.expect(43002, h.get(PathGetUserDetail, "access_token", h.token(secretA)))
	})
}

func TestFrequencyLimits(t *testing.T) {
	t.Run("per corp and API, for 60 s", func(t *testing.T) {
		h := newHarness(t, func(c *Config) { c.Limits.CorpPerMinute = 2 })
		token := h.token(secretA)
		for _, want := range []int{0, 0, 45009} {
			h.expect(want, h.probe(token))
		}
		h.expect(0, h.get(PathGetUser, "access_token", token, "userid", "zhangsan"))
		h.clock.advance(time.Minute)
		h.expect(0, h.probe(token))
	})
	t.Run("getuserinfo with a valid code is not counted", func(t *testing.T) {
		h := newHarness(t, func(c *Config) { c.Limits.CorpPerMinute = 1 })
		token := h.token(secretA)
		for range 4 {
			h.expect(0, h.exchange(token, h.code(Browser{UserID: "zhangsan"})))
		}
		for _, want := range []int{40029, 45009, 45009} {
			h.expect(want, h.exchange(token, "x"))
		}
	})
	t.Run("too many parallel", func(t *testing.T) {
		h := newHarness(t, func(c *Config) { c.Limits.Parallel = 1 })
		token := h.token(secretA)
		h.Inject(Slow(time.Second))
		var wg sync.WaitGroup
		codes := make([]int, 3)
		for i := range codes {
			wg.Go(func() { codes[i] = h.probe(token).errcode })
		}
		wg.Wait()
		if !slices.Contains(codes, 0) || !slices.Contains(codes, 45033) {
			t.Errorf("answers %v", codes)
		}
	})
}

func TestFaults(t *testing.T) {
	t.Run("n times, then well again", func(t *testing.T) {
		h := newHarness(t, nil)
		h.Inject(Busy(2).On(PathGetToken))
		for _, want := range []int{-1, -1, 0} {
			h.expect(want, h.getToken(secretA))
		}
	})
	t.Run("a busy exchange spends no code, a lost one does", func(t *testing.T) {
		h := newHarness(t, nil)
		token, code := h.token(secretA), h.code(Browser{UserID: "zhangsan"})
		h.Inject(Busy(1))
		h.expect(-1, h.exchange(token, code))
		h.Inject(BadGateway(1).Lost())
		if got := h.exchange(token, code); got.status != http.StatusBadGateway {
			t.Fatalf("got %d", got.status)
		}
		h.expect(40029, h.exchange(token, code))
	})
	bodies := []struct {
		rule  string
		fault Fault
		check func(answer) bool
	}{
		{"HTTP 502", BadGateway(1), func(a answer) bool { return a.status == http.StatusBadGateway && a.fields == nil }},
		{"broken JSON", Broken(BodyBroken, 1), func(a answer) bool { return len(a.raw) > 0 && a.fields == nil }},
		{"empty body", Broken(BodyEmpty, 1), func(a answer) bool { return len(a.raw) == 0 }},
		{"oversized body", Broken(BodyOversized, 1), func(a answer) bool { return len(a.raw) > 8<<20 && a.errcode == 0 }},
		{"a page instead of JSON", Broken(BodyHTML, 1), func(a answer) bool { return a.raw[0] == '<' }},
	}
	for _, test := range bodies {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, nil)
			h.Inject(test.fault)
			if got := h.getToken(secretA); !test.check(got) {
				t.Fatalf("got %d, %d bytes", got.status, len(got.raw))
			}
		})
	}
	for _, test := range []struct {
		rule  string
		fault Fault
		want  error
	}{
		{"hangs until the caller gives up", Hang(1), context.DeadlineExceeded},
		{"connection cut off", CutOff(2), io.EOF}, // the transport tries an idle connection once more
	} {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, nil)
			h.Inject(test.fault)
			h.client.Timeout = 50 * time.Millisecond
			res, err := h.client.Get(h.base + PathGetToken)
			if err == nil {
				_ = res.Body.Close()
			}
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v", err)
			}
		})
	}
	t.Run("slow", func(t *testing.T) {
		h := newHarness(t, nil)
		h.Inject(Slow(30 * time.Millisecond).On(PathGetToken))
		began := time.Now()
		h.token(secretA)
		if time.Since(began) < 30*time.Millisecond {
			t.Error("the answer came at once")
		}
		h.ClearFaults()
	})
	t.Run("by chance", func(t *testing.T) {
		h := newHarness(t, nil)
		h.Inject(Busy(0).WithProbability(0.5))
		seen := map[int]int{}
		for range 60 {
			seen[h.getToken(secretA).errcode]++
		}
		if seen[-1] == 0 || seen[0] == 0 {
			t.Errorf("answers %v", seen)
		}
	})
}

func TestRecorderKeepsNamesOnly(t *testing.T) {
	h := newHarness(t, nil)
	token, ticket := h.ticket(Consent{})
	h.detail(token, ticket)
	want := map[string]int{PathGetToken: 1, PathGetUserInfo: 1, PathGetUserDetail: 1}
	if got := h.CallsByPath(); !maps.Equal(got, want) || h.Calls() != 3 || h.Calls(PathGetToken, PathGetUser) != 1 {
		t.Errorf("calls: %v", got)
	}
	calls := h.recorder.newestFirst()
	for i, want := range []string{"POST " + PathGetUserDetail + " [access_token]", "GET " + PathGetUserInfo + " [access_token code]", "GET " + PathGetToken + " [corpid corpsecret]"} {
		if got := fmt.Sprint(calls[i].Method, " ", calls[i].Path, " ", calls[i].Params); got != want {
			t.Errorf("call %d is recorded as %s, want %s", i, got, want)
		}
	}
	for range latestCalls {
		h.get(PathGetUser)
	}
	if calls = h.recorder.newestFirst(); len(calls) != latestCalls || calls[latestCalls-1].ErrCode != 41001 {
		t.Errorf("the latest calls are %v", calls)
	}
	h.ResetCalls()
	if h.Calls() != 0 || len(h.recorder.newestFirst()) != 0 {
		t.Error("something is left after ResetCalls")
	}
}
