package dynamo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// API is the part of DynamoDB that the engine calls; *dynamodb.Client implements it.
type API interface {
	GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error)
	PutItem(context.Context, *dynamodb.PutItemInput, ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error)
	UpdateItem(context.Context, *dynamodb.UpdateItemInput, ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error)
	DeleteItem(context.Context, *dynamodb.DeleteItemInput, ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error)
	Query(context.Context, *dynamodb.QueryInput, ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
	BatchGetItem(context.Context, *dynamodb.BatchGetItemInput, ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error)
	TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error)
}

// Config is what New needs.
type Config struct {
	Client API
	// DirectoryTable, TransientTable and AuditTable are names of tables. One that the
	// function does not use may be empty; using it is then an error from DynamoDB.
	DirectoryTable string
	TransientTable string
	AuditTable     string
	// AuditRetention is how long audit lines are kept and listed, as of their writing. Zero:
	// store.DefaultAuditRetention.
	AuditRetention time.Duration
	// AuditFailed is told of a write with audit lines that failed otherwise than by a
	// condition. Nil: nobody is.
	AuditFailed func(ctx context.Context)
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Engine is a store.Engine in DynamoDB. It is safe for concurrent use.
type Engine struct {
	cfg   Config
	lines []store.AuditLine // that each write carries, see Audited
}

var _ store.Engine = (*Engine)(nil)

// New returns the engine. It sends no request yet.
func New(cfg Config) (*Engine, error) {
	if cfg.Client == nil || cfg.DirectoryTable == "" && cfg.TransientTable == "" {
		return nil, errors.New("make DynamoDB store: a client and the name of a table are needed")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.AuditRetention == 0 {
		cfg.AuditRetention = store.DefaultAuditRetention
	}
	return &Engine{cfg: cfg}, nil
}

type item = map[string]types.AttributeValue

func text(value string) types.AttributeValue { return &types.AttributeValueMemberS{Value: value} }
func number(value int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(value, 10)}
}

func truth(value bool) types.AttributeValue    { return &types.AttributeValueMemberBOOL{Value: value} }
func octets(value []byte) types.AttributeValue { return &types.AttributeValueMemberB{Value: value} }

// moment returns a time in milliseconds; the zero time is 0.
func moment(t time.Time) types.AttributeValue {
	if t.IsZero() {
		return number(0)
	}
	return number(t.UnixMilli())
}

func (e *Engine) now() types.AttributeValue { return moment(e.cfg.Now()) }

func textOf(i item, name string) string {
	if value, ok := i[name].(*types.AttributeValueMemberS); ok {
		return value.Value
	}
	return ""
}

func truthOf(i item, name string) bool {
	value, ok := i[name].(*types.AttributeValueMemberBOOL)
	return ok && value.Value
}

func numberOf(i item, name string) int64 {
	value, ok := i[name].(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	parsed, err := strconv.ParseInt(value.Value, 10, 64)
	if err != nil {
		return 0
	}
	return parsed
}

func momentOf(i item, name string) time.Time {
	value := numberOf(i, name)
	if value == 0 {
		return time.Time{}
	}
	return time.UnixMilli(value).UTC()
}

func octetsOf(i item, name string) []byte {
	if value, ok := i[name].(*types.AttributeValueMemberB); ok {
		return value.Value
	}
	return nil
}

// encode returns a record as the value of the attribute data. What conditions need is in
// separate attributes.
func encode(record any) (types.AttributeValue, error) {
	encoded, err := json.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return text(string(encoded)), nil
}

func decode(i item, record any) error {
	if err := json.Unmarshal([]byte(textOf(i, "data")), record); err != nil {
		return fmt.Errorf("decode record: %w", err)
	}
	return nil
}

func directoryKey(pk, sk string) item { return item{"pk": text(pk), "sk": text(sk)} }

// possible reports whether DynamoDB accepts a key: not empty, at most 2,048 bytes as pk and
// 1,024 as sk. Names and ids come from URLs that anybody can type; an impossible key is
// simply not found.
func possible(key item) bool {
	pk := len(textOf(key, "pk"))
	if pk == 0 || pk > maxPartitionKey {
		return false
	}
	_, has := key["sk"]
	sk := len(textOf(key, "sk"))
	return !has || sk > 0 && sk <= maxSortKey
}

const (
	maxPartitionKey = 2048
	maxSortKey      = 1024
)

// get reads one item of a table, or store.ErrNotFound.
func (e *Engine) get(ctx context.Context, table string, key item) (item, error) {
	if !possible(key) {
		return nil, store.ErrNotFound
	}
	output, err := e.cfg.Client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: aws.String(table), Key: key, ConsistentRead: aws.Bool(true),
	})
	if err != nil {
		return nil, fmt.Errorf("get item: %w", err)
	}
	if len(output.Item) == 0 {
		return nil, store.ErrNotFound
	}
	return output.Item, nil
}

// getBatch reads at most 100 items of the tables by one call, again for those that
// DynamoDB leaves unread. Items that do not exist are not among the results.
func (e *Engine) getBatch(ctx context.Context, keys map[string][]item) (map[string][]item, error) {
	wanted := make(map[string]types.KeysAndAttributes, len(keys))
	for table, of := range keys {
		wanted[table] = types.KeysAndAttributes{Keys: of, ConsistentRead: aws.Bool(true)}
	}
	found := make(map[string][]item, len(keys))
	for try := 1; ; try++ {
		output, err := e.cfg.Client.BatchGetItem(ctx, &dynamodb.BatchGetItemInput{RequestItems: wanted})
		if err != nil {
			return nil, fmt.Errorf("get items: %w", err)
		}
		for table, items := range output.Responses {
			found[table] = append(found[table], items...)
		}
		if wanted = output.UnprocessedKeys; len(wanted) == 0 {
			return found, nil
		}
		if try == tries {
			return nil, fmt.Errorf("get items: DynamoDB left keys unread %d times", try)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("get items: %w", ctx.Err())
		case <-time.After(time.Duration(try) * 20 * time.Millisecond):
		}
	}
}

// tries is how often a request is sent at most: a write that conflicts with a transaction
// on the same item, and a read of which DynamoDB leaves keys unread. Each is quick, and of
// two writes that conflict one succeeds.
const tries = 10

// again runs a write until it does not conflict with another one.
func again(ctx context.Context, write func() error) error {
	for try := 1; ; try++ {
		err := write()
		if !conflicts(err) || try == tries {
			return err
		}
		pause := time.Duration(try) * (5 + rand.N[time.Duration](20)) * time.Millisecond
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// conflicts reports whether a write failed only because of a concurrent one.
func conflicts(err error) bool {
	if _, ok := errors.AsType[*types.TransactionConflictException](err); ok {
		return true
	}
	canceled, ok := errors.AsType[*types.TransactionCanceledException](err)
	if !ok {
		return false
	}
	found := false
	for _, reason := range canceled.CancellationReasons {
		switch aws.ToString(reason.Code) {
		case "None":
		case "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded":
			found = true
		default:
			return false
		}
	}
	return found
}

// conditionFailed reports whether the condition of a single write failed.
func conditionFailed(err error) bool {
	_, ok := errors.AsType[*types.ConditionalCheckFailedException](err)
	return ok
}

// step is one write of a transaction, and what it means when its condition fails.
type step struct {
	write types.TransactWriteItem
	// failed makes the error; there is the existing item.
	failed func(there item) error
}

func failing(err error) func(item) error { return func(item) error { return err } }

// transact executes all steps or none. Of several failed conditions the first decides. The
// client sends a request token, so that a repeated request is not executed twice.
func (e *Engine) transact(ctx context.Context, steps []step) error {
	steps, err := e.withLines(steps)
	if err != nil {
		return err
	}
	writes := make([]types.TransactWriteItem, len(steps))
	for i := range steps {
		writes[i] = steps[i].write
	}
	err = again(ctx, func() error {
		_, err := e.cfg.Client.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
		return err
	})
	if canceled, ok := errors.AsType[*types.TransactionCanceledException](err); ok {
		for i, reason := range canceled.CancellationReasons {
			if i < len(steps) && aws.ToString(reason.Code) == "ConditionalCheckFailed" {
				return steps[i].failed(reason.Item)
			}
		}
	}
	if err != nil {
		if len(e.lines) > 0 {
			e.auditFailed(ctx)
		}
		return fmt.Errorf("write transaction: %w", err)
	}
	return nil
}

func (e *Engine) auditFailed(ctx context.Context) {
	if e.cfg.AuditFailed != nil {
		e.cfg.AuditFailed(ctx)
	}
}

// put, update and remove build steps on the directory or the transient table.

func put(table string, i item, condition string, values item, failed func(item) error) step {
	write := &types.Put{TableName: aws.String(table), Item: i, ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld}
	if condition != "" {
		write.ConditionExpression = aws.String(condition)
	}
	if len(values) > 0 {
		write.ExpressionAttributeValues = values
	}
	return step{types.TransactWriteItem{Put: write}, failed}
}

func update(table string, key item, expression, condition string, names map[string]string, values item, failed func(item) error) step {
	write := &types.Update{
		TableName: aws.String(table), Key: key, UpdateExpression: aws.String(expression),
		ExpressionAttributeNames: names, ExpressionAttributeValues: values,
	}
	if condition != "" {
		write.ConditionExpression = aws.String(condition)
	}
	return step{types.TransactWriteItem{Update: write}, failed}
}

func remove(table string, key item, condition string, values item, failed func(item) error) step {
	write := &types.Delete{TableName: aws.String(table), Key: key, ExpressionAttributeValues: values}
	if condition != "" {
		write.ConditionExpression = aws.String(condition)
	}
	return step{types.TransactWriteItem{Delete: write}, failed}
}

// run executes steps; a single one as a plain write, which costs half.
func (e *Engine) run(ctx context.Context, steps []step) error {
	if len(steps)+len(e.lines) > 1 {
		return e.transact(ctx, steps)
	}
	err := again(ctx, func() error { return e.single(ctx, steps[0].write) })
	if conditionFailed(err) {
		return steps[0].failed(nil)
	}
	if err != nil {
		return fmt.Errorf("write item: %w", err)
	}
	return nil
}

func (e *Engine) single(ctx context.Context, write types.TransactWriteItem) (err error) {
	switch {
	case write.Put != nil:
		_, err = e.cfg.Client.PutItem(ctx, &dynamodb.PutItemInput{
			TableName: write.Put.TableName, Item: write.Put.Item,
			ConditionExpression: write.Put.ConditionExpression, ExpressionAttributeNames: write.Put.ExpressionAttributeNames,
			ExpressionAttributeValues: write.Put.ExpressionAttributeValues,
		})
	case write.Update != nil:
		_, err = e.cfg.Client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: write.Update.TableName, Key: write.Update.Key, UpdateExpression: write.Update.UpdateExpression,
			ConditionExpression: write.Update.ConditionExpression, ExpressionAttributeNames: write.Update.ExpressionAttributeNames,
			ExpressionAttributeValues: write.Update.ExpressionAttributeValues,
		})
	case write.Delete != nil:
		_, err = e.cfg.Client.DeleteItem(ctx, &dynamodb.DeleteItemInput{
			TableName: write.Delete.TableName, Key: write.Delete.Key,
			ConditionExpression: write.Delete.ConditionExpression, ExpressionAttributeValues: write.Delete.ExpressionAttributeValues,
		})
	}
	return err
}
