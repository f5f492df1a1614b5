// Package metrics says which numbers a deployment is watched by, and writes them
// into log lines in CloudWatch's embedded metric format.
//
// Duty: a constructor for each metric, and Attributes, which turns measurements into
// members of a log record: CloudWatch takes them out of the line by itself, so that
// a metric costs no call, no right and no second line, and the line stays what an
// operator searches.
//
// Boundary: it decides nothing about when something is measured, and writes no line.
// The format is "Specification: Embedded metric format" in the CloudWatch user guide.
// In Lambda a line of JSON on standard output is taken as it is, and is a metric
// unless the function's log level is above INFO.
//
// Invariants: Attributes must be at the root of the line, never in a group; a metric
// is named once in a line; the values of a dimension are few and fixed, because
// CloudWatch bills each combination as a metric of its own: nothing that a visitor
// chose is ever one.
package metrics
