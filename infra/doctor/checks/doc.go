// Package checks examines a running deployment from outside.
//
// Duty: ask what a browser, an application and an administrator would ask, and report
// for each check what was seen, the one thing to do about it, and where the manual has
// more.
//
// Boundary: it knows the service by its addresses alone, has no AWS credentials and
// changes nothing. The only calls to WeCom that it causes are those of the admin API's
// own check of an authenticator.
//
// Invariants: the admin key goes to the given address alone, over https or to this
// machine, and only after that address has answered as this service does: a mistyped
// address may belong to somebody else. No redirect is followed. Findings never contain
// the key or control characters, whatever the service answers. Every request has a
// time limit.
package checks
