// Command validate checks the template as an operator's account would, without an
// account:
//
//	make validate
//	go run ./infra/validate [-template template.yaml]
//
// Duty: three steps, each with a line and its faults in plain words: our own rules;
// `sam validate --lint`; the SAM translation for one region of each partition, with
// cfn-lint on its result and on the nested templates. Each sees mistakes that the
// others let pass: cfn-lint alone does not follow what SAM makes of a template, SAM
// alone does not know which values CloudFormation takes, and neither knows what this
// service promises.
//
// Boundary: it changes nothing, needs no credentials and calls nobody. What a role
// allows is compared with what its function does by package permissions.
//
// Invariants: a check that cannot be made is a fault; a fault names the resource; a
// rule holds for every branch of a condition: either it reads the text of all, or the
// template is worked out for choices that take each. What the rules do not know (a type
// of resource, a property of a function) is refused.
package main
