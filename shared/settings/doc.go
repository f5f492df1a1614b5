// Package settings reads an operator's settings from the environment of a Lambda
// function, of the local run and of tests, under the same names.
//
// Duty: FromEnvironment checks the settings that a program names, fills in defaults and
// reports all errors at once, so that an operator repairs a deployment in one go.
//
// Boundary: no file, no network, no AWS. The caller opens what a setting refers to (a
// table, a secret).
//
// Invariants: an address has one canonical form (lower-case host, no default port, no
// slash at the end), because addresses are compared and joined elsewhere; plain http is
// for loopback only; a program gets only the settings that it names, so that tests can
// compare the template with the code; no error repeats a value that may be secret.
package settings
