package dynamo_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
	"github.com/wecom-signin/wecom-signin/shared/store/storetest"
)

func TestConformance(t *testing.T) {
	server := dynamotest.Start(t)
	storetest.Run(t, func(t *testing.T, now func() time.Time) store.Engine {
		tables := server.CreateTables(t)
		engine, err := dynamo.New(dynamo.Config{Client: server.Client, DirectoryTable: tables.Directory, TransientTable: tables.Transient, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return engine
	})
}

// countingAPI counts the requests to DynamoDB.
type countingAPI struct {
	dynamo.API
	mu    sync.Mutex
	calls []string
}

func (c *countingAPI) note(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call)
}

func (c *countingAPI) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := strings.Join(c.calls, " ")
	c.calls = nil
	// These two are under way at once.
	return strings.ReplaceAll(calls, "Update Put", "Put Update")
}

func (c *countingAPI) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	if in.ConsistentRead == nil || !*in.ConsistentRead {
		c.note("EVENTUAL")
	}
	c.note("Get")
	return c.API.GetItem(ctx, in, o...)
}

func (c *countingAPI) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	c.note("Put")
	return c.API.PutItem(ctx, in, o...)
}

func (c *countingAPI) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	c.note("Update")
	return c.API.UpdateItem(ctx, in, o...)
}

func (c *countingAPI) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	c.note("Delete")
	return c.API.DeleteItem(ctx, in, o...)
}

func (c *countingAPI) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	c.note("Query")
	return c.API.Query(ctx, in, o...)
}

func (c *countingAPI) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	c.note("BatchGet")
	return c.API.BatchGetItem(ctx, in, o...)
}

func (c *countingAPI) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	c.note(fmt.Sprint("Transact", len(in.TransactItems)))
	return c.API.TransactWriteItems(ctx, in, o...)
}

// TestRemoteCallsPerOperation counts the cost of the store.
func TestRemoteCallsPerOperation(t *testing.T) {
	server := dynamotest.Start(t)
	tables := server.CreateTables(t)
	counting := &countingAPI{API: server.Client}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	engine, err := dynamo.New(dynamo.Config{Client: counting, DirectoryTable: tables.Directory, TransientTable: tables.Transient, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	u := store.User{ID: store.NewUserID(now), Phone: "+8613800000001", Enabled: true, Version: 1, Identities: []store.Identity{{CorpID: "ww0123", WeComUserID: "zhangsan"}}}
	a := store.Authenticator{ID: store.NewID(), Name: "demo", Enabled: true, Version: 1}
	session := func(key string) store.AttemptResult {
		return store.AttemptResult{SessionKey: key, Kind: store.ResultSession, KeepUntil: now.Add(time.Hour), Session: store.Session{UserID: u.ID, ExpiresAt: now.Add(time.Hour)}}
	}
	renamed := u
	renamed.Name, renamed.Version = "new", 2
	changed := renamed
	changed.Roles, changed.Version = []string{"admin"}, 3
	for _, operation := range []struct {
		name string
		run  func() error
		want string
	}{
		{"create a user", func() error { return engine.CreateUser(ctx, u) }, "Transact4"},
		{"create an authenticator", func() error { return engine.CreateAuthenticator(ctx, a) }, "Transact1"},
		{"read an authenticator", func() error { _, err := engine.Authenticator(ctx, "demo"); return err }, "Get"},
		{"find a user by phone", func() error { _, err := engine.UserByPhone(ctx, u.Phone); return err }, "Get Get BatchGet"},
		{"find whose an identity is", func() error { _, err := engine.OwnerOfIdentity(ctx, "ww0123", "ZHANGSAN"); return err }, "Get"},
		{"start a session", func() error { return engine.StartSession(ctx, session("one"), false) }, "Put"},
		{"start a session and note the sign-in", func() error { return engine.StartSession(ctx, session("two"), true) }, "Put Update"},
		{"check a session", func() error { _, _, err := engine.ResultAndUser(ctx, "two", u.ID); return err }, "BatchGet"},
		{"read a session", func() error { _, err := engine.AttemptResult(ctx, "two"); return err }, "Get"},
		{"end a session", func() error { _, err := engine.EndSession(ctx, "two"); return err }, "Update"},
		{"rename a user", func() error { return engine.UpdateUser(ctx, u, renamed) }, "Transact3"},
		{"change a user otherwise", func() error { return engine.UpdateUser(ctx, renamed, changed) }, "Transact2"},
		{"disable a user", func() error {
			disabled := changed
			disabled.Enabled, disabled.Version = false, 4
			err := engine.UpdateUser(ctx, changed, disabled)
			changed = disabled
			return err
		}, "Transact2"},
		{"search users by name", func() error { _, _, err := engine.UsersByName(ctx, "n", store.Page{Limit: 50}); return err }, "Query BatchGet BatchGet"},
		{"note a failed attempt", func() error {
			return engine.RecordEvent(ctx, "one", store.SignInEvent{At: now, AuthenticatorID: "a"})
		}, "Put"},
		{"list attempts", func() error { _, err := engine.EventsOfAuthenticator(ctx, "a", 50); return err }, "Query"},
		{"list users", func() error { _, _, err := engine.Users(ctx, store.Page{Limit: 50}); return err }, "Query BatchGet BatchGet"},
		{"list authenticators", func() error { _, _, err := engine.Authenticators(ctx, store.Page{Limit: 50}); return err }, "Query"},
		{"read an access token", func() error { _, _ = engine.AccessToken(ctx, "app"); return nil }, "Get"},
		{"delete a user", func() error { return engine.DeleteUser(ctx, changed) }, "Transact5"},
	} {
		counting.take()
		if err := operation.run(); err != nil {
			t.Errorf("%s: %v", operation.name, err)
		}
		if got := counting.take(); got != operation.want {
			t.Errorf("%s costs %q, want %q", operation.name, got, operation.want)
		}
	}
	if slices.Contains(strings.Fields(counting.take()), "EVENTUAL") {
		t.Error("a read was not consistent")
	}
}

// The item of an identity that was written before it said anything of its owner.
func TestIdentityOfBeforeLeadsToItsOwner(t *testing.T) {
	server := dynamotest.Start(t)
	tables := server.CreateTables(t)
	engine, err := dynamo.New(dynamo.Config{Client: server.Client, DirectoryTable: tables.Directory, TransientTable: tables.Transient, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	u := store.User{
		ID: store.NewUserID(time.Now()), Phone: "+8613800000001", Enabled: true, NamePending: true, SessionGeneration: 3, Version: 1,
		Identities: []store.Identity{{CorpID: "ww0123", WeComUserID: "zhangsan"}},
	}
	if err := engine.CreateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Client.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName:        aws.String(tables.Directory),
		Key:              map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: "identity#ww0123#zhangsan"}, "sk": &types.AttributeValueMemberS{Value: "identity"}},
		UpdateExpression: aws.String("REMOVE enabled, namePending, sessionGeneration"),
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := engine.OwnerOfIdentity(t.Context(), "ww0123", "ZhangSan"); err != nil || got != u.Owner() {
		t.Fatalf("%+v, %v", got, err)
	}
}
