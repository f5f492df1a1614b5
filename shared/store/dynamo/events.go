package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// Two indexes of the transient table list sign-in events; that by authenticator lists
// those of applications, too. Their attributes are in the
// item of the attempt's result, so that an event needs no further write; an attempt
// without a result has a separate item.
const (
	authenticatorIndex = "attempts-of-authenticator"
	userIndex          = "attempts-of-user"
)

func eventKey(sessionKey string) item { return item{"pk": text("attempt#" + sessionKey)} }

// setEvent adds the attributes of the indexes, and keeps the item long enough.
func setEvent(i item, event store.SignInEvent, keepUntil time.Time) error {
	if err := indexEvent(i, event, event.AuthenticatorID, event.At); err != nil {
		return err
	}
	if event.UserID != "" { // an index skips items without its key
		i["userId"] = text(event.UserID)
	}
	end := event.At.Add(store.EventRetention)
	if keepUntil.After(end) {
		end = keepUntil
	}
	i["ttl"] = number(end.Add(lingering).Unix())
	return nil
}

// indexEvent adds what the index by authenticator needs to an item.
func indexEvent(i item, event any, owner string, at time.Time) error {
	record, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encode attempt: %w", err)
	}
	i["attempt"], i["at"], i["authenticatorId"] = text(string(record)), moment(at), text(owner)
	return nil
}

// RecordEvent implements store.Transient.
func (e *Engine) RecordEvent(ctx context.Context, sessionKey string, event store.SignInEvent) error {
	i := eventKey(sessionKey)
	if err := setEvent(i, event, event.At); err != nil {
		return err
	}
	return e.run(ctx, []step{put(e.cfg.TransientTable, i, "", nil, failing(nil))})
}

// EventsOfAuthenticator implements store.Transient.
func (e *Engine) EventsOfAuthenticator(ctx context.Context, authenticatorID string, limit int) ([]store.SignInEvent, error) {
	return events[store.SignInEvent](ctx, e, authenticatorIndex, "authenticatorId", authenticatorID, limit)
}

// EventsOfUser implements store.Transient.
func (e *Engine) EventsOfUser(ctx context.Context, userID string, limit int) ([]store.SignInEvent, error) {
	return events[store.SignInEvent](ctx, e, userIndex, "userId", userID, limit)
}

// SessionsOfUser implements store.Transient. The index says which results are sessions that
// began, and the results which of them go on.
func (e *Engine) SessionsOfUser(ctx context.Context, userID string, limit int) ([]store.SessionOfUser, error) {
	began, err := e.queryEvents(ctx, userIndex, "userId", userID, store.MaxEvents)
	if err != nil {
		return nil, err
	}
	var keys []item
	for _, i := range began {
		var event store.SignInEvent
		if err := json.Unmarshal([]byte(textOf(i, "attempt")), &event); err != nil {
			return nil, fmt.Errorf("decode attempt: %w", err)
		}
		if key, isResult := strings.CutPrefix(textOf(i, "pk"), resultPrefix); isResult && event.Code == "" {
			keys = append(keys, resultKey(key))
		}
	}
	if len(keys) == 0 || limit < 1 {
		return nil, nil
	}
	found, err := e.getBatch(ctx, map[string][]item{e.cfg.TransientTable: keys})
	if err != nil {
		return nil, err
	}
	var live []store.SessionOfUser
	for _, i := range found[e.cfg.TransientTable] {
		key := strings.TrimPrefix(textOf(i, "pk"), resultPrefix)
		result, err := e.decodeResult(i, key)
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, err
		case result.Kind == store.ResultSession && result.Session.UserID == userID && e.cfg.Now().Before(result.Session.ExpiresAt):
			live = append(live, store.SessionOfUser{Key: key, Session: result.Session})
		}
	}
	slices.SortFunc(live, func(x, y store.SessionOfUser) int { return y.SignedInAt.Compare(x.SignedInAt) })
	return live[:min(limit, len(live))], nil
}

// events reads an owner's events, newest first, from an index.
func events[T any](ctx context.Context, e *Engine, index, attribute, owner string, limit int) ([]T, error) {
	items, err := e.queryEvents(ctx, index, attribute, owner, limit)
	if err != nil {
		return nil, err
	}
	records := make([]T, len(items))
	for n, found := range items {
		if err := json.Unmarshal([]byte(textOf(found, "attempt")), &records[n]); err != nil {
			return nil, fmt.Errorf("decode attempt: %w", err)
		}
	}
	return records, nil
}

// queryEvents reads the items of an owner's events, newest first, from an index.
func (e *Engine) queryEvents(ctx context.Context, index, attribute, owner string, limit int) ([]item, error) {
	if owner == "" || len(owner) > maxPartitionKey || limit < 1 {
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
		// At most a hundred small records are far below 1 MB, so one query is enough.
		Limit: aws.Int32(int32(min(limit, store.MaxEvents))),
	})
	if err != nil {
		return nil, fmt.Errorf("query attempts: %w", err)
	}
	return output.Items, nil
}
