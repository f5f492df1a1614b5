package dynamotest

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/smithy-go/middleware"
)

// Calls are the calls of a test to DynamoDB, such as Get and Transact4, and to what else it
// notes, in the order of their beginnings. They are for concurrent use.
type Calls struct {
	mu    sync.Mutex
	calls []string
}

// Note adds a call.
func (c *Calls) Note(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, call)
}

// Take returns the calls since the last time.
func (c *Calls) Take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := strings.Join(c.calls, " ")
	c.calls = nil
	// These two are under way at once.
	return strings.NewReplacer("Update Put", "Put Update", "Update Transact2", "Transact2 Update").Replace(calls)
}

// Client returns a client of the server whose calls are noted. Reads that need not be
// consistent are Eventual ones.
func (c *Calls) Client(s *Server) *dynamodb.Client {
	return dynamodb.New(s.Client.Options(), dynamodb.WithAPIOptions(func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("calls", func(
			ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler,
		) (middleware.InitializeOutput, middleware.Metadata, error) {
			name := strings.TrimPrefix(fmt.Sprintf("%T", in.Parameters), "*dynamodb.")
			name = strings.TrimSuffix(strings.TrimSuffix(name, "Input"), "Item")
			switch request := in.Parameters.(type) {
			case *dynamodb.TransactWriteItemsInput:
				name = fmt.Sprint("Transact", len(request.TransactItems))
			case *dynamodb.GetItemInput:
				if !aws.ToBool(request.ConsistentRead) {
					name = "Eventual" + name
				}
			}
			c.Note(name)
			return next.HandleInitialize(ctx, in)
		}), middleware.Before)
	}))
}
