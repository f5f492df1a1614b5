package wecomsim

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
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
	link := b.inClient("scope", scopePrivateInfo)
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
	if _, location = open(http.MethodGet, b.inClient(), nil); !strings.HasPrefix(location, redirect+"&code=") {
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
	browser := &visit{sim: b.Simulator, visitor: Visitor{UserAgent: UserAgentBrowser}, cookie: &http.Cookie{Name: "other", Value: "x"}}
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
	b := newBench(t, nil)
	for _, path := range []string{"/wecomsim/client", pathConsent, pathWebConfirm, "/wecomsim/consents/forget"} {
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
	b := newBench(t, nil)
	for _, target := range []string{"/wecomsim/", "/wecomsim/avatar?name=%3Cscript%3E", "/wecomsim/avatar", "/wecomsim/assets/style.css", "/wecomsim/assets/weblogin.js"} {
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
	callback, err := sim.Follow(t.Context(), link, Visitor{UserID: "zhangsan", UserAgent: UserAgentBrowser})
	checkVisit(t, callback, err, "", 0, "http://127.0.0.1:3000/callback/demo?code=CODE&state=A")
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
	for _, want := range []string{
		`AgentID "x" is no number`, "app x has no secret", `domain "https://a"`, "AgentID 1 is there twice", `unknown field "name"`,
		"corp ww1 is there twice", `UserID "A" is there twice`, "unknown status 3", `bad UserID "a/b"`, `bad OpenID ""`, "corp has no ID",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}
