// Command lambda is the function authorize in AWS Lambda.
package main

import (
	"github.com/wecom-signin/wecom-signin/functions/authorize"
	"github.com/wecom-signin/wecom-signin/shared/wiring/onaws"
)

func main() { onaws.Serve("authorize", 0, authorize.Settings(), authorize.Assemble) }
