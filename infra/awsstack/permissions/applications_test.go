package permissions_test

import (
	"crypto/rand"
	"encoding/base64"
	"html"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
)

const (
	wikiCallback = application + "/wiki/callback"
	formType     = "application/x-www-form-urlencoded"
)

// applicationSignsIn does everything that an application and its members can do.
func (w *world) applicationSignsIn() {
	w.t.Helper()
	engine, err := dynamo.New(dynamo.Config{
		Client: dynamodb.NewFromConfig(w.SDK()), DirectoryTable: w.Outputs(w.t)["DirectoryTable"], TransientTable: w.Resources(w.t)["TransientTable"],
	})
	if err != nil {
		w.t.Fatal(err)
	}
	now := time.Now()
	secret, record, err := oauth.NewSecret(rand.Reader, now)
	if err != nil {
		w.t.Fatal(err)
	}
	w.known.Add("client secret", secret.Reveal())
	if err := engine.CreateApplication(w.t.Context(), store.Application{
		ID: "wiki", Title: "Wiki", Enabled: true, Kind: store.KindWeb, Homepage: application + "/wiki", RedirectURIs: []string{wikiCallback},
		Claims: claims.DefaultRules(), RefreshTokenLifetime: 720 * time.Hour, Secrets: []store.ClientSecret{record},
		Generation: store.NewID(), CreatedAt: now, UpdatedAt: now, Version: 1,
	}); err != nil {
		w.t.Fatal(err)
	}
	basic := testbrowser.Header("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("wiki:"+secret.Reveal())))
	authorize := "/oauth2/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {"wiki"}, "redirect_uri": {wikiCallback}, "scope": {"openid profile"}, "state": {"s"},
	}.Encode()
	member := w.visitor("sunqi", wecomsim.UserAgentWeComAndroid)
	post := func(path string, values url.Values) testbrowser.Answer {
		return member.Expect(w.t, 200, "POST", path, basic, testbrowser.Body(formType, values.Encode()))
	}
	exchange := func(location string) (access, id, refresh string) {
		at, err := url.Parse(location)
		if err != nil || !strings.HasPrefix(location, wikiCallback+"?code=") {
			w.t.Fatalf("sent to %s (%v)", location, err)
		}
		got := testbrowser.Decode[map[string]any](w.t, post("/oauth2/token", url.Values{
			"grant_type": {"authorization_code"}, "code": {at.Query().Get("code")}, "redirect_uri": {wikiCallback},
		}))
		access, _ = got["access_token"].(string)
		id, _ = got["id_token"].(string)
		refresh, _ = got["refresh_token"].(string)
		return access, id, refresh
	}

	// Through WeCom and the consent page to the application, which uses what it gets.
	page := member.Open(w.t, authorize)
	if !strings.Contains(page.Page.Body, "/oauth2/consent") {
		w.t.Fatalf("%s ended at %s %s: %.500s", authorize, page.Address, page.WeComPage, page.Page.Body)
	}
	fields := url.Values{"answer": {"agree"}}
	for _, match := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(page.Page.Body, -1) {
		fields.Set(match[1], html.UnescapeString(match[2]))
	}
	access, id, refresh := exchange(member.Expect(w.t, 303, "POST", "/oauth2/consent", testbrowser.Body(formType, fields.Encode())).Location())
	w.gatewayJudges(access, id)
	post("/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
	member.Expect(w.t, 200, "GET", "/oauth2/userinfo", testbrowser.Bearer(access), testbrowser.Header("Origin", application))
	post("/oauth2/introspect", url.Values{"token": {access}})
	post("/oauth2/revoke", url.Values{"token": {access}})
	member.send(401, "GET", "/oauth2/userinfo", access, nil)
	member.send(200, "GET", "/signin?application=wiki&continue=ABCDEFGHIJKLMNOPQRSTUVWXYZ", "", nil)
	// A cookie from before it had the user's id.
	older := &visitor{member.Clone(), w}
	for name, value := range older.Cookies("__Host-wecom_session") {
		sessionID, _, _ := strings.Cut(value, ".")
		older.SetCookie(name, sessionID)
	}
	older.send(303, "GET", authorize, "", nil)
	member.Expect(w.t, 200, "GET", "/oauth2/logout?"+url.Values{"id_token_hint": {id}}.Encode())

	w.proxyAsks(engine)

	// Another member signs in where this one has left the application open, and signs out.
	member.signIn(authorize, wikiCallback)
	member.Member = wecomsim.Browser{UserID: "zhangsan"}
	member.signIn("/authorize/main", application+"/")
	member.send(204, "POST", "/api/signout", "", nil)
	// A consent that is left when the user is deleted.
	owner, err := engine.OwnerOfIdentity(w.t.Context(), corpID, "sunqi")
	if err == nil {
		err = engine.PutConsent(w.t.Context(), store.Consent{UserID: owner.UserID, ApplicationID: "board", At: now})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.memberUsesTheOwnPage()
}

// memberUsesTheOwnPage sees it and uses each of its forms.
func (w *world) memberUsesTheOwnPage() {
	w.t.Helper()
	member, elsewhere := w.visitor("sunqi", wecomsim.UserAgentWeComAndroid), w.visitor("sunqi", wecomsim.UserAgentWeComAndroid)
	elsewhere.signIn("/authorize/main", application+"/")
	member.signIn("/authorize/main", application+"/")
	body := member.Expect(w.t, 200, "GET", "/signin").Body
	session := regexp.MustCompile(`name="session" value="([^"]*)"`).FindStringSubmatch(body)
	if session == nil || !strings.Contains(body, `name="application" value="wiki"`) || !strings.Contains(body, `value="end-others"`) {
		w.t.Fatalf("not the page of a member with a consent and two sessions: %s", body)
	}
	for _, form := range []url.Values{
		{"action": {"withdraw"}, "application": {"wiki"}}, {"action": {"end-others"}}, {"action": {"end-everywhere"}},
	} {
		form.Set("session", session[1])
		location := member.Expect(w.t, 303, "POST", "/signin", testbrowser.Header("Origin", w.url), testbrowser.Body(formType, form.Encode())).Location()
		if location != w.url+"/signin" {
			w.t.Errorf("%s leads to %s", form, location)
		}
	}
	if page := member.Expect(w.t, 200, "GET", "/signin").Body; !strings.Contains(page, "/authorize/main") {
		w.t.Errorf("still signed in: %s", page)
	}
}

// proxyAsks does everything that the proxies of applications and their visitors can do. The
// paths of the application's host are opened at the service, as its proxy does.
func (w *world) proxyAsks(engine store.Engine) {
	w.t.Helper()
	now := time.Now()
	const origin = "https://behind.example.org"
	behind := store.Application{
		ID: "behind", Title: "Behind", Enabled: true, FirstParty: false, Kind: store.KindProxy, Homepage: origin + "/", Claims: claims.DefaultRules(),
		RefreshTokenLifetime: 720 * time.Hour, Generation: store.NewID(), CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	must(w.t, engine.CreateApplication(w.t.Context(), behind))
	member := w.visitor("sunqi", wecomsim.UserAgentWeComAndroid)
	w.signsInBehind(member, "behind", origin)
	for _, path := range []string{"nginx/behind", "forward/behind?x=1", "envoy/behind/deep/", "envoy/behind"} {
		if yes := member.Expect(w.t, 200, "GET", "/oauth2/forward-auth/"+path); yes.Header.Get("X-Auth-User") == "" {
			w.t.Errorf("%s: %v", path, yes.Header)
		}
	}
	member.Expect(w.t, 200, "POST", "/oauth2/forward-auth/envoy/behind/save", testbrowser.Body(formType, "a=b"))
	// Not for this member any more, who is told, and administrators see it.
	closed := behind
	closed.Allow.Roles, closed.Version = []string{"nobody"}, 2
	stored, err := engine.Application(w.t.Context(), behind.ID)
	must(w.t, err)
	closed.LastUsedAt = stored.LastUsedAt
	must(w.t, engine.UpdateApplication(w.t.Context(), stored, closed))
	awsstack.Until(w.t, "the application is closed", func() bool {
		return member.Send(w.t, "GET", "/oauth2/forward-auth/forward/behind").Status == 403
	})
	member.Expect(w.t, 302, "GET", "/.wecom-signin/behind/signout")
	w.gatewayAsks(engine)
	w.proxyAsksBelowAParentDomain(engine, member)
}

// signsInBehind signs a member in to an application behind a proxy, who agrees to it.
func (w *world) signsInBehind(member *visitor, id, origin string) {
	w.t.Helper()
	page := member.Open(w.t, member.Expect(w.t, 302, "GET", "/.wecom-signin/"+id+"/start?to=%2Fdeep").Location())
	fields := url.Values{"answer": {"agree"}}
	for _, match := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(page.Page.Body, -1) {
		fields.Set(match[1], html.UnescapeString(match[2]))
	}
	callback := member.Expect(w.t, 303, "POST", "/oauth2/consent", testbrowser.Body(formType, fields.Encode())).Location()
	here := w.url + strings.TrimPrefix(strings.TrimPrefix(callback, origin), w.url)
	if signedIn := member.Expect(w.t, 302, "GET", here); signedIn.Location() != origin+"/deep" {
		w.t.Fatalf("came back to %s", signedIn.Location())
	}
}

// proxyAsksBelowAParentDomain has the session's own cookie checked, and tokens made.
func (w *world) proxyAsksBelowAParentDomain(engine store.Engine, member *visitor) {
	w.t.Helper()
	now := time.Now()
	must(w.t, engine.CreateApplication(w.t.Context(), store.Application{
		ID: "shared", Enabled: true, FirstParty: true, Kind: store.KindProxy, Homepage: "https://shared.corp.example/", Claims: claims.DefaultRules(),
		ForwardAuthToken: true, RefreshTokenLifetime: 720 * time.Hour, Generation: store.NewID(), CreatedAt: now, UpdatedAt: now, Version: 1,
	}))
	const path = "/oauth2/forward-auth/forward/shared"
	w.Update(w.t, map[string]string{"PublicUrl": "https://signin.corp.example", "SessionCookieDomain": "corp.example", "ForwardAuthTokens": "on"})
	for _, value := range member.Cookies("__Host-wecom_session") {
		id, _, _ := strings.Cut(value, ".") // a cookie from before it had the user's id
		for _, value := range []string{value, id} {
			yes := member.Expect(w.t, 200, "GET", path, testbrowser.Header("Cookie", "__Secure-wecom_session="+value))
			w.known.Add("token", yes.Header.Get("X-Auth-Token"))
			w.gatewayAsksBelowAParentDomain("__Secure-wecom_session=" + value)
			if strings.Count(yes.Header.Get("X-Auth-Token"), ".") != 2 {
				w.t.Errorf("no token: %v", yes.Header)
			}
		}
	}
	w.Update(w.t, map[string]string{"PublicUrl": w.url, "SessionCookieDomain": "", "ForwardAuthTokens": "off"})
	member.Expect(w.t, 302, "GET", path)
}

// gatewayJudges has an API of an application, behind API Gateway's own JWT authorizer, judge
// the tokens: it finds the keys by the metadata and takes the access token alone.
func (w *world) gatewayJudges(access, id string) {
	w.t.Helper()
	create := func(path, body, answer string) string {
		return w.Call(w.t, "apigateway", "POST", "/v2/apis"+path, "", []byte(body)).Values(w.t, answer)[0]
	}
	api := create("", `{"name":"orders","protocolType":"HTTP"}`, "apiId")
	authorizer := create("/"+api+"/authorizers", `{"name":"jwt","authorizerType":"JWT","identitySource":["$request.header.Authorization"],
		"jwtConfiguration":{"issuer":"`+w.url+`","audience":["`+w.url+`"]}}`, "authorizerId")
	integration := create("/"+api+"/integrations", `{"integrationType":"HTTP_PROXY","integrationMethod":"GET","payloadFormatVersion":"1.0","integrationUri":"`+w.url+`/signin"}`, "integrationId")
	create("/"+api+"/routes", `{"routeKey":"GET /","target":"integrations/`+integration+`","authorizationType":"JWT","authorizerId":"`+authorizer+`"}`, "routeId")
	create("/"+api+"/stages", `{"stageName":"$default","autoDeploy":true}`, "stageName")
	address := w.NewAddress(w.t)
	must(w.t, address.LeadTo("https://"+api+".execute-api.eu-central-1.amazonaws.com"))
	browser := testbrowser.New(testbrowser.Config{URL: address.URL, Transport: w.Transport()})
	signed := strings.LastIndex(access, ".")
	for name, judged := range map[string]struct {
		token string
		want  int
	}{
		"access token": {access, 200}, "ID token": {id, 401}, "no token": {"", 401},
		"another signature": {access[:signed] + id[strings.LastIndex(id, "."):], 401},
	} {
		if got := browser.Send(w.t, "GET", "/", testbrowser.Bearer(judged.token)).Status; got != judged.want {
			w.t.Errorf("the gateway answers the %s with %d, want %d", name, got, judged.want)
		}
	}
}
