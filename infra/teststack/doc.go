// Package teststack deploys template.yaml for the tests of one machine, without a
// deployment: what it declares is made one by one, in emulators.
//
// Duty: Deploy starts the built functions, each in processes of its own with the
// variables that the template gives it, behind the template's routes; makes its tables
// (dynoxide) and its secrets (infra/emulator); and puts a recorder of infra/permissions
// between each function and AWS. Rotate does what Secrets Manager does to rotate the
// signing keys. Visitor is somebody with a browser, for a service that runs anywhere.
//
// Boundary: for tests only. What CloudFormation and SAM make of the template is
// rehearsed in infra/rehearsal, and what the functions promise is for the tests that
// use this. A missing prerequisite skips a test with one line, and fails it where CI
// is set.
//
// Invariants: a function gets every variable that the template declares, and beside
// Lambda's own only the addresses of the emulators. The one thing that is said otherwise
// than in the template is an address on loopback, because the template takes https
// alone. Nothing outlives the test.
package teststack
