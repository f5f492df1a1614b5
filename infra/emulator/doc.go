// Package emulator is AWS on this machine: ministack, with a launcher that closes the
// gaps that a deployment of template.yaml falls into.
//
// Duty: Start, which gives an empty account at an address of loopback. CloudFormation
// with SAM, S3, IAM, Lambda (the built programs as processes), API Gateway, DynamoDB,
// Secrets Manager with its rotation, CloudWatch and its logs, SNS and EC2's networks
// are there, as far as template.yaml uses them. A resource type that is unknown fails
// the stack before anything is made.
//
// Boundary: infra/tools/ministack-requirements.txt pins ministack. The launcher,
// ministack_aws.py, refuses another version and edits no file of it; each of its
// patches says which behaviour of AWS it restores. The rules of DynamoDB are judged
// elsewhere, on dynoxide.
//
// Where this falls short of AWS, and what shows it instead:
//
//	throttles of routes              are not applied; make validate checks that each route has them
//	access log of the API            is not written; make validate checks its fields
//	metrics of AWS itself            (AWS/Lambda, AWS/ApiGateway, AWS/DynamoDB) are not measured; alarms on them are proven by nothing here
//	alarms                           of one metric go off, looking at its name alone; on expressions they are kept and checked for unknown names
//	CodeDeploy's shifting            is not done: an alias takes the new version at once; roles and alarms must exist
//	waiting of a first deployment    for certificate and domain is not done; the guide's own checks (make doctor) look from outside
//	network of functions             is records only: a function with VpcConfig calls as before
//	time to live of items            is swept once a minute; the code compares times itself, which the store's tests show
//	rules of expressions             are laxer than DynamoDB's; the store's tests run on dynoxide
//	memory, /tmp and sandbox         of a function are this machine's; sizes and starts are measured by make bench
//	permission to write logs         is not asked for; infra/permissions reads the roles
//	permissions of who deploys       are root's
//	a role that Lambda cannot assume is taken; infra/permissions reads who may assume each
//	DynamoDB's and Lambda's quotas   are not counted
package emulator
