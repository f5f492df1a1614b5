package main

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// wantLanguage checks the language of a page of the service, and which page it is by a part
// of its HTML.
func wantLanguage(t *testing.T, what string, page testbrowser.Answer, want text.Language, part string) {
	t.Helper()
	if !strings.Contains(page.Body, `<html lang="`+string(want)+`">`) {
		t.Errorf("%s at %s is not in %s: %.60s", what, page.URL, want, page.Body)
	}
	if shown := html.UnescapeString(page.Body); !strings.Contains(shown, part) {
		t.Errorf("%s at %s lacks %s: %d %s", what, page.URL, part, page.Status, page.Location())
	}
}

// submit posts the form of a page of the OpenID provider, with its hidden fields.
func (b *browser) submit(page testbrowser.Answer, path string) testbrowser.Answer {
	fields := url.Values{}
	for _, match := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(page.Body, -1) {
		fields.Set(match[1], html.UnescapeString(match[2]))
	}
	return b.post(path, testbrowser.Body("application/x-www-form-urlencoded", fields.Encode()))
}

// link returns the address of the first link on a page that has a part.
func (b *browser) link(page testbrowser.Answer, part string) string {
	b.f.t.Helper()
	for _, match := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page.Body, -1) {
		if address := html.UnescapeString(match[1]); strings.Contains(address, part) && !strings.Contains(address, "lang=") {
			return address
		}
	}
	b.f.t.Fatalf("no link with %s on %s", part, page.URL)
	return ""
}

// The language that an application asks for, in whatever region, reaches every page of the
// way to it and of the way out, and none after that.
func TestJourneySpeaksTheLanguageAskedFor(t *testing.T) {
	t.Parallel()
	asked := map[text.Language]string{
		text.Chinese: "zh-Hans-SG", text.English: "tlh en-GB", text.Ukrainian: "uk-UA ru", text.Portuguese: "pt-BR",
		text.Swedish: "sv-FI", text.French: "fr-CA fr", text.Spanish: "es-419",
	}
	f := newFixture(t)
	w := f.registerWiki(func(a *store.Application) { a.Allow.Roles = []string{"editor"} })
	f.signedIn("zhangsan")
	for _, want := range text.Languages() {
		begin := func() *request { return w.begin(oauth2.SetAuthURLParam("ui_locales", asked[want])) }
		other := text.English
		if want == other {
			other = text.French
		}
		b := f.onDesktop("disabled")
		b.Language = string(other)

		page := b.open(begin().address).Page
		wantLanguage(t, "the sign-in page", page, want, "Wiki")
		failed := b.open(b.way(page)).Page
		wantLanguage(t, "a failed sign-in", failed, want, "first_sign_in_in_wecom")
		b.Member = wecomsim.Browser{UserID: "zhangsan"}
		refused := b.open(b.way(failed)).Page
		wantLanguage(t, "a refusal after the sign-in", refused, want, "error=access_denied")
		wantLanguage(t, "the sign-in page for another account", b.open(b.link(refused, "/signin")).Page, want, "Wiki")

		// The callback in another browser, which keeps no request, twice.
		elsewhere := f.onDesktop("zhangsan")
		elsewhere.Language = string(other)
		callback := b.callback(b.way(b.open(begin().address + "&prompt=login").Page))
		elsewhere.open(callback)
		lost := elsewhere.open(callback).Page
		wantLanguage(t, "a lost request", lost, want, wikiHome)
		wantLanguage(t, "the sign-in page after it", elsewhere.open(elsewhere.link(lost, "/signin")).Page, want, "/api/signout?ui_locales=")
		wantLanguage(t, "the sign-in page after its sign-out", elsewhere.open(elsewhere.post("/api/signout?ui_locales="+string(want),
			testbrowser.Header("Accept", "text/html")).Location()).Page, want, "</h1>")

		unknown := strings.Replace(begin().address, "client_id=wiki", "client_id=unknown", 1)
		wantLanguage(t, "an unknown application", b.open(unknown).Page, want, "invalid_client")

		// The way out.
		locales := "?ui_locales=" + url.QueryEscape(asked[want])
		question := b.get("/oauth2/logout" + locales)
		wantLanguage(t, "the question before signing out", question, want, "/oauth2/logout")
		wantLanguage(t, "the page that it leaves for", b.open(b.link(question, "/signin")).Page, want, "</h1>")
		signedOut := b.submit(question, "/oauth2/logout")
		wantLanguage(t, "the page after signing out", signedOut, want, "/signin")
		wantLanguage(t, "the sign-in page after it", b.open(b.link(signedOut, "/signin")).Page, want, "</h1>")
		wantLanguage(t, "a refused request to sign out", b.get("/oauth2/logout"+locales+"&state=a&state=b"), want, "invalid_request")

		// A wish of an application is not a choice of the member.
		wantLanguage(t, "the sign-in page by itself", b.get("/signin"), other, "</h1>")
		if got := b.get("/signin?lang=" + string(other)); got.Status != http.StatusOK {
			t.Fatalf("picking a language: %d", got.Status)
		}
		chosen := b.open(begin().address).Page
		wantLanguage(t, "the sign-in page for a member who has chosen", chosen, other, "Wiki")
		b.Member = wecomsim.Browser{UserID: "disabled"}
		wantLanguage(t, "and a failure", b.open(b.way(chosen)).Page, other, "first_sign_in_in_wecom")
	}
}
