// Command lambda is the function callback in AWS Lambda.
package main

import (
	"github.com/wecom-signin/wecom-signin/functions/callback"
	"github.com/wecom-signin/wecom-signin/shared/wiring/onaws"
)

func main() { onaws.Serve("callback", 0, callback.Settings(), callback.Assemble) }
