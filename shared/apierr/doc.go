// Package apierr is the one error type that reaches the edge of the service.
//
// Duty: carry what three readers need in one value: a stable code for the
// program, a place to point at (a field) for the caller, and the cause for the
// operator. Package apigw holds the one mapping from a fault to HTTP.
//
// Boundary: rules and handlers return *Error; stores and clients return their
// own errors, which a caller wraps here when it knows what they mean. Anything
// else that reaches the edge is Internal.
//
// Invariant: Err is for the log alone. Nothing of it is ever sent to a caller.
package apierr
