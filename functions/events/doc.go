// Package events is the function behind /api/events/{authenticator}, the receive-message URL
// of a WeCom app: WeCom checks the URL, and pushes what happens to members.
//
// Duty: believe only what WeCom signed and encrypted, and a moment ago; have a member whom
// an event names looked up (package members); note when WeCom pushed last; tell the audit of
// each event, and operators that WeCom is about to switch the app off, or has done so.
//
// Boundary: package receiver verifies and decrypts, package members decides and ends.
//
// Invariants:
//   - an event ends nothing: it says whom to ask WeCom about;
//   - it answers 200 if the work is done or there is none, 500 if WeCom must push again, 403
//     if WeCom did not send this, and 404 if there is no receiver here. The one body that it
//     sends is the plaintext of a URL's check;
//   - what cannot be WeCom's costs no remote call: a wrong name or form, an old timestamp, an
//     endless body. What a stranger makes up in the right form costs at most one read, and
//     none of WeCom's quota;
//   - a check of the URL waits for at most one read: the secret stays in memory, by its
//     version;
//   - the log has no part of a message but the kinds of events that it knows.
package events
