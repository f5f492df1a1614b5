// Package sealedfile is the engine of secret.Store for one machine: all secrets in one
// encrypted file, for `make run` and for tests.
//
// Duty: the promises of secret.Store, which survive kill -9: a write returns after the new
// file has replaced the old one, with file and folder synced.
//
// Boundary: only one process may open a file at a time, which the caller ensures. It does
// not replace Secrets Manager: anybody who can read the key file can read the secrets.
//
// Format: the line "wecom-signin sealed secrets 1", a 12-byte nonce, and a JSON document
// sealed by AES-256-GCM, which also authenticates the line. The key file holds 32 random
// bytes in hex, has mode 0600, and is created when neither file exists.
//
// Invariants: no secret is ever written in clear, not even for a moment; a sealed file
// whose key is missing or wrong is an error and stays as it is.
package sealedfile
