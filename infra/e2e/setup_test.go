package e2e_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// download fetches what a link leads to and keeps it under the name that the page
// gives it, as a browser does.
func (w *window) download(selector string) string {
	w.t.Helper()
	type link struct {
		Address string `json:"address"`
		Name    string `json:"name"`
	}
	found := chromium.Evaluate[link](w.Window, fmt.Sprintf(`(({href, download}) => ({address: href, name: download}))(document.querySelector(%q))`, selector))
	content := testbrowser.New(testbrowser.Config{}).Expect(w.t, http.StatusOK, http.MethodGet, found.Address).Body
	return file(w.t, found.Name, content)
}

// enter opens the console with the admin key.
func (w *window) enter(place *workplace) {
	w.t.Helper()
	w.Do("open the console", visit(place.Service+"/console"), sees(`input[name=key]`))
	w.Accessible("way in")
	w.Do("enter the key", fill(`input[name=key]`, place.AdminKey+"\r"), sees(`#tabs a`), sees(`main h1`))
}

// step waits for a step of the set-up and judges it.
func (w *window) step(number int) {
	w.t.Helper()
	w.Do("step "+strconv.Itoa(number), sees(`.setup-progress li:nth-child(`+strconv.Itoa(number)+`) [aria-current=step]`), sees(`.setup-foot, .setup-form`),
		gone(`main .waiting`))
	w.Accessible("step " + strconv.Itoa(number))
}

// An administrator sets WeCom up from nothing, with our console beside WeCom's, and
// with what these pages say alone. What is checked at the end is what it is for: a
// member signs in, and the app opens from the workbench.
func TestGuidedSetup(t *testing.T) {
	t.Parallel()
	for _, d := range []chromium.Device{browsers()[2], browsers()[5]} {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			place := openWorkplace(t, wecomsim.Corp{
				ID: corpID, Name: "山海示例科技", LatinName: "Shanhai Example Technology",
				Members: []wecomsim.Member{{UserID: "zhangsan", Name: "张三", LatinName: "Zhang San", Mobile: "13800000001"}},
			})
			ours := open(t, d)
			theirs := open(t, d)
			onward := click(`.setup-foot button:last-child`)
			shown := ours.Text

			ours.Do("find no way to sign in", visit(place.Service+"/signin"), sees(`main a[href$="/console"]`))
			ours.Accessible("no way to sign in")
			ours.enter(place)
			ours.Accessible("first steps")
			ours.Do("begin", click(`main a.main[href="#setup"]`), sees(`.setup`))

			ours.step(1)
			theirs.Do("create the app", visit(place.WeCom+"/wecomsim/console"), click(`.people a`), click(`a[href$="/new-app"]`),
				fill(`input[name=name]`, "员工门户"), click(`input[name=everyone]`), click(`button.main`), sees(`.notice.good`))
			app := theirs.Location()
			ours.Do("go on from step 1", onward)

			ours.step(2)
			domain := shown(`.setup-do .copyable code`)
			theirs.Do("set the callback domain", fill(`#login input[name=domain]`, domain), click(`#login button.main`), sees(`#login .notice.good`))
			ours.Do("go on from step 2", onward)

			ours.step(3)
			ours.Do("bring the file", upload(`.drop input[type=file]`, theirs.download(`#web a[download]`)), sees(`.setup-files .notice.good`))
			ours.Accessible("file is served")
			theirs.Do("set the trusted domain", fill(`#web input[name=domain]`, shown(`.setup-do .copyable code`)), click(`#web button.main`), sees(`#web .notice.good`))
			ours.Do("go on from step 3", onward)

			ours.step(4)
			theirs.Do("set the trusted address", fill(`#ips textarea`, shown(`.setup-do .copyable code`)), click(`#ips button.main`), sees(`#ips .notice.good`))
			ours.Do("go on from step 4", onward)

			ours.step(5)
			theirs.Do("look for the secret", visit(app), click(`#secret summary`), sees(`#secret code`))
			agent, secret := theirs.Text(`dl > div:first-child code`), theirs.Text(`#secret code`)
			theirs.Do("look for the company", click(`nav a[href$="/company"]`), sees(`dl code`))
			ours.Do("forget the secret", fill(`input[name=corpId]`, theirs.Text(`dl code`)), fill(`input[name=agentId]`, agent),
				fill(`input[name=origin]`, place.Application+"/"), click(`.setup-form .setup-foot button.main`), sees(`input[name=secret][aria-invalid=true]`))
			ours.Accessible("something is missing")
			ours.Do("enter the secret", fill(`input[name=secret]`, secret), fill(`input[name=workbenchRedirectPath]`, "/#/home"), click(`input[name=autoLogin]`), fill(`input[name=title]`, "员工门户"),
				click(`.setup-form .setup-foot button.main`))

			ours.step(6)
			// Nothing typed is lost by looking elsewhere.
			ours.Do("look at an earlier step", click(`.setup-progress li:nth-child(5) button`), sees(`input[name=origin]`))
			if origin := ours.Value(`input[name=origin]`); origin != place.Application {
				t.Errorf("the origin is %q", origin)
			}
			ours.Do("come back", chromedp.NavigateBack())
			ours.step(6)
			ours.Do("go on from step 6", onward)

			ours.step(7)
			theirs.Do("allow the phone number", visit(app), click(`#fields input[value=mobile]`), click(`#fields button.main`), sees(`#fields .notice.good`))
			ours.Do("check", click(`.setup-words > .actions button.main`), sees(`.setup-results li`), sees(`.notice.good`))
			if bad := ours.Texts(`.setup-results .bad`); len(bad) > 0 {
				t.Errorf("the check says %q", bad)
			}
			ours.Accessible("checked")
			member := open(t, browsers()[0])
			member.Do("sign in", visit(shown(`.setup-do .copyable code`)), seesWeCom("choose-member"), click(person("/zhangsan")), seesWeCom("consent"),
				click(`button[value=agree]`), seesText("h1", "start"))
			member.at(place.Application+"/#/home", place.Service, "zhangsan")
			ours.Do("go on from step 7", onward)

			ours.step(8)
			ours.Do("choose a page for phones", fill(`input[name=phone]`, "/m"))
			links := ours.Texts(`.setup-do .copyable code`)
			if len(links) != 2 {
				t.Fatalf("the links are %q", links)
			}
			theirs.Do("set the homepages", fill(`#home input[name=phone]`, links[0]), fill(`#home input[name=desktop]`, links[1]), click(`#home button.main`), sees(`#home .notice.good`))
			ours.Do("go on from step 8", onward)

			ours.step(9)
			ours.Do("make token and key", click(`.setup-do .actions .main`), sees(`.setup-do .notice .copyable`))
			parts := ours.Texts(`.setup-do .notice .copyable code`)
			if len(parts) != 3 {
				t.Fatalf("the receiver's parts are %d", len(parts))
			}
			theirs.Do("set the receiver", fill(`#receiver input[name=url]`, parts[0]), fill(`#receiver input[name=token]`, parts[1]), fill(`#receiver input[name=key]`, parts[2]), click(`#receiver button.main`), sees(`#receiver .notice.good`))
			ours.Do("finish", onward, sees(`main .notice.good`))
			ours.Accessible("finished")
			ours.Do("see it in the list", click(`.setup-foot a.main`), sees(`.item`))

			member.Do("open the app from the workbench", visit(place.WeCom+"/wecomsim/"), click(`.people a.tile`), seesText("h1", "m"))
			member.at(place.Application+"/m", place.Service, "zhangsan")
			atDesk := open(t, onDesktop("WeCom on a computer", "zh-CN,zh", wecomsim.UserAgentWeComWindows))
			atDesk.Do("open the app's homepage for computers", visit(links[1]), seesWeCom("choose-member"), click(person("/zhangsan")), seesText("h1", "start"))
			atDesk.at(place.Application+"/#/home", place.Service, "zhangsan")
		})
	}
}
