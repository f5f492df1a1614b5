// Package samtemplate reads what template.yaml says, for programs and tests that must
// agree with it: the local gateway, the benchmarks, the tests of the manual.
//
// Duty: ReadFile returns functions, routes with their throttles, parameters, outputs,
// and the resources and alarms of the template and of the templates nested in it.
//
// Boundary: what is written. It evaluates no intrinsic function, condition or rule;
// what a template comes to under given parameters is for CloudFormation to say, or for
// the emulated account. What the local gateway could not serve as AWS would is refused:
// CORS by the gateway, JWT authorizers, named stages, cached answers of an authorizer,
// payload 1.0.
//
// Invariants: a route leads to a function that is there, once; a function's variables
// are its own and those of the Globals, as SAM merges them.
//
// Source: "AWS SAM resources and properties" and "Globals section" in the SAM developer
// guide.
package samtemplate
