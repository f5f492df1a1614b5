package invoke

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/wecom-signin/wecom-signin/shared/members"
)

// Request asks for the check of a member.
type Request struct {
	Authenticator string `json:"authenticator"` // name
	WeComUserID   string `json:"wecomUserId"`
}

// Answer is what came of it.
type Answer struct {
	Verdict members.Verdict `json:"verdict"`
}

// API is the part of *lambda.Client that Function uses.
type API interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Function is the function memberchecks in AWS Lambda.
type Function struct {
	Client API
	Name   string
}

// errFailed: the function answered with an error, which its log explains.
var errFailed = errors.New("the function memberchecks failed")

// CheckMember has the member of an authenticator checked, once, and waits for the answer. The
// check itself goes on when ctx ends.
func (f Function) CheckMember(ctx context.Context, authenticator, wecomUserID string) (members.Verdict, error) {
	payload, err := json.Marshal(Request{authenticator, wecomUserID})
	if err != nil {
		return "", fmt.Errorf("encode request: %w", err)
	}
	output, err := f.Client.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(f.Name), Payload: payload}, once)
	if err != nil {
		return "", fmt.Errorf("invoke memberchecks: %w", err)
	}
	if output.FunctionError != nil {
		return "", errFailed
	}
	var answer Answer
	if err := json.Unmarshal(output.Payload, &answer); err != nil {
		return "", fmt.Errorf("decode answer: %w", err)
	}
	return answer.Verdict, nil
}

// once keeps the client from trying again: a member waits, and WeCom was asked.
func once(o *lambda.Options) { o.RetryMaxAttempts = 1 }
