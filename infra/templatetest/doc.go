// Package templatetest holds what template.yaml and the templates nested in it must
// keep, as tests: `make validate`.
//
// Duty: every file of parameters is translated as CloudFormation would and judged by
// cfn-lint, for a region of each partition; rules.guard says what protects data,
// secrets and access, for cfn-guard; each function is given the variables that it reads,
// each route leads where it is answered and has a throttle. A table of mistakes shows
// that each is found, with the words for it.
//
// Boundary: it needs no account and evaluates no template. Rules that refuse parameters,
// and what outputs come to, are tried in an emulated account (package rehearsal); what a
// role allows is compared with what its function does.
//
// A rule of our own is worth its line when a mistake would cost data, a secret or access
// and nothing else would show it before a deployment.
package templatetest
