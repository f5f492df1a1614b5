// Package embedded is the engine of the store in one file, for a laptop or a single
// server.
//
// Duty: every promise of store.Engine with bbolt, a B+tree in a file. A commit is synced
// to the disk before the method returns, so that its write survives kill -9 and a power
// cut.
//
// Boundary: one process at a time; Open fails while another has the file open. It needs
// neither server nor account, and only depends on bbolt, as etcd does.
//
// Invariants: a method is at most one transaction, so nothing is ever half done; an
// operation reads only the records that it names, however many users there are; the file
// contains no bearer credential (see package store).
package embedded
