package dynamo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

const resultPrefix = "outcome#"

func resultKey(sessionKey string) item { return item{"pk": text(resultPrefix + sessionKey)} }

// fetchedKey has the prefix of the first things that were fetched, and the content has their
// attribute, sealed. Another prefix would refuse the records to the version that serves on
// while the next one is tried: both have one role, which names prefixes.
func fetchedKey(key string) item { return item{"pk": text("token#" + key)} }

// lingering is how much later the TTL of a record is than its end. The code compares the
// end; the TTL only cleans up, and must never be early.
const lingering = time.Hour

// leaseLingering is the same for a record that is leased. The lease cannot keep the later of
// two TTLs: with the old TTL the record could be removed at once, together with the lease. So
// it is the longest life of any content, a day.
const leaseLingering = 24 * time.Hour

// AttemptResult implements store.Transient.
func (e *Engine) AttemptResult(ctx context.Context, sessionKey string) (result store.AttemptResult, err error) {
	found, err := e.get(ctx, e.cfg.TransientTable, resultKey(sessionKey))
	if err != nil {
		return result, err
	}
	return e.decodeResult(found, sessionKey)
}

// decodeResult reads a result, or store.ErrNotFound for one that may be forgotten.
func (e *Engine) decodeResult(found item, sessionKey string) (result store.AttemptResult, err error) {
	result = store.AttemptResult{
		SessionKey: sessionKey, Kind: store.ResultKind(textOf(found, "kind")), Code: textOf(found, "code"), KeepUntil: momentOf(found, "keepUntil"),
		Tentative: truthOf(found, "tentative"),
	}
	if !e.cfg.Now().Before(result.KeepUntil) {
		return store.AttemptResult{}, store.ErrNotFound
	}
	if result.Kind == store.ResultSession {
		err = decode(found, &result.Session)
	}
	return result, err
}

// ResultAndUser implements store.Transient.
func (e *Engine) ResultAndUser(ctx context.Context, sessionKey, userID string) (result store.AttemptResult, u store.User, err error) {
	if !possible(userKey(userID)) {
		result, err = e.AttemptResult(ctx, sessionKey)
		return result, u, err
	}
	found, err := e.getBatch(ctx, map[string][]item{
		e.cfg.TransientTable: {resultKey(sessionKey)}, e.cfg.DirectoryTable: {userKey(userID)},
	})
	if err != nil {
		return result, u, err
	}
	for _, i := range found[e.cfg.DirectoryTable] {
		if u, err = decodeUser(i); err != nil {
			return result, u, err
		}
	}
	for _, i := range found[e.cfg.TransientTable] {
		result, err = e.decodeResult(i, sessionKey)
		return result, u, err
	}
	return result, u, store.ErrNotFound
}

// newResult is the condition that an attempt has no result, or one that may be forgotten
// and only has not been cleaned up.
const newResult = "attribute_not_exists(pk) OR keepUntil <= :now"

// replacesTentative is added to newResult for a result that is not tentative itself.
const replacesTentative = " OR tentative = :true"

func (e *Engine) putResult(result store.AttemptResult) (step, error) {
	i := resultKey(result.SessionKey)
	i["kind"], i["keepUntil"] = text(string(result.Kind)), moment(result.KeepUntil)
	i["ttl"] = number(result.KeepUntil.Add(lingering).Unix())
	if result.Event != nil {
		if err := setEvent(i, *result.Event, result.KeepUntil); err != nil {
			return step{}, err
		}
	}
	if result.Code != "" {
		i["code"] = text(result.Code)
	}
	if result.Kind == store.ResultSession {
		data, err := encode(result.Session)
		if err != nil {
			return step{}, err
		}
		i["data"] = data
	}
	condition, values := newResult, item{":now": e.now()}
	if result.Tentative {
		i["tentative"] = truth(true)
	} else {
		condition += replacesTentative
		values[":true"] = truth(true)
	}
	return put(e.cfg.TransientTable, i, condition, values, failing(store.ErrExists)), nil
}

// RecordResult implements store.Transient.
func (e *Engine) RecordResult(ctx context.Context, result store.AttemptResult) error {
	write, err := e.putResult(result)
	if err != nil {
		return err
	}
	return e.run(ctx, []step{write})
}

// StartSession implements store.Transient.
func (e *Engine) StartSession(ctx context.Context, result store.AttemptResult, noteSignIn bool) error {
	write, err := e.putResult(result)
	if err != nil {
		return err
	}
	if !noteSignIn {
		return e.run(ctx, []step{write})
	}
	noted := make(chan struct{})
	go func() {
		defer close(noted)
		(&Engine{cfg: e.cfg}).noteSignIn(ctx, result.Session) // which carries no lines
	}()
	err = e.run(ctx, []step{write})
	<-noted
	return err
}

// noteSignIn notes when an identity signed in last. It costs the sign-in no time, and its
// loss harms nobody.
func (e *Engine) noteSignIn(ctx context.Context, s store.Session) {
	key := identityKey(identityName(s.CorpID, s.WeComUserID))
	_ = e.run(ctx, []step{update(e.cfg.DirectoryTable, key, "SET lastSignInAt = :at", "userId = :id", nil,
		item{":at": moment(s.SignedInAt), ":id": text(s.UserID)}, failing(nil))})
}

// EndSession implements store.Transient.
func (e *Engine) EndSession(ctx context.Context, sessionKey string) (ended store.Session, err error) {
	var output *dynamodb.UpdateItemOutput
	err = again(ctx, func() (err error) {
		output, err = e.cfg.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: aws.String(e.cfg.TransientTable), Key: resultKey(sessionKey),
			UpdateExpression: aws.String("SET kind = :ended REMOVE #data"), ConditionExpression: aws.String("kind = :session"),
			ExpressionAttributeNames:  map[string]string{"#data": "data"},
			ExpressionAttributeValues: item{":ended": text(string(store.ResultEnded)), ":session": text(string(store.ResultSession))},
			ReturnValues:              types.ReturnValueAllOld,
		})
		return err
	})
	if conditionFailed(err) {
		return store.Session{}, nil
	}
	if err != nil {
		return store.Session{}, fmt.Errorf("end session: %w", err)
	}
	return ended, decode(output.Attributes, &ended)
}

// Fetched implements store.Transient.
func (e *Engine) Fetched(ctx context.Context, key string) (store.Fetched, error) {
	found, err := e.get(ctx, e.cfg.TransientTable, fetchedKey(key))
	if err != nil {
		return store.Fetched{}, err
	}
	return store.Fetched{
		Content: octetsOf(found, "sealed"), ExpiresAt: momentOf(found, "expiresAt"),
		RefusedUntil: momentOf(found, "refusedUntil"), RefusedCode: int(numberOf(found, "refusedCode")),
		LeaseOwner: textOf(found, "leaseOwner"), LeaseUntil: momentOf(found, "leaseUntil"),
	}, nil
}

// LeaseFetched implements store.Transient.
func (e *Engine) LeaseFetched(ctx context.Context, key, owner string, until time.Time) (bool, error) {
	err := e.run(ctx, []step{update(e.cfg.TransientTable, fetchedKey(key),
		"SET leaseOwner = :owner, leaseUntil = :until, #ttl = :ttl",
		"attribute_not_exists(leaseOwner) OR leaseOwner = :owner OR leaseUntil <= :now",
		map[string]string{"#ttl": "ttl"}, item{
			":owner": text(owner), ":until": moment(until), ":now": e.now(),
			":ttl": number(until.Add(leaseLingering).Unix()),
		}, failing(store.ErrChanged))})
	if errors.Is(err, store.ErrChanged) {
		return false, nil
	}
	return err == nil, err
}

// SaveFetched implements store.Transient.
func (e *Engine) SaveFetched(ctx context.Context, key, owner string, record store.Fetched) error {
	end := e.cfg.Now()
	for _, t := range []time.Time{record.ExpiresAt, record.RefusedUntil} {
		if t.After(end) {
			end = t
		}
	}
	i := fetchedKey(key)
	i["expiresAt"], i["refusedUntil"] = moment(record.ExpiresAt), moment(record.RefusedUntil)
	i["refusedCode"], i["ttl"] = number(int64(record.RefusedCode)), number(end.Add(lingering).Unix())
	if len(record.Content) > 0 {
		i["sealed"] = octets(record.Content)
	}
	return e.run(ctx, []step{put(e.cfg.TransientTable, i, "leaseOwner = :owner", item{":owner": text(owner)}, failing(store.ErrChanged))})
}

// ForgetFetched implements store.Transient.
func (e *Engine) ForgetFetched(ctx context.Context, key string) error {
	write := remove(e.cfg.TransientTable, fetchedKey(key), "attribute_exists(pk)", nil, failing(nil))
	return e.run(ctx, []step{write})
}
