package e2e_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// session asks the service from the page in hand, as an application does, who is
// signed in: the member's userid, or empty.
func (w *window) session(service string) string {
	w.t.Helper()
	return chromium.Evaluate[string](w.Window,
		`fetch("`+service+`/api/session", {credentials: "include"}).then((a) => a.ok ? a.json() : {}).then((s) => s.wecomUserId ?? "")`)
}

// at checks where the window is and who the service says is there.
func (w *window) at(address, service, member string) {
	w.t.Helper()
	w.expectLocation(address)
	if found := w.session(service); found != member {
		w.t.Errorf("at %s: signed in is %q, want %q", address, found, member)
	}
}

// A member opens the application by a link of the service, in WeCom, on a phone and
// on a computer; then comes back in a browser of no WeCom.
func TestFirstAndReturningSignIn(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	clients := []struct {
		member          wecomsim.Member
		client, browser chromium.Device
	}{
		{
			wecomsim.Member{UserID: "chen.yi", Name: "陈一", Mobile: "13800001001"},
			onPhone("WeCom on a phone", "zh-CN,zh", wecomsim.UserAgentWeComIPhone),
			browsers()[4],
		},
		{
			wecomsim.Member{UserID: "chu.er", Name: "褚二", Mobile: "+44 7700 900124"},
			onDesktop("WeCom on a computer", "en-US,en", wecomsim.UserAgentWeComWindows),
			browsers()[5],
		},
	}
	for _, c := range clients {
		t.Run(c.client.Name, func(t *testing.T) {
			t.Parallel()
			place.hire(t, c.member)
			id := c.member.UserID
			outside := open(t, c.browser)
			outside.Do("sign in for the first time outside of WeCom", visit(place.Service+"/authorize/"+portal+"?redirect=%2Forders%3Fid%3D1"), seesWeCom("web-login"),
				click(person("/"+id)), seesFailure("first_sign_in_in_wecom"), sees(`svg.code`))

			// The link that the code holds, opened in the client.
			w := open(t, c.client)
			w.Do("sign in for the first time", visit(outside.Value(`#link`)), seesWeCom("choose-member"), click(person("/"+id)), seesWeCom("consent"),
				click(`button[value=agree]`), sees(`.account`))
			w.expectLocation(place.Service + "/signin")

			// Nobody touches the browser that waits.
			outside.Do("go on by itself", seesText("h1", "orders"))
			outside.at(place.Application+"/orders?id=1", place.Service, id)
			outside.Do("sign in again", visit(place.Service+"/authorize/"+portal), seesWeCom("web-login"), click(person("/"+id)), seesText("h1", "home"))

			// Application links, the workbench homepage among them.
			w.Do("open the homepage", visit(place.Service+"/"), chromedp.WaitReady(chromedp.CSS(`h1`)))
			w.at(place.Application+"/", place.Service, id)
			outside.Do("open a link", visit(place.Service+"/m/list?page=2&q=%E5%BC%A0"), seesText("h1", "m/list"))
			outside.at(place.Application+"/m/list?page=2&q=%E5%BC%A0", place.Service, id)
		})
	}
}

// Without a script the page cannot go on by itself: its button does, and before that it says
// that it is too early.
func TestFirstSignInWithoutScripts(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	place.hire(t, wecomsim.Member{UserID: "without.scripts", Name: "无脚本", Mobile: "13800001011"})
	const id = "/without.scripts"
	outside := open(t, browsers()[5])
	outside.Do("scan", visit(place.Service+"/authorize/"+portal+"?redirect=%2Forders"), seesWeCom("web-login"), click(person(id)), sees(`.waiting.asking`))
	if _, err := chromedp.Call(outside.Context, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	outside.Do("ask too early", visit(outside.Location()), click(`.waiting button`), sees(`.waiting noscript p`))
	in := open(t, browsers()[0])
	in.Do("sign in inside WeCom", visit(outside.Value(`#link`)), seesWeCom("choose-member"), click(person(id)), seesWeCom("consent"), click(`button[value=agree]`), sees(`.account`))
	outside.Do("go on", click(`.waiting button`), seesText("h1", "orders"))
	outside.at(place.Application+"/orders", place.Service, "without.scripts")
}

// WeCom's own panel in place of a way, on the simulator's page for it. Its answer comes back
// to the callback as a whole.
func TestPanelOnTheSignInPage(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	place.hire(t, wecomsim.Member{UserID: "by.panel", Name: "面板", Mobile: "13800001012"})
	in := open(t, browsers()[0])
	in.Do("be known", visit(place.Service+"/authorize/"+portal), seesWeCom("choose-member"), click(person("/by.panel")), seesWeCom("consent"), click(`button[value=agree]`), seesText("h1", "home"))
	for _, d := range browsers()[4:] {
		w := open(t, d)
		w.Do("open the panel", visit(place.Service+"/signin?redirect=%2Forders"), sees(`.panel.came iframe`))
		w.Accessible("the panel on a " + d.Name)
		w.inFrame(`document.querySelector('button[value$="/by.panel"]').click()`)
		w.Do("be led to the application", seesText("h1", "orders"))
		w.at(place.Application+"/orders", place.Service, "by.panel")
	}
}

// Somebody else takes over the device: the earlier person's session ends, and the
// application sees the new one.
func TestSwitchingAccounts(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	for _, d := range []chromium.Device{browsers()[0], browsers()[5]} {
		t.Run(d.Name, func(t *testing.T) {
			one := wecomsim.Member{UserID: "wei.san." + strings.Fields(d.Name)[0], Name: "卫三", Mobile: "138000012" + map[bool]string{true: "01", false: "02"}[d.Phone]}
			two := wecomsim.Member{UserID: "jiang.si." + strings.Fields(d.Name)[0], Name: "蒋四", Mobile: "138000013" + map[bool]string{true: "01", false: "02"}[d.Phone]}
			place.hire(t, one)
			place.hire(t, two)
			in := onPhone("WeCom", "zh-CN,zh", wecomsim.UserAgentWeComAndroid)
			for _, m := range []wecomsim.Member{one, two} {
				w := open(t, in)
				w.Do("make "+m.UserID+" known", visit(place.Service+"/authorize/"+portal), seesWeCom("choose-member"), click(person("/"+m.UserID)),
					seesWeCom("consent"), click(`button[value=agree]`), seesText("h1", "home"))
			}
			w := open(t, d)
			// The client knows its one person; a browser asks each time.
			page := map[bool]string{true: "choose-member", false: "web-login"}[d.Phone]
			w.Do("be the one", visit(place.Service+"/authorize/"+portal), seesWeCom(page), click(person("/"+one.UserID)), seesText("h1", "home"))
			w.at(place.Application+"/home", place.Service, one.UserID)
			w.Do("see whose sign-in it is", visit(place.Service+"/signin"), sees(`.account`))
			if text := w.Text(`main`); !strings.Contains(text, one.Name) {
				t.Errorf("the page says %q", text)
			}
			w.Accessible("signed in on a " + d.Name)
			if d.Phone {
				w.Do("change the client's person", visit(place.WeCom+"/wecomsim/"), click(`summary`), click(person("/"+two.UserID)), seesText(`p[@class="person"]//b`, two.Name),
					visit(place.Service+"/signin"))
				w.Do("sign in as the other", click(`.further a`), click(`ul.ways a`), seesText("h1", "home"))
			} else {
				w.Do("sign in as the other", click(`.further a`), sees(`ul.ways a`), follow(`ul.ways a`), seesWeCom(page), click(person("/"+two.UserID)), seesText("h1", "home"))
			}
			w.at(place.Application+"/home", place.Service, two.UserID)
		})
	}
}

// The one line that the reference gives makes pages of an application, which are of
// another origin than the service, sign in by themselves inside WeCom.
func TestAutomaticLogin(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	place.hire(t, wecomsim.Member{UserID: "shen.wu", Name: "沈五", Mobile: "13800001401"})
	english, err := automaticLoginLine("docs/reference.md", place.Service)
	must(t, err)
	if chinese, err := automaticLoginLine("docs/reference.zh-CN.md", place.Service); err != nil || chinese != english {
		t.Errorf("the references say\n%s\n%s (%v)", english, chinese, err)
	}
	page := place.Application + "/automatic/shop/?v=2&q=%E5%BC%A0#/orders/42"
	for _, d := range []chromium.Device{
		onPhone("WeCom on a phone", "zh-CN,zh", wecomsim.UserAgentWeComAndroid),
		onDesktop("WeCom on a computer", "en-US,en", wecomsim.UserAgentWeComMac),
	} {
		w := open(t, d)
		w.Do("open a page in "+d.Name, visit(page), seesWeCom("choose-member"))
		if d.Phone {
			w.Do("sign in for the first time", click(person("/shen.wu")), seesWeCom("consent"), click(`button[value=agree]`), seesText("h1", "automatic/shop"))
		} else {
			w.Do("sign in", click(person("/shen.wu")), seesText("h1", "automatic/shop"))
		}
		w.at(page, place.Service, "shen.wu")
		// With a session nothing moves.
		w.Do("open another page", visit(place.Application+"/automatic/reports"), seesText("h1", "automatic/reports"))
		w.at(place.Application+"/automatic/reports", place.Service, "shen.wu")
	}
	// Other browsers stay where they are.
	w := open(t, browsers()[5])
	w.Do("open a page in a browser", visit(page), seesText("h1", "automatic/shop"))
	w.at(page, place.Service, "")
}

// What an application embeds is small.
func TestAutomaticLoginScriptIsSmall(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	script := testbrowser.New(testbrowser.Config{URL: place.Service}).Expect(t, http.StatusOK, http.MethodGet, "/auto-login.js").Body
	var packed bytes.Buffer
	packer := gzip.NewWriter(&packed)
	if _, err := io.WriteString(packer, script); err != nil {
		t.Fatal(err)
	}
	must(t, packer.Close())
	if len(script) >= 3000 || packed.Len() >= 2048 {
		t.Errorf("auto-login.js is %d bytes, packed %d; want below 3000 and 2048", len(script), packed.Len())
	}
}

// Somebody opens three tasks, and one of them three times. An application that never sees
// the session is stopped when it sends back for the sixth time by itself, or for the eighth
// in a chain of redirects, all of which a browser calls the person's who began it.
func TestApplicationThatSendsBack(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	place.hire(t, wecomsim.Member{UserID: "han.liu", Name: "韩六", Mobile: "13800001501"})
	w := open(t, browsers()[0])
	w.Do("sign in", visit(place.Service+"/task?id=1"), seesWeCom("choose-member"), click(person("/han.liu")), seesWeCom("consent"), click(`button[value=agree]`), seesText("h1", "task"))
	w.at(place.Application+"/task?id=1", place.Service, "han.liu")
	for _, link := range []string{"/task?id=2", "/task?id=3", "/task?id=3", "/task?id=3"} {
		w.Do("open "+link, visit(place.Service+link), seesText("h1", "task"))
		w.at(place.Application+link, place.Service, "han.liu")
	}
	for how, want := range map[string]int{"redirect": 8, "script": 6} {
		began := time.Now()
		w.Do("open a page that sends back by "+how, visit(place.Service+"/lost/"+how+"?times=0"), seesFailure("redirect_loop"))
		inTime := time.Since(began) < 10*time.Second // or the service has begun to count anew
		_, times, _ := strings.Cut(w.shown().Ways[0].Link, "times%3D")
		if sent, _ := strconv.Atoi(times); sent < want || sent > want && inTime {
			t.Errorf("by %s: stopped at %d, want %d", how, sent, want)
		}
		w.Accessible("redirect loop")
	}
}
