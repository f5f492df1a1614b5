// Command lambda is the function forwardauth in AWS Lambda.
package main

import (
	"github.com/wecom-signin/wecom-signin/functions/forwardauth"
	"github.com/wecom-signin/wecom-signin/shared/app/lambdamain"
)

func main() {
	lambdamain.Serve("forwardauth", 0, forwardauth.Settings(), forwardauth.NewHandler)
}
