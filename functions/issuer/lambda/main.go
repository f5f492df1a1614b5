// Command lambda is the function issuer in AWS Lambda.
package main

import (
	"github.com/wecom-signin/wecom-signin/functions/issuer"
	"github.com/wecom-signin/wecom-signin/shared/app/lambdamain"
)

func main() { lambdamain.Serve("issuer", 0, issuer.Settings(), issuer.NewHandler) }
