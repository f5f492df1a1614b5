package dynamo_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strconv"
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
		engine, err := dynamo.New(dynamo.Config{Client: server.Client, DirectoryTable: tables.Directory, TransientTable: tables.Transient, AuditTable: tables.Audit, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		return engine
	})
}

// TestRemoteCallsPerOperation counts the cost of the store.
func TestRemoteCallsPerOperation(t *testing.T) {
	server := dynamotest.Start(t)
	tables := server.CreateTables(t)
	var counting dynamotest.Calls
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	engine, err := dynamo.New(dynamo.Config{Client: counting.Client(server), DirectoryTable: tables.Directory, TransientTable: tables.Transient, AuditTable: tables.Audit, Now: func() time.Time { return now }})
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
	application := store.Application{ID: "demo", Secrets: []store.ClientSecret{{ID: "one"}}, Generation: "g", Version: 1}
	withoutSecrets := application
	withoutSecrets.Secrets, withoutSecrets.Version = nil, 2
	grant := store.Grant{ID: "grant", ApplicationID: "demo", UserID: u.ID, Lineage: "lineage", CodeExpiresAt: now.Add(time.Minute), KeepUntil: now.Add(time.Hour)}
	inAnOlderTab := grant
	inAnOlderTab.ID = "older"
	consent := store.Consent{UserID: u.ID, ApplicationID: "demo"}
	line := func() store.AuditLine {
		return store.AuditLine{ID: store.NewAuditID(now), At: now, Type: "user_updated", User: u.ID, Actor: "key", Authenticator: "demo"}
	}
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
		{"refuse a first sign-in", func() error {
			return engine.RefuseFirstSignIn(ctx, "ww0123", "lisi", store.FirstSignInRefusal{Code: "phone_in_use", At: now, KeepUntil: now.Add(time.Minute)})
		}, "Put"},
		{"ask about a first sign-in", func() error { _, err := engine.FirstSignIn(ctx, "two", "ww0123", "lisi"); return err }, "BatchGet"},
		{"start a session with its line", func() error { return engine.Audited(line()).StartSession(ctx, session("three"), false) }, "Transact2"},
		{"the same and note the sign-in", func() error { return engine.Audited(line()).StartSession(ctx, session("four"), true) }, "Transact2 Update"},
		{"write a line", func() error { return engine.RecordAudit(ctx, line()) }, "Put"},
		{"read the lines of a user", func() error {
			_, _, err := engine.AuditLines(ctx, store.AuditQuery{User: u.ID}, store.Page{Limit: 50})
			return err
		}, "Query"},
		{"read the lines of an authenticator", func() error {
			_, _, err := engine.AuditLines(ctx, store.AuditQuery{Authenticator: "demo"}, store.Page{Limit: 50})
			return err
		}, "Query Query Query Query"},
		{"read the lines of this hour", func() error {
			_, _, err := engine.AuditLines(ctx, store.AuditQuery{From: now.Truncate(time.Hour)}, store.Page{Limit: 50})
			return err
		}, "Query Query Query Query"},
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
		{"read an access token", func() error { _, _ = engine.Fetched(ctx, "app"); return nil }, "Get"},
		{"create an application", func() error { return engine.CreateApplication(ctx, application) }, "Transact1"},
		{"read an application", func() error { _, err := engine.Application(ctx, "demo"); return err }, "Get"},
		{"list applications", func() error { _, _, err := engine.Applications(ctx, store.Page{Limit: 50}); return err }, "Query"},
		{"note the use of an application", func() error { return engine.NoteApplicationUse(ctx, "demo", "one", now) }, "Update"},
		{"note an event", func() error { return engine.NoteEvent(ctx, a, now) }, "Update"},
		{"update an application", func() error { return engine.UpdateApplication(ctx, application, withoutSecrets) }, "Update"},
		{"delete an application", func() error { return engine.DeleteApplication(ctx, withoutSecrets) }, "Delete"},
		{"consent", func() error { return engine.PutConsent(ctx, consent) }, "Put"},
		{"read a consent", func() error { _, err := engine.Consent(ctx, u.ID, "demo"); return err }, "Get"},
		{"list a user's consents", func() error { _, err := engine.Consents(ctx, u.ID); return err }, "Query"},
		{"withdraw a consent", func() error { return engine.DeleteConsent(ctx, u.ID, "demo") }, "Delete"},
		{"make a code", func() error { return engine.CreateGrant(ctx, grant, now.Add(time.Hour)) }, "Put Update"},
		{"make a code for a session that ends earlier", func() error { return engine.CreateGrant(ctx, inAnOlderTab, now.Add(time.Minute)) }, "Put Update Update"},
		{"read a grant", func() error { _, err := engine.Grant(ctx, "grant"); return err }, "Get"},
		{"take a code", func() error { return engine.RotateGrant(ctx, "grant", 0, now, now.Add(time.Hour), now.Add(time.Hour)) }, "Update"},
		{"refresh", func() error { return engine.RotateGrant(ctx, "grant", 1, now, now.Add(time.Hour), now.Add(time.Hour)) }, "Update"},
		{"check a grant", func() error { _, _, _, err := engine.GrantState(ctx, "grant", u.ID, "lineage"); return err }, "BatchGet"},
		{"revoke a grant", func() error { return engine.RevokeGrant(ctx, "grant") }, "Update"},
		{"read a lineage", func() error { _, err := engine.Lineage(ctx, "lineage"); return err }, "Get"},
		{"end a lineage", func() error { _, err := engine.EndLineage(ctx, "lineage"); return err }, "Update"},
		{"list a user's lineages", func() error { _, err := engine.LineagesOfUser(ctx, u.ID); return err }, "Query"},
		{"note a sign-in to an application", func() error {
			return engine.RecordApplicationEvent(ctx, store.ApplicationEvent{At: now, ApplicationID: "demo"})
		}, "Put"},
		{"list sign-ins to an application", func() error { _, err := engine.EventsOfApplication(ctx, "demo", 50); return err }, "Query"},
		{"delete a user", func() error { return engine.DeleteUser(ctx, changed) }, "Transact5"},
	} {
		counting.Take()
		if err := operation.run(); err != nil {
			t.Errorf("%s: %v", operation.name, err)
		}
		if got := counting.Take(); got != operation.want {
			t.Errorf("%s costs %q, want %q", operation.name, got, operation.want)
		}
	}
}

// The item of an identity that was written before it said anything of its owner.
func TestIdentityOfBeforeLeadsToItsOwner(t *testing.T) {
	server := dynamotest.Start(t)
	tables := server.CreateTables(t)
	engine, err := dynamo.New(dynamo.Config{Client: server.Client, DirectoryTable: tables.Directory, TransientTable: tables.Transient, AuditTable: tables.Audit, Now: time.Now})
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
		UpdateExpression: aws.String("REMOVE enabled, namePending, sessionGeneration, #identity"), ExpressionAttributeNames: map[string]string{"#identity": "identity"},
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := engine.OwnerOfIdentity(t.Context(), "ww0123", "ZhangSan"); err != nil || !reflect.DeepEqual(got, u.Owner("ww0123")) {
		t.Fatalf("%+v, %v", got, err)
	}
}

// repeatingAPI sends each write twice, as the client does when the first answer is lost.
type repeatingAPI struct{ dynamo.API }

func (r repeatingAPI) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	if out, err := r.API.PutItem(ctx, in, o...); err != nil {
		return out, err
	}
	return r.API.PutItem(ctx, in, o...)
}

func (r repeatingAPI) UpdateItem(ctx context.Context, in *dynamodb.UpdateItemInput, o ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	if out, err := r.API.UpdateItem(ctx, in, o...); err != nil {
		return out, err
	}
	return r.API.UpdateItem(ctx, in, o...)
}

// A request that the client repeats is not taken for a rival: the member would be refused
// and the applications never told.
func TestRepeatedRequestIsNotARival(t *testing.T) {
	server := dynamotest.Start(t)
	tables := server.CreateTables(t)
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	engine, err := dynamo.New(dynamo.Config{
		Client: repeatingAPI{server.Client}, DirectoryTable: tables.Directory, TransientTable: tables.Transient, AuditTable: tables.Audit, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := t.Context(), now.Add(time.Hour)
	g := store.Grant{ID: "grant", ApplicationID: "demo", UserID: "u", Lineage: "lineage", CodeExpiresAt: now.Add(time.Minute), KeepUntil: end}
	older := g
	older.ID = "older"
	if err := errors.Join(
		engine.CreateGrant(ctx, g, end), engine.CreateGrant(ctx, older, now.Add(time.Minute)),
		engine.RotateGrant(ctx, "grant", 0, now, end, end), engine.RotateGrant(ctx, "grant", 1, now, end, end),
	); err != nil {
		t.Fatal(err)
	}
	if got, err := engine.Grant(ctx, "grant"); err != nil || got.Refreshed != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	// A repeated request is one, though, and the next one another.
	for name, err := range map[string]error{
		"a rival takes the code":    engine.RotateGrant(ctx, "grant", 0, now, end, end),
		"a rival uses the token":    engine.RotateGrant(ctx, "grant", 1, now, end, end),
		"another grant of this id":  engine.CreateGrant(ctx, older, end),
		"the next generation, soon": engine.RotateGrant(ctx, "grant", 3, now, end, end),
	} {
		if !errors.Is(err, store.ErrChanged) && !errors.Is(err, store.ErrExists) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 {
		if l, err := engine.EndLineage(ctx, "lineage"); err != nil || !l.Ended || !slices.Equal(l.Applications, []string{"demo"}) {
			t.Fatalf("%+v, %v", l, err)
		}
	}
}

// DynamoDB removes a record of the provider some time after its end, never before, and
// each has one.
func TestRecordsOfTheProviderEndLate(t *testing.T) {
	server := dynamotest.Start(t)
	tables := server.CreateTables(t)
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	engine, err := dynamo.New(dynamo.Config{
		Client: server.Client, DirectoryTable: tables.Directory, TransientTable: tables.Transient, AuditTable: tables.Audit, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	ttl := func(pk string) time.Time {
		t.Helper()
		out, err := server.Client.GetItem(ctx, &dynamodb.GetItemInput{
			TableName: aws.String(tables.Transient), Key: map[string]types.AttributeValue{"pk": &types.AttributeValueMemberS{Value: pk}},
		})
		if err != nil {
			t.Fatal(err)
		}
		value, ok := out.Item["ttl"].(*types.AttributeValueMemberN)
		if !ok {
			t.Fatalf("%s has no end: %v", pk, out.Item)
		}
		seconds, err := strconv.ParseInt(value.Value, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return time.Unix(seconds, 0).UTC()
	}
	after := func(pk string, end time.Time) {
		t.Helper()
		if got := ttl(pk); !got.After(end) || got.After(end.Add(24*time.Hour)) {
			t.Errorf("%s may be removed at %v, its end is %v", pk, got, end)
		}
	}
	g := store.Grant{ID: "grant", ApplicationID: "demo", UserID: "u", Lineage: "lineage", CodeExpiresAt: now.Add(time.Minute), KeepUntil: now.Add(time.Hour)}
	if err := engine.CreateGrant(ctx, g, now.Add(8*time.Hour)); err != nil {
		t.Fatal(err)
	}
	after("grant#grant", g.KeepUntil)
	after("lineage#lineage", now.Add(8*time.Hour))
	keep := now.Add(90 * 24 * time.Hour)
	if err := engine.RotateGrant(ctx, "grant", 0, now, keep, keep); err != nil {
		t.Fatal(err)
	}
	after("grant#grant", keep)
	g.ID = "another"
	if err := engine.CreateGrant(ctx, g, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	after("lineage#lineage", now.Add(8*time.Hour))
	if _, err := engine.EndLineage(ctx, "lineage"); err != nil {
		t.Fatal(err)
	}
	after("lineage#lineage", now.Add(8*time.Hour))
	if _, err := engine.EndLineage(ctx, "never"); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	after("lineage#never", now.Add(store.EndedLineageKept))
}
