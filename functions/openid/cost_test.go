package openid_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
)

// remoteCalls notes every call of DynamoDB and Secrets Manager.
type remoteCalls struct {
	dynamo.API
	secret.Store
	mu    sync.Mutex
	calls []string
}

func (c *remoteCalls) note(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call)
}

// take returns the calls since the last time, sorted: some are under way at once.
func (c *remoteCalls) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.calls)
	calls := strings.Join(c.calls, " ")
	c.calls = nil
	return calls
}

func (c *remoteCalls) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	c.note("Get")
	return c.API.GetItem(ctx, in, o...)
}

func (c *remoteCalls) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	c.note("BatchGet")
	return c.API.BatchGetItem(ctx, in, o...)
}

func (c *remoteCalls) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	c.note("Query")
	return c.API.Query(ctx, in, o...)
}

func (c *remoteCalls) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	c.note("Update")
	return c.API.UpdateItem(ctx, in, o...)
}

func (c *remoteCalls) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	c.note("Put")
	return c.API.PutItem(ctx, in, o...)
}

func (c *remoteCalls) Get(ctx context.Context, name, version string) (secret.Value, error) {
	c.note("Secret")
	return c.Store.Get(ctx, name, version)
}

// TestRemoteCallsOfTheProvider counts what each endpoint asks of DynamoDB and Secrets
// Manager once a process is warm: applications, authenticators and keys are cached.
func TestRemoteCallsOfTheProvider(t *testing.T) {
	server := dynamotest.Start(t)
	tables := server.CreateTables(t)
	remote := &remoteCalls{API: server.Client}
	p := newProviderWith(t, func(now func() time.Time) store.Engine {
		engine, err := dynamo.New(dynamo.Config{Client: remote, DirectoryTable: tables.Directory, TransientTable: tables.Transient, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return engine
	}, func(secrets secret.Store) secret.Store {
		remote.Store = secrets
		return remote
	})
	b := p.member("ann")
	// Warm: keys and configuration are read, and the application's last use is noted, which
	// happens once an hour.
	tokens := p.exchange(b.code(wikiRequest()))
	p.now = p.now.Add(11 * time.Second)
	p.userinfo(p.exchange(b.code(wikiRequest()))["access_token"].(string))

	var code string
	wanted := func(name, want string, request func() answer) {
		t.Helper()
		remote.take()
		got := request()
		if calls := remote.take(); calls != want || got.status >= 400 {
			t.Errorf("%s (%d): %q, want %q", name, got.status, calls, want)
		}
	}
	p.now = p.now.Add(time.Second)
	wanted("no session", "", func() answer { return p.browser().get("/oauth2/authorize", wikiRequest()) })
	wanted("a code", "BatchGet Put Update", func() answer {
		got := b.get("/oauth2/authorize", wikiRequest())
		_, query := got.location(t)
		code = query.Get("code")
		return got
	})
	wanted("code exchange", "BatchGet Get Put Update", func() answer {
		got := p.post("/oauth2/token", p.asWiki(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "code_verifier": {verifier}}), nil)
		tokens = got.json(t)
		return got
	})
	wanted("refresh", "BatchGet Update", func() answer {
		return p.post("/oauth2/token", p.asWiki(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}}), nil)
	})
	wanted("userinfo", "BatchGet", func() answer { return p.userinfo(tokens["access_token"].(string)) })
	wanted("introspection", "BatchGet", func() answer {
		return p.post("/oauth2/introspect", p.asWiki(url.Values{"token": {tokens["access_token"].(string)}}), nil)
	})
	wanted("a made-up token", "", func() answer {
		got := p.userinfo("made-up")
		got.status = http.StatusOK
		return got
	})
}
