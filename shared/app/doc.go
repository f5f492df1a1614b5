// Package app is what functions are put together from.
//
// Duty: Deps, the same for a function in Lambda (package onaws fills them with
// DynamoDB and Secrets Manager) and for the local run (with files). Every function
// package has Settings, the names of what it reads, and NewHandler, which makes its
// handler of Deps; so the laptop and AWS cannot be put together differently.
// LogWeComCall is where the calls of package wecom meet the log events of package apigw.
//
// Boundary: no rule, no route.
package app
