// Package aead encrypts and authenticates values that others store.
//
// Duty: derive independent keys from one secret (the sealing keys), seal and open small
// values with them (state cookies, stored access tokens), and derive session ids from
// states.
//
// Boundary: it knows no cookie and no table; callers name a purpose.
//
// Invariants: keys of different purposes are independent (HKDF-SHA-256, RFC 5869);
// sealed values are AES-256-GCM with a random nonce and open only with the same purpose
// and associated data; after a change of keys, values that the previous key sealed still
// open, but nothing more is sealed with it.
package aead
