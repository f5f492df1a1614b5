package e2e_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// fill types a text into a field, over what is there.
func fill(selector, text string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(sees(selector), chromedp.Focus(chromedp.CSS(selector)), chromedp.Evaluate[chromedp.Void](`document.activeElement.select()`), chromedp.KeyEvent(text))
}

// download fetches what a link leads to and keeps it under the name that the page
// gives it, as a browser does.
func (w *window) download(selector string) string {
	w.t.Helper()
	type link struct {
		Address string `json:"address"`
		Name    string `json:"name"`
	}
	found, err := chromedp.Run(w.ctx, chromedp.Evaluate[link](`(({href, download}) => ({address: href, name: download}))(document.querySelector(`+strconv.Quote(selector)+`))`))
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, found.Address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		w.t.Fatal(answer.Status, err)
	}
	path := filepath.Join(w.t.TempDir(), found.Name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// enter opens the console with the admin key.
func (w *window) enter(place *workplace) {
	w.t.Helper()
	w.do("open the console", visit(place.service+"/console"), sees(`input[name=key]`))
	w.accessible("way in")
	w.do("enter the key", chromedp.SendKeys(chromedp.CSS(`input[name=key]`), place.adminKey+"\r"), sees(`#tabs a`), sees(`main h1`))
}

// step waits for a step of the set-up and judges it.
func (w *window) step(number int) {
	w.t.Helper()
	w.do("step "+strconv.Itoa(number), sees(`.setup-progress li:nth-child(`+strconv.Itoa(number)+`) [aria-current=step]`), sees(`.setup-foot, .setup-form`),
		chromedp.WaitNotPresent(chromedp.CSS(`main .waiting`)))
	w.accessible("step " + strconv.Itoa(number))
}

// An administrator sets WeCom up from nothing, with our console beside WeCom's, and
// with what these pages say alone. What is checked at the end is what it is for: a
// member signs in, and the app opens from the workbench.
func TestGuidedSetup(t *testing.T) {
	t.Parallel()
	for _, d := range []device{browsers()[2], browsers()[5]} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			place := openWorkplace(t, wecomsim.Corp{
				ID: corpID, Name: "山海示例科技", LatinName: "Shanhai Example Technology",
				Members: []wecomsim.Member{{UserID: "zhangsan", Name: "张三", LatinName: "Zhang San", Mobile: "13800000001"}},
			})
			ours := open(t, sharedBrowser(t), d, chromedp.WithNewBrowserContext())
			theirs := open(t, sharedBrowser(t), d, chromedp.WithNewBrowserContext())
			onward := click(`.setup-foot button:last-child`)
			shown := ours.text

			ours.do("find no way to sign in", visit(place.service+"/signin"), sees(`main a[href$="/console"]`))
			ours.accessible("no way to sign in")
			ours.enter(place)
			ours.accessible("first steps")
			ours.do("begin", click(`main a.main[href="#setup"]`), sees(`.setup`))

			ours.step(1)
			theirs.do("create the app", visit(place.weCom+"/wecomsim/console"), click(`.people a`), click(`a[href$="/new-app"]`),
				fill(`input[name=name]`, "员工门户"), click(`input[name=everyone]`), click(`button.main`), sees(`.notice.good`))
			app := theirs.location()
			ours.do("go on from step 1", onward)

			ours.step(2)
			domain := shown(`.setup-do .copyable code`)
			theirs.do("set the callback domain", fill(`#login input[name=domain]`, domain), click(`#login button.main`), sees(`#login .notice.good`))
			ours.do("go on from step 2", onward)

			ours.step(3)
			ours.do("bring the file", chromedp.SetUploadFiles(chromedp.CSS(`.drop input[type=file]`), []string{theirs.download(`#web a[download]`)}), sees(`.setup-files .notice.good`))
			ours.accessible("file is served")
			theirs.do("set the trusted domain", fill(`#web input[name=domain]`, shown(`.setup-do .copyable code`)), click(`#web button.main`), sees(`#web .notice.good`))
			ours.do("go on from step 3", onward)

			ours.step(4)
			theirs.do("set the trusted address", fill(`#ips textarea`, shown(`.setup-do .copyable code`)), click(`#ips button.main`), sees(`#ips .notice.good`))
			ours.do("go on from step 4", onward)

			ours.step(5)
			theirs.do("look for the secret", visit(app), click(`#secret summary`), sees(`#secret code`))
			agent, secret := theirs.text(`dl > div:first-child code`), theirs.text(`#secret code`)
			theirs.do("look for the company", click(`nav a[href$="/company"]`), sees(`dl code`))
			ours.do("forget the secret", fill(`input[name=corpId]`, theirs.text(`dl code`)), fill(`input[name=agentId]`, agent),
				fill(`input[name=origin]`, place.application+"/"), click(`.setup-form .setup-foot button.main`), sees(`input[name=secret][aria-invalid=true]`))
			ours.accessible("something is missing")
			ours.do("enter the secret", fill(`input[name=secret]`, secret), fill(`input[name=workbenchRedirectPath]`, "/admin"), fill(`input[name=title]`, "员工门户"),
				click(`.setup-form .setup-foot button.main`))

			ours.step(6)
			// Nothing typed is lost by looking elsewhere.
			ours.do("look at an earlier step", click(`.setup-progress li:nth-child(5) button`), sees(`input[name=origin]`))
			if origin, err := chromedp.Run(ours.ctx, chromedp.Value(chromedp.CSS(`input[name=origin]`))); err != nil || origin != place.application {
				t.Errorf("the origin is %q (%v)", origin, err)
			}
			ours.do("come back", chromedp.NavigateBack())
			ours.step(6)
			ours.do("go on from step 6", onward)

			ours.step(7)
			theirs.do("allow the phone number", visit(app), click(`#fields input[value=mobile]`), click(`#fields button.main`), sees(`#fields .notice.good`))
			ours.do("check", click(`.setup-words > .actions button.main`), sees(`.setup-results li`), sees(`.notice.good`))
			if bad, err := chromedp.Run(ours.ctx, chromedp.Evaluate[string](`[...document.querySelectorAll(".setup-results .bad")].map((e) => e.innerText).join()`)); err != nil || bad != "" {
				t.Errorf("the check says %q (%v)", bad, err)
			}
			ours.accessible("checked")
			member := open(t, sharedBrowser(t), browsers()[0], chromedp.WithNewBrowserContext())
			member.do("sign in", visit(shown(`.setup-do .copyable code`)), seesWeCom("choose-member"), click(person("/zhangsan")), seesWeCom("consent"),
				click(`button[value=agree]`), seesText("h1", "admin"))
			member.at(place.application+"/admin", place.service, "zhangsan")
			ours.do("go on from step 7", onward)

			ours.step(8)
			ours.do("choose a page for phones", fill(`input[name=phone]`, "/m"))
			links := ours.texts(`.setup-do .copyable code`)
			if len(links) != 2 {
				t.Fatalf("the links are %q", links)
			}
			theirs.do("set the homepages", fill(`#home input[name=phone]`, links[0]), fill(`#home input[name=desktop]`, links[1]), click(`#home button.main`), sees(`#home .notice.good`))
			ours.do("finish", onward, sees(`main .notice.good`))
			ours.accessible("finished")
			ours.do("see it in the list", click(`.setup-foot a.main`), sees(`.item`))

			member.do("open the app from the workbench", visit(place.weCom+"/wecomsim/"), click(`.people a.tile`), seesText("h1", "m"))
			member.at(place.application+"/m", place.service, "zhangsan")
			atDesk := open(t, sharedBrowser(t), device{"WeCom on a computer", 1440, 900, false, "zh-CN,zh", wecomsim.UserAgentWeComWindows}, chromedp.WithNewBrowserContext())
			atDesk.do("open the app's homepage for computers", visit(links[1]), seesWeCom("choose-member"), click(person("/zhangsan")), seesText("h1", "admin"))
			atDesk.at(place.application+"/admin", place.service, "zhangsan")
		})
	}
}

// texts returns what all elements of a selector say.
func (w *window) texts(selector string) []string {
	w.t.Helper()
	texts, err := chromedp.Run(w.ctx, chromedp.Evaluate[[]string](`[...document.querySelectorAll(`+strconv.Quote(selector)+`)].map((e) => e.innerText.trim())`))
	if err != nil {
		w.t.Error(err)
	}
	return texts
}
