// Package e2e tests the service as a whole, from outside.
//
// Duty: what `make run` starts, used by people with a browser: members on a phone and at
// a desk, in WeCom and outside, and the administrator who sets it up. Every page they see
// is judged by axe-core, and by whether the browser complains. The pictures of README and
// guide are taken on the way, and what a sign-in costs is counted and measured on the
// built functions. Both the program and the functions are killed in the middle of sign-ins,
// and must have lost nothing that they told.
//
// Boundary: tests, and what runs and counts the built functions for them. What one function
// promises is tested beside it, what a deployment promises in infra/rehearsal; here is what
// only shows in a browser, in figures, or after a kill.
package e2e
