// Package store is the contract of the service's database.
//
// Duty: the records, the operations on them, and what each operation promises. Two
// engines implement it: package dynamo (two DynamoDB tables) and package embedded (one
// file). Package storetest is the suite that both must pass.
//
// Boundary: no rule of signing in. The rules (package authflow), access tokens (package
// accesstoken) and the handlers declare the small interfaces that they need; the
// interface Engine defines every method once, for the engines.
//
// Invariants, for every engine:
//   - a phone belongs to at most one user, a WeCom identity to at most one user, a user
//     has at most one identity per corp, and at most one enabled authenticator has
//     AutoLogin, whatever runs concurrently;
//   - when a method returns nil its write has happened and survives the process; on an
//     error the caller must assume nothing, unless a sentinel says so;
//   - every read is strongly consistent, except those of sign-in events; nothing scans a
//     table, and no operation costs more with more users;
//   - a result past its KeepUntil is absent, cleaned up or not; callers compare the times
//     of sessions and access tokens;
//   - the keys of sessions are hashes and access tokens are sealed: an engine never
//     stores a usable bearer credential.
package store
