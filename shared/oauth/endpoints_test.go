package oauth_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// TestAccessTokenOf: header and form body, not the query (RFC 6750 §2).
func TestAccessTokenOf(t *testing.T) {
	for _, test := range []struct {
		name   string
		header []string
		body   string
		want   string
		code   oauth.ErrorCode
	}{
		{"nothing", nil, "", "", ""},
		{"header", []string{"Bearer a.b.c"}, "", "a.b.c", ""},
		{"scheme in lower case", []string{"bearer a.b.c"}, "", "a.b.c", ""},
		{"body", nil, "access_token=a.b.c&x=y", "a.b.c", ""},
		{"Basic and body", []string{"Basic x"}, "access_token=a.b.c", "a.b.c", ""},
		{"Basic", []string{"Basic x"}, "", "", ""},
		{"both", []string{"Bearer a.b.c"}, "access_token=a.b.c", "", oauth.InvalidRequest},
		{"two headers", []string{"Bearer a", "Bearer b"}, "", "", oauth.InvalidRequest},
		{"twice in the body", nil, "access_token=a&access_token=b", "", oauth.InvalidRequest},
		{"a header without a token", []string{"Bearer "}, "", "", oauth.InvalidRequest},
		{"not a form", nil, "%", "", oauth.InvalidRequest},
	} {
		got, err := oauth.AccessTokenOf(test.header, test.body)
		if got != test.want || (err != nil || test.code != "") && !isCode(err, test.code) {
			t.Errorf("%s: %q, %v", test.name, got, err)
		}
	}
}

func TestUserInfo(t *testing.T) {
	b := newBench(t)
	tokens := b.tokens("scope", "openid profile", "claims", `{"userinfo":{"phone_number":{"essential":true},"unknown":null}}`)
	b.store.reset()
	told, err := b.userInfo(tokens.AccessToken)
	b.must(err)
	if diff := cmp.Diff([]string{"GrantState"}, b.store.calls); diff != "" {
		t.Errorf("remote calls: %s", diff)
	}
	want := map[string]any{"sub": b.user.ID, "name": "张三", "preferred_username": "ZhangSan", "corp_id": "ww1", "wecom_userid": "ZhangSan", "phone_number": "+8613800000001"}
	for name, value := range want {
		if diff := cmp.Diff(value, told[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if told["email"] != nil || told["groups"] != nil || told["unknown"] != nil || told["iss"] != nil {
		t.Errorf("told %v", told)
	}
	if b.claimsOf(tokens.IDToken)["phone_number"] != nil {
		t.Error("asked for in userinfo, and in the ID token")
	}
	b.pass(15 * time.Minute)
	_, err = b.userInfo(tokens.AccessToken)
	b.refused(err, oauth.InvalidToken, oauth.CauseTokenMalformed)
}

// TestUserInfoTakesOnlyItsOwnTokens: a token of /api/token has no grant.
func TestUserInfoTakesOnlyItsOwnTokens(t *testing.T) {
	b := newBench(t)
	sessionToken, _, err := b.Signer.Mint(t.Context(), keys.AccessTokenClaims{
		Issuer: issuer, Audience: keys.Audience{issuer}, Subject: b.user.ID, SessionKey: "lineage",
	}, b.Now().Add(time.Hour))
	b.must(err)
	foreign, _, err := b.Signer.Mint(t.Context(), keys.AccessTokenClaims{
		Issuer: issuer, Audience: keys.Audience{issuer}, Subject: b.user.ID, SessionKey: "lineage", ClientID: "wiki", GrantID: strings.Repeat("A", 22), Scope: "openid",
	}, b.Now().Add(time.Hour))
	b.must(err)
	tokens := b.tokens()
	for name, token := range map[string]string{
		"nothing": "", "of /api/token": sessionToken, "ID token": tokens.IDToken, "refresh token": tokens.RefreshToken, "of a grant that is gone": foreign,
		"cut": tokens.AccessToken[:len(tokens.AccessToken)-2],
	} {
		if _, err := b.userInfo(token); !isCode(err, oauth.InvalidToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.UserInfo(t.Context(), oauth.Call{Issuer: "https://other.example.com"}, tokens.AccessToken); !isCode(err, oauth.InvalidToken) {
		t.Errorf("another issuer: %v", err)
	}
	told, err := b.Introspect(t.Context(), b.as("wiki", form("token", sessionToken)))
	b.must(err)
	if diff := cmp.Diff(map[string]any{"active": false}, told); diff != "" {
		t.Error(diff)
	}
}

// TestRevokeIsSilentAndBound: RFC 7009; unknown and foreign tokens are 200, and nothing
// happens.
func TestRevokeIsSilentAndBound(t *testing.T) {
	for name, test := range map[string]struct {
		token  func(oauth.TokenResponse) string
		by     string
		hint   string
		revoke bool
	}{
		"refresh token":             {func(r oauth.TokenResponse) string { return r.RefreshToken }, "wiki", "", true},
		"refresh token, wrong hint": {func(r oauth.TokenResponse) string { return r.RefreshToken }, "wiki", "access_token", true},
		"access token":              {func(r oauth.TokenResponse) string { return r.AccessToken }, "wiki", "unknown_hint", true},
		"of another":                {func(r oauth.TokenResponse) string { return r.RefreshToken }, "shop", "", false},
		"of another, access token":  {func(r oauth.TokenResponse) string { return r.AccessToken }, "shop", "", false},
		"by a public one":           {func(r oauth.TokenResponse) string { return r.RefreshToken }, "tool", "", false},
		"ID token":                  {func(r oauth.TokenResponse) string { return r.IDToken }, "wiki", "", false},
		"unknown":                   {func(oauth.TokenResponse) string { return "unknown" }, "wiki", "", false},
		"forged":                    {func(r oauth.TokenResponse) string { return r.RefreshToken[:60] + strings.Repeat("x", 43) }, "wiki", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			tokens := b.tokens()
			b.store.reset()
			b.must(b.Revoke(t.Context(), b.as(test.by, form("token", test.token(tokens), "token_type_hint", test.hint))))
			if got := slices.Contains(b.store.calls, "RevokeGrant"); got != test.revoke || len(b.store.calls) > 1 {
				t.Errorf("remote calls: %v", b.store.calls)
			}
			_, err := b.userInfo(tokens.AccessToken)
			if _, refreshErr := b.refresh(tokens.RefreshToken); (err != nil) != test.revoke || (refreshErr != nil) != test.revoke {
				t.Errorf("userinfo: %v, refresh: %v", err, refreshErr)
			}
		})
	}
	b := newBench(t)
	tokens := b.tokens()
	old := tokens.RefreshToken
	tokens, err := b.refresh(old)
	b.must(err)
	b.must(b.Revoke(t.Context(), b.as("wiki", form("token", old))))
	_, err = b.refresh(tokens.RefreshToken)
	b.refused(err, oauth.InvalidGrant, oauth.CauseGrantRevoked)
	in := b.as("wiki", form("token", old))
	in.Authorization = []string{basic("wiki", "wrong")}
	b.refused(b.Revoke(t.Context(), in), oauth.InvalidClient, oauth.CauseSecretWrong)
	b.refused(b.Revoke(t.Context(), b.as("wiki", "")), oauth.InvalidRequest, oauth.CauseMissingParameter)
	b.refused(b.Revoke(t.Context(), b.as("wiki", "token=a&token=b")), oauth.InvalidRequest, oauth.CauseRepeatedParameter)
}

// TestIntrospectTellsNothingOfOthers: RFC 7662.
func TestIntrospectTellsNothingOfOthers(t *testing.T) {
	b := newBench(t)
	tokens := b.tokens("scope", "openid profile")
	inactive := map[string]any{"active": false}
	for name, test := range map[string]struct{ by, token string }{
		"access token of another": {"shop", tokens.AccessToken}, "refresh token of another": {"shop", tokens.RefreshToken},
		"ID token": {"wiki", tokens.IDToken}, "unknown": {"wiki", "x"}, "ID token of another": {"shop", tokens.IDToken},
	} {
		told, err := b.Introspect(t.Context(), b.as(test.by, form("token", test.token)))
		b.must(err)
		if diff := cmp.Diff(inactive, told); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, public := range []string{"page", "tool"} {
		_, err := b.Introspect(t.Context(), b.as(public, form("token", tokens.AccessToken)))
		b.refused(err, oauth.InvalidClient, oauth.CauseSecretMissing)
	}
	told, err := b.Introspect(t.Context(), b.as("wiki", form("token", tokens.AccessToken)))
	b.must(err)
	for name, want := range map[string]any{
		"active": true, "token_type": "Bearer", "client_id": "wiki", "sub": b.user.ID, "iss": issuer, "scope": "openid profile", "name": "张三",
		"exp": start.Add(15 * time.Minute).Unix(), "iat": start.Unix(), "sid": "lineage",
	} {
		if diff := cmp.Diff(want, told[name]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if told["phone_number"] != nil {
		t.Error("more than the scope gives")
	}
	told, err = b.Introspect(t.Context(), b.as("wiki", form("token", tokens.RefreshToken)))
	b.must(err)
	if told["active"] != true || told["token_type"] != "refresh_token" || told["scope"] != "openid profile" {
		t.Errorf("%v", told)
	}
	next, err := b.refresh(tokens.RefreshToken)
	b.must(err)
	for token, active := range map[string]bool{tokens.RefreshToken: false, next.RefreshToken: true, tokens.AccessToken: true} {
		told, err := b.Introspect(t.Context(), b.as("wiki", form("token", token)))
		b.must(err)
		if told["active"] != active {
			t.Errorf("%.30s: %v", token, told)
		}
	}
	if _, err := b.refresh(next.RefreshToken); err != nil {
		t.Errorf("introspection used the token: %v", err)
	}
}

func (b *bench) logout(session *oauth.Session, proof string, pairs ...string) oauth.LogoutDecision {
	b.Helper()
	d, err := b.Logout(b.Context(), oauth.LogoutInput{Call: b.call(), Parameters: form(pairs...), Session: session, Proof: proof})
	b.must(err)
	return d
}

// TestLogout: OpenID Connect RP-Initiated Logout.
func TestLogout(t *testing.T) {
	b := newBench(t)
	hint := b.tokens().IDToken
	bye := "https://wiki.example.com/bye"
	other := b.signIn(b.member("+8613800000002", "LiSi"), "other")
	later := b.signIn(b.user, "second browser")
	b.change("shop", func(a *store.Application) { a.Enabled = false })
	back := bye + "?state=" + url.QueryEscape(state)
	for _, test := range []struct {
		name    string
		session *oauth.Session
		pairs   []string
		kind    oauth.LogoutKind
		url     string
		refused bool
	}{
		{"hint, address, state", b.session, []string{"id_token_hint", hint, "post_logout_redirect_uri", bye, "state", state}, oauth.EndSession, back, false},
		{"hint and address", b.session, []string{"id_token_hint", hint, "post_logout_redirect_uri", bye}, oauth.EndSession, bye, false},
		{"hint, client and address", b.session, []string{"id_token_hint", hint, "client_id", "wiki", "post_logout_redirect_uri", bye}, oauth.EndSession, bye, false},
		{"hint alone", b.session, []string{"id_token_hint", hint}, oauth.EndSession, "", false},
		{"hint and state", b.session, []string{"id_token_hint", hint, "state", state}, oauth.EndSession, "", false},
		{"without a session", nil, []string{"id_token_hint", hint, "post_logout_redirect_uri", bye, "state", state}, oauth.SignedOut, back, false},
		{"without anything", nil, nil, oauth.SignedOut, "", false},
		{"no parameters", b.session, nil, oauth.AskLogout, "", false},
		{"only state", b.session, []string{"state", state}, oauth.AskLogout, "", false},
		{"client and address", b.session, []string{"client_id", "wiki", "post_logout_redirect_uri", bye}, oauth.AskLogout, bye, false},
		{"address alone", b.session, []string{"post_logout_redirect_uri", bye}, oauth.AskLogout, "", true},
		{"address alone, no session", nil, []string{"post_logout_redirect_uri", bye}, oauth.SignedOut, "", true},
		{"unregistered address", b.session, []string{"id_token_hint", hint, "post_logout_redirect_uri", "https://evil.example"}, oauth.EndSession, "", true},
		{"a query added", b.session, []string{"id_token_hint", hint, "post_logout_redirect_uri", bye + "?x=1"}, oauth.EndSession, "", true},
		{"a sign-in address", b.session, []string{"id_token_hint", hint, "post_logout_redirect_uri", redirect}, oauth.EndSession, "", true},
		{"modified hint", b.session, []string{"id_token_hint", hint[:len(hint)-3] + "AAA", "post_logout_redirect_uri", bye}, oauth.AskLogout, "", true},
		{"not a hint", b.session, []string{"id_token_hint", "x", "client_id", "wiki", "post_logout_redirect_uri", bye}, oauth.AskLogout, bye, false},
		{"hint of another member", other, []string{"id_token_hint", hint, "post_logout_redirect_uri", bye}, oauth.AskLogout, bye, false},
		{"hint of another member, same stay", b.signIn(other.User, "lineage"), []string{"id_token_hint", hint}, oauth.AskLogout, "", false},
		{"hint of another browser", later, []string{"id_token_hint", hint}, oauth.AskLogout, "", false},
		{"hint of another client", b.session, []string{"id_token_hint", hint, "client_id", "page", "post_logout_redirect_uri", bye}, oauth.ShowLogoutError, "", true},
		{"unknown client", b.session, []string{"client_id", "nobody", "post_logout_redirect_uri", bye}, oauth.AskLogout, "", true},
		{"disabled client", b.session, []string{"client_id", "shop", "post_logout_redirect_uri", "https://shop.example.com/bye"}, oauth.AskLogout, "", true},
		{"a long state", b.session, []string{"id_token_hint", hint, "post_logout_redirect_uri", bye, "state", strings.Repeat("s", 1025)}, oauth.EndSession, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := b.logout(test.session, "", test.pairs...)
			if d.Kind != test.kind || d.URL != test.url || (d.Refusal != nil) != test.refused || (d.Proof != "") != (test.kind == oauth.AskLogout) {
				t.Errorf("got %+v", d)
			}
		})
	}
	repeated, err := b.Logout(t.Context(), oauth.LogoutInput{Call: b.call(), Session: b.session, Parameters: "client_id=wiki&client_id=page"})
	if b.must(err); repeated.Kind != oauth.ShowLogoutError {
		t.Errorf("repeated: %+v", repeated)
	}
	b.pass(20 * time.Minute)
	if d := b.logout(b.session, "", "id_token_hint", hint); d.Kind != oauth.EndSession {
		t.Errorf("expired hint: %+v", d)
	}
}

// TestLogoutByAStrangersLinkAsks: and only the page's own answer counts.
func TestLogoutByAStrangersLinkAsks(t *testing.T) {
	b := newBench(t)
	asked := b.logout(b.session, "", "client_id", "wiki")
	if asked.Kind != oauth.AskLogout || asked.Proof == "" {
		t.Fatalf("%+v", asked)
	}
	if d := b.logout(b.session, asked.Proof, "client_id", "wiki"); d.Kind != oauth.EndSession {
		t.Errorf("the page's answer: %+v", d)
	}
	other := b.signIn(b.member("+8613800000002", "LiSi"), "other")
	for name, d := range map[string]oauth.LogoutDecision{
		"made up":            b.logout(b.session, strings.Repeat("x", 43), "client_id", "wiki"),
		"of another session": b.logout(other, asked.Proof, "client_id", "wiki"),
		"of another request": b.logout(b.session, asked.Proof, "client_id", "page"),
	} {
		if d.Kind != oauth.AskLogout {
			t.Errorf("%s: %+v", name, d)
		}
	}
}
