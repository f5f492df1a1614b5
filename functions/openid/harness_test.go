package openid_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/functions/openid"
	"github.com/wecom-signin/wecom-signin/shared/aead/aeadtest"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/authflow"
	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/secret/sealedfile"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded/embeddedtest"
)

const (
	public     = "https://signin.example.com"
	callback   = "https://wiki.example.com/callback?tenant=7"
	spaOrigin  = "https://spa.example.com"
	spaAddress = spaOrigin + "/callback"
	form       = "application/x-www-form-urlencoded"
	desktopUA  = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140 Safari/537.36"
	wecomUA    = "Mozilla/5.0 (Linux; Android 14; wv) Chrome/134 Mobile Safari/537.36 WxWork/4.1.38 MicroMessenger/7.0.1"
	// The verifier and challenge of RFC 7636, appendix B.
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// provider is the function, whole, over an engine in a file: full request in, full answer
// out.
type provider struct {
	t        *testing.T
	store    store.Engine
	now      time.Time
	function apigw.Function
	log      bytes.Buffer
	secret   string // of the application wiki
	notified []string
}

func (p *provider) SessionEnded(_ context.Context, lineage store.Lineage) error {
	p.notified = append(p.notified, lineage.ID+" of "+strings.Join(lineage.Applications, ","))
	return nil
}

func (*provider) UserEnded(context.Context, string) error { return nil }

func (*provider) MemberEnded(context.Context, string, int64) error { return nil }

func (*provider) ApplicationEnded(context.Context, string, string) error { return nil }

func (*provider) AuthenticatorEnded(context.Context, store.Authenticator) error { return nil }

// signingKeys are made once for all tests, because making them takes long.
var signingKeys = sync.OnceValues(func() (keys.Set, error) { return keys.Generate(time.Now()) })

func newProvider(t *testing.T) *provider {
	t.Helper()
	return newProviderWith(t, func(now func() time.Time) store.Engine {
		return embeddedtest.New(t, now)
	}, func(secrets secret.Store) secret.Store { return secrets })
}

func newProviderWith(t *testing.T, open func(now func() time.Time) store.Engine, throughSecrets func(secret.Store) secret.Store) *provider {
	t.Helper()
	p := &provider{t: t, now: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return p.now }
	p.store = open(now)
	secrets, err := sealedfile.Open(sealedfile.Config{Path: t.TempDir() + "/secrets", KeyPath: t.TempDir() + "/key"})
	p.ok(err)
	set, err := signingKeys()
	p.ok(err)
	encoded, err := set.Encode()
	p.ok(err)
	published, err := keys.Public(set)
	p.ok(err)
	p.ok(p.store.PutPublicKeys(t.Context(), store.PublicKeys{Document: published, UpdatedAt: p.now}))
	for name, value := range map[string]string{"sealing": aeadtest.Keys, "signing": encoded} {
		p.ok(secrets.Create(t.Context(), name, strings.Repeat("v", 32), secret.NewValue(value)))
	}
	var authenticators store.AuthenticatorReader = p.store
	var applications store.ApplicationReader = p.store
	if _, isFile := p.store.(*embedded.Engine); !isFile { // as in Lambda
		authenticators, applications = store.CacheAuthenticators(p.store, 10*time.Second, now), store.CacheApplications(p.store, 10*time.Second, now)
	}
	handler, err := openid.NewHandler(t.Context(), app.Deps{
		Settings: settings.Settings{PublicURL: public, SealingKeysSecret: "sealing", SigningKeysSecret: "signing"},
		Store:    p.store, Secrets: throughSecrets(secrets), Now: now, LogoutNotifier: p,
		Authenticators: authenticators, Applications: applications,
	})
	p.ok(err)
	p.function = apigw.New(apigw.Config{
		Handler: handler, PublicURL: public, Name: "openid", MaxBody: openid.MaxBody,
		Logger: slog.New(slog.NewJSONHandler(&p.log, nil)),
	})
	p.ok(p.store.CreateAuthenticator(t.Context(), store.Authenticator{
		ID: "1", Name: "demo", Title: "Demo", Enabled: true, CorpID: "ww0123", AgentID: "1000002", SecretVersion: "v",
		Origin: "https://app.example.com", WorkbenchRedirectPath: "/", Generation: "g", Version: 1,
	}))
	clientSecret, record, err := oauth.NewSecret(rand.Reader, p.now)
	p.ok(err)
	p.secret = clientSecret.Reveal()
	p.application(store.Application{
		ID: "wiki", Title: "Wiki", Kind: store.KindWeb, Homepage: "https://wiki.example.com/", RedirectURIs: []string{callback},
		PostLogoutRedirectURIs: []string{"https://wiki.example.com/bye"}, Secrets: []store.ClientSecret{record},
	})
	p.application(store.Application{ID: "spa", Title: "Board", Kind: store.KindBrowser, RedirectURIs: []string{spaAddress}})
	return p
}

func (p *provider) ok(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// application registers an application that is on and one's own.
func (p *provider) application(a store.Application) {
	p.t.Helper()
	a.Enabled, a.FirstParty, a.Generation, a.Version = true, true, "g", 1
	a.Claims = claims.DefaultRules()
	a.CreatedAt, a.UpdatedAt, a.RefreshTokenLifetime = p.now, p.now, 720*time.Hour
	p.ok(p.store.CreateApplication(p.t.Context(), a))
}

// change changes an application.
func (p *provider) change(id string, change func(*store.Application)) {
	p.t.Helper()
	from, err := p.store.Application(p.t.Context(), id)
	p.ok(err)
	to := from
	change(&to)
	to.Version++
	p.ok(p.store.UpdateApplication(p.t.Context(), from, to))
}

// member is a browser in which a member has signed in just now.
func (p *provider) member(name string, roles ...string) *browser {
	p.t.Helper()
	user, err := p.store.User(p.t.Context(), "user-"+name)
	if err != nil {
		user = store.User{
			ID: "user-" + name, Name: name, Enabled: true, Roles: roles, Version: 1,
			Identities: []store.Identity{{CorpID: "ww0123", WeComUserID: name, Authenticator: "demo"}},
			Phone:      "+861380000" + string([]byte{'0' + byte(len(name)), '0' + name[0]%10, '0' + name[len(name)-1]%10, '0'}),
		}
		p.ok(p.store.CreateUser(p.t.Context(), user))
	}
	b := p.browser()
	b.signIn(user)
	return b
}

// browser has no session.
func (p *provider) browser() *browser {
	return &browser{provider: p, cookies: map[string]string{}, agent: desktopUA}
}

// browser keeps cookies.
type browser struct {
	*provider
	cookies map[string]string
	agent   string
	lineage string
}

// signIn gives the browser a session, as the callback does.
func (b *browser) signIn(user store.User) {
	b.t.Helper()
	id := (rand.Text() + rand.Text())[:43]
	b.lineage = store.NewID()
	b.ok(b.store.StartSession(b.t.Context(), store.AttemptResult{
		SessionKey: authflow.SessionKey(id), Kind: store.ResultSession, KeepUntil: b.now.Add(8 * time.Hour),
		Session: store.Session{
			UserID: user.ID, UserGeneration: user.SessionGeneration, AuthenticatorName: "demo", AuthenticatorID: "1",
			AuthenticatorGeneration: "g", CorpID: "ww0123", WeComUserID: user.Name, SignedInAt: b.now,
			ExpiresAt: b.now.Add(8 * time.Hour), Lineage: b.lineage,
		},
	}, false))
	b.cookies["__Host-wecom_session"] = id + "." + user.ID
}

// answer is what the function answers.
type answer struct {
	status  int
	headers map[string]string
	cookies []string
	body    string
}

// json returns the members of a JSON answer.
func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal([]byte(a.body), &members); err != nil {
		t.Fatalf("%v: %d %s", err, a.status, a.body)
	}
	return members
}

// location returns where an answer redirects to, and its query.
func (a answer) location(t *testing.T) (address string, query url.Values) {
	t.Helper()
	if a.status != http.StatusSeeOther && a.status != http.StatusFound {
		t.Fatalf("status %d instead of a redirect: %.2000s", a.status, a.body)
	}
	address = a.headers["location"]
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return address, parsed.Query()
}

// request is a request of an application or of a browser.
type request struct {
	method, path, query, body string
	headers                   map[string]string
}

func (p *provider) send(r request, cookies map[string]string) answer {
	p.t.Helper()
	event := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RawPath: r.path, RawQueryString: r.query, Body: r.body, RouteKey: r.method + " " + r.path,
		Headers: map[string]string{"host": "attacker.example", "accept-language": "en"},
	}
	if r.body != "" {
		event.Headers["content-type"] = form
	}
	for name, value := range r.headers {
		event.Headers[strings.ToLower(name)] = value
	}
	for name, value := range maps.All(cookies) {
		event.Cookies = append(event.Cookies, name+"="+value)
	}
	event.RequestContext.HTTP.Method = r.method
	event.RequestContext.RequestID, event.RequestContext.DomainName = "request-1", "api.example.net"
	response, err := p.function(p.t.Context(), event)
	p.ok(err)
	return answer{response.StatusCode, response.Headers, response.Cookies, response.Body}
}

func (b *browser) send(r request) answer {
	b.t.Helper()
	headers := map[string]string{"User-Agent": b.agent}
	maps.Copy(headers, r.headers)
	r.headers = headers
	a := b.provider.send(r, b.cookies)
	for _, header := range a.cookies {
		cookie, err := http.ParseSetCookie(header)
		b.ok(err)
		if cookie.MaxAge < 0 {
			delete(b.cookies, cookie.Name)
		} else {
			b.cookies[cookie.Name] = cookie.Value
		}
	}
	return a
}

func (b *browser) get(path, query string) answer {
	b.t.Helper()
	return b.send(request{method: "GET", path: path, query: query})
}

// follow gets an address of the service to which an answer redirects.
func (b *browser) follow(a answer) answer {
	b.t.Helper()
	address, _ := a.location(b.t)
	path, ok := strings.CutPrefix(address, public)
	if !ok {
		b.t.Fatalf("leaves the service: %s", address)
	}
	path, query, _ := strings.Cut(path, "?")
	return b.get(path, query)
}

// wikiRequest is an authorization request of the application wiki, with changes.
func wikiRequest(changes ...string) string {
	query := url.Values{
		"response_type": {"code"}, "client_id": {"wiki"}, "redirect_uri": {callback}, "scope": {"openid profile phone"},
		"state": {"STATE of the application"}, "nonce": {"NONCE"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(changes); i += 2 {
		query.Del(changes[i])
		if changes[i+1] != "" {
			query.Set(changes[i], changes[i+1])
		}
	}
	return query.Encode()
}

func spaRequest(changes ...string) string {
	return wikiRequest(append([]string{"client_id", "spa", "redirect_uri", spaAddress}, changes...)...)
}

// code signs in to the application and returns its code.
func (b *browser) code(query string) string {
	b.t.Helper()
	_, answered := b.get("/oauth2/authorize", query).location(b.t)
	if answered.Get("code") == "" || answered.Get("iss") != public {
		b.t.Fatalf("no code: %v", answered)
	}
	return answered.Get("code")
}

// post sends a form to an endpoint for servers. With a secret it authenticates wiki.
func (p *provider) post(path string, values url.Values, headers map[string]string) answer {
	p.t.Helper()
	return p.send(request{method: "POST", path: path, body: values.Encode(), headers: headers}, nil)
}

func (p *provider) asWiki(values url.Values) url.Values {
	values.Set("client_id", "wiki")
	values.Set("client_secret", p.secret)
	return values
}

// exchange exchanges a code of the application wiki.
func (p *provider) exchange(code string) map[string]any {
	p.t.Helper()
	a := p.post("/oauth2/token", p.asWiki(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier},
	}), nil)
	if a.status != http.StatusOK {
		p.t.Fatalf("%d %s", a.status, a.body)
	}
	return a.json(p.t)
}
