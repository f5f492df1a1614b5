// Package contract says which routes the service has, which function answers each,
// which variables each function reads, and how the tables are made.
//
// Duty: one list, in Go, for what compares a template with the code: `make
// validate` and tests.
//
// Boundary: it reads no template and no environment. How a route is answered is the
// affair of its function.
package contract

import (
	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/functions/authorize"
	"github.com/wecom-signin/wecom-signin/functions/authorizer"
	"github.com/wecom-signin/wecom-signin/functions/callback"
	"github.com/wecom-signin/wecom-signin/functions/issuer"
	"github.com/wecom-signin/wecom-signin/functions/rotatekeys"
	"github.com/wecom-signin/wecom-signin/functions/signin"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// Logical ids of the functions in the template.
const (
	Authorize  = "AuthorizeFunction"
	Callback   = "CallbackFunction"
	Signin     = "SigninFunction"
	Admin      = "AdminFunction"
	Authorizer = "AuthorizerFunction"
	Issuer     = "IssuerFunction"
	RotateKeys = "RotateKeysFunction"
)

// Function is what a template must know of a function.
type Function struct {
	// Settings are the variables that it reads.
	Settings []settings.Name
	// Uncalled is who calls a function that has no route; empty: it has routes.
	Uncalled string
}

// Functions returns all functions by logical id.
func Functions() map[string]Function {
	return map[string]Function{
		Authorize:  {Settings: authorize.Settings()},
		Callback:   {Settings: callback.Settings()},
		Signin:     {Settings: signin.Settings()},
		Admin:      {Settings: admin.Settings()},
		Authorizer: {Settings: authorizer.Settings(), Uncalled: "API Gateway asks it before /api/admin"},
		Issuer:     {Settings: issuer.Settings()},
		RotateKeys: {Settings: rotatekeys.Settings(), Uncalled: "Secrets Manager calls it on schedule"},
	}
}

// Route is one route of the HTTP API.
type Route struct {
	// Key is "METHOD /path", or "$default".
	Key string
	// Function is the logical id of the function that answers.
	Function string
	// Guarded is whether the authorizer decides before the function runs.
	Guarded bool
	// Why is what would be missing without the route.
	Why string
}

// Routes returns all routes. JSON lies under /api/, so that every other path can be
// an application link.
func Routes() []Route {
	return []Route{
		{Key: "GET /authorize/{authenticator}", Function: Authorize, Why: "sends the browser to WeCom"},
		{Key: "GET /callback/{authenticator}", Function: Callback, Why: "takes WeCom's code"},
		{Key: "GET /signin", Function: Signin, Why: "the sign-in page, where every failure ends"},
		{Key: "GET /api/authenticators", Function: Signin, Why: "what an application's own sign-in page offers"},
		{Key: "OPTIONS /api/authenticators", Function: Signin, Why: "preflight, answered for enabled authenticators' origins only"},
		{Key: "GET /api/session", Function: Signin, Why: "who is signed in"},
		{Key: "OPTIONS /api/session", Function: Signin, Why: "preflight, answered for enabled authenticators' origins only"},
		{Key: "POST /api/token", Function: Signin, Why: "a token for an application's backend"},
		{Key: "OPTIONS /api/token", Function: Signin, Why: "preflight, answered for enabled authenticators' origins only"},
		{Key: "POST /api/signout", Function: Signin, Why: "ends the session"},
		{Key: "OPTIONS /api/signout", Function: Signin, Why: "preflight, answered for enabled authenticators' origins only"},
		{Key: "GET /auto-login.js", Function: Signin, Why: "automatic login on an application's own pages"},
		{Key: "ANY /api/{proxy+}", Function: Signin, Why: "404 and 405 under /api/, never an application link"},
		{Key: "$default", Function: Signin, Why: "domain files, reserved paths and application links"},
		{Key: "ANY /api/admin/{proxy+}", Function: Admin, Guarded: true, Why: "the admin API"},
		{Key: "GET /console", Function: Admin, Why: "the administrator's page, which holds no data"},
		{Key: "GET /assets/console/{version}/{file}", Function: Admin, Why: "scripts and style of that page"},
		{Key: "GET /.well-known/openid-configuration", Function: Issuer, Why: "where verifiers find issuer and keys"},
		{Key: "GET /.well-known/jwks.json", Function: Issuer, Why: "public keys, for verifiers of tokens"},
	}
}

// Attempt is the attribute that the indexes hold beside their keys.
const Attempt = "attempt"

// Table is what a template must know of a table. Keys are "name type", the partition
// key first.
type Table struct {
	Keys []string
	// Indexes are the keys of each index.
	Indexes map[string][]string
	// TimeToLive is the attribute that ends a record; empty: records last.
	TimeToLive string
}

// Tables returns both tables by logical id.
func Tables() map[string]Table {
	return map[string]Table{
		"DirectoryTable": {Keys: []string{"pk S", "sk S"}},
		"TransientTable": {Keys: []string{"pk S"}, TimeToLive: "ttl", Indexes: map[string][]string{
			"attempts-of-authenticator": {"authenticatorId S", "at N"},
			"attempts-of-user":          {"userId S", "at N"},
		}},
	}
}
