package e2e_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io/fs"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/local/demo"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// The pictures of README and guide show the addresses of documentation, which lead to
// this machine for the browser of this test alone, and one day, whenever they are made.
const (
	pictureService     = "signin.example.com"
	pictureApplication = "app.example.com"
	pictureEgress      = "203.0.113.7" // the address that the service calls WeCom from
	pictureKey         = "EXAMPLE-KEY-4P7QZ2M5XWTB3NHA"
	verifyFile         = "WW_verify_a1B2c3D4e5F6g7H8.txt"
)

var picturesFolder = flag.String("pictures", "", "write the pictures of README and guide to this folder")

// pictureNames are the pictures that there are, each once in every language.
var pictureNames = []string{
	"setup-1", "setup-2", "setup-3", "setup-4", "setup-5", "setup-6", "setup-7", "setup-8", "setup-9",
	"sign-in", "sign-in-first", "sign-in-phone", "sign-in-error",
	"console", "console-users", "console-import", "console-application",
}

// pictureLanguage is one language of README and guide.
type pictureLanguage struct {
	tag, accept string
	title       string   // of the authenticator
	staff       string   // a list to import
	steps       []string // captions of a sign-in
}

func pictureLanguages() []pictureLanguage {
	return []pictureLanguage{
		{
			"en", english, "Staff portal", "phone,name,roles\n13800000001,Zhang San,admin\n+44 7700 900124,Anna Smith,\n+46 70 174 06 58,Erik Lund,\n138000,Li Na,\n13800000009,Wang Fang,finance\n",
			[]string{"1. The sign-in page", "2. WeCom (simulated): who are you?", "3. First time only: consent", "4. The application knows you"},
		},
		{
			"zh-CN", chinese, "员工门户", "手机号,姓名,角色\n13800000001,张三,admin\n13800000008,陈静,\n+86 138 0000 0011,刘洋,\n138000,李娜,\n13800000009,王芳,finance\n",
			[]string{"1. 登录页", "2. 企业微信（模拟）：选择成员", "3. 仅首次：授权手机号", "4. 应用认出了登录者"},
		},
	}
}

func pictureFile(name, tag string) string { return name + "." + tag + ".png" }

// With the flag the pictures are made. Without it those that were kept are compared
// with the list: what is not made any more goes stale.
func TestPictures(t *testing.T) {
	var want []string
	for _, language := range pictureLanguages() {
		if *picturesFolder != "" {
			t.Run(language.tag, func(t *testing.T) { takePictures(t, language) })
		}
		for _, name := range pictureNames {
			want = append(want, pictureFile(name, language.tag))
		}
	}
	kept, err := os.ReadDir(moduleRoot + "/docs/images")
	must(t, err)
	for _, file := range kept {
		if !slices.Contains(want, file.Name()) {
			t.Errorf("%s is not made here: remove it", file.Name())
		}
		// Pages are read over slow networks too.
		if info, err := file.Info(); err != nil || info.Size() > 150_000 {
			t.Errorf("%s is too large or cannot be read (%v)", file.Name(), err)
		}
		want = slices.DeleteFunc(want, func(name string) bool { return name == file.Name() })
	}
	if len(want) > 0 {
		t.Errorf("not made yet (make screenshots): %q", want)
	}
}

// Pages show pictures that are made here, in their own language, and no others.
func TestPagesShowOnlyWhatIsMade(t *testing.T) {
	shown := regexp.MustCompile(`images/([^)"\s]+)`)
	check := func(path string) {
		content, err := os.ReadFile(path)
		must(t, err)
		tag := "en"
		if strings.HasSuffix(path, ".zh-CN.md") {
			tag = "zh-CN"
		}
		for _, match := range shown.FindAllStringSubmatch(string(content), -1) {
			if name, ok := strings.CutSuffix(match[1], pictureFile("", tag)); !ok || !slices.Contains(pictureNames, name) {
				t.Errorf("%s shows %s, which is not made in its language", path, match[1])
			}
		}
	}
	check(moduleRoot + "/README.md")
	check(moduleRoot + "/README.zh-CN.md")
	err := filepath.WalkDir(moduleRoot+"/docs", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			check(path)
		}
		return err
	})
	must(t, err)
}

// photographer makes the pictures of one language.
type photographer struct {
	t        *testing.T
	browser  *chromium.Browser
	language pictureLanguage
}

// takePictures uses a service and a browser that have seen nobody before. The scenes
// tell a story: each finds what the earlier ones left.
func takePictures(t *testing.T, language pictureLanguage) {
	front := strings.TrimPrefix(startExample(t, language), "https://")
	p := &photographer{t: t, language: language, browser: chromium.Start(t, t.TempDir(),
		chromedp.Flag("host-resolver-rules", fmt.Sprintf("MAP %s:443 %s, MAP %s:443 %[2]s", pictureService, front, pictureApplication)),
		chromedp.IgnoreCertErrors, chromedp.Flag("lang", language.tag), chromedp.Flag("hide-scrollbars", true),
	)}
	p.setUp()
	p.signIn()
	p.guidance()
	p.console()
	for _, name := range pictureNames {
		if _, err := os.Stat(filepath.Join(*picturesFolder, pictureFile(name, language.tag))); err != nil {
			t.Errorf("no scene took the picture: %v", err)
		}
	}
}

// startExample starts the service and an application at the addresses of documentation
// and returns where both are in truth.
func startExample(t *testing.T, language pictureLanguage) string {
	t.Helper()
	company := wecomsim.Demo(pictureService, "https://"+pictureService+"/", "https://"+pictureService)
	company.Choices.AnyBrowserIsClient = false
	simulator := wecomsim.New(company)
	simulator.SetCallerIP(pictureEgress)
	weCom := httptest.NewServer(simulator)
	t.Cleanup(weCom.Close)
	weComURL := strings.Replace(weCom.URL, "127.0.0.1", "localhost", 1)
	application, err := demo.New(demo.Config{ServiceURL: "https://" + pictureService, Origin: "https://" + pictureApplication})
	must(t, err)
	// With a public address the program does not print where it listens.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	startLocal(t, "PORT="+port, "PUBLIC_URL=https://"+pictureService, "ADMIN_KEY="+pictureKey, "EGRESS_ADDRESSES="+pictureEgress,
		"WECOM_API_URL="+weComURL, "WECOM_OAUTH_URL="+weComURL, "WECOM_LOGIN_URL="+weComURL)
	mux := http.NewServeMux()
	mux.Handle(pictureApplication+"/", application)
	mux.Handle(pictureService+"/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: "127.0.0.1:" + port})
		r.Out.Host = r.In.Host
	}})
	// The service cannot fetch a file at an address that leads here for this browser alone.
	mux.HandleFunc("POST "+pictureService+"/api/admin/domain-files/{name}/check", func(w http.ResponseWriter, r *http.Request) {
		texts, err := text.Read(text.Language(language.tag), text.CheckArea)
		if err != nil {
			t.Error(err)
		}
		name := r.PathValue("name")
		title := texts.Text("check.domain-file.ok", "url", "https://"+pictureService+"/"+name, "host", pictureService, "filename", name)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "steps": []any{
			map[string]any{"step": "domain-file", "ok": true, "wecomCode": 0, "title": title, "fix": ""},
		}})
	})
	front := httptest.NewUnstartedServer(mux)
	front.Config.ErrorLog = log.New(t.Output(), "", 0)
	front.StartTLS()
	t.Cleanup(front.Close)
	return front.URL
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

// open opens a window whose pictures have scale pixels for one of CSS.
func (p *photographer) open(width, height int64, scale float64, userAgent string) *window {
	p.t.Helper()
	w := &window{p.browser.Open(p.t, chromium.Device{Width: width, Height: height, Language: p.language.accept, UserAgent: userAgent},
		func(chromium.Complaint) bool { return true }), p.t}
	w.Do("set the scale", chromedp.EmulateViewport(width, height, chromedp.EmulateScale(scale)))
	if _, err := chromedp.Call(w.Context, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Shanghai"}); err != nil {
		p.t.Fatal(err)
	}
	if _, err := chromedp.Call(w.Context, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: steadyClock}); err != nil {
		p.t.Fatal(err)
	}
	return w
}

// shoot takes what the window shows, or the element of a selector, however high it is.
// It waits for fonts, pictures and what moves, and takes the focus away: its mark blinks.
func (w *window) shoot(selector string) []byte {
	w.t.Helper()
	chromium.Evaluate[chromedp.Void](w.Window, `document.activeElement?.blur(), Promise.all([document.fonts.ready,
		...[...document.images].map((image) => image.decode().catch(() => {})),
		...document.getAnimations().map((animation) => animation.finished.catch(() => {}))])
		.then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))))`)
	if selector != "" {
		return chromium.Run(w.Window, chromedp.Screenshot(chromedp.CSS(selector)))
	}
	return chromium.Run(w.Window, chromedp.CaptureScreenshot())
}

// keep writes a picture with the 256 colors that it mostly consists of: pages have few,
// and the rest are the edges of letters.
func (p *photographer) keep(name string, screenshot []byte) {
	p.t.Helper()
	picture, err := png.Decode(bytes.NewReader(screenshot))
	must(p.t, err)
	bounds, used := picture.Bounds(), map[color.Color]int{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			used[picture.At(x, y)]++
		}
	}
	byUse := slices.SortedFunc(maps.Keys(used), func(a, b color.Color) int {
		return cmp.Or(cmp.Compare(used[b], used[a]), strings.Compare(fmt.Sprint(a), fmt.Sprint(b)))
	})
	small := image.NewPaletted(bounds, byUse[:min(len(byUse), 256)])
	draw.Draw(small, bounds, picture, bounds.Min, draw.Src)
	var packed bytes.Buffer
	must(p.t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&packed, small))
	must(p.t, os.WriteFile(filepath.Join(*picturesFolder, pictureFile(name, p.language.tag)), packed.Bytes(), 0o644))
}

func (w *window) enterForPictures() {
	w.t.Helper()
	w.Do("open the console", visit("https://"+pictureService+"/console"), fill(`input[name=key]`, pictureKey+"\r"), sees(`#tabs a`), sees(`main h1`))
}

// setUp goes through the guided set-up. It makes the authenticator of the other scenes.
func (p *photographer) setUp() {
	// Words and drawings side by side, and high enough for every step.
	w := p.open(1320, 2400, 1, wecomsim.UserAgentBrowser)
	w.enterForPictures()
	w.Do("begin", click(`main a.main[href="#setup"]`), sees(`.setup`))
	onward := click(`.setup-foot button:last-child`)
	keep := func(step int) {
		p.t.Helper()
		w.Do(fmt.Sprint("step ", step), sees(fmt.Sprintf(`.setup-progress li:nth-child(%d) [aria-current=step]`, step)), sees(`.setup-foot, .setup-form`), gone(`main .waiting`))
		p.keep(fmt.Sprint("setup-", step), w.shoot(`.setup-step`))
	}
	keep(1)
	w.Do("go on", onward)
	keep(2)
	w.Do("go on and bring the domain file", onward, upload(`.drop input[type=file]`, file(p.t, verifyFile, "a1B2c3D4e5F6g7H8")), sees(`.setup-files .notice.good`))
	keep(3)
	w.Do("go on", onward)
	keep(4)
	w.Do("go on and fill in", onward, fill(`input[name=corpId]`, wecomsim.DemoCorpID), fill(`input[name=agentId]`, wecomsim.DemoAgentID), fill(`input[name=secret]`, wecomsim.DemoSecret),
		fill(`input[name=title]`, p.language.title), fill(`input[name=name]`, portal), fill(`input[name=origin]`, "https://"+pictureApplication),
		fill(`input[name=workbenchRedirectPath]`, "/admin"), click(`input[name=autoLogin]`))
	keep(5)
	w.Do("create it", click(`.setup-form .setup-foot button:last-child`))
	keep(6)
	w.Do("go on and check", onward, click(`.setup-words > .actions button.main`), sees(`.setup-results li`), sees(`.notice.good`), click(`.toast button`))
	keep(7)
	w.Do("go on and choose a page for phones", onward, fill(`input[name=phone]`, "/m"))
	keep(8)
	w.Do("go on", onward)
	keep(9)
}

// signIn signs in as a new member and keeps what a phone shows on the way, side by side.
func (p *photographer) signIn() {
	w := p.open(390, 720, 2, wecomsim.UserAgentWeComAndroid)
	const authorize = `a[href*="/authorize/` + portal + `"]`
	var phones strings.Builder
	for i, step := range [][]chromium.Action{
		{visit("https://" + pictureService + "/signin?redirect=%2Fadmin"), sees(authorize)},
		{click(authorize), sees(person("zhangsan"))},
		{click(person("zhangsan")), sees(`input[value=mobile]`)},
		{click(`button[value=agree]`), sees(`#signout`)},
	} {
		w.Do(p.language.steps[i], step...)
		_, _ = fmt.Fprintf(&phones, `<figure><figcaption>%s</figcaption><img src="data:image/png;base64,%s"></figure>`, p.language.steps[i], base64.StdEncoding.EncodeToString(w.shoot("")))
	}
	strip := `<!doctype html><html lang="` + p.language.tag + `"><meta charset="utf-8"><style>
		body { margin: 0; padding: 24px; background: #e9edf2; font: 15px/1.3 "Noto Sans", "Noto Sans CJK SC", sans-serif; color: #1d2733; }
		body { display: flex; gap: 20px; box-sizing: border-box; height: 590px; }
		figure { flex: 1; min-width: 0; margin: 0; }
		figcaption { height: 46px; font-weight: 600; }
		img { display: block; width: 100%; border-radius: 18px; border: 4px solid #1d2733; box-sizing: border-box; background: #fff; }
	</style>` + phones.String()
	beside := p.open(1200, 590, 1, wecomsim.UserAgentBrowser)
	beside.Do("show them", visit("data:text/html;base64,"+base64.StdEncoding.EncodeToString([]byte(strip))), sees(`img`))
	p.keep("sign-in", beside.shoot(""))
}

// guidance keeps what the sign-in page says where signing in cannot go on.
func (p *photographer) guidance() {
	// An id as the gateway gives them, and always the same.
	const failed = "https://" + pictureService + "/signin?authenticator=" + portal + "&request=Kx3dYhPuDoEEMWw%3D&error="
	for _, scene := range []struct {
		name           string
		window         *window
		address, shows string
	}{
		{"sign-in-first", p.open(720, 1010, 1, wecomsim.UserAgentBrowser), failed + "first_sign_in_in_wecom", `svg.code`},
		{"sign-in-phone", p.open(390, 620, 2, phoneBrowser), "https://" + pictureService + "/signin", `[data-copy]`},
		{"sign-in-error", p.open(390, 540, 2, wecomsim.UserAgentWeComAndroid), failed + "phone_not_shared", `[role=alert]`},
	} {
		scene.window.Do("open the sign-in page for "+scene.name, visit(scene.address), sees(scene.shows))
		p.keep(scene.name, scene.window.shoot(""))
	}
}

// console keeps the administrator's page: an import, the users, what is configured, and how
// an application is added.
func (p *photographer) console() {
	w := p.open(1040, 680, 1, wecomsim.UserAgentBrowser)
	w.enterForPictures()
	w.Do("choose a list", click(`#tabs a[href="#users"]`), click(`a[href="#import"]`), upload(`.drop input[type=file]`, file(p.t, "staff.csv", p.language.staff)), sees(`table`))
	w.Do("import it", click(`.importsteps .actions button.main`), sees(`.sums`))
	p.keep("console-import", w.shoot(""))
	w.Do("see the users", chromedp.EmulateViewport(1040, 510), click(`#tabs a[href="#users"]`), sees(`td time`))
	p.keep("console-users", w.shoot(""))
	w.Do("see the authenticators", click(`#tabs a[href="#authenticators"]`), sees(`.item`), chromedp.EmulateViewport(1040, 370))
	p.keep("console", w.shoot(""))
	w.Do("add GitLab", chromedp.EmulateViewport(1040, 1060), click(`#tabs a[href="#applications"]`), click(`main a[href="#add-application"]`), click(`input[value=web]`), click(`input[value=gitlab]`),
		fill(`input[name=base]`, "https://gitlab.example.com"), sees(`textarea[name=redirectUris]`), chromium.Script(`scrollTo(0, 0)`))
	p.keep("console-application", w.shoot(""))
}
