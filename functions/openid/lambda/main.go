// Command lambda is the function openid in AWS Lambda.
package main

import (
	"github.com/wecom-signin/wecom-signin/functions/openid"
	"github.com/wecom-signin/wecom-signin/shared/app/lambdamain"
)

func main() { lambdamain.Serve("openid", openid.MaxBody, openid.Settings(), openid.NewHandler) }
