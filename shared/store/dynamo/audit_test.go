package dynamo_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
	"github.com/wecom-signin/wecom-signin/shared/store/storetest"
)

// A thousand lines of one second by one authenticator are spread over the partitions of an
// hour and of the index, evenly; each ends after the retention, and not before.
func TestAuditLinesAreSpread(t *testing.T) {
	server := dynamotest.Start(t)
	tables := server.CreateTables(t)
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	engine, err := dynamo.New(dynamo.Config{
		Client: server.Client, DirectoryTable: tables.Directory, AuditTable: tables.Audit, AuditRetention: 48 * time.Hour, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(storetest.AtOnce(1000, func(int) error {
		return engine.RecordAudit(t.Context(), store.AuditLine{ID: store.NewAuditID(now), At: now, Type: store.AuditSignedIn, Authenticator: "demo"})
	})...); err != nil {
		t.Fatal(err)
	}
	for shard := range 4 {
		for index, key := range map[string]string{"": "2026-11-21T12#", "lines-of-authenticator": "demo#"} {
			input := &dynamodb.QueryInput{
				TableName: aws.String(tables.Audit), KeyConditionExpression: aws.String("#key = :key"),
				ExpressionAttributeNames:  map[string]string{"#key": "pk"},
				ExpressionAttributeValues: map[string]types.AttributeValue{":key": &types.AttributeValueMemberS{Value: key + strconv.Itoa(shard)}},
			}
			if index != "" {
				input.IndexName, input.ExpressionAttributeNames["#key"] = aws.String(index), "ofAuthenticator"
			}
			output, err := server.Client.Query(t.Context(), input)
			if err != nil {
				t.Fatal(err)
			}
			if output.Count < 180 || output.Count > 320 {
				t.Errorf("%d of 1,000 lines are in %s%d", output.Count, key, shard)
			}
			if ttl, _ := output.Items[0]["ttl"].(*types.AttributeValueMemberN); index == "" {
				if seconds, _ := strconv.ParseInt(ttl.Value, 10, 64); time.Unix(seconds, 0).Sub(now) != 49*time.Hour {
					t.Errorf("a line may go at %v", time.Unix(seconds, 0))
				}
			}
		}
	}
}

// brokenTables answers writes as a table does that is not there.
type brokenTables struct{ dynamo.API }

func (brokenTables) PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	return nil, &types.ResourceNotFoundException{}
}

func (brokenTables) TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	return nil, &types.ResourceNotFoundException{}
}

// A line that is lost is counted, alone or with its write; a refused write is not.
func TestLostAuditLinesAreCounted(t *testing.T) {
	server := dynamotest.Start(t)
	tables := server.CreateTables(t)
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	lost := 0
	engineOn := func(client dynamo.API) *dynamo.Engine {
		engine, err := dynamo.New(dynamo.Config{
			Client: client, DirectoryTable: tables.Directory, TransientTable: tables.Transient, AuditTable: tables.Audit,
			Now: func() time.Time { return now }, AuditFailed: func(context.Context) { lost++ },
		})
		if err != nil {
			t.Fatal(err)
		}
		return engine
	}
	line := func() store.AuditLine {
		return store.AuditLine{ID: store.NewAuditID(now), At: now, Type: "user_created"}
	}
	u := store.User{ID: store.NewUserID(now), Phone: "+8613800000001", Version: 1}
	works, broken := engineOn(server.Client), engineOn(brokenTables{server.Client})
	if err := works.Audited(line()).CreateUser(t.Context(), u); err != nil {
		t.Fatal(err)
	}
	if err := works.Audited(line()).CreateUser(t.Context(), u); !errors.Is(err, store.ErrExists) || lost != 0 {
		t.Errorf("%v, %d lines are lost", err, lost)
	}
	if err := broken.RecordAudit(t.Context(), line()); err == nil || lost != 1 {
		t.Errorf("%v, %d lines are lost", err, lost)
	}
	if err := broken.Audited(line()).DeleteUser(t.Context(), u); err == nil || lost != 2 {
		t.Errorf("%v, %d lines are lost", err, lost)
	}
	if err := broken.CreateUser(t.Context(), u); err == nil || lost != 2 {
		t.Errorf("without a line: %v, %d lines are lost", err, lost)
	}
}

func BenchmarkAudit(b *testing.B) {
	server := dynamotest.Start(b)
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for _, lines := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprintf("lines=%d", lines), func(b *testing.B) {
			tables := server.CreateTables(b)
			engine, err := dynamo.New(dynamo.Config{
				Client: server.Client, DirectoryTable: tables.Directory, TransientTable: tables.Transient, AuditTable: tables.Audit, Now: func() time.Time { return now },
			})
			if err != nil {
				b.Fatal(err)
			}
			storetest.BenchmarkAudit(b, engine, now, lines, func(lines []store.AuditLine) error {
				var writing errgroup.Group
				writing.SetLimit(32)
				for _, line := range lines {
					writing.Go(func() error { return engine.RecordAudit(b.Context(), line) })
				}
				return writing.Wait()
			})
		})
	}
}
