// Command lambda is the function sessionauthorizer in AWS Lambda.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/wecom-signin/wecom-signin/functions/sessionauthorizer"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/app/lambdamain"
)

func main() {
	lambdamain.Start(sessionauthorizer.Settings(), func(ctx context.Context, deps app.Deps, _ aws.Config) error {
		authorizer, err := sessionauthorizer.NewHandler(ctx, deps)
		if err != nil {
			return err
		}
		lambda.Start(authorizer.Function)
		return nil
	})
}
