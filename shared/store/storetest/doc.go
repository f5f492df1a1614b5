// Package storetest is the conformance suite of the store: the promises of store.Engine as
// tests that every engine must pass.
//
// Duty: Run tests every promise of an engine, concurrency included.
//
// Boundary: it calls nothing but store.Engine, so that every engine passes the same tests.
// WithoutAudit is for tests of callers.
package storetest
