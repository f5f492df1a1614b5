// Package session keeps the browser's side of a sign-in: its cookies.
//
// Duty: the session cookie, and one sealed cookie per attempt to sign in.
//
// Boundary: it knows names and attributes of cookies; what a session or an attempt
// is, package signin knows.
//
// Invariants: every cookie is Secure, HttpOnly and SameSite=Lax, and carries the
// __Host- prefix, so that no neighbour on a parent domain can set it (RFC 6265bis
// §4.1.3); only the session cookie may be shared with a parent domain, by a
// setting, and then carries __Secure-. Browsers accept both on http://localhost
// and http://127.0.0.1 too, because these are trustworthy origins; Safari does not.
package session
