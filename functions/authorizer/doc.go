// Package authorizer is the Lambda authorizer of /api/admin: API Gateway asks it
// about every request before the function admin runs.
//
// Duty: say yes to the admin key, and to an access token (POST /api/token) whose
// session is live and whose user has the role admin at this moment, unless a page of
// an application asked for it (azp); say no to everything else. The answer tells the function admin who calls: {"caller":"admin-key"} or
// {"caller":"user","userId":ID}.
//
// Boundary: payload format 2.0 with simple responses ("Working with AWS Lambda
// authorizers for HTTP APIs"). What a caller may do is the function admin's to say.
// The audience of a token is the application's and is not looked at: the question
// is whether the user is an administrator, not through which application.
//
// Invariants: whatever goes wrong is a no, never an error; nothing of a key or a
// token is logged. The gateway keeps no answer and this package keeps nearly
// nothing: sessions and users are read every time, the admin key is at most one second old. The
// second is there so that a flood of guesses is not a flood of calls to Secrets
// Manager.
package authorizer
