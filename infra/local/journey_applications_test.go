package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// The journeys of members to an application that knows the service by OpenID Connect alone.

// wiki is a web application with a stock client: go-oidc and x/oauth2.
type wiki struct {
	f        *fixture
	provider *oidc.Provider
	config   oauth2.Config
}

const (
	wikiHome     = application + "/wiki"
	wikiCallback = application + "/wiki/callback"
)

// registerWiki registers the application and has its client read the metadata.
func (f *fixture) registerWiki(change func(*store.Application)) *wiki {
	f.t.Helper()
	secret, record, err := oauth.NewSecret(rand.Reader, f.now())
	f.must(err)
	f.known.Add("client secret", secret.Reveal())
	a := store.Application{
		ID: "wiki", Title: "Wiki", Enabled: true, Kind: store.KindWeb, Homepage: wikiHome, RedirectURIs: []string{wikiCallback},
		PostLogoutRedirectURIs: []string{wikiHome}, FirstParty: true, Claims: claims.DefaultRules(), RefreshTokenLifetime: 720 * time.Hour,
		Secrets: []store.ClientSecret{record}, Generation: store.NewID(), CreatedAt: f.now(), UpdatedAt: f.now(), Version: 1,
	}
	if change != nil {
		change(&a)
	}
	f.must(f.service.store.CreateApplication(f.t.Context(), a))
	w := &wiki{f: f}
	w.provider, err = oidc.NewProvider(f.t.Context(), f.url)
	f.must(err)
	w.config = oauth2.Config{
		ClientID: "wiki", ClientSecret: secret.Reveal(), Endpoint: w.provider.Endpoint(), RedirectURL: wikiCallback,
		Scopes: []string{oidc.ScopeOpenID, "profile", "phone"},
	}
	return w
}

// request is one sign-in that the application waits for.
type request struct {
	*wiki
	state, nonce, verifier string
	address                string // that the browser is sent to
}

// begin is what the application does when somebody presses "sign in".
func (w *wiki) begin(options ...oauth2.AuthCodeOption) *request {
	r := &request{wiki: w, state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	r.address = w.config.AuthCodeURL(r.state, append(options, oidc.Nonce(r.nonce), oauth2.S256ChallengeOption(r.verifier))...)
	return r
}

// tokens is what the application has after a sign-in.
type tokens struct {
	*oauth2.Token
	wiki    *wiki
	subject string
	claims  map[string]any // of the ID token
}

// finish takes the browser that came back: it checks what a careful client does.
func (r *request) finish(end ending) tokens {
	r.f.t.Helper()
	query := queryOf(end.Address)
	if !strings.HasPrefix(end.Address, wikiCallback+"?") || query.Get("state") != r.state || query.Get("iss") != r.f.url || query.Get("error") != "" {
		r.f.t.Fatalf("came back to %s %.300s", end.Address, end.Page.Body)
	}
	r.f.known.Add("application's code", query.Get("code"))
	got, err := r.config.Exchange(r.f.t.Context(), query.Get("code"), oauth2.VerifierOption(r.verifier))
	r.f.must(err)
	idToken, _ := got.Extra("id_token").(string)
	for _, token := range []string{got.AccessToken, got.RefreshToken, idToken} {
		r.f.known.Add("application's token", token)
	}
	verified, err := r.provider.Verifier(&oidc.Config{ClientID: "wiki", Now: r.f.now}).Verify(r.f.t.Context(), idToken)
	r.f.must(err)
	r.f.must(verified.VerifyAccessToken(got.AccessToken))
	if verified.Nonce != r.nonce {
		r.f.t.Errorf("nonce %q", verified.Nonce)
	}
	t := tokens{Token: got, wiki: r.wiki, subject: verified.Subject, claims: map[string]any{}}
	r.f.must(verified.Claims(&t.claims))
	return t
}

// wantMember checks whom userinfo is about, by the userid in WeCom.
func (t tokens) wantMember(userID string) {
	t.wiki.f.t.Helper()
	info, err := t.wiki.provider.UserInfo(t.wiki.f.t.Context(), oauth2.StaticTokenSource(t.Token))
	t.wiki.f.must(err)
	var about map[string]any
	t.wiki.f.must(info.Claims(&about))
	if about["wecom_userid"] != userID || info.Subject != t.subject || about["phone_number"] == nil {
		t.wiki.f.t.Errorf("userinfo of %s: %v", userID, about)
	}
}

// refresh returns new tokens, or the application's error.
func (t tokens) refresh() (tokens, error) {
	got, err := t.wiki.config.TokenSource(context.WithoutCancel(t.wiki.f.t.Context()), &oauth2.Token{RefreshToken: t.RefreshToken}).Token()
	if err != nil {
		return tokens{}, err
	}
	t.wiki.f.known.Add("application's token", got.RefreshToken)
	t.Token = got
	return t, nil
}

// wantEnded checks that the grant gives nothing any more.
func (t tokens) wantEnded(why string) {
	t.wiki.f.t.Helper()
	if _, err := t.wiki.provider.UserInfo(t.wiki.f.t.Context(), oauth2.StaticTokenSource(t.Token)); err == nil || !strings.Contains(err.Error(), "401") {
		t.wiki.f.t.Errorf("%s: userinfo says %v", why, err)
	}
	if _, err := t.refresh(); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.wiki.f.t.Errorf("%s: the refresh token says %v", why, err)
	}
}

// press opens the application's request and, where the sign-in page asks, presses its first
// button.
func (b *browser) press(r *request) ending {
	b.f.t.Helper()
	return b.onward(b.open(r.address))
}

// onward presses the first button of the sign-in page, if it is one.
func (b *browser) onward(end ending) ending {
	b.f.t.Helper()
	if end.failure == nil {
		return end
	}
	return b.open(b.way(end.Page))
}

// way returns where the first button of the sign-in page leads.
func (b *browser) way(page testbrowser.Answer) string {
	b.f.t.Helper()
	found := regexp.MustCompile(`<li><a class="button[^"]*" href="([^"]*)"`).FindStringSubmatch(page.Body)
	if found == nil {
		b.f.t.Fatalf("no button on %s: %.3000s", page.URL, page.Body)
	}
	return html.UnescapeString(found[1])
}

// onPhone is a phone's own browser.
func (f *fixture) onPhone(userID string) *browser {
	b := f.inWeCom(userID)
	b.UserAgent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"
	return b
}

// A member without a session lands in the application signed in: without a page in WeCom's
// client, where the first sign-in is included, and by one button elsewhere.
func TestJourneyToAnApplication(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.registerWiki(nil)
	for _, test := range []struct {
		name  string
		with  *browser
		pages int
		weCom int
		acr   string
	}{
		{"the first time, in WeCom's client", f.inWeCom("zhangsan"), 0, 2, claims.ACRClient},
		{"WeCom's client", f.inWeCom("zhangsan"), 0, 1, claims.ACRClient},
		{"a desktop browser", f.onDesktop("zhangsan"), 1, 1, claims.ACRScan},
		{"a phone's browser", f.onPhone("zhangsan"), 1, 1, claims.ACRScan},
	} {
		r := w.begin()
		end := test.with.open(r.address)
		if test.pages == 1 {
			if end.failure == nil || !strings.Contains(end.Page.Body, "“Wiki”</h1>") {
				t.Fatalf("%s: ended at %s", test.name, end.Address)
			}
			end = test.with.onward(end)
		}
		if end.WeCom != test.weCom {
			t.Errorf("%s: %d redirects to WeCom", test.name, end.WeCom)
		}
		got := r.finish(end)
		got.wantMember("zhangsan")
		if got.claims["acr"] != test.acr || got.claims["name"] != "张三" || got.claims["azp"] != "wiki" || got.claims["sid"] == nil {
			t.Errorf("%s: %v", test.name, got.claims)
		}
		if n := test.with.count("__Host-wecom_request_"); n != 0 {
			t.Errorf("%s: the browser still keeps %d requests", test.name, n)
		}
		// With a session there is no page in between, and nobody asks WeCom.
		again := w.begin()
		if end := test.with.open(again.address); len(end.Redirects) != 1 || end.WeCom != 0 {
			t.Errorf("%s: with a session %d redirects, ended at %s", test.name, len(end.Redirects), end.Address)
		} else if next := again.finish(end); next.claims["sid"] != got.claims["sid"] {
			t.Errorf("%s: another lineage", test.name)
		}
		if _, err := got.refresh(); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	f.wantUsers(1)
}

// Several tabs at once: each gets the code of its own request, in any order.
func TestJourneySeveralTabsToAnApplication(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.registerWiki(nil)
	f.signedIn("zhangsan")
	b := f.onDesktop("zhangsan")
	var requests []*request
	var callbacks []string
	for range 4 {
		r := w.begin()
		requests = append(requests, r)
		callbacks = append(callbacks, b.callback(b.way(b.open(r.address).Page)))
	}
	lineages := map[any]bool{}
	for _, i := range []int{2, 0, 3, 1} {
		got := requests[i].finish(b.open(callbacks[i]))
		got.wantMember("zhangsan")
		lineages[got.claims["sid"]] = true
	}
	if len(lineages) != 1 {
		t.Errorf("%d lineages in one browser", len(lineages))
	}
}

// WeCom's desktop client opens the callback in another browser: that one is signed in and
// begins again at the application's homepage, and never has the other's code.
func TestJourneyCallbackInAnotherBrowserGoesToTheHomepage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.registerWiki(nil)
	f.signedIn("zhangsan")
	began, came := f.inWeCom("zhangsan"), f.onDesktop("zhangsan")
	r := w.begin()
	start := began.get(r.address)
	address := began.callback(start.Redirect())
	end := came.open(address)
	if end.Address != wikiHome && end.Address != wikiHome+"#" || end.WeCom != 1 {
		t.Fatalf("ended at %s after %d redirects to WeCom", end.Address, end.WeCom)
	}
	for _, a := range end.Redirects {
		if strings.HasPrefix(a.Location(), wikiCallback) {
			t.Fatalf("sent on with %s", a.Location())
		}
	}
	again := w.begin()
	if end := came.open(again.address); len(end.Redirects) != 1 {
		t.Errorf("from the homepage after %d redirects", len(end.Redirects))
	} else {
		again.finish(end).wantMember("zhangsan")
	}
	// Once more soon: a page says so.
	if end := came.open(address); end.Page.Status != http.StatusBadRequest || !strings.Contains(end.Page.Body, wikiHome) {
		t.Errorf("the second time it ends at %s", end.Address)
	}
}

// A first sign-in in a desktop browser: the page says how, the phone does it, and the
// desktop goes on where it was.
func TestJourneyFirstSignInToAnApplication(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.registerWiki(nil)
	desktop, phone := f.onDesktop("lisi"), f.inWeCom("lisi")
	r := w.begin()
	end := desktop.press(r)
	if end.failure.Get("error") != "first_sign_in_in_wecom" || end.failure.Get("application") != "wiki" || !strings.Contains(end.Page.Body, "“Wiki”</h1>") {
		t.Fatalf("ended at %s", end.Address)
	}
	// The phone has not made the request, and is not asked for one.
	waiting := desktop.waitsAt(end)
	if end := phone.open(waiting.link); !strings.HasPrefix(end.Address, f.url+"/signin") || end.Page.Status != http.StatusOK {
		t.Errorf("the phone ended at %s", end.Address)
	}
	waiting.wantState(isReady)
	r.finish(waiting.goOn()).wantMember("lisi")
}

// Another member signs in in the same browser: what the first one had there ends.
func TestJourneyAnotherMemberEndsTheFirstOnesGrants(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.registerWiki(nil)
	f.signedIn("zhangsan")
	f.signedIn("lisi")
	b := f.onDesktop("zhangsan")
	r := w.begin()
	first := r.finish(b.press(r))
	elsewhere := f.onDesktop("zhangsan")
	other := w.begin()
	kept := other.finish(elsewhere.press(other))

	b.Member = wecomsim.Browser{UserID: "lisi"}
	r = w.begin(oauth2.SetAuthURLParam("prompt", "login"))
	end := b.open(r.address)
	if end.failure == nil || end.failure.Get("prompt") != "login" {
		t.Fatalf("prompt=login ended at %s", end.Address)
	}
	second := r.finish(b.onward(end))
	second.wantMember("lisi")
	if second.claims["sid"] == first.claims["sid"] {
		t.Error("two members have one lineage")
	}
	first.wantEnded("another member signed in")
	kept.wantMember("zhangsan")
	// A request for zhangsan, after which lisi signs in again: not answered as somebody else.
	hint, _ := kept.Extra("id_token").(string)
	r = w.begin(oauth2.SetAuthURLParam("id_token_hint", hint))
	f.wait(time.Second)
	if query := queryOf(b.press(r).Address); query.Get("error") != "login_required" {
		t.Errorf("a hint of another member: %v", query)
	}
}

func TestJourneyPromptNone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.registerWiki(nil)
	b := f.inWeCom("zhangsan")
	r := w.begin(oauth2.SetAuthURLParam("prompt", "none"))
	end := b.open(r.address)
	query := queryOf(end.Address)
	if query.Get("error") != "login_required" || query.Get("state") != r.state || query.Get("iss") != f.url || len(end.Redirects) != 1 || b.count("__Host-wecom_request_") != 0 {
		t.Errorf("without a session: %s after %d redirects", end.Address, len(end.Redirects))
	}
	b.signIn("/authorize/main")
	r = w.begin(oauth2.SetAuthURLParam("prompt", "none"))
	r.finish(b.open(r.address)).wantMember("zhangsan")
}

// A new sign-in is a new one: auth_time moves, and max_age counts from it.
func TestJourneyMaxAge(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.registerWiki(nil)
	b := f.signedIn("zhangsan")
	f.wait(10 * time.Minute)
	r := w.begin(oauth2.SetAuthURLParam("max_age", "3600"))
	young := r.finish(b.open(r.address))
	r = w.begin(oauth2.SetAuthURLParam("max_age", "300"))
	end := b.open(r.address)
	renewed := r.finish(b.onward(end))
	if before, after := young.claims["auth_time"].(float64), renewed.claims["auth_time"].(float64); after-before < 600 || end.WeCom != 1 {
		t.Errorf("auth_time %v, then %v, after %d redirects to WeCom", before, after, end.WeCom)
	}
}

// Every end of a session or of a member ends what the application has.
func TestJourneyEndsOfGrants(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		end  func(*fixture, *browser, tokens)
	}{
		{"sign-out at the service", func(f *fixture, b *browser, _ tokens) {
			b.Expect(f.t, http.StatusNoContent, http.MethodPost, "/api/signout")
		}},
		{"sign-out by the application", func(f *fixture, b *browser, got tokens) {
			hint, _ := got.Extra("id_token").(string)
			end := b.open("/oauth2/logout?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {wikiHome}}.Encode())
			if end.Address != wikiHome {
				f.t.Errorf("ended at %s", end.Address)
			}
			b.wantMember("", "after the sign-out")
		}},
		{"the member is switched off", func(f *fixture, b *browser, _ tokens) {
			f.changeUser(b.session().User.ID, map[string]any{"enabled": false})
		}},
		{"the session expires", func(f *fixture, _ *browser, _ tokens) { f.wait(8*time.Hour + time.Second) }},
		{"the application is switched off", func(f *fixture, _ *browser, _ tokens) {
			from, err := f.service.store.Application(f.t.Context(), "wiki")
			f.must(err)
			to := from
			to.Generation, to.Version = store.NewID(), from.Version+1
			f.must(f.service.store.UpdateApplication(f.t.Context(), from, to))
		}},
		{"the authenticator is switched off", func(f *fixture, _ *browser, _ tokens) {
			f.changeAuthenticator(map[string]any{"enabled": false})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			w := f.registerWiki(nil)
			b := f.signedIn("zhangsan")
			r := w.begin()
			got := r.finish(b.open(r.address))
			got, err := got.refresh()
			f.must(err)
			test.end(f, b, got)
			got.wantEnded(test.name)
		})
	}
}

func (f *fixture) changeUser(id string, fields map[string]any) {
	f.t.Helper()
	f.patch("/users/"+id, fields)
}

func (f *fixture) changeAuthenticator(fields map[string]any) {
	f.t.Helper()
	f.patch("/authenticators/"+mainName, fields)
}

// patch changes a record as it is now.
func (f *fixture) patch(path string, fields map[string]any) {
	f.t.Helper()
	tag := f.mustAdmin(http.StatusOK, http.MethodGet, path, nil).Header.Get("ETag")
	a := f.api.Send(f.t, http.MethodPatch, "/api/admin"+path,
		testbrowser.Header("Authorization", "Bearer "+adminKey), testbrowser.Header("If-Match", tag), testbrowser.JSON(fields))
	if a.Status != http.StatusOK {
		f.t.Fatalf("%s: %d %s", path, a.Status, a.Body)
	}
}

// Refusals on the way name the application and say what to do.
func TestJourneyRefusalsNameTheApplication(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.registerWiki(func(a *store.Application) { a.Allow.Roles = []string{"editor"} })
	f.signedIn("zhangsan")
	for _, test := range []struct {
		name, member string
		has          []string
	}{
		{"not allowed", "zhangsan", []string{"“Wiki”</h1>", "error=access_denied", "prompt=login"}},
		{"switched off at WeCom", "disabled", []string{"“Wiki”</h1>", "user_disabled"}},
		{"another company", "ww0a1b2c3d4e5f6071/partner", []string{"“Wiki”</h1>", "other_corp"}},
		{"not a member", "oVisitor0000000000000001", []string{"“Wiki”</h1>", "not_a_member"}},
	} {
		b := f.inWeCom(test.member)
		r := w.begin()
		end := b.open(r.address)
		if strings.HasPrefix(end.Address, application) {
			t.Errorf("%s: ended at %s", test.name, end.Address)
			continue
		}
		shown := html.UnescapeString(end.Page.Body)
		for _, text := range test.has {
			if !strings.Contains(shown, text) {
				t.Errorf("%s: %s %s lacks %s", test.name, end.Address, end.WeComPage, text)
			}
		}
	}
}

// agree agrees on the consent page.
func (b *browser) agree(page testbrowser.Answer) ending {
	b.f.t.Helper()
	fields := url.Values{"answer": {"agree"}}
	for _, match := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(page.Body, -1) {
		fields.Set(match[1], html.UnescapeString(match[2]))
	}
	posted := b.post("/oauth2/consent", testbrowser.Body("application/x-www-form-urlencoded", fields.Encode()))
	return ending{Navigation: testbrowser.Navigation{Address: posted.Redirect(), Page: posted}}
}

// Consent is asked for once, and again when the application asks for more.
func TestJourneyConsent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.registerWiki(func(a *store.Application) { a.FirstParty = false })
	b := f.signedIn("zhangsan")
	for i, scopes := range [][]string{{"openid"}, {"openid", "profile", "phone"}} {
		w.config.Scopes = scopes
		r := w.begin()
		end := b.open(r.address)
		if !strings.Contains(end.Page.Body, fmt.Sprintf("%s/oauth2/consent", f.url)) {
			t.Fatalf("%d: ended at %s", i, end.Address)
		}
		r.finish(b.agree(end.Page))
		r = w.begin()
		r.finish(b.open(r.address))
	}
}

// A browser that keeps no cookies ends on a page that says so and names the application,
// and is not sent round and round.
func TestJourneyToAnApplicationWithoutCookies(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.registerWiki(nil)
	f.signedIn("zhangsan")
	for name, b := range map[string]*browser{"WeCom's client": f.inWeCom("zhangsan"), "a desktop browser": f.onDesktop("zhangsan")} {
		b.BlockCookies = true
		end := b.press(w.begin())
		if end.failure.Get("error") != "cookies_blocked" || end.failure.Get("application") != "wiki" || !strings.Contains(end.Page.Body, "“Wiki”</h1>") {
			t.Errorf("%s: ended at %s", name, end.Address)
		}
	}
}

// Attack: the link on which another browser's sign-in to an application goes on, sent to
// somebody with a session.
func TestAttackContinueLinkOfAnotherBrowser(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := f.registerWiki(nil)
	victim := f.signedIn("zhangsan")
	attacker := f.onDesktop("lisi")
	page := attacker.open(w.begin().address)
	for _, link := range []string{
		"/oauth2/authorize?" + url.Values{"client_id": {"wiki"}, "continue": {page.failure.Get("continue")}}.Encode(),
		attacker.way(page.Page),
		attacker.callback(attacker.way(page.Page)),
	} {
		end := victim.clone().open(link)
		for _, a := range append(end.Redirects, end.Page) {
			if strings.Contains(a.Location(), "/wiki/callback") {
				t.Errorf("%s gave the victim a code for it", link)
			}
		}
		if strings.Contains(end.Address, "code=") {
			t.Errorf("%s ended at %s", link, end.Address)
		}
	}
}

// Mailboxes: the company's, which the administrator selected and the member agreed to share,
// reaches an application that wants it; the member's own never does. Somebody who has signed
// in before that is asked again once an administrator has unbound the member.
func TestApplicationIsToldTheCompanysMailbox(t *testing.T) {
	t.Parallel()
	f := newFixture(t, weComWhere(func(c *wecomsim.Config) {
		c.Corps[0].Apps[0].Fields = []wecomsim.Field{wecomsim.FieldMobile, wecomsim.FieldEmail, wecomsim.FieldBizMail}
		for i := range c.Corps[0].Members {
			m := &c.Corps[0].Members[i]
			m.Email, m.BizMail = m.UserID+"@own.example", m.UserID+"@corp.example"
		}
	}))
	w := f.registerWiki(func(a *store.Application) { a.Claims.Email = "wecom" })
	w.config.Scopes = append(w.config.Scopes, "email")
	email := func(b *browser) any {
		r := w.begin()
		got := r.finish(b.onward(b.open(r.address))).claims
		if got["email_verified"] != nil && got["email_verified"] != true {
			t.Errorf("email_verified %v", got["email_verified"])
		}
		return got["email"]
	}
	if got := email(f.inWeCom("zhangsan")); got != "zhangsan@corp.example" {
		t.Errorf("email %v", got)
	}
	if got := email(f.onDesktop("zhangsan")); got != "zhangsan@corp.example" {
		t.Errorf("email on the desktop %v", got)
	}
	lisi := f.inWeCom("lisi")
	lisi.Member.Consent = wecomsim.ConsentTo(wecomsim.FieldMobile, wecomsim.FieldEmail)
	if got := email(lisi); got != nil {
		t.Errorf("email without consent %v", got)
	}
	f.weCom.ForgetConsent()
	lisi.Member.Consent = wecomsim.ConsentTo(wecomsim.FieldMobile, wecomsim.FieldBizMail)
	for _, u := range f.users() {
		if u.Phone == "+8613800000002" {
			f.mustAdmin(204, "DELETE", "/users/"+u.ID+"/identities/"+corpID+"/lisi", nil)
		}
	}
	if got := email(lisi); got != "lisi@corp.example" {
		t.Errorf("email after the member was bound anew %v", got)
	}
}
