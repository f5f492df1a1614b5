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
	b := newBench(t, func(c *Config) { c.Choices.AnyBrowserIsClient = true })
	jar, err := cookiejar.New(nil)
	must(t, err)
	browser := &http.Client{Jar: jar, CheckRedirect: b.client.CheckRedirect}
	open := func(method, target string, form url.Values) (string, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(form.Encode()))
		must(t, err)
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		res, err := browser.Do(r)
		must(t, err)
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		must(t, err)
		return string(body), res.Header.Get("Location")
	}
	link := b.inWeCom("scope", scopePrivateInfo)
	target, err := url.Parse(link)
	must(t, err)
	body, location := open(http.MethodGet, link, nil)
	if location != "" || !strings.Contains(body, `data-page="choose-member"`) || !strings.Contains(body, "张三") {
		t.Fatalf("no member chooser but %q", location)
	}
	_, location = open(http.MethodPost, b.base+"/wecomsim/client", values("person", corpID+"/zhangsan", "return", target.RequestURI()))
	if location != target.RequestURI() {
		t.Fatalf("the chooser leads to %q", location)
	}
	body, _ = open(http.MethodGet, b.base+location, nil)
	page := shown{body: body}
	if page.value(pageMark) != string(PageConsent) || !strings.Contains(body, "手机号") {
		t.Fatal("no consent page")
	}
	_, location = open(http.MethodPost, b.base+pathConsent, values("asking", page.value(askingMark), "answer", "agree", "field", "mobile"))
	if !strings.HasPrefix(location, redirect+"&code=") {
		t.Fatalf("consent leads to %q", location)
	}
	if _, location = open(http.MethodGet, b.inWeCom(), nil); !strings.HasPrefix(location, redirect+"&code=") {
		t.Fatalf("snsapi_base is not silent: %q", location)
	}
	if body, _ = open(http.MethodGet, b.base+"/wecomsim/", nil); !strings.Contains(body, "退出客户端") {
		t.Fatal("the start page does not know the member")
	}
	open(http.MethodPost, b.base+"/wecomsim/consents/forget", nil)
	if body, _ = open(http.MethodGet, link, nil); !strings.Contains(body, `data-page="consent"`) {
		t.Fatal("forgotten consent is not asked for again")
	}
	open(http.MethodPost, b.base+"/wecomsim/client", values("answer", "leave"))
	if body, _ = open(http.MethodGet, link, nil); !strings.Contains(body, `data-page="choose-member"`) {
		t.Fatal("the client is still signed in")
	}
}

func TestScanWithAPhone(t *testing.T) {
	b := newBench(t, nil)
	browser := &visit{sim: b.Simulator, visitor: Browser{UserAgent: UserAgentBrowser}, cookie: &http.Cookie{Name: "other", Value: "x"}}
	link, err := url.Parse(b.webLink())
	must(t, err)
	page, _, err := browser.open(t.Context(), http.MethodGet, link.RequestURI(), nil)
	must(t, err)
	key := page.value(keyMark)
	status := func() string {
		got := b.get(pathWebStatus, "key", key)
		location, _ := got.fields["location"].(string)
		return location
	}
	if status() != "" {
		t.Fatal("finished before the scan")
	}
	phone, _, err := browser.open(t.Context(), http.MethodGet, pathWebScan+"?key="+url.QueryEscape(key), nil)
	must(t, err)
	if !strings.Contains(phone.body, `name="phone"`) {
		t.Fatal("the phone's page is not one")
	}
	done, _, err := browser.open(t.Context(), http.MethodPost, pathWebConfirm, values("key", key, "phone", "1", "person", "zhangsan"))
	if err != nil || done.name != PageScanned {
		t.Fatalf("got %v, %v", done, err)
	}
	if got := status(); !strings.HasPrefix(got, redirect+"&code=") {
		t.Fatalf("the waiting page goes to %q", got)
	}
	if got := status(); got != "" {
		t.Fatal("the result was given twice")
	}
	again, location, err := browser.open(t.Context(), http.MethodPost, pathWebConfirm, values("key", key, "person", "zhangsan"))
	if err != nil || location != "" || again.name != PageExpired {
		t.Fatalf("a second scan led to %q, %v", location, err)
	}
}

func TestPagesOfAnotherSiteMayNotPost(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Console = true })
	for _, path := range []string{
		"/wecomsim/client", pathConsent, pathWebConfirm, "/wecomsim/consents/forget",
		consolePath + "/" + corpID + "/apps", consolePath + "/" + corpID + "/apps/" + appA + "/secret",
	} {
		got := b.do(http.MethodPost, path, nil, "person=zhangsan", http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"cross-site"},
		})
		if got.status != http.StatusForbidden {
			t.Errorf("%s: got %d", path, got.status)
		}
	}
}

func TestChooserLeadsNowhereElse(t *testing.T) {
	b := newBench(t, nil)
	for _, next := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example", pathAuthorize + ".evil.example/?x", "javascript:alert(1)"} {
		got := b.do(http.MethodPost, "/wecomsim/client", nil, values("person", "zhangsan", "return", next).Encode(),
			http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
		if location := got.header.Get("Location"); location != "/wecomsim/" {
			t.Errorf("return %q leads to %q", next, location)
		}
	}
}

func TestPagesNeedNoForeignHost(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Console = true })
	for _, target := range []string{"/wecomsim/", consolePath, consolePath + "/" + corpID + "/company", consolePath + "/" + corpID + "/new-app", "/wecomsim/avatar?name=%3Cscript%3E", "/wecomsim/avatar", "/wecomsim/assets/style.css", "/wecomsim/assets/weblogin.js"} {
		path, query, _ := strings.Cut(target, "?")
		parsed, err := url.ParseQuery(query)
		must(t, err)
		got := b.do(http.MethodGet, path, parsed, "", nil)
		body := strings.ReplaceAll(string(got.raw), `xmlns="http://www.w3.org/2000/svg"`, "")
		if got.status != http.StatusOK || strings.Contains(body, "://") || strings.Contains(body, "<script>") {
			t.Errorf("%s: %d, %.200s", target, got.status, body)
		}
		if policy := got.header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("%s: policy %q", target, policy)
		}
	}
	if got := b.get("/wecomsim/assets/layout.html"); got.status != http.StatusNotFound {
		t.Errorf("a template is served: %d", got.status)
	}
}

func TestActAsClient(t *testing.T) {
	sim := New(Demo("127.0.0.1:3000", "http://127.0.0.1:3000/authorize/demo", ""))
	b := &bench{Simulator: sim, t: t, base: sim.Start(t), client: newBench(t, nil).client}
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	entered := b.do(http.MethodPost, "/wecomsim/inside", nil, values("app", DemoCorpID+"/"+DemoAgentID).Encode(), form)
	if got := entered.header.Get("Location"); got != "http://127.0.0.1:3000/authorize/demo" {
		t.Errorf("the tile leads to %q", got)
	}
	if !strings.Contains(entered.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("entering sets %q", entered.header.Get("Set-Cookie"))
	}
	left := b.do(http.MethodPost, "/wecomsim/inside", nil, "answer=leave", form)
	cookie, _, _ := strings.Cut(left.header.Get("Set-Cookie"), ";")
	service := ActAsClient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.UserAgent()) }))
	for _, test := range []struct{ rule, cookie, userAgent, want string }{
		{"playing the client", "other=1", UserAgentBrowser, UserAgentWeComAndroid},
		{"a client already", cookie, UserAgentWeComMac, UserAgentWeComMac},
		{"not playing", cookie, UserAgentBrowser, UserAgentBrowser},
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
	strict := newBench(t, nil)
	if got := strict.do(http.MethodPost, "/wecomsim/inside", nil, "answer=enter", form); strings.Contains(got.header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("a strict simulator lets a browser play the client: %q", got.header.Get("Set-Cookie"))
	}
}

func TestDemo(t *testing.T) {
	config := Demo("127.0.0.1:3000", "http://127.0.0.1:3000/", "http://127.0.0.1:3000/")
	must(t, config.Validate())
	sim := New(config)
	link := pathAuthorize + "?" + values("appid", DemoCorpID, "redirect_uri", "http://127.0.0.1:3000/callback/demo", "response_type", "code",
		"scope", scopePrivateInfo, "state", "A", "agentid", DemoAgentID).Encode() + "#wechat_redirect"
	callback, err := sim.Follow(t.Context(), link, Browser{UserID: "zhangsan", UserAgent: UserAgentBrowser})
	checkVisit(t, callback, err, "", 0, "http://127.0.0.1:3000/callback/demo?code=CODE&state=A")
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
				t.Errorf("%s has no name for those who read no Chinese", m.Name)
			}
		}
	}
}

var personMark = regexp.MustCompile(`(?s)name="person" value="([^"]+)">.*?<span class="who">(.*?)</span></button>`)

// people are the texts beside the people on a page, by their keys.
func people(page string) map[string]string {
	found := map[string]string{}
	for _, m := range personMark.FindAllStringSubmatch(page, -1) {
		words := strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(m[2], " "))
		found[m[1]] = html.UnescapeString(strings.Join(words, " "))
	}
	return found
}

func TestChooserSaysWhoIsSpecial(t *testing.T) {
	b := demoBench(t, Demo("127.0.0.1:3000", "http://127.0.0.1:3000/", ""))
	const one, two = DemoCorpID + "/", SecondDemoCorpID + "/"
	inWeCom := b.inWeCom("appid", DemoCorpID, "agentid", DemoAgentID, "redirect_uri", "http://127.0.0.1:3000/callback/demo")
	web := b.webLink("appid", DemoCorpID, "agentid", DemoAgentID, "redirect_uri", "http://127.0.0.1:3000/callback/demo")
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
		"oDemo0visitor000000000000002": "访客 Browser 非企业成员 not a member",
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
		{"the chooser", strings.TrimPrefix(inWeCom, b.base), ofTwo("其他企业的成员 of another company")},
		{"the browser login", strings.TrimPrefix(web, b.base), ofOne},
	} {
		t.Run(test.page, func(t *testing.T) {
			target, _, _ := strings.Cut(test.target, "#")
			if got := people(b.page(target)); !maps.Equal(got, test.want) {
				t.Errorf("got  %v\nwant %v", got, test.want)
			}
		})
	}
}

// A page that ends a visit leads back to the start page, and says what would
// help.
func TestEveryEndHasAWayBack(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Console = true
		c.Choices.RefusalStays, c.Choices.WebDenialStays = true, true
	})
	texts := map[Page]bool{}
	check := func(page Page, body string) {
		t.Helper()
		texts[page] = true
		if !strings.Contains(body, `data-page="`+string(page)+`"`) {
			t.Errorf("%s: another page came", page)
		}
		if !strings.Contains(body, `<a class="button" href="/wecomsim/">`) {
			t.Errorf("%s: there is no way back", page)
		}
		if page != PageScanned && page != PageConsoleUnknown && !strings.Contains(body, `<p class="advice">`) {
			t.Errorf("%s: there is no advice", page)
		}
	}
	open := func(link string, userAgent string) string {
		t.Helper()
		target, _, _ := strings.Cut(strings.TrimPrefix(link, b.base), "#")
		path, query, _ := strings.Cut(target, "?")
		parsed, err := url.ParseQuery(query)
		must(t, err)
		got := b.do(http.MethodGet, path, parsed, "", http.Header{"User-Agent": {userAgent}})
		if location := got.header.Get("Location"); location != "" {
			return b.page(location)
		}
		return string(got.raw)
	}
	check(PageOpenInClient, open(b.inWeCom(), UserAgentBrowser))
	check(PageBadRedirect, open(b.inWeCom("redirect_uri", "-"), UserAgentWeComAndroid))
	check(PageBadLink, open(b.inWeCom("appid", "wwnone"), UserAgentWeComAndroid))
	check(PageBadDomain, open(b.inWeCom("redirect_uri", "https://evil.example/"), UserAgentWeComAndroid))
	check(PageBadCallback, open(b.webLink("redirect_uri", "https://evil.example/"), UserAgentBrowser))
	check(PageOldLinkFailed, open(b.base+pathWebLoginOld, UserAgentBrowser))
	check(PageExpired, string(b.post(pathWebConfirm, values("key", "none")).raw))
	check(PageConsoleUnknown, string(b.get(consolePath+"/none/apps").raw))

	key := func() string {
		page := shown{body: open(b.webLink(), UserAgentBrowser)}
		return page.value(keyMark)
	}
	check(PageScanned, string(b.post(pathWebConfirm, values("key", key(), "phone", "1", "person", corpID+"/zhangsan")).raw))
	check(PageRefused, string(b.post(pathWebConfirm, values("key", key(), "answer", "deny")).raw))

	// Whom the app does not see is offered whom it sees, and the same link again.
	waiting := key()
	outside := string(b.post(pathWebConfirm, values("key", waiting, "person", corpID+"/hidden")).raw)
	check(PageNoPermission, outside)
	// LiSi is disabled and qianqi has left.
	want := map[string]string{corpID + "/zhangsan": "张三 zhangsan · 13800000001"}
	if got := people(outside); !maps.Equal(got, want) {
		t.Errorf("offered are %v", got)
	}
	if !strings.Contains(outside, `href="`+consolePath+"/"+corpID+"/apps/"+appA+`#range"`) {
		t.Error("the page does not lead to the visible range")
	}
	if got := b.post(pathWebConfirm, values("key", waiting, "phone", "", "person", corpID+"/zhangsan")); !strings.HasPrefix(got.header.Get("Location"), redirect+"&code=") {
		t.Errorf("the same code as somebody else leads to %q", got.header.Get("Location"))
	}
	cookie, err := b.As("hidden")
	must(t, err)
	link, err := url.Parse(b.inWeCom("scope", scopePrivateInfo))
	must(t, err)
	visit := &visit{sim: b.Simulator, visitor: Browser{UserAgent: UserAgentWeComAndroid}, cookie: cookie}
	page, _, err := visit.open(t.Context(), http.MethodGet, link.RequestURI(), nil)
	must(t, err)
	check(PageNoPermission, page.body)
	if got := people(page.body); !maps.Equal(got, want) || page.value(returnMark) != link.RequestURI() {
		t.Errorf("offered are %v, and then %q", got, page.value(returnMark))
	}

	must(t, b.ChangeApp(corpID, appA, func(a *App) { a.VisibleUserIDs = []string{} }))
	page, _, err = visit.open(t.Context(), http.MethodGet, link.RequestURI(), nil)
	must(t, err)
	if len(people(page.body)) != 0 || !strings.Contains(page.body, "Nobody fits at present") {
		t.Error("with an empty range somebody is offered")
	}
	must(t, b.SetEnabled(corpID, appA, false))
	disabled := open(b.inWeCom(), UserAgentWeComAndroid)
	check(PageAppDisabled, disabled)
	if !strings.Contains(disabled, `href="`+consolePath+"/"+corpID+"/apps/"+appA+`#state"`) {
		t.Error("the page does not lead to the app's state")
	}
	if len(texts) != 12 {
		t.Errorf("%d pages were seen", len(texts))
	}
}

var returnMark = regexp.MustCompile(`name="return" value="([^"]+)"`)

func TestFaultyConfiguration(t *testing.T) {
	err := Config{Corps: []Corp{
		{ID: "ww1", Apps: []App{{AgentID: "x"}, {AgentID: "1", Secret: "s", TrustedDomain: "https://a"}, {AgentID: "1", Secret: "s", Fields: []Field{"name"}}}},
		{ID: "ww1", Members: []Member{{UserID: "a"}, {UserID: "A", Status: 3}, {UserID: "a/b"}}, Outsiders: []Outsider{{}}},
		{},
	}}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`AgentID "x" is no number`, "app x has no secret", `domain "https://a"`, "AgentID 1 is there twice", `unknown field "name"`,
		"corp ww1 is there twice", `UserID "A" is there twice`, "unknown status 3", `bad UserID "a/b"`, `bad OpenID ""`, "corp has no ID",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}
