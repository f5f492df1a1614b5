package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/logoutqueue"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded"
	"github.com/wecom-signin/wecom-signin/shared/store/embedded/embeddedtest"
)

const issuer = "https://signin.example.com"

// sqs is a queue as in the template: three tries, then the queue of those given up.
type sqs struct {
	mu      sync.Mutex
	waiting []sqsMessage
	sent    []string
	delays  []time.Duration
	givenUp []string
	failing bool
	after   func() // each batch
}

type sqsMessage struct {
	body     string
	received int
}

func (q *sqs) Send(_ context.Context, m logoutqueue.Message, delay time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failing {
		return errors.New("the queue is down")
	}
	q.sent, q.delays = append(q.sent, m.Encode()), append(q.delays, delay)
	q.waiting = append(q.waiting, sqsMessage{body: m.Encode()})
	return nil
}

// run delivers everything there is, in batches of five, and returns the number of messages
// handed over.
func (q *sqs) run(t *testing.T, function Function) (deliveries int) {
	t.Helper()
	for len(q.waiting) > 0 {
		batch := q.waiting[:min(5, len(q.waiting))]
		q.waiting = q.waiting[len(batch):]
		var event events.SQSEvent
		for i, m := range batch {
			event.Records = append(event.Records, events.SQSMessage{
				MessageId: strconv.Itoa(i), Body: m.body, Attributes: map[string]string{"ApproximateReceiveCount": strconv.Itoa(m.received + 1)},
			})
		}
		deliveries += len(batch)
		response, err := function(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		q.after()
		for _, failure := range response.BatchItemFailures {
			i, err := strconv.Atoi(failure.ItemIdentifier)
			if err != nil {
				t.Fatal(err)
			}
			m := batch[i]
			if m.received++; m.received == 3 {
				q.givenUp = append(q.givenUp, m.body)
			} else {
				q.waiting = append(q.waiting, m)
			}
		}
	}
	return deliveries
}

// bench is the function with a store, a queue and applications on this machine.
type bench struct {
	*testing.T
	store    *embedded.Engine
	queue    *sqs
	log      *bytes.Buffer
	now      time.Time
	cfg      Config
	function Function
}

var signingKeys = sync.OnceValues(func() (keys.Set, error) { return keys.Generate(time.Now()) })

func newBench(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	b := &bench{T: t, queue: &sqs{}, log: &bytes.Buffer{}, now: time.Now().UTC().Truncate(time.Second)}
	b.queue.after = func() { b.now = b.now.Add(time.Millisecond) } // attempts are in order of time
	engine := embeddedtest.New(t, func() time.Time { return b.now })
	b.store = engine
	b.cfg = Config{
		Store: engine, Applications: engine, Queue: b.queue, Issuer: issuer, AllowLoopback: true, PostTime: time.Second,
		Signer: keys.NewMinter(keys.MinterConfig{
			Load: func(context.Context) (string, error) {
				set, err := signingKeys()
				if err != nil {
					return "", err
				}
				return set.Encode()
			},
			Now: func() time.Time { return b.now },
		}),
		Log: apigw.WorkLog{Logger: slog.New(slog.NewJSONHandler(b.log, nil)), Now: time.Now}, Now: func() time.Time { return b.now },
	}
	if change != nil {
		change(&b.cfg)
	}
	function, err := New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.function = function
	return b
}

// application registers an application that is told at an address; empty: it is not.
func (b *bench) application(id, address string) {
	b.Helper()
	if err := b.store.CreateApplication(b.Context(), store.Application{
		ID: id, Enabled: true, Kind: store.KindWeb, BackchannelLogoutURI: address, Version: 1,
	}); err != nil {
		b.Fatal(err)
	}
}

// grant signs a member in to an application.
func (b *bench) grant(user, lineage, application string) {
	b.Helper()
	if err := b.store.CreateGrant(b.Context(), store.Grant{
		ID: store.NewID(), ApplicationID: application, UserID: user, Lineage: lineage, KeepUntil: b.now.Add(time.Hour),
	}, b.now.Add(8*time.Hour)); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) end(lineage string) {
	b.Helper()
	if err := (logoutqueue.Notifier{Queue: b.queue}).SessionEnded(b.Context(), store.Lineage{ID: lineage}); err != nil {
		b.Fatal(err)
	}
}

// attempts returns the attempts of an application, oldest first, as "user result cause".
func (b *bench) attempts(application string) (all []string) {
	b.Helper()
	found, err := b.store.EventsOfApplication(b.Context(), application, 50)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range found {
		all = append(all, strings.Join([]string{e.UserID, e.Result, e.Cause}, " "))
	}
	slices.Reverse(all)
	return all
}

func (b *bench) equal(what string, want, got any) {
	b.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// receiver is an application's back-channel endpoint.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status []int // of the answers to come; then 200
	got    []*http.Request
	forms  []string
}

func newReceiver(t *testing.T, status ...int) *receiver {
	t.Helper()
	r := &receiver{status: status}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got, r.forms = append(r.got, request), append(r.forms, string(body))
		w.Header().Set("Location", r.URL+"/elsewhere")
		if len(r.status) > 0 {
			w.WriteHeader(r.status[0])
			r.status = r.status[1:]
		}
		_, _ = io.WriteString(w, "an answer that nobody reads")
	}))
	t.Cleanup(r.Close)
	return r
}

func TestLogoutTokenIsSent(t *testing.T) {
	b := newBench(t, nil)
	wiki := newReceiver(t)
	b.application("wiki", wiki.URL+"/backchannel?tenant=1")
	b.application("quiet", "")
	b.grant("alice", "lineage", "wiki")
	b.grant("alice", "lineage", "quiet")
	b.grant("alice", "lineage", "gone")
	b.end("lineage")
	b.queue.run(t, b.function)

	b.equal("messages", []string{`{"lineage":"lineage"}`, `{"lineage":"lineage","application":"wiki"}`}, b.queue.sent)
	if len(wiki.got) != 1 {
		t.Fatalf("%d requests", len(wiki.got))
	}
	r := wiki.got[0]
	b.equal("request", []string{"POST", "/backchannel?tenant=1", "application/x-www-form-urlencoded", ""},
		[]string{r.Method, r.RequestURI, r.Header.Get("Content-Type"), r.Header.Get("Cookie") + r.Header.Get("Authorization")})
	text, ok := strings.CutPrefix(wiki.forms[0], "logout_token=")
	if !ok || strings.ContainsAny(text, "&=") {
		t.Fatalf("form %q", wiki.forms[0])
	}
	set, err := signingKeys()
	if err != nil {
		t.Fatal(err)
	}
	document, err := keys.Public(set)
	if err != nil {
		t.Fatal(err)
	}
	var public jose.JSONWebKeySet
	if err := json.Unmarshal(document, &public); err != nil {
		t.Fatal(err)
	}
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := token.Claims(public, &claims); err != nil {
		t.Fatal(err)
	}
	if id, _ := claims["jti"].(string); id == "" {
		t.Error("no jti")
	}
	delete(claims, "jti")
	b.equal("type", any("logout+jwt"), token.Headers[0].ExtraHeaders[jose.HeaderType])
	b.equal("claims", map[string]any{
		"iss": issuer, "aud": "wiki", "sub": "alice", "sid": "lineage",
		"iat": float64(b.now.Unix()), "exp": float64(b.now.Add(keys.LogoutTokenLifetime).Unix()),
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}, claims)
	b.equal("attempts", []string{"alice ok backchannel_logout"}, b.attempts("wiki"))
}

// Disabled, deleted, or all sessions ended by an administrator: each lineage of the user
// is told of, and nobody else's. The user may be gone.
func TestEverySessionOfAUserIsToldOf(t *testing.T) {
	b := newBench(t, nil)
	wiki, mail := newReceiver(t), newReceiver(t)
	b.application("wiki", wiki.URL)
	b.application("mail", mail.URL)
	b.grant("alice", "phone", "wiki")
	b.grant("alice", "laptop", "wiki")
	b.grant("alice", "laptop", "mail")
	b.grant("bob", "other", "mail")
	if err := (logoutqueue.Notifier{Queue: b.queue}).UserEnded(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	b.queue.run(t, b.function)
	b.equal("attempts of wiki", []string{"alice ok backchannel_logout", "alice ok backchannel_logout"}, b.attempts("wiki"))
	b.equal("attempts of mail", []string{"alice ok backchannel_logout"}, b.attempts("mail"))
	// The list of lineages may lag: only this message waits for it.
	b.equal("delays", []time.Duration{logoutqueue.UserDelay, 0, 0, 0, 0, 0}, b.queue.delays)
	b.equal("given up", []string(nil), b.queue.givenUp)
}

// aMember is a user with two companies, and aMemberNoMore is what a check of the first one
// stores.
func aMember() store.User {
	return store.User{
		ID: "alice", Phone: "+8613800000001", Enabled: true, SessionGeneration: 1, Version: 1,
		Identities: []store.Identity{{CorpID: "ww0123", WeComUserID: "alice"}, {CorpID: "wwpartner", WeComUserID: "alice"}},
	}
}

func aMemberNoMore() store.User {
	u := aMember()
	u.Identities[0].Generation, u.Version = 1, 2
	return u
}

// stays has a member use the application wiki in a browser, by a session.
func (b *bench) stays(lineage string, session store.Session) {
	b.Helper()
	session.UserID, session.Lineage, session.SignedInAt, session.ExpiresAt = "alice", lineage, b.now, b.now.Add(8*time.Hour)
	if err := b.store.StartSession(b.Context(), store.AttemptResult{
		SessionKey: "key of " + lineage, Kind: store.ResultSession, KeepUntil: session.ExpiresAt, Session: session,
		Event: &store.SignInEvent{At: b.now, UserID: "alice"},
	}, false); err != nil {
		b.Fatal(err)
	}
	b.grant("alice", lineage, "wiki")
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// Who is no member of one corp any more is a member of the other: only what has ended is told
// of.
func TestTheSessionsThatAMemberCheckEndedAreToldOf(t *testing.T) {
	b := newBench(t, nil)
	b.application("wiki", newReceiver(t).URL)
	b.must(b.store.CreateUser(t.Context(), aMember()))
	b.stays("ended", store.Session{CorpID: "ww0123", UserGeneration: 1})
	b.stays("since", store.Session{CorpID: "ww0123", UserGeneration: 1, IdentityGeneration: 1})
	b.stays("abroad", store.Session{CorpID: "wwpartner", UserGeneration: 1})
	b.stays("signed-out", store.Session{CorpID: "ww0123", UserGeneration: 1})
	_, err := b.store.EndLineage(t.Context(), "signed-out")
	b.must(err)
	b.must(logoutqueue.Notifier{Queue: b.queue}.MemberEnded(t.Context(), "alice", 1))
	b.must(b.store.UpdateUser(t.Context(), aMember(), aMemberNoMore()))
	b.queue.run(t, b.function)
	b.equal("messages", []string{`{"member":"alice","version":1}`, `{"lineage":"ended"}`, `{"lineage":"ended","application":"wiki"}`}, b.queue.sent)
	b.equal("attempts", []string{"alice ok backchannel_logout"}, b.attempts("wiki"))
	b.equal("delays", []time.Duration{logoutqueue.MemberDelay, 0, 0}, b.queue.delays)
}

// The message about a leaver comes before the end is stored. Where it is not stored yet, the
// message comes once more, and not for ever.
func TestAnEndThatIsStoredLateIsToldOf(t *testing.T) {
	for _, test := range []struct {
		name string
		ends bool     // before the second message
		sent []string // after the two
	}{
		{"stored late", true, []string{`{"lineage":"phone"}`, `{"lineage":"phone","application":"wiki"}`}},
		{"announced in vain", false, []string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, nil)
			b.application("wiki", newReceiver(t).URL)
			b.must(b.store.CreateUser(t.Context(), aMember()))
			b.stays("phone", store.Session{CorpID: "ww0123", UserGeneration: 1})
			// Whatever ended before is no sign of this end.
			b.must(b.store.StartSession(t.Context(), store.AttemptResult{
				SessionKey: "key of this morning", Kind: store.ResultSession, KeepUntil: b.now.Add(8 * time.Hour),
				Session: store.Session{UserID: "alice", CorpID: "ww0123", Lineage: "morning", SignedInAt: b.now, ExpiresAt: b.now.Add(8 * time.Hour)},
				Event:   &store.SignInEvent{At: b.now, UserID: "alice"},
			}, false))
			b.must(logoutqueue.Notifier{Queue: b.queue}.MemberEnded(t.Context(), "alice", 1))
			b.queue.run(t, func(ctx context.Context, event events.SQSEvent) (events.SQSEventResponse, error) {
				answer, err := b.function(ctx, event)
				if test.ends && len(b.queue.sent) == 2 {
					b.must(b.store.UpdateUser(ctx, aMember(), aMemberNoMore()))
				}
				return answer, err
			})
			b.equal("messages", append([]string{`{"member":"alice","version":1}`, `{"member":"alice","version":1,"late":true}`}, test.sent...), b.queue.sent)
			b.equal("delays", []time.Duration{logoutqueue.MemberDelay, logoutqueue.LateDelay}, b.queue.delays[:2])
		})
	}
}

// Only so many events of a user are listed. Who is about to leave may make more, so that an
// earlier session is not among them.
func TestAttackLeaverHidesASession(t *testing.T) {
	b := newBench(t, nil)
	b.application("wiki", newReceiver(t).URL)
	b.must(b.store.CreateUser(t.Context(), aMember()))
	b.stays("hidden", store.Session{CorpID: "ww0123", UserGeneration: 1})
	for i := range store.MaxEvents {
		b.must(b.store.RecordEvent(t.Context(), fmt.Sprint("refused ", i), store.SignInEvent{At: b.now.Add(time.Duration(i+1) * time.Second), UserID: "alice"}))
	}
	b.must(logoutqueue.Notifier{Queue: b.queue}.MemberEnded(t.Context(), "alice", 1))
	b.must(b.store.UpdateUser(t.Context(), aMember(), aMemberNoMore()))
	b.queue.run(t, b.function)
	b.equal("attempts", []string{"alice ok backchannel_logout"}, b.attempts("wiki"))
}

// All that a user began through any company ends with the user.
func TestAUserWhoIsDeletedAfterTheCheckIsToldOf(t *testing.T) {
	b := newBench(t, nil)
	b.application("wiki", newReceiver(t).URL)
	b.must(b.store.CreateUser(t.Context(), aMember()))
	b.stays("abroad", store.Session{CorpID: "wwpartner", UserGeneration: 1})
	b.must(logoutqueue.Notifier{Queue: b.queue}.MemberEnded(t.Context(), "alice", 1))
	b.must(b.store.DeleteUser(t.Context(), aMember()))
	b.queue.run(t, b.function)
	b.equal("attempts", []string{"alice ok backchannel_logout"}, b.attempts("wiki"))
}

// session signs a member in, by a generation of an authenticator.
func (b *bench) session(authenticatorID, generation, lineage string) {
	b.Helper()
	key := fmt.Sprintf("key of %s %s", lineage, generation)
	if err := b.store.StartSession(b.Context(), store.AttemptResult{
		SessionKey: key, Kind: store.ResultSession, KeepUntil: b.now.Add(8 * time.Hour),
		Session: store.Session{
			UserID: "alice", AuthenticatorID: authenticatorID, AuthenticatorGeneration: generation, Lineage: lineage,
			SignedInAt: b.now, ExpiresAt: b.now.Add(8 * time.Hour),
		},
	}, false); err != nil {
		b.Fatal(err)
	}
}

// Disabled, deleted or made another company's: the sessions that began before are told of,
// those of other authenticators and those that began since go on.
func TestEverySessionOfAnAuthenticatorIsToldOf(t *testing.T) {
	const sessions = sessionPage + sessionPage/2
	b := newBench(t, nil)
	wiki, mail := newReceiver(t), newReceiver(t)
	b.application("wiki", wiki.URL)
	b.application("mail", mail.URL)
	for i := range sessions {
		b.session("main", "first", fmt.Sprint("stay", i))
	}
	b.grant("alice", "stay0", "wiki")
	b.grant("alice", "stay0", "mail")
	b.grant("alice", "stay149", "wiki")
	b.session("main", "second", "since")
	b.session("partner", "first", "elsewhere")
	b.session("main", "first", "") // from before there were lineages
	b.grant("alice", "since", "wiki")
	b.grant("alice", "elsewhere", "wiki")
	b.grant("alice", "key of  first", "mail")
	if err := (logoutqueue.Notifier{Queue: b.queue}).AuthenticatorEnded(t.Context(), store.Authenticator{ID: "main", Generation: "first"}); err != nil {
		t.Fatal(err)
	}
	b.queue.run(t, b.function)
	var told []string
	pages := 0
	for _, body := range b.queue.sent {
		m, err := logoutqueue.Parse(body)
		if err != nil {
			t.Fatal(err)
		}
		if m.Application != "" {
			told = append(told, m.Lineage+" at "+m.Application)
		}
		if m.Authenticator != "" {
			pages++
		}
	}
	slices.Sort(told)
	b.equal("told", []string{"key of  first at mail", "stay0 at mail", "stay0 at wiki", "stay149 at wiki"}, told)
	b.equal("posted", []int{2, 2}, []int{len(wiki.got), len(mail.got)})
	b.equal("messages", 2+sessions+1+len(told), len(b.queue.sent))
	b.equal("pages", 2, pages)
	b.equal("delay", logoutqueue.AuthenticatorDelay, b.queue.delays[0])
	b.equal("given up", []string(nil), b.queue.givenUp)
}

// A list with many sessions that are over is read on in one message, while there is time.
func TestLongListOfSessionsIsReadInPieces(t *testing.T) {
	for _, test := range []struct {
		slow     time.Duration // each read
		messages int           // about the list
	}{{0, 1}, {lookTime / 2, 3}} {
		list := &sessionList{pages: 6, slow: test.slow}
		b := newBench(t, nil)
		b.cfg.Store, list.bench = list, b
		list.Store = b.store
		function, err := New(b.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := (logoutqueue.Notifier{Queue: b.queue}).AuthenticatorEnded(t.Context(), store.Authenticator{ID: "main", Generation: "first"}); err != nil {
			t.Fatal(err)
		}
		b.queue.run(t, function)
		b.equal("messages", test.messages, len(b.queue.sent))
		b.equal("reads", []string{"", "1", "2", "3", "4", "5"}, list.read)
	}
}

// sessionList is a list whose pages have no session.
type sessionList struct {
	Store
	*bench
	pages int
	slow  time.Duration
	read  []string
}

func (l *sessionList) SessionsOfAuthenticator(_ context.Context, _ string, page store.Page) ([]store.AttemptResult, string, error) {
	l.read = append(l.read, page.Cursor)
	l.now = l.now.Add(l.slow)
	if len(l.read) == l.pages {
		return nil, "", nil
	}
	return nil, strconv.Itoa(len(l.read)), nil
}

// What an application answers decides whether it is told again; others are not.
func TestRetryDoesNotRepeatOthers(t *testing.T) {
	const sent, refused, status = "alice ok backchannel_logout", "alice invalid_request backchannel_refused", "alice temporarily_unavailable backchannel_status"
	for _, test := range []struct {
		status  []int
		want    []string
		givenUp int
	}{
		{[]int{200}, []string{sent}, 0},
		{[]int{204}, []string{sent}, 0},
		{[]int{400}, []string{refused}, 0},
		{[]int{503}, []string{status, sent}, 0},
		{[]int{500, 400}, []string{status, refused}, 0},
		{[]int{404, 429, 500}, []string{status, status, status}, 1},
		{[]int{202, 200}, []string{status, sent}, 0},
	} {
		t.Run(fmt.Sprint(test.status), func(t *testing.T) {
			b := newBench(t, nil)
			wiki, mail := newReceiver(t, test.status...), newReceiver(t)
			b.application("wiki", wiki.URL)
			b.application("mail", mail.URL)
			b.grant("alice", "lineage", "wiki")
			b.grant("alice", "lineage", "mail")
			b.end("lineage")
			b.queue.run(t, b.function)
			b.equal("attempts", test.want, b.attempts("wiki"))
			b.equal("attempts of the other", []string{sent}, b.attempts("mail"))
			if len(wiki.got) != len(test.want) || len(mail.got) != 1 || len(b.queue.givenUp) != test.givenUp {
				t.Errorf("%d and %d requests, given up %q", len(wiki.got), len(mail.got), b.queue.givenUp)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		b := newBench(t, nil)
		wiki := newReceiver(t, status)
		b.application("wiki", wiki.URL)
		b.grant("alice", "lineage", "wiki")
		b.end("lineage")
		b.queue.run(t, b.function)
		for _, r := range wiki.got {
			if r.URL.Path == "/elsewhere" {
				t.Errorf("%d was followed", status)
			}
		}
		b.equal("attempts", []string{"alice temporarily_unavailable backchannel_status", "alice ok backchannel_logout"}, b.attempts("wiki"))
	}
}

// A slow application costs its time, holds up no other of the batch, and is tried three times.
func TestSlowApplicationIsGivenUp(t *testing.T) {
	b := newBench(t, func(c *Config) { c.PostTime = 500 * time.Millisecond })
	release := make(chan struct{})
	headers := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer headers.Close()
	defer close(release)
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	b.application("slow", headers.URL)
	b.application("endless", endless.URL)
	b.grant("alice", "lineage", "slow")
	b.grant("alice", "lineage", "endless")
	b.end("lineage")
	started := time.Now()
	b.queue.run(t, b.function)
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	const timeout = "alice temporarily_unavailable backchannel_timeout"
	b.equal("attempts", []string{timeout, timeout, timeout}, b.attempts("slow"))
	b.equal("attempts of the endless answer", []string{"alice ok backchannel_logout"}, b.attempts("endless"))
	b.equal("given up", []string{`{"lineage":"lineage","application":"slow"}`}, b.queue.givenUp)
}

func TestUnreachableApplicationIsGivenUp(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer secure.Close()
	for address, cause := range map[string]string{
		closed.URL:                       "backchannel_unreachable",
		"https://does-not-exist.invalid": "backchannel_unreachable",
		secure.URL:                       "backchannel_certificate",
	} {
		b := newBench(t, nil)
		b.application("wiki", address)
		b.grant("alice", "lineage", "wiki")
		b.end("lineage")
		b.queue.run(t, b.function)
		want := "alice temporarily_unavailable " + cause
		b.equal(address, []string{want, want, want}, b.attempts("wiki"))
	}
}

// A message that nobody can read is given up, and does not hold up the others.
func TestPoisonedMessageIsGivenUp(t *testing.T) {
	b := newBench(t, nil)
	wiki := newReceiver(t)
	b.application("wiki", wiki.URL)
	b.grant("alice", "lineage", "wiki")
	poison := []string{
		"", "null", "{}", "[]", `{"lineage":""}`, `{"lineage":"a"}{"lineage":"b"}`, `{"user":"a","lineage":"b"}`, `{"user":"a","member":"a"}`, `{"application":"wiki"}`, `{"lineage":"a","more":1}`, "\x00",
		`{"authenticator":"a"}`, `{"generation":"g"}`, `{"authenticator":"a","generation":"g","lineage":"b"}`, `{"lineage":"a","cursor":"c"}`,
		`{"authenticator":"a","generation":"g","cursor":"?"}`,
	}
	for _, body := range poison {
		b.queue.waiting = append(b.queue.waiting, sqsMessage{body: body})
	}
	b.end("lineage")
	if deliveries := b.queue.run(t, b.function); deliveries != 3*len(poison)+2 {
		t.Errorf("%d deliveries", deliveries)
	}
	slices.Sort(poison)
	slices.Sort(b.queue.givenUp)
	b.equal("given up", poison, b.queue.givenUp)
	b.equal("attempts", []string{"alice ok backchannel_logout"}, b.attempts("wiki"))
}

// A message that comes twice tells twice, and one about what has gone tells nobody.
func TestMessagesMayComeTwiceAndLate(t *testing.T) {
	b := newBench(t, nil)
	wiki := newReceiver(t)
	b.application("wiki", wiki.URL)
	b.grant("alice", "lineage", "wiki")
	send := func(m logoutqueue.Message) {
		t.Helper()
		if err := b.queue.Send(t.Context(), m, 0); err != nil {
			t.Fatal(err)
		}
	}
	b.end("lineage")
	b.end("lineage")
	b.end("unknown")
	send(logoutqueue.Message{User: "unknown"})
	send(logoutqueue.Message{Lineage: "lineage", Application: "unknown"})
	b.queue.run(t, b.function)
	b.now = b.now.Add(8 * time.Hour)
	b.end("lineage")
	send(logoutqueue.Message{Lineage: "lineage", Application: "wiki"})
	send(logoutqueue.Message{User: "alice"})
	b.queue.run(t, b.function)
	if len(wiki.got) != 2 || len(b.queue.givenUp) != 0 {
		t.Errorf("%d requests, given up %q", len(wiki.got), b.queue.givenUp)
	}
}

// failing is a store, a registry and a signer of which one is down.
type failing struct {
	*embedded.Engine
	Signer
	down string
}

var errDown = errors.New("down")

func (f *failing) Lineage(ctx context.Context, id string) (store.Lineage, error) {
	if f.down == "Lineage" {
		return store.Lineage{}, errDown
	}
	return f.Engine.Lineage(ctx, id)
}

func (f *failing) LineagesOfUser(ctx context.Context, id string) ([]store.Lineage, error) {
	if f.down == "LineagesOfUser" {
		return nil, errDown
	}
	return f.Engine.LineagesOfUser(ctx, id)
}

func (f *failing) Application(ctx context.Context, id string) (store.Application, error) {
	if f.down == "Application" {
		return store.Application{}, errDown
	}
	return f.Engine.Application(ctx, id)
}

func (f *failing) RecordApplicationEvent(ctx context.Context, e store.ApplicationEvent) error {
	if f.down == "RecordApplicationEvent" {
		return errDown
	}
	return f.Engine.RecordApplicationEvent(ctx, e)
}

func (f *failing) MintLogoutToken(ctx context.Context, claims keys.LogoutTokenClaims) (string, error) {
	if f.down == "MintLogoutToken" {
		return "", errDown
	}
	return f.Signer.MintLogoutToken(ctx, claims)
}

// What fails on the way comes again; what was sent is not sent again because it could not
// be recorded.
func TestFailuresComeAgain(t *testing.T) {
	for _, down := range []string{"Lineage", "LineagesOfUser", "Application", "MintLogoutToken", "RecordApplicationEvent", "queue"} {
		f := &failing{down: down}
		b := newBench(t, func(c *Config) { f.Signer = c.Signer; c.Store, c.Applications, c.Signer = f, f, f })
		f.Engine = b.store
		wiki := newReceiver(t)
		b.application("wiki", wiki.URL)
		b.grant("alice", "lineage", "wiki")
		b.queue.waiting = []sqsMessage{{body: `{"user":"alice"}`}}
		b.queue.failing = down == "queue"
		b.queue.run(t, b.function)
		sent, givenUp := 0, 1
		if down == "RecordApplicationEvent" {
			sent, givenUp = 1, 0
		}
		if len(wiki.got) != sent || len(b.queue.givenUp) != givenUp {
			t.Errorf("%s: %d requests, given up %q", down, len(wiki.got), b.queue.givenUp)
		}
	}
}

// The log says how it went, without the token, the address or the application's answer.
func TestLogHasNoSecrets(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Log.Service = "stack" })
	wiki := newReceiver(t, 500, 302, 400)
	b.application("wiki", wiki.URL+"/path-of-the-application?key=hunter2")
	b.grant("alice", "lineage", "wiki")
	b.end("lineage")
	b.queue.waiting = append(b.queue.waiting, sqsMessage{body: `{"lineage":"a","logout_token":"hunter3"}`, received: 2})
	b.queue.run(t, b.function)
	lines := b.log.String()
	for _, secret := range []string{"hunter", "path-of-the-application", "eyJ", "elsewhere", "nobody reads"} {
		if strings.Contains(lines, secret) {
			t.Errorf("the log has %s:\n%s", secret, lines)
		}
	}
	for _, wanted := range []string{`"outcome":"backchannel_status"`, `"outcome":"backchannel_refused"`, `"application":"wiki"`, `"try":"3"`, `"service":"stack"`, "not a message of this service"} {
		if !strings.Contains(lines, wanted) {
			t.Errorf("the log has no %s:\n%s", wanted, lines)
		}
	}
}

// Without its issuer a token would be refused by everybody, so the function does not start.
func TestNeedsThePublicURL(t *testing.T) {
	if function, err := NewHandler(app.Deps{}, &sqs{}); err == nil || function != nil {
		t.Error("it started")
	}
}
