package e2e_test

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

const wikiCallback = "https://wiki.example.com/callback"

// wiki is an application that signs people in by OpenID Connect.
type wiki struct {
	secret                    string
	code                      string
	accessToken, refreshToken string
}

func registerWiki(t testing.TB, engine store.Engine) wiki {
	t.Helper()
	secret, record, err := oauth.NewSecret(rand.Reader, time.Now())
	must(t, err)
	now := time.Now().UTC()
	record.LastUsedAt = now // it is noted once an hour
	must(t, engine.CreateApplication(t.Context(), store.Application{
		ID: "wiki", Title: "Wiki", Enabled: true, Kind: store.KindWeb, RedirectURIs: []string{wikiCallback}, FirstParty: true,
		Claims: claims.DefaultRules(), RefreshTokenLifetime: 720 * time.Hour, Secrets: []store.ClientSecret{record},
		Generation: store.NewID(), CreatedAt: now, UpdatedAt: now, LastUsedAt: now, Version: 1,
	}))
	return wiki{secret: secret.Reveal()}
}

// ordersDomain is that of an HTTP API, the application orders.
const ordersDomain = "orders.example.com"

// registerBehind registers software behind a proxy, on the service's own host, where one
// browser has the cookies of both, and an HTTP API.
func registerBehind(t testing.TB, engine store.Engine) {
	t.Helper()
	now := time.Now().UTC()
	for id, homepage := range map[string]string{"behind": "http://localhost:8/behind", "orders": "https://" + ordersDomain + "/"} {
		must(t, engine.CreateApplication(t.Context(), store.Application{
			ID: id, Title: "Behind", Enabled: true, Kind: store.KindProxy, Homepage: homepage, FirstParty: true,
			Claims: claims.DefaultRules(), RefreshTokenLifetime: 720 * time.Hour,
			Generation: store.NewID(), CreatedAt: now, UpdatedAt: now, LastUsedAt: now, Version: 1,
		}))
	}
}

// callbackBehind begins a sign-in to software behind a proxy and returns the path and query
// at which the browser comes back.
func callbackBehind(t testing.TB, b *testbrowser.Browser, id string) string {
	t.Helper()
	begun := b.Expect(t, 302, "GET", "/.wecom-signin/"+id+"/start")
	address, err := url.Parse(b.Expect(t, 303, "GET", begun.Location()).Location())
	must(t, err)
	return address.RequestURI()
}

// askForAPI has the function sessionauthorizer let the browser's member into the API.
func (c *cloud) askForAPI(t testing.TB) {
	t.Helper()
	const name = "__Host-wecom_auth_orders"
	event, err := json.Marshal(events.APIGatewayV2CustomAuthorizerV2Request{
		Cookies:        []string{name + "=" + c.browser.Cookies(name)[name]},
		RequestContext: events.APIGatewayV2HTTPRequestContext{DomainName: ordersDomain},
		StageVariables: map[string]string{"wecomApplication": "orders"},
	})
	must(t, err)
	if answer := c.functions["sessionauthorizer"].Invoke(event); !strings.HasPrefix(string(answer), `{"isAuthorized":true`) {
		t.Fatalf("answered %s", answer)
	}
}

// authorize has the browser bring a code.
func (w *wiki) authorize(t testing.TB, b *testbrowser.Browser) {
	t.Helper()
	query := url.Values{
		"client_id": {"wiki"}, "redirect_uri": {wikiCallback}, "response_type": {"code"}, "scope": {"openid profile phone"}, "state": {"s"},
	}
	address, err := url.Parse(b.Expect(t, 303, "GET", "/oauth2/authorize?"+query.Encode()).Location())
	must(t, err)
	if w.code = address.Query().Get("code"); w.code == "" {
		t.Fatalf("sent to %s", address)
	}
}

// token exchanges the code, or the refresh token.
func (w *wiki) token(t testing.TB, b *testbrowser.Browser, grantType string) {
	t.Helper()
	form := url.Values{
		"client_id": {"wiki"}, "client_secret": {w.secret}, "grant_type": {grantType},
		"code": {w.code}, "redirect_uri": {wikiCallback}, "refresh_token": {w.refreshToken},
	}
	answer := b.Expect(t, 200, "POST", "/oauth2/token", testbrowser.Body("application/x-www-form-urlencoded", form.Encode()))
	var tokens struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	must(t, json.Unmarshal([]byte(answer.Body), &tokens))
	w.accessToken, w.refreshToken = tokens.AccessToken, tokens.RefreshToken
}

// takeMessage is SQS's SendMessage: whom the function notify would tell of a sign-out.
func takeMessage(w http.ResponseWriter, r *http.Request) {
	var sent struct{ MessageBody string }
	_ = json.NewDecoder(r.Body).Decode(&sent)
	sum := md5.Sum([]byte(sent.MessageBody))
	_ = json.NewEncoder(w).Encode(map[string]string{"MessageId": "1", "MD5OfMessageBody": hex.EncodeToString(sum[:])})
}

func (w *wiki) userinfo(t testing.TB, b *testbrowser.Browser) {
	t.Helper()
	b.Expect(t, 200, "GET", "/oauth2/userinfo", testbrowser.Header("Authorization", "Bearer "+w.accessToken))
}
