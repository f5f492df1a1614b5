// Package sealedfile is the engine of secret.Store for one machine: all secrets
// in one encrypted file, for `make run` and for tests.
//
// Duty: the promises of secret.Store, kept through kill -9: a write is answered
// when the new file has replaced the old one and both file and folder are synced.
//
// Boundary: one process at a time opens a file; whoever owns the folder sees to
// that. It is no substitute for Secrets Manager: who can read the key file can
// read the secrets.
//
// Format: the line "wecom-signin sealed secrets 1", a 12-byte nonce, and the
// AES-256-GCM sealing of a JSON document, the line being authenticated too. The
// key file holds 32 random bytes in hex, mode 0600, and is made when neither file
// is there.
//
// Invariants: no secret is ever written in clear, not even for a moment; a sealed
// file whose key is missing or wrong is an error and stays as it is.
package sealedfile
