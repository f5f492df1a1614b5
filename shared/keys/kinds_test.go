package keys_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/keys"
)

var update = flag.Bool("update", false, "write the golden files anew")

const application = "wiki"

// oauthClaims are those of a token of /oauth2/token.
func oauthClaims() keys.AccessTokenClaims {
	return keys.AccessTokenClaims{
		Issuer: issuer, Audience: keys.Audience{"https://api.example.com", issuer}, Subject: "01user", SessionKey: "lineage",
		ClientID: application, Scope: "openid profile groups", AuthTime: start.Unix() - 60,
		ACR: "urn:wecom-signin:scan", AMR: []string{"wecom", "user"}, GrantID: "grant",
		Member: map[string]any{"name": "张三", "groups": []string{"role:admin"}},
	}
}

func idClaims() keys.IDTokenClaims {
	return keys.IDTokenClaims{
		Issuer: issuer, Subject: "01user", Audience: application, AuthTime: start.Unix() - 60, Nonce: "n-0S6_WzA2Mj",
		SessionID: "lineage", ACR: "urn:wecom-signin:client", AMR: []string{"wecom"},
		Member: map[string]any{"name": "张三", "groups": []string{"role:admin"}},
	}
}

func logoutClaims() keys.LogoutTokenClaims {
	return keys.LogoutTokenClaims{Issuer: issuer, Audience: application, Subject: "01user", SessionID: "lineage"}
}

// tokens has one of each kind, signed at start.
type tokens struct{ session, oauth, id, logout string }

func mintAll(t *testing.T, set keys.Set) tokens {
	t.Helper()
	minter := keys.NewMinter(keys.MinterConfig{Load: keep(set).load, Now: at(start)})
	all := tokens{}
	var err error
	if all.session, _, err = minter.Mint(t.Context(), claims(), start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if all.oauth, _, err = minter.Mint(t.Context(), oauthClaims(), start.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	// The access token of the example in OpenID Connect Core 1.0, appendix A.3.
	if all.id, err = minter.MintIDToken(t.Context(), idClaims(), "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"); err != nil {
		t.Fatal(err)
	}
	if all.logout, err = minter.MintLogoutToken(t.Context(), logoutClaims()); err != nil {
		t.Fatal(err)
	}
	return all
}

// The header and the payload of each kind of token are those of its file. What is random
// or hangs on the test's key reads "…" there.
func TestGoldenTokens(t *testing.T) {
	all := mintAll(t, testSet())
	for name, token := range map[string]string{
		"session-token": all.session, "access-token": all.oauth, "id-token": all.id, "logout-token": all.logout,
	} {
		t.Run(name, func(t *testing.T) {
			header, payload := open(t, token)
			header["kid"] = "…"
			if _, ok := payload["jti"]; ok {
				payload["jti"] = "…"
			}
			var got bytes.Buffer
			encoder := json.NewEncoder(&got)
			encoder.SetIndent("", "  ")
			if err := encoder.Encode([]any{header, payload}); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(path, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if diff := cmp.Diff(string(want), got.String()); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

// Each verifier takes one kind of token and refuses every other, all signed by our key.
func TestAccessTokenIsNoIDToken(t *testing.T) {
	set := testSet()
	verifier := keys.NewVerifier(keys.VerifierConfig{Document: keep(set).document, Now: at(start)})
	session := func(token string) error { _, err := verifier.VerifySession(t.Context(), token, issuer); return err }
	oauth := func(token string) error { _, err := verifier.VerifyOAuth(t.Context(), token, issuer); return err }
	hint := func(token string) error {
		_, _, err := verifier.VerifyIDTokenHint(t.Context(), token, issuer)
		return err
	}
	all := mintAll(t, set)
	for _, test := range []struct {
		name, token          string
		session, oauth, hint bool
	}{
		{"session token", all.session, true, false, false},
		{"OAuth access token", all.oauth, false, true, false},
		{"ID token", all.id, false, false, true},
		{"logout token", all.logout, false, false, false},
	} {
		for _, verify := range []struct {
			by     string
			verify func(string) error
			want   bool
		}{{"VerifySession", session, test.session}, {"VerifyOAuth", oauth, test.oauth}, {"VerifyIDTokenHint", hint, test.hint}} {
			err := verify.verify(test.token)
			if verify.want && err != nil || !verify.want && !errors.Is(err, keys.ErrRefused) {
				t.Errorf("%s by %s: %v", test.name, verify.by, err)
			}
		}
	}
}

// Tokens that a Minter would not sign, with our key: half of an OAuth token is refused by
// both verifiers, and nothing but type and claims of an ID token make a hint.
func TestHalfATokenIsRefused(t *testing.T) {
	set := testSet()
	verifier := keys.NewVerifier(keys.VerifierConfig{Document: keep(set).document, Now: at(start)})
	sign := func(tokenType string, change map[string]any) string {
		payload := map[string]any{
			"iss": issuer, "aud": issuer, "sub": "01user", "iat": start.Unix(), "exp": start.Unix() + 60,
			"sid": "lineage", "client_id": application, "azp": application, "grant_id": "grant",
		}
		if tokenType == "JWT" {
			payload = map[string]any{
				"iss": issuer, "aud": application, "azp": application, "sub": "01user", "iat": start.Unix(), "exp": start.Unix() + 60, "sid": "lineage",
			}
		}
		for name, value := range change {
			payload[name] = value
		}
		return forge{key: privateOf(t, set), alg: jose.RS256, kid: set.Current.ID(), typ: tokenType, payload: payload}.sign(t)
	}
	for name, change := range map[string]map[string]any{
		"without client": {"client_id": nil}, "without party": {"azp": nil}, "without grant": {"grant_id": nil},
		"of another party": {"azp": "other"}, "for an API alone": {"aud": "https://api.example.com"},
		"for the client alone": {"aud": application}, "for nobody": {"aud": nil},
		"of another issuer": {"iss": "https://evil.example"}, "expired": {"exp": start.Unix()},
	} {
		token := sign("at+jwt", change)
		_, oauth := verifier.VerifyOAuth(t.Context(), token, issuer)
		_, session := verifier.VerifySession(t.Context(), token, issuer)
		if !errors.Is(oauth, keys.ErrRefused) || !errors.Is(session, keys.ErrRefused) {
			t.Errorf("OAuth token %s: %v, %v", name, oauth, session)
		}
	}
	for name, change := range map[string]map[string]any{
		"without party": {"azp": nil}, "for another": {"aud": "other"}, "for several": {"aud": []string{application, "other"}},
		"of nobody": {"sub": nil}, "without session": {"sid": nil}, "of another issuer": {"iss": "https://evil.example"},
		"of tomorrow": {"iat": start.Add(24 * time.Hour).Unix()},
	} {
		if _, _, err := verifier.VerifyIDTokenHint(t.Context(), sign("JWT", change), issuer); !errors.Is(err, keys.ErrRefused) {
			t.Errorf("hint %s: %v", name, err)
		}
	}
}

func TestVerifyOAuthReturnsTheClaims(t *testing.T) {
	set := testSet()
	verifier := keys.NewVerifier(keys.VerifierConfig{Document: keep(set).document, Now: at(start)})
	got, err := verifier.VerifyOAuth(t.Context(), mintAll(t, set).oauth, issuer)
	want := oauthClaims()
	want.AuthorizedParty, want.ID = application, got.ID
	want.IssuedAt, want.ExpiresAt = start.Unix(), start.Unix()+900
	want.Member["groups"] = []any{"role:admin"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// A hint may be as old as the key: an application keeps it for the end of its session.
func TestExpiredIDTokenIsAHint(t *testing.T) {
	set := testSet()
	token := mintAll(t, set).id
	for _, test := range []struct {
		after   time.Duration
		expired bool
	}{{0, false}, {keys.IDTokenLifetime - time.Second, false}, {keys.IDTokenLifetime, true}, {30 * 24 * time.Hour, true}} {
		verifier := keys.NewVerifier(keys.VerifierConfig{Document: keep(set).document, Now: at(start.Add(test.after))})
		got, expired, err := verifier.VerifyIDTokenHint(t.Context(), token, issuer)
		if err != nil || expired != test.expired || got.Subject != "01user" || got.Audience != application || got.SessionID != "lineage" {
			t.Errorf("after %v: %v, expired %v, %v", test.after, got, expired, err)
		}
	}
	tampered := strings.Split(token, ".")
	tampered[1] = strings.Split(mintAll(t, set).logout, ".")[1]
	verifier := keys.NewVerifier(keys.VerifierConfig{Document: keep(set).document, Now: at(start)})
	if _, _, err := verifier.VerifyIDTokenHint(t.Context(), strings.Join(tampered, "."), issuer); !errors.Is(err, keys.ErrRefused) {
		t.Errorf("a modified hint: %v", err)
	}
}

// OpenID Connect Back-Channel Logout 1.0 §2.4, line by line.
func TestLogoutToken(t *testing.T) {
	header, payload := open(t, mintAll(t, testSet()).logout)
	if header["typ"] != "logout+jwt" || header["alg"] != "RS256" || header["kid"] == "" {
		t.Errorf("header %v", header)
	}
	for _, name := range []string{"iss", "aud", "iat", "exp", "jti", "events", "sub", "sid"} {
		if payload[name] == nil || payload[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
	if _, ok := payload["nonce"]; ok {
		t.Error("it has a nonce")
	}
	want := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
	if diff := cmp.Diff(want, payload["events"]); diff != "" {
		t.Errorf("events: %s", diff)
	}
	if life := payload["exp"].(float64) - payload["iat"].(float64); life > 120 {
		t.Errorf("it lives for %v seconds", life)
	}
}

func TestMintRefusesWhatIsNoToken(t *testing.T) {
	minter := keys.NewMinter(keys.MinterConfig{Load: keep(testSet()).load, Now: at(start)})
	for name, spoil := range map[string]func(*keys.AccessTokenClaims){
		"no grant":                func(c *keys.AccessTokenClaims) { c.GrantID = "" },
		"no client":               func(c *keys.AccessTokenClaims) { c.ClientID = "" },
		"not for the issuer":      func(c *keys.AccessTokenClaims) { c.Audience = keys.Audience{"https://api.example.com"} },
		"for the client":          func(c *keys.AccessTokenClaims) { c.Audience = keys.Audience{application, issuer} },
		"an empty audience of it": func(c *keys.AccessTokenClaims) { c.Audience = keys.Audience{"", issuer} },
	} {
		c := oauthClaims()
		spoil(&c)
		if token, _, err := minter.Mint(t.Context(), c, start.Add(time.Hour)); err == nil || token != "" {
			t.Errorf("access token, %s: minted", name)
		}
	}
	for name, spoil := range map[string]func(*keys.IDTokenClaims){
		"issuer":   func(c *keys.IDTokenClaims) { c.Issuer = "" },
		"subject":  func(c *keys.IDTokenClaims) { c.Subject = "" },
		"audience": func(c *keys.IDTokenClaims) { c.Audience = "" },
		"session":  func(c *keys.IDTokenClaims) { c.SessionID = "" },
		"time":     func(c *keys.IDTokenClaims) { c.AuthTime = 0 },
	} {
		c := idClaims()
		spoil(&c)
		if token, err := minter.MintIDToken(t.Context(), c, "access token"); err == nil || token != "" {
			t.Errorf("ID token without %s: minted", name)
		}
	}
	for name, spoil := range map[string]func(*keys.LogoutTokenClaims){
		"issuer":   func(c *keys.LogoutTokenClaims) { c.Issuer = "" },
		"subject":  func(c *keys.LogoutTokenClaims) { c.Subject = "" },
		"audience": func(c *keys.LogoutTokenClaims) { c.Audience = "" },
		"session":  func(c *keys.LogoutTokenClaims) { c.SessionID = "" },
	} {
		c := logoutClaims()
		spoil(&c)
		if token, err := minter.MintLogoutToken(t.Context(), c); err == nil || token != "" {
			t.Errorf("logout token without %s: minted", name)
		}
	}
}

// Whatever an administrator calls the groups: no claim about a member says what a token is.
func TestMemberClaimsTakeNoReservedName(t *testing.T) {
	set := testSet()
	minter := keys.NewMinter(keys.MinterConfig{Load: keep(set).load, Now: at(start)})
	c := claims()
	for _, name := range []string{"iss", "sub", "aud", "exp", "client_id", "azp", "grant_id", "nonce", "scope", "SUB", "Client_ID", "events"} {
		c.Member[name] = "attack"
	}
	token, _, err := minter.Mint(t.Context(), c, start.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if _, payload := open(t, token); payload["sub"] != "01user" || payload["client_id"] != nil || payload["nonce"] != nil || payload["SUB"] != nil {
		t.Errorf("payload %v", payload)
	}
	verifier := keys.NewVerifier(keys.VerifierConfig{Document: keep(set).document, Now: at(start)})
	if got, err := verifier.VerifySession(t.Context(), token, issuer); err != nil || got.Member["iss"] != nil || got.Member["name"] != "张三" {
		t.Errorf("%v, %v", got.Member, err)
	}
}

func TestAudienceInJSON(t *testing.T) {
	for text, want := range map[string]keys.Audience{
		`"https://a.example"`:       {"https://a.example"},
		`["https://a.example","b"]`: {"https://a.example", "b"},
	} {
		var got keys.Audience
		if err := json.Unmarshal([]byte(text), &got); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
		if encoded, err := json.Marshal(got); err != nil || string(encoded) != text {
			t.Errorf("%v becomes %s, %v", got, encoded, err)
		}
	}
	for _, text := range []string{`1`, `[1]`, `{}`, `["a",{}]`} {
		var got keys.Audience
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: %v", text, got)
		}
	}
	if a := (keys.Audience{"a", "b"}); a.Only("a") || !a.Has("b") || a.Has("c") || !a[:1].Only("a") || a[:0].Only("") {
		t.Error("Only and Has")
	}
}

// BenchmarkTokenAnswer makes the two signatures of an answer of /oauth2/token.
func BenchmarkTokenAnswer(b *testing.B) {
	minter := keys.NewMinter(keys.MinterConfig{Load: keep(testSet()).load})
	for b.Loop() {
		token, _, err := minter.Mint(b.Context(), oauthClaims(), time.Now().Add(time.Hour))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := minter.MintIDToken(b.Context(), idClaims(), token); err != nil {
			b.Fatal(err)
		}
	}
}
