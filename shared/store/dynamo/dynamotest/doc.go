// Package dynamotest starts DynamoDB for tests.
//
// Duty: a dynoxide process of the test's own, with both tables as the template
// declares them; or, when DYNAMODB_ENDPOINT is set, any other endpoint, a real
// table included (DIRECTORY_TABLE and TRANSIENT_TABLE name existing ones).
//
// Boundary: for tests only. A missing dynoxide skips the test with one line, and
// fails it when CI is set.
package dynamotest
