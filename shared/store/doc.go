// Package store is the contract of what the service remembers.
//
// Duty: the records, the operations on them, and what each operation promises.
// Two engines keep the contract, package dynamo (two DynamoDB tables) and
// package embedded (one file); package storetest is the suite both must pass.
//
// Boundary: no rule of signing in lives here. The rules (package signin), the
// access tokens (package accesstoken) and the handlers declare the small
// interfaces they need; every method below is written once, in the interface
// Engine, so that an engine knows what to keep.
//
// Invariants, for every engine:
//   - a phone belongs to at most one user, a WeCom identity to at most one user,
//     a user has at most one identity per corp, and at most one enabled
//     authenticator has AutoLogin, whatever runs at the same moment;
//   - a write happened when its method returned nil, and survives the process;
//     on an error the caller must assume nothing, except where a sentinel says so;
//   - every read but that of recent attempts is strongly consistent; there is no
//     scan, and no operation costs more because there are more users;
//   - an outcome past its KeepUntil is absent, whether or not it has been cleaned up
//     yet; the times of a session and of an access token are for the caller to
//     compare;
//   - keys of sessions are hashes, access tokens arrive sealed: an engine never
//     holds a bearer credential that could be used.
package store
