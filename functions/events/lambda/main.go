// Command lambda is the function events in AWS Lambda.
package main

import (
	"github.com/wecom-signin/wecom-signin/functions/events"
	"github.com/wecom-signin/wecom-signin/shared/app/lambdamain"
)

func main() { lambdamain.Serve("events", events.MaxBody, events.Settings(), events.NewHandler) }
