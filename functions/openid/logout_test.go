package openid_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

const bye = "https://wiki.example.com/bye"

// hasSession reports whether the browser's cookie leads to a live session.
func (b *browser) hasSession() bool {
	b.t.Helper()
	_, query := b.get("/oauth2/authorize", wikiRequest("prompt", "none")).location(b.t)
	return query.Get("error") != "login_required"
}

// Attack: any page can send a browser here. Without a token of this session it is asked.
func TestLogoutByAStrangersLinkAsks(t *testing.T) {
	p := newProvider(t)
	ann, bob := p.member("ann"), p.member("bob")
	other := p.exchange(bob.code(wikiRequest()))["id_token"].(string)
	for _, test := range []struct{ name, query string }{
		{"nothing", ""},
		{"a client", "client_id=wiki"},
		{"an address", url.Values{"client_id": {"wiki"}, "post_logout_redirect_uri": {bye}, "state": {"s"}}.Encode()},
		{"another member's token", url.Values{"id_token_hint": {other}, "post_logout_redirect_uri": {bye}}.Encode()},
		{"a forged token", url.Values{"id_token_hint": {other + "x"}}.Encode()},
		{"a made-up proof", "proof=made-up"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ann.get("/oauth2/logout", test.query)
			if got.status != http.StatusOK || !strings.Contains(got.body, "Sign out?") || !strings.Contains(got.body, "signed in as ann") {
				t.Fatalf("%d to %q", got.status, got.headers["location"])
			}
			posted := ann.send(request{method: "POST", path: "/oauth2/logout", body: test.query})
			if posted.status == http.StatusSeeOther {
				posted = ann.follow(posted)
			}
			if !strings.Contains(posted.body, "Sign out?") {
				t.Errorf("posted: %d to %q", posted.status, posted.headers["location"])
			}
			if !ann.hasSession() {
				t.Fatal("signed out without a question")
			}
		})
	}
	// Another browser's page does not answer for this one.
	page := bob.get("/oauth2/logout", "")
	ann.submit(page, "")
	if !ann.hasSession() {
		t.Error("signed out by another member's page")
	}
}

func TestLogoutAfterTheQuestion(t *testing.T) {
	p := newProvider(t)
	b := p.member("ann")
	p.exchange(b.code(wikiRequest()))
	page := b.get("/oauth2/logout", url.Values{"client_id": {"wiki"}, "post_logout_redirect_uri": {bye}, "state": {"s 1"}}.Encode())
	if !strings.Contains(page.body, "Wiki asks to sign you out") || !strings.Contains(page.body, `href="`+public+`/signin"`) {
		t.Fatalf("%d", page.status)
	}
	old := b.cookies["__Host-wecom_session"]
	if address, query := b.submit(page, "").location(t); !strings.HasPrefix(address, bye+"?state=") || query.Get("state") != "s 1" {
		t.Errorf("goes to %s", address)
	}
	if b.cookies["__Host-wecom_session"] != "" {
		t.Error("the cookie stays")
	}
	b.cookies["__Host-wecom_session"] = old
	if b.hasSession() {
		t.Error("the session goes on")
	}
	if diff := cmp.Diff([]string{b.lineage + " of wiki"}, p.notified); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestLogoutWithAHintOfTheSession(t *testing.T) {
	for _, test := range []struct {
		name, address string
		want          string // or a page
	}{
		{"a registered address", bye, bye},
		{"no address", "", ""},
		{"an address that is not registered", "https://evil.example/", ""},
		{"a query added", bye + "?a=b", ""},
		{"the sign-in's address", callback, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newProvider(t)
			b := p.member("ann")
			tokens := p.exchange(b.code(wikiRequest()))
			values := url.Values{"id_token_hint": {tokens["id_token"].(string)}}
			if test.address != "" {
				values.Set("post_logout_redirect_uri", test.address)
			}
			got := b.get("/oauth2/logout", values.Encode())
			if test.want != "" {
				if address, _ := got.location(t); address != test.want {
					t.Errorf("goes to %s", address)
				}
			} else if got.status != http.StatusOK || got.headers["location"] != "" || !strings.Contains(got.body, "Signed out") {
				t.Errorf("%d to %q", got.status, got.headers["location"])
			} else if said := strings.Contains(got.body, "not registered"); said != (test.address != "") {
				t.Errorf("says that the address is not registered: %v", said)
			}
			if b.hasSession() {
				t.Error("still signed in")
			}
			if got := p.userinfo(tokens["access_token"].(string)); got.status != http.StatusUnauthorized {
				t.Errorf("userinfo afterwards: %d", got.status)
			}
			if len(p.notified) != 1 {
				t.Errorf("told %v", p.notified)
			}
			// Once more, without a session.
			if again := p.browser().get("/oauth2/logout", values.Encode()); again.status >= 400 {
				t.Errorf("again: %d", again.status)
			}
		})
	}
}

// Anybody can write a hint: it never signs anybody out by itself, and one that does not name
// the member has the member asked in spite of the ID token.
func TestLogoutHint(t *testing.T) {
	p := newProvider(t)
	p.change("wiki", func(a *store.Application) {
		a.Claims.Email, a.Claims.EmailTemplate = "template", "{wecom_userid}@example.com"
	})
	for _, test := range []struct {
		name, hint string
		asks       bool
	}{
		{"none", "", false},
		{"the sub", "user-ann", false},
		{"the userid", "ANN", false},
		{"the address that the application is told", "ann@example.com", false},
		{"the phone", "PHONE", false},
		{"the sid", "SID", false},
		{"another member", "user-bob", true},
		{"nobody here", "somebody@elsewhere.example", true},
		{"a long one", strings.Repeat("x", 4000), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := p.member("ann")
			user, err := p.store.User(t.Context(), "user-ann")
			p.ok(err)
			hint := strings.NewReplacer("SID", b.lineage, "PHONE", user.Phone).Replace(test.hint)
			if test.hint != "" && !strings.Contains(b.get("/oauth2/logout", url.Values{"logout_hint": {hint}}.Encode()).body, "Sign out?") {
				t.Fatal("signed out by a hint alone")
			}
			query := url.Values{"id_token_hint": {p.exchange(b.code(wikiRequest()))["id_token"].(string)}, "logout_hint": {hint}}
			got := b.get("/oauth2/logout", query.Encode())
			if asks := strings.Contains(got.body, "Sign out?"); asks != test.asks || b.hasSession() != test.asks {
				t.Fatalf("asks: %t, %d to %q", asks, got.status, got.headers["location"])
			}
			if test.asks {
				if b.submit(got, ""); b.hasSession() {
					t.Error("the answer has no effect")
				}
			}
		})
	}
}

func TestLogoutThatIsAmbiguousChangesNothing(t *testing.T) {
	p := newProvider(t)
	b := p.member("ann")
	tokens := p.exchange(b.code(wikiRequest()))
	hint := url.Values{"id_token_hint": {tokens["id_token"].(string)}}.Encode()
	for _, query := range []string{hint + "&client_id=spa", hint + "&state=a&state=b"} {
		if got := b.get("/oauth2/logout", query); got.status != http.StatusBadRequest || !b.hasSession() {
			t.Errorf("%d", got.status)
		}
	}
}
