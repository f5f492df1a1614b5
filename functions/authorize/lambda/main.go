// Command lambda is the function authorize in AWS Lambda.
package main

import (
	"github.com/wecom-signin/wecom-signin/functions/authorize"
	"github.com/wecom-signin/wecom-signin/shared/app/lambdamain"
)

func main() { lambdamain.Serve("authorize", 0, authorize.Settings(), authorize.NewHandler) }
