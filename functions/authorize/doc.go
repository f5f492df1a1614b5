// Package authorize is the function behind GET /authorize/{authenticator}: it sends
// the browser to WeCom.
//
// Duty: tell WeCom's own client from any other browser, begin an attempt, give it to the
// browser in a cookie, redirect; or tell the sign-in page the address, which it frames.
//
// Boundary: it writes no HTML; a failure redirects to the sign-in page. It never
// asks who is signed in: WeCom is asked every time.
//
// Invariant: no remote call beyond reading the authenticator, because anybody may
// send anybody here.
package authorize
