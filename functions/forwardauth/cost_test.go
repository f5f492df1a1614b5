package forwardauth_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
)

func documentOf(document []byte) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) { return document, nil }
}

// remote notes every call of DynamoDB, and how many were made one after the other.
type remote struct {
	dynamo.API
	// delay is how long each call takes; hang: none is answered.
	delay time.Duration
	hang  bool

	mu    sync.Mutex
	calls []string
}

func (c *remote) note(ctx context.Context, call string) error {
	c.mu.Lock()
	c.calls = append(c.calls, call)
	delay, hang := c.delay, c.hang
	c.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	time.Sleep(delay)
	return nil
}

// take returns the calls since the last time, sorted: some are under way at once.
func (c *remote) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.calls)
	calls := strings.Join(c.calls, " ")
	c.calls = nil
	return calls
}

func (c *remote) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	if err := c.note(ctx, "Get"); err != nil {
		return nil, err
	}
	return c.API.GetItem(ctx, in, o...)
}

func (c *remote) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	if err := c.note(ctx, "BatchGet"); err != nil {
		return nil, err
	}
	return c.API.BatchGetItem(ctx, in, o...)
}

func (c *remote) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	if err := c.note(ctx, "Query"); err != nil {
		return nil, err
	}
	return c.API.Query(ctx, in, o...)
}

func (c *remote) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	if err := c.note(ctx, "Update"); err != nil {
		return nil, err
	}
	return c.API.UpdateItem(ctx, in, o...)
}

func (c *remote) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	if err := c.note(ctx, "Put"); err != nil {
		return nil, err
	}
	return c.API.PutItem(ctx, in, o...)
}

func newRemoteService(t *testing.T, cfg config) (*service, *remote) {
	t.Helper()
	server := dynamotest.Start(t)
	tables := server.CreateTables(t)
	calls := &remote{API: server.Client}
	cfg.open = func(now func() time.Time) store.Engine {
		engine, err := dynamo.New(dynamo.Config{Client: calls, DirectoryTable: tables.Directory, TransientTable: tables.Transient, AuditTable: tables.Audit, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return engine
	}
	return newService(t, cfg), calls
}

// TestRemoteCallsOfForwardAuth: one for a yes, none for a cookie that is not ours.
func TestRemoteCallsOfForwardAuth(t *testing.T) {
	s, calls := newRemoteService(t, config{sessionDomain: "example.com"})
	s.application(store.Application{ID: "board", Kind: store.KindProxy, Homepage: "https://board.example.com/"})
	b := s.member("ann")
	b.signIn()
	session := map[string]string{"__Secure-wecom_session": b.jar("signin.example.com")["__Secure-wecom_session"]}
	const board = "/oauth2/forward-auth/forward/board"
	s.now = s.now.Add(11 * time.Second) // the application's last use is noted once an hour
	s.send("GET", board, nil, session)
	b.check(forward, nil)
	wanted := func(name, want string, status int, ask func() answer) {
		t.Helper()
		calls.take()
		a := ask()
		if got := calls.take(); got != want || a.status != status {
			t.Errorf("%s: %d, %q; want %d, %q", name, a.status, got, status, want)
		}
	}
	for _, path := range checks() {
		wanted("a yes", "BatchGet", http.StatusOK, func() answer { return b.check(path, nil) })
		wanted("nobody", "", http.StatusUnauthorized, func() answer { return s.send("GET", path, nil, nil) })
		wanted("made up", "", http.StatusUnauthorized, func() answer { return s.send("GET", path, nil, map[string]string{cookie: "a.b.c.d"}) })
	}
	wanted("a yes by the shared session", "BatchGet", http.StatusOK, func() answer { return s.send("GET", board, nil, session) })
	wanted("start", "", http.StatusFound, func() answer { return b.open(start) })
	wanted("callback of nobody", "", http.StatusFound, func() answer { return s.browser().open(origin + "/.wecom-signin/wiki/callback?code=x&state=y") })
	link := b.callbackOf(start)
	wanted("callback", "BatchGet Get Put Update", http.StatusFound, func() answer { return b.open(link) })
	wanted("sign-out", "Update", http.StatusFound, func() answer { return b.open(origin + "/.wecom-signin/wiki/signout") })

	// Every ten seconds configuration is read again: two calls in series instead of one.
	b.signIn()
	s.now = s.now.Add(11 * time.Second)
	calls.delay = 100 * time.Millisecond
	began := time.Now()
	wanted("a yes without caches", "BatchGet Get Get Query", http.StatusOK, func() answer { return b.check(forward, nil) })
	if took := time.Since(began); took < 200*time.Millisecond || took > 290*time.Millisecond {
		t.Errorf("took %v, want two calls of 100 ms in series", took)
	}
}

// TestForwardAuthFailsClosed: a store that does not answer is a no after two seconds.
func TestForwardAuthFailsClosed(t *testing.T) {
	s, calls := newRemoteService(t, config{})
	b := s.member("ann")
	b.signIn()
	calls.mu.Lock()
	calls.hang = true
	calls.mu.Unlock()
	var asking sync.WaitGroup
	for _, path := range append(checks(), "/.wecom-signin/wiki/signout") {
		asking.Go(func() {
			began := time.Now()
			a := b.proxyAnswer(path, map[string]string{cookie: b.cookies["wiki.example.org"][cookie]})
			if took := time.Since(began); a.status != http.StatusServiceUnavailable || a.headers["x-auth-user"] != "" || took < 1900*time.Millisecond || took > 10*time.Second {
				t.Errorf("%s: %d after %v", path, a.status, took)
			}
		})
	}
	asking.Wait()
}
