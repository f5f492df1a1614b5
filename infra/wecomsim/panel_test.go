package wecomsim_test

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

func TestMain(m *testing.M) { os.Exit(chromium.Main(m)) }

// inFrame clicks in the only frame of the page.
func inFrame(w *chromium.Window, selector string) {
	frame := chromium.Run(w, chromedp.Nodes(chromedp.CSS("iframe")))
	chromium.Run(w, chromedp.Click(chromedp.CSS(selector), chromedp.FromNode(frame[0])))
}

// The panel in a page of the application: what it tells that page, and how the
// code comes back, with a click in the frame and without any.
func TestPanelInABrowser(t *testing.T) {
	const corp, agent = "ww0123456789abcdef", "1000002"
	// The site shows the panel with the query of its own address, the messages of
	// the frame, and at /callback what came back.
	var weCom string
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/callback" {
			fmt.Fprintf(w, "<h1>%d letters, %s</h1>", len(r.URL.Query().Get("code")), html.EscapeString(r.URL.Query().Get("state")))
			return
		}
		query := r.URL.Query()
		allow := query.Get("allow")
		query.Del("allow")
		query.Set("login_type", "CorpApp")
		query.Set("appid", corp)
		query.Set("agentid", agent)
		query.Set("redirect_uri", "http://"+strings.Replace(r.Host, "127.0.0.1", "localhost", 1)+"/callback")
		query.Set("state", "s1")
		fmt.Fprintf(w, `<script>window.told = []; addEventListener("message", (e) => told.push([e.origin, e.data]));</script>
			<iframe width="480" height="416" referrerpolicy="origin" allow="%s" src="%s/wwlogin/sso/login?%s"></iframe>`,
			html.EscapeString(allow), weCom, html.EscapeString(query.Encode()))
	}))
	defer site.Close()
	sim := wecomsim.New(wecomsim.Config{Corps: []wecomsim.Corp{{
		ID:   corp,
		Apps: []wecomsim.App{{AgentID: agent, Secret: "s", TrustedDomain: strings.Replace(strings.TrimPrefix(site.URL, "http://"), "127.0.0.1", "localhost", 1)}},
		Members: []wecomsim.Member{
			{UserID: "zhangsan", Name: "张三", Mobile: "13800000001"},
			{UserID: "lisi", Name: "李四"},
		},
	}}})
	weCom = strings.Replace(sim.Start(t), "127.0.0.1", "localhost", 1)
	home := strings.Replace(site.URL, "127.0.0.1", "localhost", 1)
	const allowed = "local-network-access; loopback-network"

	open := func(t *testing.T, query string) *chromium.Window {
		t.Helper()
		w := chromium.Shared(t).Open(t, chromium.Device{Width: 1200, Height: 900, Language: "zh-CN", UserAgent: wecomsim.UserAgentBrowser}, chromium.Network)
		w.Do("sign the client in", chromium.Visit(weCom+"/wecomsim/"), chromium.Click(`button[value$="/zhangsan"]`), chromium.Sees(`button[value=leave]`))
		w.Do("open the page", chromium.Visit(home+"/?"+query), chromedp.Poll[chromedp.Void](`told.length >= 2`))
		return w
	}
	// messages are what the frame told the page.
	messages := func(w *chromium.Window) string {
		var told []string
		for _, message := range chromium.Evaluate[[][]string](w, `told`) {
			if message[0] != weCom || !json.Valid([]byte(message[1])) {
				t.Errorf("got %q", message)
			}
			told = append(told, message[1])
		}
		return strings.Join(told, " ")
	}
	const ready = `{"type":"ww-iframe-handle:ready","supportChannel":true} {"type":"ww-iframe-handle:call","args":{"type":"call","name":"onCheckWeComLogin","payload":{"isWeComLogin":%t}}}`

	t.Run("quick login", func(t *testing.T) {
		w := open(t, url.Values{"redirect_type": {"top"}, "allow": {allowed}}.Encode())
		if got, want := messages(w), fmt.Sprintf(ready, true); got != want {
			t.Errorf("told %s, want %s", got, want)
		}
		inFrame(w, `button[value=quick]`)
		w.Do("come back", chromium.SeesText("h1", "43 letters, s1"))
	})
	t.Run("scanned by a phone: nobody clicked in the frame", func(t *testing.T) {
		w := open(t, url.Values{"redirect_type": {"top"}}.Encode())
		if got, want := messages(w), fmt.Sprintf(ready, false); got != want {
			t.Errorf("without the right to reach this machine: told %s, want %s", got, want)
		}
		scanInFrame(t, w, weCom, corp+"/lisi")
		w.Do("come back", chromium.SeesText("h1", "43 letters, s1"))
	})
	t.Run("refused", func(t *testing.T) {
		w := open(t, url.Values{"redirect_type": {"top"}, "allow": {allowed}}.Encode())
		inFrame(w, `button[value=deny]`)
		w.Do("come back", chromium.SeesText("h1", "0 letters, s1"))
	})
	t.Run("by a message, without the state", func(t *testing.T) {
		w := open(t, url.Values{"redirect_type": {"callback"}, "allow": {allowed}}.Encode())
		inFrame(w, `button[value$="/lisi"]`)
		w.Do("hear it", chromedp.Poll[chromedp.Void](`told.some(([, data]) => /"name":"onLoginSuccess","payload":{"code":"[^"]{43}"}}}$/.test(data))`))
	})
	t.Run("asked again, and by a port", func(t *testing.T) {
		w := open(t, url.Values{"redirect_type": {"callback"}}.Encode())
		chromium.Run(w, chromedp.Poll[chromedp.Void](`frames[0].postMessage('{"type":"ww-iframe-handle:init"}', "*") ||
			told.filter(([, data]) => data.startsWith('{"type":"ww-iframe-handle:ready"')).length >= 2`))
		chromium.Evaluate[bool](w, `(() => {
			const channel = new MessageChannel();
			channel.port1.onmessage = ({ data }) => { window.byPort = data; };
			frames[0].postMessage({ type: "ww-iframe-handle:set-port", port: channel.port2 }, "*", [channel.port2]);
			return true;
		})()`)
		scanInFrame(t, w, weCom, corp+"/lisi")
		w.Do("hear it", chromedp.Poll[chromedp.Void](`/"name":"onLoginSuccess","payload":{"code":"[^"]{43}"}}}$/.test(window.byPort)`))
		if got := messages(w); strings.Contains(got, "onLoginSuccess") {
			t.Errorf("told beside the port: %s", got)
		}
	})
	t.Run("refused, by a message", func(t *testing.T) {
		w := open(t, url.Values{"redirect_type": {"callback"}, "allow": {allowed}}.Encode())
		inFrame(w, `button[value=deny]`)
		w.Do("hear it", chromedp.Poll[chromedp.Void](`told.some(([, data]) => data.includes('"onLoginFail","payload":{"errCode":1'))`))
		if got := messages(w); strings.Contains(got, "onLoginSuccess") {
			t.Errorf("told %s", got)
		}
	})
	t.Run("refused, silently", func(t *testing.T) {
		sim.Change(func(c *wecomsim.Choices) { c.WebDenialStays = true })
		w := open(t, url.Values{"redirect_type": {"callback"}}.Encode())
		chromium.Evaluate[bool](w, `(document.querySelector("iframe").onload = () => { window.answered = true; }) !== null`)
		inFrame(w, `button[value=deny]`)
		w.Do("see the answer in the frame", chromedp.Poll[chromedp.Void](`window.answered`))
		if got, want := messages(w), fmt.Sprintf(ready, false); got != want {
			t.Errorf("told %s, want %s", got, want)
		}
	})
}

// scanInFrame confirms the login of the frame on a phone.
func scanInFrame(t *testing.T, w *chromium.Window, weCom, person string) {
	t.Helper()
	frame := chromium.Run(w, chromedp.Nodes(chromedp.CSS("iframe")))
	key := chromium.Run(w, chromedp.Value(chromedp.CSS(`input[name=key]`), chromedp.FromNode(frame[0])))
	res, err := http.PostForm(weCom+"/wwlogin/sso/confirm", url.Values{"key": {key}, "phone": {"1"}, "person": {person}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, _ := io.ReadAll(res.Body); !strings.Contains(string(body), `data-page="scanned"`) {
		t.Fatalf("the phone sees %.300s", body)
	}
}
