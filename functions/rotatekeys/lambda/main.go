// Command lambda is the function rotatekeys in AWS Lambda.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/functions/rotatekeys"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/app/lambdamain"
)

func main() {
	lambdamain.Start(rotatekeys.Settings(), func(_ context.Context, deps app.Deps, cfg aws.Config) error {
		lambda.Start(rotatekeys.NewHandler(deps, secretsmanager.NewFromConfig(cfg)))
		return nil
	})
}
