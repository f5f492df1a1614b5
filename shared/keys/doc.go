// Package keys holds the signing keys of the service's access tokens, and signs
// and verifies those tokens.
//
// Duty: the key set {next, current, previous} and its encoding for a secret store;
// the public part of it as a JSON Web Key Set (RFC 7517); a Minter that signs
// access tokens in the JWT profile of RFC 9068; a Verifier that accepts those and
// nothing else.
//
// Boundary: where the set is kept and when it is rotated belongs to the function
// rotatekeys; where the public document is kept to the store; what a claim says
// to the caller. This package reads both through functions it is given.
//
// Invariants:
//   - RS256 with RSA-2048 only. The verifier chooses key and algorithm, never the token;
//   - a key is published as "next" one rotation before it signs, and as "previous"
//     one rotation after, so that whoever caches the public keys is never surprised;
//   - a private key is shown by no printer, logger or encoder; Encode is the only
//     way to its content, and its result belongs in a secret store;
//   - nothing here generates a key unless it is asked to: it takes 20 to 130 ms.
package keys
