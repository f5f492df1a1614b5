// Command doctor checks a running deployment from outside and says what to do:
// `make doctor URL=https://signin.example.com`.
//
//	go run ./infra/doctor [-key-file FILE] [-lang en|zh] URL
//
// Duty: ask what a browser, an application and an administrator would ask, and print
// one line for each check: ok, warn, FAIL or skip, what was seen, and the one thing to
// do about it. The exit status is 1 when anything failed and 2 when it was called
// wrongly.
//
// Boundary: it knows the service by its addresses alone, has no AWS credentials and
// changes nothing. What it starts at WeCom is the check of the admin API.
//
// Invariants: the admin key is read from a file, from ADMIN_KEY or from a terminal
// without echo, never from an argument. It is sent to the given address alone, over
// https (or to this machine), and no redirect is followed. It is never printed, and
// what the service says is printed without control characters. Every request has an
// end.
package main
