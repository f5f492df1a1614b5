package wecomsim

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
)

var wholeMark = regexp.MustCompile(`<code class="whole">([^<]+)</code>`)

// site is a domain that files can be put on. It stands for the service.
type site struct {
	mu    sync.Mutex
	files map[string]string
}

func (s *site) put(path, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[path] = body
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, ok := s.files[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = fmt.Fprint(w, body)
}

// startSite returns a site and its domain, which is no IP address.
func startSite(t *testing.T) (*site, string) {
	t.Helper()
	s := &site{files: map[string]string{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	return s, "localhost:" + port
}

func demoBench(t *testing.T, config Config) *bench {
	t.Helper()
	sim := New(config)
	return &bench{Simulator: sim, t: t, base: sim.Start(t), client: newBench(t, nil).client}
}

// post sends a form as a browser does from the simulator's own page.
func (b *bench) post(path string, form url.Values) answer {
	b.t.Helper()
	return b.do(http.MethodPost, path, nil, form.Encode(), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"},
	})
}

// saved posts a form that is to be saved, and opens where it leads.
func (b *bench) saved(path string, form url.Values) string {
	b.t.Helper()
	got := b.post(path, form)
	location, _, _ := strings.Cut(got.header.Get("Location"), "#")
	if got.status != http.StatusSeeOther || location == "" {
		b.t.Fatalf("%s with %v: %d to %q, %s", path, form, got.status, location, alert(got))
	}
	return b.page(location)
}

func (b *bench) page(target string) string {
	b.t.Helper()
	path, query, _ := strings.Cut(target, "?")
	parsed, err := url.ParseQuery(query)
	must(b.t, err)
	got := b.do(http.MethodGet, path, parsed, "", nil)
	if got.status != http.StatusOK {
		b.t.Fatalf("%s: %d", target, got.status)
	}
	return string(got.raw)
}

var alertMark = regexp.MustCompile(`role="alert">([^<]*)<br><small lang="en">([^<]*)<`)

// alert is the refusal on a page, in both languages.
func alert(a answer) string {
	found := alertMark.FindSubmatch(a.raw)
	if found == nil {
		return ""
	}
	return html.UnescapeString(string(found[1]) + " / " + string(found[2]))
}

// TestSetUpFromZero does the whole set-up of a new app by forms, in the order of
// the pages, and then signs a member in.
func TestSetUpFromZero(t *testing.T) {
	service, domain := startSite(t)
	b := demoBench(t, Demo("localhost:1", "http://localhost:1/", ""))
	for page, link := range map[string]string{
		"/wecomsim/":        "/wecomsim/console",
		"/wecomsim/console": "/wecomsim/console/" + SecondDemoCorpID + "/apps",
		consolePath + "/" + SecondDemoCorpID + "/apps":    consolePath + "/" + SecondDemoCorpID + "/new-app",
		consolePath + "/" + SecondDemoCorpID + "/new-app": consolePath + "/" + SecondDemoCorpID + "/company",
	} {
		if !strings.Contains(b.page(page), `href="`+link+`"`) {
			t.Errorf("%s does not lead to %s", page, link)
		}
	}
	company := wholeMark.FindStringSubmatch(b.page(consolePath + "/" + SecondDemoCorpID + "/company"))
	if company == nil || company[1] != SecondDemoCorpID {
		t.Fatalf("the company's page shows %q", company)
	}

	page := b.saved(consolePath+"/"+SecondDemoCorpID+"/apps", url.Values{"name": {" 报销 "}, "member": {"zhang.san"}})
	shown := wholeMark.FindAllStringSubmatch(page, 2)
	if len(shown) != 2 || shown[0][1] != "1000003" || !strings.Contains(page, "报销") || !strings.Contains(page, "应用已创建") {
		t.Fatalf("the new app's page shows %q", shown)
	}
	secret, path := shown[1][1], consolePath+"/"+SecondDemoCorpID+"/apps/1000003"
	token := func() string {
		got := b.get(PathGetToken, "corpid", SecondDemoCorpID, "corpsecret", secret)
		word, _ := got.fields["access_token"].(string)
		return word
	}
	if got := b.get(PathGetAgent, "access_token", token(), "agentid", "1000003"); got.errcode != 60020 {
		t.Fatalf("a new app answers %s", got.raw)
	}

	b.saved(path+"/login", url.Values{"domain": {domain}})
	early := b.post(path+"/ips", url.Values{"ips": {"127.0.0.1"}})
	if want := "请先设置可信域名或接收消息服务器 URL，再设置企业可信 IP。 / Set the trusted domain or the message server URL first."; early.status != http.StatusUnprocessableEntity || alert(early) != want {
		t.Errorf("trusted IPs before the domain: %d %s", early.status, alert(early))
	}

	file := b.get(path + "/domain-file")
	name := strings.TrimSuffix(strings.TrimPrefix(file.header.Get("Content-Disposition"), `attachment; filename="`), `"`)
	if name != "WW_verify_"+string(file.raw)+".txt" || len(file.raw) != 16 || !strings.Contains(page, name) {
		t.Fatalf("the file is %q with %q", name, file.raw)
	}
	missing := b.post(path+"/web", url.Values{"domain": {domain}})
	if missing.status != http.StatusUnprocessableEntity || !strings.Contains(alert(missing), "http://"+domain+"/"+name+" answers HTTP 404, not 200.") ||
		!strings.Contains(string(missing.raw), `value="`+domain+`"`) {
		t.Errorf("no file there: %d %s", missing.status, alert(missing))
	}
	service.put("/"+name, string(file.raw))
	if page = b.saved(path+"/web", url.Values{"domain": {" " + domain + " "}}); !strings.Contains(page, "校验通过") {
		t.Error("the page does not say that the domain was found right")
	}
	if page = b.saved(path+"/ips", url.Values{"ips": {"127.0.0.1"}}); !strings.Contains(page, "立即生效。<br>") {
		t.Error("the page does not say when the addresses work")
	}
	b.saved(path+"/fields", url.Values{"field": {"mobile", "avatar"}})
	b.saved(path+"/home", url.Values{"phone": {"https://" + domain + "/m"}, "desktop": {"https://" + domain + "/admin"}})

	got := b.get(PathGetAgent, "access_token", token(), "agentid", "1000003")
	want := `{"agentid":1000003,"allow_partys":{"partyid":[]},"allow_tags":{"tagid":[]},"allow_userinfos":{"user":[{"userid":"zhang.san"}]},` +
		`"close":0,"description":"","errcode":0,"errmsg":"ok","home_url":"https://` + domain + `/m","isreportenter":0,"name":"报销",` +
		`"redirect_domain":"` + domain + `","report_location_flag":0,"square_logo_url":"` + b.base + `/wecomsim/avatar?name=%E6%8A%A5%E9%94%80"}`
	if string(got.raw) != want {
		t.Errorf("agent/get answers\n%s\nwant\n%s", got.raw, want)
	}

	for userAgent, home := range map[string]string{UserAgentWeComAndroid: "/m", UserAgentWeComIPhone: "/m", UserAgentBrowser: "/admin", UserAgentWeComMac: "/admin"} {
		opened := b.do(http.MethodPost, "/wecomsim/inside", nil, url.Values{"app": {SecondDemoCorpID + "/1000003"}}.Encode(),
			http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "User-Agent": {userAgent}})
		if location := opened.header.Get("Location"); location != "https://"+domain+home {
			t.Errorf("the workbench of %.40s leads to %q", userAgent, location)
		}
	}

	link := b.inWeCom("appid", SecondDemoCorpID, "agentid", "1000003", "redirect_uri", "http://"+domain+"/callback", "scope", scopePrivateInfo)
	code := b.codeOf(link, Browser{UserID: SecondDemoCorpID + "/zhang.san"})
	info := b.get(PathGetUserInfo, "access_token", token(), "code", code)
	ticket, _ := info.fields["user_ticket"].(string)
	detail := b.detail(token(), ticket)
	if detail.fields["userid"] != "zhang.san" || detail.fields["mobile"] != "13800000001" {
		t.Errorf("the member's details are %s", detail.raw)
	}
}

func TestConsoleForms(t *testing.T) {
	tests := []struct {
		rule    string
		section string
		form    url.Values
		// saved is what the app has afterwards; refused is the page's answer.
		saved   func(App) string
		want    string
		refused string
	}{
		{rule: "a callback domain", section: "login", form: values("domain", "signin.example.com:8443"), saved: func(a App) string { return a.CallbackDomain }, want: "signin.example.com:8443"},
		{rule: "no callback domain any more", section: "login", form: values("domain", ""), saved: func(a App) string { return a.CallbackDomain }, want: ""},
		{
			rule: "a callback domain with a scheme", section: "login", form: values("domain", "https://signin.example.com"),
			refused: "只填写域名，不带 http:// 或 https://，也不带路径。 / Enter the domain alone, without http:// or https:// and without a path.",
		},
		{
			rule: "a callback domain with port 0", section: "login", form: values("domain", "signin.example.com:0"),
			refused: "域名格式不正确：只能包含字母、数字、“-”和“.”，非默认端口写在冒号后。 / This is no domain: letters, digits, \"-\" and \".\", and a colon with the port if it is not the usual one.",
		},
		{rule: "a trusted domain that is an IP address", section: "web", form: values("domain", "127.0.0.1:3000"), refused: "域名不能是 IP 地址。 / A domain is no IP address."},
		{rule: "no trusted domain", section: "web", form: values(), refused: "请填写域名。 / Enter the domain."},
		{
			rule: "a loopback address without the choice", section: "ips", form: values("ips", "127.0.0.1"),
			refused: "“127.0.0.1”不是公网 IP。 / \"127.0.0.1\" is not public.",
		},
		{
			rule: "a list with commas", section: "ips", form: values("ips", "203.0.113.5,203.0.113.6"),
			refused: "“203.0.113.5,203.0.113.6”不是单个 IP 地址：不支持网段、通配符和域名，多个地址用英文分号“;”分隔。 / \"203.0.113.5,203.0.113.6\" is no single address: no range, wildcard or name; several are separated by \";\".",
		},
		{rule: "selected members", section: "range", form: url.Values{"member": {"hidden", "lisi"}}, saved: func(a App) string { return fmt.Sprint(a.VisibleUserIDs) }, want: "[hidden LiSi]"},
		{rule: "nobody", section: "range", form: values(), saved: func(a App) string { return fmt.Sprint(a.VisibleUserIDs != nil, len(a.VisibleUserIDs)) }, want: "true 0"},
		{rule: "the whole company", section: "range", form: values("everyone", "yes", "member", "hidden"), saved: func(a App) string { return fmt.Sprint(a.VisibleUserIDs == nil) }, want: "true"},
		{rule: "somebody else", section: "range", form: values("member", "stranger"), refused: "可见范围内有不存在的成员。 / The visible range names somebody who is no member."},
		{rule: "details", section: "fields", form: url.Values{"field": {"mobile", "address"}}, saved: func(a App) string { return fmt.Sprint(a.Fields) }, want: "[mobile address]"},
		{rule: "no details", section: "fields", form: values(), saved: func(a App) string { return fmt.Sprint(a.Fields) }, want: "[]"},
		{rule: "the name, which is no detail", section: "fields", form: values("field", "name"), refused: "没有这个字段。 / There is no such detail."},
		{rule: "disabled", section: "state", form: values("enabled", "no"), saved: func(a App) string { return fmt.Sprint(a.Disabled) }, want: "true"},
		{rule: "enabled", section: "state", form: values("enabled", "yes"), saved: func(a App) string { return fmt.Sprint(a.Disabled) }, want: "false"},
		{rule: "a homepage for phones alone", section: "home", form: values("phone", " https://a.example/m ", "desktop", ""), saved: func(a App) string { return a.HomeURL + " " + a.DesktopHomeURL }, want: "https://a.example/m "},
		{rule: "a homepage for desktops alone", section: "home", form: values("desktop", "https://a.example/"), refused: "请先填写手机端主页。 / Set the homepage for phones first."},
		{
			rule: "a homepage that is a script", section: "home", form: values("phone", "javascript:alert(1)"),
			refused: "主页必须是完整的网址，以 https:// 或 http:// 开头。 / A homepage is a whole address that begins with https:// or http://.",
		},
	}
	path := consolePath + "/" + corpID + "/apps/" + appA
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			b := newBench(t, func(c *Config) { c.Console = true })
			got := b.post(path+"/"+test.section, test.form)
			var app App
			must(t, b.ChangeApp(corpID, appA, func(a *App) { app = *a }))
			if test.saved != nil {
				location := path + "?saved=" + test.section + "#" + test.section
				if got.status != http.StatusSeeOther || got.header.Get("Location") != location || test.saved(app) != test.want {
					t.Fatalf("got %d to %q and %q, want %q; %s", got.status, got.header.Get("Location"), test.saved(app), test.want, alert(got))
				}
				return
			}
			if got.status != http.StatusUnprocessableEntity || alert(got) != test.refused {
				t.Fatalf("got %d %s\nwant %s", got.status, alert(got), test.refused)
			}
			if app.CallbackDomain != "login.example.com" || app.TrustedDomain != "id.example.com" || app.TrustedIPs != nil || app.HomeURL != "" {
				t.Fatalf("something was saved: %+v", app)
			}
		})
	}
}

func TestConsoleMakesANewSecret(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Console = true })
	old := b.token(secretA)
	page := b.saved(consolePath+"/"+corpID+"/apps/"+appA+"/secret", nil)
	shown := wholeMark.FindAllStringSubmatch(page, 2)
	if len(shown) != 2 || shown[1][1] == secretA {
		t.Fatalf("the page shows %q", shown)
	}
	if got := b.get(PathGetToken, "corpid", corpID, "corpsecret", secretA); got.errcode != 40001 {
		t.Errorf("the old secret: %s", got.raw)
	}
	if got := b.get(PathGetDomainIP, "access_token", old); got.errcode != 40014 {
		t.Errorf("the old token: %s", got.raw)
	}
	b.token(shown[1][1])
}

func TestConsoleRefusesAnAppWithoutAName(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Console = true })
	for name, want := range map[string]string{
		" ":                     "请填写应用名称。 / Enter the name of the app.",
		strings.Repeat("名", 33): "应用名称最多 32 个字。 / The name has at most 32 characters.",
	} {
		got := b.post(consolePath+"/"+corpID+"/apps", values("name", name, "member", "hidden"))
		if got.status != http.StatusUnprocessableEntity || alert(got) != want || !strings.Contains(string(got.raw), `value="hidden" checked`) {
			t.Errorf("%q: %d %s", name, got.status, alert(got))
		}
	}
}

func TestConsoleHasOnlyWhatThereIs(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Console = true })
	app := consolePath + "/" + corpID + "/apps/" + appA
	for _, path := range []string{
		consolePath + "/wwnone/apps", consolePath + "/wwnone/company", consolePath + "/" + corpID + "/apps/1", consolePath + "/" + corpID + "/apps/1/domain-file",
		consolePath + "/" + corpID, app + "/other/one",
	} {
		if got := b.get(path); got.status != http.StatusNotFound || !strings.Contains(string(got.raw), `data-page="console-unknown"`) {
			t.Errorf("GET %s: %d", path, got.status)
		}
	}
	for _, path := range []string{consolePath + "/wwnone/apps", app + "/nothing", consolePath + "/" + corpID + "/apps/1/range"} {
		if got := b.post(path, values("name", "x")); got.status != http.StatusNotFound || !strings.Contains(string(got.raw), `data-page="console-unknown"`) {
			t.Errorf("POST %s: %d", path, got.status)
		}
	}
	if got := b.get(app + "/web"); got.header.Get("Location") != app+"#web" {
		t.Errorf("a form opened again leads to %q", got.header.Get("Location"))
	}
	none := newBench(t, nil)
	if got := none.get(consolePath); got.status != http.StatusNotFound {
		t.Errorf("a simulator without a console answers %d", got.status)
	}
	if strings.Contains(none.page("/wecomsim/"), consolePath) {
		t.Error("a simulator without a console links to it")
	}
}

func TestConsoleShowsTheDelayOfTrustedIPs(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Console = true
		c.Corps[0].Apps[0].TrustedIPs = []string{}
	})
	path := consolePath + "/" + corpID + "/apps/" + appA
	if page := b.page(path); !strings.Contains(page, "所有接口都返回 60020") {
		t.Error("the page does not say what an empty list means")
	}
	page := b.saved(path+"/ips", values("ips", "203.0.113.5; 203.0.113.6"))
	if !strings.Contains(page, "已保存，约 1 分钟后生效。") || !strings.Contains(page, "<code>203.0.113.5;203.0.113.6</code>") {
		t.Error("the page does not show what was saved and when it works")
	}
	b.clock.advance(TrustedIPDelay)
	if page = b.page(path); strings.Contains(page, "起生效") || !strings.Contains(page, ">203.0.113.5;203.0.113.6</textarea>") {
		t.Error("the page does not show the list that works")
	}
}
