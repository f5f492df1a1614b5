// Package metricstest judges log lines by the rules of CloudWatch's embedded metric
// format, for tests.
//
// Duty: Read takes a line apart into the values that CloudWatch would keep, and fails
// for a line that CloudWatch would drop.
package metricstest
