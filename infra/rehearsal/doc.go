// Package rehearsal deploys the service as an operator does, before an operator does.
//
// Duty: one stack's life with AWS's own tool and the account of infra/awsstack, with
// every permission enforced and the built programs as processes: build, deploy, first
// rotation, sign-ins, interrupted rotation, update while people sign in, update without a
// new build, update that fails, a permission that is missing, the way into a network and out
// of it, deletion, and a new stack on the old directory. With REHEARSAL_FROM, the first
// deployment is of another release, and there is a way back to it.
//
// Boundary: tests only. What the emulator cannot show is listed in infra/awsstack.
package rehearsal
