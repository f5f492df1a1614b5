package dynamo

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// list reads a page of a partition of the directory in the order of sk.
func (e *Engine) list(ctx context.Context, partition string, page store.Page) (items []item, next string, err error) {
	return e.listFrom(ctx, partition, "", page)
}

// lastRune is the highest character: a key that begins with a prefix is between the prefix
// and the prefix followed by it.
const lastRune = "\U0010ffff"

// listFrom does the same for the keys that begin with a prefix.
func (e *Engine) listFrom(ctx context.Context, partition, prefix string, page store.Page) (items []item, next string, err error) {
	after, err := store.DecodeCursor(partition, page.Cursor)
	if err == nil && after != "" && (len(after) >= maxSortKey || !strings.HasPrefix(after, prefix) || prefix != "" && after >= prefix+lastRune) {
		err = store.ErrBadCursor
	}
	if err != nil {
		return nil, "", err
	}
	condition, values := "pk = :pk", item{":pk": text(partition)}
	switch {
	case prefix != "" && after != "":
		// The range includes its ends; a NUL makes the next possible key.
		condition, values[":from"], values[":to"] = "pk = :pk AND sk BETWEEN :from AND :to", text(after+"\x00"), text(prefix+lastRune)
	case prefix != "":
		condition, values[":from"], values[":to"] = "pk = :pk AND sk BETWEEN :from AND :to", text(prefix), text(prefix+lastRune)
	case after != "":
		condition, values[":after"] = "pk = :pk AND sk > :after", text(after)
	}
	input := &dynamodb.QueryInput{
		TableName: aws.String(e.cfg.DirectoryTable), ConsistentRead: aws.Bool(true),
		KeyConditionExpression: aws.String(condition), ExpressionAttributeValues: values,
		// One more than the page shows whether there is a next one.
		Limit: aws.Int32(int32(min(page.Limit, 1000)) + 1), //nolint:gosec // bounded just here
	}
	for {
		output, err := e.cfg.Client.Query(ctx, input)
		if err != nil {
			return nil, "", fmt.Errorf("query list: %w", err)
		}
		items = append(items, output.Items...)
		if len(items) > page.Limit {
			items = items[:page.Limit]
			return items, store.EncodeCursor(partition, textOf(items[page.Limit-1], "sk")), nil
		}
		if len(output.LastEvaluatedKey) == 0 {
			return items, "", nil
		}
		input.ExclusiveStartKey = output.LastEvaluatedKey
	}
}
