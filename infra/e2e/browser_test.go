package e2e_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// words are what pages say to the person with a device.
type words struct{ language, hello, signedOut string }

func wordsFor(d chromium.Device) words {
	if strings.HasPrefix(d.Language, "zh") {
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
	for _, d := range []chromium.Device{browsers()[2], browsers()[5]} {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			local := startLocal(t)
			w := open(t, d)
			say := wordsFor(d)
			signedOut := seesText("h1", say.signedOut)
			greets := func(name string) chromium.Action { return seesText("h1", say.hello+name) }

			w.Do("open the service", visit(local.Service), sees(authorizeLink))
			w.Do("open the application", visit(local.Application+"/orders?id=1"), signedOut)
			w.Do("go to the sign-in page", click(`#signin`), sees(authorizeLink))
			if language := w.Language(); language != say.language {
				t.Errorf("the sign-in page is in %s", language)
			}
			w.Do("go to WeCom", click(authorizeLink), seesWeCom("choose-member"))
			w.Do("be a member", click(person("/zhangsan")), seesWeCom("consent"))
			w.Do("consent", click(`button[value=agree]`), greets("张三"))
			w.expectLocation(local.Application + "/orders?id=1")
			w.Do("check a token", click(`#token`), sees(`#claims-text`))
			var claims struct {
				WeComUserID string `json:"wecom_userid"`
				Audience    any    `json:"aud"`
			}
			if err := json.Unmarshal([]byte(w.Text(`#claims-text`)), &claims); err != nil || claims.WeComUserID != "zhangsan" {
				t.Errorf("the backend read %q (%v)", w.Text(`#claims-text`), err)
			}
			w.Do("see the sign-in page as a member", visit(local.Service+"/signin"), sees(`.account form button`))
			w.Do("go on", click(`.tiles a[href^="`+local.Application+`"]`), greets("张三"))
			w.Do("open the service as a member", visit(local.Service+"/reports?year=2026"), greets("张三"))
			w.expectLocation(local.Application + "/reports?year=2026")
			w.Do("sign out", click(`#signout`), signedOut)
			w.Do("sign in again", click(`#signin`), sees(authorizeLink), click(authorizeLink), greets("张三"))
			w.Do("go back", chromedp.NavigateBack(), sees(authorizeLink))
			w.Do("sign out on the sign-in page", visit(local.Service+"/signin"), click(`.account form button`), gone(`.account`), sees(authorizeLink))

			be := func(id, name string) {
				t.Helper()
				w.Do("be "+id, visit(local.WeCom), click(`summary`), click(person(id)), seesText(`p[@class="person"]//b`, name))
			}
			be("/lisi", "李四")
			w.Do("be somebody else", visit(local.Service+"/authorize/demo"), seesWeCom("consent"), click(`button[value=agree]`), greets("李四"))
			w.Do("open the app from the workbench", visit(local.WeCom), click(`button[name=app]`), greets("李四"))

			w.Do("leave the client", visit(local.WeCom), click(`form[action="/wecomsim/inside"] button[value=leave]`), sees(`form[action="/wecomsim/inside"] button[value=enter]`))
			w.Do("sign in by the web page", visit(local.Service+"/signin?redirect=%2Freports"), sees(authorizeLink), follow(authorizeLink), seesWeCom("web-login"), click(person("/zhangsan")), greets("张三"))
			w.expectLocation(local.Application + "/reports")
			w.Do("sign in for the first time outside", visit(local.Service+"/authorize/demo"), seesWeCom("web-login"), click(person("/WangWu")),
				seesFailure("first_sign_in_in_wecom"), sees(`#link`))
			if !d.Phone {
				w.Do("see the code to scan", sees(`svg.code`))
			}
			if link := w.Value(`#link`); !strings.HasPrefix(link, local.Service+"/authorize/demo") {
				t.Errorf("the link to carry over is %q", link)
			}
			w.Do("copy the link", click(`.carry [data-copy]`), sees(`.carry [data-copy]`))
			w.Do("deny", visit(local.Service+"/authorize/demo"), click(`button[value=deny]`), seesFailure("access_denied"))

			w.Do("enter the client", visit(local.WeCom), click(`button[value=enter]`), sees(`form[action="/wecomsim/inside"] button[value=leave]`))
			be("/WangWu", "王五")
			w.Do("refuse", visit(local.Service+"/authorize/demo"), seesWeCom("consent"), click(`button[value=refuse]`), seesFailure("access_denied"))
			w.Do("share no phone", click(authorizeLink), seesWeCom("consent"), click(`input[value=mobile]`), click(`button[value=agree]`), seesFailure("phone_not_shared"))
			be("/zhaoliu", "赵六")
			w.Do("have no phone", visit(local.Service+"/authorize/demo"), seesWeCom("consent"), click(`button[value=agree]`), seesFailure("phone_not_shared"))
			be("/sunqi", "孙七")
			w.Do("be disabled", visit(local.Service+"/authorize/demo"), seesWeCom("consent"), click(`button[value=agree]`), seesFailure("user_disabled"))
			be("/partner", "上游伙伴")
			w.Do("be of another company", visit(local.Service+"/authorize/demo"), seesFailure("other_corp"))
			be("guest00000000000000002", "访客")
			w.Do("be nobody's member", visit(local.Service+"/authorize/demo"), seesFailure("not_a_member"))
			if language := w.Language(); language != say.language {
				t.Errorf("the failure is told in %s", language)
			}
			w.Do("use an unknown authenticator", visit(local.Service+"/authorize/nothing"), seesFailure("authenticator_unknown"))
			w.Do("see a page that is not there", visit(local.Service+notThere), sees(`main a`))

			w.Do("open the console", visit(local.Console), sees(`input[name=key]`))
			if language := w.Language(); language != say.language {
				t.Errorf("the console is in %s", language)
			}
			w.Do("enter the key", fill(`input[name=key]`, local.AdminKey+"\r"), click(`.item h2 a`), sees(`input[name=autoLogin]`))
			w.Do("switch automatic login on", click(`input[name=autoLogin]`), click(`.savebar button.main`), sees(`.toast.good`))
			w.Do("see the users", click(`#tabs a[href="#users"]`), seesText("a", "李四"))
			w.Do("see the domain files", click(`#tabs a[href="#files"]`), sees(`.drop`))
			w.Do("sign out once more", visit(local.Service+"/signin"), click(`.account form button`), gone(`.account`), sees(authorizeLink))
			be("/lisi", "李四")
			w.Do("follow a link of the application", visit(local.Service+"/reports"), greets("李四"))
			// The application's own pages ask with a script, which looks for the real client.
			d.UserAgent = wecomsim.UserAgentWeComAndroid
			client := open(t, d)
			client.Do("open the application in WeCom", visit(local.Application+"/reports"), seesWeCom("choose-member"))
			client.Do("be signed in without a question", click(person("/lisi")), greets("李四"))
			client.expectLocation(local.Application + "/reports")
		})
	}
}

// Attack, or an honest copy: the address that one browser got for WeCom, opened in
// another. It signs nobody in as it is: the other browser starts over.
func TestLinkOpenedInAnotherBrowser(t *testing.T) {
	t.Parallel()
	local := startLocal(t)
	d := browsers()[5]
	first := open(t, d)
	first.Do("start", visit(local.Service+"/authorize/demo?redirect=%2Forders"), seesWeCom("choose-member"))
	link := first.Location()

	second := open(t, d)
	second.Do("open the link", visit(link), seesWeCom("choose-member"))
	second.Do("sign in", click(person("/lisi")), seesWeCom("consent"), click(`button[value=agree]`), seesText("h1", "Hello, 李四"))
	second.expectLocation(local.Application + "/orders")
	first.Do("see who is signed in", visit(local.Application), seesText("h1", "You are not signed in"))
	// Nor did it take anything from the first.
	first.Do("go on", visit(link), click(person("/zhangsan")), seesWeCom("consent"), click(`button[value=agree]`), seesText("h1", "Hello, 张三"))
}

// A browser that keeps no cookie of the service is told so, after one more try,
// whichever way it came.
func TestCookiesOff(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	place.hire(t, wecomsim.Member{UserID: "yang.qi", Name: "杨七", Mobile: "13800001601"})
	// What its settings write when a site's cookies are blocked.
	preferences, err := json.Marshal(map[string]any{"profile": map[string]any{"content_settings": map[string]any{"exceptions": map[string]any{
		"cookies": map[string]any{place.Service + ",*": map[string]any{"setting": 2}},
	}}}})
	must(t, err)
	profile := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(profile, "Default"), 0o700))
	must(t, os.WriteFile(filepath.Join(profile, "Default", "Preferences"), preferences, 0o600))
	again := sees(`a[href*="/authorize/` + portal + `"]`)
	w := chromium.Start(t, profile).OpenInProfile(t, browsers()[0], expected)
	w.Do("open a link of the application", visit(place.Service+"/orders"), seesWeCom("choose-member"), click(person("/yang.qi")), seesFailure("cookies_blocked"), again)
	w.Do("open a page of the application", visit(place.Application+"/automatic/orders"), seesFailure("cookies_blocked"), again)
}

// The program ends in time though WeCom has a request in hand.
func TestStopWhileWeComHangs(t *testing.T) {
	t.Parallel()
	place := openWorkplace(t, companyWithPortal())
	must(t, place.connectPortal())
	b := testbrowser.New(testbrowser.Config{
		URL: place.Service, WeCom: place.simulator, WeComURL: place.WeCom, UserAgent: wecomsim.UserAgentWeComAndroid, Member: wecomsim.Browser{UserID: "lisi"},
	})
	r := b.Request(t, http.MethodGet, b.Callback(t, "/authorize/"+portal))
	place.simulator.Inject(wecomsim.Hang(1))
	place.simulator.ResetCalls()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = b.Do(r) // the program ends, so it may come to nothing
	}()
	for place.simulator.Calls() == 0 {
		time.Sleep(time.Millisecond)
	}
	must(t, place.Stop())
	<-ended
	if connection, err := net.DialTimeout("tcp", strings.TrimPrefix(place.Service, "http://"), time.Second); err == nil {
		_ = connection.Close()
		t.Error("something still listens")
	}
}
