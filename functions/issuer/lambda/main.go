// Command lambda is the function issuer in AWS Lambda.
package main

import (
	"github.com/wecom-signin/wecom-signin/functions/issuer"
	"github.com/wecom-signin/wecom-signin/shared/wiring/onaws"
)

func main() { onaws.Serve("issuer", 0, issuer.Settings(), issuer.Assemble) }
