// Package admin answers administrators: the API under /api/admin/ and the page
// /console that uses it.
//
// Duty: authenticators with their secrets and the check of their credentials,
// users with import and the ending of access, what became of attempts to sign in,
// domain files and whether the world can read them. It validates every
// field and names the one at fault; it keeps two administrators from overwriting
// each other (If-Match, or a bounded retry of read, decide and write).
//
// Boundary: who is an administrator was decided by the authorizer in front of the
// function. What must never be true twice (a name, a phone, automatic login) is
// decided by the store, in the write itself; what is read before only spares a
// useless write or makes a better sentence.
//
// Invariants:
//   - without the authorizer's word about the caller every admin request is
//     refused, so that a route wired without its authorizer is closed, not open;
//   - a secret goes in and never comes out: not in an answer, a log or an error;
//   - a request changes everything it asks for, or nothing (an import: each row);
//   - a failure that an administrator can meet is told by its code and field alone,
//     for the console to say it in another language;
//   - of what WeCom or a fetched page says, an answer holds numbers, names and
//     addresses that were looked at, never a text;
//   - the console page is the same for everybody and holds no data.
package admin
