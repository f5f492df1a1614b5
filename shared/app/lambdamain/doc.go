// Package lambdamain starts functions in Lambda: with DynamoDB as the store, Secrets
// Manager for secrets and settings from the environment.
//
// Boundary: only the functions' main packages link it, so that no rule and no handler
// depends on AWS.
//
// Invariant: a function that cannot work does not start. It logs one line that says what
// is wrong with which setting, and exits; Lambda then starts it again.
package lambdamain
