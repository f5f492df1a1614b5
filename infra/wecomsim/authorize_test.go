package wecomsim

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// checkEnd checks where WeCom ends: on a page, or at a callback whose code is
// written CODE.
func checkEnd(t *testing.T, callback string, err error, page Page, code int, want string) {
	t.Helper()
	if page != "" {
		var stopped *PageError
		if !errors.As(err, &stopped) || stopped.Page != page || stopped.Code != code {
			t.Fatalf("got %q, %v; want page %s (%d)", callback, err, page, code)
		}
		return
	}
	must(t, err)
	u, err := url.Parse(callback)
	must(t, err)
	if code := u.Query().Get("code"); code != "" {
		callback = strings.Replace(callback, "code="+url.QueryEscape(code), "code=CODE", 1)
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
		browser Browser
		page    Page
		want    string
	}{
		{rule: "a good link is silent", want: back},
		{rule: "UA without wxwork nor MicroMessenger", browser: Browser{UserAgent: UserAgentBrowser}, page: PageOpenInClient},
		{rule: "UA without wxwork, demonstration", choices: Choices{AnyBrowserIsClient: true}, browser: Browser{UserAgent: UserAgentBrowser}, want: back},
		{rule: "UA of personal WeChat", browser: Browser{UserAgent: UserAgentWeChat}, want: back},
		{rule: "UA of WeCom on Windows", browser: Browser{UserAgent: UserAgentWeComWindows}, want: back},
		{rule: "UA of WeCom on macOS", browser: Browser{UserAgent: UserAgentWeComMac}, want: back},
		{rule: "UA of WeCom on iPhone", browser: Browser{UserAgent: UserAgentWeComIPhone}, want: back},
		{rule: "redirect_uri missing", link: []string{"redirect_uri", "-"}, page: PageBadRedirect},
		{rule: "redirect_uri without scheme", link: []string{"redirect_uri", "id.example.com/callback"}, page: PageBadRedirect},
		{rule: "redirect_uri without scheme but slashes", link: []string{"redirect_uri", "//id.example.com/callback"}, page: PageBadRedirect},
		{rule: "redirect_uri with another scheme", link: []string{"redirect_uri", "javascript://id.example.com/"}, page: PageBadRedirect},
		{rule: "redirect_uri encoded twice", link: []string{"redirect_uri", url.QueryEscape(redirect)}, page: PageBadRedirect},
		{rule: "redirect_uri with user information", link: []string{"redirect_uri", "https://id.example.com@evil.example/"}, page: PageBadRedirect},
		{rule: "domain of another site", link: []string{"redirect_uri", "https://evil.example/callback"}, page: PageBadDomain},
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
		{rule: "snsapi_base: a member out of range", browser: Browser{UserID: "hidden"}, want: back},
		{rule: "snsapi_base: not a member", browser: Browser{UserID: "oGuest"}, want: back},
		{rule: "snsapi_privateinfo without agentid", link: []string{"scope", scopePrivateInfo, "agentid", "-"}, want: back},
		{rule: "snsapi_privateinfo without agentid, switched", choices: Choices{PrivateInfoNeedsAgentID: true}, link: []string{"scope", scopePrivateInfo, "agentid", "-"}, page: PageBadLink},
		{rule: "snsapi_privateinfo: member not in visible range", link: []string{"scope", scopePrivateInfo}, browser: Browser{UserID: "hidden"}, page: PageNoPermission},
		{rule: "snsapi_privateinfo: not a member", link: []string{"scope", scopePrivateInfo}, browser: Browser{UserID: "oGuest"}, page: PageNoPermission},
		{rule: "snsapi_privateinfo: member of another corp", link: []string{"scope", scopePrivateInfo}, browser: Browser{UserID: "wwpartner/peer"}, page: PageNoPermission},
		{rule: "snsapi_privateinfo agreed", link: []string{"scope", scopePrivateInfo}, want: back},
		{rule: "snsapi_privateinfo agreed with nothing ticked", link: []string{"scope", scopePrivateInfo}, browser: Browser{Consent: ConsentNone()}, want: back},
		{rule: "consent refused", link: []string{"scope", scopePrivateInfo}, browser: Browser{Deny: true}, want: denied},
		{rule: "consent refused, switched", choices: Choices{RefusalStays: true}, link: []string{"scope", scopePrivateInfo}, browser: Browser{Deny: true}, page: PageRefused},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, func(c *Config) { c.Choices = test.choices })
			test.browser.UserID = cmp.Or(test.browser.UserID, "zhangsan")
			callback, err := h.Follow(t.Context(), h.inWeCom(test.link...), test.browser)
			checkEnd(t, callback, err, test.page, 0, test.want)
		})
	}
}

func TestInClientLinkParameters(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Choices.ParameterOrderMatters = true })
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
			callback, err := h.Follow(t.Context(), pathAuthorize+"?"+test.query+"#wechat_redirect", Browser{UserID: "zhangsan"})
			checkEnd(t, callback, err, test.page, 0, test.want)
		})
	}
}

func TestDomainErrorIsARedirectToAPage(t *testing.T) {
	h := newHarness(t, nil)
	link := strings.TrimPrefix(h.inWeCom("redirect_uri", "https://evil.example/x?y=1"), h.base)
	got := h.do(http.MethodGet, link, "", http.Header{"User-Agent": {UserAgentWeComAndroid}})
	want := "/wwopen/uriconfirm?err_type=domain_err&uri=https%3A%2F%2Fevil.example%2Fx%3Fy%3D1"
	if location := got.header.Get("Location"); got.status != http.StatusFound || location != want {
		t.Fatalf("got %d to %q, want 302 to %q", got.status, location, want)
	}
}

func TestConsentIsAskedOnceIn30Days(t *testing.T) {
	tests := []struct {
		rule    string
		choices Choices
		first   Browser
		wait    time.Duration
		asked   bool
		// mobile says whether the second sign-in shares the phone.
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
			h := newHarness(t, func(c *Config) { c.Choices = test.choices })
			test.first.UserID = "zhangsan"
			_, err := h.Follow(t.Context(), h.inWeCom("scope", scopePrivateInfo), test.first)
			must(t, err)
			h.clock.advance(test.wait)
			asked := false
			code := h.code(Browser{UserID: "ZhangSan", BeforeAnswer: func() { asked = true }}, "scope", scopePrivateInfo)
			if asked != test.asked {
				t.Errorf("asked again: %t, want %t", asked, test.asked)
			}
			token := h.token(secretA)
			ticket, _ := h.exchange(token, code).fields["user_ticket"].(string)
			detail := h.detail(token, ticket)
			if _, has := detail.fields["mobile"]; has != test.mobile {
				t.Errorf("mobile there: %t, want %t", has, test.mobile)
			}
		})
	}
}

func TestConsentPageIsForTheMemberWhoSawIt(t *testing.T) {
	h := newHarness(t, nil)
	mine, other := h.tab("zhangsan", UserAgentWeComAndroid), h.tab("LiSi", UserAgentWeComAndroid)
	request := h.open(mine, http.MethodGet, h.inWeCom("scope", scopePrivateInfo)).field("request")
	form := []string{"request", request, "answer", "agree", "field", "mobile"}
	if got := h.open(other, http.MethodPost, pathConsent, form...); got.page() != PageExpired {
		t.Errorf("another member's answer leads to %s", got.page())
	}
	if _, location, err := mine.open(t.Context(), http.MethodPost, pathConsent, values(form...)); err != nil || location == "" {
		t.Errorf("the member's own answer fails: %v", err)
	}
	if got := h.open(mine, http.MethodPost, pathConsent, form...); got.page() != PageExpired {
		t.Errorf("a second answer leads to %s", got.page())
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
		raw     string
		browser Browser
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
		{rule: "broken encoding", raw: "&x=%zz", page: PageBadLink, code: -31027},
		{rule: "bad appid", link: []string{"appid", "wwnone"}, page: PageBadLink, code: -31027},
		{rule: "bad agentid", link: []string{"agentid", "9"}, page: PageBadLink, code: -31028},
		{rule: "no agentid", link: []string{"agentid", "-"}, page: PageBadLink, code: -31028},
		{rule: "bad login_type", link: []string{"login_type", "ServiceApp"}, page: PageBadLink, code: -31040},
		{rule: "no login_type", link: []string{"login_type", "-"}, page: PageBadLink, code: -31040},
		{rule: "member not in visible range", browser: Browser{UserID: "hidden"}, page: PageNoPermission},
		{rule: "denied", browser: Browser{Deny: true}, want: denied},
		{rule: "denied, old page", old: true, choices: Choices{WebDenialStays: true}, browser: Browser{Deny: true}, want: denied},
		{rule: "denied, switched", choices: Choices{WebDenialStays: true}, browser: Browser{Deny: true}, page: PageRefused},
		{rule: "not a member", browser: Browser{UserID: "oGuest"}, want: back},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, func(c *Config) {
				c.Choices = test.choices
				if test.change != nil {
					test.change(c)
				}
			})
			test.browser.UserID = cmp.Or(test.browser.UserID, "zhangsan")
			link := h.webLink(test.link...) + test.raw
			if test.old {
				link = strings.Replace(link, pathWebLogin, pathWebLoginOld, 1)
			}
			callback, err := h.Follow(t.Context(), link, test.browser)
			checkEnd(t, callback, err, test.page, test.code, test.want)
		})
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
			h := newHarness(t, nil)
			h.InjectCallback(test.fault)
			callback, err := h.Follow(t.Context(), h.inWeCom(), Browser{UserID: "zhangsan"})
			checkEnd(t, callback, err, "", 0, test.want)
			callback, err = h.Follow(t.Context(), h.inWeCom(), Browser{UserID: "zhangsan"})
			checkEnd(t, callback, err, "", 0, redirect+"&code=CODE&state=Abc123")
		})
	}
	h := newHarness(t, nil)
	t.Run("link without #wechat_redirect", func(t *testing.T) {
		callback, err := h.Follow(t.Context(), strings.TrimSuffix(h.inWeCom(), "#wechat_redirect"), Browser{UserID: "zhangsan"})
		checkEnd(t, callback, err, PageNoFragment, 0, "")
	})
	t.Run("unknown person", func(t *testing.T) {
		if _, err := h.Follow(t.Context(), h.inWeCom(), Browser{UserID: "nobody"}); err == nil {
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
		back := New(Config{}).callbackURL(link.redirectURI, "CODE", link.state)
		if !strings.Contains(back, "code=CODE&state=") {
			t.Fatalf("callback %q has no code", back)
		}
	})
}
