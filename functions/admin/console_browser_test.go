package admin_test

import (
	"bytes"
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

	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
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
	slow    atomic.Int64                  // milliseconds that an import takes
	openID  atomic.Pointer[http.ServeMux] // another issuer than the usual one, with its endpoints
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
		case f.openID.Load() != nil && (strings.HasPrefix(r.URL.Path, "/oauth2/") || r.URL.Path == "/.well-known/openid-configuration"):
			r.Body = io.NopCloser(bytes.NewReader(body))
			f.openID.Load().ServeHTTP(w, r)
			return
		case r.URL.Path == "/.well-known/openid-configuration": // of another function
			_, _ = io.WriteString(w, `{"issuer":"https://signin.example.com"}`)
			return
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

func TestMain(m *testing.M) { os.Exit(chromium.Main(m)) }

// open opens a window that reads English. Requests that fail are part of the plays.
func open(t *testing.T, width int64) *chromium.Window {
	t.Helper()
	return chromium.Shared(t).Open(t, chromium.Device{
		Width: width, Height: 900, Language: "en-US,en", UserAgent: wecomsim.UserAgentBrowser,
	}, chromium.Network)
}

// ask evaluates an expression.
func ask(w *chromium.Window, expression string) string {
	return chromium.Evaluate[string](w, "String("+expression+")")
}

// enter opens the console and signs in with the key.
func enter(w *chromium.Window, f *front, hash string) {
	w.Do("enter", visit(f.URL+"/console"+hash), fill(`input[name=key]`, adminKey+"\r"), sees(`#tabs a`), gone(`input[name=key]`))
}

// The steps of an administrator.
var visit, click, fill, sees, gone, upload = chromium.Visit, chromium.Click, chromium.Fill, chromium.Sees, chromium.Gone, chromium.Upload

func clickOn(what chromedp.Search) chromium.Action { return chromedp.Click(what) }

// types adds to what is in a field.
func types(selector, text string) chromium.Action {
	return chromedp.SendKeys(chromedp.CSS(selector), text)
}

func shows(what chromedp.Search) chromium.Action { return chromedp.WaitVisible(what) }

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

func atBothSizes(t *testing.T, test func(t *testing.T, width int64)) {
	for name, width := range map[string]int64{"phone": 360, "desktop": 1440} {
		t.Run(name, func(t *testing.T) { test(t, width) })
	}
}

// An administrator comes in with the key, changes and checks an authenticator, finds
// a user and takes the access away, and nothing on the way breaks the page's policy
// or its width.
func TestConsoleInABrowser(t *testing.T) {
	atBothSizes(t, func(t *testing.T, width int64) {
		o := newOffice(t)
		o.create("finance", `,"title":"<img src=x onerror=alert(1)>","workbenchRedirectPath":"/a-rather-long-path-without-any-place-to-break-it-in-two/and-more-of-it"`)
		for i := range 5 { // so many that there is a search
			o.create("more-"+strconv.Itoa(i), "")
		}
		id := o.createUser("13800138000")
		f := o.serve(t)
		w := open(t, width)
		w.Do("open", visit(f.URL+"/console"), sees(`input[name=key]`))
		w.Do("wrong key", fill(`input[name=key]`, "wrong\r"), sees(`input[name=key][aria-invalid=true]`))
		w.Do("right key", fill(`input[name=key]`, adminKey+"\r"), sees(`.items .card`))
		w.Do("search", fill(`main input[type=search]`, "nothing like it"), shows(said("Nothing matches")))
		w.Do("authenticator", fill(`main input[type=search]`, "FINANCE"), click(`.item h2 a`), sees(`input[name=agentId]`))
		w.Do("wrong option", fill(`input[name=agentId]`, "10a"), clickOn(button("Save")), sees(`input[name=agentId][aria-invalid=true]`), shows(said("1 to 16 digits")))
		w.Do("repaired", fill(`input[name=agentId]`, "1000009"), fill(`input[name=origin]`, "https://new.example.com/"), clickOn(button("Save")), shows(said("Saved.")))
		w.Do("elsewhere", click(`#tabs a[href="#users"]`), sees(`tbody a`))
		if count := ask(w, `document.querySelectorAll('.toast').length`); count != "0" {
			t.Errorf("what was said goes along: %s", count)
		}
		w.Do("back", chromedp.NavigateBack(), sees(`input[name=agentId]`))
		w.Do("check", clickOn(button("Check")), sees(`dialog .steps li`), clickOn(dialogButton("Close")), gone(`dialog`))
		w.Do("links", fill(`input[name=phone]`, "/m?a=1&b"), shows(said("/authorize/finance?redirect=%2Fm%3Fa%3D1%26b")))
		w.Do("users", click(`#tabs a[href="#users"]`), sees(`tbody a`))
		for _, part := range []string{"1", "380", "0138", "00"} { // a slow typist searches with each
			w.Do("part of a number", types(`main input[type=search]`, part), shows(said("Nothing found yet")))
		}
		w.Do("nobody's number", types(`main input[type=search]`, "1"), shows(said("No user has the phone number 13800138001")))
		w.Do("found", fill(`main input[type=search]`, "+86 138-0013\u200B-8000\u202C"), sees(`tbody a`))
		w.Do("user", click(`tbody a`), sees(`input[name=roles]`))
		w.Do("make administrator", clickOn(button("Make administrator")), clickOn(dialogButton("Make administrator")), shows(button("Remove administrator role")))
		w.Do("disable user", clickOn(button("Disable")), clickOn(dialogButton("Disable")), shows(button("Enable")))
		w.Do("domain files", click(`#tabs a[href="#files"]`), shows(said("No domain files yet")))
		file := filepath.Join(t.TempDir(), "WW_verify_0123456789abcdef (1).txt")
		if err := os.WriteFile(file, []byte("0123456789abcdef"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.Do("domain file", upload(`input[type=file]`, file), shows(said("WW_verify_0123456789abcdef.txt")), click(`.toast button`))
		w.Do("forget the key", click(`#account button`), sees(`input[name=key]`))
		if kept := ask(w, `JSON.stringify([sessionStorage, localStorage, document.cookie])`); strings.Contains(kept, adminKey) {
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
	w := open(t, 360)
	enter(w, f, "#authenticators/hr")
	w.Do("type", fill(`input[name=title]`, "People"), shows(button("Save")))
	o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: `{"title":"Staff","origin":"https://staff.example.com"}`})
	w.Do("save", clickOn(button("Save")), shows(said("Title: now “Staff”, before “Human resources”.")), shows(button("Use theirs")))
	if got := ask(w, `document.querySelector('input[name=title]').value + ' ' + document.querySelector('input[name=origin]').value`); got != "People https://staff.example.com" {
		t.Errorf("the fields have %q", got)
	}
	w.Do("save again", clickOn(button("Save")), shows(said("Saved.")))
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
	w := open(t, 360)
	enter(w, f, "#authenticators/second")
	w.Do("refused", click(`input[name=autoLogin]`), clickOn(button("Save")), shows(said("“The first” has automatic login already")))
	w.Do("leave", click(`.notice a[href="#authenticators/first"]`), clickOn(dialogButton("Leave")),
		shows(chromedp.Search(`//h1[text()="The first"]`)))
}

// Leaving asks when something was typed, and the end of access loses nothing.
func TestConsoleKeepsWhatIsTyped(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	f := o.serve(t)
	w := open(t, 1440)
	enter(w, f, "#authenticators/hr")
	typed := func(when string) {
		t.Helper()
		if got := ask(w, `location.hash + ' ' + document.querySelector('input[name=title]').value`); got != "#authenticators/hr People" {
			t.Errorf("%s: %q", when, got)
		}
	}
	w.Do("type", fill(`input[name=title]`, "People"), shows(button("Save")))
	w.Do("leave", click(`#tabs a[href="#users"]`), shows(dialogButton("Leave")))
	w.Do("stay", clickOn(dialogButton("Cancel")), gone(`dialog`))
	typed("after staying")
	f.closed.Store(true)
	w.Do("access ends", clickOn(button("Save")), sees(`dialog input[name=key]`))
	typed("after the end of access")
	f.closed.Store(false)
	w.Do("again", fill(`dialog input[name=key]`, adminKey+"\r"), gone(`dialog`), shows(said("Saved.")))
	typed("after signing in again")
	if got := o.authenticator("hr").Title; got != "People" {
		t.Errorf("stored %q", got)
	}
	w.Do("leave saved", click(`#tabs a[href="#users"]`), shows(said("No users yet")))
}

// A session comes in by itself with the role, and is told what to do without it.
func TestConsoleWithASession(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	f := o.serve(t)
	f.session.Store(memberSession)
	w := open(t, 360)
	w.Do("member", visit(f.URL+"/console"), shows(said("You are signed in as 张三, who is not an administrator.")),
		sees(`a[href="/signin?return=console"]`))
	f.session.Store(adminSession)
	w.Do("administrator", clickOn(button("Use the current sign-in")), sees(`.items .card`))
	w.Do("by itself", visit(f.URL+"/console#users"), shows(said("No users yet")))
	f.session.Store(noSession)
	w.Do("ended", click(`#tabs a[href="#authenticators"]`), sees(`dialog a[href="/signin?return=console"][target=_blank]`))
	f.session.Store(adminSession)
	w.Do("begun again", clickOn(dialogButton("Use the current sign-in")), gone(`dialog`), sees(`.items .card`))
}

// Another administrator signs in, in the next tab: what is open here does not go on in
// that one's name until somebody says so.
func TestAttackConsoleGoesOnAsSomebodyElse(t *testing.T) {
	o := newOffice(t)
	o.create("hr", "")
	f := o.serve(t)
	f.session.Store(adminSession)
	w := open(t, 1440)
	w.Do("in", visit(f.URL+"/console"), sees(`.items .card`))
	f.session.Store(otherSession)
	w.Do("asked again", click(`#tabs a[href="#users"]`), sees(`dialog a[href="/signin?return=console"]`))
	w.Do("said so", clickOn(dialogButton("Use the current sign-in")), gone(`dialog`), shows(said("No users yet")))
}

// A long file goes in parts; the answer has the lines of the whole file.
func TestConsoleImport(t *testing.T) {
	atBothSizes(t, func(t *testing.T, width int64) {
		o := newOffice(t)
		f := o.serve(t)
		w := open(t, width)
		enter(w, f, "#import")
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
		w.Do("example", clickOn(button("Download an example")))
		w.Do("choose", upload(`input[type=file]`, path), shows(said("people.csv, rows: 1,102")), shows(said("These columns are not imported: Team")))
		if got := len(o.directoryUsers()); got != 0 {
			t.Errorf("%d users before it was confirmed", got)
		}
		f.slow.Store(700)
		w.Do("begin", clickOn(button("Import rows: 1,102")), sees(`progress`), clickOn(button("Stop")), shows(said("The import was stopped")))
		w.Do("go on", clickOn(button("Go on with the rest: 101")), shows(said("Some rows could not be imported")))
		rows := ask(w, `[...document.querySelectorAll('tbody tr')].map((row) => row.querySelector('th').innerText + ' ' + row.querySelector('.part').innerText).join('|')`)
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
	w := open(t, 360)
	enter(w, f, "#users")
	rows := func(want string) {
		t.Helper()
		if got := ask(w, `document.querySelectorAll('tbody tr').length`); got != want {
			t.Errorf("%s rows, want %s", got, want)
		}
	}
	w.Do("first page", shows(button("Show more")))
	rows("50")
	w.Do("more", clickOn(button("Show more")), chromedp.WaitNotPresent(button("Show more")))
	rows("60")
	w.Do("name", fill(`main input[type=search]`, "person 4"), chromedp.WaitNotPresent(said("Person 39")))
	rows("10")
	w.Do("one", clickOn(chromedp.Search(`//a[text()="Person 43"]`)), sees(`input[name=roles]`))
	w.Do("back", click(`a.back`), shows(chromedp.Search(`//a[text()="Person 43"]`)))
	rows("10")
	w.Do("attempts", visit(f.URL+"/console#authenticators/hr"), shows(said("WeCom refused this service.")),
		shows(said("wecom_configuration · WeCom 60020 · Request request-7")))
}

// Who is disabled in WeCom or gone is marked in the list and on the page, and whoever is a
// member of another company yet is not; roles by rules stand beside those that were given.
func TestConsoleMarksWhoIsNotInWeCom(t *testing.T) {
	o := newOffice(t)
	o.create("hr", `,"roleRules":[{"leader":true,"role":"lead"}]`)
	identity := func(change func(*store.Identity)) store.Identity {
		i := store.Identity{CorpID: "ww0123456789", WeComUserID: store.NewID(), Authenticator: "hr", BoundAt: o.clock, CheckedAt: o.clock}
		change(&i)
		return i
	}
	disabled := identity(func(i *store.Identity) { i.DisabledAt = o.clock })
	gone := identity(func(i *store.Identity) { i.GoneAt = o.clock })
	active := identity(func(i *store.Identity) {
		i.Access = []store.MemberAccess{{AuthenticatorID: o.authenticator("hr").ID, AuthenticatorName: "hr", Roles: []string{"lead"}}}
	})
	elsewhere := identity(func(i *store.Identity) { i.CorpID = "ww9" })
	var ids []string
	for i, identities := range [][]store.Identity{{}, {active}, {disabled}, {gone}, {elsewhere, gone}} {
		ids = append(ids, o.importUser(phoneOf(i), fmt.Sprint("Person ", i), func(u *store.User) { u.Identities, u.Roles = identities, []string{"staff"} }))
	}
	f := o.serve(t)
	w := open(t, 1440)
	enter(w, f, "#users")
	w.Do("list", shows(said("Person 4")))
	got := ask(w, `[...document.querySelectorAll('tbody tr')].map((row) => row.querySelector('th').innerText.trim() + ' ' + [...row.querySelectorAll('td:nth-of-type(2) .badge')].map((b) => b.innerText)).sort().join('|')`)
	if want := "Person 0 staff|Person 1 staff,lead|Person 2 Disabled in WeCom staff|Person 3 No longer in WeCom staff|Person 4 staff"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	w.Do("one", visit(f.URL+"/console#users/"+ids[2]), shows(said("Disabled in WeCom since")))
	if said := ask(w, `document.querySelector('main').innerText.includes('last confirmed')`); said != "false" {
		t.Error("somebody disabled is said to be confirmed")
	}
}

// The holder of the key becomes the first administrator, and a new user whose phone
// is taken is not lost.
func TestConsoleFirstAdministrator(t *testing.T) {
	o := newOffice(t)
	id := o.createUser("13800138000")
	f := o.serve(t)
	w := open(t, 360)
	enter(w, f, "")
	w.Do("become", shows(said("Connect your WeCom app")), clickOn(button("Make me an administrator")),
		fill(`dialog input[name=phone]`, "12\r"), shows(said("This is not a valid phone number.")))
	w.Do("done", fill(`dialog input[name=phone]`, "138 0013 8000\r"), gone(`dialog`), chromedp.WaitNotPresent(button("Make me an administrator")))
	if got := o.user(id).Roles; !slices.Equal(got, []string{"admin"}) {
		t.Errorf("roles %q", got)
	}
	w.Do("add", click(`#tabs a[href="#users"]`), clickOn(button("Add user")),
		fill(`dialog input[name=phone]`, "13800138000\r"), shows(said("Another user has this phone number.")))
	w.Do("escape", chromedp.KeyEvent("\x1b"), shows(dialogButton("Leave")),
		clickOn(chromedp.Search(`//dialog[last()]//button[normalize-space()="Cancel"]`)), chromedp.WaitNotPresent(dialogButton("Leave")))
	w.Do("added", fill(`dialog input[name=phone]`, "+44 20 7946 0958"), fill(`dialog input[name=name]`, "Jane\r"), shows(chromedp.Search(`//h1[text()="Jane"]`)))
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
	w := open(t, 360)
	enter(w, f, "#users/"+id)
	w.Do("conflict", shows(said("The member new of the company ww0123456789 has this phone number in WeCom, but this user is bound to the member old.")))
	w.Do("unbind", click(`.notice.warn button`), clickOn(dialogButton("Unbind")),
		shows(said("Not bound yet.")), gone(`.notice.warn`))
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
	w := open(t, 360)
	enter(w, f, "#users/"+id)
	w.Do("conflict", shows(said("The member foreign of the company ww0123456789 has this phone number in WeCom, but does not become this user by it")), shows(said("the member stays refused")))
	if got := ask(w, `[...document.querySelectorAll('.notice.warn :is(button, a)')].map((one) => one.innerText).join()`); got != "Open partner" {
		t.Errorf("it offers %q", got)
	}
	w.Do("authenticator", click(`.notice.warn a`), sees(`input[name=linkByPhone]`))
	if got := ask(w, `document.querySelector('input[name=linkByPhone]').checked`); got != "false" {
		t.Errorf("the option is %s", got)
	}
	w.Do("link", click(`input[name=linkByPhone]`), clickOn(button("Save")), shows(said("Saved.")))
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
	w := open(t, 360)
	enter(w, f, "#authenticators/hr")
	w.Do("fragment", shows(said("https://signin.example.com/authorize/hr?redirect=%2F%23%2Fhome")))
	w.Do("none", fill(`input[name=phone]`, "/m?a=1"), shows(chromedp.Search(`//code[text()="https://signin.example.com/m?a=1"]`)))
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
	w := open(t, 1440)
	focus := func(when, want string) {
		t.Helper()
		if got := ask(w, `document.activeElement.innerText || document.activeElement.name || document.activeElement.tagName`); !strings.HasPrefix(got, want) {
			t.Errorf("%s: the focus is on %q, not on %q", when, got, want)
		}
	}
	tabTo := func(label string) {
		t.Helper()
		for range 60 {
			w.Do("tab", chromedp.KeyEvent("\t"))
			if strings.HasPrefix(ask(w, `document.activeElement.innerText || document.activeElement.name || ''`), label) {
				return
			}
		}
		t.Fatalf("no way to %q by the Tab key", label)
	}
	w.Do("open", visit(f.URL+"/console"), sees(`input[name=key]`))
	focus("at first", "Administrator sign-in")
	tabTo("key")
	w.Do("enter", chromedp.KeyEvent(adminKey+"\r"), shows(said("Connect your WeCom app")))
	focus("inside", "Welcome")
	tabTo("Users")
	w.Do("users", chromedp.KeyEvent("\r"), sees(`tbody a`))
	focus("users", "Users")
	tabTo("Li")
	w.Do("user", chromedp.KeyEvent("\r"), sees(`input[name=roles]`))
	focus("user", "Li")
	tabTo("End sessions")
	w.Do("ask", chromedp.KeyEvent("\r"), sees(`dialog`))
	focus("in the dialog", "End all sessions of Li?")
	w.Do("escape", chromedp.KeyEvent("\x1b"), gone(`dialog`))
	focus("after the dialog", "End sessions")
	w.Do("ask again", chromedp.KeyEvent("\r"), sees(`dialog`))
	tabTo("End sessions")
	w.Do("done", chromedp.KeyEvent("\r"), shows(said("All sessions have ended.")), gone(`dialog`))
	focus("after it was done", "End sessions")
	if got := o.user(id).SessionGeneration; got != 2 {
		t.Errorf("generation %d", got)
	}
}

func TestConsoleLanguageSwitch(t *testing.T) {
	o := newOffice(t)
	f := o.serve(t)
	w := open(t, 360)
	enter(w, f, "#users")
	w.Do("switch", chromedp.Focus(chromedp.CSS(`#languages`)), chromedp.KeyEvent("简"), shows(said("还没有用户")))
	if got := ask(w, `document.documentElement.lang + location.hash`); got != "zh-CN#users" {
		t.Errorf("the page is %q", got)
	}
}
