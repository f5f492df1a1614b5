// Package logoutqueue carries the news that sessions have ended from the functions that end
// them to the function notify, which tells applications (OpenID Connect Back-Channel
// Logout 1.0).
//
// Duty: Message, the one form of what is in the queue, and Notifier, which writes it.
// Package sqsqueue is the queue in AWS.
//
// Boundary: which applications are told, and how, is the function notify's.
//
// Invariants: a message names records and holds nothing secret and nothing about a person
// but a user id. Messages may come twice and in any order; each says what has happened, and
// acting on it again does no harm.
package logoutqueue
