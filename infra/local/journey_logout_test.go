package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
)

// connected is an application with OpenID Connect, on this machine, that wants to be told
// of sessions that end.
type connected struct {
	f           *fixture
	id, secret  string
	redirectURI string
	told        chan string // logout tokens
}

func (f *fixture) connect(id string) *connected {
	f.t.Helper()
	c := &connected{f: f, id: id, redirectURI: application + "/callback", told: make(chan string, 10)}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c.told <- strings.TrimPrefix(string(body), "logout_token=")
	}))
	f.t.Cleanup(server.Close)
	f.mustAdmin(http.StatusCreated, http.MethodPost, "/applications", map[string]any{
		"id": id, "kind": "web", "redirectUris": []string{c.redirectURI}, "backchannelLogoutUri": server.URL,
	})
	c.secret = testbrowser.Decode[struct{ Secret string }](f.t, f.mustAdmin(http.StatusCreated, http.MethodPost, "/applications/"+id+"/secrets", nil)).Secret
	return c
}

// connectedMember is a member in an application, by the claims of the ID token.
type connectedMember struct {
	idToken, accessToken, refreshToken, sub, sid string
}

// signIn signs the member of a browser with a session in to the application.
func (c *connected) signIn(b *browser) (m connectedMember) {
	c.f.t.Helper()
	const verifier = "a-verifier-of-more-than-forty-three-characters-0"
	challenge := sha256.Sum256([]byte(verifier))
	answer := b.get("/oauth2/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {c.id}, "redirect_uri": {c.redirectURI}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode())
	code := queryOf(answer.Location()).Get("code")
	if code == "" {
		c.f.t.Fatalf("no code: %d %s %.300s", answer.Status, answer.Location(), answer.Body)
	}
	tokens := testbrowser.Decode[struct {
		IDToken      string `json:"id_token"`
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}](c.f.t, testbrowser.New(testbrowser.Config{URL: c.f.url}).Expect(c.f.t, http.StatusOK, http.MethodPost, "/oauth2/token",
		testbrowser.Body("application/x-www-form-urlencoded", url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.redirectURI}, "code_verifier": {verifier},
			"client_id": {c.id}, "client_secret": {c.secret},
		}.Encode())))
	claims := claimsOf(c.f.t, tokens.IDToken)
	m.idToken, m.accessToken, m.refreshToken = tokens.IDToken, tokens.AccessToken, tokens.RefreshToken
	m.sub, _ = claims["sub"].(string)
	m.sid, _ = claims["sid"].(string)
	return m
}

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a token: %q", token)
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// wantTold waits for the one logout token, which is for this member's session.
func (c *connected) wantTold(t *testing.T, m connectedMember) {
	t.Helper()
	select {
	case token := <-c.told:
		claims := claimsOf(t, token)
		if claims["aud"] != c.id || claims["iss"] != c.f.url || claims["sub"] != m.sub || claims["sid"] != m.sid || m.sid == "" {
			t.Errorf("claims %v for %+v", claims, m)
		}
	case <-time.After(20 * time.Second):
		t.Error("not told")
	}
}

// wantNotTold fails for a token that has come, or comes at once.
func (c *connected) wantNotTold(t *testing.T) {
	t.Helper()
	select {
	case token := <-c.told:
		t.Errorf("told of %v", claimsOf(t, token))
	case <-time.After(100 * time.Millisecond):
	}
}

// Every end of a session is told to the applications of that session, once each, and to
// nobody else; and what the application was given ends with it.
func TestEveryEndOfASessionNotifies(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, f *fixture, b *browser, m connectedMember){
		"sign-out": func(_ *testing.T, _ *fixture, b *browser, _ connectedMember) { b.post("/api/signout") },
		"ended by the member elsewhere": func(t *testing.T, f *fixture, b *browser, _ connectedMember) {
			elsewhere := f.signedIn(b.Member.UserID)
			elsewhere.act(t, "end-others")
			elsewhere.wantMember(b.Member.UserID, "the session that ended the other")
		},
		"ended by the member everywhere": func(t *testing.T, f *fixture, b *browser, _ connectedMember) {
			elsewhere := f.signedIn(b.Member.UserID)
			elsewhere.act(t, "end-everywhere")
			elsewhere.wantMember("", "the session that ended all")
		},
		"sign-out by an application": func(t *testing.T, _ *fixture, b *browser, m connectedMember) {
			b.Expect(t, http.StatusOK, http.MethodGet, "/oauth2/logout?id_token_hint="+m.idToken)
		},
		"another member signs in": func(_ *testing.T, _ *fixture, b *browser, _ connectedMember) {
			b.Member.UserID = "lisi"
			b.signIn("/authorize/main")
		},
		"disabled": func(_ *testing.T, f *fixture, _ *browser, m connectedMember) {
			f.mustAdmin(http.StatusOK, http.MethodPatch, "/users/"+m.sub, map[string]any{"enabled": false})
		},
		"deleted": func(_ *testing.T, f *fixture, _ *browser, m connectedMember) {
			f.mustAdmin(http.StatusNoContent, http.MethodDelete, "/users/"+m.sub, nil)
		},
		"sessions ended by an administrator": func(_ *testing.T, f *fixture, _ *browser, m connectedMember) {
			f.mustAdmin(http.StatusNoContent, http.MethodDelete, "/users/"+m.sub+"/sessions", nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			wiki, mail, other := f.connect("wiki"), f.connect("mail"), f.connect("other")
			b, colleague := f.signedIn("zhangsan"), f.signedIn("WangWu")
			inWiki, inMail := wiki.signIn(b), mail.signIn(b)
			other.signIn(colleague)
			userinfo := func(status int) {
				t.Helper()
				testbrowser.New(testbrowser.Config{URL: f.url}).Expect(t, status, http.MethodGet, "/oauth2/userinfo", testbrowser.Bearer(inWiki.accessToken))
			}
			// Signing in once more in the same browser ends nothing.
			b.signIn("/authorize/main")
			userinfo(http.StatusOK)
			wiki.wantNotTold(t)
			end(t, f, b, inWiki)
			wiki.wantTold(t, inWiki)
			mail.wantTold(t, inMail)
			other.wantNotTold(t)
			userinfo(http.StatusUnauthorized)
			f.service.logouts.handling.Wait()
			for _, c := range []*connected{wiki, mail} {
				if a := f.mustAdmin(http.StatusOK, http.MethodGet, "/applications/"+c.id+"/attempts", nil); !strings.Contains(a.Body, `"backchannel_logout"`) {
					t.Errorf("attempts: %s", a.Body)
				}
			}
			wiki.wantNotTold(t)
		})
	}
}

// Attack: whose session a check ends signs in again by another authenticator in the same
// browser, at once, so that the session is gone when the applications to tell are looked for.
func TestAttackSignInAgainBeforeApplicationsAreTold(t *testing.T) {
	t.Parallel()
	f := newFixture(t, weComWhere(withSecondApp))
	f.addSecondApp("finance", "/")
	wiki := f.connect("wiki")
	b := f.signedIn("zhangsan")
	b.signIn("/authorize/finance")
	inWiki := wiki.signIn(b)
	f.mustAdmin(http.StatusOK, http.MethodPatch, "/authenticators/finance", map[string]any{"allow": map[string]any{"roles": []string{"finance"}}})
	b.open("/authorize/finance")
	b.wantMember("", "the session that the check has ended")
	b.signIn("/authorize/main")
	b.wantMember("zhangsan", "the session by the other authenticator")
	wiki.wantTold(t, inWiki)
}

// An application that does not answer is tried three times, and holds up nobody.
func TestApplicationThatIsDownHoldsUpNobody(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.service.logouts.pause = time.Millisecond
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	wiki, mail := f.connect("wiki"), f.connect("mail")
	f.mustAdmin(http.StatusOK, http.MethodPatch, "/applications/mail", map[string]any{"backchannelLogoutUri": down.URL})
	b := f.signedIn("zhangsan")
	inWiki := wiki.signIn(b)
	mail.signIn(b)
	b.post("/api/signout")
	if b.session() != nil {
		t.Error("still signed in")
	}
	wiki.wantTold(t, inWiki)
	f.service.logouts.handling.Wait()
	a := f.mustAdmin(http.StatusOK, http.MethodGet, "/applications/mail/attempts", nil)
	if n := strings.Count(a.Body, `"backchannel_unreachable"`); n != 3 {
		t.Errorf("%d attempts: %s", n, a.Body)
	}
	if !strings.Contains(f.log.String(), "an application was not told that a session has ended") {
		t.Error("nobody is told that it was given up")
	}
}
