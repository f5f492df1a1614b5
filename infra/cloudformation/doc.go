// Package cloudformation reads a CloudFormation or SAM template and works out what
// it says under given parameters.
//
// Duty: Read makes a template of YAML and refuses what refers to nothing; Evaluate
// applies parameters, rules, conditions and functions, and returns the resources and
// outputs that would be made.
//
// Boundary: what templates of this project use. It changes nothing as SAM would
// (no route, role or permission is added), except that the Globals of a SAM template
// are merged into its functions and APIs. What a resource's properties mean is the
// reader's affair.
//
// Invariants: an unknown function, tag, condition, parameter or resource is an error
// that names its place; a reference to a resource that would not be made is one,
// too. All refused Rules are told together, and the same template with the same values
// gives the same error. Nothing is guessed: an attribute without a sample is an error.
//
// Source: "Intrinsic function reference", "Template sections" and "Parameters" in the
// CloudFormation user guide; "Globals section" in the SAM developer guide.
package cloudformation
