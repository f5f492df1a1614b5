// Package fetchonce has something fetched from WeCom by one caller at a time, across all
// functions.
//
// Duty: give what the record in the short-lived table answers; fetch it under a lease where
// it answers nothing; wait for whoever holds the lease.
//
// Boundary: the caller says what a record answers, makes the call, and says what the record
// is to hold. How callers of one process take turns is theirs as well.
//
// Invariants:
//   - what another holder wrote between reading and leasing is seen, and not fetched again;
//   - a fetch ends before its lease does, and a holder that dies loses it by time;
//   - the lease goes back although the caller has hung up;
//   - a record that cannot be read is not written over;
//   - nothing runs after Get has returned: a frozen function runs no background work.
package fetchonce
