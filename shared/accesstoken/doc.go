// Package accesstoken keeps WeCom's access tokens, one per app.
//
// Duty: give a token that WeCom will still take, from memory, then from the short-lived
// table, then from WeCom; replace it early, or when WeCom refused it.
//
// Read source.go first: what a caller gets, and how the callers of one process take
// turns. Package fetchonce is the protocol between processes; fetch.go says what a record
// answers, and what is written down after a fetch. token.go is a token and its times.
//
// Boundary: it makes no call but gettoken, and does not decide what a refused secret
// means to a visitor.
//
// Invariants:
//   - a token belongs to one corp, app, authenticator and version of the secret;
//     another version never sees it;
//   - one caller at a time asks WeCom, across all functions: a lease in the table
//     says who. A holder that dies loses it by time;
//   - a token is never handed out past its life, and is sealed in the table, bound
//     to its key;
//   - no lock is held over a slow call, and nothing runs after the call that
//     started it has returned: a frozen function runs no background work;
//   - a secret that WeCom refused is not sent again for a minute: WeCom bans an
//     address that keeps trying. Another version of the secret is another secret,
//     and Forget ends the minute.
package accesstoken
