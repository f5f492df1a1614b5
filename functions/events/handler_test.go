package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	lambdaevents "github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/appsecret"
	"github.com/wecom-signin/wecom-signin/shared/audit"
	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/metrics/metricstest"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded/embeddedtest"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
	"github.com/wecom-signin/wecom-signin/shared/wecom/receiver/receivertest"
)

var start = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// bench is the function with a store, and what it calls noted in order.
type bench struct {
	*testing.T
	*embedded.Engine
	now      time.Time
	calls    []string
	secrets  map[string]secret.Value
	fails    map[string]error // by call
	result   members.Result
	cached   store.AuthenticatorReader
	function apigw.Function
	log      bytes.Buffer
	sender   receivertest.Sender
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{
		T: t, now: start, secrets: map[string]secret.Value{}, fails: map[string]error{}, result: members.Result{Verdict: members.Active},
		sender: receivertest.Sender{Token: "Token1", EncodingAESKey: strings.Repeat("k3Y", 14) + "A", CorpID: "ww0123", At: start},
	}
	b.Engine = embeddedtest.New(t, func() time.Time { return b.now })
	b.create(store.Authenticator{ID: "id-main", Name: "main", CorpID: "ww0123", SecretVersion: "v1", EventsEnabled: true}, appsecret.Secret{
		App: secret.NewValue("app-secret"), Token: secret.NewValue(b.sender.Token), EncodingAESKey: secret.NewValue(b.sender.EncodingAESKey),
	})
	b.create(store.Authenticator{ID: "id-quiet", Name: "quiet", CorpID: "ww0123", SecretVersion: "v1"}, appsecret.Secret{App: secret.NewValue("app-secret")})
	b.cached = store.CacheAuthenticators(reader{b.Engine, b}, 10*time.Second, func() time.Time { return b.now })
	b.function = apigw.New(apigw.Config{
		Handler: New(Config{
			Authenticators: b.cached, Secrets: b, SecretName: func(id string) string { return "secret-of-" + id },
			Store: b, Members: b, Directory: b, Now: func() time.Time { return b.now },
			Audit: &audit.Log{Store: b, Now: func() time.Time { return b.now }, RequestID: apigw.RequestID, LogField: apigw.LogField},
		}),
		PublicURL: "http://signin.example.com", Name: "events", Service: "s", MaxBody: MaxBody,
		Logger: slog.New(slog.NewJSONHandler(&b.log, nil)), Now: func() time.Time { return b.now },
	})
	return b
}

func (b *bench) create(a store.Authenticator, s appsecret.Secret) {
	b.Helper()
	a.Enabled, a.Version = true, 1
	if err := b.CreateAuthenticator(b.Context(), a); err != nil {
		b.Fatal(err)
	}
	b.secrets["secret-of-"+a.ID+" "+a.SecretVersion] = s.Encode()
}

// call notes a call and returns what it fails with.
func (b *bench) call(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	b.calls = append(b.calls, call)
	return b.fails[call]
}

// reader is the store behind the cache.
type reader struct {
	*embedded.Engine
	b *bench
}

func (r reader) Authenticator(ctx context.Context, name string) (store.Authenticator, error) {
	if err := r.b.call("read %s", name); err != nil {
		return store.Authenticator{}, err
	}
	return r.Engine.Authenticator(ctx, name)
}

func (b *bench) Get(_ context.Context, name, version string) (secret.Value, error) {
	return b.secrets[name+" "+version], b.call("secret %s %s", name, version)
}

func (b *bench) NoteEvent(ctx context.Context, a store.Authenticator, at time.Time) error {
	if err := b.call("note %s", a.Name); err != nil {
		return err
	}
	return b.Engine.NoteEvent(ctx, a, at)
}

func (b *bench) RecordAudit(ctx context.Context, line store.AuditLine) error {
	if err := b.call("audit"); err != nil {
		return err
	}
	return b.Engine.RecordAudit(ctx, line)
}

func (b *bench) Check(_ context.Context, a store.Authenticator, userID string) (members.Result, error) {
	return b.result, b.call("check %s at %s", userID, a.Name)
}

func (b *bench) Rename(_ context.Context, a store.Authenticator, from, to string, at time.Time) (members.Result, error) {
	when := ""
	if !at.IsZero() {
		when = fmt.Sprintf(", of %d", at.Unix())
	}
	return b.result, b.call("rename %s to %s at %s%s", from, to, a.Name, when)
}

func (b *bench) DepartmentsChanged(_ context.Context, a store.Authenticator) error {
	return b.call("departments changed at %s", a.Name)
}

func (b *bench) TagChanged(_ context.Context, a store.Authenticator, tag int64) error {
	return b.call("tag %d changed at %s", tag, a.Name)
}

// ask sends a request and returns the answer as "status content-type body".
func (b *bench) ask(method, name, query, body string) string {
	b.Helper()
	answer, err := b.function(b.Context(), lambdaevents.APIGatewayV2HTTPRequest{
		RawPath: "/api/events/" + name, RawQueryString: query, Body: body, PathParameters: map[string]string{"authenticator": name},
		RouteKey: method + " /api/events/{authenticator}",
		RequestContext: lambdaevents.APIGatewayV2HTTPRequestContext{
			DomainName: "signin.example.com", RequestID: "request-1", HTTP: lambdaevents.APIGatewayV2HTTPRequestContextHTTPDescription{Method: method},
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s %s", answer.StatusCode, answer.Headers["content-type"], answer.Body))
}

func (b *bench) push(message string) string {
	b.Helper()
	query, body := b.sender.Push(message)
	return b.ask("POST", "main", query, body)
}

// called returns the calls since the last time.
func (b *bench) called() string {
	calls := strings.Join(b.calls, ", ")
	b.calls = nil
	return calls
}

func (b *bench) equal(what string, want, got any) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestCheckOfTheURL(t *testing.T) {
	b := newBench(t)
	b.equal("answer", "200 text/plain 1616140317555161061", b.ask("GET", "main", b.sender.Check("1616140317555161061", true), ""))
	b.equal("calls when cold", "read main, secret secret-of-id-main v1", b.called())
	b.now = b.now.Add(9 * time.Second)
	b.equal("again", "200 text/plain 42", b.ask("GET", "main", b.sender.Check("42", false), ""))
	b.equal("calls when warm", "", b.called())
	b.now = b.now.Add(time.Hour)
	b.equal("an hour later", "200 text/plain 42", b.ask("GET", "main", b.sender.Check("42", false), ""))
	b.equal("calls an hour later", "read main", b.called())
}

// Attack: the check of a URL decrypts a push that somebody has seen, of any age.
func TestAttackCheckReadsAPush(t *testing.T) {
	b := newBench(t)
	for _, push := range []string{"<xml><UserID>zhangsan</UserID></xml>", "\n <?xml version='1.0'?><xml></xml>", "\ufeff<xml></xml>"} {
		b.equal(push, "403", b.ask("GET", "main", b.sender.Check(push, true), ""))
	}
}

// WeCom's own sample: its bare + and its key.
func TestOfficialSample(t *testing.T) {
	b := newBench(t)
	b.create(store.Authenticator{ID: "id-sample", Name: "sample", CorpID: "wx5823bf96d3bd56c7", SecretVersion: "v1", EventsEnabled: true}, appsecret.Secret{
		App: secret.NewValue("a"), Token: secret.NewValue("QDG6eK"), EncodingAESKey: secret.NewValue("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"),
	})
	b.equal("answer", "200 text/plain 1616140317555161061", b.ask("GET", "sample",
		"msg_signature=5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3&timestamp=1409659589&nonce=263014780&echostr=P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==", ""))
}

// A new token takes effect when the record is read again, and the old one ends then.
func TestNewCredentials(t *testing.T) {
	b := newBench(t)
	old := b.sender
	b.equal("before", "200 text/plain 1", b.ask("GET", "main", old.Check("1", false), ""))
	read, err := b.Authenticator(t.Context(), "main")
	if err != nil {
		t.Fatal(err)
	}
	changed := read
	changed.SecretVersion, changed.Version = "v2", 2
	if err := b.UpdateAuthenticator(t.Context(), read, changed); err != nil {
		t.Fatal(err)
	}
	b.sender.Token = "Token2"
	b.secrets["secret-of-id-main v2"] = appsecret.Secret{
		App: secret.NewValue("app-secret"), Token: secret.NewValue("Token2"), EncodingAESKey: secret.NewValue(b.sender.EncodingAESKey),
	}.Encode()
	b.now = b.now.Add(10 * time.Second)
	b.equal("the new one", "200 text/plain 2", b.ask("GET", "main", b.sender.Check("2", false), ""))
	b.equal("the old one", "403", b.ask("GET", "main", old.Check("3", false), ""))
}

func TestReceiverThatIsNotThere(t *testing.T) {
	b := newBench(t)
	query, body := b.sender.Push("<xml></xml>")
	for _, name := range []string{"quiet", "absent", "main%00", "MAIN", strings.Repeat("a", 65)} {
		b.equal("check at "+name, "404", b.ask("GET", name, b.sender.Check("1", false), ""))
		b.equal("push at "+name, "404", b.ask("POST", name, query, body))
	}
	b.equal("calls", "read quiet, read absent, read absent", b.called()) // the absence is not cached
	b.equal("without a query", "404", b.ask("GET", "quiet", "", ""))
	b.equal("without a query, where one is", "403", b.ask("GET", "main", "", ""))
}

// Attack: make the service pay, in reads or in calls of WeCom, for what strangers send.
func TestStrangersCostNothing(t *testing.T) {
	b := newBench(t)
	const event = "<xml><Event>unsubscribe</Event><FromUserName>zhangsan</FromUserName></xml>"
	query, body := b.sender.Push(event)
	at := func(moved time.Duration) string {
		s := b.sender
		s.At = start.Add(moved)
		query, _ := s.Push(event)
		return query
	}
	for name, request := range map[string][3]string{
		"no echostr":        {"GET", query, ""},
		"a short signature": {"GET", strings.Replace(b.sender.Check("1", false), "msg_signature=", "msg_signature=0", 1), ""},
		"no number as time": {"POST", strings.Replace(query, "timestamp=", "timestamp=x", 1), body},
		"too old":           {"POST", at(-5*time.Minute - time.Second), body},
		"too new":           {"POST", at(5*time.Minute + time.Second), body},
		"too large":         {"POST", query, body + strings.Repeat(" ", 64<<10)},
		"far too large":     {"POST", query, body + strings.Repeat(" ", 1<<20)},
		"a query of no use": {"POST", "code=1", body},
	} {
		b.equal(name, "403", b.ask(request[0], "main", request[1], request[2]))
	}
	b.equal("calls", "", b.called())
	// Of the right form, but by nobody who knows the token.
	stranger := b.sender
	stranger.Token = "Guess"
	for range 100 {
		query, body := stranger.Push(event)
		b.equal("push", "403", b.ask("POST", "main", query, body))
		b.equal("check", "403", b.ask("GET", "main", stranger.Check("1", true), ""))
	}
	b.equal("calls", "read main, secret secret-of-id-main v1", b.called())
}

func TestPushes(t *testing.T) {
	for _, test := range []struct{ name, message, want string }{
		{"left, or out of range", "<xml><AgentID>1</AgentID><FromUserName><![CDATA[zhangsan]]></FromUserName><Event><![CDATA[unsubscribe]]></Event></xml>", "check zhangsan at main, audit"},
		{"deleted", "<xml><FromUserName>sys</FromUserName><Event>change_contact</Event><ChangeType>delete_user</ChangeType><UserID>zhangsan</UserID></xml>", "check zhangsan at main, audit"},
		{"changed", "<xml><FromUserName>sys</FromUserName><Event>change_contact</Event><ChangeType>update_user</ChangeType><UserID>zhangsan</UserID><Department>1,2</Department></xml>", "check zhangsan at main, audit"},
		{"renamed", "<xml><FromUserName>sys</FromUserName><Event>change_contact</Event><ChangeType>update_user</ChangeType><UserID>zhangsan</UserID><NewUserID>zhang.san</NewUserID></xml>", "rename zhangsan to zhang.san at main, audit"},
		{"renamed at a time", "<xml><CreateTime>1700000000</CreateTime><Event>change_contact</Event><ChangeType>update_user</ChangeType><UserID>zhangsan</UserID><NewUserID>zhang.san</NewUserID></xml>", "rename zhangsan to zhang.san at main, of 1700000000, audit"},
		{"renamed at no time", "<xml><CreateTime>-1700000000</CreateTime><Event>change_contact</Event><ChangeType>update_user</ChangeType><UserID>zhangsan</UserID><NewUserID>zhang.san</NewUserID></xml>", "rename zhangsan to zhang.san at main, audit"},
		{"with white space around what it says", "<xml>\n<Event> unsubscribe\t</Event><FromUserName>\r\n<![CDATA[ zhangsan ]]>\n</FromUserName>\n</xml>", "check zhangsan at main, audit"},
		{"a new department", "<xml><FromUserName>sys</FromUserName><Event>change_contact</Event><ChangeType>create_party</ChangeType><Id>99</Id><ParentId>2</ParentId></xml>", "departments changed at main, audit"},
		{"a department moved", "<xml><FromUserName>sys</FromUserName><Event>change_contact</Event><ChangeType>update_party</ChangeType><Id>99</Id><ParentId>3</ParentId></xml>", "departments changed at main, audit"},
		{"a department dissolved", "<xml><FromUserName>sys</FromUserName><Event>change_contact</Event><ChangeType>delete_party</ChangeType><Id>99</Id></xml>", "departments changed at main, audit"},
		{"a tag taken away", "<xml><FromUserName>sys</FromUserName><Event>change_contact</Event><ChangeType>update_tag</ChangeType><TagId>7</TagId><DelUserItems>zhangsan</DelUserItems></xml>", "tag 7 changed at main, audit"},
		{"a tag that is none", "<xml><FromUserName>sys</FromUserName><Event>change_contact</Event><ChangeType>update_tag</ChangeType><TagId>x</TagId></xml>", "tag 0 changed at main, audit"},
		{"new here", "<xml><FromUserName>zhangsan</FromUserName><Event>subscribe</Event></xml>", ""},
		{"a message of somebody", "<xml><FromUserName>zhangsan</FromUserName><MsgType>text</MsgType><Content>unsubscribe</Content></xml>", ""},
		{"another change", "<xml><Event>change_contact</Event><ChangeType>create_user</ChangeType><UserID>zhangsan</UserID></xml>", ""},
		{"a change of nobody", "<xml><Event>change_contact</Event><ChangeType>delete_user</ChangeType></xml>", "audit"},
		{"a userid that is none", "<xml><Event>unsubscribe</Event><FromUserName>" + strings.Repeat("a", 65) + "</FromUserName></xml>", "audit"},
		{"no XML", "unsubscribe", ""},
		{"the app is about to be switched off", "<xml><FromUserName>sys</FromUserName><Event>inactive_alert</Event><EffectTime>1800000000</EffectTime></xml>", "audit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.equal("answer", "200", b.push(test.message))
			want := "read main, secret secret-of-id-main v1, note main"
			if test.want != "" {
				want = strings.Replace(want, "note", test.want+", note", 1)
			}
			b.equal("calls", want, b.called())
		})
	}
}

// What was pushed and is true, but cannot be dealt with now, comes again.
func TestPushThatMustComeAgain(t *testing.T) {
	const event = "<xml><FromUserName>zhangsan</FromUserName><Event>unsubscribe</Event></xml>"
	const check = "check zhangsan at main"
	silent := func(cause error) members.Result { return members.Result{Verdict: members.Unknown, Cause: cause} }
	for name, test := range map[string]struct {
		result     members.Result
		err        error
		want, code string
		internal   bool
	}{
		"gone":                       {members.Result{Verdict: members.Gone, User: store.User{ID: "u1"}}, nil, "200", "", false},
		"disabled":                   {members.Result{Verdict: members.Disabled}, nil, "200", "", false},
		"still there":                {members.Result{Verdict: members.Active}, nil, "200", "", false},
		"not allowed":                {members.Result{Verdict: members.NotAllowed}, nil, "200", "", false},
		"nobody here":                {members.Result{}, fmt.Errorf("read owner of identity: %w", store.ErrNotFound), "200", "", false},
		"WeCom is busy":              {silent(&wecom.Error{Op: "user/get", Code: wecom.SystemBusy}), nil, "500", "wecom_busy", false},
		"too many calls":             {silent(&wecom.Error{Op: "user/get", Code: wecom.RateLimited}), nil, "500", "wecom_busy", false},
		"the address is wrong":       {silent(&wecom.Error{Op: "user/get", Code: wecom.UntrustedIP}), nil, "500", "wecom_configuration", false},
		"the secret is wrong":        {silent(&wecom.Error{Op: "gettoken", Code: wecom.InvalidCredential}), nil, "500", "wecom_configuration", false},
		"the app is off":             {silent(&wecom.Error{Op: "user/get", Code: wecom.AppDisabled}), nil, "500", "wecom_configuration", false},
		"no answer":                  {silent(&wecom.UnavailableError{Op: "user/get", Reason: "timeout"}), nil, "500", "wecom_unavailable", false},
		"the secret is not read":     {silent(fmt.Errorf("read app secret: %w", secret.ErrNotFound)), nil, "500", "internal", true},
		"the token is not read":      {silent(errors.New("table down")), nil, "500", "internal", true},
		"the store is down":          {members.Result{}, errors.New("table down"), "500", "internal", true},
		"applications not told":      {members.Result{Verdict: members.Gone}, errors.New("queue down"), "500", "internal", true},
		"changed at the same moment": {members.Result{}, store.ErrChanged, "500", "internal", true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.result, b.fails[check] = test.result, test.err
			b.equal("answer", test.want, b.push(event))
			b.equal("calls", "read main, secret secret-of-id-main v1, "+check+", audit, note main", b.called())
			var line map[string]any
			if err := json.Unmarshal(b.log.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			code, _ := line["code"].(string)
			b.equal("code", test.code, code)
			measured, err := metricstest.Read(b.log.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			b.equal("counted as our failure", test.internal, strings.Contains(strings.Join(measured, ""), "InternalErrors"))
		})
	}
	// What could not be outdated would be used for minutes.
	b := newBench(t)
	b.fails["tag 7 changed at main"] = errors.New("table down")
	b.equal("tag", "500", b.push("<xml><Event>change_contact</Event><ChangeType>update_tag</ChangeType><TagId>7</TagId></xml>"))
	// The replay is the work once more.
	b = newBench(t)
	query, body := b.sender.Push(event)
	b.equal("first", "200", b.ask("POST", "main", query, body))
	b.now = b.now.Add(time.Second)
	b.called()
	b.equal("again", "200", b.ask("POST", "main", query, body))
	b.equal("calls", check+", audit, note main", b.called())
}

// Each event that is known leaves a line about the user whom it names, after the work.
func TestAuditOfEvents(t *testing.T) {
	user := members.Result{Verdict: members.Gone, User: store.User{ID: "u1"}}
	unanswered := members.Result{Verdict: members.Unknown, User: store.User{ID: "u1"}, Cause: &wecom.UnavailableError{}}
	for _, test := range []struct {
		name, event string
		result      members.Result
		want        store.AuditLine
	}{
		{"a leaver", "<Event>unsubscribe</Event>", user, store.AuditLine{Type: "event_received", User: "u1", Code: "unsubscribe"}},
		{"deleted", "<Event>change_contact</Event><ChangeType>delete_user</ChangeType><UserID>13800000000</UserID>", user, store.AuditLine{Type: "event_received", User: "u1", Code: "delete_user"}},
		{"renamed", "<Event>change_contact</Event><ChangeType>update_user</ChangeType><UserID>13800000000</UserID><NewUserID>13900000000</NewUserID>", user, store.AuditLine{Type: "event_received", User: "u1", Code: "update_user"}},
		{"nobody here", "<Event>unsubscribe</Event>", members.Result{}, store.AuditLine{Type: "event_received", Code: "unsubscribe"}},
		{"WeCom does not say", "<Event>unsubscribe</Event>", unanswered, store.AuditLine{Type: "event_received", User: "u1", Code: "unsubscribe"}},
		{"about to be switched off", "<Event>inactive_alert</Event>", user, store.AuditLine{Type: "app_inactive", Code: "inactive_alert"}},
		{"switched off", "<Event>close_inactive_agent</Event>", user, store.AuditLine{Type: "app_inactive", Code: "close_inactive_agent"}},
		{"in use again", "<Event>reopen_inactive_agent</Event>", user, store.AuditLine{Type: "event_received", Code: "reopen_inactive_agent"}},
		{"attack: a word of the message", "<Event>13800000000</Event><ChangeType>13800000000</ChangeType>", user, store.AuditLine{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			if b.result = test.result; test.name == "nobody here" {
				b.fails["check 13800000000 at main"] = store.ErrNotFound
			}
			b.push("<xml><FromUserName>13800000000</FromUserName>" + test.event + "<Mobile>13800000000</Mobile></xml>")
			lines, _, err := b.AuditLines(t.Context(), store.AuditQuery{}, store.Page{Limit: 10})
			if err != nil {
				t.Fatal(err)
			}
			var want []store.AuditLine
			if test.want.Type != "" {
				test.want.Authenticator, test.want.RequestID, test.want.At = "main", "request-1", start
				want = []store.AuditLine{test.want}
			}
			for i := range lines {
				lines[i].ID = ""
			}
			b.equal("lines", want, lines)
		})
	}
	// Without an audit the work is done as well, and operators are told.
	b := newBench(t)
	b.result, b.fails["audit"] = user, errors.New("the table is gone")
	b.equal("answer", "200", b.push("<xml><FromUserName>zhangsan</FromUserName><Event>unsubscribe</Event></xml>"))
	if !strings.Contains(b.log.String(), `"auditNotWritten":"`) {
		t.Errorf("nobody is told: %s", b.log.String())
	}
}

// A note that fails decides nothing, and is made about once a minute.
func TestTimeOfTheLastPush(t *testing.T) {
	b := newBench(t)
	b.fails["note main"] = errors.New("table down")
	b.equal("answer", "200", b.push("<xml></xml>"))
	delete(b.fails, "note main")
	pushes := func(d time.Duration) string {
		b.now = b.now.Add(d)
		b.sender.At = b.now
		b.called()
		b.equal("answer", "200", b.push("<xml></xml>"))
		return b.called()
	}
	b.equal("first", "note main", pushes(time.Second))
	b.equal("half a minute later", "read main", pushes(30*time.Second))
	b.equal("a minute later", "read main, note main", pushes(30*time.Second))
	a, err := b.Authenticator(t.Context(), "main")
	if err != nil || !a.LastEventAt.Equal(b.now) || a.Version != 1 {
		t.Errorf("%v, version %d, %v", a.LastEventAt, a.Version, err)
	}
	// A check of the URL is none.
	b.now = b.now.Add(time.Hour)
	b.equal("check", "200 text/plain 1", b.ask("GET", "main", b.sender.Check("1", false), ""))
	if got, _ := b.Authenticator(t.Context(), "main"); !got.LastEventAt.Equal(a.LastEventAt) {
		t.Error("a check of the URL counts as a push")
	}
}

// WeCom switches off apps that nobody uses, and operators learn of it in time.
func TestInactiveAppIsCounted(t *testing.T) {
	for event, counted := range map[string]bool{"inactive_alert": true, "close_inactive_agent": true, "reopen_inactive_agent": false, "enter_agent": false} {
		b := newBench(t)
		b.equal(event, "200", b.push("<xml><FromUserName>sys</FromUserName><Event>"+event+"</Event></xml>"))
		measured, err := metricstest.Read(b.log.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		if counted {
			want = []string{"WeComSignIn InactiveApps{Service=s} 1 Count"}
		}
		b.equal("metrics of "+event, want, measured)
		if logged := strings.Contains(b.log.String(), `"event":"`+event+`"`); logged == (event == "enter_agent") {
			t.Errorf("%s in the log: %v", event, logged)
		}
	}
}

// A failure of ours is no refusal: WeCom comes again.
func TestFailureOfOurs(t *testing.T) {
	for name, fail := range map[string]func(*bench){
		"the store":           func(b *bench) { b.fails["read main"] = errors.New("table down") },
		"the secret store":    func(b *bench) { b.fails["secret secret-of-id-main v1"] = errors.New("down") },
		"no token and no key": func(b *bench) { b.secrets["secret-of-id-main v1"] = secret.NewValue("plain") },
		"a broken secret":     func(b *bench) { b.secrets["secret-of-id-main v1"] = secret.NewValue(`{"secret":1}`) },
		"a broken key": func(b *bench) {
			b.secrets["secret-of-id-main v1"] = secret.NewValue(`{"secret":"app-secret","token":"Token1","encodingAesKey":"k"}`)
		},
	} {
		b := newBench(t)
		fail(b)
		b.equal(name, "500", b.push("<xml></xml>"))
		b.equal(name, "500", b.ask("GET", "main", b.sender.Check("1", false), ""))
		if strings.Contains(b.log.String(), "app-secret") || strings.Contains(b.log.String(), "Token1") {
			t.Errorf("%s: the log shows a secret: %s", name, b.log.String())
		}
	}
}

// The log tells operators what happened, and nobody's name, number, token or word.
func TestLogHasNothingOfAMessage(t *testing.T) {
	b := newBench(t)
	b.result = members.Result{Verdict: members.Gone, User: store.User{ID: "u1"}}
	b.push("<xml><FromUserName>zhangsan</FromUserName><Event>unsubscribe</Event><Mobile>13800000000</Mobile></xml>")
	for _, want := range []string{`"event":"unsubscribe"`, `"verdict":"gone"`, `"user":"u1"`, `"authenticator":"main"`} {
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("no %s in %s", want, b.log.String())
		}
	}
	b.push("<xml><FromUserName>zhangsan</FromUserName><Event>made-up\"</Event></xml>")
	b.push("zhangsan")
	stranger := b.sender
	stranger.Token = "Guess"
	query, body := stranger.Push("<xml><FromUserName>zhangsan</FromUserName></xml>")
	b.equal("a stranger", "403", b.ask("POST", "main", query, body))
	for _, secret := range []string{"zhangsan", "13800000000", "Token1", "k3Y", "made-up", "msg_signature", stranger.Query(stranger.Encrypt("1")).Get("nonce")} {
		if strings.Contains(b.log.String(), secret) {
			t.Errorf("the log shows %s: %s", secret, b.log.String())
		}
	}
}

// Another method is none of WeCom's.
func TestOtherMethods(t *testing.T) {
	b := newBench(t)
	for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions} {
		if got := b.ask(method, "main", "", ""); !strings.HasPrefix(got, "405 ") {
			t.Errorf("%s: %s", method, got)
		}
	}
}
