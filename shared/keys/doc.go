// Package keys has the signing keys of the service's access tokens, and signs and
// verifies those tokens.
//
// Duty: the key set {next, current, previous} and its encoding for a secret store; its
// public part as a JSON Web Key Set (RFC 7517); a Minter that signs access tokens in the
// JWT profile of RFC 9068; a Verifier that accepts only those.
//
// Boundary: the function rotatekeys stores and rotates the set, the store keeps the
// public document, and callers decide what the claims say. The package reads both
// through functions in its configuration.
//
// Invariants:
//   - RS256 with RSA-2048 only. The verifier chooses key and algorithm, never the token;
//   - a key is published as "next" one rotation before it signs, and as "previous" one
//     rotation after, so that clients may cache the public keys;
//   - no printer, logger or encoder shows a private key; only Encode returns it, for a
//     secret store;
//   - only NewKey and Generate generate keys, which takes 20 to 130 ms each.
package keys
