// Package apierr has the one error type that reaches the edge of the service.
//
// Duty: carry what three readers need in one value: a stable code for programs, the
// wrong field for the caller, and the cause for the operator. Package apigw maps it to
// HTTP.
//
// Boundary: rules and handlers return *Error; stores and clients return their own
// errors, which a caller that knows their meaning wraps here. Any other error that
// reaches the edge is Internal.
//
// Invariant: Err is for the log alone. Nothing of it is ever sent to a caller.
package apierr
