// Package authflow is the rules of signing in: who is let in, as whom, and when not.
//
// Read it in the order of a sign-in. LoginStarter (depart.go) sends a browser to
// WeCom with a new LoginAttempt (attempt.go). LoginCompleter (arrive.go) takes the browser
// back: it checks that the attempt is this browser's, spends WeCom's code
// (exchange.go), finds or creates the user (person.go) and starts the session.
// Sessions (sessions.go) says later whose session an id is, and ends it.
//
// Boundary: no HTTP and no AWS. The store, WeCom, access tokens and sealing come
// in through interfaces declared here; cookies are package session's, status
// codes package apigw's.
//
// Invariants:
//   - a code is spent only for a state that this browser was given, by this
//     authenticator, less than 15 minutes ago; it is never spent twice;
//   - a state leads to one outcome, and so to one session, ever;
//   - only a phone that WeCom gave, or an administrator, links a WeCom member to a
//     user: never a name, never a userid;
//   - every failure is a fault with a code the sign-in page explains, and every
//     doubt is a refusal.
package authflow
