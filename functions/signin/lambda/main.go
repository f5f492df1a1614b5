// Command lambda is the function signin in AWS Lambda.
package main

import (
	"github.com/wecom-signin/wecom-signin/functions/signin"
	"github.com/wecom-signin/wecom-signin/shared/app/lambdamain"
)

func main() { lambdamain.Serve("signin", 0, signin.Settings(), signin.NewHandler) }
