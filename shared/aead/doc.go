// Package aead keeps things secret and whole while they are out of our hands.
//
// Duty: derive independent keys from one secret (the sealing keys), seal and open
// small values with them (state cookies, stored access tokens, the local secrets
// file), and derive session ids from states.
//
// Boundary: it knows no cookie, no table and no file; callers name a purpose.
//
// Invariants: keys of different purposes are independent (HKDF-SHA-256, RFC 5869);
// sealed values are AES-256-GCM with a random nonce and open only with the same
// purpose and the same associated data; after a change of keys what the previous
// key sealed still opens, and nothing more is sealed with it.
package aead
