// Package settings reads what an operator may set: the environment of a Lambda
// function, of the local run and of the tests, under the same names.
//
// Duty: FromEnvironment checks the settings a program names, fills in defaults and
// reports every fault at once, so that an operator repairs a deployment in one go.
//
// Boundary: no file, no network, no AWS. What a setting leads to (a table, a
// secret) is for the caller to open.
//
// Invariants: an address is in one canonical form (lower-case host, no default
// port, no slash at the end), because addresses are compared and joined elsewhere;
// plain http is for loopback only; a program is given nothing it did not name, so
// the template can be checked against the code; no fault repeats a value that may
// be secret.
package settings
