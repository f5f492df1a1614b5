package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// file writes a file for a person to choose.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	must(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// Every view and dialog of the console, as an administrator comes by them.
func TestConsole(t *testing.T) {
	t.Parallel()
	for _, d := range []chromium.Device{browsers()[2], browsers()[5]} {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			place := openWorkplace(t, companyWithPortal())
			must(t, place.connectPortal())
			say := textsFor(t, d, text.ConsoleArea).Text
			w := open(t, d)
			dialog := func(what string, opening ...chromium.Action) {
				t.Helper()
				w.Do(what, append(opening, sees(`dialog[open]`), gone(`dialog .waiting`))...)
				w.Accessible(what)
				w.Do("leave: "+what, chromedp.KeyEvent(kb.Escape), gone(`dialog`))
			}
			settled := gone(`main .waiting`)
			tab := func(name string) chromium.Action {
				return chromedp.Steps(click(`#tabs a[href="#`+name+`"]`), sees(`#tabs a[href="#`+name+`"][aria-current=page]`))
			}

			w.Do("open the console", visit(place.Service+"/console"), sees(`input[name=key]`))
			w.Do("enter a wrong key", fill(`input[name=key]`, "nonsense\r"), sees(`input[name=key][aria-invalid=true]`))
			w.Accessible("wrong key")
			w.Do("enter the key", fill(`input[name=key]`, place.AdminKey+"\r"), sees(`.item`))
			w.Accessible("authenticators")
			dialog("become an administrator", press(say("first.admin.action")))
			dialog("check", click(`.item button`), sees(`dialog .steps li`))

			w.Do("open an authenticator", click(`.item h2 a`), seesText("h1", portalTitle), settled)
			w.Accessible("authenticator")
			w.Do("type something", fill(`input[name=title]`, "员工门户"))
			dialog("leave with something unsaved", click(`#tabs a[href="#users"]`))
			if typed := w.Value(`input[name=title]`); typed != "员工门户" {
				t.Errorf("typed was %q", typed)
			}
			w.Do("save", click(`.savebar button.main`), sees(`.toast.good`), seesText("h1", "员工门户"))
			w.Accessible("saved")
			dialog("disable", press(say("disable")))
			dialog("delete", press(say("delete")))

			// A second one cannot have what the first has, and says who has it.
			must(t, place.connect(map[string]any{
				"name": "second", "title": "Second", "corpId": corpID, "agentId": "1000009", "secret": appSecret, "origin": "https://second.example.com",
			}))
			w.Do("look at the second", visit(place.Service+"/console#authenticators/second"), seesText("h1", "Second"), settled)
			w.Do("want automatic login", click(`input[name=autoLogin]`), click(`.savebar button.main`), sees(`.said .notice.bad`))
			if said := w.Text(`.said .notice.bad`); !strings.Contains(said, "员工门户") {
				t.Errorf("the refusal says %q", said)
			}
			w.Accessible("automatic login is taken")
			for i := range 4 { // a list so long that it has a search
				must(t, place.connect(map[string]any{
					"name": fmt.Sprintf("more-%d", i), "title": fmt.Sprintf("More %d", i), "corpId": corpID, "agentId": "1000009", "secret": appSecret, "origin": "https://more.example.com",
				}))
			}
			w.Do("give it up", press(say("discard")), click(`a.back`), sees(`.item:nth-child(6)`))
			w.Do("search for one", fill(`input[name=search]`, "second"), gone(`.item:nth-child(2)`))
			w.Do("search for none", fill(`input[name=search]`, "nothing"), gone(`.item`))

			w.Do("see that there are no users", tab("users"), sees(`.empty`), settled)
			w.Accessible("no users")
			dialog("add a user", press(say("users.add")))

			w.Do("go to the import", click(`a[href="#import"]`), sees(`.drop`))
			w.Accessible("import")
			w.Do("choose a file", upload(`.drop input[type=file]`, file(t, "people.csv",
				"\ufeffphone,name,roles\r\n13800000002,李四,admin\r\n+44 7700 900124,\"Chu, Er\",\r\n12,谁,\r\n")), sees(`table`))
			w.Accessible("import preview")
			w.Do("import", click(`.importsteps .actions button.main`), sees(`.sums`))
			w.Accessible("import answer")
			if sums := strings.Join(w.Texts(`.sums dd`), " "); sums != "2 0 0 1" {
				t.Errorf("the import says %s", sums)
			}
			w.Do("see the users", tab("users"), seesText("a", "李四"), settled)
			w.Accessible("users")
			for _, search := range []string{"李", "138 0000 0002", "+86-138-0000-0002"} {
				w.Do("search for "+search, fill(`input[name=search]`, search), gone(`tbody tr:nth-child(2)`), seesText("a", "李四"))
			}
			w.Do("search for nobody", fill(`input[name=search]`, "王"), sees(`.empty`))
			w.Accessible("nobody found")

			// The imported one signs in to the console by WeCom, for the first time.
			admin := open(t, chromium.Device{Width: d.Width, Height: d.Height, Phone: d.Phone, Language: d.Language, UserAgent: wecomsim.UserAgentWeComAndroid})
			admin.Do("sign in to the console by WeCom", visit(place.Service+"/console"), click(`a[href="/signin?return=console"]`), click(`a[href*="/authorize/`+portal+`"]`),
				seesWeCom("choose-member"), click(person("/lisi")), seesWeCom("consent"), click(`button[value=agree]`), sees(`.item`))
			admin.expectLocation(place.Service + "/console")
			admin.Accessible("console by WeCom")
			admin.Do("sign out", click(`#account button`), sees(`input[name=key]`))

			w.Do("look at a user", fill(`input[name=search]`, "李"), gone(`.empty`), press("李四"), seesText("h1", "李四"), sees(`.identity`), settled)
			w.Accessible("user")
			for _, key := range []string{"user.noadmin", "user.sessions", "disable", "delete", "user.unbind"} {
				dialog(key, press(say(key)))
			}
			w.Do("see the sign-ins of the authenticator", visit(place.Service+"/console#authenticators/"+portal), seesText("h1", "员工门户"), seesText("a", "lisi"))
			w.Accessible("attempts")

			w.Do("see the domain files", tab("files"), sees(`.empty`))
			w.Accessible("no domain files")
			w.Do("bring one", upload(`.drop input[type=file]`, file(t, "WW_verify_a1B2c3D4e5F6g7H8.txt", "a1B2c3D4e5F6g7H8")), sees(`.item`))
			w.Do("fetch it back", click(`.toast button`), click(`.item .actions button`), sees(`.item .notice.good`))
			w.Accessible("domain file")
			dialog("delete the file", click(`.item .actions button.danger`))
			other := map[text.Language]string{text.Chinese: "en", text.English: "zh-CN"}[tag(d)]
			w.Do("change the language", chromium.Script(fmt.Sprintf(`{
				const languages = document.querySelector("#languages");
				languages.value = %q;
				languages.dispatchEvent(new Event("change"));
			}`, other)), sees(fmt.Sprintf(`html:not([lang=%q]) .item`, tag(d))))
			w.Do("forget the key", click(`#account button`), sees(`input[name=key]`))
		})
	}
}

// tabTo presses the key that goes to the next control until one is reached, as
// somebody without a pointer does.
func (w *window) tabTo(selector string) {
	w.t.Helper()
	for range 80 {
		w.Do("press the tabulator", chromedp.KeyEvent(kb.Tab))
		if chromium.Evaluate[bool](w.Window, fmt.Sprintf(`document.activeElement.matches(%q)`, selector)) {
			return
		}
	}
	w.t.Fatalf("%s is not reached by keyboard", selector)
}

// The console by keyboard alone.
func TestConsoleByKeyboard(t *testing.T) {
	t.Parallel()
	place := openWorkplace(t, companyWithPortal())
	must(t, place.connectPortal())
	w := open(t, browsers()[5])
	key := chromedp.KeyEvent
	focused := func(selector string) chromium.Action {
		return chromedp.Steps(chromedp.WaitReady(chromedp.CSS(selector + ":focus")))
	}
	w.Do("open the console", visit(place.Service+"/console"), sees(`input[name=key]`))
	w.tabTo(`input[name=key]`)
	w.Do("enter the key", key(place.AdminKey), key(kb.Enter), sees(`.item`))
	w.tabTo(`.item h2 a`)
	w.Do("open the authenticator", key(kb.Enter), focused(`main h1`), seesText("h1", portalTitle))
	w.tabTo(`input[name=title]`)
	w.Do("change its title", key("X"), key(kb.Enter), sees(`.toast.good`))
	w.tabTo(`main .danger`)
	w.Do("ask to delete it", key(kb.Enter), sees(`dialog[open]`))
	w.tabTo(`dialog .danger`)
	w.Do("leave it", key(kb.Escape), gone(`dialog`), focused(`main .danger`))
	w.Do("start again from the top", chromedp.Reload(), sees(`main h1`))
	w.tabTo(`#skip`)
	w.Do("skip what is on every page", key(kb.Enter), focused(`main h1`))
	w.Do("go to the list", chromedp.NavigateBack(), sees(`.item`))
	w.tabTo(`a[href="#setup"]`)
	w.Do("begin the set-up", key(kb.Enter), sees(`.setup`))
	for step := 1; step <= 4; step++ {
		w.tabTo(`.setup-foot button.main`)
		w.Do(fmt.Sprintf("finish step %d", step), key(kb.Enter), sees(fmt.Sprintf(`.setup-progress li:nth-child(%d) [aria-current=step]`, step+1)), focused(`#setup-title`))
	}
	for name, text := range map[string]string{"corpId": corpID, "agentId": "1000009", "secret": appSecret, "origin": "https://second.example.com"} {
		w.tabTo(`input[name=` + name + `]`)
		w.Do("type "+name, key(text))
		w.Do("go back to the title", chromium.Script(`document.querySelector("#setup-title").focus()`))
	}
	w.tabTo(`.setup-form .setup-foot button.main`)
	w.Do("create it", key(kb.Enter), sees(`.setup-progress li:nth-child(6) [aria-current=step]`))
}
