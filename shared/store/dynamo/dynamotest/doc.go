// Package dynamotest starts DynamoDB for tests.
//
// Duty: a dynoxide process for each test, with both tables as the template declares them;
// or, if DYNAMODB_ENDPOINT is set, any other endpoint, with real tables if DIRECTORY_TABLE
// and TRANSIENT_TABLE name them.
//
// Boundary: for tests only. Without dynoxide the test is skipped, or fails if CI is set.
package dynamotest
