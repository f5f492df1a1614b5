// Package session manages the cookies of a sign-in.
//
// Duty: the session cookie, one sealed cookie per attempt to sign in, and one per
// authorization request of an application that waits for a sign-in. On the host of an
// application behind a proxy: its cookie, and one sealed cookie per sign-in to it.
//
// Boundary: it knows names and attributes of cookies; package authflow defines sessions
// and attempts.
//
// Invariants: every cookie is Secure, HttpOnly and SameSite=Lax, and has the prefix
// __Host-, so that no other host of a parent domain can set it (RFC 6265bis §4.1.3).
// Only the session cookie may be shared with a parent domain, by a setting, and then has
// the prefix __Secure-. Browsers accept both on http://localhost and http://127.0.0.1,
// too, because these are trustworthy origins; Safari does not.
package session
