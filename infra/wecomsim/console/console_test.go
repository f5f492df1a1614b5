package console_test

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim/console"
)

const (
	corpID = "ww0123456789abcdef"
	appID  = "1000002"
	secret = "secret-of-the-app"
)

// harness is a simulator with a console, as seen from a browser and from the
// API, with a site whose domain can be proven.
type harness struct {
	*wecomsim.Simulator

	t       *testing.T
	now     time.Time
	browser *testbrowser.Browser
	// site answers at domain, which is not an IP address.
	site   http.Handler
	domain string
}

func newHarness(t *testing.T, change func(*wecomsim.Config)) *harness {
	t.Helper()
	h := &harness{t: t, now: time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC), site: http.NotFoundHandler()}
	config := wecomsim.Config{
		Now: func() time.Time { return h.now }, Console: console.New,
		Corps: []wecomsim.Corp{{
			ID: corpID, Name: "示例公司",
			Apps:    []wecomsim.App{{AgentID: appID, Secret: secret, TrustedDomain: "id.example.com", CallbackDomain: "login.example.com"}},
			Members: []wecomsim.Member{{UserID: "zhangsan", Name: "张三", Mobile: "13800000001"}, {UserID: "LiSi", Name: "李四"}},
		}},
	}
	if change != nil {
		change(&config)
	}
	h.Simulator = wecomsim.New(config)
	h.browser = testbrowser.New(testbrowser.Config{URL: h.Start(t)})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.site.ServeHTTP(w, r) }))
	t.Cleanup(site.Close)
	h.domain = strings.Replace(strings.TrimPrefix(site.URL, "http://"), "127.0.0.1", "localhost", 1)
	return h
}

type answer = testbrowser.Answer

func (h *harness) get(target string) answer { return h.browser.Send(h.t, http.MethodGet, target) }

func (h *harness) post(target string, form url.Values, options ...testbrowser.Option) answer {
	return h.browser.Send(h.t, http.MethodPost, target, append(options, testbrowser.Body("application/x-www-form-urlencoded", form.Encode()))...)
}

// saved posts a form that is to be saved, and returns the page it leads to.
func (h *harness) saved(target string, form url.Values) string {
	h.t.Helper()
	got := h.post(target, form)
	location, _, _ := strings.Cut(got.Header.Get("Location"), "#")
	if got.Status != http.StatusSeeOther || location == "" {
		h.t.Fatalf("%s with %v: %d to %q, %s", target, form, got.Status, location, alert(got))
	}
	return h.get(location).Body
}

// api calls the API and returns the fields of the answer.
func (h *harness) api(path string, pairs ...string) map[string]any {
	h.t.Helper()
	var fields map[string]any
	must(h.t, json.Unmarshal([]byte(h.get(path+"?"+values(pairs...).Encode()).Body), &fields))
	return fields
}

// agent gets an app by its secret, as the app itself does.
func (h *harness) agent(corpID, agentID, secret string) map[string]any {
	h.t.Helper()
	token, _ := h.api(wecomsim.PathGetToken, "corpid", corpID, "corpsecret", secret)["access_token"].(string)
	return h.api(wecomsim.PathGetAgent, "access_token", token, "agentid", agentID)
}

func (h *harness) app() wecomsim.App { return h.Corps()[0].Apps[0] }

func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var (
	alertMark = regexp.MustCompile(`role="alert">([^<]*)<br><small lang="en">([^<]*)<`)
	wholeMark = regexp.MustCompile(`<code class="whole">([^<]+)</code>`)
)

// alert is the refusal on a page, in both languages.
func alert(a answer) string {
	found := alertMark.FindStringSubmatch(a.Body)
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1] + " / " + found[2])
}

// whole are the values on a page that can be copied.
func whole(page string) []string {
	var found []string
	for _, m := range wholeMark.FindAllStringSubmatch(page, -1) {
		found = append(found, m[1])
	}
	return found
}

// serve answers every path with a status and a body.
func serve(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// TestSetUpFromZero sets a new app up by forms, in the order of the pages, and
// then signs a member in.
func TestSetUpFromZero(t *testing.T) {
	h := newHarness(t, func(c *wecomsim.Config) {
		demo := wecomsim.Demo("localhost:1", "http://localhost:1/", "")
		c.Corps, c.Choices = demo.Corps, demo.Choices
	})
	const corp = wecomsim.SecondDemoCorpID
	const base = wecomsim.ConsolePath + "/" + corp
	for _, link := range []struct{ page, to string }{
		{"/wecomsim/", wecomsim.ConsolePath}, {wecomsim.ConsolePath, base + "/apps"}, {base + "/apps", base + "/new-app"}, {base + "/new-app", base + "/company"},
	} {
		if !strings.Contains(h.get(link.page).Body, `href="`+link.to+`"`) {
			t.Errorf("%s does not lead to %s", link.page, link.to)
		}
	}
	if got := whole(h.get(base + "/company").Body); !slices.Equal(got, []string{corp}) {
		t.Fatalf("the company's page shows %q", got)
	}

	page := h.saved(base+"/apps", values("name", " 报销 ", "member", "ZHANG.SAN"))
	shown := whole(page)
	if len(shown) != 2 || shown[0] != "1000003" || len(shown[1]) != 43 || !strings.Contains(page, "报销") || !strings.Contains(page, "应用已创建") {
		t.Fatalf("the new app's page shows %q", shown)
	}
	const path = base + "/apps/1000003"
	appSecret := shown[1]
	if got := h.agent(corp, "1000003", appSecret); got["errcode"] != 60020.0 {
		t.Fatalf("a new app answers %v", got)
	}
	h.saved(path+"/login", values("domain", h.domain))
	h.saved(path+"/fields", values("field", "mobile", "field", "avatar"))
	h.saved(path+"/home", values("phone", "https://"+h.domain+"/m", "desktop", "https://"+h.domain+"/admin"))

	file := h.get(path + "/domain-file")
	name := strings.TrimSuffix(strings.TrimPrefix(file.Header.Get("Content-Disposition"), `attachment; filename="`), `"`)
	if name != "WW_verify_"+file.Body+".txt" || !regexp.MustCompile(`^[A-Za-z0-9]{16}$`).MatchString(file.Body) || !strings.Contains(page, name) {
		t.Fatalf("the file is %q with %q", name, file.Body)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /"+name, serve(200, file.Body))
	h.site = mux
	if page = h.saved(path+"/web", values("domain", " "+h.domain+" ")); !strings.Contains(page, "校验通过") {
		t.Error("the page does not say that the file was found")
	}
	if page = h.saved(path+"/ips", values("ips", "127.0.0.1")); !strings.Contains(page, "立即生效。<br>") {
		t.Error("the page does not say when the addresses take effect")
	}

	got := h.agent(corp, "1000003", appSecret)
	for field, want := range map[string]any{"errcode": 0.0, "name": "报销", "redirect_domain": h.domain, "home_url": "https://" + h.domain + "/m"} {
		if got[field] != want {
			t.Errorf("%s is %v, want %v", field, got[field], want)
		}
	}
	link := "/connect/oauth2/authorize?" + values("appid", corp, "redirect_uri", "http://"+h.domain+"/callback", "response_type", "code",
		"scope", "snsapi_privateinfo", "state", "A", "agentid", "1000003").Encode() + "#wechat_redirect"
	callback, err := h.Follow(t.Context(), link, wecomsim.Browser{UserID: corp + "/zhang.san"})
	must(t, err)
	u, err := url.Parse(callback)
	must(t, err)
	token, _ := h.api(wecomsim.PathGetToken, "corpid", corp, "corpsecret", appSecret)["access_token"].(string)
	if info := h.api(wecomsim.PathGetUserInfo, "access_token", token, "code", u.Query().Get("code")); info["userid"] != "zhang.san" || info["user_ticket"] == nil {
		t.Errorf("the member is %v", info)
	}
}

func TestForms(t *testing.T) {
	many := make([]string, 121)
	for i := range many {
		many[i] = fmt.Sprintf("198.51.100.%d", i+1)
	}
	loopback := func(c *wecomsim.Config) { c.Choices.LoopbackTrustedIPs = true }
	noDomain := func(c *wecomsim.Config) { c.Corps[0].Apps[0].TrustedDomain = "" }
	callbackDomain := func(a wecomsim.App) any { return a.CallbackDomain }
	visibleRange := func(a wecomsim.App) any { return a.VisibleUserIDs }
	fields := func(a wecomsim.App) any { return a.Fields }
	disabled := func(a wecomsim.App) any { return a.Disabled }
	homepages := func(a wecomsim.App) any { return a.HomeURL + " " + a.DesktopHomeURL }
	nextIPs := func(a wecomsim.App) any { return strings.Join(a.NextTrustedIPs.IPs, ";") }
	const (
		badDomain = "域名格式不正确：只能包含字母、数字、“-”和“.”，非默认端口写在冒号后。 / This is not a domain: it consists of letters, digits, \"-\" and \".\", and of a colon and the port if that is not the default."
		notOneIP  = "“%s”不是单个 IP 地址：不支持网段、通配符和域名，多个地址用英文分号“;”分隔。 / \"%[1]s\" is not a single address. Ranges, wildcards and names are not supported; separate addresses with \";\"."
		notPublic = "“%s”不是公网 IP。 / \"%[1]s\" is not a public address."
		badScheme = "只填写域名，不带 http:// 或 https://，也不带路径。 / Enter only the domain, without http:// or https:// and without a path."
	)
	tests := []struct {
		rule    string
		change  func(*wecomsim.Config)
		section string
		form    url.Values
		// saved is what the app has afterwards; refused is the page's answer.
		saved         func(wecomsim.App) any
		want, refused string
	}{
		{rule: "callback domain", section: "login", form: values("domain", "signin.example.com:8443"), saved: callbackDomain, want: "signin.example.com:8443"},
		{rule: "callback domain removed", section: "login", form: values("domain", ""), saved: callbackDomain, want: ""},
		{rule: "callback domain with a scheme", section: "login", form: values("domain", "https://signin.example.com"), refused: badScheme},
		{rule: "callback domain with port 0", section: "login", form: values("domain", "signin.example.com:0"), refused: badDomain},
		{rule: "trusted domain: an IP address", section: "web", form: values("domain", "127.0.0.1:3000"), refused: "域名不能是 IP 地址。 / An IP address is not a domain."},
		{rule: "trusted domain: an IPv6 address", section: "web", form: values("domain", "[::1]:3000"), refused: "域名不能是 IP 地址。 / An IP address is not a domain."},
		{rule: "trusted domain: a scheme", section: "web", form: values("domain", "http://localhost"), refused: badScheme},
		{rule: "trusted domain: an underscore", section: "web", form: values("domain", "a_b.example.com"), refused: badDomain},
		{rule: "trusted domain: letters of another alphabet", section: "web", form: values("domain", "例子.example.com"), refused: badDomain},
		{rule: "trusted domain: a wildcard", section: "web", form: values("domain", "*.example.com"), refused: badDomain},
		{rule: "trusted domain: a port that is not a number", section: "web", form: values("domain", "localhost:http"), refused: badDomain},
		{rule: "trusted domain: empty", section: "web", form: values(), refused: "请填写域名。 / Enter the domain."},

		{rule: "IP: two addresses", section: "ips", form: values("ips", "203.0.113.5; 203.0.113.6;"), saved: nextIPs, want: "203.0.113.5;203.0.113.6"},
		{rule: "IP: 120 addresses", section: "ips", form: values("ips", strings.Join(many[:120], ";")), saved: nextIPs, want: strings.Join(many[:120], ";")},
		{rule: "IP: 121 addresses", section: "ips", form: values("ips", strings.Join(many, ";")), refused: "最多 120 个 IP，现有 121 个。 / There can be at most 120 addresses, not 121."},
		{
			rule: "IP: neither trusted domain nor message URL set", change: noDomain, section: "ips", form: values("ips", "203.0.113.5"),
			refused: "请先设置可信域名或接收消息服务器 URL，再设置企业可信 IP。 / Set the trusted domain or the message server URL first.",
		},
		{rule: "IP: only a message URL set", change: func(c *wecomsim.Config) {
			noDomain(c)
			c.Corps[0].Apps[0].Receiver = wecomsim.Receiver{URL: "https://x.example/", Token: "t", EncodingAESKey: strings.Repeat("a", 43)}
		}, section: "ips", form: values("ips", "203.0.113.5"), saved: nextIPs, want: "203.0.113.5"},
		{rule: "IP: range", section: "ips", form: values("ips", "203.0.113.0/24"), refused: fmt.Sprintf(notOneIP, "203.0.113.0/24")},
		{rule: "IP: wildcard", section: "ips", form: values("ips", "203.0.113.*"), refused: fmt.Sprintf(notOneIP, "203.0.113.*")},
		{rule: "IP: separated by a comma", section: "ips", form: values("ips", "203.0.113.5,203.0.113.6"), refused: fmt.Sprintf(notOneIP, "203.0.113.5,203.0.113.6")},
		{rule: "IP: IPv6", section: "ips", form: values("ips", "2001:db8::1"), refused: "“2001:db8::1”不是 IPv4 地址。 / \"2001:db8::1\" is not an IPv4 address."},
		{rule: "IP: private", section: "ips", form: values("ips", "10.0.0.1"), refused: fmt.Sprintf(notPublic, "10.0.0.1")},
		{rule: "IP: loopback", section: "ips", form: values("ips", "127.0.0.1"), refused: fmt.Sprintf(notPublic, "127.0.0.1")},
		{rule: "IP: loopback, switched", change: loopback, section: "ips", form: values("ips", "127.0.0.1; ::1"), saved: nextIPs, want: "127.0.0.1;::1"},
		{rule: "IP: private, with loopback switched", change: loopback, section: "ips", form: values("ips", "10.0.0.1"), refused: fmt.Sprintf(notPublic, "10.0.0.1")},

		{rule: "range: members", section: "range", form: values("member", "ZHANGSAN", "member", "lisi"), saved: visibleRange, want: "[zhangsan LiSi]"},
		{rule: "range: empty", section: "range", form: values(), saved: func(a wecomsim.App) any { return a.VisibleUserIDs != nil && len(a.VisibleUserIDs) == 0 }, want: "true"},
		{rule: "range: the whole company", section: "range", form: values("everyone", "yes", "member", "lisi"), saved: func(a wecomsim.App) any { return a.VisibleUserIDs == nil }, want: "true"},
		{rule: "range: an unknown member", section: "range", form: values("member", "nobody"), refused: "可见范围内有不存在的成员。 / The visible range contains an unknown member."},
		{rule: "details", section: "fields", form: values("field", "mobile", "field", "address"), saved: fields, want: "[mobile address]"},
		{rule: "no details", section: "fields", form: values(), saved: fields, want: "[]"},
		{rule: "the name is not a detail", section: "fields", form: values("field", "name"), refused: "没有这个字段。 / There is no such detail."},
		{rule: "disabled", section: "state", form: values("enabled", "no"), saved: disabled, want: "true"},
		{rule: "enabled", section: "state", form: values("enabled", "yes"), saved: disabled, want: "false"},
		{rule: "homepage for phones only", section: "home", form: values("phone", " https://a.example/m ", "desktop", ""), saved: homepages, want: "https://a.example/m "},
		{rule: "homepage for desktops only", section: "home", form: values("desktop", "https://a.example/"), refused: "请先填写手机端主页。 / Set the homepage for phones first."},
		{
			rule: "homepage that is a script", section: "home", form: values("phone", "javascript:alert(1)"),
			refused: "主页必须是完整的网址，以 https:// 或 http:// 开头。 / A homepage must be a full address that begins with https:// or http://.",
		},
	}
	path := wecomsim.ConsoleAppPath(corpID, appID)
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, test.change)
			before := fmt.Sprintf("%+v", h.app())
			got := h.post(path+"/"+test.section, test.form)
			if test.saved != nil {
				location, value := path+"?saved="+test.section+"#"+test.section, fmt.Sprint(test.saved(h.app()))
				if got.Status != http.StatusSeeOther || got.Header.Get("Location") != location || value != test.want {
					t.Fatalf("got %d to %q and %q, want %q; %s", got.Status, got.Header.Get("Location"), value, test.want, alert(got))
				}
				return
			}
			if got.Status != http.StatusUnprocessableEntity || alert(got) != test.refused {
				t.Fatalf("got %d %s\nwant %s", got.Status, alert(got), test.refused)
			}
			if after := fmt.Sprintf("%+v", h.app()); after != before {
				t.Fatalf("something was saved: %s", after)
			}
		})
	}
}

func TestDomainFile(t *testing.T) {
	const failed = "域名归属校验失败："
	probe := newHarness(t, nil)
	path := wecomsim.ConsoleAppPath(corpID, appID)
	file := probe.get(path + "/domain-file").Body
	tests := []struct {
		rule string
		site http.HandlerFunc
		// refused is a part of the page's answer; empty means saved.
		refused string
	}{
		{"status 200 and exactly the 16 characters", serve(200, file), ""},
		{"a newline at the end", serve(200, file+"\n"), "is not exactly the 16 characters of the file name."},
		{"a byte order mark", serve(200, "\ufeff"+file), "is not exactly the 16 characters of the file name."},
		{"other characters", serve(200, strings.ToLower(file)), "is not exactly the 16 characters of the file name."},
		{"empty", serve(200, ""), "is not exactly the 16 characters of the file name."},
		{"status 404", serve(404, file), "answers HTTP 404, not 200."},
		{"status 206", serve(206, file), "answers HTTP 206, not 200."},
		{"a redirect", http.RedirectHandler("/elsewhere", http.StatusFound).ServeHTTP, "answers with a redirect (HTTP 302), which is not followed."},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, nil)
			h.site = test.site
			got := h.post(path+"/web", values("domain", h.domain))
			if test.refused == "" {
				if got.Status != http.StatusSeeOther || h.app().TrustedDomain != h.domain {
					t.Fatalf("got %d %s", got.Status, alert(got))
				}
				return
			}
			address := "http://" + h.domain + "/WW_verify_" + file + ".txt"
			if got.Status != http.StatusUnprocessableEntity || !strings.HasPrefix(alert(got), failed) || !strings.Contains(alert(got), address+" "+test.refused) ||
				!strings.Contains(got.Body, `value="`+h.domain+`"`) || h.app().TrustedDomain != "id.example.com" {
				t.Fatalf("got %d %s", got.Status, alert(got))
			}
		})
	}
	t.Run("no answer", func(t *testing.T) {
		got := newHarness(t, nil).post(path+"/web", values("domain", "localhost:1"))
		if got.Status != http.StatusUnprocessableEntity || !strings.Contains(alert(got), "nothing answers at http://localhost:1/WW_verify_") {
			t.Fatalf("got %d %s", got.Status, alert(got))
		}
	})
}

func TestTrustedIPsWorkAfterAMinute(t *testing.T) {
	h := newHarness(t, func(c *wecomsim.Config) { c.Corps[0].Apps[0].TrustedIPs = []string{} })
	h.SetCallerIP("203.0.113.5")
	path := wecomsim.ConsoleAppPath(corpID, appID)
	call := func() any { return h.agent(corpID, appID, secret)["errcode"] }
	if page := h.get(path).Body; !strings.Contains(page, "所有接口都返回 60020") || call() != 60020.0 {
		t.Error("an empty list trusts an address, or the page does not say that it does not")
	}
	page := h.saved(path+"/ips", values("ips", "203.0.113.5; 203.0.113.7"))
	if !strings.Contains(page, "已保存，约 1 分钟后生效。") || !strings.Contains(page, "<code>203.0.113.5;203.0.113.7</code>") || call() != 60020.0 {
		t.Error("the list takes effect at once, or the page does not say when")
	}
	h.now = h.now.Add(wecomsim.TrustedIPDelay)
	if page = h.get(path).Body; strings.Contains(page, "起生效") || !strings.Contains(page, ">203.0.113.5;203.0.113.7</textarea>") || call() != 0.0 {
		t.Error("after 60 s the list has no effect, or the page does not show it")
	}
	h.saved(path+"/ips", values("ips", "203.0.113.6"))
	if got := call(); got != 0.0 {
		t.Errorf("the removal takes effect at once: %v", got)
	}
	h.now = h.now.Add(wecomsim.TrustedIPDelay)
	if got := call(); got != 60020.0 {
		t.Errorf("after 60 s more: %v", got)
	}
}

func TestResetOfTheSecret(t *testing.T) {
	h := newHarness(t, nil)
	token, _ := h.api(wecomsim.PathGetToken, "corpid", corpID, "corpsecret", secret)["access_token"].(string)
	shown := whole(h.saved(wecomsim.ConsoleAppPath(corpID, appID)+"/secret", nil))
	if len(shown) < 2 || len(shown[1]) != 43 {
		t.Fatalf("the page shows %q", shown)
	}
	if got := h.api(wecomsim.PathGetToken, "corpid", corpID, "corpsecret", secret)["errcode"]; got != 40001.0 {
		t.Errorf("the old secret answers %v", got)
	}
	if got := h.api(wecomsim.PathGetAgent, "access_token", token, "agentid", appID)["errcode"]; got != 40014.0 {
		t.Errorf("the old token answers %v", got)
	}
	if got := h.agent(corpID, appID, shown[1])["errcode"]; got != 0.0 {
		t.Errorf("the new secret answers %v", got)
	}
}

func TestNewAppHasNothingSet(t *testing.T) {
	h := newHarness(t, nil)
	base := wecomsim.ConsolePath + "/" + corpID
	for name, want := range map[string]string{
		" ":                     "请填写应用名称。 / Enter the name of the app.",
		strings.Repeat("名", 33): "应用名称最多 32 个字。 / The name can have at most 32 characters.",
	} {
		got := h.post(base+"/apps", values("name", name, "member", "LiSi"))
		if got.Status != http.StatusUnprocessableEntity || alert(got) != want || !strings.Contains(got.Body, `value="LiSi" checked`) || len(h.Corps()[0].Apps) != 1 {
			t.Errorf("%q: %d %s", name, got.Status, alert(got))
		}
	}
	h.saved(base+"/apps", values("name", "报销", "everyone", "yes"))
	app := h.Corps()[0].Apps[1]
	app.Secret = ""
	want := wecomsim.App{AgentID: "1000003", Name: "报销", TrustedIPs: []string{}}
	if fmt.Sprintf("%#v", app) != fmt.Sprintf("%#v", want) {
		t.Errorf("got %#v, want %#v", app, want)
	}
}

func TestUnknownAddresses(t *testing.T) {
	h := newHarness(t, nil)
	base, app := wecomsim.ConsolePath+"/"+corpID, wecomsim.ConsoleAppPath(corpID, appID)
	unknown := wecomsim.ConsolePath + "/wwnone"
	for _, path := range []string{unknown + "/apps", unknown + "/company", base + "/apps/1", base + "/apps/1/domain-file", base, app + "/other/one"} {
		if got := h.get(path); got.Status != http.StatusNotFound || !strings.Contains(got.Body, `data-page="console-unknown"`) || !strings.Contains(got.Body, `href="/wecomsim/"`) {
			t.Errorf("GET %s: %d", path, got.Status)
		}
	}
	for _, path := range []string{unknown + "/apps", app + "/nothing", base + "/apps/1/range"} {
		if got := h.post(path, values("name", "x")); got.Status != http.StatusNotFound || !strings.Contains(got.Body, `data-page="console-unknown"`) {
			t.Errorf("POST %s: %d", path, got.Status)
		}
	}
	if got := h.get(app + "/web").Header.Get("Location"); got != app+"#web" {
		t.Errorf("a form opened again leads to %q", got)
	}
}

func TestPagesOfAnotherSiteMayNotPost(t *testing.T) {
	h := newHarness(t, nil)
	for _, path := range []string{wecomsim.ConsolePath + "/" + corpID + "/apps", wecomsim.ConsoleAppPath(corpID, appID) + "/secret", contactsPath, contactsPath + "/zhangsan/dismiss"} {
		if got := h.post(path, values("name", "x"), testbrowser.Header("Sec-Fetch-Site", "cross-site")); got.Status != http.StatusForbidden {
			t.Errorf("%s: %d", path, got.Status)
		}
	}
}

func TestPagesNeedNoForeignHost(t *testing.T) {
	h := newHarness(t, nil)
	base := wecomsim.ConsolePath + "/" + corpID
	source := regexp.MustCompile(`(?:src|href|action)="([^"]*)"`)
	for _, path := range []string{wecomsim.ConsolePath, base + "/company", base + "/apps", base + "/new-app", base + "/new-member", contactsPath, contactsPath + "/zhangsan", wecomsim.ConsoleAppPath(corpID, appID)} {
		got := h.get(path)
		for _, m := range source.FindAllStringSubmatch(got.Body, -1) {
			if !strings.HasPrefix(m[1], "/") && !strings.HasPrefix(m[1], "#") || strings.HasPrefix(m[1], "//") {
				t.Errorf("%s loads or leads to %s", path, m[1])
			}
		}
		if policy := got.Header.Get("Content-Security-Policy"); got.Status != http.StatusOK || !strings.HasPrefix(policy, "default-src 'none'") {
			t.Errorf("%s: %d, policy %q", path, got.Status, policy)
		}
	}
}
