// Command samlocal runs the functions of template.yaml under the SAM command line,
// on this machine, against emulators that it starts and fills.
//
//	make emulators                      AWS and WeCom, until Ctrl-C
//	make invoke FUNCTION=authorize      one function, with infra/events/authorize.json
//	make invoke FUNCTION=signin EVENT=session
//	make api                            the whole service at http://localhost:3000
//
// While `make emulators` runs in another terminal, SAM's own commands work too,
// because samconfig.toml names what it wrote:
//
//	sam local invoke AuthorizeFunction -e infra/events/authorize.json
//	sam local start-api
//
// Duty: DynamoDB (dynoxide), Secrets Manager (package emulator) and WeCom (package
// wecomsim), with the tables and secrets that the template declares and a few demo
// records; the functions, built by `sam build` for this machine into
// .aws-sam/local; the variables that they need there; calling them.
//
// The template says nothing of emulators, and `sam local` hands a container only
// the variables that the template declares. So the built copy of the template gets
// them: where DynamoDB and Secrets Manager are, which certificate to trust, and
// credentials that open nothing. The template that is deployed stays as it is.
//
// Containers run in Docker, so `make api` needs a Docker engine. Without one `make
// invoke` says so and sends the event through the runtime interface emulator that
// comes with the SAM command line.
//
// Boundary: what a function answers is tested beside it; this is about SAM's tools.
// For work on the service `make run` is simpler and closer to AWS.
//
// Invariants: the emulators listen on loopback; containers reach them through doors
// on the address of Docker's own bridge, never on all addresses. WeCom's API is
// served by TLS with a certificate whose key stays in memory, because the service
// accepts no plain http there. No credential of the caller's shell reaches a
// function. After Ctrl-C nothing is left but files below .aws-sam; the programs that
// it starts end with it even when it is killed. Two commands at once do not build into
// one folder: the second is refused.
//
// # What sam local does otherwise than AWS
//
// Seen with aws-sam-cli 1.170.0:
//
//   - Header names arrive as the client wrote them, not in lower case, and cookies
//     in the headers as well as in the list of cookies. The functions take both.
//   - The route key of an ANY route has the method of the request: "GET
//     /api/admin/{proxy+}".
//   - Request id, time, User-Agent and domain name in requestContext are constants,
//     so every record of the log has the same request id. The User-Agent header is
//     the caller's.
//   - HEAD on a route with a method is 502 and a traceback in SAM's log; on $default
//     it is answered.
//   - A body that is no UTF-8 is 502 before the function is asked.
//   - Who the authorizer refuses reads "User is not authorized to access this
//     resource", not "Forbidden"; the status is 403 in both.
//   - SAM's own log shows paths and queries, codes of the simulated WeCom included.
//     The functions' records do not.
//   - There is no throttling, no limit on headers, no CloudWatch. Functions may do
//     anything: roles are tested elsewhere (infra/permissions).
//   - A function has one container; calls of it wait for each other.
//   - A function that reaches its time limit or panics leaves exit status 0; `make
//     invoke` looks at the answer and exits with 1.
//
// The check of a domain file fails: it fetches PUBLIC_URL, which inside a container is
// the container itself.
package main
