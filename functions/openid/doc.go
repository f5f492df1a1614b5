// Package openid is the function that serves the OpenID provider: everything under
// /oauth2/, for applications and for the members who sign in to them.
//
// Read handler.go first: it lists the routes. authorize.go answers browsers that an
// application sends, continue.go those that come back from signing in, logout.go those that
// sign out; token.go and userinfo.go answer applications, and cors.go decides which pages
// may read that; refusal.go explains to people what is refused.
//
// Boundary: package oauth decides; this package puts its decisions into HTTP's words and
// pages. It never sees WeCom's secrets and starts no session.
//
// Invariants:
//   - a browser is sent to an address that package oauth has matched, to the homepage of an
//     application, or to the service itself, always by GET;
//   - a code is given only for a request that this browser brought itself;
//   - no answer is stored by anybody, and no token is read from a query;
//   - only pages of browser applications, from their registered origins, may read answers,
//     and never with cookies;
//   - the log has neither codes nor tokens, states or addresses.
package openid
