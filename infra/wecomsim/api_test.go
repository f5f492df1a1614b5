package wecomsim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
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
			b := newBench(t, test.change)
			got := b.get(PathGetToken, test.query...)
			if got.status != http.StatusOK || got.errcode != test.want {
				t.Fatalf("got %d %s, want errcode %d", got.status, got.raw, test.want)
			}
			if test.want == 0 && (got.fields["access_token"] == "" || got.fields["expires_in"] != 7200.0) {
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
			b := newBench(t, func(c *Config) { c.Choices.TokenRepeat = test.choice })
			first := b.token(secretA)
			b.clock.advance(100 * time.Second)
			second := b.get(PathGetToken, "corpid", corpID, "corpsecret", secretA)
			if (second.fields["access_token"] == first) != test.same || second.fields["expires_in"] != test.expiresIn {
				t.Errorf("got %s", second.raw)
			}
			if got := b.get(PathGetDomainIP, "access_token", first); got.errcode != test.old {
				t.Errorf("old token: got %d, want %d", got.errcode, test.old)
			}
			b.clock.advance(TokenLifetime)
			if b.token(secretA) == first {
				t.Error("a dead token was given again")
			}
		})
	}
}

func TestTokenBelongsToOneApp(t *testing.T) {
	b := newBench(t, nil)
	if b.token(secretA) == b.token(secretB) {
		t.Fatal("two apps have one token")
	}
	if got := b.get(PathGetAgent, "access_token", b.token(secretA), "agentid", appB); got.errcode != 301002 {
		t.Fatalf("got %s", got.raw)
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
			rule: "three members", agentID: appA,
			want: []any{"", `{"userid":"zhangsan"},{"userid":"LiSi"},{"userid":"qianqi"}`, "", appA, "id.example.com", appA},
		},
		{
			rule: "the whole company is its root department", agentID: appA, change: func(a *App) { a.VisibleUserIDs = nil },
			want: []any{"1", "", "", appA, "id.example.com", appA},
		},
		{
			rule: "nothing set", agentID: appA, change: func(a *App) { a.VisibleUserIDs, a.TrustedDomain = []string{}, "" },
			want: []any{"", "", "", appA, "", appA},
		},
		{
			rule: "name and homepage", agentID: appA, change: func(a *App) {
				a.Name, a.VisibleUserIDs, a.HomeURL, a.DesktopHomeURL = "Expenses", []string{"hidden"}, "https://a.example/m", "https://a.example/"
			},
			want: []any{"", `{"userid":"hidden"}`, "https://a.example/m", "Expenses", "id.example.com", "Expenses"},
		},
		{rule: "another app", agentID: appB, code: 301002},
		{rule: "no app", agentID: "999", code: 301002},
		{rule: "no number", agentID: "app", code: 40056},
		{rule: "a negative number", agentID: "-1000002", code: 40056},
		{rule: "zero", agentID: "0", code: 40056},
		{rule: "missing", agentID: "", code: 41011},
		{rule: "IP not trusted", agentID: appA, change: func(a *App) { a.TrustedIPs = []string{} }, code: 60020},
		{rule: "IP not trusted, which is seen first", agentID: "", change: func(a *App) { a.TrustedIPs = []string{} }, code: 60020},
		{rule: "disabled", agentID: appA, change: func(a *App) { a.Disabled = true }, code: 50003},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			b := newBench(t, nil)
			token := b.token(secretA)
			if test.change != nil {
				must(t, b.ChangeApp(corpID, appA, test.change))
			}
			got := b.get(PathGetAgent, "access_token", token, "agentid", test.agentID)
			if test.code != 0 {
				if message, _ := got.fields["errmsg"].(string); got.errcode != test.code || !strings.Contains(message, ", from ip: 127.0.0.1, ") {
					t.Fatalf("got %s, want %d", got.raw, test.code)
				}
				return
			}
			values := slices.Insert(slices.Clone(test.want), 5, any(b.base))
			if want := fmt.Sprintf(shape, values...); string(got.raw) != want {
				t.Fatalf("got\n%s\nwant\n%s", got.raw, want)
			}
		})
	}
}

// A caller learns its own address from any error, also before it has a secret.
func TestErrorsNameTheCaller(t *testing.T) {
	b := newBench(t, nil)
	b.SetCallerIP("203.0.113.9")
	for _, test := range []struct {
		path string
		code int
	}{{PathGetToken, 41004}, {PathGetUserInfo, 41001}, {PathGetUser, 41001}, {PathGetAgent, 41001}, {PathGetDomainIP, 41001}, {PathGetCallbackIP, 41001}} {
		got := b.get(test.path)
		message, _ := got.fields["errmsg"].(string)
		if got.errcode != test.code || !strings.Contains(message, ", from ip: 203.0.113.9, more info at ") {
			t.Errorf("%s: %s", test.path, got.raw)
		}
	}
}

func TestManyWrongSecretsBlockTheIP(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Limits.WrongSecrets = 3 })
	for range 3 {
		if got := b.get(PathGetToken, "corpid", corpID, "corpsecret", "x"); got.errcode != 40001 {
			t.Fatalf("got %s", got.raw)
		}
	}
	if got := b.get(PathGetToken, "corpid", corpID, "corpsecret", secretA); got.errcode != 45009 {
		t.Fatalf("good secret from a blocked IP: got %s", got.raw)
	}
	b.SetCallerIP("203.0.113.77")
	b.token(secretA)
	b.SetCallerIP("")
	b.clock.advance(WrongSecretBlock)
	b.token(secretA)
}

func TestEveryAPI(t *testing.T) {
	paths := []string{PathGetUserInfo, PathGetUserInfoOld, PathGetUserDetail, PathGetUser, PathGetAgent, PathGetDomainIP, PathGetCallbackIP}
	tests := []struct {
		rule   string
		change func(*testing.T, *bench)
		query  func(*bench) []string
		header http.Header
		body   string
		want   int
	}{
		{rule: "token absent", want: 41001},
		{rule: "token in header", header: http.Header{"Authorization": {"Bearer x"}}, want: 41001},
		{rule: "token in body", body: `{"access_token":"x"}`, want: 41001},
		{rule: "token unknown", query: func(*bench) []string { return []string{"access_token", "x"} }, want: 40014},
		{rule: "token expired", change: func(_ *testing.T, b *bench) { b.clock.advance(TokenLifetime) }, want: 42001},
		{rule: "token expired, switched", change: func(_ *testing.T, b *bench) {
			b.Change(func(c *Choices) { c.ExpiredTokenIsInvalid = true })
			b.clock.advance(TokenLifetime)
		}, want: 40014},
		{rule: "token revoked early", change: func(t *testing.T, b *bench) { must(t, b.RevokeTokens(corpID, appA, 42001)) }, want: 42001},
		{rule: "token revoked early, switched", change: func(t *testing.T, b *bench) { must(t, b.RevokeTokens(corpID, appA, 40014)) }, want: 40014},
		{rule: "secret reset", change: func(t *testing.T, b *bench) { must(t, b.ResetSecret(corpID, appA, "new")) }, want: 40014},
		{rule: "caller IP not in 可信IP", change: func(t *testing.T, b *bench) {
			must(t, b.ChangeApp(corpID, appA, func(a *App) { a.TrustedIPs = []string{"203.0.113.1"} }))
		}, want: 60020},
		{rule: "app disabled after the token was issued", change: func(t *testing.T, b *bench) {
			must(t, b.ChangeApp(corpID, appA, func(a *App) { a.Disabled = true }))
		}, want: 50003},
		{rule: "app without the right", change: func(t *testing.T, b *bench) {
			must(t, b.ChangeApp(corpID, appA, func(a *App) { a.NoAPIRight = true }))
		}, want: 48002},
		{rule: "busy", change: func(_ *testing.T, b *bench) { b.Inject(Busy(1)) }, want: -1},
		{rule: "too many parallel, forced", change: func(_ *testing.T, b *bench) { b.Inject(Refuse(45033, 1)) }, want: 45033},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			for _, path := range paths {
				b := newBench(t, nil)
				query := []string{}
				if test.change != nil {
					query = append(query, "access_token", b.token(secretA))
					test.change(t, b)
				}
				if test.query != nil {
					query = test.query(b)
				}
				method := http.MethodGet
				if path == PathGetUserDetail {
					method = http.MethodPost
				}
				got := b.do(method, path, values(query...), test.body, test.header)
				if got.errcode != test.want {
					t.Errorf("%s: got %s, want %d", path, got.raw, test.want)
				}
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestUnknownPath(t *testing.T) {
	b := newBench(t, nil)
	got := b.get("/cgi-bin/user/getuserdetails", "access_token", b.token(secretA))
	if got.status != http.StatusNotFound || len(got.raw) != 0 {
		t.Fatalf("got %d %q, want 404 and nothing", got.status, got.raw)
	}
}

func TestShapeOfAnswers(t *testing.T) {
	t.Run("errors: HTTP 200, JSON, headers, hint, IP, empty fields", func(t *testing.T) {
		b := newBench(t, nil)
		got := b.get(PathGetUser)
		message, _ := got.fields["errmsg"].(string)
		if got.status != http.StatusOK || got.errcode != 41001 ||
			got.header.Get("Content-Type") != "application/json; charset=UTF-8" || got.header.Get("Error-Code") != "41001" ||
			got.header.Get("Error-Msg") != message || !strings.HasPrefix(message, "access_token missing, hint: [") ||
			!strings.Contains(message, "from ip: 127.0.0.1, more info at https://open.work.weixin.qq.com/devtool/query?e=41001") {
			t.Errorf("got %d %v %s", got.status, got.header, got.raw)
		}
		for _, field := range []string{"department", "order", "is_leader_in_dept", "direct_leader"} {
			if list, ok := got.fields[field].([]any); !ok || len(list) != 0 {
				t.Errorf("%s is %v, want an empty list", field, got.fields[field])
			}
		}
	})
	t.Run("errors, switched to bare", func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Choices.BareErrors = true })
		if got := b.get(PathGetUser); string(got.raw) != `{"errcode":41001,"errmsg":"access_token missing"}` {
			t.Errorf("got %s", got.raw)
		}
	})
	t.Run("success without errcode, switched", func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Choices.NoErrcodeOnSuccess = true })
		if got := b.get(PathGetDomainIP, "access_token", b.token(secretA)); got.fields["errcode"] != nil || got.fields["ip_list"] == nil {
			t.Errorf("got %s", got.raw)
		}
	})
	t.Run("longest values, switched", func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Choices.LongestValues = true })
		token, ticket := b.ticket(ConsentAll())
		if len(token) != 512 || len(ticket) != 512 || len(b.code(Browser{UserID: "zhangsan"})) != 512 {
			t.Errorf("token %d, ticket %d bytes", len(token), len(ticket))
		}
	})
	t.Run("plain HTTP, switched: 301 to HTTPS", func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Choices.RequireTLS = true })
		got := b.get(PathGetToken, "corpid", corpID, "corpsecret", secretA)
		if got.status != http.StatusMovedPermanently || !strings.HasPrefix(got.header.Get("Location"), "https://") || len(got.raw) != 0 {
			t.Errorf("got %d %v", got.status, got.header)
		}
	})
	t.Run("wrong method", func(t *testing.T) {
		b := newBench(t, nil)
		if got := b.get(PathGetUserDetail, "access_token", b.token(secretA)); got.errcode != 40063 {
			t.Errorf("GET instead of POST: got %s", got.raw)
		}
		if got := b.do(http.MethodPost, PathGetToken, nil, `{"corpid":"x"}`, nil); got.errcode != 40063 {
			t.Errorf("POST instead of GET: got %s", got.raw)
		}
	})
}

func TestFrequencyLimits(t *testing.T) {
	t.Run("per corp and API, for 60 s", func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Limits.CorpPerMinute = 2 })
		token := b.token(secretA)
		for i, want := range []int{0, 0, 45009} {
			if got := b.get(PathGetDomainIP, "access_token", token); got.errcode != want {
				t.Fatalf("call %d: got %s", i, got.raw)
			}
		}
		if got := b.get(PathGetCallbackIP, "access_token", token); got.errcode != 0 {
			t.Errorf("another API: got %s", got.raw)
		}
		b.clock.advance(time.Minute)
		if got := b.get(PathGetDomainIP, "access_token", token); got.errcode != 0 {
			t.Errorf("after 60 s: got %s", got.raw)
		}
	})
	t.Run("per corp and API, for an hour", func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Limits.CorpPerHour = 1 })
		token := b.token(secretA)
		b.get(PathGetDomainIP, "access_token", token)
		b.clock.advance(59 * time.Minute)
		b.get(PathGetDomainIP, "access_token", token)
		b.clock.advance(59 * time.Minute)
		if got := b.get(PathGetDomainIP, "access_token", token); got.errcode != 45009 {
			t.Errorf("59 min after the block began: got %s", got.raw)
		}
		b.LiftBlocks()
		if got := b.get(PathGetDomainIP, "access_token", token); got.errcode != 0 {
			t.Errorf("after unblocking: got %s", got.raw)
		}
	})
	t.Run("getuserinfo with a valid code is not counted", func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Limits.CorpPerMinute = 1 })
		token := b.token(secretA)
		for range 4 {
			if got := b.get(PathGetUserInfo, "access_token", token, "code", b.code(Browser{UserID: "zhangsan"})); got.errcode != 0 {
				t.Fatalf("good code: got %s", got.raw)
			}
		}
		for i, want := range []int{40029, 45009, 45009} {
			if got := b.get(PathGetUserInfo, "access_token", token, "code", "x"); got.errcode != want {
				t.Fatalf("bad code %d: got %s", i, got.raw)
			}
		}
	})
	t.Run("per IP", func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Limits.IPPerMinute = 1 })
		b.token(secretA)
		if got := b.get(PathGetToken, "corpid", corpID, "corpsecret", secretA); got.errcode != 45009 {
			t.Errorf("got %s", got.raw)
		}
	})
	t.Run("many failures block the IP", func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Limits.FailuresPerHour = 2 })
		for range 3 {
			b.get(PathGetUser)
		}
		if got := b.get(PathGetUser); got.errcode != 45009 {
			t.Errorf("got %s", got.raw)
		}
	})
	t.Run("debug=1", func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Limits.DebugPerMinute = 1 })
		b.get(PathGetUser, "debug", "1")
		if got := b.get(PathGetUser, "debug", "1"); got.errcode != 45009 {
			t.Errorf("got %s", got.raw)
		}
	})
	t.Run("too many parallel", func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.Limits.Parallel = 1 })
		token := b.token(secretA)
		b.Inject(Slow(300 * time.Millisecond))
		var wg sync.WaitGroup
		codes := make([]int, 3)
		for i := range codes {
			wg.Go(func() { codes[i] = b.get(PathGetDomainIP, "access_token", token).errcode })
		}
		wg.Wait()
		refused := 0
		for _, code := range codes {
			if code == 45033 {
				refused++
			}
		}
		if refused == 0 || refused == len(codes) || b.PeakCalls(PathGetDomainIP) < 2 {
			t.Errorf("answers %v, peak %d", codes, b.PeakCalls(PathGetDomainIP))
		}
	})
}

func TestFaults(t *testing.T) {
	t.Run("n times, then well again", func(t *testing.T) {
		b := newBench(t, nil)
		b.Inject(Busy(2).On(PathGetToken))
		for i, want := range []int{-1, -1, 0} {
			if got := b.get(PathGetToken, "corpid", corpID, "corpsecret", secretA); got.errcode != want {
				t.Fatalf("call %d: got %s", i, got.raw)
			}
		}
	})
	t.Run("a busy exchange spends no code, a lost one does", func(t *testing.T) {
		b := newBench(t, nil)
		token, code := b.token(secretA), b.code(Browser{UserID: "zhangsan"})
		b.Inject(Busy(1))
		b.Inject(BadGateway(1).Lost())
		for i, want := range []int{-1, 0, 40029} {
			got := b.get(PathGetUserInfo, "access_token", token, "code", code)
			if got.errcode != want || i == 1 && got.status != http.StatusBadGateway {
				t.Fatalf("call %d: got %d %s", i, got.status, got.raw)
			}
		}
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
			b := newBench(t, nil)
			b.Inject(test.fault)
			got := b.get(PathGetToken, "corpid", corpID, "corpsecret", secretA)
			if !test.check(got) {
				t.Fatalf("got %d, %d bytes", got.status, len(got.raw))
			}
		})
	}
	t.Run("hangs until the caller gives up", func(t *testing.T) {
		b := newBench(t, nil)
		b.Inject(Hang(1))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+PathGetToken, nil)
		must(t, err)
		res, err := b.client.Do(r)
		if err == nil {
			_ = res.Body.Close()
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("connection cut off", func(t *testing.T) {
		b := newBench(t, nil)
		b.Inject(CutOff(2)) // the transport tries an idle connection once more
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+PathGetToken, nil)
		must(t, err)
		res, err := b.client.Do(r)
		if err == nil {
			_ = res.Body.Close()
			t.Fatal("there is an answer")
		}
	})
	t.Run("slow", func(t *testing.T) {
		b := newBench(t, nil)
		b.Inject(Slow(30 * time.Millisecond).On(PathGetToken))
		began := time.Now()
		b.token(secretA)
		if time.Since(began) < 30*time.Millisecond {
			t.Error("the answer came at once")
		}
		b.ClearFaults()
	})
	t.Run("by chance", func(t *testing.T) {
		b := newBench(t, nil)
		b.Inject(Busy(0).WithProbability(0.5))
		seen := map[int]int{}
		for range 60 {
			seen[b.get(PathGetToken, "corpid", corpID, "corpsecret", secretA).errcode]++
		}
		if seen[-1] == 0 || seen[0] == 0 {
			t.Errorf("answers %v", seen)
		}
	})
	t.Run("hangs over TLS too", func(t *testing.T) {
		sim := New(Config{})
		base, client := sim.StartTLS(t)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+PathGetToken, nil)
		must(t, err)
		res, err := client.Do(r)
		must(t, err)
		defer func() { _ = res.Body.Close() }()
		if body, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(body), "41004") {
			t.Fatalf("got %s, %v", body, err)
		}
	})
}

func TestRecorderKeepsNamesOnly(t *testing.T) {
	b := newBench(t, nil)
	token, ticket := b.ticket(ConsentAll())
	b.detail(token, ticket)
	if got := b.Calls(); got != 3 || b.Calls(PathGetToken) != 1 || b.CallsByPath()[PathGetUserDetail] != 1 {
		t.Errorf("calls: %v", b.CallsByPath())
	}
	var last Request
	for _, q := range b.Requests() {
		last = q
		for _, words := range [][]string{q.Params, q.BodyKeys, {q.Path}} {
			for _, word := range words {
				if strings.Contains(word, token) || strings.Contains(word, ticket) || strings.Contains(word, secretA) {
					t.Errorf("a value is in the record of %s", q.Path)
				}
			}
		}
	}
	if last.Path != PathGetUserDetail || last.Method != http.MethodPost || strings.Join(last.Params, ",") != "access_token" ||
		strings.Join(last.BodyKeys, ",") != "user_ticket" || last.Status != http.StatusOK {
		t.Errorf("last request: %+v", last)
	}
	for i := range remembered + 10 {
		b.get(PathGetUser, "n", strconv.Itoa(i))
	}
	if n := len(b.Requests()); n != remembered {
		t.Errorf("%d requests remembered", n)
	}
	b.ResetCalls()
	if b.Calls() != 0 || len(b.Requests()) != 0 {
		t.Error("something is left after ResetCalls")
	}
}
