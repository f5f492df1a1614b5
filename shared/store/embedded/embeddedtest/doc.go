// Package embeddedtest gives tests a store of their own.
//
// Boundary: for tests alone. Its commits are not synced: how fast the disk is must not
// decide whether a test passes.
package embeddedtest
