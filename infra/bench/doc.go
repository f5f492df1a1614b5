// Command bench measures what the service costs and prints a report in Markdown:
//
//	make bench            the report on standard output
//	go run ./infra/bench -only signin    one section of it
//
// Duty: sizes of the programs, starts, remote calls with the capacity they consume,
// processor time of whole sign-ins, and how callbacks behave with many users.
//
// Boundary: a person runs it and reads it; no test depends on a time. It starts
// everything it needs on loopback, in a temporary folder, and stops it at the end.
// Only the processor time of the service's own processes is counted: the browsers,
// WeCom and Secrets Manager are played by this process, DynamoDB by dynoxide.
package main
