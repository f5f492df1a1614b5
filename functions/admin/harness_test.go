package admin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded/embeddedtest"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

const publicURL = "https://signin.example.com"

// office is the function as the gateway sees it, with its fakes.
type office struct {
	t         testing.TB
	function  apigw.Function
	directory *directory
	vault     *vault
	tokens    *tokens
	wecom     *wecomFake
	notifier  *notifier
	log       *logBuffer
	clock     time.Time
	imported  int // users of importUser
}

type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newOffice(t testing.TB) *office {
	t.Helper()
	clock := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	o := &office{
		t: t, directory: &directory{Engine: embeddedtest.New(t, func() time.Time { return clock })}, vault: newVault(), tokens: &tokens{}, notifier: &notifier{},
		wecom: &wecomFake{err: &wecom.Error{Code: wecom.InvalidCode}},
		log:   &logBuffer{}, clock: clock,
	}
	o.assemble(publicURL, func(*admin.Config) {})
	return o
}

// assemble makes the function again, with a changed Config.
func (o *office) assemble(publicURL string, change func(*admin.Config)) {
	cfg := admin.Config{
		Directory: o.directory, SignInEvents: o.directory, Secrets: o.vault, SecretName: secretName, Tokens: o.tokens, WeCom: o.wecom, Logout: o.notifier,
		Lookups: o.directory, LookupMissesPerDay: 10,
		LookupKey: func(phone string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(phone))) },
		Rules: members.NewEvaluator(members.DirectoryConfig{
			Store: o.directory, WeCom: o.wecom, Tokens: o.tokens, SecretName: secretName, Now: func() time.Time { return o.clock },
		}),
		Now: func() time.Time { return o.clock },
	}
	cfg.Audit = &audit.Log{Store: o.directory, Now: cfg.Now, RequestID: apigw.RequestID, LogField: apigw.LogField}
	change(&cfg)
	o.function = apigw.New(apigw.Config{
		Name: "admin", PublicURL: publicURL, MaxBody: admin.MaxBody,
		Logger:  slog.New(slog.NewJSONHandler(io.MultiWriter(o.log), nil)),
		Handler: admin.New(cfg),
	})
}

// request is what a caller sends. The zero caller is the admin key.
type request struct {
	method, path string
	contentType  string // default: JSON when there is a body
	body         string
	base64       bool // the gateway hands over bytes, not text
	header       map[string]string
	authorizer   map[string]any
	noAuthorizer bool
}

type answer struct {
	status int
	header map[string]string
	body   string
}

func (o *office) send(r request) answer {
	o.t.Helper()
	path, query, _ := strings.Cut(r.path, "?")
	event := events.APIGatewayV2HTTPRequest{
		RouteKey: "ANY /api/admin/{proxy+}", RawPath: path, RawQueryString: query, Body: r.body,
		Headers: map[string]string{},
	}
	if r.base64 {
		event.Body, event.IsBase64Encoded = base64.StdEncoding.EncodeToString([]byte(r.body)), true
	}
	event.RequestContext.HTTP.Method = r.method
	event.RequestContext.RequestID = "request-1"
	if r.body != "" {
		event.Headers["content-type"] = "application/json"
	}
	if r.contentType != "" {
		event.Headers["content-type"] = r.contentType
	}
	for name, value := range r.header {
		event.Headers[strings.ToLower(name)] = value
	}
	if !r.noAuthorizer {
		word := r.authorizer
		if word == nil {
			word = map[string]any{"caller": "admin-key"}
		}
		event.RequestContext.Authorizer = &events.APIGatewayV2HTTPRequestContextAuthorizerDescription{Lambda: word}
	}
	response, err := o.function(o.t.Context(), event)
	if err != nil {
		o.t.Errorf("%s %s: the function returned an error: %v", r.method, r.path, err)
	}
	return answer{response.StatusCode, response.Headers, response.Body}
}

// expect sends and compares the status.
func (o *office) expect(status int, r request) answer {
	o.t.Helper()
	got := o.send(r)
	if got.status != status {
		o.t.Fatalf("%s %s: status %d, want %d\n%s", r.method, r.path, got.status, status, got.body)
	}
	return got
}

func (a answer) decode(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("decode %q: %v", a.body, err)
	}
}

func (a answer) object(t testing.TB) map[string]any {
	t.Helper()
	var object map[string]any
	a.decode(t, &object)
	return object
}

// problem returns "code field" of a problem+json answer.
func (a answer) problem(t testing.TB) string {
	t.Helper()
	if got := a.header["content-type"]; got != "application/problem+json" {
		t.Fatalf("Content-Type %q, want application/problem+json\n%s", got, a.body)
	}
	object := a.object(t)
	if object["requestId"] != "request-1" || object["status"] != float64(a.status) || object["title"] == "" {
		t.Errorf("incomplete problem: %s", a.body)
	}
	field, _ := object["field"].(string)
	return strings.TrimSpace(fmt.Sprint(object["code"], " ", field))
}

const theSecret = "S3cretS3cretS3cretS3cretS3cretS3cretS3cret00"

// create makes an authenticator; changes are further members, such as `,"autoLogin":true`.
func (o *office) create(name, changes string) answer {
	o.t.Helper()
	return o.expect(201, request{method: "POST", path: "/api/admin/authenticators", body: fmt.Sprintf(
		`{"name":%q,"corpId":"ww0123456789","agentId":"1000002","secret":%q,"origin":"https://app.example.com"%s}`, name, theSecret, changes)})
}

const applicationsPath = "/api/admin/applications"

// createApplication makes an application of a kind; changes are further members.
func (o *office) createApplication(id, kind, changes string) answer {
	o.t.Helper()
	return o.expect(201, request{method: "POST", path: applicationsPath, body: fmt.Sprintf(`{"id":%q,"kind":%q%s}`, id, kind, changes)})
}

// createSecret makes a secret of an application.
func (o *office) createSecret(application string) (id, secret string) {
	o.t.Helper()
	var made struct{ ID, Secret string }
	o.expect(201, request{method: "POST", path: applicationsPath + "/" + application + "/secrets"}).decode(o.t, &made)
	return made.ID, made.Secret
}

// application returns the stored application, or the zero value.
func (o *office) application(id string) store.Application {
	o.t.Helper()
	a, err := o.directory.Application(o.t.Context(), id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		o.t.Fatal(err)
	}
	return a
}

func (o *office) applications() []store.Application {
	o.t.Helper()
	return all(o, o.directory.Applications)
}

// createUser makes a user and returns its id.
func (o *office) createUser(phone string) string {
	o.t.Helper()
	created := o.expect(201, request{method: "POST", path: "/api/admin/users", body: fmt.Sprintf(`{"phone":%q,"name":"Li"}`, phone)})
	return created.object(o.t)["id"].(string)
}

// authenticator returns the stored authenticator, or the zero value.
func (o *office) authenticator(name string) store.Authenticator {
	o.t.Helper()
	a, err := o.directory.Authenticator(o.t.Context(), name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		o.t.Fatal(err)
	}
	return a
}

func (o *office) authenticators() []store.Authenticator {
	o.t.Helper()
	return all(o, o.directory.Authenticators)
}

func (o *office) users() []store.User {
	o.t.Helper()
	return all(o, o.directory.Users)
}

func (o *office) files() []store.DomainFile {
	o.t.Helper()
	return all(o, o.directory.DomainFiles)
}

func all[T any](o *office, list func(context.Context, store.Page) ([]T, string, error)) []T {
	o.t.Helper()
	items, next, err := list(o.t.Context(), store.Page{Limit: 200})
	if err != nil || next != "" {
		o.t.Fatalf("list: next %q, %v", next, err)
	}
	return items
}

// user returns the stored user, or the zero value.
func (o *office) user(id string) store.User {
	o.t.Helper()
	u, err := o.directory.User(o.t.Context(), id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		o.t.Fatal(err)
	}
	return u
}

// replaceUser stores a user as it is.
func (o *office) replaceUser(u store.User) {
	o.t.Helper()
	err := errors.Join(o.directory.DeleteUser(o.t.Context(), o.user(u.ID)), o.directory.CreateUser(o.t.Context(), u))
	if err != nil {
		o.t.Fatal(err)
	}
}
