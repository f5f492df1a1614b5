// Command lambda is the function callback in AWS Lambda.
package main

import (
	"github.com/wecom-signin/wecom-signin/functions/callback"
	"github.com/wecom-signin/wecom-signin/shared/app/lambdamain"
)

func main() { lambdamain.Serve("callback", 0, callback.Settings(), callback.NewHandler) }
