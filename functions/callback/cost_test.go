package callback_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/functions/authorize"
	"github.com/wecom-signin/wecom-signin/functions/callback"
	"github.com/wecom-signin/wecom-signin/shared/aead/aeadtest"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/metrics/metricstest"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/secret/sealedfile"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
)

// TestRemoteCallsOfASignIn counts what authorize and callback ask of WeCom and of
// DynamoDB, put together as in Lambda.
func TestRemoteCallsOfASignIn(t *testing.T) {
	server := dynamotest.Start(t)
	tables := server.CreateTables(t)
	var remote dynamotest.Calls
	wecom := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		call := strings.TrimPrefix(r.URL.Path, "/cgi-bin/")
		remote.Note(call)
		answer := map[string]any{"userid": "zhangsan", "mobile": "13800000001", "name": "张三", "status": 1}
		switch {
		case call == "gettoken":
			answer = map[string]any{"access_token": "TOKEN", "expires_in": 7200}
		case strings.HasPrefix(r.URL.Query().Get("code"), "snsapi_privateinfo"):
			answer["user_ticket"] = "TICKET"
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	defer wecom.Close()

	started := time.Now()
	var later time.Duration
	now := func() time.Time { return started.Add(later) } // however long the machine takes, caches stay warm
	engine, err := dynamo.New(dynamo.Config{Client: remote.Client(server), DirectoryTable: tables.Directory, TransientTable: tables.Transient, AuditTable: tables.Audit, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := sealedfile.Open(sealedfile.Config{Path: t.TempDir() + "/secrets", KeyPath: t.TempDir() + "/key"})
	if err != nil {
		t.Fatal(err)
	}
	version := strings.Repeat("v", 32)
	for name, value := range map[string]string{"sealing": aeadtest.Keys, "authenticators/id": "app secret"} {
		if err := secrets.Create(t.Context(), name, version, secret.NewValue(value)); err != nil {
			t.Fatal(err)
		}
	}
	if err := engine.CreateAuthenticator(t.Context(), store.Authenticator{
		ID: "id", Name: "demo", Enabled: true, CorpID: "ww0123", AgentID: "1000002", SecretVersion: version,
		Origin: "https://app.example.com", WorkbenchRedirectPath: "/", AutoSignup: true, Generation: "g", Version: 1,
	}); err != nil {
		t.Fatal(err)
	}
	deps := app.Deps{
		Settings: settings.Settings{
			WeComAPIURL: wecom.URL, WeComOAuthURL: wecom.URL, WeComLoginURL: wecom.URL, SealingKeysSecret: "sealing",
			AuthenticatorSecretPrefix: "authenticators/", SessionLifetime: time.Hour, MemberCheckInterval: time.Hour,
		},
		Store: engine, Authenticators: store.CacheAuthenticators(engine, 10*time.Second, now), Secrets: secrets, Now: now,
	}
	var log bytes.Buffer
	// told returns what the log says of the last request: how it ended, how often WeCom
	// was called, and the metrics.
	told := func() string {
		t.Helper()
		defer log.Reset()
		line := log.Bytes()[bytes.LastIndexByte(bytes.TrimSpace(log.Bytes()), '\n')+1:]
		var event struct {
			Outcome      string  `json:"outcome"`
			Calls        int     `json:"wecomCalls"`
			Milliseconds float64 `json:"wecomMilliseconds"`
		}
		values, err := metricstest.Read(line)
		if err := errors.Join(err, json.Unmarshal(line, &event)); err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		measured := fmt.Sprintf("WeComSignIn WeComDuration{Service=s} %v Milliseconds", event.Milliseconds)
		if event.Milliseconds <= 0 || !slices.Contains(values, measured) || !slices.Contains(values, "WeComSignIn InternalErrors{Service=s,Function=callback} 0 Count") {
			t.Errorf("%v ms in WeCom, measured %q", event.Milliseconds, values)
		}
		return fmt.Sprintf("%s after %d", event.Outcome, event.Calls)
	}
	function := func(assemble app.NewHandler) func(path, query string, cookies []string) events.APIGatewayV2HTTPResponse {
		handler, err := assemble(t.Context(), deps)
		if err != nil {
			t.Fatal(err)
		}
		serve := apigw.New(apigw.Config{
			Handler: handler, PublicURL: "https://signin.example.com", Name: "callback", Service: "s", Logger: slog.New(slog.NewJSONHandler(&log, nil)),
		})
		return func(path, query string, cookies []string) events.APIGatewayV2HTTPResponse {
			event := events.APIGatewayV2HTTPRequest{
				RawPath: path, RawQueryString: query, Cookies: cookies, Headers: map[string]string{"user-agent": "wxwork"},
				PathParameters: map[string]string{"authenticator": "demo"},
			}
			event.RequestContext.HTTP.Method = http.MethodGet
			response, _ := serve(t.Context(), event)
			return response
		}
	}
	leave, arrive := function(authorize.NewHandler), function(callback.NewHandler)

	// comeBack does what WeCom does with the browser it was sent.
	comeBack := func(departure events.APIGatewayV2HTTPResponse, cookies ...string) events.APIGatewayV2HTTPResponse {
		link, err := url.Parse(departure.Headers["location"])
		if err != nil {
			t.Fatal(err)
		}
		cookie, _, _ := strings.Cut(departure.Cookies[0], ";")
		code := link.Query().Get("scope") + store.NewID()
		return arrive("/callback/demo", "code="+code+"&state="+link.Query().Get("state"), append(cookies, cookie))
	}

	remote.Take()
	departure := leave("/authorize/demo", "", nil)
	if got := remote.Take(); got != "Get" {
		t.Errorf("authorize, nothing cached: %s", got)
	}
	// A first sign-in: the token (read, leased, read again, fetched, saved), then base, once more
	// with privateinfo, phone, name, and the user with its session.
	middle := comeBack(departure)
	if got, want := remote.Take(), "Get Update Get gettoken Put auth/getuserinfo Get Put"; got != want {
		t.Errorf("first arrival costs %q, want %q", got, want)
	}
	if got, want := told(), "consent after 2"; got != want {
		t.Errorf("first arrival is told as %q, want %q", got, want)
	}
	last := comeBack(middle)
	if got, want := remote.Take(), "auth/getuserinfo Get auth/getuserdetail user/get Get Transact6 Transact2 Update"; got != want {
		t.Errorf("second arrival costs %q, want %q", got, want)
	}
	if got, want := told(), "signed_in after 3"; got != want {
		t.Errorf("second arrival is told as %q, want %q", got, want)
	}
	if got := last.Headers["location"]; got != "https://app.example.com/#" {
		t.Fatalf("led to %s", got)
	}

	// Returning within the hour: the identity with what it says of its user, and the
	// session with its line of the audit, at once. Three remote calls, one after the other.
	departure = leave("/authorize/demo", "", nil)
	if got := remote.Take(); got != "" {
		t.Errorf("authorize, cached: %s", got)
	}
	last = comeBack(departure)
	if got, want := remote.Take(), "auth/getuserinfo Get Transact2"; got != want {
		t.Errorf("returning sign-in costs %q, want %q", got, want)
	}
	if got, want := told(), "signed_in after 1"; got != want {
		t.Errorf("returning sign-in is told as %q, want %q", got, want)
	}
	if got := last.Headers["location"]; got != "https://app.example.com/#" {
		t.Fatalf("led to %s", got)
	}

	// In the same browser, whose session ends by one call and passes its lineage on.
	session := slices.IndexFunc(last.Cookies, func(c string) bool { return strings.HasPrefix(c, "__Host-wecom_session=") })
	if session < 0 {
		t.Fatalf("no session: %v", last.Cookies)
	}
	cookie, _, _ := strings.Cut(last.Cookies[session], ";")
	comeBack(leave("/authorize/demo", "", nil), cookie)
	if got, want := remote.Take(), "auth/getuserinfo Get Transact2 Update"; got != want {
		t.Errorf("returning in the same browser costs %q, want %q", got, want)
	}

	// When the member is to be checked: user/get, the whole user, and what was found. The
	// last sign-in is noted, too.
	later = time.Hour
	departure = leave("/authorize/demo", "", nil)
	remote.Take()
	comeBack(departure)
	if got, want := remote.Take(), "auth/getuserinfo Get user/get Get BatchGet Transact2 Transact2 Update"; got != want {
		t.Errorf("returning after the interval costs %q, want %q", got, want)
	}
	if got, want := told(), "signed_in after 2"; got != want {
		t.Errorf("returning after the interval is told as %q, want %q", got, want)
	}
}
