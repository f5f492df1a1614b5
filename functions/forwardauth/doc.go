// Package forwardauth signs members in to software that knows no sign-in, behind a proxy.
//
// Duty: answer proxies that ask about each request, in the dialects of nginx, of Caddy,
// Traefik and APISIX, and of Envoy; on the application's own host, under /.wecom-signin/,
// begin a sign-in, take its code and sign out.
//
// Boundary: rules are package oauth's, cookies package session's and pages package page's.
//
// Invariants:
//   - the application is the one in the path, which an administrator wrote into the proxy's
//     configuration. What decides about a yes is its cookie, or the session's, and nothing
//     else: no header, no query, no path of the visitor;
//   - what the proxy says of the visitor's address is used for the way back alone, and only
//     its path: the browser goes to the application's registered origin;
//   - every yes has every identity header, so that a visitor cannot send one;
//   - the answer to a proxy sets no cookie: nginx would lose it;
//   - what fails, or takes longer than two seconds, is answered 503: no.
package forwardauth
