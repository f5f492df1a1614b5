// Command lambda is the function notify in AWS Lambda.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/wecom-signin/wecom-signin/functions/notify"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/app/lambdamain"
	"github.com/wecom-signin/wecom-signin/shared/logoutqueue/sqsqueue"
)

func main() {
	lambdamain.Start(notify.Settings(), func(_ context.Context, deps app.Deps, cfg aws.Config) error {
		function, err := notify.NewHandler(deps, sqsqueue.Queue{Client: sqs.NewFromConfig(cfg), URL: deps.Settings.LogoutQueueURL})
		if err != nil {
			return err
		}
		lambda.Start(function)
		return nil
	})
}
