// Package awsconfig makes the configuration of AWS clients from the environment.
//
// Duty: region, credentials and endpoints as Lambda sets them, and one HTTP client
// with limits that fit inside a function's time.
//
// Boundary: no shared configuration file, no instance role, no single sign-on. The SDK's
// own config module reads all of them, but with so much code that every function would
// start slower; a Lambda function needs none of it.
//
// Invariants: credentials are read for every signature, never cached; the SDK logs
// nothing of a request.
package awsconfig
