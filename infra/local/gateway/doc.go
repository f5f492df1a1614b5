// Package gateway is an API Gateway HTTP API on a laptop, driven by the template
// that is deployed.
//
// Duty: with routes, authorizers, time limits and the names of variables from
// template.yaml (package samtemplate), Gateway chooses the route as the HTTP API does,
// builds the event (payload format 2.0), asks the Lambda authorizer, calls the function
// in this process and writes its answer.
//
// Boundary: only what the template uses. What it cannot do (CORS by the gateway,
// JWT authorizers, named stages, payload 1.0) package samtemplate refuses when it reads
// the template, so that a local run never passes where a deployment would not.
//
// Invariants: a function sees an event as AWS makes it, however it was called; a
// function runs to its end or its time limit even when the browser hangs up, as
// in Lambda; a function that panics, errs or answers nonsense is 500 and never
// shows why; a route with an authorizer is never reached without a yes.
//
// Source: "Create routes for HTTP APIs", "AWS Lambda proxy integrations for HTTP
// APIs", "Control access with Lambda authorizers" and "Quotas for HTTP APIs" in
// the API Gateway developer guide.
package gateway
