// Package store is the contract of the service's database.
//
// Duty: the records, the operations on them, and what each operation promises. Two
// engines implement it: package dynamo (three DynamoDB tables) and package embedded (one
// file). Package storetest is the suite that both must pass.
//
// Boundary: no rule of signing in. The rules (package authflow), access tokens (package
// accesstoken) and the handlers declare the small interfaces that they need; the
// interface Engine defines every method once, for the engines.
//
// Invariants, for every engine:
//   - a phone belongs to at most one user, a WeCom identity to at most one user, except
//     that gone ones count for none, a user has at most one identity per corp, and at most
//     one enabled authenticator has AutoLogin, whatever runs concurrently;
//   - when a method returns nil its write has happened and survives the process; on an
//     error the caller must assume nothing, unless a sentinel says so;
//   - every read is strongly consistent, except those of events, of a user's lineages and
//     of the audit by more than a time; nothing scans a table, and no operation costs more
//     with more users;
//   - a result or grant past its KeepUntil and a lineage past its ExpiresAt are absent,
//     cleaned up or not; callers compare the times of sessions, codes and tokens, except
//     that RotateGrant takes no code that has expired;
//   - of many who take a code, or rotate one generation of a grant, one succeeds; a revoked
//     grant never rotates again, and an ended lineage gets no further grant;
//   - noting when an application was used neither changes its Version nor gets lost by an
//     update;
//   - the keys of sessions are hashes, so are the ids of grants, of secrets of applications
//     only hashes are kept, and access tokens are sealed: an engine never stores a usable
//     bearer credential;
//   - an audit line is never changed, and written together with what it tells of where
//     Audited says so.
package store
