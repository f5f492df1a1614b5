package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/e2e"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/aead/aeadtest"
	"github.com/wecom-signin/wecom-signin/shared/appsecret"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
	"github.com/wecom-signin/wecom-signin/shared/wecom/receiver/receivertest"
)

// builtFunctions builds the functions of a sign-in, the issuer, the provider, notify,
// events and admin, for this machine.
var builtFunctions = sync.OnceValues(func() (string, error) {
	folder, err := programFolder()
	for _, name := range []string{"authorize", "callback", "signin", "issuer", "openid", "notify", "forwardauth", "sessionauthorizer", "events", "admin"} {
		if err != nil {
			break
		}
		build := exec.CommandContext(context.Background(), "go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w",
			"-o", filepath.Join(folder, name), moduleRoot+"/functions/"+name+"/lambda")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		var output []byte
		if output, err = build.CombinedOutput(); err != nil {
			err = fmt.Errorf("go build: %w\n%s", err, output)
		}
	}
	return folder, err
})

// startFunction starts one of them.
func startFunction(t testing.TB, name string, environment map[string]string) *e2e.Function {
	t.Helper()
	folder, err := builtFunctions()
	must(t, err)
	return startProgram(t, filepath.Join(folder, name), environment)
}

func startProgram(t testing.TB, program string, environment map[string]string) *e2e.Function {
	t.Helper()
	f, err := e2e.StartFunction(t.Context(), program, environment)
	must(t, err)
	t.Cleanup(f.Stop)
	f.PathParameters = map[string]string{"authenticator": portal}
	return f
}

// cloud is AWS on this machine with the functions of a sign-in: DynamoDB, and a
// stand-in for Secrets Manager, both counted.
type cloud struct {
	environment map[string]string
	functions   map[string]*e2e.Function
	browser     *testbrowser.Browser
	wiki        wiki
	meter       e2e.Meter
}

// weComPushes is WeCom at the receiver of portal.
func weComPushes() receivertest.Sender {
	return receivertest.Sender{Token: "TokenOfTheBench", EncodingAESKey: strings.Repeat("b", 43), CorpID: corpID, At: time.Now()}
}

// portalSecret is the secret of portal in the store: the app's, and what weComPushes has.
func portalSecret() string {
	weCom := weComPushes()
	return appsecret.Secret{App: secret.NewValue(appSecret), Token: secret.NewValue(weCom.Token), EncodingAESKey: secret.NewValue(weCom.EncodingAESKey)}.Encode().Reveal()
}

// startCloud starts it with an authenticator and so many users who have signed in.
func startCloud(t testing.TB, users int) *cloud {
	t.Helper()
	serve := func(handler http.Handler) string {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.URL
	}
	c := &cloud{functions: map[string]*e2e.Function{}}
	server := dynamotest.Start(t)
	names := server.CreateTables(t)
	set, err := keys.Generate(time.Now())
	must(t, err)
	signing, err := set.Encode()
	must(t, err)
	document, err := keys.Public(set)
	must(t, err)
	now := time.Now().UTC()
	a := store.Authenticator{
		ID: store.NewID(), Name: portal, Enabled: true, CorpID: corpID, AgentID: agentID, SecretVersion: strings.Repeat("1", 32), Origin: application,
		WorkbenchRedirectPath: "/", AutoSignup: true, EventsEnabled: true, Generation: store.NewID(), CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	engine, err := dynamo.New(dynamo.Config{Client: server.Client, DirectoryTable: names.Directory, TransientTable: names.Transient, AuditTable: names.Audit})
	must(t, err)
	must(t, engine.CreateAuthenticator(t.Context(), a))
	must(t, engine.PutPublicKeys(t.Context(), store.PublicKeys{Document: document, UpdatedAt: now}))
	c.wiki = registerWiki(t, engine)
	registerBehind(t, engine)
	fillUsers(t, engine, a.ID, users, 8)
	const public = "http://localhost:8"
	weCom := benchCompany(users, "localhost:8")
	weComURL := serve(weCom)
	c.environment = map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL_DYNAMODB": serve(c.meter.DynamoDB(server.Endpoint)),
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": serve(c.meter.SecretsManager(map[string]string{
			"signing-keys": signing, "sealing-keys": aeadtest.Keys, "authenticators/" + a.ID: portalSecret(),
		})),
		"PUBLIC_URL": public, "WECOM_API_URL": weComURL, "WECOM_OAUTH_URL": weComURL, "WECOM_LOGIN_URL": weComURL,
		"DIRECTORY_TABLE": names.Directory, "TRANSIENT_TABLE": names.Transient, "AUDIT_TABLE": names.Audit,
		"SIGNING_KEYS_SECRET": "signing-keys", "SEALING_KEYS_SECRET": "sealing-keys", "AUTHENTICATOR_SECRET_PREFIX": "authenticators/",
		"LOGOUT_QUEUE_URL": "http://localhost/logouts", "MEMBER_CHECKS_FUNCTION": "memberchecks", "AWS_ENDPOINT_URL": serve(http.HandlerFunc(takeMessage)),
	}
	mux := http.NewServeMux()
	for name, patterns := range map[string][]string{
		"authorize": {"/authorize/"}, "callback": {"/callback/"}, "openid": {"/oauth2/"}, "signin": {"/"}, "forwardauth": {"/oauth2/forward-auth/", "/.wecom-signin/"}, "sessionauthorizer": nil, "events": {"/api/events/"},
	} {
		c.functions[name] = startFunction(t, name, c.environment)
		for _, pattern := range patterns {
			mux.Handle(pattern, c.functions[name])
		}
	}
	c.browser = testbrowser.New(testbrowser.Config{
		URL: public, Transport: testbrowser.Handler(mux), WeCom: weCom, WeComURL: weComURL, UserAgent: wecomsim.UserAgentWeComAndroid,
	})
	return c
}

// used is what has left the functions since it was last asked, as a row of the table.
func (c *cloud) used(operation string) string {
	u := c.meter.Take()
	row := fmt.Sprintf("| %s | %d | %d | %d | %d | %.1f | %.1f |", operation, c.browser.WeCom.Calls(), u.SecretsManager, u.DynamoDB, u.InSeries, u.ReadUnits, u.WriteUnits)
	c.browser.WeCom.ResetCalls()
	return row
}

// What leaves the functions for each operation is what docs/benchmarks.md says. Functions
// read an authenticator again after 10 s, and on a busy machine what begins at once may not:
// it is measured five times at most.
func TestRemoteCallsAreAsDocumented(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile(moduleRoot + "/docs/benchmarks.md")
	must(t, err)
	rows := strings.Split(string(document), "\n")
	var unknown []string
	for range 5 {
		c := startCloud(t, 10)
		c.meter.Delay = 50 * time.Millisecond // for what is in series
		unknown = slices.DeleteFunc(remoteCalls(t, c), func(row string) bool { return slices.Contains(rows, row) })
		if len(unknown) == 0 {
			return
		}
	}
	t.Errorf("docs/benchmarks.md does not say what was measured:\n%s", strings.Join(unknown, "\n"))
}

// checkOfEvents has WeCom check the URL.
func checkOfEvents(t *testing.T, b *testbrowser.Browser) {
	t.Helper()
	if answer := b.Expect(t, 200, "GET", "/api/events/"+portal+"?"+weComPushes().Check("42", true)); answer.Body != "42" {
		t.Errorf("answer %q", answer.Body)
	}
}

// pushOfEvents has WeCom push something about a member, who is still there.
func pushOfEvents(t *testing.T, b *testbrowser.Browser) {
	t.Helper()
	query, body := weComPushes().Push("<xml><FromUserName>" + benchMember(1) + "</FromUserName><Event>unsubscribe</Event></xml>")
	b.Expect(t, 200, "POST", "/api/events/"+portal+"?"+query, testbrowser.Body("text/xml", body))
}

// remoteCalls returns rows of the table, in the order of time.
func remoteCalls(t *testing.T, c *cloud) (rows []string) {
	t.Helper()
	b := c.browser
	c.used("start")
	callback := ""
	member := func(userID string) { b.Forget(""); b.Member.UserID = userID }
	for _, step := range []struct {
		operation string
		do        func()
	}{
		{"first sign-in ever, cold", func() { member("newcomer1"); b.Open(t, "/authorize/"+portal) }},
		{"first sign-in ever", func() { member("newcomer2"); b.Open(t, "/authorize/"+portal) }},
		{"returning sign-in: authorize", func() { member(benchMember(1)); callback = b.Callback(t, "/authorize/"+portal) }},
		{"returning sign-in: callback", func() { b.Expect(t, 302, "GET", callback) }},
		{"session check, cold", func() { b.Expect(t, 200, "GET", "/api/session") }},
		{"session check", func() { b.Expect(t, 200, "GET", "/api/session") }},
		{"returning sign-in: authorize", func() { member(benchMember(manyRoles)); callback = b.Callback(t, "/authorize/"+portal) }},
		{"returning sign-in: callback", func() { b.Expect(t, 302, "GET", callback) }},
		{"session check", func() { b.Expect(t, 200, "GET", "/api/session") }},
		{"token, cold", func() { b.Expect(t, 200, "POST", "/api/token") }},
		{"token", func() { b.Expect(t, 200, "POST", "/api/token") }},
		{"sign-out", func() { b.Expect(t, 204, "POST", "/api/signout") }},
		{"", func() { b.Open(t, "/authorize/"+portal) }}, // counted above
		{"authorize with a session, cold", func() { c.wiki.authorize(t, b) }},
		{"code exchange, cold", func() { c.wiki.token(t, b, "authorization_code") }},
		{"authorize with a session", func() { c.wiki.authorize(t, b) }},
		{"code exchange", func() { c.wiki.token(t, b, "authorization_code") }},
		{"refresh", func() { c.wiki.token(t, b, "refresh_token") }},
		{"userinfo, cold", func() { c.wiki.userinfo(t, b) }},
		{"userinfo", func() { c.wiki.userinfo(t, b) }},
		{"sign-out, one application", func() { b.Expect(t, 204, "POST", "/api/signout") }},
		{"", func() { b.Open(t, "/authorize/"+portal) }},
		{"", func() { callback = callbackBehind(t, b, "behind") }},
		{"proxy, sign-in: callback, cold", func() { b.Expect(t, 302, "GET", callback) }},
		{"proxy, a request", func() { b.Expect(t, 200, "GET", "/oauth2/forward-auth/nginx/behind") }},
		{"", func() { b.Expect(t, 302, "GET", callbackBehind(t, b, "orders")) }},
		{"HTTP API, a question, cold", func() { c.askForAPI(t) }},
		{"HTTP API, a question", func() { c.askForAPI(t) }},
		{"events: check of the URL, cold", func() { checkOfEvents(t, b) }},
		{"events: check of the URL", func() { checkOfEvents(t, b) }},
		{"events: a push about a member, cold", func() { pushOfEvents(t, b) }},
		{"events: a push about a member", func() { pushOfEvents(t, b) }},
		{"proxy, a request of nobody", func() { b.Forget(""); b.Expect(t, 401, "GET", "/oauth2/forward-auth/nginx/behind") }},
	} {
		step.do()
		if row := c.used(step.operation); step.operation != "" {
			rows = append(rows, row)
		}
	}
	return rows
}
