// Command doctor checks a running deployment from outside and says what to do:
// `make doctor URL=https://signin.example.com`.
//
// Duty: run the checks and print what they find. The exit status is 0 when nothing
// failed, 1 when something did, and 2 for a wrong call.
//
// Boundary: package checks knows what is right; the manual, docs/operations.md and its
// Chinese twin, explains each check.
//
// Invariant: the admin key comes from the variable ADMIN_KEY, never from an argument,
// and is never printed.
package main
