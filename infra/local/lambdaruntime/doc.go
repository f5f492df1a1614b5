// Package lambdaruntime runs built Lambda functions on this machine.
//
// Duty: a Function starts the program that would be deployed (bootstrap), serves it
// the Lambda runtime API and calls it: one process for every call that runs at the
// same time, kept for the next one, as Lambda does.
//
// Boundary: no container, no limits of memory or rights: the environment variables
// are the function's own, everything else is this machine's.
//
// Invariants: a process serves one call at a time; one that has reached its time
// limit, panicked or ended is never used again; after Close none is left.
//
// Source: "Using the Lambda runtime API for custom runtimes" in the Lambda
// developer guide.
package lambdaruntime
