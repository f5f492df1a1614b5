// Package secret is the contract of the secret store.
//
// Duty: the type Value, which no printer shows, and the store of named, versioned
// secrets. Two engines implement it: package secretsmanager (AWS Secrets Manager) and
// package sealedfile (one encrypted file). Package secrettest is the suite that both
// must pass.
//
// Boundary: the meaning of a secret belongs to its owner. An authenticator's secret is
// package appsecret's, package keys encodes the signing keys, package aead the sealing keys.
//
// Invariant: a version, once written, never changes. A record that refers to a version
// (an authenticator's SecretVersion) therefore switches to a new secret in the write
// that changes the reference.
package secret
