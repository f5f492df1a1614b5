// Command lambda is the function rotatekeys in AWS Lambda.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/functions/rotatekeys"
	"github.com/wecom-signin/wecom-signin/shared/wiring"
	"github.com/wecom-signin/wecom-signin/shared/wiring/onaws"
)

func main() {
	onaws.Start(rotatekeys.Settings(), func(_ context.Context, parts wiring.Parts, cfg aws.Config) error {
		lambda.Start(rotatekeys.New(rotatekeys.Config{
			SecretsManager: secretsmanager.NewFromConfig(cfg),
			Publisher:      parts.Store,
			Secret:         parts.Settings.SigningKeysSecret,
			Service:        parts.Settings.ServiceName,
			Now:            parts.Now,
		}))
		return nil
	})
}
