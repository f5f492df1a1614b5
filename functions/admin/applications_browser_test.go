package admin_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// openIn opens a window that reads a language.
func openIn(t *testing.T, language string, width int64) *chromium.Window {
	t.Helper()
	return chromium.Shared(t).Open(t, chromium.Device{
		Width: width, Height: 900, Language: language, UserAgent: wecomsim.UserAgentBrowser,
	}, chromium.Network)
}

// tabTo presses Tab until the focus is on what is labelled so.
func tabTo(t *testing.T, w *chromium.Window, label string) {
	t.Helper()
	for range 80 {
		w.Do("tab", chromedp.KeyEvent("\t"))
		name := ask(w, `(() => {
			const one = document.activeElement;
			return (one.labels?.[0]?.innerText || one.getAttribute('aria-label') || one.innerText || one.name || '').trim();
		})()`)
		if strings.HasPrefix(name, label) {
			return
		}
	}
	t.Fatalf("no way to %q by the Tab key", label)
}

// An administrator who reads Chinese adds GitLab with nothing but the keyboard, on a narrow
// window: its redirect address is filled in, its secret is shown once, and its configuration
// has both.
func TestConsoleAddsAnApplicationByKeyboard(t *testing.T) {
	chromium.RequireAxe(t)
	o := newOffice(t)
	o.create("hr", `,"title":"Staff"`)
	f := o.serve(t)
	w := openIn(t, "zh-CN,zh", 360)
	key := func(text string) { w.Do("key "+text, chromedp.KeyEvent(text)) }
	enter(w, f, "#applications")
	w.Do("none yet", shows(said("还没有应用")))
	w.Accessible("no applications")
	tabTo(t, w, "添加应用")
	w.Do("add", chromedp.KeyEvent("\r"), shows(said("它是什么？")))
	tabTo(t, w, "服务器上的软件")
	w.Do("kind", chromedp.KeyEvent(" "), shows(said("哪种软件？")))
	tabTo(t, w, "其他")
	w.Do("software", chromedp.KeyEvent(" "), sees(`input[name=title]`))
	for range 3 { // the arrow keys choose
		w.Do("next software", chromedp.KeyEvent(kb.ArrowDown))
	}
	w.Do("GitLab", shows(said("GitLab 的地址")))
	w.Accessible("a new application")
	tabTo(t, w, "GitLab 的地址")
	key("http://gitlab.corp.example")
	w.Do("http", shows(said("请填写 https 地址")))
	w.Do("again", chromium.Script(`document.activeElement.select()`), chromedp.KeyEvent("https://gitlab.corp.example/"))
	if got := ask(w, `document.querySelector('textarea[name=redirectUris]').value + ' ' + document.querySelector('input[name="claims.emailTemplate"]').value`); got != "https://gitlab.corp.example/users/auth/openid_connect/callback {wecom_userid}@corp.example" {
		t.Errorf("filled in: %s", got)
	}
	tabTo(t, w, "谁可以使用")
	w.Do("everybody", shows(said("所有能在此登录的人都可以使用。")))
	key("dev ops")
	w.Do("some", shows(said("仅具有角色 dev 或 ops 的人可以使用。")))
	tabTo(t, w, "创建应用")
	w.Do("create", chromedp.KeyEvent("\r"), shows(said("密钥仅显示这一次")))
	w.Accessible("the secret")
	secret := ask(w, `document.querySelector('.notice .copyable code').innerText`)
	configuration := ask(w, `document.querySelector('.copyable.block code').innerText`)
	for _, part := range []string{"secret: '" + secret + "'", "identifier: 'gitlab'", "issuer: 'https://signin.example.com'", "redirect_uri: 'https://gitlab.corp.example/users/auth/openid_connect/callback'"} {
		if !strings.Contains(configuration, part) {
			t.Errorf("the configuration lacks %q:\n%s", part, configuration)
		}
	}
	if len(secret) != 43 {
		t.Errorf("the secret is %q", secret)
	}
	a := o.application("gitlab")
	if a.Kind != store.KindWeb || a.Title != "GitLab" || a.Homepage != "https://gitlab.corp.example/" || len(a.Secrets) != 1 ||
		a.Claims.Email != "template" || a.Claims.EmailTemplate != "{wecom_userid}@corp.example" || !slices.Equal(a.Allow.Roles, []string{"dev", "ops"}) {
		t.Errorf("stored %+v", a)
	}
	// Leaving asks as long as nobody said that it was copied.
	tabTo(t, w, "打开应用设置")
	w.Do("leave", chromedp.KeyEvent("\r"), shows(dialogButton("离开")), chromedp.KeyEvent("\x1b"), gone(`dialog`))
	w.Do("copied", clickOn(button("我已复制")), gone(`.notice .copyable`))
	w.Do("open", clickOn(button("打开应用设置")), shows(said("客户端密钥")), shows(chromedp.Search(`//h1[text()="GitLab"]`)))
	if page := ask(w, `document.documentElement.innerHTML + JSON.stringify([sessionStorage, localStorage])`); strings.Contains(page, secret) {
		t.Error("the secret is still there")
	}
	w.Accessible("an application")
}

// An administrator changes an application, makes its second secret, sees what it would be
// told of somebody and why a sign-in was refused, and deletes it by its name.
func TestConsoleApplication(t *testing.T) {
	chromium.RequireAxe(t)
	atBothSizes(t, func(t *testing.T, width int64) {
		o := newOffice(t)
		o.create("hr", `,"title":"Staff"`)
		o.create("partner", `,"title":"Partner"`)
		o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/partner", body: `{"corpId":"ww9876543210"}`})
		o.createApplication("wiki", "web", `,"title":"Wiki","redirectUris":["https://wiki.example.com/callback"]`)
		o.createSecret("wiki")
		id := o.createUser("13800138000")
		err := o.directory.RecordApplicationEvent(t.Context(), store.ApplicationEvent{
			At: o.clock.Add(time.Minute), ApplicationID: "wiki", Result: "invalid_request", Cause: "redirect_mismatch", UserID: id, RequestID: "request-9",
		})
		if err != nil {
			t.Fatal(err)
		}
		f := o.serve(t)
		w := openIn(t, "en-US,en", width)
		enter(w, f, "#applications")
		w.Do("list", shows(said("Everybody who can sign in here may use it.")), click(`.item h2 a`), sees(`input[name=title]`))
		w.Do("attempt", shows(said("They are compared letter by letter")), shows(said("invalid_request · redirect_mismatch · Request request-9")), shows(chromedp.Search(`//td//a[text()="Li"]`)))
		redirects := func(text string) chromium.Action { return fill(`textarea[name=redirectUris]`, text) }
		for _, test := range []struct{ address, want string }{
			{"https://wiki.example.com/a#b", "there must be no #"},
			{"https://*.example.com/a", "stands for nothing here"},
			{"http://wiki.example.com/a", "use https"},
			{"wiki.example.com", "begins with https://"},
			{"https://wiki.example.com", "has no path"},
			{"https://wiki.example.com/a\nhttps://wiki.example.com/a/", "is there twice"},
		} {
			w.Do(test.want, redirects(test.address), shows(said(test.want)))
		}
		w.Do("accepted", redirects("https://wiki.example.com/callback\nhttps://wiki.example.com/other"))
		w.Do("claims", click(`summary`), chromedp.SetValue(chromedp.CSS(`select[name="claims.email"]`), "template"),
			chromium.Script(`document.querySelector('select[name="claims.email"]').dispatchEvent(new Event('input', {bubbles: true}))`),
			shows(said("The authenticators belong to several companies")))
		w.Do("two companies", clickOn(button("Save")), shows(said("Choose authenticators of one company first")))
		w.Do("one company", click(`input[value=hr]`), chromedp.WaitNotPresent(said("Choose authenticators of one company first")))
		w.Do("no template", clickOn(button("Save")), shows(said("An address with {wecom_userid} once, before the @")))
		w.Do("template", fill(`input[name="claims.emailTemplate"]`, "{wecom_userid}@corp.example"), clickOn(button("Save")), shows(said("Saved.")))
		w.Do("second secret", clickOn(button("Make a secret")), shows(said("This secret is shown only now")))
		w.Accessible("the second secret")
		w.Do("copied", clickOn(button("I have copied it")), shows(said("There are two")), gone(`.notice.warn`))
		w.Do("delete one", clickOn(chromedp.Search(`(//main//li[contains(@class,"identity")])[1]//button`)), clickOn(dialogButton("Delete")), shows(button("Make a secret")))
		w.Do("preview", click(`form.tools button`), shows(said("As Li")), shows(said("ID token · Userinfo · Access token")))
		w.Accessible("an application")
		w.Do("disable", clickOn(button("Disable")), clickOn(dialogButton("Disable")), shows(button("Enable")))
		w.Do("other name", click(`main button.danger`), fill(`dialog input[name=confirm]`, "Wick\r"), shows(said("This is not its name.")))
		w.Accessible("deleting")
		if a := o.application("wiki"); a.Enabled || a.Claims.Email != "template" || len(a.Secrets) != 1 || len(a.RedirectURIs) != 2 {
			t.Errorf("stored %+v", a)
		}
		w.Do("deleted", fill(`dialog input[name=confirm]`, "Wiki\r"), shows(said("No applications yet")))
		if len(o.applications()) != 0 {
			t.Error("it is still there")
		}
	})
}

// An administrator adds software that knows no sign-in: its address gives the id and the
// configuration of the proxy, and what it is told are headers.
func TestConsoleAddsWhatAProxyProtects(t *testing.T) {
	chromium.RequireAxe(t)
	atBothSizes(t, func(t *testing.T, width int64) {
		o := newOffice(t)
		o.create("hr", `,"title":"Staff"`)
		o.createUser("13800138000")
		f := o.serve(t)
		w := openIn(t, "en-US,en", width)
		enter(w, f, "#add-application")
		w.Do("kind", click(`input[value=proxy]`), shows(said("Which proxy?")), click(`input[value=caddy]`), sees(`input[name=base]`))
		w.Accessible("what a proxy protects")
		w.Do("nothing", clickOn(button("Create application")), shows(said("Enter an https address")), shows(said("Enter a title.")))
		w.Do("create", fill(`input[name=base]`, "https://wiki.corp.example/"), fill(`input[name=title]`, "Wiki"), clickOn(button("Create application")), shows(said("Set up the proxy")))
		if got := ask(w, `document.querySelector('.copyable.block code').innerText`); !strings.HasPrefix(got, "https://wiki.corp.example {") || !strings.Contains(got, "/oauth2/forward-auth/forward/wiki") {
			t.Errorf("the configuration is\n%s", got)
		}
		if a := o.application("wiki"); a.Kind != store.KindProxy || a.Homepage != "https://wiki.corp.example/" || len(a.RedirectURIs) != 0 {
			t.Errorf("stored %+v", a)
		}
		w.Do("open", clickOn(button("Open its options")), sees(`input[name=homepage]`))
		if got := ask(w, `[...document.querySelectorAll('.recordform [name]')].map((field) => field.name).join(' ')`); strings.Contains(got, "Uri") || strings.Contains(got, "refresh") || !strings.Contains(got, "forwardAuth.token") {
			t.Errorf("its options are %s", got)
		}
		w.Do("preview", click(`form.tools button`), shows(said("As Li")), shows(said("X-Auth-Groups")), gone(`main .waiting`))
		w.Accessible("an application behind a proxy")
	})
}

// The console renders configurations as the documentation does.
func TestConsoleRendersSnippets(t *testing.T) {
	o := newOffice(t)
	f := o.serve(t)
	w := open(t, 1440)
	enter(w, f, "")
	values := map[string]string{"issuer": "https://signin.example.com", "id": "the-client", "redirect": "https://a.example.com/callback", "base": "https://a.example.com", "groups": "groups", "secret": theSecret}
	got := chromium.Evaluate[[]string](w, `(async () => {
		const script = document.querySelector('script[src*="/assets/console/"]').src;
		const { render, snippets } = await import(new URL('application-snippets.js', script));
		const values = {issuer: 'https://signin.example.com', id: 'the-client', redirect: 'https://a.example.com/callback', base: 'https://a.example.com', groups: 'groups', secret: '`+theSecret+`'};
		return (await snippets()).map((snippet) => render(snippet, values));
	})()`)
	for i, s := range snippets(t) {
		if want := renderSnippet(s, values); got[i] != want {
			t.Errorf("%s is\n%s\nwant\n%s", s.ID, got[i], want)
		}
	}
}

// serveOpenID answers as the provider does, for one sign-in: authorize is what comes back
// from it, besides state and issuer.
func (f *front) serveOpenID(authorize url.Values) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"issuer":"`+f.URL+`"}`)
	})
	var asked url.Values
	mux.HandleFunc("GET /oauth2/authorize", func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Query()
		answer := maps.Clone(authorize)
		answer.Set("state", asked.Get("state"))
		answer.Set("iss", f.URL)
		http.Redirect(w, r, asked.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
	})
	mux.HandleFunc("POST /oauth2/token", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if r.FormValue("code") != "the-code" || r.FormValue("client_id") != asked.Get("client_id") ||
			r.FormValue("redirect_uri") != asked.Get("redirect_uri") || base64.RawURLEncoding.EncodeToString(sum[:]) != asked.Get("code_challenge") {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
			return
		}
		token := func(claims string) string {
			return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".x"
		}
		_ = json.NewEncoder(w).Encode(map[string]string{
			"id_token":     token(fmt.Sprintf(`{"iss":%q,"aud":%q,"nonce":%q,"name":"张三"}`, f.URL, asked.Get("client_id"), asked.Get("nonce"))),
			"access_token": token(`{"scope":"openid profile"}`),
		})
	})
	mux.HandleFunc("GET /oauth2/userinfo", func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer e30.") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"sub":"the-person"}`)
	})
	f.openID.Store(mux)
}

// A sign-in is tried with a copy that exists for so long only: with what comes back shown
// step by step, and a refusal in words.
func TestConsoleTriesASignIn(t *testing.T) {
	chromium.RequireAxe(t)
	for _, test := range []struct {
		name      string
		authorize url.Values
		want      []string
	}{
		{"good", url.Values{"code": {"the-code"}}, []string{"The sign-in works.", "张三", "the-person", "openid profile"}},
		{"refused", url.Values{"error": {"access_denied"}, "error_description": {"Not for this member."}}, []string{"The sign-in did not work.", "The service refused the sign-in.", "access_denied: Not for this member."}},
		{"code of another sign-in", url.Values{"code": {"another-code"}}, []string{"The sign-in did not work.", "invalid_grant"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOffice(t)
			o.create("hr", "")
			o.createApplication("wiki", "web", `,"title":"Wiki","redirectUris":["https://wiki.example.com/callback"],"allow":{"roles":["dev"]}`)
			f := o.serve(t)
			f.serveOpenID(test.authorize)
			w := openIn(t, "en-US,en", 360)
			enter(w, f, "#applications/wiki")
			w.Do("try", clickOn(button("Test sign-in")), clickOn(dialogButton("Begin")))
			for _, want := range test.want {
				w.Do(want, shows(said(want)))
			}
			w.Accessible("a sign-in to try")
			if ids := o.applicationIDs(); !slices.Equal(ids, []string{"wiki"}) {
				t.Errorf("left over: %q", ids)
			}
		})
	}
}

func (o *office) applicationIDs() []string {
	var ids []string
	for _, a := range o.applications() {
		ids = append(ids, a.ID)
	}
	return ids
}

// Whoever closes the console in the middle of a sign-in to try leaves no copy.
func TestConsoleClosedWhileTryingASignIn(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.createApplication("wiki", "web", `,"title":"Wiki","redirectUris":["https://wiki.example.com/callback"]`)
	f := o.serve(t)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"issuer":"`+f.URL+`"}`)
	})
	asked := make(chan string, 1)
	mux.HandleFunc("GET /oauth2/authorize", func(_ http.ResponseWriter, r *http.Request) { asked <- r.FormValue("client_id") })
	f.openID.Store(mux)
	w := open(t, 1440)
	enter(w, f, "#applications/wiki")
	w.Do("try", clickOn(button("Test sign-in")), clickOn(dialogButton("Begin")))
	select {
	case id := <-asked:
		if ids := o.applicationIDs(); !slices.Contains(ids, id) {
			t.Errorf("the sign-in is to %q of %q", id, ids)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("nobody signs in")
	}
	w.Do("close", visit("about:blank"))
	for deadline := time.Now().Add(30 * time.Second); len(o.applicationIDs()) > 1; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("left over: %q", o.applicationIDs())
		}
	}
}

// A copy that a crash has left goes when somebody looks at the applications. One in use
// stays, and neither is shown.
func TestConsoleRemovesCopiesThatWereLeft(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	o.createApplication("wiki", "web", `,"title":"Wiki"`)
	for id, age := range map[string]time.Duration{"console-test-left": 2 * time.Hour, "console-test-used": 5 * time.Minute} {
		o.clock = time.Now().Add(-age)
		o.createApplication(id, "browser", `,"title":"Copy"`)
	}
	f := o.serve(t)
	w := open(t, 1440)
	enter(w, f, "#applications")
	w.Do("applications", shows(said("Wiki")))
	if shown := w.Texts("main li h2"); !slices.Equal(shown, []string{"Wiki"}) {
		t.Errorf("shown: %q", shown)
	}
	for deadline := time.Now().Add(30 * time.Second); !slices.Equal(slices.Sorted(slices.Values(o.applicationIDs())), []string{"console-test-used", "wiki"}); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("left over: %q", o.applicationIDs())
		}
	}
}

// What has no server has no secret: its configuration has no line about one, and nothing
// asks before leaving.
func TestConsoleAddsAnApplicationWithoutASecret(t *testing.T) {
	for _, test := range []struct {
		name   string
		choose []chromium.Action
		want   store.Application
	}{
		{"on a device", []chromium.Action{click(`input[value=native]`), click(`input[value=kubernetes]`)}, store.Application{
			ID: "kubernetes", Title: "Kubernetes", Kind: store.KindNative, RedirectURIs: []string{"http://localhost:8000"},
		}},
		{"in the browser", []chromium.Action{
			click(`input[value=browser]`), fill(`textarea[name=redirectUris]`, "https://spa.example.com/callback"),
			fill(`input[name=title]`, "Board"), fill(`input[name=id]`, "board"),
		}, store.Application{ID: "board", Title: "Board", Kind: store.KindBrowser, RedirectURIs: []string{"https://spa.example.com/callback"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOffice(t)
			f := o.serve(t)
			w := open(t, 360)
			enter(w, f, "#add-application")
			w.Do("choose", test.choose...)
			w.Do("create", clickOn(button("Create application")), shows(said("is added")))
			if got := ask(w, `document.querySelector('.copyable.block code').innerText`); strings.Contains(got, "secret") || !strings.Contains(got, test.want.ID) {
				t.Errorf("the configuration is\n%s", got)
			}
			w.Do("open", clickOn(button("Open its options")), sees(`.savebar`))
			a := o.application(test.want.ID)
			if a.Title != test.want.Title || a.Kind != test.want.Kind || !slices.Equal(a.RedirectURIs, test.want.RedirectURIs) || len(a.Secrets) != 0 {
				t.Errorf("stored %+v", a)
			}
		})
	}
}
