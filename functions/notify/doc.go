// Package notify is the function that tells applications that a session has ended (OpenID
// Connect Back-Channel Logout 1.0). SQS calls it with the messages of package logoutqueue.
//
// Duty: it takes a message apart, of a user or an authenticator into lineages and of a
// lineage into applications, each a message of its own, so that trying one again repeats no
// other; and it posts the logout token of one lineage to one application, and records how
// that went among the application's attempts.
//
// Boundary: package keys makes the token; the queue in the template counts the tries and
// keeps what was given up.
//
// Invariants: an address that an administrator has registered leads to no machine of this
// network: it is https, without redirects, and the address that its name stands for is
// looked at when the connection is made. A message may come twice; of a member whose access a
// check has ended, the applications are told once for each session, however many checks say so. Nothing that the
// application answers is kept, and no address and no token is logged.
package notify
