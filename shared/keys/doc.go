// Package keys has the signing keys of the service's tokens, and signs and verifies those
// tokens.
//
// Duty: the key set {next, current, previous} and its encoding for a secret store; its
// public part as a JSON Web Key Set (RFC 7517); a Minter that signs access tokens (RFC
// 9068), ID tokens (OpenID Connect Core 1.0) and logout tokens (Back-Channel Logout 1.0),
// each with claims of a Go type of its own; a Verifier with a method for each use.
//
// Boundary: the function rotatekeys stores and rotates the set, the store keeps the
// public document, and callers decide what the claims say. The package reads both
// through functions in its configuration.
//
// Invariants:
//   - RS256 with RSA-2048 only. The verifier chooses key and algorithm, never the token;
//   - no token passes for another: the type in its header differs, or else the claims that
//     make a session token or an OAuth token. The audience of an access token is never the
//     client id, and a logout token has no nonce;
//   - claims about a member cannot take the name of a claim that says what a token is;
//   - a key is published as "next" one rotation before it signs, and as "previous" one
//     rotation after, so that clients may cache the public keys;
//   - no printer, logger or encoder shows a private key; only Encode returns it, for a
//     secret store;
//   - only NewKey and Generate generate keys, which takes 20 to 130 ms each.
package keys
