// Package secretsmanager is the engine of secret.Store over AWS Secrets Manager.
//
// Duty: each secret is a secret in AWS, a version is its VersionId (which Create and Put
// choose through ClientRequestToken), and the newest has the label AWSCURRENT. Get also
// accepts an ARN as a name, because templates return those.
//
// Boundary: the function rotatekeys does rotation.
//
// Invariants: Delete leaves no recovery window, because the name must be free for the next
// owner; Create waits, for a bounded time, for a name that AWS still blocks after a
// deletion.
//
// AWS has no label for a version that is two or more Puts old. It removes such versions
// only beyond a hundred and when they are older than a day, so a reference may be a few
// Puts behind, but not for ever.
package secretsmanager
