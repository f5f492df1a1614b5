package sessionauthorizer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/functions/sessionauthorizer"
	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/aead/aeadtest"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/secret/sealedfile"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded/embeddedtest"
)

const (
	public = "https://signin.example.com"
	domain = "orders.example.org"
	cookie = "__Host-wecom_auth_orders"
)

var signingKeys = sync.OnceValues(func() (keys.Set, error) { return keys.Generate(time.Now()) })

// config is what tests change.
type config struct {
	sessionDomain string
	noKeys        bool
}

// service is the authorizer, whole, over one engine with two applications and a member.
type service struct {
	t          *testing.T
	store      store.Engine
	cookies    oauth.Deriver
	deps       app.Deps
	authorizer *sessionauthorizer.Authorizer
	now        time.Time
	log        bytes.Buffer
}

func newService(t *testing.T, cfg config) *service {
	t.Helper()
	s := &service{t: t, now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return s.now }
	engine := embeddedtest.New(t, now)
	secrets, err := sealedfile.Open(sealedfile.Config{Path: t.TempDir() + "/secrets", KeyPath: t.TempDir() + "/key"})
	s.ok(err)
	set, err := signingKeys()
	s.ok(err)
	encoded, err := set.Encode()
	s.ok(err)
	for name, value := range map[string]string{"sealing": aeadtest.Keys, "signing": encoded} {
		s.ok(secrets.Create(t.Context(), name, strings.Repeat("v", 32), secret.NewValue(value)))
	}
	s.store = engine
	s.deps = app.Deps{
		Settings: settings.Settings{PublicURL: public, SealingKeysSecret: "sealing", ForwardAuthKeysSecret: "signing", SessionCookieDomain: cfg.sessionDomain, ServiceName: "s"},
		Store:    engine, Secrets: secrets, Now: now, Authenticators: engine, Applications: engine,
		Logger: slog.New(slog.NewJSONHandler(&s.log, nil)),
	}
	if cfg.noKeys {
		s.deps.Settings.ForwardAuthKeysSecret = ""
	}
	sealing, err := s.deps.SealingKeys(t.Context())
	s.ok(err)
	s.cookies, err = sealing.Deriver(aead.ProxyCookie)
	s.ok(err)
	s.authorizer, err = sessionauthorizer.NewHandler(t.Context(), s.deps)
	s.ok(err)
	s.ok(engine.CreateAuthenticator(t.Context(), store.Authenticator{
		ID: "1", Name: "demo", Title: "Demo", Enabled: true, CorpID: "ww0123", AgentID: "1000002", SecretVersion: "v",
		Origin: "https://app.example.com", WorkbenchRedirectPath: "/", Generation: "g", Version: 1,
	}))
	s.application(store.Application{ID: "orders", Kind: store.KindProxy, Homepage: "https://" + domain + "/home"})
	s.application(store.Application{ID: "invoices", Kind: store.KindProxy, Homepage: "https://invoices.example.org/"})
	s.application(store.Application{ID: "mail", Kind: store.KindWeb, Homepage: "https://" + domain + "/", RedirectURIs: []string{"https://" + domain + "/cb"}})
	s.ok(engine.CreateUser(t.Context(), store.User{
		ID: "user-ann", Name: "安, Ann", Enabled: true, Roles: []string{"buyer", "staff member"}, Version: 1, Phone: "+8613800000001",
		Identities: []store.Identity{{CorpID: "ww0123", WeComUserID: "ann", Authenticator: "demo"}},
	}))
	return s
}

func (s *service) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *service) application(a store.Application) {
	s.t.Helper()
	a.Enabled, a.FirstParty, a.Generation, a.Version = true, true, "g", 1
	a.Claims = claims.DefaultRules()
	a.CreatedAt, a.UpdatedAt, a.RefreshTokenLifetime = s.now, s.now, 720*time.Hour
	s.ok(s.store.CreateApplication(s.t.Context(), a))
}

func (s *service) change(id string, change func(*store.Application)) {
	s.t.Helper()
	from, err := s.store.Application(s.t.Context(), id)
	s.ok(err)
	to := from
	change(&to)
	to.Version++
	s.ok(s.store.UpdateApplication(s.t.Context(), from, to))
}

// sessionOf returns the id of the session with which signIn signs in to an application.
func sessionOf(applicationID string) string { return strings.Repeat(applicationID[:1], 43) }

// signIn starts a session of the member, and a sign-in to an application by the rules of the
// provider, whose cookie it returns.
func (s *service) signIn(applicationID string) string {
	s.t.Helper()
	lineage := store.NewID()
	session := store.Session{
		UserID: "user-ann", AuthenticatorName: "demo", AuthenticatorID: "1", AuthenticatorGeneration: "g", CorpID: "ww0123", WeComUserID: "ann",
		SignedInAt: s.now, ExpiresAt: s.now.Add(8 * time.Hour), Lineage: lineage,
	}
	s.ok(s.store.StartSession(s.t.Context(), store.AttemptResult{
		SessionKey: authflow.SessionKey(sessionOf(applicationID)), Kind: store.ResultSession, KeepUntil: session.ExpiresAt, Session: session,
	}, false))
	user, err := s.store.User(s.t.Context(), "user-ann")
	s.ok(err)
	a, err := s.store.Application(s.t.Context(), applicationID)
	s.ok(err)
	provider := &oauth.Provider{
		Store: s.store, Applications: s.store, Authenticators: s.store, ProxyCookies: s.cookies,
		Now: func() time.Time { return s.now }, LogField: func(context.Context, string, any) {},
	}
	call, verifier := oauth.Call{Issuer: public, RequestID: "r"}, strings.Repeat("v", 43)
	address, err := url.Parse(provider.ProxyAuthorizationURL(oauth.ProxyAuthorization{Call: call, Application: a, State: "state", Verifier: verifier}))
	s.ok(err)
	decision, err := provider.Authorize(s.t.Context(), oauth.AuthorizeInput{
		Call: call, RawQuery: address.RawQuery, Session: &oauth.Session{Lineage: lineage, Session: session, User: user},
	})
	s.ok(err)
	back, err := url.Parse(decision.URL)
	s.ok(err)
	cookie, err := provider.SignInToProxy(s.t.Context(), oauth.ProxySignIn{Call: call, Application: a, Code: back.Query().Get("code"), Verifier: verifier})
	s.ok(err)
	return cookie.Value
}

// event is a request as API Gateway describes it ("Control access to HTTP APIs with AWS
// Lambda authorizers", payload format 2.0), with a few parts put in.
func event(application, domain string, cookies ...string) map[string]any {
	return map[string]any{
		"version": "2.0", "type": "REQUEST",
		"routeArn":       "arn:aws:execute-api:eu-central-1:111122223333:a1b2c3d4/$default/GET/orders",
		"identitySource": []string{strings.Join(cookies, "; "), domain, application},
		"routeKey":       "GET /orders", "rawPath": "/orders", "rawQueryString": "wecomApplication=orders",
		"cookies":               cookies,
		"headers":               map[string]string{"host": "orders.example.org", "x-forwarded-host": "orders.example.org", "x-auth-user": "user-bob", "sec-fetch-mode": "cors"},
		"queryStringParameters": map[string]string{"wecomApplication": "orders"},
		"requestContext": map[string]any{
			"accountId": "111122223333", "apiId": "a1b2c3d4", "domainName": domain, "domainPrefix": "orders",
			"http":      map[string]string{"method": "GET", "path": "/orders", "protocol": "HTTP/1.1", "sourceIp": "198.51.100.7", "userAgent": "agent"},
			"requestId": "request-1", "routeKey": "GET /orders", "stage": "$default", "time": "29/Nov/2026:12:00:00 +0000", "timeEpoch": 1795953600000,
		},
		"pathParameters": map[string]string{"application": "orders"},
		"stageVariables": map[string]string{"wecomApplication": application},
	}
}

// ask returns the answer as the gateway gets it.
func (s *service) ask(event any) (string, error) {
	s.t.Helper()
	payload, ok := event.(string)
	if !ok {
		encoded, err := json.Marshal(event)
		s.ok(err)
		payload = string(encoded)
	}
	response, err := s.authorizer.Function(s.t.Context(), json.RawMessage(payload))
	answer, encodingErr := json.Marshal(response)
	s.ok(encodingErr)
	return string(answer), err
}

const no = `{"isAuthorized":false}`

func (s *service) refused(name string, event any) {
	s.t.Helper()
	if got, err := s.ask(event); got != no || err != nil {
		s.t.Errorf("%s: %s, %v", name, got, err)
	}
}

func TestMemberIsAuthorized(t *testing.T) {
	s := newService(t, config{})
	value := s.signIn("orders")
	got, err := s.ask(event("orders", domain, "theme=dark", cookie+"="+value))
	s.ok(err)
	const want = `{"isAuthorized":true,"context":{"email":"","groups":"role:buyer role:staff%20member","name":"%E5%AE%89%2C%20Ann","phone":"+8613800000001",` +
		`"roles":"buyer staff%20member","token":"","user":"user-ann"}}`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got, err := s.ask(event("orders", "Orders.Example.ORG", cookie+"="+value)); err != nil || got != want {
		t.Errorf("%s, %v", got, err)
	}
	for _, part := range []string{`"application":"orders"`, `"user":"user-ann"`, `"authorized":true`, `"api":"a1b2c3d4"`, `"requestId":"request-1"`} {
		if !strings.Contains(s.log.String(), part) {
			t.Errorf("the log has no %s: %s", part, s.log.String())
		}
	}
	if strings.Contains(s.log.String(), value) {
		t.Error("the log has the cookie")
	}
}

func TestForgedOrForeignCookieDoesNotAuthorize(t *testing.T) {
	s := newService(t, config{})
	own, others := s.signIn("orders"), s.signIn("invoices")
	for name, cookies := range map[string][]string{
		"none": nil, "empty": {cookie + "="}, "made up": {cookie + "=a.b.c.d"}, "cut": {cookie + "=" + own[:len(own)-1]},
		"of another application": {"__Host-wecom_auth_invoices=" + others}, "renamed": {cookie + "=" + others},
		"the session": {"__Host-wecom_session=" + sessionOf("orders") + ".user-ann"}, "a shared session": {"__Secure-wecom_session=" + sessionOf("orders") + ".user-ann"},
		"under a longer name": {cookie + "2=" + own}, "under another case": {strings.ToUpper(cookie) + "=" + own}, "very long": {cookie + "=" + strings.Repeat("a.", 4000)},
	} {
		s.refused(name, event("orders", domain, cookies...))
	}
}

// TestOtherAPIDoesNotLearnMembers: the application's name is not enough, and what a visitor
// says of its host counts for nothing.
func TestOtherAPIDoesNotLearnMembers(t *testing.T) {
	s := newService(t, config{})
	own := cookie + "=" + s.signIn("orders")
	for _, other := range []string{"", "evil.example", "a1b2c3d4.execute-api.eu-central-1.amazonaws.com", domain + ".evil.example", "x." + domain, domain + ":8443", domain + "/", "user@" + domain} {
		s.refused(other, event("orders", other, own))
	}
	s.change("orders", func(a *store.Application) { a.Homepage = "http://" + domain + "/" })
	s.refused("a homepage without TLS", event("orders", domain, own))
}

func TestVisitorDoesNotChooseTheApplication(t *testing.T) {
	s := newService(t, config{})
	own := cookie + "=" + s.signIn("orders")
	for name, application := range map[string]string{
		"none": "", "unknown": "nobody", "of another kind": "mail", "of another name": "invoices", "no id": "../orders", "another case": "ORDERS",
	} {
		s.refused(name, event(application, domain, own))
	}
	without := event("orders", domain, own)
	delete(without, "stageVariables")
	s.refused("no stage variables", without)
}

// TestEndedAccessDoesNotAuthorize: each question reads grant, session and user.
func TestEndedAccessDoesNotAuthorize(t *testing.T) {
	for name, end := range map[string]func(s *service){
		"the user is disabled": func(s *service) {
			user, err := s.store.User(t.Context(), "user-ann")
			s.ok(err)
			changed := user
			changed.Enabled, changed.Version = false, user.Version+1
			s.ok(s.store.UpdateUser(t.Context(), user, changed))
		},
		"the application is disabled": func(s *service) { s.change("orders", func(a *store.Application) { a.Enabled = false }) },
		"it is not for this member":   func(s *service) { s.change("orders", func(a *store.Application) { a.Allow.Roles = []string{"boss"} }) },
		"the session is over":         func(s *service) { s.now = s.now.Add(9 * time.Hour) },
	} {
		s := newService(t, config{})
		ask := event("orders", domain, cookie+"="+s.signIn("orders"))
		if got, err := s.ask(ask); err != nil || got == no {
			t.Fatal(got, err)
		}
		end(s)
		s.refused(name, ask)
	}
}

func TestSharedSessionAuthorizes(t *testing.T) {
	s := newService(t, config{sessionDomain: "example.org"})
	s.signIn("orders")
	shared := "__Secure-wecom_session=" + sessionOf("orders") + ".user-ann"
	if got, err := s.ask(event("orders", domain, "__Secure-wecom_session="+strings.Repeat("B", 43)+".user-ann", shared)); err != nil || !strings.Contains(got, `"user":"user-ann"`) {
		t.Error(got, err)
	}
	s.refused("a session nobody has", event("orders", domain, "__Secure-wecom_session="+strings.Repeat("B", 43)+".user-ann"))
	s.refused("an API that is not the application's", event("orders", "evil.example.org", shared))
}

func TestTokenIsOfTheServiceAndForTheApplication(t *testing.T) {
	s := newService(t, config{})
	s.change("orders", func(a *store.Application) { a.ForwardAuthToken = true })
	got, err := s.ask(event("orders", domain, cookie+"="+s.signIn("orders")))
	s.ok(err)
	var answer struct{ Context map[string]string }
	s.ok(json.Unmarshal([]byte(got), &answer))
	set, err := signingKeys()
	s.ok(err)
	published, err := keys.Public(set)
	s.ok(err)
	verifier := keys.NewVerifier(keys.VerifierConfig{
		Document: func(context.Context) ([]byte, error) { return published, nil }, Now: func() time.Time { return s.now },
	})
	if token, err := verifier.VerifyOAuth(t.Context(), answer.Context["token"], public); err != nil || token.ClientID != "orders" || token.Subject != "user-ann" {
		t.Errorf("%+v, %v", token, err)
	}
	if strings.Contains(s.log.String(), answer.Context["token"]) {
		t.Error("the log has the token")
	}
}

// failed is an error, of which the gateway keeps nothing, and says nothing of its cause.
func (s *service) failed(name string, event any) {
	s.t.Helper()
	s.log.Reset()
	if got, err := s.ask(event); got != no || !errors.Is(err, sessionauthorizer.ErrUnavailable) {
		s.t.Errorf("%s: %s, %v", name, got, err)
	}
	if !strings.Contains(s.log.String(), `"InternalErrors":1`) || !strings.Contains(s.log.String(), `"authorized":false`) {
		s.t.Errorf("%s: %s", name, s.log.String())
	}
}

func TestTokenWithoutKeysIsAnError(t *testing.T) {
	s := newService(t, config{noKeys: true})
	s.change("orders", func(a *store.Application) { a.ForwardAuthToken = true })
	s.failed("no keys", event("orders", domain, cookie+"="+s.signIn("orders")))
	if !strings.Contains(s.log.String(), `"cause":"signing_keys_missing"`) {
		t.Error(s.log.String())
	}
}

func TestUnreadableEventIsAnError(t *testing.T) {
	s := newService(t, config{})
	for _, payload := range []string{"", "[]", `"secret-of-somebody"`, `{"cookies":"secret-of-somebody"}`} {
		s.failed(payload, payload)
		if strings.Contains(s.log.String(), "secret-of-somebody") {
			t.Error("the log quotes the event")
		}
	}
	s.refused("an empty event", "{}")
}

// provider decides as a test says.
type provider func(ctx context.Context) (oauth.ProxyAccess, error)

func (p provider) CheckProxy(ctx context.Context, _ oauth.ProxyRequest) (oauth.ProxyAccess, error) {
	return p(ctx)
}

// TestAuthorizerFailsClosed: neither a store that fails nor one that does not answer, nor a
// fault of our own, is a yes, and none takes longer than two seconds.
func TestAuthorizerFailsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, decide := range map[string]provider{
			"an error": func(context.Context) (oauth.ProxyAccess, error) { return oauth.ProxyAccess{}, errors.New("no store") },
			"a wrapped error": func(context.Context) (oauth.ProxyAccess, error) {
				return oauth.ProxyAccess{}, fmt.Errorf("read: %w", errors.New("no store"))
			},
			"a panic": func(context.Context) (oauth.ProxyAccess, error) { panic("fault") },
			"no answer": func(ctx context.Context) (oauth.ProxyAccess, error) {
				<-ctx.Done()
				return oauth.ProxyAccess{}, ctx.Err()
			},
		} {
			s := &service{t: t}
			s.authorizer = sessionauthorizer.New(sessionauthorizer.Config{
				Provider: decide, PublicURL: public, Service: "s", Logger: slog.New(slog.NewJSONHandler(&s.log, nil)),
			})
			began := time.Now()
			s.failed(name, event("orders", domain, cookie+"=a.b.c.d"))
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("%s: %v", name, took)
			}
		}
	})
}
