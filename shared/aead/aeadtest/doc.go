// Package aeadtest has sealing keys for tests.
//
// Duty: Keys, the secret as it is stored, and Box, which makes a box of it.
//
// Boundary: tests alone import it. What the keys protect is the test's.
//
// Invariants: the keys are the same in every test, so that a value sealed by one part of a
// test opens in another.
package aeadtest
