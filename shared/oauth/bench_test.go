package oauth_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/wecom-signin/wecom-signin/shared/aead"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded/embeddedtest"
)

const (
	issuer   = "https://signin.example.com"
	redirect = "https://wiki.example.com/callback"
	verifier = "a-verifier-of-forty-three-characters-at-least"
	nonce    = "a-nonce"
	state    = "a state/+&="
)

var start = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// keySet is shared by the tests: making keys is the slow part of them.
var keySet = sync.OnceValue(func() keys.Set {
	set, err := keys.Generate(start)
	if err != nil {
		panic(err)
	}
	return set
})

// bench is a provider on a store, with one application of each sort and one member who is
// signed in.
type bench struct {
	*testing.T
	*oauth.Provider
	store   *countingStore
	clock   atomic.Int64 // Unix nanoseconds
	user    store.User
	session *oauth.Session
	secrets map[string]string // by client id
	logged  sync.Map
}

// countingStore counts the calls, and can fail.
type countingStore struct {
	store.Engine
	mu    sync.Mutex
	calls []string
	fail  map[string]error
	// before runs once before the next call of a name: what another request does just then.
	before map[string]func()
}

func (s *countingStore) note(call string) error {
	s.mu.Lock()
	s.calls = append(s.calls, call)
	before, err := s.before[call], s.fail[call]
	delete(s.before, call)
	s.mu.Unlock()
	if before != nil {
		before()
	}
	return err
}

func (s *countingStore) reset() { s.mu.Lock(); s.calls = nil; s.mu.Unlock() }

func (s *countingStore) Consent(ctx context.Context, userID, applicationID string) (store.Consent, error) {
	if err := s.note("Consent"); err != nil {
		return store.Consent{}, err
	}
	return s.Engine.Consent(ctx, userID, applicationID)
}

func (s *countingStore) PutConsent(ctx context.Context, c store.Consent) error {
	if err := s.note("PutConsent"); err != nil {
		return err
	}
	return s.Engine.PutConsent(ctx, c)
}

func (s *countingStore) CreateGrant(ctx context.Context, g store.Grant, end time.Time) error {
	if err := s.note("CreateGrant"); err != nil {
		return err
	}
	return s.Engine.CreateGrant(ctx, g, end)
}

func (s *countingStore) Grant(ctx context.Context, id string) (store.Grant, error) {
	if err := s.note("Grant"); err != nil {
		return store.Grant{}, err
	}
	return s.Engine.Grant(ctx, id)
}

func (s *countingStore) GrantState(ctx context.Context, id, userID, lineage string) (store.Grant, store.User, store.Lineage, error) {
	if err := s.note("GrantState"); err != nil {
		return store.Grant{}, store.User{}, store.Lineage{}, err
	}
	return s.Engine.GrantState(ctx, id, userID, lineage)
}

func (s *countingStore) RotateGrant(ctx context.Context, id string, refreshed int64, at, expiresAt, keepUntil time.Time) error {
	if err := s.note("RotateGrant"); err != nil {
		return err
	}
	return s.Engine.RotateGrant(ctx, id, refreshed, at, expiresAt, keepUntil)
}

func (s *countingStore) RevokeGrant(ctx context.Context, id string) error {
	if err := s.note("RevokeGrant"); err != nil {
		return err
	}
	return s.Engine.RevokeGrant(ctx, id)
}

// RecordAudit fails if it is to; it is not counted, because it is no part of the usual flows.
func (s *countingStore) RecordAudit(ctx context.Context, line store.AuditLine) error {
	if err := s.fail["RecordAudit"]; err != nil {
		return err
	}
	return s.Engine.RecordAudit(ctx, line)
}

func (s *countingStore) RecordApplicationEvent(ctx context.Context, e store.ApplicationEvent) error {
	if err := s.note("RecordApplicationEvent"); err != nil {
		return err
	}
	return s.Engine.RecordApplicationEvent(ctx, e)
}

func (s *countingStore) NoteApplicationUse(ctx context.Context, id, secretID string, at time.Time) error {
	if err := s.note("NoteApplicationUse"); err != nil {
		return err
	}
	return s.Engine.NoteApplicationUse(ctx, id, secretID, at)
}

// newBench returns a bench on the embedded engine.
func newBench(t *testing.T) *bench {
	return benchOn(t, func(t *testing.T, now func() time.Time) store.Engine {
		return embeddedtest.New(t, now)
	})
}

// onBothEngines runs a test on each engine: races are decided there.
func onBothEngines(t *testing.T, test func(*bench)) {
	t.Run("embedded", func(t *testing.T) { test(newBench(t)) })
	t.Run("dynamo", func(t *testing.T) {
		server := dynamotest.Start(t)
		test(benchOn(t, func(t *testing.T, now func() time.Time) store.Engine {
			tables := server.CreateTables(t)
			engine, err := dynamo.New(dynamo.Config{Client: server.Client, DirectoryTable: tables.Directory, TransientTable: tables.Transient, AuditTable: tables.Audit, Now: now})
			if err != nil {
				t.Fatal(err)
			}
			return engine
		}))
	})
}

func benchOn(t *testing.T, open func(*testing.T, func() time.Time) store.Engine) *bench {
	t.Helper()
	b := &bench{T: t, secrets: map[string]string{}}
	b.clock.Store(start.UnixNano())
	now := func() time.Time { return time.Unix(0, b.clock.Load()).UTC() }
	b.store = &countingStore{Engine: open(t, now), fail: map[string]error{}, before: map[string]func(){}}
	sealing, err := aead.ParseKeys(secret.NewValue(`{"current":"0123456789abcdef0123456789abcdef"}`))
	b.must(err)
	refreshTokens, err := sealing.Deriver(aead.RefreshToken)
	b.must(err)
	forms, err := sealing.Deriver(aead.Form)
	b.must(err)
	proxyCookies, err := sealing.Deriver(aead.ProxyCookie)
	b.must(err)
	set := keySet()
	b.Provider = &oauth.Provider{
		Store: b.store, Applications: b.store, Authenticators: b.store,
		Signer: keys.NewMinter(keys.MinterConfig{Load: func(context.Context) (string, error) { return set.Encode() }, Now: now}),
		Verifier: keys.NewVerifier(keys.VerifierConfig{Document: func(context.Context) ([]byte, error) {
			return keys.Public(set)
		}, Now: now}),
		RefreshTokens: refreshTokens, Forms: forms, ProxyCookies: proxyCookies, Now: now,
		LogField: func(_ context.Context, name string, value any) { b.logged.Store(name, value) },
	}
	b.Audit = &audit.Log{Store: b.store, Now: now, LogField: b.LogField, RequestID: func(context.Context) string { return "request" }}
	b.seed()
	return b
}

func (b *bench) seed() {
	b.Helper()
	ctx := b.Context()
	b.must(b.store.CreateAuthenticator(ctx, store.Authenticator{ID: "auth-id", Name: "corp", Enabled: true, CorpID: "ww1", Generation: "auth-g", Version: 1}))
	b.user = b.member("+8613800000001", "ZhangSan")
	b.session = b.signIn(b.user, "lineage")
	for _, a := range []store.Application{
		{ID: "wiki", Kind: store.KindWeb, RedirectURIs: []string{redirect, "https://wiki.example.com/other?tenant=a%20b"}},
		{ID: "shop", Kind: store.KindWeb, RedirectURIs: []string{"https://shop.example.com/callback"}},
		{ID: "page", Kind: store.KindBrowser, RedirectURIs: []string{"https://page.example.com/"}},
		{ID: "tool", Kind: store.KindNative, RedirectURIs: []string{"http://127.0.0.1/callback", "com.example.tool:/callback"}},
		{ID: "proxied", Kind: store.KindProxy, Homepage: "https://proxied.example.com"},
	} {
		b.register(a)
	}
}

// register creates an application with a secret, unless its kind has none.
func (b *bench) register(a store.Application) store.Application {
	b.Helper()
	a.Title, a.Enabled, a.FirstParty, a.Generation, a.Version = strings.ToUpper(a.ID), true, !strings.HasPrefix(a.ID, "third"), "app-g", 1
	a.RefreshTokenLifetime, a.CreatedAt = 720*time.Hour, start
	a.PostLogoutRedirectURIs = append(a.PostLogoutRedirectURIs, "https://"+a.ID+".example.com/bye")
	a.Claims.Phone, a.Claims.InIDToken, a.Claims.PreferredUsername, a.Claims.GroupsName, a.Claims.GroupsFrom = true, true, "wecom_userid", "groups", []string{"roles"}
	if a.Kind == store.KindWeb {
		value, record, err := oauth.NewSecret(rand.Reader, start)
		b.must(err)
		b.secrets[a.ID], a.Secrets = value.Reveal(), []store.ClientSecret{record}
	}
	b.must(b.store.CreateApplication(b.Context(), a))
	return a
}

func (b *bench) change(id string, change func(*store.Application)) {
	b.Helper()
	from, err := b.store.Application(b.Context(), id)
	b.must(err)
	to := from
	change(&to)
	to.Version++
	b.must(b.store.UpdateApplication(b.Context(), from, to))
}

func (b *bench) changeUser(change func(*store.User)) {
	b.Helper()
	from, err := b.store.User(b.Context(), b.user.ID)
	b.must(err)
	to := from
	change(&to)
	to.Version++
	b.must(b.store.UpdateUser(b.Context(), from, to))
}

func (b *bench) member(phone, wecomUserID string) store.User {
	b.Helper()
	u := store.User{
		ID: store.NewUserID(b.Now()), Phone: phone, Name: "张三", Enabled: true, Roles: []string{"editor"}, SessionGeneration: 3, Version: 1,
		Identities: []store.Identity{{CorpID: "ww1", WeComUserID: wecomUserID}},
	}
	b.must(b.store.CreateUser(b.Context(), u))
	return u
}

func (b *bench) signIn(u store.User, lineage string) *oauth.Session {
	return &oauth.Session{Lineage: lineage, User: u, Session: store.Session{
		UserID: u.ID, UserGeneration: u.SessionGeneration, AuthenticatorName: "corp", AuthenticatorID: "auth-id", AuthenticatorGeneration: "auth-g",
		CorpID: "ww1", WeComUserID: u.Identities[0].WeComUserID, SignedInAt: b.Now(), ExpiresAt: b.Now().Add(8 * time.Hour), Lineage: lineage,
	}}
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) pass(d time.Duration) { b.clock.Add(int64(d)) }

func (b *bench) call() oauth.Call { return oauth.Call{Issuer: issuer, RequestID: "request"} }

// query returns the query of a good request of wiki, changed by pairs; "" removes.
func query(pairs ...string) string {
	values := url.Values{
		"client_id": {"wiki"}, "redirect_uri": {redirect}, "response_type": {"code"}, "scope": {"openid profile phone groups"},
		"state": {state}, "nonce": {nonce}, "code_challenge": {challenge(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(pairs); i += 2 {
		if values.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			values.Del(pairs[i])
		}
	}
	return values.Encode()
}

func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// authorize decides on a query with the member's session.
func (b *bench) authorize(rawQuery string) oauth.Decision {
	b.Helper()
	return b.decide(oauth.AuthorizeInput{RawQuery: rawQuery, Session: b.session})
}

func (b *bench) decide(in oauth.AuthorizeInput) oauth.Decision {
	b.Helper()
	in.Call = b.call()
	d, err := b.Authorize(b.Context(), in)
	b.must(err)
	return d
}

// answer reads the parameters of a redirect.
func (b *bench) answer(d oauth.Decision) url.Values {
	b.Helper()
	if d.Kind != oauth.RedirectBack {
		b.Fatalf("kind %d, refusal %v; want a redirect", d.Kind, d.Refusal)
	}
	u, err := url.Parse(d.URL)
	b.must(err)
	return u.Query()
}

func (b *bench) code(pairs ...string) string {
	b.Helper()
	code := b.answer(b.authorize(query(pairs...))).Get("code")
	if code == "" {
		b.Fatal("no code")
	}
	return code
}

// form encodes pairs; "" leaves one out.
func form(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if values.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			values.Del(pairs[i])
		}
	}
	return values.Encode()
}

// as returns the input of an application with a form, by client_secret_basic.
func (b *bench) as(clientID, body string) oauth.TokenInput {
	in := oauth.TokenInput{Call: b.call(), Body: body}
	if s, ok := b.secrets[clientID]; ok {
		in.Authorization = []string{basic(clientID, s)}
	} else {
		in.Body += "&client_id=" + clientID
	}
	return in
}

func basic(id, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+password))
}

// exchange exchanges a code as wiki, with changes of the form.
func (b *bench) exchange(code string, pairs ...string) (oauth.TokenResponse, error) {
	all := append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", redirect, "code_verifier", verifier}, pairs...)
	return b.Token(b.Context(), b.as("wiki", form(all...)))
}

func (b *bench) tokens(pairs ...string) oauth.TokenResponse {
	b.Helper()
	tokens, err := b.exchange(b.code(pairs...))
	b.must(err)
	return tokens
}

func (b *bench) refresh(token string, pairs ...string) (oauth.TokenResponse, error) {
	all := append([]string{"grant_type", "refresh_token", "refresh_token", token}, pairs...)
	return b.Token(b.Context(), b.as("wiki", form(all...)))
}

func (b *bench) userInfo(accessToken string) (map[string]any, error) {
	return b.UserInfo(b.Context(), b.call(), accessToken)
}

// refused checks that err is a refusal of a code and a cause.
func (b *bench) refused(err error, code oauth.ErrorCode, cause oauth.Cause) {
	b.Helper()
	refusal, ok := oauth.RefusalOf(err)
	if !ok || refusal.Code != code || refusal.Cause != cause {
		b.Errorf("got %v; want %s (%s)", err, code, cause)
	}
}

// is checks the kind and the refusal of a decision.
func (b *bench) is(d oauth.Decision, kind oauth.DecisionKind, code oauth.ErrorCode, cause oauth.Cause) {
	b.Helper()
	var got oauth.Error
	if d.Refusal != nil {
		got = *d.Refusal
	}
	if d.Kind != kind || got.Code != code || got.Cause != cause {
		b.Errorf("got kind %d, %s (%s); want %d, %s (%s)", d.Kind, got.Code, got.Cause, kind, code, cause)
	}
	if kind == oauth.RedirectBack && code != "" && b.answer(d).Get("error") != string(code) {
		b.Errorf("redirect says %s", d.URL)
	}
}

// claimsOf reads a token without verifying it.
func (b *bench) claimsOf(token string) map[string]any {
	b.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	b.must(err)
	var claims map[string]any
	b.must(parsed.UnsafeClaimsWithoutVerification(&claims))
	return claims
}

// causes returns the causes that administrators see for an application, newest first.
func (b *bench) causes(id string) []string {
	b.Helper()
	events, err := b.store.EventsOfApplication(b.Context(), id, 100)
	b.must(err)
	var causes []string
	for _, e := range events {
		causes = append(causes, strings.Trim(e.Result+" "+e.Cause, " "))
	}
	return causes
}

func succeeded(errs []error) int {
	return len(slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err != nil }))
}

var errDown = errors.New("down")
