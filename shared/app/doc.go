// Package app has the dependencies of the functions.
//
// Duty: Deps, which package lambdamain fills with DynamoDB and Secrets Manager in Lambda,
// and package local with files on a laptop. Every function package has Settings, the
// settings that it reads, and NewHandler, which makes its handler of Deps, so that the
// same code wires it in both places. LogWeComCall adds calls of package wecom to the log
// events of package apigw.
//
// Boundary: no rule and no route.
package app
