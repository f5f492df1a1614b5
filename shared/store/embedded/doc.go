// Package embedded keeps the store in one file, for a laptop or a single server.
//
// Duty: every promise of store.Engine on top of bbolt, a B+tree in a file whose
// commits are synced to the disk before they are answered. What was answered
// survives kill -9 and a power cut.
//
// Boundary: one process at a time; Open says so when the file is in use. It needs
// no server and no account, and its only dependency is bbolt, which etcd depends on.
//
// Invariants: one method is at most one transaction, so nothing is ever half done;
// no operation reads more than the records it names, however many users there are;
// the file holds no bearer credential (see package store).
package embedded
