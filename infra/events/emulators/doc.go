// Command emulators starts what the functions need under SAM's own commands on this
// machine, and fills it with the demo records that the events refer to:
//
//	make emulators
//	sam local invoke AuthorizeFunction -e infra/events/authorize.json -n infra/events/env.json
//
// Duty: DynamoDB (dynoxide), Secrets Manager (ministack), the WeCom simulator and the
// demo application, at the addresses of the file that `sam local -n` reads.
//
// Boundary: building and running functions is SAM's. docs/sam-local.md is the manual.
//
// Invariants: browsers reach WeCom and the application on loopback only. Containers
// reach two ports at the address of Docker's bridge: the calls of the two AWS services
// that the functions make, and WeCom's server API, without its pages. The emulator of
// AWS runs Secrets Manager alone, because a caller of its other services could run
// programs. All data is in memory and ends with the process.
package main
