// Package cache keeps a value that is slow to read, for a bounded time.
//
// Duty: one caller at a time loads, the others wait for the same answer; a loaded
// value is used until it is too old; when loading fails, the value before it may
// be served for a bounded time.
//
// Boundary: it knows nothing of what it keeps and starts nothing by itself. A
// function that is frozen between two requests runs no background refresh, so the
// request that finds the value too old is the one that loads it.
//
// Invariants: no lock is held while loading; a caller that goes away does not
// take the load from those who wait; a value older than Keep + Stale is never
// returned.
package cache
