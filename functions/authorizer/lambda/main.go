// Command lambda is the function authorizer in AWS Lambda.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/wecom-signin/wecom-signin/functions/authorizer"
	"github.com/wecom-signin/wecom-signin/shared/wiring"
	"github.com/wecom-signin/wecom-signin/shared/wiring/onaws"
)

func main() {
	onaws.Start(authorizer.Settings(), func(_ context.Context, parts wiring.Parts, _ aws.Config) error {
		lambda.Start(authorizer.Assemble(parts).Function)
		return nil
	})
}
