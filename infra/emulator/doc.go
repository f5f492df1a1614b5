// Package emulator is AWS on this machine: ministack, with a launcher that closes the
// gaps that a deployment of template.yaml falls into.
//
// Duty: Start, which gives an empty account at an address of loopback. CloudFormation
// with SAM, S3, IAM, Lambda (the built programs as processes), API Gateway, DynamoDB,
// Secrets Manager with its rotation, CloudWatch and its logs, SNS and EC2's networks
// are there, as far as template.yaml uses them. A resource type that is unknown fails
// the stack before anything is made. An alias runs the code and the configuration of
// the version that it points to; its role's rights are those of the moment.
//
// Boundary: infra/tools/ministack-requirements.txt pins ministack. The launcher,
// ministack_aws.py, refuses another version and edits no file of it; each of its
// patches says which behaviour of AWS it restores. The rules of DynamoDB are judged
// elsewhere, on dynoxide.
//
// Invariants: it listens on loopback, at a port that is its own before it starts.
// Emulator, functions and files end with Close, with the context, and with the process
// that started it, even when that is killed.
//
// Where this falls short of AWS, and what shows it instead:
//
//	throttles of routes              are not applied; make validate checks that each route has them
//	access log of the API            is not written; make validate checks its fields
//	metrics of AWS itself            (AWS/Lambda, AWS/ApiGateway, AWS/DynamoDB) are not measured; alarms on them are proven by nothing here
//	alarms                           of one metric go off, looking at its name alone; on expressions they are kept and checked for unknown names
//	CodeDeploy's shifting            is not done: an alias takes the new version at once; roles and alarms must exist
//	waiting of a first deployment    for certificate and domain is not done; the guide's own checks (make doctor) look from outside
//	network of functions             is records only: it cannot be deleted while a function or a version is in it, but calls go out as before
//	Lambda's network interfaces      are not there, nor is the time that they stay, nor the rights that they take; infra/permissions reads the roles
//	time to live of items            is swept once a minute; the code compares times itself, which the store's tests show
//	rules of expressions             are laxer than DynamoDB's; the store's tests run on dynoxide
//	memory, /tmp and sandbox         of a function are this machine's; sizes and starts are measured by make bench
//	permission to write logs         is not asked for; infra/permissions reads the roles
//	permissions of who deploys       are root's
//	a role that Lambda cannot assume is taken; infra/permissions reads who may assume each
//	DynamoDB's and Lambda's quotas   are not counted
//	a stack in ROLLBACK_COMPLETE     takes an update, which AWS refuses; docs/operations.md says what to do there
package emulator
