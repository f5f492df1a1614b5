package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
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

// sessionsPage is how many events one page of SessionsOfAuthenticator looks at, at most:
// those whose results one request reads.
const sessionsPage = 100

// SessionsOfAuthenticator implements store.Transient. The index of the authenticator's
// events leads to its sessions, newest first: no session outlives store.EventRetention.
func (e *Engine) SessionsOfAuthenticator(ctx context.Context, authenticatorID string, page store.Page) (sessions []store.AttemptResult, next string, err error) {
	if authenticatorID == "" || len(authenticatorID) > maxPartitionKey {
		return nil, "", nil
	}
	input := &dynamodb.QueryInput{
		TableName: aws.String(e.cfg.TransientTable), IndexName: aws.String(authenticatorIndex),
		KeyConditionExpression:   aws.String("authenticatorId = :owner AND #at >= :oldest"),
		ExpressionAttributeNames: map[string]string{"#at": "at"},
		ExpressionAttributeValues: item{
			":owner": text(authenticatorID), ":oldest": moment(e.cfg.Now().Add(-store.EventRetention)),
		},
		ScanIndexForward: aws.Bool(false), Limit: aws.Int32(int32(min(page.Limit, sessionsPage))), //nolint:gosec // bounded just here
	}
	last, err := store.DecodeCursor(authenticatorID, page.Cursor)
	if err != nil {
		return nil, "", err
	}
	if last != "" {
		at, pk, _ := strings.Cut(last, " ")
		millis, err := strconv.ParseInt(at, 10, 64)
		if err != nil || !possible(item{"pk": text(pk)}) {
			return nil, "", store.ErrBadCursor
		}
		input.ExclusiveStartKey = item{"pk": text(pk), "authenticatorId": text(authenticatorID), "at": number(millis)}
	}
	output, err := e.cfg.Client.Query(ctx, input)
	if err != nil {
		return nil, "", fmt.Errorf("query attempts: %w", err)
	}
	if sessions, err = e.liveSessions(ctx, output.Items); err != nil {
		return nil, "", err
	}
	if key := output.LastEvaluatedKey; len(key) > 0 {
		next = store.EncodeCursor(authenticatorID, strconv.FormatInt(numberOf(key, "at"), 10)+" "+textOf(key, "pk"))
	}
	return sessions, next, nil
}

// EventsOfUser implements store.Transient.
func (e *Engine) EventsOfUser(ctx context.Context, userID string, limit int) ([]store.SignInEvent, error) {
	return events[store.SignInEvent](ctx, e, userIndex, "userId", userID, limit)
}

// SessionsOfUser implements store.Transient.
func (e *Engine) SessionsOfUser(ctx context.Context, userID string, limit int) ([]store.AttemptResult, error) {
	events, err := e.queryEvents(ctx, userIndex, "userId", userID, store.MaxEvents)
	if err != nil {
		return nil, err
	}
	live, err := e.liveSessions(ctx, events)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(live, func(x, y store.AttemptResult) int { return y.Session.SignedInAt.Compare(x.Session.SignedInAt) })
	return live[:min(max(limit, 0), len(live))], nil
}

// liveSessions reads the sessions that go on of at most a hundred events, in no particular
// order: the index knows which results began as sessions.
func (e *Engine) liveSessions(ctx context.Context, events []item) (live []store.AttemptResult, err error) {
	var began []item
	for _, found := range events {
		var event store.SignInEvent
		if err := json.Unmarshal([]byte(textOf(found, "attempt")), &event); err != nil {
			return nil, fmt.Errorf("decode attempt: %w", err)
		}
		if key := textOf(found, "pk"); event.Code == "" && strings.HasPrefix(key, resultPrefix) {
			began = append(began, item{"pk": text(key)})
		}
	}
	if len(began) == 0 {
		return nil, nil
	}
	found, err := e.getBatch(ctx, map[string][]item{e.cfg.TransientTable: began})
	if err != nil {
		return nil, err
	}
	for _, i := range found[e.cfg.TransientTable] {
		result, err := e.decodeResult(i, strings.TrimPrefix(textOf(i, "pk"), resultPrefix))
		switch {
		case errors.Is(err, store.ErrNotFound):
		case err != nil:
			return nil, err
		case result.Kind == store.ResultSession && e.cfg.Now().Before(result.Session.ExpiresAt):
			live = append(live, result)
		}
	}
	return live, nil
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
