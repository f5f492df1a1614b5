// Package authorizer is the Lambda authorizer of /api/admin: API Gateway asks it
// about every request before the function admin runs.
//
// Duty: allow the admin key, and an access token (POST /api/token) whose session is
// active and whose user has the role admin at this moment, unless a page of an
// application asked for the token (azp); deny everything else. The answer tells the
// function admin who calls (apigw.Caller).
//
// Boundary: payload format 2.0 with simple responses ("Working with AWS Lambda
// authorizers for HTTP APIs"). The function admin decides what a caller may do. The
// audience of a token does not count: what matters is that the user is an
// administrator, not through which application.
//
// Invariants: every failure is a denial, never an error; the log shows nothing of a
// key or a token. The gateway caches no answer. This package reads session and user
// every time and keeps the admin key for one second, so that a flood of guesses is not
// a flood of calls to Secrets Manager.
package authorizer
