// Command lambda is the function admin in AWS Lambda.
package main

import (
	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/shared/app/lambdamain"
)

func main() { lambdamain.Serve("admin", admin.MaxBody, admin.Settings(), admin.NewHandler) }
