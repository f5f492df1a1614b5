package wecomsim

import (
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestAPersonWithABrowser goes through the pages with a cookie jar, as a
// browser does.
func TestAPersonWithABrowser(t *testing.T) {
	h := newHarness(t, func(c *Config) { c.Choices.AnyBrowserIsClient = true })
	jar, err := cookiejar.New(nil)
	must(t, err)
	h.client.Jar = jar
	link := strings.TrimPrefix(h.inWeCom("scope", scopePrivateInfo), h.base)
	target, _, _ := strings.Cut(link, "#")
	open := func(target string) (pageBody, string) {
		got := h.do(http.MethodGet, target, "", nil)
		return pageBody(got.raw), got.header.Get("Location")
	}
	post := func(path string, pairs ...string) string { return h.post(path, pairs...).header.Get("Location") }

	if body, _ := open(target); body.page() != PageChooseMember || body.field("return") != target || !strings.Contains(string(body), "张三") {
		t.Fatalf("an unknown client gets %s", body.page())
	}
	if got := post(pathClient, "person", corpID+"/zhangsan", "return", target); got != target {
		t.Fatalf("the chooser leads to %q", got)
	}
	body, _ := open(target)
	if body.page() != PageConsent || !strings.Contains(string(body), "手机号") {
		t.Fatalf("snsapi_privateinfo leads to %s", body.page())
	}
	if got := post(pathConsent, "request", body.field("request"), "answer", "agree", "field", "mobile"); !strings.HasPrefix(got, redirect+"&code=") {
		t.Fatalf("consent leads to %q", got)
	}
	if _, got := open(strings.Replace(target, scopePrivateInfo, scopeBase, 1)); !strings.HasPrefix(got, redirect+"&code=") {
		t.Fatalf("snsapi_base is not silent: %q", got)
	}
	if body, _ = open("/wecomsim/"); !strings.Contains(string(body), "退出客户端") {
		t.Fatal("the start page does not know the member")
	}
	post("/wecomsim/consents/forget")
	if body, _ = open(target); body.page() != PageConsent {
		t.Fatal("forgotten consent is not asked for again")
	}
	post(pathClient, "answer", "leave")
	if body, _ = open(target); body.page() != PageChooseMember {
		t.Fatal("the client is still signed in")
	}
}

func TestScanWithAPhone(t *testing.T) {
	h := newHarness(t, nil)
	waiting, phone := h.tab("LiSi", UserAgentBrowser), h.tab("zhangsan", UserAgentWeComAndroid)
	key := h.open(waiting, http.MethodGet, h.webLink()).field("key")
	status := func() string {
		location, _ := h.get(pathWebStatus, "key", key).fields["location"].(string)
		return location
	}
	if status() != "" {
		t.Fatal("finished before the scan")
	}
	if got := h.open(phone, http.MethodGet, pathWebScan+"?key="+url.QueryEscape(key)); got.field("phone") != "1" {
		t.Fatalf("the scan leads to %s", got.page())
	}
	if got := h.open(phone, http.MethodPost, pathWebConfirm, "key", key, "phone", "1", "person", "zhangsan"); got.page() != PageScanned {
		t.Fatalf("the answer leads to %s", got.page())
	}
	if got := status(); !strings.HasPrefix(got, redirect+"&code=") {
		t.Fatalf("the waiting page goes to %q", got)
	}
	if got := status(); got != "" {
		t.Fatal("the result was given twice")
	}
	if got := h.open(phone, http.MethodPost, pathWebConfirm, "key", key, "person", "zhangsan"); got.page() != PageExpired {
		t.Fatalf("a second scan leads to %s", got.page())
	}
}

func TestPagesOfAnotherSiteMayNotPost(t *testing.T) {
	h := newHarness(t, nil)
	for _, path := range []string{pathClient, pathConsent, pathWebConfirm, "/wecomsim/inside", "/wecomsim/consents/forget"} {
		got := h.do(http.MethodPost, path, "person=zhangsan", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"cross-site"}})
		if got.status != http.StatusForbidden {
			t.Errorf("%s: got %d", path, got.status)
		}
	}
}

func TestChooserIsNoOpenRedirect(t *testing.T) {
	h := newHarness(t, nil)
	for _, next := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example", pathAuthorize + ".evil.example/?x", "javascript:alert(1)"} {
		if got := h.post(pathClient, "person", "zhangsan", "return", next).header.Get("Location"); got != "/wecomsim/" {
			t.Errorf("return %q leads to %q", next, got)
		}
	}
}

func TestPagesNeedNoForeignHost(t *testing.T) {
	h := newHarness(t, nil)
	for _, target := range []string{"/wecomsim/", "/wecomsim/avatar?name=%3Cscript%3E", "/wecomsim/avatar", "/wecomsim/assets/style.css", "/wecomsim/assets/weblogin.js"} {
		got := h.do(http.MethodGet, target, "", nil)
		body := strings.ReplaceAll(string(got.raw), `xmlns="http://www.w3.org/2000/svg"`, "")
		if got.status != http.StatusOK || strings.Contains(body, "://") || strings.Contains(body, "<script>") || strings.Contains(body, ConsolePath) {
			t.Errorf("%s: %d, %.200s", target, got.status, body)
		}
		if policy := got.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("%s: policy %q", target, policy)
		}
	}
	for _, target := range []string{"/wecomsim/assets/layout.html", ConsolePath} {
		if got := h.get(target); got.status != http.StatusNotFound {
			t.Errorf("%s is served: %d", target, got.status)
		}
	}
}

func TestActAsClient(t *testing.T) {
	h := harnessOf(t, Demo("127.0.0.1:3000", "http://127.0.0.1:3000/authorize/demo", ""), nil)
	entered := h.post("/wecomsim/inside", "app", DemoCorpID+"/"+DemoAgentID)
	if got := entered.header.Get("Location"); got != "http://127.0.0.1:3000/authorize/demo" {
		t.Errorf("the app leads to %q", got)
	}
	if !strings.Contains(entered.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("acting as the client sets %q", entered.header.Get("Set-Cookie"))
	}
	cookie, _, _ := strings.Cut(h.post("/wecomsim/inside", "answer", "leave").header.Get("Set-Cookie"), ";")
	service := ActAsClient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.UserAgent()) }))
	for _, test := range []struct{ rule, cookie, userAgent, want string }{
		{"acts as the client", "other=1", UserAgentBrowser, UserAgentWeComAndroid},
		{"is a client", cookie, UserAgentWeComMac, UserAgentWeComMac},
		{"is a normal browser", cookie, UserAgentBrowser, UserAgentBrowser},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", test.cookie)
		r.Header.Set("User-Agent", test.userAgent)
		w := httptest.NewRecorder()
		service.ServeHTTP(w, r)
		if got := w.Body.String(); got != test.want {
			t.Errorf("%s: User-Agent is %q", test.rule, got)
		}
	}
	strict := newHarness(t, nil).post("/wecomsim/inside", "answer", "enter")
	if got := strict.header.Get("Set-Cookie"); strings.Contains(got, "Max-Age=0") {
		t.Errorf("a strict simulator lets a browser act as the client: %q", got)
	}
}

// The workbench opens the homepage for the kind of device.
func TestHomepageByDevice(t *testing.T) {
	h := newHarness(t, func(c *Config) {
		c.Choices.AnyBrowserIsClient = true
		c.Corps[0].Apps[0].HomeURL, c.Corps[0].Apps[0].DesktopHomeURL = "https://a.example/m", "https://a.example/admin"
	})
	for userAgent, want := range map[string]string{
		UserAgentWeComAndroid: "https://a.example/m", UserAgentWeComIPhone: "https://a.example/m",
		UserAgentBrowser: "https://a.example/admin", UserAgentWeComMac: "https://a.example/admin",
	} {
		got := h.do(http.MethodPost, "/wecomsim/inside", "app="+corpID+"%2F"+appA,
			http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "User-Agent": {userAgent}})
		if location := got.header.Get("Location"); location != want {
			t.Errorf("%.40s leads to %q", userAgent, location)
		}
	}
}

func TestDemo(t *testing.T) {
	config := Demo("127.0.0.1:3000", "http://127.0.0.1:3000/", "http://127.0.0.1:3000/")
	must(t, config.Validate())
	link := pathAuthorize + "?" + values("appid", DemoCorpID, "redirect_uri", "http://127.0.0.1:3000/callback/demo", "response_type", "code",
		"scope", scopePrivateInfo, "state", "A", "agentid", DemoAgentID).Encode() + "#wechat_redirect"
	callback, err := New(config).Follow(t.Context(), link, Browser{UserID: "zhangsan", UserAgent: UserAgentBrowser})
	checkEnd(t, callback, err, "", 0, "http://127.0.0.1:3000/callback/demo?code=CODE&state=A")
}

// One person in two companies has one phone; the second company's app has
// nothing set.
func TestSecondDemoCompany(t *testing.T) {
	config := Demo("127.0.0.1:3000", "http://127.0.0.1:3000/", "http://127.0.0.1:3000/")
	first, second := config.Corps[0], config.Corps[1]
	if second.ID != SecondDemoCorpID || second.Members[0].Mobile != first.Members[0].Mobile || second.Members[0].Mobile == "" {
		t.Errorf("the companies share no phone: %+v, %+v", first.Members[0], second.Members[0])
	}
	bare := second.Apps[0]
	bare.AgentID, bare.Secret, bare.Name, bare.LatinName = "", "", "", ""
	if want := (App{VisibleUserIDs: []string{}, TrustedIPs: []string{}}); !reflect.DeepEqual(bare, want) {
		t.Errorf("something is set: %+v", bare)
	}
	for _, c := range config.Corps {
		for _, m := range c.Members {
			if m.LatinName == "" {
				t.Errorf("%s has no Latin name", m.Name)
			}
		}
	}
}

var personMark = regexp.MustCompile(`(?s)name="person" value="([^"]+)">.*?<span class="who">(.*?)</span></button>`)

// people are the texts beside the people on a page, by their keys.
func people[T ~string | ~[]byte](page T) map[string]string {
	found := map[string]string{}
	for _, m := range personMark.FindAllStringSubmatch(string(page), -1) {
		words := strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(m[2], " "))
		found[m[1]] = html.UnescapeString(strings.Join(words, " "))
	}
	return found
}

func TestChooserSaysWhoIsSpecial(t *testing.T) {
	h := harnessOf(t, Demo("127.0.0.1:3000", "http://127.0.0.1:3000/", ""), nil)
	const one, two = DemoCorpID + "/", SecondDemoCorpID + "/"
	inWeCom := h.inWeCom("appid", DemoCorpID, "agentid", DemoAgentID, "redirect_uri", "http://127.0.0.1:3000/callback/demo")
	web := h.webLink("appid", DemoCorpID, "agentid", DemoAgentID, "redirect_uri", "http://127.0.0.1:3000/callback/demo")
	ofOne := map[string]string{
		one + "zhangsan": "张三 Zhang San zhangsan · 13800000001",
		one + "lisi":     "李四 Li Si lisi · 13800000002",
		one + "WangWu":   "王五 Wang Wu WangWu · +44 7700 900123",
		one + "zhaoliu":  "赵六 Zhao Liu zhaoliu 无手机号 no phone",
		one + "sunqi":    "孙七 Sun Qi sunqi · 13800000005 已禁用 disabled",
		one + "zhouba":   "周八 Zhou Ba zhouba · 13800000006 未激活 not activated",
		one + "wujiu":    "吴九 Wu Jiu wujiu · 13800000007 不在可见范围 outside the visible range",

		"ww0a1b2c3d4e5f6071/partner":   "上游伙伴 Partner 互联企业成员 interconnected company",
		"oDemo0customer00000000000001": "客户小周 Customer Zhou 非企业成员 not a member",
		"oDemo0guest00000000000000002": "访客 Guest 非企业成员 not a member",
	}
	ofTwo := func(mark string) map[string]string {
		everybody := maps.Clone(ofOne)
		everybody[two+"zhang.san"] = "张三 Zhang San zhang.san · 13800000001 " + mark
		everybody[two+"chenshi"] = "陈十 Chen Shi chenshi · 13800000010 " + mark
		return everybody
	}
	start := ofTwo("不在任何应用的可见范围 outside every app's visible range")
	start[one+"wujiu"] = "吴九 Wu Jiu wujiu · 13800000007 不在任何应用的可见范围 outside every app's visible range"
	for _, test := range []struct {
		page, target string
		want         map[string]string
	}{
		{"the start page", "/wecomsim/", start},
		{"the chooser", strings.TrimPrefix(inWeCom, h.base), ofTwo("其他企业的成员 member of another company")},
		{"the browser login", strings.TrimPrefix(web, h.base), ofOne},
	} {
		t.Run(test.page, func(t *testing.T) {
			target, _, _ := strings.Cut(test.target, "#")
			if got := people(h.do(http.MethodGet, target, "", nil).raw); !maps.Equal(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
		})
	}
}

// A page on which WeCom ends leads back to the start page and says what helps.
func TestEveryEndHasAWayBack(t *testing.T) {
	h := newHarness(t, func(c *Config) {
		c.Console = func(*Simulator) http.Handler { return http.NotFoundHandler() }
		c.Choices.RefusalStays, c.Choices.WebDenialStays = true, true
	})
	phone, desktop, hidden := h.tab("zhangsan", UserAgentWeComAndroid), h.tab("zhangsan", UserAgentBrowser), h.tab("hidden", UserAgentWeComAndroid)
	seen := map[Page]bool{}
	check := func(page Page, body pageBody) {
		t.Helper()
		seen[page] = true
		if body.page() != page {
			t.Errorf("%s: got %s", page, body.page())
		}
		if !strings.Contains(string(body), `<a class="button" href="/wecomsim/">`) {
			t.Errorf("%s: there is no way back", page)
		}
		if page != PageScanned && !strings.Contains(string(body), `<p class="advice">`) {
			t.Errorf("%s: there is no advice", page)
		}
	}
	confirm := func(pairs ...string) pageBody { return h.open(desktop, http.MethodPost, pathWebConfirm, pairs...) }
	key := func() string { return h.open(desktop, http.MethodGet, h.webLink()).field("key") }
	check(PageOpenInClient, h.open(desktop, http.MethodGet, h.inWeCom()))
	check(PageBadRedirect, h.open(phone, http.MethodGet, h.inWeCom("redirect_uri", "-")))
	check(PageBadLink, h.open(phone, http.MethodGet, h.inWeCom("appid", "wwnone")))
	check(PageBadDomain, h.open(phone, http.MethodGet, h.inWeCom("redirect_uri", "https://evil.example/")))
	check(PageBadCallback, h.open(desktop, http.MethodGet, h.webLink("redirect_uri", "https://evil.example/")))
	check(PageOldLinkFailed, h.open(desktop, http.MethodGet, pathWebLoginOld))
	check(PageExpired, confirm("key", "none"))
	check(PageScanned, confirm("key", key(), "phone", "1", "person", corpID+"/zhangsan"))
	check(PageRefused, confirm("key", key(), "answer", "deny"))

	// A member outside the visible range is offered members inside it, for the
	// same link. LiSi is disabled and qianqi has left.
	want := map[string]string{corpID + "/zhangsan": "张三 zhangsan · 13800000001"}
	waiting, link := key(), h.inWeCom("scope", scopePrivateInfo)
	byScan, inClient := confirm("key", waiting, "person", corpID+"/hidden"), h.open(hidden, http.MethodGet, link)
	for _, body := range []pageBody{byScan, inClient} {
		check(PageNoPermission, body)
		if got := people(body); !maps.Equal(got, want) {
			t.Errorf("offered are %v", got)
		}
		if !strings.Contains(string(body), `href="`+ConsoleAppPath(corpID, appA)+`#range"`) {
			t.Error("the page does not lead to the visible range")
		}
	}
	if got := inClient.field("return"); !strings.HasPrefix(h.base+got+"#", link[:len(link)-len("#wechat_redirect")]) {
		t.Errorf("another member continues with %q", got)
	}
	if got := h.post(pathWebConfirm, "key", waiting, "person", corpID+"/zhangsan").header.Get("Location"); !strings.HasPrefix(got, redirect+"&code=") {
		t.Errorf("another member's scan leads to %q", got)
	}
	must(t, h.ChangeApp(corpID, appA, func(a *App) { a.VisibleUserIDs = []string{} }))
	if body := h.open(hidden, http.MethodGet, link); len(people(body)) != 0 || !strings.Contains(string(body), "No member qualifies at present") {
		t.Error("an empty visible range offers members")
	}
	must(t, h.ChangeApp(corpID, appA, func(a *App) { a.Disabled = true }))
	disabled := h.open(phone, http.MethodGet, h.inWeCom())
	check(PageAppDisabled, disabled)
	if !strings.Contains(string(disabled), `href="`+ConsoleAppPath(corpID, appA)+`#state"`) {
		t.Error("the page does not lead to the app's state")
	}
	if len(seen) != 11 {
		t.Errorf("%d pages were seen", len(seen))
	}
}

func TestFaultyConfiguration(t *testing.T) {
	err := Config{Corps: []Corp{
		{ID: "ww1", Apps: []App{{AgentID: "x"}, {AgentID: "1", Secret: "s", TrustedDomain: "https://a"}, {AgentID: "1", Secret: "s", Fields: []Field{"name"}}}},
		{ID: "ww1", Members: []Member{{UserID: "a"}, {UserID: "A", Status: 3}, {UserID: "a/b"}}, Outsiders: []Outsider{{}}},
		{},
	}}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	want := `corp ww1: app "x": the AgentID is not a number or is used twice
corp ww1: app "x": the secret is empty
corp ww1: app "1": a domain must be host or host:port
corp ww1: app "1": the AgentID is not a number or is used twice
corp ww1: app "1": unknown field "name"
corp "ww1": the ID is empty or used twice
corp ww1: UserID "A" is invalid or used twice
corp ww1: member A: unknown status 3
corp ww1: UserID "a/b" is invalid or used twice
corp ww1: invalid OpenID ""
corp "": the ID is empty or used twice`
	if err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}
