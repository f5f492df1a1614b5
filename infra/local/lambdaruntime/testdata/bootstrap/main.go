// Command bootstrap is a Lambda function that does what its event says.
package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

func main() {
	if os.Getenv("FAIL_AT_START") != "" {
		os.Exit(3)
	}
	calls := 0
	lambda.Start(func(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		calls++
		switch event.RawPath {
		case "/error":
			return events.APIGatewayV2HTTPResponse{}, errors.New("no luck")
		case "/panic":
			panic("bad luck")
		case "/exit":
			os.Exit(1)
		case "/sleep":
			time.Sleep(time.Minute)
		case "/nap":
			time.Sleep(300 * time.Millisecond)
		}
		_, hasDeadline := ctx.Deadline()
		info, hasInfo := lambdacontext.FromContext(ctx)
		headers := map[string]string{"greeting": os.Getenv("GREETING"), "home": os.Getenv("HOME"), "calls": string(rune('0' + calls))}
		if hasDeadline && hasInfo {
			headers["id"] = info.AwsRequestID
		}
		return events.APIGatewayV2HTTPResponse{StatusCode: 200, Headers: headers, Body: event.Body}, nil
	})
}
