// Command lambda is the function memberchecks in AWS Lambda.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/wecom-signin/wecom-signin/functions/memberchecks"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/app/lambdamain"
)

func main() {
	lambdamain.Start(memberchecks.Settings(), func(ctx context.Context, deps app.Deps, _ aws.Config) error {
		function, err := memberchecks.NewHandler(ctx, deps)
		if err != nil {
			return err
		}
		lambda.Start(function)
		return nil
	})
}
