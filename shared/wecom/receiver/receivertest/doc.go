// Package receivertest writes what WeCom would send to a receive-message URL, for tests.
//
// Duty: the query that checks a URL, and the query and body of a push, encrypted and signed.
// A test changes the sender to make them wrong in one way.
//
// Boundary: package receiver reads them. It shares no code with this package, so that a
// mistake in one is not hidden by the same mistake in the other.
//
// Invariant: what an unchanged Sender writes is as WeCom documents it (path 90968).
package receivertest
