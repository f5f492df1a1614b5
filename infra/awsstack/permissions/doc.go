// Package permissions proves that every function's role allows what the function does
// and nothing else.
//
// Duty: Deployed.Read reads the roles of a deployed stack and refuses what is not
// exact; Compare, which only the tests here need, says what a role does not allow of the calls that its function made,
// and what it allows that was never asked for. The tests deploy template.yaml and drive
// its functions through every call they make.
//
// Boundary: the part of IAM that the template uses: actions and resources of identity
// policies, and leading keys. It asks nobody: package awsstack reads the roles and the
// calls from the account.
//
// Invariants: what is not understood is an error, never a permission. A leading key,
// an authenticator's secret and a resource count as used only in the exact spelling
// of the kind that the store's layout gives them (user#* is not user*), so that a
// wider pattern is found although every call fits it.
//
// Source: "Actions, resources, and condition keys" for DynamoDB, Secrets Manager,
// CloudWatch Logs and EC2 in the service authorization reference; "Using IAM policy
// conditions for fine-grained access control" in the DynamoDB developer guide.
package permissions
