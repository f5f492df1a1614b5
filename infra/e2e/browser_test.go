package e2e_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

const phoneBrowser = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"

// devices are what a newcomer holds. More kinds are in the tests of single pages.
func devices() []device {
	return []device{
		{"phone in Chinese", 360, 800, true, "zh-CN,zh", phoneBrowser},
		{"desktop in English", 1440, 900, false, "en-US,en", wecomsim.UserAgentBrowser},
	}
}

// words are what pages say to the person with a device.
type words struct{ language, hello, stranger string }

func (d device) words() words {
	if strings.HasPrefix(d.language, "zh") {
		return words{"zh-CN", "你好，", "你还没有登录"}
	}
	return words{"en", "Hello, ", "You are not signed in"}
}

// notThere is a path of the service that is no page.
const notThere = "/callback/demo/more"

const authorizeLink = `a[href*="/authorize/demo"]`

func person(id string) string { return `button[value$="` + id + `"]` }

// What `make run` starts, used by somebody who sees it for the first time.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	browser := sharedBrowser(t)
	for _, d := range devices() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			local := startLocal(t)
			w := open(t, browser, d, chromedp.WithNewBrowserContext())
			say := d.words()
			stranger := seesText("h1", say.stranger)
			greets := func(name string) chromedp.Action[chromedp.Void] { return seesText("h1", say.hello+name) }

			w.do("open the service", visit(local.service), sees(authorizeLink))
			w.do("open the application", visit(local.application+"/orders?id=1"), stranger)
			w.do("go to the sign-in page", click(`#signin`), sees(authorizeLink))
			if language := w.language(); language != say.language {
				t.Errorf("the sign-in page is in %s", language)
			}
			w.do("go to WeCom", click(authorizeLink), seesWeCom("choose-member"))
			w.do("be a member", click(person("/zhangsan")), seesWeCom("consent"))
			w.do("consent", click(`button[value=agree]`), greets("张三"))
			if at := w.location(); at != local.application+"/orders?id=1" {
				t.Errorf("landed at %s", at)
			}
			w.do("check a token", click(`#token`), sees(`#claims-text`))
			var claims struct {
				WeComUserID string `json:"wecom_userid"`
				Audience    any    `json:"aud"`
			}
			if err := json.Unmarshal([]byte(w.text(`#claims-text`)), &claims); err != nil || claims.WeComUserID != "zhangsan" {
				t.Errorf("the backend read %q (%v)", w.text(`#claims-text`), err)
			}
			w.do("see the sign-in page as a member", visit(local.service+"/signin"), sees(`.person form button`))
			w.do("go on", click(`.person a.first`), greets("张三"))
			w.do("open the service as a member", visit(local.service+"/reports?year=2026"), greets("张三"))
			if at := w.location(); at != local.application+"/reports?year=2026" {
				t.Errorf("the service led to %s", at)
			}
			w.do("sign out", click(`#signout`), stranger)
			w.do("sign in again", click(`#signin`), sees(authorizeLink), click(authorizeLink), greets("张三"))
			w.do("go back", chromedp.NavigateBack(), sees(authorizeLink))
			w.do("sign out on the sign-in page", visit(local.service+"/signin"), click(`.person form button`), chromedp.WaitNotPresent(chromedp.CSS(`.person`)), sees(authorizeLink))

			be := func(id, name string) {
				t.Helper()
				w.do("be "+id, visit(local.weCom), click(`summary`), click(person(id)), seesText(`p[@class="person"]//b`, name))
			}
			be("/lisi", "李四")
			w.do("be somebody else", visit(local.service+"/authorize/demo"), seesWeCom("consent"), click(`button[value=agree]`), greets("李四"))
			w.do("open the app from the workbench", visit(local.weCom), click(`button[name=app]`), greets("李四"))

			w.do("leave the client", visit(local.weCom), click(`form[action="/wecomsim/inside"] button[value=leave]`), sees(`form[action="/wecomsim/inside"] button[value=enter]`))
			w.do("sign in by the web page", visit(local.service+"/signin?redirect=%2Freports"), click(authorizeLink), seesWeCom("web-login"), click(person("/zhangsan")), greets("张三"))
			if at := w.location(); at != local.application+"/reports" {
				t.Errorf("landed at %s", at)
			}
			w.do("sign in for the first time outside", visit(local.service+"/authorize/demo"), seesWeCom("web-login"), click(person("/WangWu")),
				seesFailure("first_sign_in_in_wecom"), sees(`#link`))
			if !d.phone {
				w.do("see the code to scan", sees(`svg.code`))
			}
			link, err := chromedp.Run(w.ctx, chromedp.Value(chromedp.CSS(`#link`)))
			if err != nil || !strings.HasPrefix(link, local.service+"/authorize/demo") {
				t.Errorf("the link to carry over is %q (%v)", link, err)
			}
			w.do("copy the link", click(`.carry [data-copy]`), sees(`.carry [data-copy]`))
			w.do("deny", visit(local.service+"/authorize/demo"), click(`button[value=deny]`), seesFailure("access_denied"))

			w.do("enter the client", visit(local.weCom), click(`button[value=enter]`), sees(`form[action="/wecomsim/inside"] button[value=leave]`))
			be("/WangWu", "王五")
			w.do("refuse", visit(local.service+"/authorize/demo"), seesWeCom("consent"), click(`button[value=refuse]`), seesFailure("access_denied"))
			w.do("share no phone", click(authorizeLink), seesWeCom("consent"), click(`input[value=mobile]`), click(`button[value=agree]`), seesFailure("phone_not_shared"))
			be("/zhaoliu", "赵六")
			w.do("have no phone", visit(local.service+"/authorize/demo"), seesWeCom("consent"), click(`button[value=agree]`), seesFailure("phone_not_shared"))
			be("/sunqi", "孙七")
			w.do("be disabled", visit(local.service+"/authorize/demo"), seesWeCom("consent"), click(`button[value=agree]`), seesFailure("user_disabled"))
			be("/partner", "上游伙伴")
			w.do("be of another company", visit(local.service+"/authorize/demo"), seesFailure("other_corp"))
			be("visitor000000000000002", "访客")
			w.do("be nobody's member", visit(local.service+"/authorize/demo"), seesFailure("not_a_member"))
			if language := w.language(); language != say.language {
				t.Errorf("the failure is told in %s", language)
			}
			w.do("use an unknown door", visit(local.service+"/authorize/nothing"), seesFailure("authenticator_unknown"))
			w.do("see a page that is not there", visit(local.service+notThere), sees(`main a`))

			w.do("open the console", visit(local.console), sees(`input[name=key]`))
			if language := w.language(); language != say.language {
				t.Errorf("the console is in %s", language)
			}
			w.do("enter the key", chromedp.SendKeys(chromedp.CSS(`input[name=key]`), local.adminKey+"\r"), click(`.item h2 a`), sees(`input[name=autoLogin]`))
			w.do("switch automatic login on", click(`input[name=autoLogin]`), click(`.savebar button.main`), sees(`.toast.good`))
			w.do("see the users", click(`#tabs a[href="#users"]`), seesText("a", "李四"))
			w.do("see the domain files", click(`#tabs a[href="#files"]`), sees(`.drop`))
			w.do("sign out once more", visit(local.service+"/signin"), click(`.person form button`), chromedp.WaitNotPresent(chromedp.CSS(`.person`)), sees(authorizeLink))
			be("/lisi", "李四")
			w.do("follow a link of the application", visit(local.service+"/reports"), greets("李四"))
			// The application's own pages ask with a script, which looks for the real client.
			d.userAgent = wecomsim.UserAgentWeComAndroid
			client := open(t, browser, d, chromedp.WithNewBrowserContext())
			client.do("open the application in WeCom", visit(local.application+"/reports"), seesWeCom("choose-member"))
			client.do("be signed in without a question", click(person("/lisi")), greets("李四"))
			if at := client.location(); at != local.application+"/reports" {
				t.Errorf("landed at %s", at)
			}
		})
	}
}

// Attack, or an honest copy: the address that one browser got for WeCom, opened in
// another. It signs nobody in as it is: the other browser starts over.
func TestLinkOpenedInAnotherBrowser(t *testing.T) {
	t.Parallel()
	browser := sharedBrowser(t)
	local := startLocal(t)
	d := devices()[1]
	first := open(t, browser, d, chromedp.WithNewBrowserContext())
	first.do("start", visit(local.service+"/authorize/demo?redirect=%2Forders"), seesWeCom("choose-member"))
	link := first.location()

	second := open(t, browser, d, chromedp.WithNewBrowserContext())
	second.do("open the link", visit(link), seesWeCom("choose-member"))
	second.do("sign in", click(person("/lisi")), seesWeCom("consent"), click(`button[value=agree]`), seesText("h1", "Hello, 李四"))
	if at := second.location(); at != local.application+"/orders" {
		t.Errorf("landed at %s", at)
	}
	first.do("see who is signed in", visit(local.application), seesText("h1", "You are not signed in"))
	// Nor did it take anything from the first.
	first.do("go on", visit(link), click(person("/zhangsan")), seesWeCom("consent"), click(`button[value=agree]`), seesText("h1", "Hello, 张三"))
}

// A browser that keeps no cookie of the service is told so, after one more try,
// whichever way it came.
func TestCookiesOff(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	place.hire(t, wecomsim.Member{UserID: "yang.qi", Name: "杨七", Mobile: "13800001601"})
	browser := startChromium(t, func(profile string) {
		// What its settings write when a site's cookies are blocked.
		preferences, err := json.Marshal(map[string]any{"profile": map[string]any{"content_settings": map[string]any{"exceptions": map[string]any{
			"cookies": map[string]any{place.service + ",*": map[string]any{"setting": 2}},
		}}}})
		if err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(profile, "Default")
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "Preferences"), preferences, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	again := sees(`a[href*="/authorize/` + portal + `"]`)
	w := open(t, browser, browsers()[0]) // in the profile itself, whose settings count
	w.do("open a link of the application", visit(place.service+"/orders"), seesWeCom("choose-member"), click(person("/yang.qi")), seesFailure("cookies_blocked"), again)
	w.do("open a page of the application", visit(place.application+"/automatic/orders"), seesFailure("cookies_blocked"), again)
}

// The program ends in time though WeCom has a request in hand.
func TestStopWhileWeComHangs(t *testing.T) {
	t.Parallel()
	known := &confidential{}
	simulator, _ := startWeCom(t, known)
	asked := make(chan struct{}, 1)
	weCom := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/cgi-bin/") {
			select {
			case asked <- struct{}{}:
			default:
			}
			<-r.Context().Done()
			return
		}
		simulator.ServeHTTP(w, r)
	}))
	defer weCom.Close()
	defer weCom.CloseClientConnections()
	const adminKey = "admin-key-of-this-test-0123456789"
	local := startLocal(t, "WECOM_API_URL="+weCom.URL, "WECOM_OAUTH_URL="+weCom.URL, "WECOM_LOGIN_URL="+weCom.URL, "ADMIN_KEY="+adminKey)
	if err := simulator.ChangeApp(corpID, agentID, func(a *wecomsim.App) { a.TrustedDomain = strings.TrimPrefix(local.service, "http://") }); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, url: local.service, weCom: simulator, weURL: weCom.URL, known: known}
	v := w.visitor("zhangsan", wecomsim.UserAgentWeComAndroid)
	v.expect(201, "POST", "/api/admin/authenticators", adminKey, map[string]any{
		"name": "main", "corpId": corpID, "agentId": agentID, "secret": appSecret, "origin": application,
	})
	out := v.expect(302, "GET", "/authorize/main", "", nil)
	callback, err := simulator.Follow(t.Context(), out.Location(), wecomsim.Browser{UserID: "zhangsan"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, callback, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range v.Cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if response, err := http.DefaultTransport.RoundTrip(r); err == nil {
			_ = response.Body.Close()
		}
	}()
	<-asked
	local.stop(t)
	<-ended
	host := strings.TrimPrefix(local.service, "http://")
	if connection, err := net.DialTimeout("tcp", host, time.Second); err == nil {
		_ = connection.Close()
		t.Error("something still listens")
	}
}
