// Package invoke has the function memberchecks look a member up, for functions that may not
// read the secrets of apps.
//
// Duty: the form of the question and the answer, and the call in AWS Lambda.
//
// Boundary: the function memberchecks answers; what the answer means is the caller's.
//
// Invariant: neither holds a secret or a phone number.
package invoke
