// Package secret is the contract for what must stay secret at rest.
//
// Duty: the type Value, which no printer shows, and the store of named, versioned
// secrets. Two engines keep it: package secretsmanager (AWS Secrets Manager) and
// package sealedfile (one encrypted file); package secrettest is the suite both
// must pass.
//
// Boundary: what a secret means belongs to its owner: an authenticator's secret
// is opaque, the signing keys are package keys', the sealing keys package seal's.
//
// Invariant: a version, once written, never changes. Whoever refers to a version
// (an authenticator's SecretVersion) therefore switches to a new secret in the one
// write that changes the reference.
package secret
