// Package admin serves administrators: the API under /api/admin/ and the page /console
// that uses it.
//
// Duty: authenticators, their secrets and the check of their credentials; applications,
// their secrets and what they are told of a member; users, their import and the end of
// their access; recent sign-in events; domain files and whether they can be read from
// outside. It validates every field and names the wrong one, and
// it keeps two administrators from overwriting each other (If-Match, or a bounded retry
// of read, decide and write).
//
// Read handler.go first: it lists the routes. Each resource has its files:
// applications*.go, authenticators*.go, users*.go, lookup*.go, domainfiles*.go, signinevents.go, egress.go and
// console.go. In request.go, jsonobject.go, etag.go, answer.go, checks.go and retry.go
// is what they share.
//
// Boundary: the authorizer in front of the function decides who is an administrator.
// The store decides, in the write itself, what must be unique (a name, a phone,
// automatic login); a read before only saves a useless write or improves a message.
//
// Invariants:
//   - without the authorizer's word about the caller every admin request is refused, so
//     that a route wired without its authorizer is closed, not open;
//   - a secret goes in and never comes out: not in an answer, a log or an error; one that
//     is made here comes out once, in the answer to its making;
//   - phones are looked up in WeCom here and nowhere else, and a miss is counted before the
//     call;
//   - when sessions of a user end, applications are told;
//   - a request changes everything it asks for, or nothing (an import: each row);
//   - code and field alone identify an error that an administrator can meet, so that
//     the console can explain it in another language;
//   - answers hold numbers, names and addresses of what WeCom or a fetched page says,
//     each of them checked, but never its text;
//   - the console page is the same for everybody and holds no data.
package admin
