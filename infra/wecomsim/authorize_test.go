package wecomsim

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// checkVisit compares the end of a visit: a page, or a callback of which the
// code is only known to be there.
func checkVisit(t *testing.T, callback string, err error, page Page, code int, want string) {
	t.Helper()
	if page != "" {
		var stopped *PageError
		if !errors.As(err, &stopped) || stopped.Page != page || stopped.Code != code {
			t.Fatalf("got %q, %v; want page %s (%d)", callback, err, page, code)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if u, parseErr := url.Parse(callback); parseErr == nil {
		if word := u.Query().Get("code"); word != "" {
			callback = strings.Replace(callback, "code="+url.QueryEscape(word), "code=CODE", 1)
		}
	}
	if callback != want {
		t.Fatalf("callback is %q, want %q", callback, want)
	}
}

func TestInClientLink(t *testing.T) {
	const back = redirect + "&code=CODE&state=Abc123"
	const denied = redirect + "&state=Abc123"
	longState := strings.Repeat("a", 128)
	tests := []struct {
		rule    string
		choices Choices
		link    []string
		visitor Browser
		page    Page
		want    string
	}{
		{rule: "a good link is silent", want: back},
		{rule: "UA without wxwork nor MicroMessenger", visitor: Browser{UserAgent: UserAgentBrowser}, page: PageOpenInClient},
		{rule: "UA without wxwork, demonstration", choices: Choices{AnyBrowserIsClient: true}, visitor: Browser{UserAgent: UserAgentBrowser}, want: back},
		{rule: "UA of personal WeChat", visitor: Browser{UserAgent: UserAgentWeChat}, want: back},
		{rule: "UA of WeCom on Windows", visitor: Browser{UserAgent: UserAgentWeComWindows}, want: back},
		{rule: "UA of WeCom on macOS", visitor: Browser{UserAgent: UserAgentWeComMac}, want: back},
		{rule: "UA of WeCom on iPhone", visitor: Browser{UserAgent: UserAgentWeComIPhone}, want: back},
		{rule: "redirect_uri missing", link: []string{"redirect_uri", "-"}, page: PageBadRedirect},
		{rule: "redirect_uri without scheme", link: []string{"redirect_uri", "id.example.com/callback"}, page: PageBadRedirect},
		{rule: "redirect_uri without scheme but slashes", link: []string{"redirect_uri", "//id.example.com/callback"}, page: PageBadRedirect},
		{rule: "redirect_uri with another scheme", link: []string{"redirect_uri", "javascript://id.example.com/"}, page: PageBadRedirect},
		{rule: "redirect_uri encoded twice", link: []string{"redirect_uri", url.QueryEscape(redirect)}, page: PageBadRedirect},
		{rule: "redirect_uri with user information", link: []string{"redirect_uri", "https://id.example.com@evil.example/"}, page: PageBadRedirect},
		{rule: "domain of somebody else", link: []string{"redirect_uri", "https://evil.example/callback"}, page: PageBadDomain},
		{rule: "domain: a subdomain does not fit", link: []string{"redirect_uri", "https://www.id.example.com/callback"}, page: PageBadDomain},
		{rule: "domain: the parent does not fit", link: []string{"redirect_uri", "https://example.com/callback"}, page: PageBadDomain},
		{rule: "domain: another port does not fit", link: []string{"redirect_uri", "https://id.example.com:8443/callback"}, page: PageBadDomain},
		{rule: "domain: the usual port written out does not fit", link: []string{"redirect_uri", "https://id.example.com:443/callback"}, page: PageBadDomain},
		{rule: "domain: the scheme does not matter", link: []string{"redirect_uri", "http://id.example.com/x"}, want: "http://id.example.com/x?code=CODE&state=Abc123"},
		{rule: "domain: of another app of the corp", link: []string{"agentid", appB}, page: PageBadDomain},
		{rule: "domain: 授权回调域 is not for the client", link: []string{"redirect_uri", "https://login.example.com/"}, page: PageBadDomain},
		{rule: "domain with its port", link: []string{"agentid", appB, "redirect_uri", "https://other.example.com:8443/"}, want: "https://other.example.com:8443/?code=CODE&state=Abc123"},
		{rule: "no agentid: the domain of some app", link: []string{"agentid", "-"}, want: back},
		{rule: "no agentid: the domain of no app", link: []string{"agentid", "-", "redirect_uri", "https://evil.example/"}, page: PageBadDomain},
		{rule: "code goes before the fragment", link: []string{"redirect_uri", "https://id.example.com/#/app"}, want: "https://id.example.com/?code=CODE&state=Abc123#/app"},
		{rule: "appid unknown", link: []string{"appid", "wwnone"}, page: PageBadLink},
		{rule: "appid missing", link: []string{"appid", "-"}, page: PageBadLink},
		{rule: "agentid unknown", link: []string{"agentid", "9"}, page: PageBadLink},
		{rule: "response_type is not code", link: []string{"response_type", "token"}, page: PageBadLink},
		{rule: "scope unknown", link: []string{"scope", "snsapi_userinfo"}, page: PageBadLink},
		{rule: "scope missing", link: []string{"scope", "-"}, page: PageBadLink},
		{rule: "state of 128 letters", link: []string{"state", longState}, want: redirect + "&code=CODE&state=" + longState},
		{rule: "state of 129 letters", link: []string{"state", longState + "a"}, page: PageBadLink},
		{rule: "state with -", link: []string{"state", "a-b"}, page: PageBadLink},
		{rule: "state with _", link: []string{"state", "a_b"}, page: PageBadLink},
		{rule: "state with .", link: []string{"state", "a.b"}, page: PageBadLink},
		{rule: "state with =", link: []string{"state", "YWJj="}, page: PageBadLink},
		{rule: "state with a newline", link: []string{"state", "a\n"}, page: PageBadLink},
		{rule: "state with -, switched", choices: Choices{AnyState: true}, link: []string{"state", "a-b=c"}, want: redirect + "&code=CODE&state=a-b%3Dc"},
		{rule: "state empty comes back empty", link: []string{"state", "-"}, want: redirect + "&code=CODE&state="},
		{rule: "parameter order, switched", choices: Choices{ParameterOrderMatters: true}, page: PageBadLink},
		{rule: "snsapi_base: a member out of range", visitor: Browser{UserID: "hidden"}, want: back},
		{rule: "snsapi_base: not a member", visitor: Browser{UserID: "oVisitor"}, want: back},
		{rule: "snsapi_privateinfo without agentid", link: []string{"scope", scopePrivateInfo, "agentid", "-"}, want: back},
		{rule: "snsapi_privateinfo without agentid, switched", choices: Choices{PrivateInfoNeedsAgentID: true}, link: []string{"scope", scopePrivateInfo, "agentid", "-"}, page: PageBadLink},
		{rule: "snsapi_privateinfo: member not in visible range", link: []string{"scope", scopePrivateInfo}, visitor: Browser{UserID: "hidden"}, page: PageNoPermission},
		{rule: "snsapi_privateinfo: not a member", link: []string{"scope", scopePrivateInfo}, visitor: Browser{UserID: "oVisitor"}, page: PageNoPermission},
		{rule: "snsapi_privateinfo: member of another corp", link: []string{"scope", scopePrivateInfo}, visitor: Browser{UserID: "wwpartner/peer"}, page: PageNoPermission},
		{rule: "snsapi_privateinfo agreed", link: []string{"scope", scopePrivateInfo}, want: back},
		{rule: "snsapi_privateinfo agreed with nothing ticked", link: []string{"scope", scopePrivateInfo}, visitor: Browser{Consent: ConsentNone()}, want: back},
		{rule: "consent refused", link: []string{"scope", scopePrivateInfo}, visitor: Browser{Deny: true}, want: denied},
		{rule: "consent refused, switched", choices: Choices{RefusalStays: true}, link: []string{"scope", scopePrivateInfo}, visitor: Browser{Deny: true}, page: PageRefused},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.Choices = test.choices })
			if test.visitor.UserID == "" {
				test.visitor.UserID = "zhangsan"
			}
			callback, err := b.Follow(t.Context(), b.inWeCom(test.link...), test.visitor)
			checkVisit(t, callback, err, test.page, 0, test.want)
		})
	}
}

func TestInClientLinkParameters(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Choices.ParameterOrderMatters = true })
	const ordered = "appid=" + corpID + "&redirect_uri=https%3A%2F%2Fid.example.com%2F&response_type=code&scope=snsapi_base&state=A&agentid=" + appA
	tests := []struct {
		rule, query string
		page        Page
		want        string
	}{
		{rule: "in the documented order", query: ordered, want: "https://id.example.com/?code=CODE&state=A"},
		{rule: "a parameter twice", query: ordered + "&state=B", page: PageBadLink},
		{rule: "broken encoding", query: ordered + "&x=%zz", page: PageBadLink},
		{
			rule: "redirect_uri not encoded loses its parameters", want: "https://id.example.com/?a=1&code=CODE&state=A",
			query: strings.Replace(ordered, "https%3A%2F%2Fid.example.com%2F", "https://id.example.com/?a=1&b=2", 1),
		},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			callback, err := b.Follow(t.Context(), pathAuthorize+"?"+test.query+"#wechat_redirect", Browser{UserID: "zhangsan"})
			checkVisit(t, callback, err, test.page, 0, test.want)
		})
	}
}

func TestDomainErrorIsARedirectToAPage(t *testing.T) {
	b := newBench(t, nil)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.inWeCom("redirect_uri", "https://evil.example/x?y=1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", UserAgentWeComAndroid)
	res, err := b.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	want := "/wwopen/uriconfirm?err_type=domain_err&uri=https%3A%2F%2Fevil.example%2Fx%3Fy%3D1"
	if got := res.Header.Get("Location"); res.StatusCode != http.StatusFound || got != want {
		t.Fatalf("got %d to %q, want 302 to %q", res.StatusCode, got, want)
	}
}

func TestConsentIsAskedOnceIn30Days(t *testing.T) {
	tests := []struct {
		rule    string
		choices Choices
		first   Browser
		wait    time.Duration
		asked   bool
		// mobile says whether the second visit gives the phone.
		mobile bool
	}{
		{rule: "within 30 days: silent with the standing choice", first: Browser{}, wait: ConsentLifetime - time.Second, mobile: true},
		{rule: "partial choice stands", first: Browser{Consent: ConsentTo(FieldAvatar)}, wait: time.Hour},
		{rule: "after 30 days: asked again", first: Browser{Consent: ConsentNone()}, wait: ConsentLifetime, asked: true, mobile: true},
		{rule: "refusal stands", first: Browser{Deny: true}, wait: time.Hour},
		{rule: "refusal, switched: asked again", choices: Choices{AskAgainAfterRefusal: true}, first: Browser{Deny: true}, wait: time.Hour, asked: true, mobile: true},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.Choices = test.choices })
			test.first.UserID = "zhangsan"
			if _, err := b.Follow(t.Context(), b.inWeCom("scope", scopePrivateInfo), test.first); err != nil {
				t.Fatal(err)
			}
			b.clock.advance(test.wait)
			asked := false
			code := b.code(Browser{UserID: "ZhangSan", BeforeAnswer: func() { asked = true }}, "scope", scopePrivateInfo)
			if asked != test.asked {
				t.Errorf("asked again: %t, want %t", asked, test.asked)
			}
			token := b.token(secretA)
			word, _ := b.get(PathGetUserInfo, "access_token", token, "code", code).fields["user_ticket"].(string)
			detail := b.detail(token, word)
			if _, has := detail.fields["mobile"]; has != test.mobile {
				t.Errorf("mobile there: %t, want %t", has, test.mobile)
			}
		})
	}
}

func TestConsentPageIsForTheMemberWhoSawIt(t *testing.T) {
	b := newBench(t, nil)
	link, err := url.Parse(b.inWeCom("scope", scopePrivateInfo))
	if err != nil {
		t.Fatal(err)
	}
	mine, err := b.As("zhangsan")
	if err != nil {
		t.Fatal(err)
	}
	other, err := b.As("LiSi")
	if err != nil {
		t.Fatal(err)
	}
	v := &visit{sim: b.Simulator, visitor: Browser{UserAgent: UserAgentWeComAndroid}, cookie: mine}
	page, _, err := v.open(t.Context(), http.MethodGet, link.RequestURI(), nil)
	if err != nil || page.name != PageConsent {
		t.Fatalf("got %v, %v; want the consent page", page, err)
	}
	form := values("asking", page.value(askingMark), "answer", "agree", "field", "mobile")
	v.cookie = other
	stolen, location, err := v.open(t.Context(), http.MethodPost, pathConsent, form)
	if err != nil || location != "" || stolen.name != PageExpired {
		t.Fatalf("another member's answer led to %q, %v", location, err)
	}
	v.cookie = mine
	if _, location, err = v.open(t.Context(), http.MethodPost, pathConsent, form); err != nil || location == "" {
		t.Fatalf("the member's own answer failed: %v", err)
	}
	again, location, err := v.open(t.Context(), http.MethodPost, pathConsent, form)
	if err != nil || location != "" || again.name != PageExpired {
		t.Fatalf("a second answer led to %q, %v", location, err)
	}
}

func TestBrowserLogin(t *testing.T) {
	const back = redirect + "&code=CODE&state=web%40state"
	const denied = redirect + "&state=web%40state"
	tests := []struct {
		rule    string
		choices Choices
		change  func(*Config)
		link    []string
		old     bool
		visitor Browser
		page    Page
		code    int
		want    string
	}{
		{rule: "a good link", want: back},
		{rule: "a good old link", old: true, want: back},
		{rule: "授权回调域 is good too", link: []string{"redirect_uri", "https://login.example.com/"}, want: "https://login.example.com/?code=CODE&state=web%40state"},
		{rule: "domain: neither of both", link: []string{"redirect_uri", "https://evil.example/"}, page: PageBadCallback, code: -31020},
		{rule: "domain: no callback domain is set", change: func(c *Config) { c.Corps[0].Apps[0].CallbackDomain = "" }, link: []string{"redirect_uri", "https://login.example.com/"}, page: PageBadDomain, code: -31039},
		{rule: "domain: the port counts", link: []string{"redirect_uri", "https://id.example.com:8443/"}, page: PageBadCallback, code: -31020},
		{rule: "domain, old page", old: true, link: []string{"redirect_uri", "https://evil.example/"}, page: PageOldLinkFailed},
		{rule: "redirect_uri encoded twice", link: []string{"redirect_uri", url.QueryEscape(redirect)}, page: PageBadCallback, code: -31020},
		{rule: "bad appid", link: []string{"appid", "wwnone"}, page: PageBadLink, code: -31027},
		{rule: "bad agentid", link: []string{"agentid", "9"}, page: PageBadLink, code: -31028},
		{rule: "no agentid", link: []string{"agentid", "-"}, page: PageBadLink, code: -31028},
		{rule: "bad login_type", link: []string{"login_type", "ServiceApp"}, page: PageBadLink, code: -31040},
		{rule: "no login_type", link: []string{"login_type", "-"}, page: PageBadLink, code: -31040},
		{rule: "member not in visible range", visitor: Browser{UserID: "hidden"}, page: PageNoPermission},
		{rule: "denied", visitor: Browser{Deny: true}, want: denied},
		{rule: "denied, old page", old: true, choices: Choices{WebDenialStays: true}, visitor: Browser{Deny: true}, want: denied},
		{rule: "denied, switched", choices: Choices{WebDenialStays: true}, visitor: Browser{Deny: true}, page: PageRefused},
		{rule: "not a member", visitor: Browser{UserID: "oVisitor"}, want: back},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			b := newBench(t, func(c *Config) {
				c.Choices = test.choices
				if test.change != nil {
					test.change(c)
				}
			})
			if test.visitor.UserID == "" {
				test.visitor.UserID = "zhangsan"
			}
			link := b.webLink(test.link...)
			if test.old {
				link = strings.Replace(link, pathWebLogin, pathWebLoginOld, 1)
			}
			callback, err := b.Follow(t.Context(), link, test.visitor)
			checkVisit(t, callback, err, test.page, test.code, test.want)
		})
	}
}

func TestBrowserLoginNeverGivesATicket(t *testing.T) {
	b := newBench(t, nil)
	code := b.codeOf(b.webLink("scope", scopePrivateInfo), Browser{UserID: "zhangsan"})
	got := b.get(PathGetUserInfo, "access_token", b.token(secretA), "code", code)
	if got.fields["userid"] != "zhangsan" || got.fields["user_ticket"] != nil {
		t.Fatalf("got %s", got.raw)
	}
}

func TestCallbackFaults(t *testing.T) {
	tests := []struct {
		rule  string
		fault CallbackFault
		want  string
	}{
		{"state dropped", CallbackFault{Times: 1, DropState: true}, redirect + "&code=CODE"},
		{"state altered", CallbackFault{Times: 1, AlterState: true}, redirect + "&code=CODE&state=Abc12x"},
		{"code dropped", CallbackFault{Times: 1, DropCode: true}, redirect + "&state=Abc123"},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			b := newBench(t, nil)
			b.InjectCallback(test.fault)
			callback, err := b.Follow(t.Context(), b.inWeCom(), Browser{UserID: "zhangsan"})
			checkVisit(t, callback, err, "", 0, test.want)
			callback, err = b.Follow(t.Context(), b.inWeCom(), Browser{UserID: "zhangsan"})
			checkVisit(t, callback, err, "", 0, redirect+"&code=CODE&state=Abc123")
		})
	}
	t.Run("doubled callback", func(t *testing.T) {
		b := newBench(t, nil)
		both, err := b.FollowTwice(t.Context(), b.inWeCom(), Browser{UserID: "zhangsan"})
		if err != nil || both[0] == "" || both[0] != both[1] {
			t.Fatalf("got %q, %v", both, err)
		}
	})
	t.Run("link without #wechat_redirect", func(t *testing.T) {
		b := newBench(t, nil)
		link := strings.TrimSuffix(b.inWeCom(), "#wechat_redirect")
		callback, err := b.Follow(t.Context(), link, Browser{UserID: "zhangsan"})
		checkVisit(t, callback, err, PageNoFragment, 0, "")
		b.Change(func(c *Choices) { c.FragmentIsOptional = true })
		callback, err = b.Follow(t.Context(), link, Browser{UserID: "zhangsan"})
		checkVisit(t, callback, err, "", 0, redirect+"&code=CODE&state=Abc123")
	})
	t.Run("nobody of that name", func(t *testing.T) {
		b := newBench(t, nil)
		if _, err := b.Follow(t.Context(), b.inWeCom(), Browser{UserID: "nobody"}); err == nil {
			t.Fatal("no error")
		}
	})
}

func FuzzParseAuthorize(f *testing.F) {
	f.Add("appid=a&redirect_uri=https%3A%2F%2Fid.example.com%2F&response_type=code&scope=snsapi_base&state=A&agentid=1")
	f.Add("redirect_uri=https%253A%252F%252Fid.example.com")
	f.Add("redirect_uri=//x&state=%0a;&&=&agentid")
	f.Fuzz(func(t *testing.T, query string) {
		link, _, err := parseAuthorize(query)
		if err != nil {
			return
		}
		u, err := url.Parse(link.redirectURI)
		if err != nil || u.Host == "" || u.Host != link.host || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			t.Fatalf("accepted redirect_uri %q with host %q", link.redirectURI, link.host)
		}
		back := New(Config{}).back(link.redirectURI, "CODE", link.state)
		if !strings.Contains(back, "code=CODE&state=") {
			t.Fatalf("callback %q has no code", back)
		}
	})
}
