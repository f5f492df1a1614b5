// Command lambda is the function admin in AWS Lambda.
package main

import (
	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/shared/wiring/onaws"
)

func main() { onaws.Serve("admin", admin.MaxBody, admin.Settings(), admin.Assemble) }
