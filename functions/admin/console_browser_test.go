package admin_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/browsertest"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

const (
	adminKey = "the-admin-key"
	// Tokens of two administrators' sessions: {"sub":"1"} and {"sub":"2"}.
	adminToken = "e30.eyJzdWIiOiIxIn0.x"
	otherToken = "e30.eyJzdWIiOiIyIn0.x"
)

// front makes an office reachable by a browser. Its authorizer knows one key and one
// token, and can be told to refuse them.
type front struct {
	*httptest.Server
	closed  atomic.Bool // no access for anybody
	session atomic.Value
	slow    atomic.Int64 // milliseconds that an import takes
}

// What the browser's session may be.
const (
	noSession     = ""
	memberSession = "member"
	adminSession  = "admin"
	otherSession  = "another administrator"
)

func (o *office) serve(t *testing.T) *front {
	f := &front{}
	f.session.Store(noSession)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session, _ := f.session.Load().(string)
		body, _ := io.ReadAll(r.Body)
		event := events.APIGatewayV2HTTPRequest{
			RawPath: r.URL.Path, RawQueryString: r.URL.RawQuery, Headers: map[string]string{},
			Body: base64.StdEncoding.EncodeToString(body), IsBase64Encoded: true,
		}
		for name := range r.Header {
			event.Headers[strings.ToLower(name)] = r.Header.Get(name)
		}
		event.RequestContext.HTTP.Method = r.Method
		event.RequestContext.RequestID = "request-1"
		switch {
		case r.URL.Path == "/api/token" && session != noSession:
			token := adminToken
			if session == otherSession {
				token = otherToken
			}
			_, _ = io.WriteString(w, `{"access_token":"`+token+`","token_type":"Bearer","expires_in":900}`)
			return
		case r.URL.Path == "/api/session" && session != noSession:
			_, _ = io.WriteString(w, `{"user":{"id":"1","name":"张三","phone":"+8613800138000","roles":[]}}`)
			return
		case r.URL.Path == "/api/token", r.URL.Path == "/api/session":
			http.Error(w, "{}", http.StatusUnauthorized)
			return
		case strings.HasPrefix(r.URL.Path, "/api/admin/"):
			word := map[string]any{"caller": "admin-key"}
			allowed := r.Header.Get("Authorization") == "Bearer "+adminKey
			switch r.Header.Get("Authorization") {
			case "Bearer " + adminToken:
				allowed, word = session == adminSession, map[string]any{"caller": "user", "userId": "1"}
			case "Bearer " + otherToken:
				allowed, word = session == otherSession, map[string]any{"caller": "user", "userId": "2"}
			}
			if f.closed.Load() || !allowed {
				http.Error(w, `{"message":"Forbidden"}`, http.StatusForbidden)
				return
			}
			if strings.HasSuffix(r.URL.Path, "/import") {
				time.Sleep(time.Duration(f.slow.Load()) * time.Millisecond)
			}
			event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: word}
		}
		response, _ := o.function(r.Context(), event)
		for name, value := range response.Headers {
			w.Header().Set(name, value)
		}
		w.WriteHeader(response.StatusCode)
		answer := []byte(response.Body)
		if response.IsBase64Encoded {
			answer, _ = base64.StdEncoding.DecodeString(response.Body)
		}
		_, _ = w.Write(answer)
	}))
	t.Cleanup(f.Close)
	return f
}

// window is a browser on the console.
type window struct {
	t          *testing.T
	ctx        context.Context //nolint:containedctx // the browser itself
	name       string
	complaints func() []string
}

// browser opens a window that reads English, or skips the test. It returns what the
// page complained of.
func browser(t *testing.T, width int64) (context.Context, func() []string) {
	t.Helper()
	return browsertest.Open(t, "console",
		chromedp.WindowSize(int(width), 900), chromedp.Flag("lang", "en-US"), chromedp.Flag("accept-lang", "en-US,en"))
}

// open starts a browser for a test that must not make the page complain.
func open(t *testing.T, name string, width int64) *window {
	t.Helper()
	ctx, complaints := browser(t, width)
	w := &window{t: t, ctx: ctx, name: name, complaints: complaints}
	t.Cleanup(func() {
		if found := complaints(); len(found) > 0 {
			t.Errorf("the page complains: %q", found)
		}
	})
	w.do("size", chromedp.EmulateViewport(width, 900))
	return w
}

// do acts, and then looks whether the page fits into the window.
func (w *window) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	step, done := context.WithTimeout(w.ctx, 15*time.Second)
	defer done()
	if err := chromedp.Do(step, actions...); err != nil {
		text, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		w.t.Fatalf("%s: %v\n%q\n%s", what, err, w.complaints(), text)
	}
	wide, err := chromedp.Run(step, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`))
	if err != nil || wide {
		w.t.Errorf("%s: wider than the window (%v)", what, err)
	}
	if folder := os.Getenv("SCREENSHOTS"); folder != "" {
		picture, _ := chromedp.Run(step, chromedp.FullScreenshot(100))
		_ = os.WriteFile(filepath.Join(folder, "console-"+w.name+"-"+strings.ReplaceAll(what, " ", "-")+".png"), picture, 0o600)
	}
}

// ask evaluates an expression.
func (w *window) ask(expression string) string {
	w.t.Helper()
	step, done := context.WithTimeout(w.ctx, 10*time.Second)
	defer done()
	found, err := chromedp.Run(step, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		w.t.Fatalf("%s: %v", expression, err)
	}
	return found
}

// enter opens the console and comes in with the key.
func (w *window) enter(f *front, hash string) {
	w.t.Helper()
	w.do("enter", chromedp.Navigate(f.URL+"/console"+hash), chromedp.WaitVisible(chromedp.CSS(`input[name=key]`)),
		chromedp.SendKeys(chromedp.CSS(`input[name=key]`), adminKey+"\r"), chromedp.WaitVisible(chromedp.CSS(`#tabs a`)), chromedp.WaitNotPresent(chromedp.CSS(`input[name=key]`)))
}

func button(label string) chromedp.Search {
	return chromedp.Search(`//main//button[normalize-space()="` + label + `"]`)
}

func dialogButton(label string) chromedp.Search {
	return chromedp.Search(`//dialog//button[normalize-space()="` + label + `"]`)
}

func said(text string) chromedp.Search {
	// The texts of the page lie in a script, where everything is said already.
	return chromedp.Search(`//body//*[not(self::script)][contains(normalize-space(text()),"` + text + `")]`)
}

// retype replaces what is in a field, as a person does.
func retype(css, text string) []chromedp.Action[chromedp.Void] {
	return []chromedp.Action[chromedp.Void]{
		chromedp.Focus(chromedp.CSS(css)), chromedp.Evaluate[chromedp.Void]("document.activeElement.select()"), chromedp.KeyEvent(text),
	}
}

func atBothSizes(t *testing.T, test func(t *testing.T, name string, width int64)) {
	for name, width := range map[string]int64{"phone": 360, "desktop": 1440} {
		t.Run(name, func(t *testing.T) { test(t, name, width) })
	}
}

// An administrator comes in with the key, changes and checks an authenticator, finds
// a user and takes the access away, and nothing on the way breaks the page's policy
// or its width.
func TestConsoleInABrowser(t *testing.T) {
	atBothSizes(t, func(t *testing.T, name string, width int64) {
		o := newOffice(t)
		o.create("finance", `,"title":"<img src=x onerror=alert(1)>","workbenchRedirectPath":"/a-rather-long-path-without-any-place-to-break-it-in-two/and-more-of-it"`)
		for i := range 5 { // so many that there is a search
			o.create("more-"+strconv.Itoa(i), "")
		}
		id := o.createUser("13800138000")
		f := o.serve(t)
		w := open(t, name, width)
		w.do("open", chromedp.Navigate(f.URL+"/console"), chromedp.WaitVisible(chromedp.CSS(`input[name=key]`)))
		w.do("wrong key", chromedp.SendKeys(chromedp.CSS(`input[name=key]`), "wrong\r"), chromedp.WaitVisible(chromedp.CSS(`input[name=key][aria-invalid=true]`)))
		w.do("right key", slices.Concat(retype(`input[name=key]`, adminKey+"\r"), []chromedp.Action[chromedp.Void]{chromedp.WaitVisible(chromedp.CSS(`.items .card`))})...)
		w.do("search", chromedp.SendKeys(chromedp.CSS(`main input[type=search]`), "nothing like it"), chromedp.WaitVisible(said("Nothing matches")))
		w.do("authenticator", slices.Concat(retype(`main input[type=search]`, "FINANCE"), []chromedp.Action[chromedp.Void]{
			chromedp.Click(chromedp.CSS(`.item h2 a`)), chromedp.WaitVisible(chromedp.CSS(`input[name=agentId]`)),
		})...)
		w.do("wrong option", slices.Concat(retype(`input[name=agentId]`, "10a"), []chromedp.Action[chromedp.Void]{
			chromedp.Click(button("Save")), chromedp.WaitVisible(chromedp.CSS(`input[name=agentId][aria-invalid=true]`)), chromedp.WaitVisible(said("1 to 16 digits")),
		})...)
		w.do("repaired", slices.Concat(retype(`input[name=agentId]`, "1000009"), retype(`input[name=origin]`, "https://new.example.com/"), []chromedp.Action[chromedp.Void]{
			chromedp.Click(button("Save")), chromedp.WaitVisible(said("Saved.")),
		})...)
		w.do("check", chromedp.Click(button("Check")), chromedp.WaitVisible(chromedp.CSS(`dialog .steps li`)), chromedp.Click(dialogButton("Close")), chromedp.WaitNotPresent(chromedp.CSS(`dialog`)))
		w.do("links", slices.Concat(retype(`input[name=phone]`, "/m?a=1&b"), []chromedp.Action[chromedp.Void]{chromedp.WaitVisible(said("/authorize/finance?redirect=%2Fm%3Fa%3D1%26b"))})...)
		w.do("users", chromedp.Click(chromedp.CSS(`#tabs a[href="#users"]`)), chromedp.WaitVisible(chromedp.CSS(`tbody a`)))
		for _, part := range []string{"1", "380", "0138", "00"} { // a slow typist searches with each
			w.do("part of a number", chromedp.SendKeys(chromedp.CSS(`main input[type=search]`), part), chromedp.WaitVisible(said("Nothing found yet")))
		}
		w.do("nobody's number", chromedp.SendKeys(chromedp.CSS(`main input[type=search]`), "1"), chromedp.WaitVisible(said("No user has the phone number 13800138001")))
		w.do("found", slices.Concat(retype(`main input[type=search]`, "+86 138-0013\u200B-8000\u202C"), []chromedp.Action[chromedp.Void]{chromedp.WaitVisible(chromedp.CSS(`tbody a`))})...)
		w.do("user", chromedp.Click(chromedp.CSS(`tbody a`)), chromedp.WaitVisible(chromedp.CSS(`input[name=roles]`)))
		w.do("make administrator", chromedp.Click(button("Make administrator")), chromedp.Click(dialogButton("Make administrator")), chromedp.WaitVisible(button("Remove administrator role")))
		w.do("disable user", chromedp.Click(button("Disable")), chromedp.Click(dialogButton("Disable")), chromedp.WaitVisible(button("Enable")))
		w.do("domain files", chromedp.Click(chromedp.CSS(`#tabs a[href="#files"]`)), chromedp.WaitVisible(said("No domain files yet")))
		file := filepath.Join(t.TempDir(), "WW_verify_0123456789abcdef (1).txt")
		if err := os.WriteFile(file, []byte("0123456789abcdef"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.do("domain file", chromedp.SetUploadFiles(chromedp.CSS(`input[type=file]`), []string{file}), chromedp.WaitVisible(said("WW_verify_0123456789abcdef.txt")), chromedp.Click(chromedp.CSS(`.toast button`)))
		w.do("forget the key", chromedp.Click(chromedp.CSS(`#account button`)), chromedp.WaitVisible(chromedp.CSS(`input[name=key]`)))
		if kept := w.ask(`JSON.stringify([sessionStorage, localStorage, document.cookie])`); strings.Contains(kept, adminKey) {
			t.Errorf("the key is still there: %s", kept)
		}
		if a := o.authenticator("finance"); a.Origin != "https://new.example.com" || a.AgentID != "1000009" || o.vault.secretOf(a) != theSecret {
			t.Errorf("changed to %+v", a)
		}
		if u := o.user(id); u.Enabled || !slices.Equal(u.Roles, []string{"admin"}) {
			t.Errorf("the user is %+v", u)
		}
	})
}

// Two administrators change one authenticator: nothing typed is lost, and each sees
// what the other one did.
func TestConsoleConflict(t *testing.T) {
	o := newOffice(t)
	o.create("hr", `,"title":"Human resources"`)
	f := o.serve(t)
	w := open(t, "conflict", 360)
	w.enter(f, "#authenticators/hr")
	w.do("type", slices.Concat(retype(`input[name=title]`, "People"), []chromedp.Action[chromedp.Void]{chromedp.WaitVisible(button("Save"))})...)
	o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"title":"Staff","origin":"https://staff.example.com"}`})
	w.do("save", chromedp.Click(button("Save")), chromedp.WaitVisible(said("Title: now “Staff”, before “Human resources”.")), chromedp.WaitVisible(button("Use theirs")))
	if got := w.ask(`document.querySelector('input[name=title]').value + ' ' + document.querySelector('input[name=origin]').value`); got != "People https://staff.example.com" {
		t.Errorf("the fields have %q", got)
	}
	w.do("save again", chromedp.Click(button("Save")), chromedp.WaitVisible(said("Saved.")))
	if a := o.authenticator("hr"); a.Title != "People" || a.Origin != "https://staff.example.com" {
		t.Errorf("stored %+v", a)
	}
}

// A second automatic login is refused with the title of the first and a way to it.
func TestConsoleAutomaticLogin(t *testing.T) {
	o := newOffice(t)
	o.create("first", `,"title":"The first","autoLogin":true`)
	o.create("second", "")
	f := o.serve(t)
	w := open(t, "autologin", 360)
	w.enter(f, "#authenticators/second")
	w.do("refused", chromedp.Click(chromedp.CSS(`input[name=autoLogin]`)), chromedp.Click(button("Save")), chromedp.WaitVisible(said("“The first” has automatic login already")))
	w.do("leave", chromedp.Click(chromedp.CSS(`.notice a[href="#authenticators/first"]`)), chromedp.Click(dialogButton("Leave")),
		chromedp.WaitVisible(chromedp.Search(`//h1[text()="The first"]`)))
}

// Leaving asks when something was typed, and the end of access loses nothing.
func TestConsoleKeepsWhatIsTyped(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	f := o.serve(t)
	w := open(t, "typed", 1440)
	w.enter(f, "#authenticators/hr")
	typed := func(when string) {
		t.Helper()
		if got := w.ask(`location.hash + ' ' + document.querySelector('input[name=title]').value`); got != "#authenticators/hr People" {
			t.Errorf("%s: %q", when, got)
		}
	}
	w.do("type", append(retype(`input[name=title]`, "People"), chromedp.WaitVisible(button("Save")))...)
	w.do("leave", chromedp.Click(chromedp.CSS(`#tabs a[href="#users"]`)), chromedp.WaitVisible(dialogButton("Leave")))
	w.do("stay", chromedp.Click(dialogButton("Cancel")), chromedp.WaitNotPresent(chromedp.CSS(`dialog`)))
	typed("after staying")
	f.closed.Store(true)
	w.do("access ends", chromedp.Click(button("Save")), chromedp.WaitVisible(chromedp.CSS(`dialog input[name=key]`)))
	typed("after the end of access")
	f.closed.Store(false)
	w.do("again", chromedp.SendKeys(chromedp.CSS(`dialog input[name=key]`), adminKey+"\r"), chromedp.WaitNotPresent(chromedp.CSS(`dialog`)), chromedp.WaitVisible(said("Saved.")))
	typed("after signing in again")
	if got := o.authenticator("hr").Title; got != "People" {
		t.Errorf("stored %q", got)
	}
	w.do("leave saved", chromedp.Click(chromedp.CSS(`#tabs a[href="#users"]`)), chromedp.WaitVisible(said("No users yet")))
}

// A session comes in by itself with the role, and is told what to do without it.
func TestConsoleWithASession(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	f := o.serve(t)
	f.session.Store(memberSession)
	w := open(t, "session", 360)
	w.do("member", chromedp.Navigate(f.URL+"/console"), chromedp.WaitVisible(said("You are signed in as 张三, who is not an administrator.")),
		chromedp.WaitVisible(chromedp.CSS(`a[href="/signin?return=console"]`)))
	f.session.Store(adminSession)
	w.do("administrator", chromedp.Click(button("Use the current sign-in")), chromedp.WaitVisible(chromedp.CSS(`.items .card`)))
	w.do("by itself", chromedp.Navigate(f.URL+"/console#users"), chromedp.WaitVisible(said("No users yet")))
	f.session.Store(noSession)
	w.do("ended", chromedp.Click(chromedp.CSS(`#tabs a[href="#authenticators"]`)), chromedp.WaitVisible(chromedp.CSS(`dialog a[href="/signin?return=console"][target=_blank]`)))
	f.session.Store(adminSession)
	w.do("begun again", chromedp.Click(dialogButton("Use the current sign-in")), chromedp.WaitNotPresent(chromedp.CSS(`dialog`)), chromedp.WaitVisible(chromedp.CSS(`.items .card`)))
}

// Another administrator signs in, in the next tab: what is open here does not go on in
// that one's name until somebody says so.
func TestAttackConsoleGoesOnAsSomebodyElse(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	f := o.serve(t)
	f.session.Store(adminSession)
	w := open(t, "somebody else", 1440)
	w.do("in", chromedp.Navigate(f.URL+"/console"), chromedp.WaitVisible(chromedp.CSS(`.items .card`)))
	f.session.Store(otherSession)
	w.do("asked again", chromedp.Click(chromedp.CSS(`#tabs a[href="#users"]`)), chromedp.WaitVisible(chromedp.CSS(`dialog a[href="/signin?return=console"]`)))
	w.do("said so", chromedp.Click(dialogButton("Use the current sign-in")), chromedp.WaitNotPresent(chromedp.CSS(`dialog`)), chromedp.WaitVisible(said("No users yet")))
}

// A long file goes in parts; the answer has the lines of the whole file.
func TestConsoleImport(t *testing.T) {
	atBothSizes(t, func(t *testing.T, name string, width int64) {
		o := newOffice(t)
		f := o.serve(t)
		w := open(t, "import-"+name, width)
		w.enter(f, "#import")
		var file strings.Builder
		file.WriteString("\uFEFFName;Phone;Team\r\n")
		for i := range 1100 {
			fmt.Fprintf(&file, "Person %d;1390000%04d;\"a;b\r\nc\"\r\n", i, i)
		}
		file.WriteString("\r\nBroken;12;\r\nTwice;+86 139-0000-0000;\r\n")
		path := filepath.Join(t.TempDir(), "people.csv")
		if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		w.do("example", chromedp.Click(button("Download an example")))
		w.do("choose", chromedp.SetUploadFiles(chromedp.CSS(`input[type=file]`), []string{path}), chromedp.WaitVisible(said("people.csv, rows: 1,102")), chromedp.WaitVisible(said("These columns are not imported: Team")))
		if got := len(o.directoryUsers()); got != 0 {
			t.Errorf("%d users before it was confirmed", got)
		}
		f.slow.Store(700)
		w.do("begin", chromedp.Click(button("Import rows: 1,102")), chromedp.WaitVisible(chromedp.CSS(`progress`)), chromedp.Click(button("Stop")), chromedp.WaitVisible(said("The import was stopped")))
		w.do("go on", chromedp.Click(button("Go on with the rest: 101")), chromedp.WaitVisible(said("Some rows could not be imported")))
		rows := w.ask(`[...document.querySelectorAll('tbody tr')].map((row) => row.querySelector('th').innerText + ' ' + row.querySelector('.part').innerText).join('|')`)
		if !strings.HasPrefix(rows, "2,203 This is not a valid phone number.|2,204 An earlier row") {
			t.Errorf("failed rows %q", rows)
		}
		if got := len(o.directoryUsers()); got != 1100 {
			t.Errorf("%d users", got)
		}
	})
}

// A long list comes page by page, is found in by the beginning of a name, and is as it
// was when one comes back to it. A refusal says why.
func TestConsoleUsersAndAttempts(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	var file strings.Builder
	file.WriteString("phone,name\n")
	for i := range 60 {
		fmt.Fprintf(&file, "1390000%04d,Person %02d\n", i, i)
	}
	o.expect(200, request{method: "POST", path: "/api/admin/users/import", contentType: "text/csv", body: file.String()})
	err := o.directory.RecordEvent(t.Context(), "attempt", store.SignInEvent{
		At: o.clock.Add(-time.Minute), AuthenticatorID: o.authenticator("hr").ID, AuthenticatorName: "hr", CorpID: "ww0123456789",
		WeComUserID: "zhangsan", InWeCom: true, Code: "wecom_configuration", WeComCode: 60020, RequestID: "request-7",
	})
	if err != nil {
		t.Fatal(err)
	}
	f := o.serve(t)
	w := open(t, "users", 360)
	w.enter(f, "#users")
	rows := func(want string) {
		t.Helper()
		if got := w.ask(`document.querySelectorAll('tbody tr').length`); got != want {
			t.Errorf("%s rows, want %s", got, want)
		}
	}
	w.do("first page", chromedp.WaitVisible(button("Show more")))
	rows("50")
	w.do("more", chromedp.Click(button("Show more")), chromedp.WaitNotPresent(button("Show more")))
	rows("60")
	w.do("name", chromedp.SendKeys(chromedp.CSS(`main input[type=search]`), "person 4"), chromedp.WaitNotPresent(said("Person 39")))
	rows("10")
	w.do("one", chromedp.Click(chromedp.Search(`//a[text()="Person 43"]`)), chromedp.WaitVisible(chromedp.CSS(`input[name=roles]`)))
	w.do("back", chromedp.Click(chromedp.CSS(`a.back`)), chromedp.WaitVisible(chromedp.Search(`//a[text()="Person 43"]`)))
	rows("10")
	w.do("attempts", chromedp.Navigate(f.URL+"/console#authenticators/hr"), chromedp.WaitVisible(said("WeCom refused this service.")),
		chromedp.WaitVisible(said("wecom_configuration · WeCom 60020 · Request request-7")))
}

// The holder of the key becomes the first administrator, and a new user whose phone
// is taken is not lost.
func TestConsoleFirstAdministrator(t *testing.T) {
	o := newOffice(t)
	id := o.createUser("13800138000")
	f := o.serve(t)
	w := open(t, "first", 360)
	w.enter(f, "")
	w.do("become", chromedp.WaitVisible(said("Connect your WeCom app")), chromedp.Click(button("Make me an administrator")),
		chromedp.SendKeys(chromedp.CSS(`dialog input[name=phone]`), "12\r"), chromedp.WaitVisible(said("This is not a valid phone number.")))
	w.do("done", slices.Concat(retype(`dialog input[name=phone]`, "138 0013 8000\r"), []chromedp.Action[chromedp.Void]{
		chromedp.WaitNotPresent(chromedp.CSS(`dialog`)), chromedp.WaitNotPresent(button("Make me an administrator")),
	})...)
	if got := o.user(id).Roles; !slices.Equal(got, []string{"admin"}) {
		t.Errorf("roles %q", got)
	}
	w.do("add", chromedp.Click(chromedp.CSS(`#tabs a[href="#users"]`)), chromedp.Click(button("Add user")),
		chromedp.SendKeys(chromedp.CSS(`dialog input[name=phone]`), "13800138000\r"), chromedp.WaitVisible(said("Another user has this phone number.")))
	w.do("escape", chromedp.KeyEvent("\x1b"), chromedp.WaitVisible(dialogButton("Leave")),
		chromedp.Click(chromedp.Search(`//dialog[last()]//button[normalize-space()="Cancel"]`)), chromedp.WaitNotPresent(dialogButton("Leave")))
	w.do("added", slices.Concat(retype(`dialog input[name=phone]`, "+44 20 7946 0958"), []chromedp.Action[chromedp.Void]{
		chromedp.SendKeys(chromedp.CSS(`dialog input[name=name]`), "Jane\r"), chromedp.WaitVisible(chromedp.Search(`//h1[text()="Jane"]`)),
	})...)
}

// A disputed phone shows both members and the two ways out.
func TestConsolePhoneConflict(t *testing.T) {
	o := newOffice(t)
	id := o.createUser("13800138000")
	u := o.user(id)
	u.Identities = []store.Identity{{CorpID: "ww0123456789", WeComUserID: "old", Authenticator: "hr", BoundAt: o.clock}}
	u.PhoneConflict = &store.Identity{CorpID: "ww0123456789", WeComUserID: "new", Authenticator: "hr", BoundAt: o.clock}
	o.replaceUser(u)
	f := o.serve(t)
	w := open(t, "phoneconflict", 360)
	w.enter(f, "#users/"+id)
	w.do("conflict", chromedp.WaitVisible(said("The member new of the company ww0123456789 has this phone number in WeCom, but this user is bound to the member old.")))
	w.do("unbind", chromedp.Click(chromedp.CSS(`.notice.warn button`)), chromedp.Click(dialogButton("Unbind")),
		chromedp.WaitVisible(said("Not bound yet.")), chromedp.WaitNotPresent(chromedp.CSS(`.notice.warn`)))
	if got := o.user(id); len(got.Identities) != 0 || got.PhoneConflict != nil {
		t.Errorf("stored %+v", got)
	}
}

// A member of another company was refused: the page says why, and that it may be left
// as it is. There is no other member to unbind.
func TestConsolePhoneConflictOfAnotherCompany(t *testing.T) {
	o := newOffice(t)
	o.create("partner", `,"title":"Partner","linkByPhone":false`)
	id := o.createUser("13800138000")
	u := o.user(id)
	u.Identities = []store.Identity{{CorpID: "wwOwn", WeComUserID: "own", Authenticator: "hr", BoundAt: o.clock}}
	u.PhoneConflict = &store.Identity{CorpID: "ww0123456789", WeComUserID: "foreign", Authenticator: "partner", BoundAt: o.clock}
	o.replaceUser(u)
	f := o.serve(t)
	w := open(t, "foreignconflict", 360)
	w.enter(f, "#users/"+id)
	w.do("conflict", chromedp.WaitVisible(said("The member foreign of the company ww0123456789 has this phone number in WeCom, but does not become this user by it")), chromedp.WaitVisible(said("the member stays refused")))
	if got := w.ask(`[...document.querySelectorAll('.notice.warn :is(button, a)')].map((one) => one.innerText).join()`); got != "Open partner" {
		t.Errorf("it offers %q", got)
	}
	w.do("authenticator", chromedp.Click(chromedp.CSS(`.notice.warn a`)), chromedp.WaitVisible(chromedp.CSS(`input[name=linkByPhone]`)))
	if got := w.ask(`document.querySelector('input[name=linkByPhone]').checked`); got != "false" {
		t.Errorf("the option is %s", got)
	}
	w.do("link", chromedp.Click(chromedp.CSS(`input[name=linkByPhone]`)), chromedp.Click(button("Save")), chromedp.WaitVisible(said("Saved.")))
	if o.authenticator("partner").LinkByPhoneOff {
		t.Error("the option is still off")
	}
}

// A page with a fragment is reached through the authenticator: no browser sends what
// stands behind the number sign.
func TestConsoleLinkWithAFragment(t *testing.T) {
	o := newOffice(t)
	o.create("hr", `,"autoLogin":true,"workbenchRedirectPath":"/#/home"`)
	f := o.serve(t)
	w := open(t, "fragment", 360)
	w.enter(f, "#authenticators/hr")
	w.do("fragment", chromedp.WaitVisible(said("https://signin.example.com/authorize/hr?redirect=%2F%23%2Fhome")))
	w.do("none", slices.Concat(retype(`input[name=phone]`, "/m?a=1"), []chromedp.Action[chromedp.Void]{chromedp.WaitVisible(chromedp.Search(`//code[text()="https://signin.example.com/m?a=1"]`))})...)
}

// directoryUsers reads all users, page by page.
func (o *office) directoryUsers() []string {
	o.t.Helper()
	var ids []string
	cursor := ""
	for {
		var answer struct {
			Items      []struct{ ID string }
			NextCursor *string
		}
		o.expect(200, request{method: "GET", path: "/api/admin/users?limit=200&cursor=" + cursor}).decode(o.t, &answer)
		for _, item := range answer.Items {
			ids = append(ids, item.ID)
		}
		if answer.NextCursor == nil {
			return ids
		}
		cursor = *answer.NextCursor
	}
}

// Everything can be reached and done without a mouse, and the focus is never lost.
func TestConsoleByKeyboard(t *testing.T) {
	o := newOffice(t)
	id := o.createUser("13800138000")
	f := o.serve(t)
	w := open(t, "keyboard", 1440)
	focus := func(when, want string) {
		t.Helper()
		if got := w.ask(`document.activeElement.innerText || document.activeElement.name || document.activeElement.tagName`); !strings.HasPrefix(got, want) {
			t.Errorf("%s: the focus is on %q, not on %q", when, got, want)
		}
	}
	tabTo := func(label string) {
		t.Helper()
		for range 60 {
			w.do("tab", chromedp.KeyEvent("\t"))
			if strings.HasPrefix(w.ask(`document.activeElement.innerText || document.activeElement.name || ''`), label) {
				return
			}
		}
		t.Fatalf("no way to %q by the Tab key", label)
	}
	w.do("open", chromedp.Navigate(f.URL+"/console"), chromedp.WaitVisible(chromedp.CSS(`input[name=key]`)))
	focus("at first", "Administrator sign-in")
	tabTo("key")
	w.do("enter", chromedp.KeyEvent(adminKey+"\r"), chromedp.WaitVisible(said("Connect your WeCom app")))
	focus("inside", "Welcome")
	tabTo("Users")
	w.do("users", chromedp.KeyEvent("\r"), chromedp.WaitVisible(chromedp.CSS(`tbody a`)))
	focus("users", "Users")
	tabTo("Li")
	w.do("user", chromedp.KeyEvent("\r"), chromedp.WaitVisible(chromedp.CSS(`input[name=roles]`)))
	focus("user", "Li")
	tabTo("End sessions")
	w.do("ask", chromedp.KeyEvent("\r"), chromedp.WaitVisible(chromedp.CSS(`dialog`)))
	focus("in the dialog", "End all sessions of Li?")
	w.do("escape", chromedp.KeyEvent("\x1b"), chromedp.WaitNotPresent(chromedp.CSS(`dialog`)))
	focus("after the dialog", "End sessions")
	w.do("ask again", chromedp.KeyEvent("\r"), chromedp.WaitVisible(chromedp.CSS(`dialog`)))
	tabTo("End sessions")
	w.do("done", chromedp.KeyEvent("\r"), chromedp.WaitVisible(said("All sessions have ended.")), chromedp.WaitNotPresent(chromedp.CSS(`dialog`)))
	focus("after it was done", "End sessions")
	if got := o.user(id).SessionGeneration; got != 2 {
		t.Errorf("generation %d", got)
	}
}

func TestConsoleLanguageSwitch(t *testing.T) {
	o := newOffice(t)
	f := o.serve(t)
	w := open(t, "language", 360)
	w.enter(f, "#users")
	w.do("switch", chromedp.Focus(chromedp.CSS(`#languages`)), chromedp.KeyEvent("简"), chromedp.WaitVisible(said("还没有用户")))
	if got := w.ask(`document.documentElement.lang + location.hash`); got != "zh-CN#users" {
		t.Errorf("the page is %q", got)
	}
}
