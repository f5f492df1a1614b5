package invoke_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/wecom-signin/wecom-signin/shared/members"
	"github.com/wecom-signin/wecom-signin/shared/members/invoke"
)

// api is Lambda, which answers as told.
type api func(*lambda.InvokeInput, lambda.Options) (*lambda.InvokeOutput, error)

func (f api) Invoke(_ context.Context, in *lambda.InvokeInput, options ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	var o lambda.Options
	for _, option := range options {
		option(&o)
	}
	return f(in, o)
}

func TestCheckMember(t *testing.T) {
	for _, test := range []struct {
		name   string
		output *lambda.InvokeOutput
		err    error
		want   members.Verdict // "" is an error
	}{
		{"gone", &lambda.InvokeOutput{Payload: []byte(`{"verdict":"gone"}`)}, nil, members.Gone},
		{"the function failed", &lambda.InvokeOutput{FunctionError: aws.String("Unhandled"), Payload: []byte(`{"errorMessage":"x"}`)}, nil, ""},
		{"no JSON", &lambda.InvokeOutput{Payload: []byte(`gone`)}, nil, ""},
		{"throttled", nil, errors.New("throttled"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			function := invoke.Function{Name: "memberchecks-1", Client: api(func(in *lambda.InvokeInput, o lambda.Options) (*lambda.InvokeOutput, error) {
				if *in.FunctionName != "memberchecks-1" || string(in.Payload) != `{"authenticator":"demo","wecomUserId":"zhangsan"}` || o.RetryMaxAttempts != 1 {
					t.Errorf("%s: %s, at most %d tries", *in.FunctionName, in.Payload, o.RetryMaxAttempts)
				}
				return test.output, test.err
			})}
			got, err := function.CheckMember(t.Context(), "demo", "zhangsan")
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
