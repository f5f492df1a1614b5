// Command lambda is the function openid in AWS Lambda.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/wecom-signin/wecom-signin/functions/openid"
	"github.com/wecom-signin/wecom-signin/shared/app"
	"github.com/wecom-signin/wecom-signin/shared/app/lambdamain"
	"github.com/wecom-signin/wecom-signin/shared/awsconfig"
	"github.com/wecom-signin/wecom-signin/shared/members/invoke"
)

func main() {
	lambdamain.Serve("openid", openid.MaxBody, openid.Settings(), func(ctx context.Context, deps app.Deps) (http.Handler, error) {
		cfg, err := awsconfig.FromEnvironment(os.LookupEnv)
		if err != nil {
			return nil, fmt.Errorf("read AWS settings: %w", err)
		}
		deps.MemberChecks = invoke.Function{Client: lambda.NewFromConfig(cfg), Name: deps.Settings.MemberChecksFunction}
		return openid.NewHandler(ctx, deps)
	})
}
