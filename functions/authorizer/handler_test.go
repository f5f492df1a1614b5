package authorizer_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/functions/authorizer"
	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/metrics/metricstest"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/version"
)

const (
	publicURL = "https://signin.example.com"
	adminKey  = "Zq3xT8vLr0pWn5cYh2kD7mBf4sGj9aEuXoNiQyRt61HwVzPd"
)

// testSet is made once: making keys is the slow part of the tests.
var testSet = sync.OnceValue(func() keys.Set {
	set, err := keys.Generate(time.Now())
	if err != nil {
		panic(err)
	}
	return set
})

// world is what the authorizer reads.
type world struct {
	users    map[string]store.User
	userErr  error
	keysErr  error
	adminKey string
	adminErr error

	adminReads atomic.Int64
	userReads  atomic.Int64
}

func newWorld() *world {
	return &world{
		adminKey: adminKey,
		users: map[string]store.User{
			"01admin":    {ID: "01admin", Enabled: true, Roles: []string{"staff", "admin"}},
			"01staff":    {ID: "01staff", Enabled: true, Roles: []string{"staff", "administrator", "Admin"}},
			"01disabled": {ID: "01disabled", Enabled: false, Roles: []string{"admin"}},
		},
	}
}

// CheckKey knows one session of each user, which is live while the user is enabled.
func (w *world) CheckKey(_ context.Context, key, _ string) (authflow.ActiveSession, error) {
	w.userReads.Add(1)
	if w.userErr != nil {
		return authflow.ActiveSession{}, w.userErr
	}
	user, ok := w.users[strings.TrimPrefix(key, "session of ")]
	if !ok || !user.Enabled {
		return authflow.ActiveSession{}, apierr.New(apierr.Unauthorized, nil)
	}
	return authflow.ActiveSession{User: user}, nil
}

func (w *world) PublicKeys(context.Context) (store.PublicKeys, error) {
	if w.keysErr != nil {
		return store.PublicKeys{}, w.keysErr
	}
	document, err := keys.Public(testSet())
	return store.PublicKeys{Document: document}, err
}

func (w *world) Get(_ context.Context, name, version string) (secret.Value, error) {
	w.adminReads.Add(1)
	if name != "admin-key" || version != secret.Current {
		return secret.Value{}, secret.ErrNotFound
	}
	return secret.NewValue(w.adminKey), w.adminErr
}

func (w *world) authorizer(log io.Writer) *authorizer.Authorizer {
	return authorizer.New(authorizer.Config{
		Directory: w, Sessions: w, Secrets: w, AdminKeySecret: "admin-key", PublicURL: publicURL, Service: "s",
		Logger: slog.New(asInLambda{slog.NewJSONHandler(log, &slog.HandlerOptions{ReplaceAttr: withoutTime})}),
	})
}

// asInLambda adds the request id of the invocation, as Lambda's handler does.
type asInLambda struct{ slog.Handler }

func (h asInLambda) Handle(ctx context.Context, r slog.Record) error {
	if invocation, ok := lambdacontext.FromContext(ctx); ok {
		r.AddAttrs(slog.String("requestId", invocation.AwsRequestID))
	}
	return h.Handler.Handle(ctx, r)
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

// invocation is the context that Lambda gives a function.
func invocation(t *testing.T) context.Context {
	t.Helper()
	return lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "lambda-1"})
}

func mint(t testing.TB, user string, change func(*keys.AccessTokenClaims)) string {
	t.Helper()
	minter := keys.NewMinter(keys.MinterConfig{Load: func(context.Context) (string, error) { return testSet().Encode() }})
	claims := keys.AccessTokenClaims{
		Issuer: publicURL, Audience: keys.Audience{publicURL}, Subject: user,
		Member:     map[string]any{"name": "张三", "phone_number": "+8613800000000", "roles": []string{"admin"}},
		SessionKey: "session of " + user,
	}
	if change != nil {
		change(&claims)
	}
	token, _, err := minter.Mint(t.Context(), claims, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func event(headers map[string]string) events.APIGatewayV2CustomAuthorizerV2Request {
	return events.APIGatewayV2CustomAuthorizerV2Request{
		Version: "2.0", Type: "REQUEST", RouteKey: "ANY /api/admin/{proxy+}", RawPath: "/api/admin/users",
		Headers: headers,
		RequestContext: events.APIGatewayV2HTTPRequestContext{
			RequestID: "request-1", DomainName: "abc.execute-api.eu-central-1.amazonaws.com",
		},
	}
}

func decide(t *testing.T, a *authorizer.Authorizer, headers map[string]string) bool {
	t.Helper()
	got, err := a.Decide(t.Context(), event(headers))
	if err != nil {
		t.Errorf("an error instead of a no: %v", err)
	}
	return got.IsAuthorized
}

func authorization(value string) map[string]string {
	return map[string]string{"authorization": value, "cookie": "__Host-session=x", "x-api-key": adminKey}
}

func TestDecisions(t *testing.T) {
	byKey := authorizer.Response{IsAuthorized: true, Context: map[string]any{"caller": "admin-key"}}
	byUser := authorizer.Response{IsAuthorized: true, Context: map[string]any{"caller": "user", "userId": "01admin"}}
	no := authorizer.Response{}
	token := mint(t, "01admin", nil)
	down := errors.New("dynamodb: connection refused")

	tests := []struct {
		name    string
		headers map[string]string
		spoil   func(*world)
		want    authorizer.Response
		isFault bool // logged as an error: the service is the reason
	}{
		{"admin key", authorization("Bearer " + adminKey), nil, byKey, false},
		{"scheme in another case", authorization("bEARER  " + adminKey + " "), nil, byKey, false},
		{"header in another case", map[string]string{"AUTHORIZATION": "Bearer " + adminKey}, nil, byKey, false},
		{"admin key kept with a line feed", authorization("Bearer " + adminKey), func(w *world) { w.adminKey += "\n" }, byKey, false},
		{"admin key, no public keys yet", authorization("Bearer " + adminKey), func(w *world) { w.keysErr = store.ErrNotFound }, byKey, false},
		{"admin key, directory down", authorization("Bearer " + adminKey), func(w *world) { w.keysErr, w.userErr = down, down }, byKey, false},
		{"token of an administrator", authorization("Bearer " + token), nil, byUser, false},
		{"token of an administrator, admin key unreadable", authorization("Bearer " + token), func(w *world) { w.adminErr = down }, byUser, false},

		{"no header", map[string]string{"cookie": "x"}, nil, no, false},
		{"no headers", nil, nil, no, false},
		{"empty", authorization(""), nil, no, false},
		{"scheme alone", authorization("Bearer"), nil, no, false},
		{"scheme and spaces", authorization("Bearer   "), nil, no, false},
		{"credential alone", authorization(adminKey), nil, no, false},
		{"another scheme", authorization("Basic " + adminKey), nil, no, false},
		{"a tab", authorization("Bearer\t" + adminKey), nil, no, false},
		{"attack: two headers joined", authorization("Bearer wrong, Bearer " + adminKey), nil, no, false},
		{"attack: two headers joined, the other way", authorization("Bearer " + adminKey + ", Bearer wrong"), nil, no, false},
		{"attack: two headers of different spelling", map[string]string{"Authorization": "Bearer " + adminKey, "authorization": "Bearer wrong"}, nil, no, false},
		{"wrong key", authorization("Bearer " + strings.ToLower(adminKey)), nil, no, false},
		{"attack: beginning of the key", authorization("Bearer " + adminKey[:47]), nil, no, false},
		{"attack: key and more", authorization("Bearer " + adminKey + "x"), nil, no, false},
		{"attack: empty admin key", authorization("Bearer  "), func(w *world) { w.adminKey = "" }, no, false},
		{"attack: blank admin key", authorization("Bearer x"), func(w *world) { w.adminKey = " \n" }, no, true},
		{"admin key unreadable", authorization("Bearer " + adminKey), func(w *world) { w.adminErr = down }, no, true},

		{"token of somebody else", authorization("Bearer " + mint(t, "01staff", nil)), nil, no, false},
		{"token of a disabled administrator", authorization("Bearer " + mint(t, "01disabled", nil)), nil, no, false},
		{"token of a deleted user", authorization("Bearer " + mint(t, "01gone", nil)), nil, no, false},
		{"attack: role in the token only", authorization("Bearer " + token), func(w *world) {
			w.users["01admin"] = store.User{ID: "01admin", Enabled: true}
		}, no, false},
		{"attack: role admin by a tag in WeCom", authorization("Bearer " + mint(t, "01staff", nil)), func(w *world) {
			w.users["01staff"] = store.User{ID: "01staff", Enabled: true, Roles: []string{"staff"}, WeComRoles: []string{"admin"}}
		}, no, false},
		{"attack: token of another issuer", authorization("Bearer " + mint(t, "01admin", func(c *keys.AccessTokenClaims) {
			c.Issuer = "https://abc.execute-api.eu-central-1.amazonaws.com"
		})), nil, no, false},
		{"attack: token for an application's page", authorization("Bearer " + mint(t, "01admin", func(c *keys.AccessTokenClaims) {
			c.Audience = keys.Audience{"https://app.example.com"}
		})), nil, no, false},
		{"attack: token for an address like ours", authorization("Bearer " + mint(t, "01admin", func(c *keys.AccessTokenClaims) {
			c.Audience = keys.Audience{publicURL + "/"}
		})), nil, no, false},
		{"attack: token with another payload", authorization("Bearer " + exchange(t, token, mint(t, "01staff", nil))), nil, no, false},
		{"public keys unreadable", authorization("Bearer " + token), func(w *world) { w.keysErr = down }, no, true},
		{"user unreadable", authorization("Bearer " + token), func(w *world) { w.userErr = down }, no, true},
		{"attack: very long", authorization("Bearer " + strings.Repeat("x", 1<<20)), nil, no, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld()
			if test.spoil != nil {
				test.spoil(w)
			}
			var log strings.Builder
			payload, err := json.Marshal(event(test.headers))
			if err != nil {
				t.Fatal(err)
			}
			got, err := w.authorizer(&log).Function(invocation(t), payload)
			if err != nil {
				t.Errorf("an error instead of a no: %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Count(log.String(), "\n") != 1 || strings.Contains(log.String(), `"ERROR"`) != test.isFault {
				t.Errorf("logged: %s", log.String())
			}
			var failure []string
			if test.isFault {
				failure = []string{"WeComSignIn InternalErrors{Service=s} 1 Count", "WeComSignIn InternalErrors{Service=s,Function=authorizer} 1 Count"}
			}
			measured, err := metricstest.Read([]byte(log.String()))
			if diff := cmp.Diff(failure, measured); diff != "" || err != nil {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
			for _, hidden := range []string{adminKey, adminKey[:20], strings.Split(token, ".")[1][:20], "+86138", "__Host"} {
				if strings.Contains(log.String(), hidden) {
					t.Errorf("the log shows %q: %s", hidden, log.String())
				}
			}
		})
	}
}

// A decision is one line, under the gateway's request id.
func TestLog(t *testing.T) {
	begins := func(level string) string {
		return `{"level":"` + level + `","msg":"decision","function":"authorizer","version":"` + version.Version +
			`","requestId":"request-1","route":"ANY /api/admin/{proxy+}"`
	}
	for _, test := range []struct {
		name, header string
		spoil        func(*world)
		want         string
	}{
		{"yes", "Bearer " + adminKey, nil, begins("INFO") + `,"authorized":true,"caller":"admin-key"}`},
		{
			"no", "Basic x", nil,
			begins("INFO") + `,"authorized":false,"cause":"the Authorization header is not Bearer and a credential"}`,
		},
		{
			"not known", "Bearer " + mint(t, "01admin", nil), func(w *world) { w.userErr = errors.New("dynamodb: connection refused") },
			begins("ERROR") + `,"authorized":false,"cause":"read session: dynamodb: connection refused"` +
				`,"Service":"s","Function":"authorizer","InternalErrors":1,"_aws":{"Timestamp":1795262400000,"CloudWatchMetrics":[` +
				`{"Namespace":"WeComSignIn","Dimensions":[["Service"],["Service","Function"]],"Metrics":[{"Name":"InternalErrors","Unit":"Count"}]}]}}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, log := newWorld(), strings.Builder{}
			if test.spoil != nil {
				test.spoil(w)
			}
			if _, err := w.authorizer(&log).Decide(invocation(t), event(authorization(test.header))); err != nil {
				t.Fatal(err)
			}
			got := regexp.MustCompile(`"Timestamp":[0-9]+`).ReplaceAllString(log.String(), `"Timestamp":1795262400000`)
			if diff := cmp.Diff(test.want+"\n", got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// exchange puts the payload of one token between header and signature of another.
func exchange(t *testing.T, payload, around string) string {
	t.Helper()
	p, a := strings.Split(payload, "."), strings.Split(around, ".")
	return a[0] + "." + p[1] + "." + a[2]
}

func TestTheAPIsOwnAddressIsTheIssuerByDefault(t *testing.T) {
	w := newWorld()
	a := authorizer.New(authorizer.Config{Directory: w, Sessions: w, Secrets: w, AdminKeySecret: "admin-key", Logger: slog.New(slog.DiscardHandler)})
	own := mint(t, "01admin", func(c *keys.AccessTokenClaims) {
		c.Issuer = "https://abc.execute-api.eu-central-1.amazonaws.com"
		c.Audience = keys.Audience{c.Issuer}
	})
	if !decide(t, a, authorization("Bearer "+own)) {
		t.Error("denied")
	}
	headers := authorization("Bearer " + mint(t, "01admin", nil))
	headers["host"], headers["x-forwarded-host"] = "signin.example.com", "signin.example.com"
	if decide(t, a, headers) {
		t.Error("attack: a header chose the issuer")
	}
}

func TestNothingIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		a := w.authorizer(io.Discard)
		expect := func(credential string, want bool) {
			t.Helper()
			if got := decide(t, a, authorization("Bearer "+credential)); got != want {
				t.Errorf("authorized: %v", got)
			}
		}
		token := mint(t, "01admin", nil)
		expect(token, true)
		w.users["01admin"] = store.User{ID: "01admin", Roles: []string{"admin"}}
		expect(token, false)
		w.users["01admin"] = store.User{ID: "01admin", Enabled: true, Roles: []string{"admin"}}
		expect(token, true)
		time.Sleep(15*time.Minute + time.Second)
		expect(token, false)

		expect(adminKey, true)
		w.adminKey = "another"
		time.Sleep(time.Second)
		expect(adminKey, false)
		expect("another", true)
		// A key that cannot be checked is refused, even if it was right a moment ago.
		w.adminErr = errors.New("down")
		time.Sleep(time.Second)
		expect("another", false)
	})
}

// Attack: make the service pay for guesses.
func TestAFloodOfGuessesReadsTheKeyOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		a := w.authorizer(io.Discard)
		for range 1000 { // five seconds
			if decide(t, a, authorization("Bearer guess")) {
				t.Fatal("authorized")
			}
			time.Sleep(5 * time.Millisecond)
		}
		if w.adminReads.Load() > 6 || w.userReads.Load() != 0 {
			t.Errorf("%d reads of the key, %d of users", w.adminReads.Load(), w.userReads.Load())
		}
	})
}

type panicking struct{ *world }

func (panicking) CheckKey(context.Context, string, string) (authflow.ActiveSession, error) {
	panic("out of order")
}

func TestAPanicIsANo(t *testing.T) {
	w := newWorld()
	a := authorizer.New(authorizer.Config{
		Directory: w, Sessions: panicking{w}, Secrets: w, AdminKeySecret: "admin-key", PublicURL: publicURL, Logger: slog.New(slog.DiscardHandler),
	})
	if decide(t, a, authorization("Bearer "+mint(t, "01admin", nil))) {
		t.Error("authorized")
	}
}

func TestUnreadableEventsAreANo(t *testing.T) {
	a := newWorld().authorizer(io.Discard)
	for _, payload := range []string{
		"", "null", "[]", `"x"`, "{", `{"headers":[]}`, `{"headers":{"authorization":["Bearer ` + adminKey + `"]}}`, `{"headers":null}`,
	} {
		got, err := a.Function(t.Context(), json.RawMessage(payload))
		if err != nil || got.IsAuthorized || got.Context != nil {
			t.Errorf("%s: got %v, %v", payload, got, err)
		}
	}
}

func FuzzFunction(f *testing.F) {
	good, err := json.Marshal(event(authorization("Bearer " + adminKey)))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(good))
	f.Add(`{"headers":{"authorization":"Bearer x"}}`)
	f.Add(`{"headers":null,"requestContext":{"domainName":1}}`)
	a := authorizer.New(authorizer.Config{
		Directory: newWorld(), Sessions: newWorld(), Secrets: newWorld(), AdminKeySecret: "admin-key", Logger: slog.New(slog.DiscardHandler),
	})
	f.Fuzz(func(t *testing.T, payload string) {
		got, err := a.Function(t.Context(), json.RawMessage(payload))
		if err != nil {
			t.Error(err)
		}
		// JSON may spell the key with escapes, so decode before looking for it.
		var event struct{ Headers map[string]string }
		if json.Unmarshal([]byte(payload), &event) != nil && got.IsAuthorized {
			t.Errorf("authorized by an unreadable event: %q", payload)
		}
		holds := false
		for _, value := range event.Headers {
			holds = holds || strings.Contains(value, adminKey)
		}
		if got.IsAuthorized && !holds {
			t.Errorf("authorized without the key: %q", payload)
		}
	})
}

// Nothing that /oauth2/ gives opens /api/admin (RFC 9068 §6), though the same key signed it
// for an administrator with a session: an application must not act in the console.
func TestOAuthTokenOpensNoAdminAPI(t *testing.T) {
	minter := keys.NewMinter(keys.MinterConfig{Load: func(context.Context) (string, error) { return testSet().Encode() }})
	oauth := func(audience ...string) string {
		return mint(t, "01admin", func(c *keys.AccessTokenClaims) {
			c.Audience, c.ClientID, c.GrantID, c.Scope = audience, "grafana", "grant-1", "openid groups"
		})
	}
	id, err := minter.MintIDToken(t.Context(), keys.IDTokenClaims{
		Issuer: publicURL, Subject: "01admin", Audience: publicURL, SessionID: "session of 01admin", AuthTime: time.Now().Unix(),
		Member: map[string]any{"roles": []string{"admin"}},
	}, "access token")
	if err != nil {
		t.Fatal(err)
	}
	logout, err := minter.MintLogoutToken(t.Context(), keys.LogoutTokenClaims{
		Issuer: publicURL, Subject: "01admin", Audience: publicURL, SessionID: "session of 01admin",
	})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	a := w.authorizer(io.Discard)
	if !decide(t, a, authorization("Bearer "+mint(t, "01admin", nil))) {
		t.Fatal("the administrator's own token is denied")
	}
	for name, token := range map[string]string{
		"access token for the issuer":        oauth(publicURL),
		"access token for an API and issuer": oauth("https://api.example.com", publicURL),
		"session token for several":          mint(t, "01admin", func(c *keys.AccessTokenClaims) { c.Audience = keys.Audience{publicURL, "https://app.example.com"} }),
		"ID token":                           id,
		"logout token":                       logout,
	} {
		if decide(t, a, authorization("Bearer "+token)) {
			t.Errorf("attack: the %s opens the admin API", name)
		}
	}
}
