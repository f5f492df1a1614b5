// Package authflow decides who is signed in, as whom, and when not.
//
// Read it in the order of a sign-in. LoginStarter (authorize.go) sends a browser to
// WeCom with a LoginAttempt (attempt.go). LoginCompleter (callback.go) takes the browser
// back: it checks that the attempt belongs to this browser, spends WeCom's code
// (identity.go), finds, binds or creates the user (user.go, by the rule of link.go), has
// package members look at a returning member again when that is due, and starts the session
// (result.go); invalidcodes.go bounds what made-up codes cost. Sessions (sessions.go)
// later tells whose session an id is, and ends it. A browser whose member is not known yet
// gets a Proof (proof.go), with which FirstSignIns (firstsignins.go) lets it go on later.
// A ReturnPath (returnpath.go) is where the browser goes afterwards; urls.go builds the
// service's own addresses; event.go is what administrators are shown.
//
// One value has three forms. The random state travels to WeCom and back. The session id
// is derived from the state with a server key (SessionIDs) and lives in the browser's
// cookie. The session key is the SHA-256 of the session id, and the only form that is
// stored. So a state can start one session, ever, and the store gives nobody a session.
//
// Boundary: no HTTP and no AWS. The store, WeCom, access tokens and key derivation come
// in through interfaces declared here; package session keeps cookies, package apigw maps
// errors to status codes.
//
// Invariants:
//   - a code is spent only for a state that this browser was given, by this
//     authenticator, less than 15 minutes ago; it is never spent twice;
//   - a state leads to one result, and so to one session, ever;
//   - only a phone that WeCom gave, or an administrator, links a WeCom member to a
//     user: never a name, never a userid; whoever is gone shows the phone again;
//   - a browser is sent only to the application's origin or to the console;
//   - every failure is an *apierr.Error with a code that the sign-in page explains, and
//     every doubt is a refusal.
package authflow
