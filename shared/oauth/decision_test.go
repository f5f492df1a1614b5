package oauth_test

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

func TestCodeIsGivenAtOnceWithASession(t *testing.T) {
	b := newBench(t)
	b.store.reset()
	d := b.authorize(query())
	answer := b.answer(d)
	if !strings.HasPrefix(d.URL, redirect+"?code=") || answer.Get("state") != state || answer.Get("iss") != issuer || len(answer) != 3 {
		t.Errorf("answered %s", d.URL)
	}
	if len(answer.Get("code")) != 43 {
		t.Errorf("code %q", answer.Get("code"))
	}
	if diff := cmp.Diff([]string{"CreateGrant"}, b.store.calls); diff != "" {
		t.Error(diff)
	}
	if answer.Get("code") == b.code() {
		t.Error("the same code twice")
	}
}

// TestBadRedirectIsNeverFollowed: a page, whatever else the request says (RFC 6749 §4.1.2.1).
func TestBadRedirectIsNeverFollowed(t *testing.T) {
	b := newBench(t)
	b.change("shop", func(a *store.Application) { a.Enabled = false })
	for _, test := range []struct {
		name, query string
		cause       oauth.Cause
	}{
		{"unregistered", query("redirect_uri", "https://evil.example/cb"), oauth.CauseRedirectMismatch},
		{"another application's", query("redirect_uri", "https://shop.example.com/callback"), oauth.CauseRedirectMismatch},
		{"none", query("redirect_uri", ""), oauth.CauseRedirectMissing},
		{"none, with prompt=none", query("redirect_uri", "", "prompt", "none"), oauth.CauseRedirectMissing},
		{"two", query() + "&redirect_uri=" + url.QueryEscape(redirect), oauth.CauseRepeatedParameter},
		{"two different", query() + "&redirect_uri=https://evil.example", oauth.CauseRepeatedParameter},
		{"two clients", query() + "&client_id=shop", oauth.CauseRepeatedParameter},
		{"no client", query("client_id", ""), oauth.CauseMissingParameter},
		{"unknown client", query("client_id", "nobody"), oauth.CauseApplicationUnknown},
		{"a client id that is none", query("client_id", "../x"), oauth.CauseApplicationUnknown},
		{"disabled client", query("client_id", "shop", "redirect_uri", "https://shop.example.com/callback"), oauth.CauseApplicationDisabled},
		{"proxy", query("client_id", "proxied", "redirect_uri", "https://proxied.example.com"), oauth.CauseRedirectMismatch},
		{"not a query", "client_id=%zz&redirect_uri=" + redirect, oauth.CauseMalformed},
		{"not UTF-8", query() + "&x=%ff", oauth.CauseMalformed},
		{"too long", query() + "&x=" + strings.Repeat("x", 20000), oauth.CauseMalformed},
		{"empty", "", oauth.CauseMissingParameter},
		{"with an error of its own", query("redirect_uri", "https://evil.example/cb", "response_type", "token", "prompt", "none"), oauth.CauseRedirectMismatch},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, session := range []*oauth.Session{nil, b.session} {
				d := b.decide(oauth.AuthorizeInput{RawQuery: test.query, Session: session})
				if d.Kind != oauth.ShowError || d.URL != "" || d.Refusal == nil || d.Refusal.Cause != test.cause {
					t.Errorf("kind %d, URL %q, %v", d.Kind, d.URL, d.Refusal)
				}
			}
		})
	}
	d := b.authorize(query("redirect_uri", "https://evil.example/cb"))
	if d.Application.ID != "wiki" || d.Request.RedirectURI != "https://evil.example/cb" {
		t.Error("administrators cannot be shown what came and what is registered")
	}
	if got := b.causes("wiki"); !slices.Contains(got, "invalid_request redirect_mismatch") {
		t.Errorf("administrators see %v", got)
	}
}

// TestRepeatedParameterIsRefused: RFC 6749 §3.1; empty is absent, unknown is ignored.
func TestRepeatedParameterIsRefused(t *testing.T) {
	b := newBench(t)
	for _, name := range []string{
		"response_type", "response_mode", "scope", "nonce", "code_challenge", "code_challenge_method", "prompt", "max_age",
		"id_token_hint", "login_hint", "ui_locales", "acr_values", "claims", "request", "request_uri", "display",
	} {
		d := b.authorize(query() + "&" + name + "=x&" + name + "=x")
		b.is(d, oauth.RedirectBack, oauth.InvalidRequest, oauth.CauseRepeatedParameter)
		if b.answer(d).Get("state") != state {
			t.Errorf("%s: %s", name, d.URL)
		}
	}
	d := b.authorize(query() + "&state=other")
	b.is(d, oauth.RedirectBack, oauth.InvalidRequest, oauth.CauseRepeatedParameter)
	if b.answer(d).Has("state") {
		t.Errorf("a repeated state is echoed: %s", d.URL)
	}
	for _, harmless := range []string{"&x=1&x=2", "&resource=a&resource=b", "&prompt=&prompt=", "&prompt", "&nonce=", "&=&", "&response_mode=&response_mode=query"} {
		if b.answer(b.authorize(query()+harmless)).Get("code") == "" {
			t.Errorf("%s is refused", harmless)
		}
	}
	b.is(b.authorize(query()+"&%73cope=openid"), oauth.RedirectBack, oauth.InvalidRequest, oauth.CauseRepeatedParameter)
}

func TestRequestErrorsGoBack(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct {
		name  string
		pairs []string
		code  oauth.ErrorCode
		cause oauth.Cause
	}{
		{"no response_type", []string{"response_type", ""}, oauth.InvalidRequest, oauth.CauseMissingParameter},
		{"implicit", []string{"response_type", "token"}, oauth.UnsupportedResponseType, oauth.CauseResponseType},
		{"hybrid", []string{"response_type", "code id_token"}, oauth.UnsupportedResponseType, oauth.CauseResponseType},
		{"response_type in capitals", []string{"response_type", "Code"}, oauth.UnsupportedResponseType, oauth.CauseResponseType},
		{"fragment", []string{"response_mode", "fragment"}, oauth.InvalidRequest, oauth.CauseResponseMode},
		{"form_post", []string{"response_mode", "form_post"}, oauth.InvalidRequest, oauth.CauseResponseMode},
		{"no scope", []string{"scope", ""}, oauth.InvalidScope, oauth.CauseScope},
		{"without openid", []string{"scope", "profile"}, oauth.InvalidScope, oauth.CauseScope},
		{"a long scope", []string{"scope", "openid " + strings.Repeat("x", 1024)}, oauth.InvalidRequest, oauth.CauseTooLong},
		{"a long nonce", []string{"nonce", strings.Repeat("x", 513)}, oauth.InvalidRequest, oauth.CauseTooLong},
		{"long claims", []string{"claims", strings.Repeat("x", 2049)}, oauth.InvalidRequest, oauth.CauseTooLong},
		{"request object", []string{"request", "e30.e30."}, oauth.RequestNotSupported, oauth.CauseRequestObject},
		{"request_uri", []string{"request_uri", "https://wiki.example.com/r"}, oauth.RequestURINotSupported, oauth.CauseRequestObject},
		{"registration", []string{"registration", "{}"}, oauth.RegistrationNotSupported, oauth.CauseRequestObject},
		{"prompt none with login", []string{"prompt", "none login"}, oauth.InvalidRequest, oauth.CausePrompt},
		{"prompt none twice", []string{"prompt", "none none"}, oauth.InvalidRequest, oauth.CausePrompt},
		{"unknown prompt", []string{"prompt", "create"}, oauth.InvalidRequest, oauth.CausePrompt},
		{"negative max_age", []string{"max_age", "-1"}, oauth.InvalidRequest, oauth.CauseMalformed},
		{"max_age in words", []string{"max_age", "1h"}, oauth.InvalidRequest, oauth.CauseMalformed},
		{"claims not JSON", []string{"claims", "{"}, oauth.InvalidRequest, oauth.CauseClaims},
		{"claims a list", []string{"claims", "[]"}, oauth.InvalidRequest, oauth.CauseClaims},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := b.authorize(query(test.pairs...))
			b.is(d, oauth.RedirectBack, test.code, test.cause)
			answer := b.answer(d)
			if answer.Get("state") != state || answer.Get("iss") != issuer || answer.Has("code") || answer.Get("error_description") == "" {
				t.Errorf("answered %s", d.URL)
			}
		})
	}
	long := b.authorize(query("state", strings.Repeat("s", 1025)))
	b.is(long, oauth.RedirectBack, oauth.InvalidRequest, oauth.CauseTooLong)
	if b.answer(long).Has("state") {
		t.Error("a state too long is echoed")
	}
	if got := b.answer(b.authorize(query("state", strings.Repeat("s", 1024)))).Get("state"); len(got) != 1024 {
		t.Errorf("1 kB of state: %d bytes", len(got))
	}
}

// TestHarmlessParametersAreNeverAnError: OpenID Connect Core §3.1.2.1.
func TestHarmlessParametersAreNeverAnError(t *testing.T) {
	b := newBench(t)
	for _, pairs := range [][]string{
		{"nonce", ""},
		{"state", ""},
		{"login_hint", "zhangsan\n"},
		{"display", "popup"},
		{"display", "hologram"},
		{"ui_locales", "xx zz-ZZ"},
		{"claims_locales", "de"},
		{"acr_values", "urn:unknown"},
		{"id_token_hint", "not-a-token"},
		{"scope", "openid address unknown"},
		{"max_age", "99999999999999"},
		{"claims", `{"userinfo":{"unknown":null},"x":1}`},
		{"unknown", "x"},
		{"response_mode", "query"},
		{"prompt", "consent"},
		{"approval_prompt", "force"},
	} {
		if d := b.authorize(query(pairs...)); b.answer(d).Get("code") == "" {
			t.Errorf("%v: %s", pairs, d.URL)
		}
	}
	if got := b.tokens("scope", "groups unknown address openid openid").Scope; got != "openid groups" {
		t.Errorf("scope given: %q", got)
	}
}

// TestRedirectKeepsItsQuery: RFC 6749 §3.1.2.
func TestRedirectKeepsItsQuery(t *testing.T) {
	b := newBench(t)
	const own = "https://wiki.example.com/other?tenant=a%20b"
	if d := b.authorize(query("redirect_uri", own)); !strings.HasPrefix(d.URL, own+"&code=") {
		t.Errorf("answered %s", d.URL)
	}
	if d := b.authorize(query("redirect_uri", own, "scope", "")); !strings.HasPrefix(d.URL, own+"&error=invalid_scope&") {
		t.Errorf("answered %s", d.URL)
	}
}

// TestIssInEveryResponse: RFC 9207.
func TestIssInEveryResponse(t *testing.T) {
	b := newBench(t)
	third := b.register(store.Application{ID: "third", Kind: store.KindWeb, RedirectURIs: []string{redirect}})
	asked := b.authorize(query("client_id", third.ID))
	for name, d := range map[string]oauth.Decision{
		"code":           b.authorize(query()),
		"error":          b.authorize(query("scope", "")),
		"login_required": b.decide(oauth.AuthorizeInput{RawQuery: query("prompt", "none")}),
		"refused":        b.decide(oauth.AuthorizeInput{RawQuery: query("client_id", third.ID), Session: b.session, Answer: oauth.Refused, Proof: asked.Consent.Proof}),
	} {
		if answer := b.answer(d); answer.Get("iss") != issuer || len(answer["iss"]) != 1 {
			t.Errorf("%s: %s", name, d.URL)
		}
	}
	b.change("wiki", func(a *store.Application) { a.Allow.Roles = []string{"admin"} })
	d := b.authorize(query())
	if u, err := url.Parse(d.URL); err != nil || u.Query().Get("iss") != issuer {
		t.Errorf("not allowed: %s", d.URL)
	}
}

// TestPrompt: OpenID Connect Core §3.1.2.1.
func TestPrompt(t *testing.T) {
	b := newBench(t)
	b.pass(time.Hour)
	begun := b.Now()
	b.pass(time.Minute)
	again := b.signIn(b.user, "lineage")
	ended := b.signIn(b.user, "lineage")
	ended.Session.ExpiresAt = b.Now()
	for _, test := range []struct {
		name, prompt string
		session      *oauth.Session
		begun        time.Time
		kind         oauth.DecisionKind
		code         oauth.ErrorCode
	}{
		{"none without a session", "none", nil, time.Time{}, oauth.RedirectBack, oauth.LoginRequired},
		{"none with an expired session", "none", ended, time.Time{}, oauth.RedirectBack, oauth.LoginRequired},
		{"none with a session", "none", b.session, time.Time{}, oauth.RedirectBack, ""},
		{"without a session", "", nil, time.Time{}, oauth.SignIn, ""},
		{"with an expired session", "", ended, time.Time{}, oauth.SignIn, ""},
		{"login with a session", "login", b.session, time.Time{}, oauth.SignIn, ""},
		{"login with a session from before", "login", b.session, begun, oauth.SignIn, ""},
		{"login after it", "login", again, begun, oauth.RedirectBack, ""},
		{"attack: login, a new session and a new request", "login", again, time.Time{}, oauth.SignIn, ""},
		{"select_account", "select_account", b.session, begun, oauth.SignIn, ""},
		{"select_account after it", "select_account", again, begun, oauth.RedirectBack, ""},
		{"login consent after it", "login consent", again, begun, oauth.RedirectBack, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := b.decide(oauth.AuthorizeInput{RawQuery: query("prompt", test.prompt), Session: test.session, Begun: test.begun})
			if d.Kind != test.kind || d.Kind == oauth.RedirectBack && b.answer(d).Get("error") != string(test.code) {
				t.Errorf("kind %d, %s", d.Kind, d.URL)
			}
			if d.Kind == oauth.SignIn && d.SignIn.Again != (test.session != nil) {
				t.Errorf("again: %v", d.SignIn.Again)
			}
		})
	}
}

// TestMaxAge: older than max_age means WeCom again.
func TestMaxAge(t *testing.T) {
	b := newBench(t)
	begun := b.Now().Add(-time.Second)
	b.pass(10 * time.Second)
	for _, test := range []struct {
		maxAge string
		begun  time.Time
		fits   bool
	}{
		{"10000", time.Time{}, true},
		{"10", time.Time{}, true},
		{"9", time.Time{}, false},
		{"1", time.Time{}, false},
		{"0", time.Time{}, false},
		{"0", begun, true}, // signed in for this request
		{"1", begun, true},
		{"0", b.Now(), false},
		{"9", b.Now(), false},
		{"", time.Time{}, true},
	} {
		d := b.decide(oauth.AuthorizeInput{RawQuery: query("max_age", test.maxAge), Session: b.session, Begun: test.begun})
		if (d.Kind == oauth.RedirectBack) != test.fits || !test.fits && d.Kind != oauth.SignIn {
			t.Errorf("max_age=%s, begun %v: kind %d", test.maxAge, test.begun, d.Kind)
		}
		silent := b.decide(oauth.AuthorizeInput{RawQuery: query("max_age", test.maxAge, "prompt", "none"), Session: b.session, Begun: test.begun})
		if got := b.answer(silent).Get("error"); (got == "") != test.fits || !test.fits && got != "login_required" {
			t.Errorf("max_age=%s, prompt=none: %s", test.maxAge, got)
		}
	}
}

func TestSessionThatDoesNotFit(t *testing.T) {
	b := newBench(t)
	b.change("wiki", func(a *store.Application) { a.Authenticators = []string{"partner"} })
	d := b.authorize(query())
	if d.Kind != oauth.SignIn || !d.SignIn.Again || !slices.Equal(d.SignIn.Authenticators, []string{"partner"}) {
		t.Errorf("%+v", d.SignIn)
	}
	b.is(b.authorize(query("prompt", "none")), oauth.RedirectBack, oauth.LoginRequired, oauth.CauseNotSignedIn)

	// What the handler hands over is checked once more.
	for name, change := range map[string]func(*oauth.Session){
		"disabled":             func(s *oauth.Session) { s.User.Enabled = false },
		"all sessions ended":   func(s *oauth.Session) { s.User.SessionGeneration++ },
		"another user":         func(s *oauth.Session) { s.User.ID = "other" },
		"no user":              func(s *oauth.Session) { s.User, s.Session.UserID = store.User{}, "" },
		"without a lineage":    func(s *oauth.Session) { s.Lineage = "" },
		"expired this instant": func(s *oauth.Session) { s.Session.ExpiresAt = b.Now() },
	} {
		session := b.signIn(b.user, "lineage")
		session.Session.AuthenticatorName = "partner"
		change(session)
		if d := b.decide(oauth.AuthorizeInput{RawQuery: query(), Session: session}); d.Kind != oauth.SignIn {
			t.Errorf("%s: kind %d", name, d.Kind)
		}
	}
}

// TestHintOfAnotherMember: login_required, and WeCom again where pages are allowed.
func TestHintOfAnotherMember(t *testing.T) {
	b := newBench(t)
	own := b.tokens().IDToken
	shop, err := b.Token(t.Context(), b.as("shop", form("grant_type", "authorization_code", "redirect_uri", "https://shop.example.com/callback",
		"code_verifier", verifier, "code", b.code("client_id", "shop", "redirect_uri", "https://shop.example.com/callback"))))
	b.must(err)
	lisi := b.member("+8613800000002", "LiSi")
	other := b.signIn(lisi, "other")
	begun := b.Now()
	subject := func(id string) string { return fmt.Sprintf(`{"id_token":{"sub":{"value":%q}}}`, id) }
	for _, test := range []struct {
		name    string
		pairs   []string
		session *oauth.Session
		begun   time.Time
		kind    oauth.DecisionKind
		code    oauth.ErrorCode
	}{
		{"own", []string{"id_token_hint", own}, b.session, time.Time{}, oauth.RedirectBack, ""},
		{"of another", []string{"id_token_hint", own}, other, time.Time{}, oauth.SignIn, ""},
		{"of another, no page", []string{"id_token_hint", own, "prompt", "none"}, other, time.Time{}, oauth.RedirectBack, oauth.LoginRequired},
		{"signed in as another", []string{"id_token_hint", own}, other, begun, oauth.RedirectBack, oauth.LoginRequired},
		{"another application's", []string{"id_token_hint", shop.IDToken}, other, time.Time{}, oauth.RedirectBack, ""},
		{"an access token", []string{"id_token_hint", b.tokens().AccessToken}, other, time.Time{}, oauth.RedirectBack, ""},
		{"not a token", []string{"id_token_hint", own + "x"}, other, time.Time{}, oauth.RedirectBack, ""},
		{"claim: own", []string{"claims", subject(b.user.ID)}, b.session, time.Time{}, oauth.RedirectBack, ""},
		{"claim: another", []string{"claims", subject(b.user.ID)}, other, time.Time{}, oauth.SignIn, ""},
		{"hint and claim differ", []string{"id_token_hint", own, "claims", subject(lisi.ID)}, b.session, time.Time{}, oauth.SignIn, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := b.decide(oauth.AuthorizeInput{RawQuery: query(test.pairs...), Session: test.session, Begun: test.begun})
			if d.Kind != test.kind || d.Kind == oauth.RedirectBack && b.answer(d).Get("error") != string(test.code) {
				t.Errorf("kind %d, %s", d.Kind, d.URL)
			}
		})
	}
	b.pass(20 * time.Minute) // an expired ID token is a hint as well
	if d := b.decide(oauth.AuthorizeInput{RawQuery: query("id_token_hint", own), Session: other}); d.Kind != oauth.SignIn {
		t.Errorf("expired hint: kind %d", d.Kind)
	}
}

// TestEssentialACR: OpenID Connect Core §5.5.1.1; acr_values is a wish.
func TestEssentialACR(t *testing.T) {
	b := newBench(t)
	begun := b.Now()
	essential := func(value string) string {
		return query("claims", `{"id_token":{"acr":{"essential":true,"values":["`+value+`"]}}}`)
	}
	scan, client := "urn:wecom-signin:scan", "urn:wecom-signin:client"
	if b.answer(b.authorize(essential(scan))).Get("code") == "" || b.answer(b.authorize(query("acr_values", client))).Get("code") == "" {
		t.Error("no code")
	}
	if d := b.authorize(essential(client)); d.Kind != oauth.SignIn {
		t.Errorf("kind %d", d.Kind)
	}
	b.is(b.decide(oauth.AuthorizeInput{RawQuery: essential(client), Session: b.session, Begun: begun}),
		oauth.RedirectBack, oauth.UnmetAuthenticationRequirement, oauth.CauseACRUnmet)
	b.is(b.authorize(essential("urn:other:loa4")), oauth.RedirectBack, oauth.UnmetAuthenticationRequirement, oauth.CauseACRUnmet)
	b.session.Session.InWeCom = true
	if b.answer(b.authorize(essential(client))).Get("code") == "" {
		t.Error("no code inside WeCom")
	}
}

func TestWhoMayUseAnApplication(t *testing.T) {
	b := newBench(t)
	for name, test := range map[string]struct {
		allow store.Allow
		want  bool
	}{
		"everybody":              {store.Allow{}, true},
		"a role":                 {store.Allow{Roles: []string{"admin", "editor"}}, true},
		"another role":           {store.Allow{Roles: []string{"admin"}}, false},
		"a role in another case": {store.Allow{Roles: []string{"Editor"}}, false},
		"a department":           {store.Allow{Departments: []int64{1}}, false},
		"a tag":                  {store.Allow{Tags: []int64{1}}, false},
		"a department or a role": {store.Allow{Departments: []int64{1}, Roles: []string{"editor"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			b.change("wiki", func(a *store.Application) { a.Allow = test.allow })
			d := b.authorize(query())
			if (d.Kind == oauth.RedirectBack) != test.want {
				t.Fatalf("kind %d", d.Kind)
			}
			if test.want {
				return
			}
			if d.Kind != oauth.ShowNotAllowed || d.Application.Title != "WIKI" || !strings.Contains(d.URL, "error=access_denied") {
				t.Errorf("kind %d, %s", d.Kind, d.URL)
			}
			b.is(b.authorize(query("prompt", "none")), oauth.RedirectBack, oauth.AccessDenied, oauth.CauseNotAllowed)
			if got := b.causes("wiki")[0]; got != "access_denied not_allowed" {
				t.Errorf("administrators see %s", got)
			}
		})
	}
}

// TestConsentGrows: what the member agreed to before is asked for again only with more.
func TestConsentGrows(t *testing.T) {
	b := newBench(t)
	third := b.register(store.Application{ID: "third", Kind: store.KindWeb, RedirectURIs: []string{redirect}})
	ask := func(scope string, pairs ...string) string {
		return query(append([]string{"client_id", third.ID, "scope", scope}, pairs...)...)
	}
	answer := func(rawQuery string, answer oauth.Answer, proof string) oauth.Decision {
		return b.decide(oauth.AuthorizeInput{RawQuery: rawQuery, Session: b.session, Answer: answer, Proof: proof})
	}
	small, large := ask("openid profile"), ask("openid profile phone offline_access")

	first := b.authorize(small)
	if first.Kind != oauth.AskConsent || !slices.Equal(first.Consent.Scopes, []string{"openid", "profile"}) || first.URL != "" {
		t.Fatalf("%+v", first)
	}
	b.is(answer(small, oauth.Refused, first.Consent.Proof), oauth.RedirectBack, oauth.AccessDenied, oauth.CauseConsentRefused)
	if d := b.authorize(small); d.Kind != oauth.AskConsent {
		t.Error("a refusal was taken for consent")
	}
	if b.answer(answer(small, oauth.Agreed, first.Consent.Proof)).Get("code") == "" || b.answer(b.authorize(small)).Get("code") == "" {
		t.Error("not remembered")
	}
	more := b.authorize(large)
	if more.Kind != oauth.AskConsent || len(more.Consent.Scopes) != 4 {
		t.Fatalf("more scopes: kind %d, %v", more.Kind, more.Consent.Scopes)
	}
	if d := b.authorize(ask("openid", "claims", `{"userinfo":{"phone_number":null}}`)); d.Kind != oauth.AskConsent || !slices.Contains(d.Consent.Scopes, "phone") {
		t.Errorf("a claim by its name needs no consent: kind %d", d.Kind)
	}
	if b.answer(answer(large, oauth.Agreed, more.Consent.Proof)).Get("code") == "" || b.answer(b.authorize(small)).Get("code") == "" {
		t.Error("what was agreed to before is forgotten")
	}
	if d := b.authorize(ask("openid", "prompt", "consent")); d.Kind != oauth.AskConsent {
		t.Error("prompt=consent asks nothing")
	} else if b.answer(answer(ask("openid", "prompt", "consent"), oauth.Agreed, d.Consent.Proof)).Get("code") == "" {
		t.Error("prompt=consent asks for ever")
	}
	if d := b.authorize(query("prompt", "consent")); d.Kind != oauth.RedirectBack {
		t.Error("a first-party application asks")
	}
	b.change(third.ID, func(a *store.Application) { a.Generation = "other" })
	if d := b.authorize(small); d.Kind != oauth.AskConsent {
		t.Error("another application of the same name inherits the consent")
	}
}

// TestForgedConsentAsksAgain: only the page that this member saw for this request counts.
func TestForgedConsentAsksAgain(t *testing.T) {
	b := newBench(t)
	third := b.register(store.Application{ID: "third", Kind: store.KindWeb, RedirectURIs: []string{redirect}})
	rawQuery := query("client_id", third.ID)
	lisi := b.signIn(b.member("+8613800000002", "LiSi"), "other")
	proofOf := func(session *oauth.Session, rawQuery string) string {
		return b.decide(oauth.AuthorizeInput{RawQuery: rawQuery, Session: session}).Consent.Proof
	}
	for name, proof := range map[string]string{
		"none":                "",
		"made up":             strings.Repeat("x", 43),
		"of another request":  proofOf(b.session, query("client_id", third.ID, "scope", "openid")),
		"of another member":   proofOf(lisi, rawQuery),
		"of another stay":     proofOf(b.signIn(b.user, "second browser"), rawQuery),
		"of the logout page":  logoutProof(b, rawQuery),
		"with something more": proofOf(b.session, rawQuery) + "x",
	} {
		for _, answer := range []oauth.Answer{oauth.Agreed, oauth.Refused} {
			d := b.decide(oauth.AuthorizeInput{RawQuery: rawQuery, Session: b.session, Answer: answer, Proof: proof})
			if d.Kind != oauth.AskConsent {
				t.Errorf("%s: kind %d", name, d.Kind)
			}
		}
	}
}

func logoutProof(b *bench, parameters string) string {
	d, err := b.Logout(b.Context(), oauth.LogoutInput{Call: b.call(), Parameters: parameters, Session: b.session})
	b.must(err)
	return d.Proof
}

func TestPromptNoneNeedsConsent(t *testing.T) {
	b := newBench(t)
	third := b.register(store.Application{ID: "third", Kind: store.KindWeb, RedirectURIs: []string{redirect}})
	silent := query("client_id", third.ID, "prompt", "none")
	b.is(b.authorize(silent), oauth.RedirectBack, oauth.ConsentRequired, oauth.CauseConsentMissing)
	loud := query("client_id", third.ID)
	asked := b.authorize(loud)
	b.decide(oauth.AuthorizeInput{RawQuery: loud, Session: b.session, Answer: oauth.Agreed, Proof: asked.Consent.Proof})
	if b.answer(b.authorize(silent)).Get("code") == "" {
		t.Error("agreed, and still refused")
	}
	if got := b.causes("third"); slices.Contains(got, "consent_required consent_missing") {
		t.Error("the everyday questions of prompt=none are recorded")
	}
}

// TestSessionEndedMeanwhile: a sign-out at the same moment leaves no grant behind.
func TestSessionEndedMeanwhile(t *testing.T) {
	b := newBench(t)
	b.code()
	_, err := b.store.EndLineage(t.Context(), "lineage")
	b.must(err)
	if d := b.authorize(query()); d.Kind != oauth.SignIn || !d.SignIn.Ended {
		t.Errorf("%+v", d)
	}
	b.is(b.authorize(query("prompt", "none")), oauth.RedirectBack, oauth.LoginRequired, oauth.CauseSessionEnded)
}

// TestStoreDownGivesNothing: every decision fails closed.
func TestStoreDownGivesNothing(t *testing.T) {
	b := newBench(t)
	third := b.register(store.Application{ID: "third", Kind: store.KindWeb, RedirectURIs: []string{redirect}})
	for call, rawQuery := range map[string]string{"CreateGrant": query(), "Consent": query("client_id", third.ID)} {
		b.store.fail = map[string]error{call: errDown}
		if d, err := b.Authorize(t.Context(), oauth.AuthorizeInput{Call: b.call(), RawQuery: rawQuery, Session: b.session}); !errors.Is(err, errDown) || d.URL != "" {
			t.Errorf("%s down: %v, %s", call, err, d.URL)
		}
	}
	b.store.fail = map[string]error{}
	tokens, code := b.tokens(), b.code()
	for _, call := range []string{"Grant", "GrantState", "RotateGrant"} {
		b.store.fail = map[string]error{call: errDown}
		if got, err := b.exchange(code); !errors.Is(err, errDown) || got.AccessToken != "" {
			t.Errorf("%s down: code gives %v, %v", call, got, err)
		}
	}
	b.store.fail = map[string]error{"RotateGrant": errDown}
	if got, err := b.refresh(tokens.RefreshToken); !errors.Is(err, errDown) || got.AccessToken != "" {
		t.Errorf("refresh: %v, %v", got, err)
	}
	b.store.fail = map[string]error{"GrantState": errDown}
	if _, err := b.userInfo(tokens.AccessToken); !errors.Is(err, errDown) {
		t.Errorf("userinfo: %v", err)
	}
	if got, err := b.Introspect(t.Context(), b.as("wiki", form("token", tokens.AccessToken))); !errors.Is(err, errDown) || got != nil {
		t.Errorf("introspection: %v, %v", got, err)
	}
	b.store.fail = map[string]error{"RevokeGrant": errDown}
	if err := b.Revoke(t.Context(), b.as("wiki", form("token", tokens.RefreshToken))); !errors.Is(err, errDown) {
		t.Errorf("revocation: %v", err)
	}
	// What is for administrators alone stops nobody.
	b.store.fail = map[string]error{"RecordApplicationEvent": errDown, "NoteApplicationUse": errDown}
	if got, err := b.exchange(code); err != nil || got.AccessToken == "" {
		t.Errorf("code after the outage: %v", err)
	}
}

func FuzzAuthorizeRequest(f *testing.F) {
	p := &oauth.Provider{
		Applications: oneApplication{ID: "wiki", Enabled: true, FirstParty: true, Kind: store.KindWeb, RedirectURIs: []string{redirect}},
		Store:        recordsNothing{}, Now: func() time.Time { return start }, LogField: discard,
	}
	for _, seed := range []string{
		query(), query("prompt", "none"), query("max_age", "0"), query("claims", `{"id_token":{"acr":{"essential":true}}}`), query() + "&state=x",
		query("redirect_uri", "https://evil.example"), "client_id=wiki", "%", "&&=", query("scope", ""), query("request", "x"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, rawQuery string) {
		if strings.Contains(strings.ToLower(rawQuery), "hint") {
			t.Skip("there is no verifier")
		}
		d, err := p.Authorize(t.Context(), oauth.AuthorizeInput{Call: oauth.Call{Issuer: issuer}, RawQuery: rawQuery})
		if err != nil {
			t.Fatal(err)
		}
		switch d.Kind {
		case oauth.RedirectBack:
			u, err := url.Parse(d.URL)
			if err != nil || !strings.HasPrefix(d.URL, redirect+"?error=") || u.Query().Get("iss") != issuer || u.Query().Has("code") {
				t.Fatalf("%q redirects to %q", rawQuery, d.URL)
			}
		case oauth.SignIn, oauth.ShowError:
			if d.URL != "" {
				t.Fatalf("%q: URL %q", rawQuery, d.URL)
			}
		default:
			t.Fatalf("%q: kind %d without a session", rawQuery, d.Kind)
		}
	})
}
