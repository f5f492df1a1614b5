// Package secretsmanagertest starts ministack, an emulator of AWS, for the tests of
// what talks to Secrets Manager.
//
// Boundary: infra/tools/ministack-requirements.txt pins the emulator. Where it falls
// short of AWS is written in one place, Gaps.
package secretsmanagertest
