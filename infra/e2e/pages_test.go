package e2e_test

import (
	"bytes"
	"image/png"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"rsc.io/qr"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// failures are the codes that the sign-in page explains: those that it has words for.
func failures(texts text.Texts) []string {
	var codes []string
	for key := range texts {
		code, ok := strings.CutPrefix(key, "error.")
		if code, explained := strings.CutSuffix(code, ".cause"); ok && explained {
			codes = append(codes, code)
		}
	}
	return codes
}

// shown is what a person sees of a sign-in page.
type shown struct {
	Language string `json:"language"`
	Alert    string `json:"alert"`
	// Ways are the visible links and buttons in their order, but for what copies the
	// code for an administrator.
	Ways []struct {
		Text   string  `json:"text"`
		Link   string  `json:"link"`
		Copies bool    `json:"copies"`
		Bottom float64 `json:"bottom"` // in pixels from the top of the page
		Height float64 `json:"height"`
	} `json:"ways"`
}

func (w *window) shown() shown {
	w.t.Helper()
	return chromium.Evaluate[shown](w.Window, `({
		language: document.documentElement.lang,
		alert: document.querySelector("[role=alert]")?.innerText ?? "",
		ways: [...document.querySelectorAll("main a[href], main button")].filter((e) => e.checkVisibility() && !e.closest("[role=alert]")).map((e) => ({
			text: e.innerText, link: e.href ?? "", copies: "copy" in e.dataset,
			bottom: e.getBoundingClientRect().bottom + scrollY, height: e.getBoundingClientRect().height,
		})),
	})`)
}

// Without axe-core the other tests go their way, and nobody judges what they see.
func TestPagesAreJudged(t *testing.T) { chromium.RequireAxe(t) }

// Every failure says what happened and what to do, and the way forward is one tap
// away, on the first screen.
func TestErrorPages(t *testing.T) {
	t.Parallel()
	for _, d := range browsers() {
		t.Run(d.Name, func(t *testing.T) {
			t.Parallel()
			place := sharedWorkplace(t)
			w := open(t, d)
			w.Do("nothing failed", visit(place.Service+"/signin"), sees(`ul.ways a`))
			w.Accessible("nothing failed")
			texts := textsFor(t, d, text.SignInArea)
			codes := failures(texts)
			if len(codes) != 21 {
				t.Errorf("%d failures are explained", len(codes))
			}
			for _, code := range codes {
				query := url.Values{"error": {code}, "authenticator": {portal}, "request": {"Kx3dYhPuDoEEMWw="}, "redirect": {"/orders"}}
				w.Do(code, visit(place.Service+"/signin?"+query.Encode()), seesFailure(code))
				if tag(d) == text.Chinese { // the words change nothing of what it judges
					w.Accessible(code)
				}
				seen := w.shown()
				if seen.Language != string(tag(d)) {
					t.Errorf("%s: in %s", code, seen.Language)
				}
				todo := "error." + code + ".todo"
				// Some are said in other words where WeCom is, or where it is not.
				for key := range texts {
					if place, ok := strings.CutPrefix(key, todo+"."); ok && (place == "wecom") == inWeCom(d) {
						todo = key
						break
					}
				}
				for _, key := range []string{"error." + code + ".cause", todo} {
					if text := texts.Text(key); !strings.Contains(seen.Alert, text) {
						t.Errorf("%s: %q is not in\n%s", code, text, seen.Alert)
					}
				}
				if !strings.Contains(seen.Alert, "Kx3dYhPuDoEEMWw=") {
					t.Errorf("%s: the request is not named\n%s", code, seen.Alert)
				}
				if len(seen.Ways) == 0 {
					t.Errorf("%s: there is no way forward", code)
					continue
				}
				first := seen.Ways[0]
				// Where only WeCom's own browser can go on, the link is carried there.
				forward := strings.HasPrefix(first.Link, place.Service+"/authorize/"+portal+"?redirect=%2Forders")
				if !inWeCom(d) && (code == "first_sign_in_in_wecom" || code == "phone_not_shared") {
					forward = first.Copies
				}
				if !forward || first.Bottom > float64(d.Height) || first.Height < 40 {
					t.Errorf("%s: the first way is %+v", code, first)
				}
			}
		})
	}
}

func TestNotFoundPage(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	for _, d := range browsers()[2:] {
		w := open(t, d)
		w.Do("see a page that is not there in "+d.Name, visit(place.Service+notThere), sees(`main a`))
		w.Accessible("not there in " + d.Name)
		texts := textsFor(t, d, text.SignInArea)
		if seen := w.shown(); seen.Language != string(tag(d)) || len(seen.Ways) != 1 || seen.Ways[0].Text != texts.Text("notfound.signin") {
			t.Errorf("%s: %+v", d.Name, seen)
		}
		w.Do("go to the sign-in page", click(`main a`), sees(`a[href*="/authorize/`+portal+`"]`))
	}
}

// A language is one tap away, and stays chosen.
func TestLanguageSwitch(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	for _, d := range browsers()[3:5] {
		w := open(t, d)
		w.Do("open the sign-in page", visit(place.Service+"/signin?redirect=%2Forders"), sees(`nav.languages`))
		for _, tag := range text.Languages() {
			texts, err := text.Read(tag, text.SignInArea)
			must(t, err)
			name := string(tag) + " on a " + d.Name
			w.Do("switch to "+name, click(`nav.languages summary`), click(`nav.languages a[lang="`+string(tag)+`"]`), sees(`html[lang="`+string(tag)+`"] nav.languages`))
			if d.Phone {
				w.Accessible(name)
			}
			w.Do("come again in "+name, visit(place.Service+"/signin"), sees(`html[lang="`+string(tag)+`"]`), seesText("h1", texts.Text("signin.title")))
			w.Do("get lost in "+name, visit(place.Service+notThere), sees(`html[lang="`+string(tag)+`"]`), seesText("h1", texts.Text("notfound.title")))
			w.Do("go back in "+name, visit(place.Service+"/signin?redirect=%2Forders"), sees(`nav.languages`))
			if first := w.shown().Ways; len(first) == 0 || !strings.Contains(chromium.Evaluate[string](w.Window, `document.documentElement.outerHTML`), "redirect=%2Forders") {
				t.Errorf("%s: the target is lost", name)
			}
		}
	}
}

const firstSignIn = "/signin?error=first_sign_in_in_wecom&authenticator=" + portal + "&redirect=%2Forders"

func TestCopyLink(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	for _, d := range browsers()[3:5] {
		w := open(t, d)
		w.Do("see the link on a "+d.Name, visit(place.Service+firstSignIn), sees(`.carry [data-copy]`))
		// Reading what was copied is this test's wish, not the page's.
		if _, err := chromedp.CallBrowser(w.Context, browser.SetPermission, browser.SetPermissionParams{
			Permission: &browser.PermissionDescriptor{Name: "clipboard-read"}, Setting: browser.PermissionSettingGranted,
			Origin: place.Service, BrowserContextID: chromedp.FromContext(w.Context).BrowserContextID,
		}); err != nil {
			t.Fatal(err)
		}
		w.Do("copy it", click(`.carry [data-copy]`), seesText("button", textsFor(t, d, text.SignInArea).Text("carry.copied")))
		copied := chromium.Evaluate[string](w.Window, `navigator.clipboard.readText()`)
		if want := place.Service + "/authorize/" + portal + "?redirect=%2Forders"; copied != want {
			t.Errorf("%s: copied %q, want %q", d.Name, copied, want)
		}
		w.Accessible("copied on a " + d.Name)
	}
}

// What a camera sees is the link: module by module, with the light border, in the dark as well.
func TestCodeToScan(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	w := open(t, browsers()[5])
	w.Do("see the code", visit(place.Service+firstSignIn), sees(`svg.code[role=img][aria-label]`))
	want, err := qr.Encode(place.Service+"/authorize/"+portal+"?redirect=%2Forders", qr.M)
	must(t, err)
	const border = 4 // modules (ISO/IEC 18004)
	for _, scheme := range []string{"light", "dark"} {
		w.Scheme(scheme)
		shot := chromium.Run(w.Window, chromedp.Screenshot(chromedp.CSS(`svg.code`)))
		picture, err := png.Decode(bytes.NewReader(shot))
		must(t, err)
		side := picture.Bounds().Dx()
		if side < 160 || side != picture.Bounds().Dy() {
			t.Errorf("%s: the code is %v pixels", scheme, picture.Bounds())
		}
		wrong, modules := 0, want.Size+2*border
		for y := range modules {
			for x := range modules {
				middle := func(i int) int { return (2*i + 1) * side / (2 * modules) }
				if (x == 0 || x == modules-1) && (y == 0 || y == modules-1) {
					continue // rounded off, and no camera needs them
				}
				red, _, _, _ := picture.At(middle(x), middle(y)).RGBA()
				// Outside of its size a code is light.
				if dark := red < 0x8000; dark != want.Black(x-border, y-border) {
					wrong++
				}
			}
		}
		if wrong > 0 {
			w.Picture("code " + scheme)
			t.Errorf("%s: %d of %d modules are wrong", scheme, wrong, modules*modules)
		}
	}
}

// Everything but the copy button works without JavaScript, which is what old web
// views and careful people have.
func TestWithoutJavaScript(t *testing.T) {
	t.Parallel()
	place := sharedWorkplace(t)
	place.hire(t, wecomsim.Member{UserID: "qian.wujs", Name: "钱无脚", Mobile: "13800001101"})
	off := func(w *window) *window {
		if _, err := chromedp.Call(w.Context, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
			t.Fatal(err)
		}
		return w
	}
	w := off(open(t, browsers()[3]))
	w.Do("see the link", visit(place.Service+firstSignIn), sees(`#link`), chromedp.WaitNotVisible(chromedp.CSS(`.carry [data-copy]`)))
	w.Do("switch the language", click(`nav.languages summary`), click(`nav.languages a[lang="zh-CN"]`), sees(`html[lang="zh-CN"] #link`))
	w = off(open(t, browsers()[0]))
	w.Do("sign in", visit(place.Service+"/signin?redirect=%2Forders"), click(`a[href*="/authorize/`+portal+`"]`), seesWeCom("choose-member"),
		click(person("/qian.wujs")), seesWeCom("consent"), click(`button[value=agree]`), seesText("h1", "orders"))
	w.Do("sign out everywhere", visit(place.Service+"/signin"), click(`.everywhere summary`), click(`.everywhere button`), sees(`a[href*="/authorize/`+portal+`"]`))
	w.Do("sign in again", click(`a[href*="/authorize/`+portal+`"]`), seesText("h1", "home"))
	w.Do("see who is signed in", visit(place.Service+"/signin"), sees(`.account form button`))
	w.Do("sign out", click(`.account form button`), gone(`.account`), sees(`a[href*="/authorize/`+portal+`"]`))
	w = off(open(t, browsers()[4]))
	w.Do("open the console", visit(place.Service+"/console"), sees(`noscript`))
}
