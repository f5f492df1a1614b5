// Package awsstack is an AWS account on this machine with template.yaml deployed in it,
// for every test that needs a deployed stack.
//
// Duty: Start gives an empty account at an address of loopback: ministack, with a
// launcher that closes the gaps which a deployment of template.yaml falls into.
// Deploy packages template.yaml, the stacks that it nests and the built programs, lets
// CloudFormation make a stack of them and gives it an address with TLS. What the
// template comes to is asked of the account: Resources, Outputs, Secret, Logs, and
// Permissions for package permissions. Calls is what each role was asked for.
//
// Boundary: infra/tools/ministack-requirements.txt pins ministack. The launcher,
// ministack_aws.py, refuses another version and edits no file of it; each of its patches
// restores a behaviour of AWS that a test relies on. The rules of DynamoDB are judged
// elsewhere, on dynoxide.
//
// Invariants: the account listens on loopback, at a port that it has before it starts.
// Account, functions and files end with Close, with the context, and with the process
// that started it, even when that is killed.
//
// Times, on two cores: an account takes 0.5 s to start, its first stack 0.8 s and each
// further one, or an update, 0.4 s; uploading the programs takes 0.2 s and building them,
// once for an account, 3 s. So every test deploys what it needs, and the account is the
// only thing that evaluates the template.
//
// Where this falls short of AWS, and what shows it instead:
//
//	throttles of routes              are not applied; infra/templatetest checks that each route has them
//	HTTP integrations                keep the path and lose headers; package permissions opens an API's sign-in at the service
//	domain of an API                 is always AWS's own; functions/sessionauthorizer tests others by full events
//	access log of the API            is not written; infra/templatetest checks its fields
//	OPTIONS                          is answered by the emulator; infra/local leads it to its route
//	metrics                          are not measured, and no alarm goes off; the rehearsal compares an alarm with what a function prints
//	CodeDeploy's shifting            is not done: an alias takes the new version at once
//	calls of the group's bot         are not made; package permissions reads the role for them
//	certificate and domain           are not waited for in a first deployment; make doctor looks from outside
//	network of functions             is records only: calls go out as before, and it can be deleted with functions in it, which the rehearsal looks for
//	Lambda's network interfaces      are not there, nor are the rights that they take; package permissions reads the roles
//	settings of a table              such as time to live and backups are not kept; infra/templatetest reads them
//	rules of expressions             are laxer than DynamoDB's; the store's tests run on dynoxide
//	leading keys                     are those of the attribute pk; of a transaction, the keys of all items that need one permission together
//	permission to invoke a function  is looked up by service; package permissions reads what it acts for
//	generated secrets                may have punctuation
//	memory, /tmp and sandbox         of a function are this machine's; the benchmarks measure sizes and starts
//	permission to write logs         is not asked for; package permissions reads the roles
//	permissions of who deploys       are root's
//	a role that Lambda cannot assume is taken; package permissions reads who may assume each
//	quotas                           are not counted
//	cleanup after an update          is at once, of a nested stack during it; a kept table that is made again has its old name and no rows
//	a stack in ROLLBACK_COMPLETE     takes an update, which AWS refuses; docs/operations.md says what to do there
package awsstack
