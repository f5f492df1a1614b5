package dynamo

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Two indexes of the transient table list attempts. The attributes they are made of
// lie in the item of the attempt's outcome, so that a record costs no write of its
// own; who has no outcome has an item of its own.
const (
	authenticatorIndex = "attempts-of-authenticator"
	userIndex          = "attempts-of-user"
)

func attemptKey(key string) item { return item{"pk": text("attempt#" + key)} }

// describeAttempt adds what the indexes show, and keeps the item long enough.
func describeAttempt(i item, a store.SignInEvent, keepUntil time.Time) error {
	record, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode attempt: %w", err)
	}
	i["attempt"], i["at"], i["authenticatorId"] = text(string(record)), moment(a.At), text(a.AuthenticatorID)
	if a.UserID != "" { // an index leaves out items without its key
		i["userId"] = text(a.UserID)
	}
	end := a.At.Add(store.EventRetention)
	if keepUntil.After(end) {
		end = keepUntil
	}
	i["ttl"] = number(end.Add(lingering).Unix())
	return nil
}

// RecordEvent implements store.Transient.
func (e *Engine) RecordEvent(ctx context.Context, key string, a store.SignInEvent) error {
	i := attemptKey(key)
	if err := describeAttempt(i, a, a.At); err != nil {
		return err
	}
	return e.run(ctx, []step{put(e.cfg.TransientTable, i, "", nil, failing(nil))})
}

// EventsOfAuthenticator implements store.Transient.
func (e *Engine) EventsOfAuthenticator(ctx context.Context, authenticatorID string, limit int) ([]store.SignInEvent, error) {
	return e.attempts(ctx, authenticatorIndex, "authenticatorId", authenticatorID, limit)
}

// EventsOfUser implements store.Transient.
func (e *Engine) EventsOfUser(ctx context.Context, userID string, limit int) ([]store.SignInEvent, error) {
	return e.attempts(ctx, userIndex, "userId", userID, limit)
}

func (e *Engine) attempts(ctx context.Context, index, attribute, owner string, limit int) ([]store.SignInEvent, error) {
	if owner == "" || len(owner) > 2048 || limit < 1 {
		return nil, nil
	}
	output, err := e.cfg.Client.Query(ctx, &dynamodb.QueryInput{
		TableName: aws.String(e.cfg.TransientTable), IndexName: aws.String(index),
		KeyConditionExpression:   aws.String("#owner = :owner AND #at >= :oldest"),
		ExpressionAttributeNames: map[string]string{"#owner": attribute, "#at": "at"},
		ExpressionAttributeValues: item{
			":owner": text(owner), ":oldest": moment(e.cfg.Now().Add(-store.EventRetention)),
		},
		ScanIndexForward: aws.Bool(false),
		// A page of at most a hundred small records is far below 1 MB: one query.
		Limit: aws.Int32(int32(min(limit, store.MaxEvents))),
	})
	if err != nil {
		return nil, fmt.Errorf("query attempts: %w", err)
	}
	records := make([]store.SignInEvent, len(output.Items))
	for n, found := range output.Items {
		if err := json.Unmarshal([]byte(textOf(found, "attempt")), &records[n]); err != nil {
			return nil, fmt.Errorf("decode attempt: %w", err)
		}
	}
	return records, nil
}
