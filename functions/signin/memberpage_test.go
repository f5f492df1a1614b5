package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/page"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Applications returns one at a time, so that a caller that forgets the cursor fails.
func (f *world) Applications(_ context.Context, page store.Page) ([]store.Application, string, error) {
	if err := f.unreadable["applications"]; err != nil {
		return nil, "", err
	}
	for i, a := range f.allApplications {
		if page.Cursor == "" || a.ID == page.Cursor {
			if i+1 < len(f.allApplications) {
				return []store.Application{a}, f.allApplications[i+1].ID, nil
			}
			return []store.Application{a}, "", nil
		}
	}
	return nil, "", nil
}

func (f *world) LineagesOfUser(_ context.Context, userID string) ([]store.Lineage, error) {
	if userID != f.user.ID {
		return nil, errors.New("of another user")
	}
	return f.lineages, f.unreadable["lineages"]
}

func (f *world) Consents(_ context.Context, userID string) ([]store.Consent, error) {
	if userID != f.user.ID {
		return nil, errors.New("of another user")
	}
	return f.consents, f.unreadable["consents"]
}

func (f *world) ActiveSessions(_ context.Context, active authflow.ActiveSession) ([]store.AttemptResult, error) {
	return append([]store.AttemptResult{{SessionKey: active.Key, Session: active.Session}}, f.sessions...), f.unreadable["sessions"]
}

func (f *world) did(what string, active authflow.ActiveSession, detail string) error {
	f.acts = append(f.acts, strings.TrimSpace(fmt.Sprintln(what, active.User.ID, detail)))
	return f.actError
}

func (f *world) EndSession(_ context.Context, active authflow.ActiveSession, key string) error {
	return f.did("end", active, key)
}

func (f *world) EndOtherSessions(_ context.Context, active authflow.ActiveSession) error {
	return f.did("end others", active, "")
}

func (f *world) EndEverywhere(_ context.Context, active authflow.ActiveSession) error {
	return f.did("end everywhere", active, "")
}

func (f *world) Withdraw(_ context.Context, active authflow.ActiveSession, applicationID string) error {
	return f.did("withdraw", active, applicationID)
}

// furnished is a world with applications, sessions, lineages and consents.
func furnished() *world {
	f := newWorld()
	application := func(id string, change func(*store.Application)) {
		a := store.Application{ID: id, Title: strings.ToUpper(id), Enabled: true, FirstParty: true, Homepage: "https://" + id + ".example.com/start?a=1&b", Generation: "g"}
		if change != nil {
			change(&a)
		}
		f.allApplications = append(f.allApplications, a)
	}
	application("zebra", func(a *store.Application) { a.Title = "aardvark & co" })
	application("wiki", nil)
	application("untitled", func(a *store.Application) { a.Title = "" })
	application("homeless", func(a *store.Application) { a.Homepage = "" })
	application("off", func(a *store.Application) { a.Enabled = false })
	application("others", func(a *store.Application) { a.Allow = store.Allow{Roles: []string{"boss"}} })
	application("department", func(a *store.Application) { a.Allow = store.Allow{Departments: []int64{1}} })
	application("mine", func(a *store.Application) { a.Allow = store.Allow{Roles: []string{"boss", "admin"}} })
	application("crm-only", func(a *store.Application) { a.Authenticators = []string{"crm"} })
	application("demo-only", func(a *store.Application) { a.Authenticators = []string{"crm", "demo"} })
	application("script", func(a *store.Application) { a.Homepage = "javascript:alert(1)" })
	application("private", func(a *store.Application) { a.Homepage = "private.app://start" })
	application("named", func(a *store.Application) { a.Homepage = "https://somebody:secret@named.example.com/" })
	application("survey", func(a *store.Application) { a.FirstParty, a.Homepage = false, "" })
	application("renewed", func(a *store.Application) { a.FirstParty, a.Homepage, a.Generation = false, "", "newer" })
	application("never", func(a *store.Application) { a.FirstParty, a.Homepage = false, "" })
	other := store.AttemptResult{SessionKey: "other-key", Session: f.session}
	other.Session.Client, other.Session.Address = store.Client{Browser: store.BrowserEdge, System: store.SystemWindows}, "203.0.113.7"
	other.Session.Lineage = "other-lineage"
	f.sessions = []store.AttemptResult{other}
	f.session.Lineage = "this-lineage"
	f.lineages = []store.Lineage{
		{ID: "this-lineage", Applications: []string{"homeless", "never"}},
		{ID: "other-lineage", Applications: []string{"wiki", "off", "deleted"}},
		{ID: "ended-lineage", Applications: []string{"mine"}, Ended: true},
		{ID: "lineage-of-no-session", Applications: []string{"zebra"}},
	}
	f.consents = []store.Consent{
		{ApplicationID: "deleted", ApplicationGeneration: "g", At: f.now},
		{ApplicationID: "renewed", ApplicationGeneration: "older", At: f.now},
		{ApplicationID: "survey", ApplicationGeneration: "g", At: f.now.Add(-24 * time.Hour)},
	}
	return f
}

// between returns the part of a page between two texts.
func between(t *testing.T, body, from, to string) string {
	t.Helper()
	_, rest, found := strings.Cut(body, from)
	part, _, ended := strings.Cut(rest, to)
	if !found || !ended {
		t.Fatalf("nothing between %s and %s in\n%s", from, to, body)
	}
	return part
}

func homepages(t *testing.T, f *world) []string {
	t.Helper()
	got := f.ask(t, ask{path: "/signin", session: liveID})
	if got.status != 200 {
		t.Fatal(got.status)
	}
	var all []string
	for _, link := range strings.Split(between(t, got.body, `id="open"`, "</section>"), `<a href="`)[1:] {
		address, _, _ := strings.Cut(link, `"`)
		all = append(all, address)
	}
	return all
}

// What a member may open, by title, and nothing else: enabled, with an address of the web,
// for this member and for this way of signing in.
func TestLauncherOffersWhatTheMemberMayOpen(t *testing.T) {
	f := furnished()
	want := []string{
		"https://zebra.example.com/start?a=1&amp;b", // "aardvark & co"
		appOrigin + "/home",                         // of the authenticator, "Demo"
		"https://demo-only.example.com/start?a=1&amp;b", "https://mine.example.com/start?a=1&amp;b",
		"https://untitled.example.com/start?a=1&amp;b", "https://wiki.example.com/start?a=1&amp;b",
	}
	if got := homepages(t, f); !slices.Equal(got, want) {
		t.Errorf("opens %q\nwant  %q", got, want)
	}
	// An application at the authenticator's address is the same one.
	f.allApplications = append(f.allApplications, store.Application{ID: "app", Title: "App", Enabled: true, Homepage: appOrigin + "/welcome"})
	if got := homepages(t, f); slices.Contains(got, appOrigin+"/home") || !slices.Contains(got, appOrigin+"/welcome") {
		t.Errorf("opens %q", got)
	}
	// The service itself is not an application.
	f = newWorld()
	f.authenticators[1].Origin = public
	if got := homepages(t, f); len(got) != 0 {
		t.Errorf("opens %q", got)
	}
}

// Departments and tags are numbers of one company: a tile for them is one that the provider
// opens.
func TestLauncherAsksWhatTheProviderAsks(t *testing.T) {
	allowed := func(f *world, authenticators ...string) {
		f.user.Identities = []store.Identity{{CorpID: "wwsecretcorp", WeComUserID: "ZhangSan", Departments: []store.Department{{ID: 12}}, Tags: []int64{7}}}
		for id, allow := range map[string]store.Allow{"department": {Departments: []int64{12}}, "tag": {Tags: []int64{7}}, "role": {Tags: []int64{7}, Roles: []string{"admin"}}} {
			f.allApplications = append(f.allApplications, store.Application{ID: id, Enabled: true, Homepage: "https://" + id + ".example.com", Allow: allow, AllowCorpID: "wwsecretcorp", Authenticators: authenticators})
		}
	}
	department, role, tag, own := "https://department.example.com", "https://role.example.com", "https://tag.example.com", appOrigin+"/home"
	for name, test := range map[string]struct {
		set  func(*world)
		want []string
	}{
		"one company": {func(f *world) { allowed(f) }, []string{own, department, role, tag}},
		"another company's members can sign in, too": {func(f *world) { allowed(f); f.authenticators[0].CorpID = "wwpartner" }, []string{own, role}},
		"they can, but not to the application":       {func(f *world) { allowed(f, "demo", "old"); f.authenticators[0].CorpID = "wwpartner" }, []string{own, department, role, tag}},
		"by an authenticator that is switched off":   {func(f *world) { allowed(f, "demo", "old"); f.authenticators[2].CorpID = "wwpartner" }, []string{own, role}},
	} {
		f := newWorld()
		test.set(f)
		if got := homepages(t, f); !slices.Equal(got, test.want) {
			t.Errorf("%s: opens %q, want %q", name, got, test.want)
		}
	}
	f := newWorld()
	allowed(f)
	f.failing = errors.New("table on fire")
	got := f.ask(t, ask{path: "/signin", session: liveID})
	if open := between(t, got.body, `id="open"`, "</section>"); got.status != 200 || !strings.Contains(open, "This cannot be read at the moment.") || strings.Contains(open, "<a ") || !strings.Contains(f.log.String(), "table on fire") {
		t.Errorf("%d, %s", got.status, open)
	}
}

func TestMemberPageNamesSessionsAndApplications(t *testing.T) {
	f := furnished()
	got := f.ask(t, ask{path: "/signin", session: liveID})
	sessions := between(t, got.body, `id="sessions"`, "</section>")
	for _, text := range []string{"Unknown browser", "This browser", "Edge on Windows", "203.0.113.7", "1 h ago", `name="key" value="other-key"`, "End all other sessions"} {
		if !strings.Contains(sessions, text) {
			t.Errorf("sessions lack %s\n%s", text, sessions)
		}
	}
	known := between(t, got.body, `id="known"`, "</section>")
	for _, text := range []string{"HOMELESS", "WIKI", "SURVEY", "You allowed this on 2026-11-20.", `name="application" value="survey"`} {
		if !strings.Contains(known, text) {
			t.Errorf("known lacks %s\n%s", text, known)
		}
	}
	for _, text := range []string{"NEVER", "MINE", "aardvark", "OFF", "RENEWED", "deleted", `value="wiki"`} {
		if strings.Contains(known, text) {
			t.Errorf("known has %s", text)
		}
	}
	if !strings.Contains(got.body, public+"/console") { // for the role admin
		t.Error("an administrator is not shown the console")
	}
	f.user.Roles = nil
	if got := f.ask(t, ask{path: "/signin", session: liveID}); strings.Contains(got.body, public+"/console") {
		t.Error("a member is shown the console")
	}
}

// One part that cannot be read leaves the others, and the log has the cause.
func TestMemberPageStandsWithoutOneOfItsParts(t *testing.T) {
	for part, sentences := range map[string]int{"applications": 2, "sessions": 2, "lineages": 1, "consents": 1} {
		f := furnished()
		f.unreadable = map[string]error{part: errors.New("table on fire")}
		got := f.ask(t, ask{path: "/signin", session: liveID})
		if n := strings.Count(got.body, "This cannot be read at the moment."); got.status != 200 || n != sentences {
			t.Errorf("%s: %d, %d sentences", part, got.status, n)
		}
		for _, text := range []string{"<h1>张三</h1>", "This browser", "/api/signout", "Sign out everywhere"} {
			if !strings.Contains(got.body, text) {
				t.Errorf("%s: lacks %s", part, text)
			}
		}
		if strings.Contains(got.body, "fire") || !strings.Contains(f.log.String(), "table on fire") {
			t.Errorf("%s: the cause is not where it belongs", part)
		}
	}
}

// An anonymous visitor's page reads no application, no session and no user.
func TestAnonymousVisitorsCostNothing(t *testing.T) {
	f := furnished()
	broken := errors.New("read")
	f.unreadable = map[string]error{"applications": broken, "sessions": broken, "lineages": broken, "consents": broken}
	if got := f.ask(t, ask{path: "/signin"}); got.status != 200 || f.checks != 0 || strings.Contains(f.log.String(), "ERROR") {
		t.Errorf("%d, %d checks\n%s", got.status, f.checks, &f.log)
	}
	if got := f.ask(t, ask{path: "/signin", session: liveID}); got.status != 200 || f.checks != 1 {
		t.Errorf("%d checks of one session", f.checks)
	}
}

// memberForm is a form of the member's page in the browser that it was made for.
func memberForm(fields ...string) ask {
	form := url.Values{page.FieldSession: {authflow.SessionKey(liveID)}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return ask{
		method: http.MethodPost, path: "/signin", session: liveID, body: form.Encode(),
		headers: map[string]string{"Origin": public, "Content-Type": "application/x-www-form-urlencoded"},
	}
}

func TestMemberActions(t *testing.T) {
	for _, test := range []struct {
		name  string
		form  ask
		acts  []string
		ended []string
		out   bool // the browser is signed out
	}{
		{"end another session", memberForm("action", "end", "key", "other-key"), []string{"end u1 other-key"}, nil, false},
		{"end this one", memberForm("action", "end", "key", authflow.SessionKey(liveID)), nil, []string{liveID}, true},
		{"end all others", memberForm("action", "end-others"), []string{"end others u1"}, nil, false},
		{"sign out everywhere", memberForm("action", "end-everywhere"), []string{"end everywhere u1"}, nil, true},
		{"withdraw", memberForm("action", "withdraw", "application", "survey"), []string{"withdraw u1 survey"}, nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := furnished()
			got := f.ask(t, test.form)
			if got.status != 303 || got.headers["location"] != public+"/signin" {
				t.Fatalf("%d %s %s", got.status, got.headers["location"], got.body)
			}
			if !slices.Equal(f.acts, test.acts) || !slices.Equal(f.ended, test.ended) {
				t.Errorf("did %q, ended %q", f.acts, f.ended)
			}
			if got.clears("__Host-wecom_session") != test.out {
				t.Errorf("cookies %q", got.cookies)
			}

			// What fails is said on the page, which has the cookie for another try.
			f = furnished()
			f.actError, f.endError = errors.New("table on fire"), errors.New("table on fire")
			got = f.ask(t, test.form)
			if got.status != 303 || got.headers["location"] != public+"/signin?request=request-1" || len(got.cookies) != 0 {
				t.Errorf("a failure: %d %v %q", got.status, got.headers, got.cookies)
			}
			if shown := f.ask(t, ask{path: "/signin", query: "request=request-1", session: liveID}); !strings.Contains(shown.body, "That did not work.") {
				t.Error("the failure is not shown")
			}
		})
	}
}

func TestFormsThatAreNone(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*ask)
		status int
	}{
		"without an action":      {func(a *ask) { a.body = "session=x" }, 400},
		"an unknown action":      {func(a *ask) { a.body = strings.Replace(a.body, "end-others", "delete", 1) }, 400},
		"not encoded":            {func(a *ask) { a.body = "action=%zz" }, 400},
		"JSON":                   {func(a *ask) { a.headers["Content-Type"] = "application/json" }, 415},
		"a form's text":          {func(a *ask) { a.headers["Content-Type"] = "text/plain" }, 415},
		"without a content type": {func(a *ask) { delete(a.headers, "Content-Type") }, 415},
		"too long":               {func(a *ask) { a.body += "&x=" + strings.Repeat("x", 5000) }, 413},
	} {
		f := furnished()
		form := memberForm("action", "end-others")
		test.change(&form)
		if got := f.ask(t, form); got.status != test.status || len(f.acts) != 0 {
			t.Errorf("%s: %d, did %q", name, got.status, f.acts)
		}
	}
}

// Only a page of the service itself may send the forms: not another site's, nor a page of a
// subdomain, which the cookie of a parent domain reaches, nor what tells no origin.
func TestAttackFormOfAnotherPage(t *testing.T) {
	for name, headers := range map[string]map[string]string{
		"another site's":              {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
		"an application's":            {"Origin": appOrigin, "Sec-Fetch-Site": "same-site"},
		"a sibling subdomain's":       {"Origin": "https://evil.example.com", "Sec-Fetch-Site": "same-site"},
		"a sibling without an Origin": {"Sec-Fetch-Site": "same-site"},
		"a page in a sandbox":         {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
		"an Origin that lies":         {"Origin": appOrigin, "Sec-Fetch-Site": "same-origin"},
		"a longer Origin":             {"Origin": public + ".evil.example"},
		"another scheme":              {"Origin": "http://signin.example.com"},
		"the gateway's own name":      {"Origin": "https://api.example.net"},
		"typed in":                    {"Sec-Fetch-Site": "none"},
		"no header at all":            {},
		"a Referer alone":             {"Referer": public + "/signin"},
	} {
		for _, domain := range []string{"", "example.com"} {
			f := furnished()
			f.cookie.Domain = domain
			form := memberForm("action", "end-everywhere")
			if domain != "" {
				form.session, form.cookies = "", []string{"__Secure-wecom_session=" + liveID}
			}
			form.headers = map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
			for header, value := range headers {
				form.headers[header] = value
			}
			got := f.ask(t, form)
			if got.status != 403 || len(f.acts)+len(f.ended)+f.checks != 0 || len(got.cookies) != 0 || problemCode(t, got) != "forbidden" {
				t.Errorf("%s, domain %q: %d, did %q, %d checks", name, domain, got.status, f.acts, f.checks)
			}
		}
	}
	f := furnished()
	form := memberForm("action", "end-others")
	delete(form.headers, "Origin")
	form.headers["Sec-Fetch-Site"] = "same-origin"
	if got := f.ask(t, form); got.status != 303 || len(f.acts) != 1 {
		t.Errorf("its own, without an Origin: %d, did %q", got.status, f.acts)
	}
}

// A page that was left open, or is posted again, is for a session that is not this
// browser's any more: after a sign-out, after a new sign-in, of the same member or another.
func TestAttackFormOfAStaleSessionOrReplayed(t *testing.T) {
	for name, change := range map[string]func(*ask){
		"of another session": func(a *ask) {
			a.body = strings.Replace(a.body, authflow.SessionKey(liveID), authflow.SessionKey(deadID), 1)
		},
		"of no session":    func(a *ask) { a.body = strings.Replace(a.body, "session=", "x=", 1) },
		"after a sign-out": func(a *ask) { a.session = "" },
		"after its end":    func(a *ask) { a.session = deadID },
	} {
		for _, action := range page.MemberActions() {
			f := furnished()
			form := memberForm("action", action, "key", "other-key", "application", "survey")
			change(&form)
			got := f.ask(t, form)
			if got.status != 303 || got.headers["location"] != public+"/signin" || len(f.acts)+len(f.ended) != 0 {
				t.Errorf("%s %s: %d, did %q, ended %q", action, name, got.status, f.acts, f.ended)
			}
		}
	}
}
