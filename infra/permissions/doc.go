// Package permissions proves that every function's role allows what the function does
// and nothing else.
//
// Duty: ReadRole reads a role of the template and refuses what is not exact;
// Recorder stands between a function and AWS and writes down what it asks for;
// Compare says what of that the role does not allow, and what the role allows that
// was never asked for. Roles has the rules that need no recording. The tests drive
// the built functions through every call they make, and keep the result in
// testdata/calls.txt (go test ./infra/permissions -update writes it).
//
// Boundary: the part of IAM that the template uses: actions and resources of
// identity policies, and leading keys. No permission boundary, no policy of a
// resource.
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
