package main

import (
	"context"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// language is one language of the README and the guide.
type language struct {
	tag    string // in the names of the pictures
	accept string // what the browser asks for
	title  string // of the authenticator
	staff  string // a list to import
	steps  []string
}

// languages returns the languages, with the captions of a sign-in's steps.
func languages() []language {
	return []language{
		{"en", "en-US,en", "Staff portal", "phone,name,roles\n13800000001,Zhang San,admin\n+44 7700 900124,Anna Smith,\n+46 70 174 06 58,Erik Lund,\n138000,Li Na,\n13800000009,Wang Fang,finance\n", []string{
			"1. The sign-in page", "2. WeCom (simulated): who are you?", "3. First time only: consent", "4. The application knows you",
		}},
		{"zh-CN", "zh-CN,zh", "员工门户", "手机号,姓名,角色\n13800000001,张三,admin\n13800000008,陈静,\n+86 138 0000 0011,刘洋,\n138000,李娜,\n13800000009,王芳,finance\n", []string{
			"1. 登录页", "2. 企业微信（模拟）：选择成员", "3. 仅首次：授权手机号", "4. 应用认出了登录者",
		}},
	}
}

// authenticator is the name of the one that is there.
const authenticator = "portal"

// names are the pictures. README and guide may show these and no others.
func names() []string {
	return []string{
		"setup-1", "setup-2", "setup-3", "setup-4", "setup-5", "setup-6", "setup-7", "setup-8",
		"sign-in", "sign-in-first", "sign-in-phone", "sign-in-error",
		"console", "console-users", "console-import",
	}
}

func fileName(name, tag string) string { return name + "." + tag + ".png" }

// scenes take the pictures, in an order that tells a story: each finds what the
// earlier ones left.
func scenes() []func(*photographer) {
	return []func(*photographer){setUp, signIn, guidance, console}
}

// What people hold, in CSS pixels. A phone's picture has twice as many.
var (
	inWeCom = device{390, 720, 2, wecomsim.UserAgentWeComAndroid}
	phone   = device{390, 620, 2, "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"}
	desktop = device{1040, 680, 1, wecomsim.UserAgentBrowser}
	// wide shows words and drawings of the set-up side by side, and is high enough for
	// every step.
	wide = device{1320, 2400, 1, wecomsim.UserAgentBrowser}
)

type device struct {
	width, height int64
	scale         float64
	userAgent     string
}

// stepLimit is how long one page may take to show what it must.
const stepLimit = 20 * time.Second

// photographer works through pages; after the first failure it does nothing more.
type photographer struct {
	browser  context.Context //nolint:containedctx // a browser is a context in chromedp
	language language
	example  *example
	pictures map[string][]byte
	err      error
}

// window is a window with cookies of its own.
type window struct {
	*photographer
	ctx context.Context //nolint:containedctx // a window is a context in chromedp
}

// steadyClock makes pages write times as on one day, so that pictures of two days do
// not differ by them. What is hours away stays hours away.
const steadyClock = `{
	const hour = 3600 * 1000;
	const steady = (time) => new Date(Date.parse("2026-11-21T01:30:00Z") + Math.round((time - Date.now()) / hour) * hour);
	const format = Object.getOwnPropertyDescriptor(Intl.DateTimeFormat.prototype, "format").get;
	Object.defineProperty(Intl.DateTimeFormat.prototype, "format", { get() { return (time) => format.call(this)(steady(time)); } });
	for (const name of ["toLocaleString", "toLocaleDateString", "toLocaleTimeString"]) {
		const write = Date.prototype[name];
		Date.prototype[name] = function (...how) { return write.apply(steady(this), how); };
	}
}`

// open opens a window for somebody with a device. leave closes it.
func (p *photographer) open(d device) (w *window, leave func()) {
	ctx, leave := chromedp.NewContext(p.browser, chromedp.WithNewBrowserContext())
	w = &window{p, ctx}
	if p.err != nil {
		return w, leave
	}
	// The first call makes the window, which must not end with a step.
	p.err = chromedp.Do(ctx, chromedp.EmulateViewport(d.width, d.height, chromedp.EmulateScale(d.scale)),
		chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			if _, err := chromedp.Call(ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{
				UserAgent: d.userAgent, AcceptLanguage: p.language.accept,
			}); err != nil {
				return err
			}
			if _, err := chromedp.Call(ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Shanghai"}); err != nil {
				return err
			}
			_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: steadyClock})
			return err
		}))
	return w, leave
}

func (w *window) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	if w.err != nil {
		return
	}
	step, cancel := context.WithTimeout(w.ctx, stepLimit)
	defer cancel()
	if err := chromedp.Do(step, actions...); err != nil {
		late, cancel := context.WithTimeout(w.ctx, time.Second)
		defer cancel()
		text, _ := chromedp.Run(late, chromedp.Evaluate[string](`location.href + "\n" + document.body?.innerText`))
		w.err = fmt.Errorf("%s: %w\n%s", what, err, text)
	}
}

// settle waits for what may come after the page, fonts, pictures and what moves, and
// takes the focus away, whose mark blinks.
func (w *window) settle() {
	w.do("wait for the page", chromedp.Evaluate[chromedp.Void](`document.activeElement?.blur(), Promise.all([document.fonts.ready,
		...[...document.images].map((image) => image.decode().catch(() => {})),
		...document.getAnimations().map((animation) => animation.finished.catch(() => {}))])
		.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))))`, chromedp.EvalAwaitPromise))
}

// shoot takes what the window shows.
func (w *window) shoot() []byte { return w.take(chromedp.CaptureScreenshot()) }

// shootPart takes an element, however high it is.
func (w *window) shootPart(selector string) []byte { return w.take(chromedp.Screenshot(css(selector))) }

func (w *window) take(how chromedp.Action[[]byte]) []byte {
	w.settle()
	if w.err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(w.ctx, stepLimit)
	defer cancel()
	picture, err := chromedp.Run(ctx, how)
	if err != nil {
		w.err = fmt.Errorf("take picture: %w", err)
	}
	return picture
}

// keep puts a picture into the collection.
func (p *photographer) keep(name string, picture []byte) {
	if p.err != nil {
		return
	}
	packed, err := pack(picture)
	if err != nil {
		p.err = fmt.Errorf("pack picture %s: %w", name, err)
		return
	}
	p.pictures[name] = packed
}

func css(selector string) chromedp.CSS { return chromedp.CSS(selector) }

func visit(address string) chromedp.Action[chromedp.Void] { return chromedp.Navigate(address) }

func click(selector string) chromedp.Action[chromedp.Void] { return chromedp.Click(css(selector)) }

func sees(selector string) chromedp.Action[chromedp.Void] { return chromedp.WaitVisible(css(selector)) }

const authorizeLink = `a[href*="/authorize/` + authenticator + `"]`

// signIn signs in as a new member and keeps what a phone shows on the way.
func signIn(p *photographer) {
	w, leave := p.open(inWeCom)
	defer leave()
	var steps [][]byte
	shoot := func() { steps = append(steps, w.shoot()) }
	w.do("open the sign-in page", visit(serviceURL+"/signin?redirect=%2Fadmin"), sees(authorizeLink))
	shoot()
	w.do("go to WeCom", click(authorizeLink), sees(`button[value$="zhangsan"]`))
	shoot()
	w.do("be a member", click(`button[value$="zhangsan"]`), sees(`input[value=mobile]`))
	shoot()
	w.do("consent", click(`button[value=agree]`), sees(`#signout`))
	shoot()
	p.sideBySide(steps)
}

// guidance keeps what the sign-in page says where signing in cannot go on.
func guidance(p *photographer) {
	// An id as the gateway gives them, and always the same.
	const failed = serviceURL + "/signin?authenticator=" + authenticator + "&request=Kx3dYhPuDoEEMWw%3D&error="
	for name, scene := range map[string]struct {
		device
		address, shows string
	}{
		"sign-in-first": {device{720, 1010, 1, wecomsim.UserAgentBrowser}, failed + "first_sign_in_in_wecom", `svg.code`},
		"sign-in-phone": {phone, serviceURL + "/signin", `[data-copy]`},
		"sign-in-error": {device{390, 540, 2, wecomsim.UserAgentWeComAndroid}, failed + "phone_not_shared", `[role=alert]`},
	} {
		w, leave := p.open(scene.device)
		w.do("open the sign-in page for "+name, visit(scene.address), sees(scene.shows))
		p.keep(name, w.shoot())
		leave()
	}
}

// console keeps the administrator's page: an import, the users, what is configured.
func console(p *photographer) {
	w, leave := p.open(desktop)
	defer leave()
	w.enterConsole()
	folder, err := os.MkdirTemp("", "screenshots-")
	if err != nil {
		p.err = fmt.Errorf("make folder: %w", err)
		return
	}
	defer func() { _ = os.RemoveAll(folder) }()
	list := filepath.Join(folder, "staff.csv")
	if err := os.WriteFile(list, []byte(p.language.staff), 0o600); err != nil {
		p.err = fmt.Errorf("write list: %w", err)
		return
	}
	w.do("choose a list", click(`#tabs a[href="#users"]`), click(`a[href="#import"]`), sees(`.drop`),
		chromedp.SetUploadFiles(css(`.drop input[type=file]`), []string{list}), sees(`table`))
	w.do("import it", click(`.importsteps .actions button.main`), sees(`.sums`))
	p.keep("console-import", w.shoot())
	w.do("make the window lower", chromedp.EmulateViewport(desktop.width, 510))
	w.do("see the users", click(`#tabs a[href="#users"]`), sees(`td time`))
	p.keep("console-users", w.shoot())
	w.do("see the authenticators", click(`#tabs a[href="#authenticators"]`), sees(`.item`), chromedp.EmulateViewport(desktop.width, 370))
	p.keep("console", w.shoot())
}

// enterConsole signs in with the admin key.
func (w *window) enterConsole() {
	w.do("open the console", visit(serviceURL+"/console"), sees(`input[name=key]`))
	w.do("enter the key", chromedp.SendKeys(css(`input[name=key]`), adminKey+"\r"), sees(`#tabs a`), sees(`main h1`))
}

//go:embed strip.html
var files embed.FS

// framed is one picture of a strip, with what it shows.
type framed struct {
	Caption string
	Picture template.URL
}

// sideBySide keeps the steps of a sign-in as one picture.
func (p *photographer) sideBySide(pictures [][]byte) {
	layout, err := template.ParseFS(files, "strip.html")
	if err != nil {
		p.err = fmt.Errorf("read layout: %w", err)
		return
	}
	phones := make([]framed, len(pictures))
	for i, picture := range pictures {
		address := "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture)
		phones[i] = framed{p.language.steps[i], template.URL(address)} //nolint:gosec // made here
	}
	var strip strings.Builder
	if err := layout.Execute(&strip, map[string]any{"Language": p.language.tag, "Phones": phones}); err != nil {
		p.err = fmt.Errorf("write layout: %w", err)
		return
	}
	w, leave := p.open(device{1200, 590, 1, wecomsim.UserAgentBrowser})
	defer leave()
	w.do("show the strip", visit("data:text/html;base64,"+base64.StdEncoding.EncodeToString([]byte(strip.String()))), sees(`main`))
	p.keep("sign-in", w.shoot())
}
