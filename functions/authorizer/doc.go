// Package authorizer is the Lambda authorizer of /api/admin: API Gateway asks it
// about every request before the function admin runs.
//
// Duty: allow the admin key, and an access token (POST /api/token) whose session is
// active and whose user has the role admin at this moment; deny everything else. The
// token's audience must be the service itself: no token of an application, nor any
// issued to an OAuth client, opens the API. The answer tells the function admin who
// calls (apigw.Caller).
//
// Boundary: payload format 2.0 with simple responses ("Working with AWS Lambda
// authorizers for HTTP APIs"). The function admin decides what a caller may do.
//
// Invariants: every failure is a denial, never an error; the log shows nothing of a
// key or a token. The gateway caches no answer. This package reads session and user
// every time and keeps the admin key for one second, so that a flood of guesses is not
// a flood of calls to Secrets Manager.
package authorizer
