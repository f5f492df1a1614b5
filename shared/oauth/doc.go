// Package oauth decides what an OpenID provider answers: OAuth 2.0 (RFC 6749, 6750, 7009,
// 7636, 7662, 9207, 9700) and OpenID Connect (Core, RP-Initiated Logout), of which it knows
// the authorization code flow with refresh tokens and nothing else.
//
// Duty: parse requests; match redirect URIs; authenticate applications; decide whether a
// request gets a code, a sign-in, a page or an error; exchange codes; rotate refresh
// tokens; answer userinfo, introspection, revocation and logout; decide what may pass the
// proxy of software that knows no sign-in; record for administrators how sign-ins to
// applications went.
//
// Read provider.go first. One file for each endpoint: decision.go (authorize, with request.go
// and consent.go), token.go, userinfo.go, introspect.go, revoke.go and logout.go. What they
// share: redirect.go says which addresses are followed, client.go who an application is,
// grant.go what a code began and whether it still lives, tokens.go what is signed.
//
// Boundary: no HTTP and no AWS. The metadata are the function issuer's, and the function
// notify tells applications that a session has ended (Back-Channel Logout). Handlers bring raw queries and forms and put answers into
// HTTP's words and into pages. Sessions come from package authflow, tokens are signed and
// verified by package keys, claims of members come from package claims, and records are
// kept by package store.
//
// Invariants:
//   - nothing is redirected, and no code is given, unless application and redirect URI have
//     been matched first; both are compared byte for byte, but for the port of a loopback
//     address of a native application (RFC 8252 §7.3);
//   - a code and a generation of a refresh token are taken by one conditional write. A code
//     used twice, or a refresh token of an old generation, revokes the grant; a request in
//     which anything else does not fit changes nothing;
//   - codes and refresh tokens cannot be computed from what is stored: a grant's id is a
//     hash of its code, and refresh tokens are made with a key;
//   - a grant gives tokens only while its application, user, authenticator and, unless it
//     is offline, its lineage are those of its beginning and live. They are read each time;
//     application and authenticator may be 10 seconds old;
//   - an error of a store is an error of the answer: nothing is given on a guess.
package oauth
