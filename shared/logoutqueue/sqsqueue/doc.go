// Package sqsqueue is the queue of package logoutqueue in Amazon SQS.
//
// Duty: to send a message, after a delay if there is one.
//
// Boundary: the template makes the queue, says how often a message is tried, and where
// those go that cannot be delivered. Lambda reads the queue for the function notify.
//
// Invariant: no delay is longer than the 15 minutes that SQS takes; a longer one is cut.
package sqsqueue
