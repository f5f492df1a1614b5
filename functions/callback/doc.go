// Package callback is the function behind GET /callback/{authenticator}: it takes
// WeCom's code and signs the person in.
//
// Duty: gather what the browser brings (code, state, cookies), let package authflow
// decide, turn its result into cookies and a redirect, and count how
// each request ended.
//
// Boundary: it writes no HTML; a failure redirects to the sign-in page.
//
// Invariant: the code goes to WeCom and nowhere else.
package callback
