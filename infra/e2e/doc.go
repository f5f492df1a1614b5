// Package e2e tests the service as a whole, from outside.
//
// Duty: two journeys. The deployed programs, each in a process of its own with the
// variables that template.yaml gives it, against emulators of DynamoDB and Secrets
// Manager; and what `make run` starts, used by people with a browser: members on a
// phone and at a desk, in WeCom and outside, and the administrator who sets it up.
// Every page they see is judged by axe-core, and by whether the browser complains.
//
// Boundary: tests only. What one function promises is tested beside it; here is
// what only shows when everything is put together.
package e2e
