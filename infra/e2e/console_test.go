package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// consoleTexts are what the console says in the language of a device.
func (d device) consoleTexts(t *testing.T) text.Texts {
	t.Helper()
	texts, err := text.Read(d.tag(), text.ConsoleArea)
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// press clicks a button or link by what it says.
func press(label string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.Search(`//*[self::button or self::a][normalize-space()="` + label + `"]`))
}

// file writes a file for a person to choose.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Every view and dialog of the console, as an administrator comes by them.
func TestConsole(t *testing.T) {
	t.Parallel()
	for _, d := range []device{browsers()[2], browsers()[5]} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			place := openWorkplace(t, companyWithPortal())
			if err := place.connectPortal(); err != nil {
				t.Fatal(err)
			}
			say := d.consoleTexts(t).Text
			w := open(t, sharedBrowser(t), d, chromedp.WithNewBrowserContext())
			dialog := func(what string, opening ...chromedp.Action[chromedp.Void]) {
				t.Helper()
				w.do(what, append(opening, sees(`dialog[open]`), chromedp.WaitNotPresent(chromedp.CSS(`dialog .waiting`)))...)
				w.accessible(what)
				w.do("leave: "+what, chromedp.KeyEvent(kb.Escape), chromedp.WaitNotPresent(chromedp.CSS(`dialog`)))
			}
			gone := chromedp.WaitNotPresent(chromedp.CSS(`main .waiting`))
			tab := func(name string) chromedp.Action[chromedp.Void] {
				return chromedp.Steps(click(`#tabs a[href="#`+name+`"]`), sees(`#tabs a[href="#`+name+`"][aria-current=page]`))
			}

			w.do("open the console", visit(place.service+"/console"), sees(`input[name=key]`))
			w.do("enter a wrong key", chromedp.SendKeys(chromedp.CSS(`input[name=key]`), "nonsense\r"), sees(`input[name=key][aria-invalid=true]`))
			w.accessible("wrong key")
			w.do("enter the key", fill(`input[name=key]`, place.adminKey+"\r"), sees(`.item`))
			w.accessible("authenticators")
			dialog("become an administrator", press(say("first.admin.action")))
			dialog("check", click(`.item button`), sees(`dialog .steps li`))

			w.do("open an authenticator", click(`.item h2 a`), seesText("h1", portalTitle), gone)
			w.accessible("authenticator")
			w.do("type something", fill(`input[name=title]`, "员工门户"))
			dialog("leave with something unsaved", tab0(`#users`))
			if typed, err := chromedp.Run(w.ctx, chromedp.Value(chromedp.CSS(`input[name=title]`))); err != nil || typed != "员工门户" {
				t.Errorf("typed was %q (%v)", typed, err)
			}
			w.do("save", click(`.savebar button.main`), sees(`.toast.good`), seesText("h1", "员工门户"))
			w.accessible("saved")
			dialog("disable", press(say("disable")))
			dialog("delete", press(say("delete")))

			// A second one cannot have what the first has, and says who has it.
			if err := place.connect(map[string]any{
				"name": "second", "title": "Second", "corpId": corpID, "agentId": "1000009", "secret": appSecret, "origin": "https://second.example.com",
			}); err != nil {
				t.Fatal(err)
			}
			w.do("look at the second", visit(place.service+"/console#authenticators/second"), seesText("h1", "Second"), gone)
			w.do("want automatic login", click(`input[name=autoLogin]`), click(`.savebar button.main`), sees(`.said .notice.bad`))
			if said := w.text(`.said .notice.bad`); !strings.Contains(said, "员工门户") {
				t.Errorf("the refusal says %q", said)
			}
			w.accessible("automatic login is taken")
			for i := range 4 { // a list so long that it has a search
				if err := place.connect(map[string]any{
					"name": fmt.Sprintf("more-%d", i), "title": fmt.Sprintf("More %d", i), "corpId": corpID, "agentId": "1000009", "secret": appSecret, "origin": "https://more.example.com",
				}); err != nil {
					t.Fatal(err)
				}
			}
			w.do("give it up", press(say("discard")), click(`a.back`), sees(`.item:nth-child(6)`))
			w.do("search for one", fill(`input[name=search]`, "second"), chromedp.WaitNotPresent(chromedp.CSS(`.item:nth-child(2)`)))
			w.do("search for none", fill(`input[name=search]`, "nothing"), chromedp.WaitNotPresent(chromedp.CSS(`.item`)))

			w.do("see that there are no users", tab("users"), sees(`.empty`), gone)
			w.accessible("no users")
			dialog("add a user", press(say("users.add")))

			w.do("go to the import", click(`a[href="#import"]`), sees(`.drop`))
			w.accessible("import")
			w.do("choose a file", chromedp.SetUploadFiles(chromedp.CSS(`.drop input[type=file]`), []string{file(t, "people.csv",
				"\ufeffphone,name,roles\r\n13800000002,李四,admin\r\n+44 7700 900124,\"Chu, Er\",\r\n12,谁,\r\n")}), sees(`table`))
			w.accessible("import preview")
			w.do("import", click(`.importsteps .actions button.main`), sees(`.sums`))
			w.accessible("import answer")
			if sums := strings.Join(w.texts(`.sums dd`), " "); sums != "2 0 0 1" {
				t.Errorf("the import says %s", sums)
			}
			w.do("see the users", tab("users"), seesText("a", "李四"), gone)
			w.accessible("users")
			for _, search := range []string{"李", "138 0000 0002", "+86-138-0000-0002"} {
				w.do("search for "+search, fill(`input[name=search]`, search), chromedp.WaitNotPresent(chromedp.CSS(`tbody tr:nth-child(2)`)), seesText("a", "李四"))
			}
			w.do("search for nobody", fill(`input[name=search]`, "王"), sees(`.empty`))
			w.accessible("nobody found")

			// The imported one signs in to the console by WeCom, for the first time.
			admin := open(t, sharedBrowser(t), device{"WeCom", d.width, d.height, d.phone, d.language, wecomsim.UserAgentWeComAndroid}, chromedp.WithNewBrowserContext())
			admin.do("sign in to the console by WeCom", visit(place.service+"/console"), click(`a[href="/signin?return=console"]`), click(`a[href*="/authorize/`+portal+`"]`),
				seesWeCom("choose-member"), click(person("/lisi")), seesWeCom("consent"), click(`button[value=agree]`), sees(`.item`))
			if at := admin.location(); at != place.service+"/console" {
				t.Errorf("the administrator landed at %s", at)
			}
			admin.accessible("console by WeCom")
			admin.do("sign out", click(`#account button`), sees(`input[name=key]`))

			w.do("look at a user", fill(`input[name=search]`, "李"), chromedp.WaitNotPresent(chromedp.CSS(`.empty`)), press("李四"), seesText("h1", "李四"), sees(`.identity`), gone)
			w.accessible("user")
			for _, key := range []string{"user.noadmin", "user.sessions", "disable", "delete", "user.unbind"} {
				dialog(key, press(say(key)))
			}
			w.do("see the sign-ins of the authenticator", visit(place.service+"/console#authenticators/"+portal), seesText("h1", "员工门户"), seesText("a", "lisi"))
			w.accessible("attempts")

			w.do("see the domain files", tab("files"), sees(`.empty`))
			w.accessible("no domain files")
			w.do("bring one", chromedp.SetUploadFiles(chromedp.CSS(`.drop input[type=file]`), []string{file(t, "WW_verify_a1B2c3D4e5F6g7H8.txt", "a1B2c3D4e5F6g7H8")}), sees(`.item`))
			w.do("fetch it back", click(`.toast button`), click(`.item .actions button`), sees(`.item .notice.good`))
			w.accessible("domain file")
			dialog("delete the file", click(`.item .actions button.danger`))
			other := map[text.Language]string{text.Chinese: "en", text.English: "zh-CN"}[d.tag()]
			w.do("change the language", chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{
				const languages = document.querySelector("#languages");
				languages.value = %q;
				languages.dispatchEvent(new Event("change"));
			}`, other)), sees(fmt.Sprintf(`html:not([lang=%q]) .item`, d.tag())))
			w.do("forget the key", click(`#account button`), sees(`input[name=key]`))
		})
	}
}

// tab0 clicks a tab that does not open.
func tab0(hash string) chromedp.Action[chromedp.Void] { return click(`#tabs a[href="` + hash + `"]`) }

// tabTo presses the key that goes to the next control until one is reached, as
// somebody without a pointer does.
func (w *window) tabTo(selector string) {
	w.t.Helper()
	for range 80 {
		w.do("press the tabulator", chromedp.KeyEvent(kb.Tab))
		there, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool](`document.activeElement.matches(`+fmt.Sprintf("%q", selector)+`)`))
		if err != nil {
			w.t.Fatal(err)
		}
		if there {
			return
		}
	}
	w.t.Fatalf("%s is not reached by keyboard", selector)
}

// The console by keyboard alone.
func TestConsoleByKeyboard(t *testing.T) {
	t.Parallel()
	place := openWorkplace(t, companyWithPortal())
	if err := place.connectPortal(); err != nil {
		t.Fatal(err)
	}
	w := open(t, sharedBrowser(t), browsers()[5], chromedp.WithNewBrowserContext())
	key := chromedp.KeyEvent
	focused := func(selector string) chromedp.Action[chromedp.Void] {
		return chromedp.Steps(chromedp.WaitReady(chromedp.CSS(selector + ":focus")))
	}
	w.do("open the console", visit(place.service+"/console"), sees(`input[name=key]`))
	w.tabTo(`input[name=key]`)
	w.do("enter the key", key(place.adminKey), key(kb.Enter), sees(`.item`))
	w.tabTo(`.item h2 a`)
	w.do("open the authenticator", key(kb.Enter), focused(`main h1`), seesText("h1", portalTitle))
	w.tabTo(`input[name=title]`)
	w.do("change its title", key("X"), key(kb.Enter), sees(`.toast.good`))
	w.tabTo(`main .danger`)
	w.do("ask to delete it", key(kb.Enter), sees(`dialog[open]`))
	w.tabTo(`dialog .danger`)
	w.do("leave it", key(kb.Escape), chromedp.WaitNotPresent(chromedp.CSS(`dialog`)), focused(`main .danger`))
	w.do("start again from the top", chromedp.Reload(), sees(`main h1`))
	w.tabTo(`#skip`)
	w.do("skip what is on every page", key(kb.Enter), focused(`main h1`))
	w.do("go to the list", chromedp.NavigateBack(), sees(`.item`))
	w.tabTo(`a[href="#setup"]`)
	w.do("begin the set-up", key(kb.Enter), sees(`.setup`))
	for step := 1; step <= 4; step++ {
		w.tabTo(`.setup-foot button.main`)
		w.do(fmt.Sprintf("finish step %d", step), key(kb.Enter), sees(fmt.Sprintf(`.setup-progress li:nth-child(%d) [aria-current=step]`, step+1)), focused(`#setup-title`))
	}
	for name, text := range map[string]string{"corpId": corpID, "agentId": "1000009", "secret": appSecret, "origin": "https://second.example.com"} {
		w.tabTo(`input[name=` + name + `]`)
		w.do("type "+name, key(text))
		w.do("go back to the title", chromedp.Evaluate[chromedp.Void](`document.querySelector("#setup-title").focus()`))
	}
	w.tabTo(`.setup-form .setup-foot button.main`)
	w.do("create it", key(kb.Enter), sees(`.setup-progress li:nth-child(6) [aria-current=step]`))
}
