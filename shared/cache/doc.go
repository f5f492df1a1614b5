// Package cache caches one value that is slow to read.
//
// Duty: one caller at a time loads, and the others wait for the same result; a loaded
// value is used until it is too old; if loading fails, the earlier value may be served
// for a bounded time.
//
// Boundary: it starts nothing in the background, because a Lambda function is frozen
// between two requests. The request that finds the value too old loads it.
//
// Invariants: no lock is held while loading; a load goes on for the callers that wait
// when the first one gives up; a value older than Keep + Stale is never returned.
package cache
