// Package lambdamain puts functions together in Lambda: DynamoDB for the store, Secrets
// Manager for secrets, the environment for settings.
//
// Boundary: it is linked by the functions' main packages and by nothing else, so
// that no rule and no handler knows AWS.
//
// Invariant: what cannot work does not start. A fault at start is one line that says
// what is wrong with which setting; Lambda then starts the function anew.
package lambdamain
