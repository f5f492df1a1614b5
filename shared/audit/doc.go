// Package audit makes the lines of the audit: what happened, to whom, and by whom.
//
// Duty: the list of types; the lines of sign-ins and of events; and Log, which fills in what
// every line has and writes those that no other write carries.
//
// Boundary: the store keeps lines and finds them (store.Audit); functions decide when
// something happened.
//
// Invariants:
//   - a line names people by the ids of users, and applications and authenticators by theirs.
//     It has no phone number, secret, code or token, and nothing that a visitor can choose;
//   - a write that gives or changes access carries its line, both or neither: without an
//     audit nobody signs in and no administrator changes anything;
//   - what takes access away never waits for the audit: its line comes after it, and a line
//     that cannot be written is counted, which raises an alarm.
package audit
