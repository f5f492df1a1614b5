package forwardauth_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/functions/forwardauth"
	"github.com/wecom-signin/wecom-signin/functions/openid"
	"github.com/wecom-signin/wecom-signin/shared/aead/aeadtest"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/secret/sealedfile"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded/embeddedtest"
)

const (
	public = "https://signin.example.com"
	origin = "https://wiki.example.org"
	start  = origin + "/.wecom-signin/wiki/start"
	cookie = "__Host-wecom_auth_wiki"
	html   = "text/html,application/xhtml+xml,*/*;q=0.8"
)

// service is the functions openid and forwardauth, whole, over one engine.
type service struct {
	t      *testing.T
	store  store.Engine
	now    time.Time
	openid apigw.Function
	proxy  apigw.Function
	log    bytes.Buffer
}

// signingKeys are made once for all tests, because making them takes long.
var signingKeys = sync.OnceValues(func() (keys.Set, error) { return keys.Generate(time.Now()) })

// config is what tests change.
type config struct {
	open          func(now func() time.Time) store.Engine
	sessionDomain string
	noKeys        bool
}

func newService(t *testing.T, cfg config) *service {
	t.Helper()
	s := &service{t: t, now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return s.now }
	if cfg.open == nil {
		s.store = embeddedtest.New(t, now)
	} else {
		s.store = cfg.open(now)
	}
	secrets, err := sealedfile.Open(sealedfile.Config{Path: t.TempDir() + "/secrets", KeyPath: t.TempDir() + "/key"})
	s.ok(err)
	set, err := signingKeys()
	s.ok(err)
	encoded, err := set.Encode()
	s.ok(err)
	for name, value := range map[string]string{"sealing": aeadtest.Keys, "signing": encoded} {
		s.ok(secrets.Create(t.Context(), name, strings.Repeat("v", 32), secret.NewValue(value)))
	}
	deps := app.Deps{
		Settings: settings.Settings{
			PublicURL: public, SealingKeysSecret: "sealing", SigningKeysSecret: "signing", ForwardAuthKeysSecret: "signing",
			SessionCookieDomain: cfg.sessionDomain,
		},
		Store: s.store, Secrets: secrets, Now: now, Authenticators: s.store, Applications: s.store,
	}
	if cfg.open != nil { // as in Lambda
		deps.Authenticators, deps.Applications = store.CacheAuthenticators(s.store, 10*time.Second, now), store.CacheApplications(s.store, 10*time.Second, now)
	}
	if cfg.noKeys {
		deps.Settings.ForwardAuthKeysSecret = ""
	}
	function := func(name string, assemble app.NewHandler) apigw.Function {
		handler, err := assemble(t.Context(), deps)
		s.ok(err)
		return apigw.New(apigw.Config{Handler: handler, PublicURL: public, Name: name, Logger: slog.New(slog.NewJSONHandler(&s.log, nil))})
	}
	s.openid, s.proxy = function("openid", openid.NewHandler), function("forwardauth", forwardauth.NewHandler)
	s.ok(s.store.CreateAuthenticator(t.Context(), store.Authenticator{
		ID: "1", Name: "demo", Title: "Demo", Enabled: true, CorpID: "ww0123", AgentID: "1000002", SecretVersion: "v",
		Origin: "https://app.example.com", WorkbenchRedirectPath: "/", Generation: "g", Version: 1,
	}))
	s.application(store.Application{ID: "wiki", Title: "Wiki", Kind: store.KindProxy, Homepage: origin + "/home"})
	s.application(store.Application{ID: "mail", Title: "Mail", Kind: store.KindWeb, Homepage: "https://mail.example.org/", RedirectURIs: []string{"https://mail.example.org/cb"}})
	return s
}

func (s *service) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// application registers an application that is on and one's own.
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

// causes returns what administrators see of an application, newest first.
func (s *service) causes(id string) (causes []string) {
	s.t.Helper()
	events, err := s.store.EventsOfApplication(s.t.Context(), id, 100)
	s.ok(err)
	for _, e := range events {
		causes = append(causes, strings.TrimSpace(e.Result+" "+e.Cause))
	}
	return causes
}

// browser keeps cookies, by host.
type browser struct {
	*service
	cookies map[string]map[string]string
	lineage string
	user    store.User
}

func (s *service) browser() *browser {
	return &browser{service: s, cookies: map[string]map[string]string{}}
}

// member is a browser in which a member has signed in just now.
func (s *service) member(name string, roles ...string) *browser {
	s.t.Helper()
	b := s.browser()
	user, err := s.store.User(s.t.Context(), "user-"+name)
	if err != nil {
		user = store.User{
			ID: "user-" + name, Name: name, Enabled: true, Roles: roles, Version: 1, Phone: "+86138000000" + string([]byte{'0' + byte(len(name)), '0' + name[0]%10}),
			Identities: []store.Identity{{CorpID: "ww0123", WeComUserID: name, Authenticator: "demo"}},
		}
		s.ok(s.store.CreateUser(s.t.Context(), user))
	}
	b.user = user
	id := (rand.Text() + rand.Text())[:43]
	b.lineage = store.NewID()
	s.ok(s.store.StartSession(s.t.Context(), store.AttemptResult{
		SessionKey: authflow.SessionKey(id), Kind: store.ResultSession, KeepUntil: s.now.Add(8 * time.Hour),
		Session: store.Session{
			UserID: user.ID, UserGeneration: user.SessionGeneration, AuthenticatorName: "demo", AuthenticatorID: "1",
			AuthenticatorGeneration: "g", CorpID: "ww0123", WeComUserID: user.Name, SignedInAt: s.now,
			ExpiresAt: s.now.Add(8 * time.Hour), Lineage: b.lineage,
		},
	}, false))
	b.jar("signin.example.com")["__Host-wecom_session"] = id + "." + user.ID
	b.jar("signin.example.com")["__Secure-wecom_session"] = id + "." + user.ID
	return b
}

func (b *browser) jar(host string) map[string]string {
	if b.cookies[host] == nil {
		b.cookies[host] = map[string]string{}
	}
	return b.cookies[host]
}

// answer is what a function answers.
type answer struct {
	status  int
	headers map[string]string
	cookies []string
	body    string
}

func (a answer) location(t *testing.T) string {
	t.Helper()
	if a.status != http.StatusFound && a.status != http.StatusSeeOther {
		t.Fatalf("status %d instead of a redirect: %.2000s", a.status, a.body)
	}
	return a.headers["location"]
}

// send sends a request to the function that the path belongs to.
func (s *service) send(method, path string, headers, cookies map[string]string) answer {
	s.t.Helper()
	path, query, _ := strings.Cut(path, "?")
	event := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RawPath: path, RawQueryString: query, RouteKey: "ANY /{proxy+}",
		Headers: map[string]string{"host": "attacker.example", "accept-language": "en"},
	}
	for name, value := range headers {
		event.Headers[strings.ToLower(name)] = value
	}
	for name, value := range maps.All(cookies) {
		event.Cookies = append(event.Cookies, name+"="+value)
	}
	event.RequestContext.HTTP.Method = method
	event.RequestContext.RequestID, event.RequestContext.DomainName = "request-1", "api.example.net"
	function := s.proxy
	if strings.HasPrefix(path, "/oauth2/") && !strings.HasPrefix(path, "/oauth2/forward-auth/") {
		function = s.openid
	}
	response, err := function(context.Background(), event)
	s.ok(err)
	a := answer{response.StatusCode, response.Headers, response.Cookies, response.Body}
	if a.headers["cache-control"] != "no-store" {
		s.t.Errorf("%s %s may be stored", method, path)
	}
	return a
}

// open gets an address of a host, as a person does.
func (b *browser) open(address string) answer {
	b.t.Helper()
	u, err := url.Parse(address)
	b.ok(err)
	jar := b.jar(u.Host)
	a := b.send("GET", u.RequestURI(), map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, jar)
	for _, header := range a.cookies {
		set, err := http.ParseSetCookie(header)
		b.ok(err)
		if set.MaxAge < 0 {
			delete(jar, set.Name)
		} else {
			jar[set.Name] = set.Value
		}
	}
	return a
}

// follow opens addresses until one is answered with a page, or leaves the service for the
// application.
func (b *browser) follow(address string) (last string, a answer) {
	b.t.Helper()
	for range 10 {
		u, err := url.Parse(address)
		b.ok(err)
		if !strings.HasPrefix(u.Path, "/.wecom-signin/") && !strings.HasPrefix(u.Path, "/oauth2/") {
			return address, a
		}
		a = b.open(address)
		if a.status != http.StatusFound && a.status != http.StatusSeeOther {
			return address, a
		}
		address = a.headers["location"]
	}
	b.t.Fatal("redirects without end")
	return "", a
}

// check asks in a dialect with the cookies of the application's host. The headers are those
// of a person's navigation, with changes.
func (b *browser) check(path string, changes map[string]string) answer {
	b.t.Helper()
	headers := map[string]string{
		"Accept": html, "X-Original-URL": origin + "/deep?link=1", "X-Original-Method": "GET",
		"X-Forwarded-Proto": "https", "X-Forwarded-Host": "wiki.example.org", "X-Forwarded-Uri": "/deep?link=1", "X-Forwarded-Method": "GET",
	}
	for name, value := range changes {
		headers[name] = value
		if value == "" {
			delete(headers, name)
		}
	}
	a := b.send("GET", path, headers, b.jar("wiki.example.org"))
	if len(a.cookies) != 0 {
		b.t.Errorf("%s sets %v, which nginx loses", path, a.cookies)
	}
	return a
}

// signIn signs in to the application and comes back to a path.
func (b *browser) signIn() {
	b.t.Helper()
	if last, a := b.follow(start + "?to=%2Fdeep"); last != origin+"/deep" {
		b.t.Fatalf("ended at %s: %d %s", last, a.status, a.body)
	}
}

// proxyAnswer is send for several at once.
func (s *service) proxyAnswer(path string, cookies map[string]string) answer {
	return s.send("GET", path, map[string]string{"Accept": html}, cookies)
}
