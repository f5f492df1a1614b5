package oauth_test

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/storetest"
)

func TestCodeGivesTokens(t *testing.T) {
	b := newBench(t)
	b.pass(90 * time.Minute)
	code := b.code()
	b.pass(time.Second)
	b.tokens() // notes the last use
	b.store.reset()
	tokens, err := b.exchange(code)
	b.must(err)
	if diff := cmp.Diff([]string{"Grant", "GrantState", "RotateGrant", "RecordApplicationEvent"}, b.store.calls); diff != "" {
		t.Errorf("remote calls: %s", diff)
	}
	if tokens.TokenType != "Bearer" || tokens.ExpiresIn != 900 || tokens.Scope != "openid profile phone groups" {
		t.Errorf("%+v", tokens)
	}
	now := float64(b.Now().Unix())
	access, id := b.claimsOf(tokens.AccessToken), b.claimsOf(tokens.IDToken)
	for name, want := range map[string]any{
		"iss": issuer, "aud": issuer, "sub": b.user.ID, "client_id": "wiki", "azp": "wiki", "sid": "lineage", "scope": tokens.Scope,
		"iat": now, "exp": now + 900, "auth_time": float64(start.Unix()), "acr": "urn:wecom-signin:scan", "name": "张三", "wecom_userid": "ZhangSan",
	} {
		if diff := cmp.Diff(want, access[name]); diff != "" {
			t.Errorf("access token %s: %s", name, diff)
		}
	}
	for name, want := range map[string]any{
		"iss": issuer, "aud": "wiki", "sub": b.user.ID, "azp": "wiki", "sid": "lineage", "nonce": nonce,
		"iat": now, "exp": now + 600, "auth_time": float64(start.Unix()), "acr": "urn:wecom-signin:scan", "preferred_username": "ZhangSan",
	} {
		if diff := cmp.Diff(want, id[name]); diff != "" {
			t.Errorf("ID token %s: %s", name, diff)
		}
	}
	for _, name := range []string{"at_hash", "amr"} {
		if id[name] == nil {
			t.Errorf("ID token without %s", name)
		}
	}
	if got := b.causes("wiki"); !slices.Equal(got, []string{"ok", "ok"}) {
		t.Errorf("administrators see %v", got)
	}
}

// TestAccessTokenIsNoIDToken and the reverse (RFC 9068 §4).
func TestAccessTokenIsNoIDToken(t *testing.T) {
	b := newBench(t)
	tokens := b.tokens()
	_, err := b.userInfo(tokens.IDToken)
	b.refused(err, oauth.InvalidToken, oauth.CauseTokenMalformed)
	if d := b.decide(oauth.AuthorizeInput{RawQuery: query("id_token_hint", tokens.AccessToken), Session: b.signIn(b.member("+8613800000002", "LiSi"), "x")}); d.Kind != oauth.RedirectBack {
		t.Error("an access token was taken for a hint")
	}
	b.change("wiki", func(a *store.Application) { a.Audience = "https://api.example.com" })
	access := b.claimsOf(b.tokens().AccessToken)
	if diff := cmp.Diff([]any{"https://api.example.com", issuer}, access["aud"]); diff != "" {
		t.Error(diff)
	}
}

func TestAccessTokenEndsWithTheSession(t *testing.T) {
	b := newBench(t)
	b.pass(8*time.Hour - 5*time.Minute)
	tokens := b.tokens()
	offline := b.tokens("scope", "openid offline_access")
	if tokens.ExpiresIn != 300 || offline.ExpiresIn != 900 {
		t.Errorf("%d and %d seconds", tokens.ExpiresIn, offline.ExpiresIn)
	}
	b.pass(5*time.Minute - 300*time.Millisecond)
	_, err := b.refresh(tokens.RefreshToken)
	b.refused(err, oauth.InvalidGrant, oauth.CauseSessionEnded)
}

// TestManyTakeOneCode: at most one gets tokens, and the grant is revoked for the others.
func TestManyTakeOneCode(t *testing.T) {
	onBothEngines(t, func(b *bench) {
		code := b.code()
		var mu sync.Mutex
		var won []oauth.TokenResponse
		errs := storetest.AtOnce(50, func(int) error {
			tokens, err := b.exchange(code)
			if err == nil {
				mu.Lock()
				won = append(won, tokens)
				mu.Unlock()
			}
			return err
		})
		// None, if a second one was revoking before the first had written.
		if len(won) > 1 {
			b.Fatalf("%d got tokens", len(won))
		}
		for _, err := range errs {
			if err != nil && !isCode(err, oauth.InvalidGrant) {
				b.Errorf("got %v", err)
			}
		}
		for _, tokens := range won {
			_, err := b.userInfo(tokens.AccessToken)
			b.refused(err, oauth.InvalidToken, oauth.CauseGrantRevoked)
			_, err = b.refresh(tokens.RefreshToken)
			b.refused(err, oauth.InvalidGrant, oauth.CauseGrantRevoked)
		}
	})
}

// TestCodeUsedTwiceRevokesTheGrant: RFC 6749 §4.1.2, as long as what it gave may live.
func TestCodeUsedTwiceRevokesTheGrant(t *testing.T) {
	for _, later := range []time.Duration{0, 30 * time.Second, time.Hour, 7 * time.Hour} {
		b := newBench(t)
		code := b.code()
		first, err := b.exchange(code)
		b.must(err)
		b.pass(later)
		_, err = b.exchange(code)
		b.refused(err, oauth.InvalidGrant, oauth.CauseCodeUsedTwice)
		_, err = b.refresh(first.RefreshToken)
		b.refused(err, oauth.InvalidGrant, oauth.CauseGrantRevoked)
		if later < 15*time.Minute {
			_, err = b.userInfo(first.AccessToken)
			b.refused(err, oauth.InvalidToken, oauth.CauseGrantRevoked)
		}
	}
}

// TestSlowerTakerRevokesTheGrant: it read the code before the quicker one took it.
func TestSlowerTakerRevokesTheGrant(t *testing.T) {
	b := newBench(t)
	code := b.code()
	var quicker oauth.TokenResponse
	b.store.before["RotateGrant"] = func() {
		var err error
		quicker, err = b.exchange(code)
		b.must(err)
	}
	_, err := b.exchange(code)
	b.refused(err, oauth.InvalidGrant, oauth.CauseCodeUsedTwice)
	_, err = b.userInfo(quicker.AccessToken)
	b.refused(err, oauth.InvalidToken, oauth.CauseGrantRevoked)
}

// TestRevokedWhileRefreshing: between reading the grant and rotating it.
func TestRevokedWhileRefreshing(t *testing.T) {
	b := newBench(t)
	tokens := b.tokens()
	b.store.before["RotateGrant"] = func() { b.must(b.Revoke(t.Context(), b.as("wiki", form("token", tokens.RefreshToken)))) }
	_, err := b.refresh(tokens.RefreshToken)
	b.refused(err, oauth.InvalidGrant, oauth.CauseGrantRevoked)
}

// TestCodeThatDoesNotFitLives: who only sees a code can neither use nor end it.
func TestCodeThatDoesNotFitLives(t *testing.T) {
	b := newBench(t)
	code := b.code()
	var tokens oauth.TokenResponse
	for round := range 2 {
		for _, test := range []struct {
			name     string
			clientID string
			pairs    []string
			cause    oauth.Cause
		}{
			{"another application", "shop", nil, oauth.CauseOtherApplication},
			{"a public application", "tool", nil, oauth.CauseOtherApplication},
			{"another redirect URI", "wiki", []string{"redirect_uri", "https://wiki.example.com/other?tenant=a%20b"}, oauth.CauseRedirectMismatch},
			{"almost the redirect URI", "wiki", []string{"redirect_uri", redirect + "/"}, oauth.CauseRedirectMismatch},
			{"no verifier", "wiki", []string{"code_verifier", ""}, oauth.CausePKCEMissing},
			{"another verifier", "wiki", []string{"code_verifier", strings.Repeat("v", 43)}, oauth.CausePKCEMismatch},
			{"the challenge", "wiki", []string{"code_verifier", challenge(verifier)}, oauth.CausePKCEMismatch},
		} {
			all := append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", verifier}, test.pairs...)
			_, err := b.Token(t.Context(), b.as(test.clientID, form(all...)))
			if !isCode(err, oauth.InvalidGrant) || !strings.Contains(err.Error(), string(test.cause)) {
				t.Errorf("%s: %v", test.name, err)
			}
		}
		if round == 0 {
			var err error
			tokens, err = b.exchange(code)
			b.must(err)
		}
	}
	if _, err := b.userInfo(tokens.AccessToken); err != nil {
		t.Errorf("misuse of a used code ended the grant: %v", err)
	}
	b.refused(b.tokenAs([]string{basic("wiki", "x")}, "code", code), oauth.InvalidClient, oauth.CauseSecretWrong)
	for _, bad := range []string{"", "x", code + "x", code[:42], code[:42] + "=", strings.ToUpper(code), "../" + code[3:]} {
		if _, err := b.exchange(bad); !isCode(err, oauth.InvalidGrant) && bad != "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	_, err := b.exchange("")
	b.refused(err, oauth.InvalidRequest, oauth.CauseMissingParameter)
	_, err = b.exchange(b.code(), "redirect_uri", "")
	b.refused(err, oauth.InvalidRequest, oauth.CauseRedirectMissing)
}

func TestCodeExpires(t *testing.T) {
	b := newBench(t)
	early, late := b.code(), b.code()
	b.pass(oauth.CodeLifetime - time.Millisecond)
	if _, err := b.exchange(early); err != nil {
		t.Error(err)
	}
	b.pass(time.Millisecond)
	_, err := b.exchange(late)
	b.refused(err, oauth.InvalidGrant, oauth.CauseCodeExpired)
	b.pass(24 * time.Hour)
	_, err = b.exchange(late)
	b.refused(err, oauth.InvalidGrant, oauth.CauseCodeUnknown)
}

// TestPKCE: RFC 7636, S256 alone.
func TestPKCE(t *testing.T) {
	b := newBench(t)
	for name, v := range map[string]string{
		"43 characters": strings.Repeat("v", 43), "128 characters": strings.Repeat("V", 128), "all sorts": "-._~" + strings.Repeat("aZ09", 10),
	} {
		if _, err := b.exchange(b.code("code_challenge", challenge(v)), "code_verifier", v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, v := range map[string]string{
		"42 characters": strings.Repeat("v", 42), "129 characters": strings.Repeat("v", 129), "a blank": strings.Repeat("v", 43) + " ",
		"not ASCII": strings.Repeat("é", 43), "a plus": strings.Repeat("+", 43), "padding": strings.Repeat("v", 43) + "=",
	} {
		_, err := b.exchange(b.code("code_challenge", challenge(v)), "code_verifier", v)
		if !isCode(err, oauth.InvalidGrant) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]string{
		"short": challenge(verifier)[:42], "long": challenge(verifier) + "x", "padded": challenge(verifier) + "=", "base64": strings.Repeat("+", 43),
	} {
		d := b.authorize(query("code_challenge", c))
		if b.answer(d).Get("error") != "invalid_request" {
			t.Errorf("%s challenge: %s", name, d.URL)
		}
	}
	// A confidential application may leave it out, as old software does.
	if _, err := b.exchange(b.code("code_challenge", "", "code_challenge_method", ""), "code_verifier", ""); err != nil {
		t.Error(err)
	}
}

// TestPKCEDowngrade: RFC 9700 §4.8.2, and plain in each of its spellings.
func TestPKCEDowngrade(t *testing.T) {
	b := newBench(t)
	for name, pairs := range map[string][]string{
		"plain":                      {"code_challenge", verifier[:43], "code_challenge_method", "plain"},
		"no method, which means it":  {"code_challenge_method", ""},
		"s256":                       {"code_challenge_method", "s256"},
		"S512":                       {"code_challenge_method", "S512"},
		"a method without challenge": {"code_challenge", ""},
	} {
		if d := b.authorize(query(pairs...)); b.answer(d).Get("error") != "invalid_request" {
			t.Errorf("%s: %s", name, d.URL)
		}
	}
	_, err := b.exchange(b.code("code_challenge", "", "code_challenge_method", "")) // and a verifier
	b.refused(err, oauth.InvalidGrant, oauth.CausePKCEMismatch)
	_, err = b.exchange(b.code(), "code_verifier", "")
	b.refused(err, oauth.InvalidGrant, oauth.CausePKCEMissing)
}

// TestPublicNeedsPKCE: RFC 9700 §2.1.1; of confidential ones only with the switch.
func TestPublicNeedsPKCE(t *testing.T) {
	b := newBench(t)
	b.change("shop", func(a *store.Application) { a.RequirePKCE = true })
	for id, uri := range map[string]string{
		"page": "https://page.example.com/", "tool": "http://127.0.0.1:51004/callback", "shop": "https://shop.example.com/callback",
	} {
		d := b.authorize(query("client_id", id, "redirect_uri", uri, "code_challenge", "", "code_challenge_method", ""))
		b.is(d, oauth.RedirectBack, oauth.InvalidRequest, oauth.CausePKCEMissing)
		if d := b.authorize(query("client_id", id, "redirect_uri", uri)); b.answer(d).Get("code") == "" {
			t.Errorf("%s: %s", id, d.URL)
		}
	}
	uri := "http://127.0.0.1:51004/callback"
	code := b.code("client_id", "tool", "redirect_uri", uri)
	if _, err := b.Token(t.Context(), b.as("tool", form("grant_type", "authorization_code", "code", code, "redirect_uri", uri, "code_verifier", verifier))); err != nil {
		t.Errorf("a native application on loopback: %v", err)
	}
}

func TestTokenErrors(t *testing.T) {
	b := newBench(t)
	for _, test := range []struct {
		name, body string
		code       oauth.ErrorCode
		cause      oauth.Cause
	}{
		{"nothing", "", oauth.InvalidRequest, oauth.CauseMissingParameter},
		{"no grant type", "code=x", oauth.InvalidRequest, oauth.CauseMissingParameter},
		{"password", "grant_type=password&username=x&password=y", oauth.UnsupportedGrantType, oauth.CauseGrantType},
		{"client credentials", "grant_type=client_credentials", oauth.UnsupportedGrantType, oauth.CauseGrantType},
		{"device", "grant_type=urn:ietf:params:oauth:grant-type:device_code", oauth.UnsupportedGrantType, oauth.CauseGrantType},
		{"no code", "grant_type=authorization_code", oauth.InvalidRequest, oauth.CauseMissingParameter},
		{"no refresh token", "grant_type=refresh_token", oauth.InvalidRequest, oauth.CauseMissingParameter},
		{"two codes", "grant_type=authorization_code&code=a&code=b", oauth.InvalidRequest, oauth.CauseRepeatedParameter},
		{"two grant types", "grant_type=authorization_code&grant_type=refresh_token", oauth.InvalidRequest, oauth.CauseRepeatedParameter},
		{"not a form", "%zz", oauth.InvalidRequest, oauth.CauseMalformed},
		{"JSON", `{"grant_type":"%"}`, oauth.InvalidRequest, oauth.CauseMalformed},
		{"too long", strings.Repeat("x", 20000), oauth.InvalidRequest, oauth.CauseMalformed},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := b.Token(t.Context(), b.as("wiki", test.body))
			refusal, _ := oauth.RefusalOf(err)
			if refusal == nil || refusal.Code != test.code || refusal.Cause != test.cause || got != (oauth.TokenResponse{}) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestRefreshRotates(t *testing.T) {
	b := newBench(t)
	first := b.tokens()
	b.pass(time.Minute)
	b.store.reset()
	second, err := b.refresh(first.RefreshToken)
	b.must(err)
	if diff := cmp.Diff([]string{"GrantState", "RotateGrant"}, b.store.calls); diff != "" {
		t.Errorf("remote calls: %s", diff)
	}
	if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken || second.Scope != first.Scope {
		t.Errorf("%+v", second)
	}
	before, after := b.claimsOf(first.IDToken), b.claimsOf(second.IDToken)
	for _, same := range []string{"iss", "sub", "aud", "azp", "sid", "auth_time"} {
		if diff := cmp.Diff(before[same], after[same]); diff != "" {
			t.Errorf("ID token %s: %s", same, diff)
		}
	}
	if after["nonce"] != nil {
		t.Error("a refreshed ID token has a nonce")
	}
	for range 5 {
		b.pass(time.Hour)
		second, err = b.refresh(second.RefreshToken)
		b.must(err)
	}
}

// TestManyRefreshOnce: one rotation, and everybody gets the same successor.
func TestManyRefreshOnce(t *testing.T) {
	onBothEngines(t, func(b *bench) {
		first := b.tokens()
		b.pass(time.Minute)
		var mu sync.Mutex
		successors := map[string]int{}
		errs := storetest.AtOnce(50, func(int) error {
			tokens, err := b.refresh(first.RefreshToken)
			mu.Lock()
			successors[tokens.RefreshToken]++
			mu.Unlock()
			return err
		})
		if got := succeeded(errs); got != 50 || len(successors) != 1 {
			b.Fatalf("%d succeeded, %d successors: %v", got, len(successors), errors.Join(errs...))
		}
		for successor := range successors {
			if _, err := b.refresh(successor); err != nil {
				b.Error(err)
			}
		}
	})
}

// TestRetriedRefreshGetsTheSameAnswer: within 30 s, of the last generation alone.
func TestRetriedRefreshGetsTheSameAnswer(t *testing.T) {
	b := newBench(t)
	first := b.tokens()
	b.pass(time.Hour)
	second, err := b.refresh(first.RefreshToken)
	b.must(err)
	b.pass(oauth.RetryWindow)
	b.store.reset()
	again, err := b.refresh(first.RefreshToken)
	b.must(err)
	if again.RefreshToken != second.RefreshToken || slices.Contains(b.store.calls, "RotateGrant") {
		t.Errorf("another answer, by %v", b.store.calls)
	}
	if _, err := b.userInfo(again.AccessToken); err != nil {
		t.Error(err)
	}
	if _, err := b.refresh(again.RefreshToken); err != nil {
		t.Error(err)
	}
}

// TestOldGenerationRevokesTheGrant: RFC 9700 §4.14.2. Generations are counted, not seconds.
func TestOldGenerationRevokesTheGrant(t *testing.T) {
	for name, test := range map[string]struct {
		refreshes int
		later     time.Duration
	}{
		"the last one, a moment too late":    {1, oauth.RetryWindow + time.Millisecond},
		"the one before, in the same second": {2, 0},
		"the first of many":                  {5, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			first := b.tokens("scope", "openid offline_access")
			newest, err := first, error(nil)
			for range test.refreshes {
				newest, err = b.refresh(newest.RefreshToken)
				b.must(err)
			}
			b.pass(test.later)
			_, err = b.refresh(first.RefreshToken)
			b.refused(err, oauth.InvalidGrant, oauth.CauseTokenUsedTwice)
			_, err = b.refresh(newest.RefreshToken)
			b.refused(err, oauth.InvalidGrant, oauth.CauseGrantRevoked)
			_, err = b.userInfo(newest.AccessToken)
			b.refused(err, oauth.InvalidToken, oauth.CauseGrantRevoked)
			if got := b.causes("wiki"); !slices.Contains(got, "invalid_grant refresh_token_used_twice") {
				t.Errorf("administrators see %v", got)
			}
		})
	}
	t.Run("while the member may not use the application", func(t *testing.T) {
		b := newBench(t)
		first := b.tokens()
		second, err := b.refresh(first.RefreshToken)
		b.must(err)
		b.pass(time.Hour)
		b.change("wiki", func(a *store.Application) { a.Allow.Roles = []string{"admin"} })
		_, err = b.refresh(first.RefreshToken)
		b.refused(err, oauth.InvalidGrant, oauth.CauseTokenUsedTwice)
		b.change("wiki", func(a *store.Application) { a.Allow.Roles = nil })
		_, err = b.refresh(second.RefreshToken)
		b.refused(err, oauth.InvalidGrant, oauth.CauseGrantRevoked)
	})
	t.Run("when it cannot be revoked", func(t *testing.T) {
		b := newBench(t)
		first := b.tokens()
		_, err := b.refresh(first.RefreshToken)
		b.must(err)
		b.pass(time.Hour)
		b.store.fail["RevokeGrant"] = errDown
		if _, err := b.refresh(first.RefreshToken); !errors.Is(err, errDown) {
			t.Errorf("got %v", err)
		}
	})
}

// TestRefreshOfAnotherClient: refused, and the owner's grant lives.
func TestRefreshOfAnotherClient(t *testing.T) {
	b := newBench(t)
	tokens := b.tokens()
	for _, id := range []string{"shop", "tool"} {
		_, err := b.Token(t.Context(), b.as(id, form("grant_type", "refresh_token", "refresh_token", tokens.RefreshToken)))
		b.refused(err, oauth.InvalidGrant, oauth.CauseTokenMalformed)
	}
	parts := strings.Split(tokens.RefreshToken, ".")
	with := func(i int, text string) string {
		changed := slices.Clone(parts)
		changed[i] = text
		return strings.Join(changed, ".")
	}
	for name, forged := range map[string]string{
		"nothing": ".", "cut": tokens.RefreshToken[:len(tokens.RefreshToken)-1], "longer": tokens.RefreshToken + "x", "one more part": tokens.RefreshToken + ".x",
		"another generation": with(1, "2"), "generation with a zero": with(1, "01"), "with a sign": with(1, "+1"), "negative": with(1, "-1"), "huge": with(1, "99999999999999999999"),
		"another grant": with(0, strings.Repeat("A", 22)), "another user": with(2, "other"), "another lineage": with(3, "other"), "no secret": with(4, ""),
		"the access token": tokens.AccessToken, "very long": strings.Repeat("x", 5000),
	} {
		_, err := b.refresh(forged)
		if !isCode(err, oauth.InvalidGrant) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := b.refresh(tokens.RefreshToken); err != nil {
		t.Errorf("the owner's: %v", err)
	}
}

// TestScopeNeverGrows: RFC 6749 §6.
func TestScopeNeverGrows(t *testing.T) {
	b := newBench(t)
	tokens := b.tokens("scope", "openid profile")
	for _, scope := range []string{"openid profile phone", "phone", "offline_access", "unknown", strings.Repeat("openid ", 200)} {
		if _, err := b.refresh(tokens.RefreshToken, "scope", scope); !isCode(err, oauth.InvalidScope) {
			t.Errorf("%.20q: %v", scope, err)
		}
	}
	small, err := b.refresh(tokens.RefreshToken, "scope", "openid")
	b.must(err)
	told, err := b.userInfo(small.AccessToken)
	b.must(err)
	if small.Scope != "openid" || told["name"] != nil || b.claimsOf(small.AccessToken)["name"] != nil {
		t.Errorf("scope %s tells %v", small.Scope, told)
	}
	whole, err := b.refresh(small.RefreshToken)
	if b.must(err); whole.Scope != "openid profile" {
		t.Errorf("the refresh token lost scopes: %s", whole.Scope)
	}
	none, err := b.refresh(whole.RefreshToken, "scope", "profile")
	if b.must(err); none.IDToken != "" {
		t.Error("an ID token without openid")
	}
	_, err = b.userInfo(none.AccessToken)
	b.refused(err, oauth.InsufficientScope, oauth.CauseScope)
}

func TestRefreshTokenExpires(t *testing.T) {
	b := newBench(t)
	tokens := b.tokens("scope", "openid offline_access")
	b.pass(720*time.Hour - time.Second)
	tokens, err := b.refresh(tokens.RefreshToken)
	b.must(err)
	b.pass(720 * time.Hour)
	_, err = b.refresh(tokens.RefreshToken)
	b.refused(err, oauth.InvalidGrant, oauth.CauseTokenExpired)
}

// TestEveryEndOfAccessEndsTheGrant: at code, refresh, userinfo and introspection.
func TestEveryEndOfAccessEndsTheGrant(t *testing.T) {
	for name, test := range map[string]struct {
		end     func(*bench)
		cause   oauth.Cause
		offline bool // ends offline grants, too
		client  bool // the application cannot authenticate any more
	}{
		"user disabled":      {func(b *bench) { b.changeUser(func(u *store.User) { u.Enabled = false }) }, oauth.CauseUserEnded, true, false},
		"all sessions ended": {func(b *bench) { b.changeUser(func(u *store.User) { u.SessionGeneration++ }) }, oauth.CauseUserEnded, true, false},
		"enabled again":      {func(b *bench) { b.changeUser(func(u *store.User) { u.Enabled, u.SessionGeneration = true, 9 }) }, oauth.CauseUserEnded, true, false},
		"left the company": {func(b *bench) {
			b.checked(func(i *store.Identity) { i.Generation++; i.GoneAt = b.Now() })
		}, oauth.CauseUserEnded, true, false},
		"kept out by the authenticator's rules": {func(b *bench) {
			b.changeUser(func(u *store.User) {
				*u = u.WithIdentity(u.Identities[0].WithAccess(store.MemberAccess{AuthenticatorID: "auth-id", Refused: true, Generation: 1}))
			})
		}, oauth.CauseUserEnded, true, false},
		"user deleted": {func(b *bench) { b.must(b.store.DeleteUser(b.Context(), b.user)) }, oauth.CauseUserEnded, true, false},
		"signed out":   {func(b *bench) { _, err := b.store.EndLineage(b.Context(), "lineage"); b.must(err) }, oauth.CauseSessionEnded, false, false},
		"role lost":    {func(b *bench) { b.change("wiki", func(a *store.Application) { a.Allow.Roles = []string{"admin"} }) }, oauth.CauseNotAllowed, true, false},
		"another authenticator": {func(b *bench) {
			b.change("wiki", func(a *store.Application) { a.Authenticators = []string{"partner"} })
		}, oauth.CauseAuthenticatorEnded, true, false},
		"authenticator disabled": {func(b *bench) { b.changeAuthenticator(func(a *store.Authenticator) { a.Enabled = false }) }, oauth.CauseAuthenticatorEnded, true, false},
		"authenticator changed":  {func(b *bench) { b.changeAuthenticator(func(a *store.Authenticator) { a.Generation = "other" }) }, oauth.CauseAuthenticatorEnded, true, false},
		"application replaced":   {func(b *bench) { b.change("wiki", func(a *store.Application) { a.Generation = "other" }) }, oauth.CauseApplicationDisabled, true, false},
		"application disabled":   {func(b *bench) { b.change("wiki", func(a *store.Application) { a.Enabled = false }) }, oauth.CauseApplicationDisabled, true, true},
		"not first-party now":    {func(b *bench) { b.change("wiki", func(a *store.Application) { a.FirstParty = false }) }, oauth.CauseConsentMissing, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			code, session, offline := b.code(), b.tokens(), b.tokens("scope", "openid offline_access")
			test.end(b)
			for _, kind := range []struct {
				name   string
				tokens oauth.TokenResponse
				ended  bool
			}{{"session-bound", session, true}, {"offline", offline, test.offline}} {
				_, infoErr := b.userInfo(kind.tokens.AccessToken)
				_, refreshErr := b.refresh(kind.tokens.RefreshToken)
				if !kind.ended {
					if infoErr != nil || refreshErr != nil {
						t.Errorf("%s: %v, %v", kind.name, infoErr, refreshErr)
					}
					continue
				}
				b.refused(infoErr, oauth.InvalidToken, test.cause)
				if test.client {
					b.refused(refreshErr, oauth.InvalidClient, test.cause)
					continue
				}
				b.refused(refreshErr, oauth.InvalidGrant, test.cause)
				for _, token := range []string{kind.tokens.AccessToken, kind.tokens.RefreshToken} {
					told, err := b.Introspect(t.Context(), b.as("wiki", form("token", token)))
					b.must(err)
					if diff := cmp.Diff(map[string]any{"active": false}, told); diff != "" {
						t.Errorf("%s: %s", kind.name, diff)
					}
				}
			}
			if _, err := b.exchange(code); !isCode(err, oauth.InvalidGrant) && !test.client {
				t.Errorf("an unused code: %v", err)
			}
		})
	}
}

// TestRolesByRules: what WeCom's directory says lets members in, and is told; it ends with
// the rule.
func TestRolesByRules(t *testing.T) {
	b := newBench(t)
	b.changeAuthenticator(func(a *store.Authenticator) { a.RoleRules = []store.RoleRule{{Leader: true, Role: "lead"}} })
	b.changeUser(func(u *store.User) {
		u.Identities = []store.Identity{{
			CorpID: "ww1", WeComUserID: "ZhangSan", Departments: []store.Department{{ID: 12, Name: "Sales", Leader: true, Above: []int64{1}, NamesAbove: []string{"Head Office"}}}, Tags: []int64{7},
			Access: []store.MemberAccess{{AuthenticatorID: "auth-id", AuthenticatorName: "corp", Roles: []string{"lead"}}},
		}}
	})
	user, err := b.store.User(t.Context(), b.user.ID)
	b.must(err)
	b.session.User, err = store.WithWeComRoles(t.Context(), b.store, user, "ww1")
	b.must(err)
	b.change("wiki", func(a *store.Application) {
		a.Allow = store.Allow{Roles: []string{"lead"}}
		a.Claims.GroupsFrom, a.Claims.GroupsAs = []string{"roles", "departments"}, "path"
	})
	tokens := b.tokens("scope", "openid groups")
	told, err := b.userInfo(tokens.AccessToken)
	b.must(err)
	id := b.claimsOf(tokens.IDToken)
	for name, want := range map[string]string{
		"roles": "[editor lead]", "groups": "[role:editor role:lead Head Office/Sales]", "departments": "[map[id:12 leader:true name:Sales]]",
	} {
		if fmt.Sprint(id[name]) != want {
			t.Errorf("ID token: %s is %v", name, id[name])
		}
		if name != "departments" && fmt.Sprint(told[name]) != want {
			t.Errorf("userinfo: %s is %v", name, told[name])
		}
	}
	for name, test := range map[string]struct {
		allow store.Allow
		want  bool
	}{
		"the department": {store.Allow{Departments: []int64{12}}, true}, "the one above": {store.Allow{Departments: []int64{1}}, true}, "another": {store.Allow{Departments: []int64{3}}, false},
		"the tag": {store.Allow{Tags: []int64{7, 8}}, true}, "another tag": {store.Allow{Tags: []int64{8}}, false},
	} {
		b.change("wiki", func(a *store.Application) { a.Allow, a.AllowCorpID = test.allow, "ww1" })
		if _, err := b.userInfo(tokens.AccessToken); (err == nil) != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.change("wiki", func(a *store.Application) { a.Allow = store.Allow{Roles: []string{"lead"}} })
	b.changeAuthenticator(func(a *store.Authenticator) { a.RoleRules = nil })
	_, err = b.refresh(tokens.RefreshToken)
	b.refused(err, oauth.InvalidGrant, oauth.CauseNotAllowed)
}

func (b *bench) changeAuthenticator(change func(*store.Authenticator)) {
	b.Helper()
	from, err := b.store.Authenticator(b.Context(), "corp")
	b.must(err)
	to := from
	change(&to)
	to.Version++
	b.must(b.store.UpdateAuthenticator(b.Context(), from, to))
}

// TestDisableWhileRefreshing: who begins after the user was disabled gets nothing.
func TestDisableWhileRefreshing(t *testing.T) {
	onBothEngines(t, func(b *bench) {
		tokens := make([]oauth.TokenResponse, 20)
		for i := range tokens {
			tokens[i] = b.tokens()
		}
		b.pass(time.Minute)
		disabled := make(chan struct{})
		errs := storetest.AtOnce(len(tokens)+1, func(i int) error {
			if i == len(tokens) {
				defer close(disabled)
				b.changeUser(func(u *store.User) { u.Enabled, u.SessionGeneration = false, u.SessionGeneration+1 })
				return nil
			}
			answer, err := b.refresh(tokens[i].RefreshToken)
			if err == nil {
				tokens[i] = answer
			}
			<-disabled
			if _, err := b.refresh(tokens[i].RefreshToken); !isCode(err, oauth.InvalidGrant) {
				b.Errorf("refreshed after it: %v", err)
			}
			if _, err := b.userInfo(tokens[i].AccessToken); !isCode(err, oauth.InvalidToken) {
				b.Errorf("userinfo after it: %v", err)
			}
			return err
		})
		for _, err := range errs {
			if err != nil && !isCode(err, oauth.InvalidGrant) {
				b.Error(err)
			}
		}
	})
}

// TestWithdrawnConsentEndsTheGrant of an application that is not first-party.
func TestWithdrawnConsentEndsTheGrant(t *testing.T) {
	b := newBench(t)
	third := b.register(store.Application{ID: "third", Kind: store.KindWeb, RedirectURIs: []string{redirect}})
	rawQuery := query("client_id", third.ID)
	d := b.decide(oauth.AuthorizeInput{RawQuery: rawQuery, Session: b.session, Answer: oauth.Agreed, Proof: b.authorize(rawQuery).Consent.Proof})
	tokens, err := b.Token(t.Context(), b.as("third", form(
		"grant_type", "authorization_code", "code", b.answer(d).Get("code"), "redirect_uri", redirect, "code_verifier", verifier)))
	b.must(err)
	if _, err := b.userInfo(tokens.AccessToken); err != nil {
		t.Fatal(err)
	}
	b.must(b.store.DeleteConsent(t.Context(), b.user.ID, third.ID))
	_, err = b.userInfo(tokens.AccessToken)
	b.refused(err, oauth.InvalidToken, oauth.CauseConsentMissing)
}

// TestStoredGrantMakesNoToken: who reads the store has neither codes nor refresh tokens.
func TestStoredGrantMakesNoToken(t *testing.T) {
	b := newBench(t)
	code := b.code()
	tokens, err := b.exchange(code)
	b.must(err)
	id, _, _ := strings.Cut(tokens.RefreshToken, ".")
	grant, err := b.store.Grant(t.Context(), id)
	b.must(err)
	secret := tokens.RefreshToken[strings.LastIndex(tokens.RefreshToken, ".")+1:]
	for _, text := range []string{grant.ID, grant.Nonce, grant.CodeChallenge, grant.RedirectURI, grant.Claims} {
		if text != "" && (strings.Contains(text, code) || strings.Contains(text, secret)) {
			t.Errorf("%q gives it away", text)
		}
	}
	if _, err := b.exchange(grant.ID); !isCode(err, oauth.InvalidGrant) {
		t.Errorf("the id as a code: %v", err)
	}
	if len(id) != 22 || filepath.Base(id) != id {
		t.Errorf("id %q", id)
	}
}

// TestSecondSignInKeepsTheGrant: the same member in the same browser goes on with the
// lineage, and what hangs on it lives as long as the newest session.
func TestSecondSignInKeepsTheGrant(t *testing.T) {
	b := newBench(t)
	first := b.tokens()
	b.pass(7 * time.Hour)
	b.session = b.signIn(b.user, "lineage")
	b.tokens()
	b.pass(7 * time.Hour)
	if _, err := b.refresh(first.RefreshToken); err != nil {
		t.Error(err)
	}
	b.pass(time.Hour)
	_, err := b.refresh(first.RefreshToken)
	b.refused(err, oauth.InvalidGrant, oauth.CauseTokenUsedTwice)
}

// TestRefreshTokenSurvivesARotatedKey: once; a key that is gone makes no token.
func TestRefreshTokenSurvivesARotatedKey(t *testing.T) {
	b := newBench(t)
	tokens := b.tokens()
	for _, test := range []struct {
		sealing string
		ok      bool
	}{
		{`{"current":"another key of thirty-two characters","previous":"0123456789abcdef0123456789abcdef"}`, true},
		{`{"current":"a third key of thirty-two characters!","previous":"another key of thirty-two characters"}`, true},
		{`{"current":"a fourth key of thirty-two characters"}`, false},
	} {
		sealing, err := aead.ParseKeys(secret.NewValue(test.sealing))
		b.must(err)
		b.RefreshTokens, err = sealing.Deriver(aead.RefreshToken)
		b.must(err)
		answer, err := b.refresh(tokens.RefreshToken)
		if test.ok != (err == nil) || !test.ok && !isCode(err, oauth.InvalidGrant) {
			t.Fatalf("%s: %v", test.sealing, err)
		}
		tokens = answer
	}
}

func FuzzTokenForm(f *testing.F) {
	value := strings.Repeat("s", 43)
	p := &oauth.Provider{
		Applications: oneApplication{ID: "tool", Enabled: true, Kind: store.KindNative}, Store: noGrants{},
		RefreshTokens: deriver{}, Forms: deriver{}, Now: func() time.Time { return start }, LogField: discard,
	}
	for _, seed := range []string{
		"grant_type=authorization_code&code=" + value + "&redirect_uri=x&client_id=tool", "grant_type=refresh_token&refresh_token=a.1.b.c.d&client_id=tool",
		"client_id=tool&client_secret=x", "client_id=tool&client_id=tool", "client_id=tool&grant_type=&scope=", "%", "a=b;c=d", "client_id=tool&grant_type=refresh_token&scope=openid",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := p.Token(t.Context(), oauth.TokenInput{Call: oauth.Call{Issuer: issuer}, Body: body})
		refusal, ok := oauth.RefusalOf(err)
		if !ok || got != (oauth.TokenResponse{}) {
			t.Fatalf("%q: %v, %v", body, got, err)
		}
		for _, c := range refusal.Description { // RFC 6749 §5.2
			if c < ' ' || c > '~' || c == '"' || c == '\\' {
				t.Fatalf("%q: description %q", body, refusal.Description)
			}
		}
		values, parseErr := url.ParseQuery(body)
		if parseErr == nil && refusal.Code != oauth.InvalidClient && refusal.Code != oauth.InvalidRequest && values.Get("client_id") == "" {
			t.Fatalf("%q: %v without a client", body, err)
		}
	})
}
