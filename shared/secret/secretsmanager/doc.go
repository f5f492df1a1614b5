// Package secretsmanager is the engine of secret.Store over AWS Secrets Manager.
//
// Duty: one secret of the store is one secret of AWS, a version is AWS's VersionId
// (chosen by us through ClientRequestToken), and the newest is the one with the
// label AWSCURRENT. Get takes an ARN for a name too, because a template hands those out.
//
// Boundary: rotation is the function rotatekeys'. Against an emulator of AWS the engine
// is tested in infra/emulator.
//
// Invariants: a secret is deleted without a recovery window, because its name must
// be free again for the next owner; a name that AWS still holds back after a
// deletion is waited for, for a bounded time.
//
// A version that is two or more Puts old has no label in AWS any more. AWS removes
// such versions only beyond a hundred and when they are older than a day, so whoever
// refers to a version may be a few Puts behind, but not for ever.
package secretsmanager
