package e2e_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// What people hold.
func onPhone(name, language, userAgent string) chromium.Device {
	return chromium.Device{Name: name, Width: 360, Height: 800, Phone: true, Language: language, UserAgent: userAgent}
}

func onDesktop(name, language, userAgent string) chromium.Device {
	return chromium.Device{Name: name, Width: 1440, Height: 900, Language: language, UserAgent: userAgent}
}

const (
	phoneBrowser = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"
	chinese      = "zh-CN,zh"
	english      = "en-US,en"
)

// The kinds of browser that a sign-in page is opened in.
func browsers() []chromium.Device {
	return []chromium.Device{
		onPhone("WeCom in Chinese", chinese, wecomsim.UserAgentWeComAndroid),
		onPhone("WeCom in English", english, wecomsim.UserAgentWeComAndroid),
		onPhone("phone in Chinese", chinese, phoneBrowser),
		onPhone("phone in English", english, phoneBrowser),
		onDesktop("desktop in Chinese", chinese, wecomsim.UserAgentBrowser),
		onDesktop("desktop in English", english, wecomsim.UserAgentBrowser),
	}
}

// tag is the language that pages are in for a device.
func tag(d chromium.Device) text.Language { return text.Choose(d.Language) }

// inWeCom reports whether a device shows pages in WeCom's own browser.
func inWeCom(d chromium.Device) bool { return strings.Contains(d.UserAgent, "wxwork") }

// textsFor are the texts of an area of pages in the language of a device.
func textsFor(t *testing.T, d chromium.Device, area text.Area) text.Texts {
	t.Helper()
	texts, err := text.Read(tag(d), area)
	must(t, err)
	return texts
}

// window is a window of a person: cookies of its own.
type window struct {
	*chromium.Window
	t *testing.T
}

func open(t *testing.T, d chromium.Device) *window {
	t.Helper()
	return &window{chromium.Shared(t).Open(t, d, expected), t}
}

// follow goes where a way leads. On a computer a click would open WeCom's panel in its place.
func follow(selector string) chromium.Action {
	return chromium.Script(fmt.Sprintf(`location.assign(document.querySelector(%q).href)`, selector))
}

// inFrame evaluates an expression in the only frame of the page.
func (w *window) inFrame(expression string) {
	w.t.Helper()
	tree, err := chromedp.Call(w.Context, page.GetFrameTree, cdp.Empty{})
	must(w.t, err)
	if len(tree.FrameTree.ChildFrames) != 1 {
		w.t.Fatalf("the page has %d frames", len(tree.FrameTree.ChildFrames))
	}
	world, err := chromedp.Call(w.Context, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: tree.FrameTree.ChildFrames[0].Frame.ID})
	must(w.t, err)
	_, err = chromedp.Call(w.Context, runtime.Evaluate, runtime.EvaluateParams{Expression: expression, ContextID: world.ExecutionContextID})
	must(w.t, err)
}

// expectLocation compares the address, fragment included; an empty one is as good as none.
func (w *window) expectLocation(want string) {
	w.t.Helper()
	if at := strings.TrimSuffix(w.Location(), "#"); at != want {
		w.t.Errorf("the window is at %s, want %s", at, want)
	}
}

// expected reports whether pages ask for a refusal: is anybody signed in, are they an
// administrator, and may a second authenticator have automatic login?
func expected(c chromium.Complaint) bool {
	refusals := map[string]string{
		"/api/session": "401", "/api/token": "401", "/api/admin/authenticators": "403", "/api/admin/authenticators/second": "409", notThere: "404",
		"/api/admin/users": "400", // the half of a phone number, when typing is slow
	}
	u, err := url.Parse(c.URL)
	return err == nil && chromium.Network(c) && refusals[u.Path] != "" && strings.Contains(c.Text, refusals[u.Path])
}

// The steps of a person.
var (
	visit, click, press, fill, upload = chromium.Visit, chromium.Click, chromium.Press, chromium.Fill, chromium.Upload
	sees, seesText, gone              = chromium.Sees, chromium.SeesText, chromium.Gone
)

// seesFailure waits for the sign-in page with a failure.
func seesFailure(code string) chromium.Action {
	return seesText(`*[@role="alert"]//code`, code)
}

// seesWeCom waits for a page of the simulator.
func seesWeCom(page string) chromium.Action { return sees(`body[data-page="` + page + `"]`) }
