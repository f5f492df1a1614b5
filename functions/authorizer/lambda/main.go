// Command lambda is the function authorizer in AWS Lambda.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/wecom-signin/wecom-signin/functions/authorizer"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/app/lambdamain"
)

func main() {
	lambdamain.Start(authorizer.Settings(), func(_ context.Context, deps app.Deps, _ aws.Config) error {
		lambda.Start(authorizer.NewHandler(deps).Function)
		return nil
	})
}
