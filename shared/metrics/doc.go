// Package metrics defines the metrics of a deployment and writes them into log lines in
// CloudWatch's embedded metric format.
//
// Duty: a constructor for each metric, and Attributes, which turns measurements into
// members of a log record. CloudWatch extracts them from the line, so that a metric
// costs no call, no permission and no second line, and operators still search the line.
//
// Boundary: it neither decides when something is measured nor writes a line. The format
// is "Specification: Embedded metric format" in the CloudWatch user guide. In Lambda,
// CloudWatch reads a line of JSON on standard output unless the function's log level is
// above INFO.
//
// Invariants: Attributes must be at the root of the line, never in a group; a line names
// a metric once; a dimension has few and fixed values, none of them chosen by a caller,
// because CloudWatch bills each combination as a metric.
package metrics
