// Package storetest is the conformance suite of the store: what store.Engine
// promises, as tests that every engine passes.
//
// Duty: Run takes an engine through every promise, concurrency included.
//
// Boundary: it uses nothing but store.Engine, so that an engine cannot pass by
// being asked something else.
package storetest
