// Package metricstest reads log lines by the rules of CloudWatch's embedded metric format,
// for tests.
//
// Duty: Read returns the values that CloudWatch would extract from a line, and fails for a
// line that CloudWatch would drop.
package metricstest
