// Package apigw converts API Gateway HTTP API events to net/http and back, and is the one
// place that maps an error to an HTTP answer.
//
// Duty: New makes a Lambda function of a handler. It builds the request (path, query,
// cookies, body, request id, public URL, what the authorizer says), bounds the body,
// recovers from panics, adds the headers of every answer, and writes one log event per
// request, with its metrics in it (package metrics). Router finds the handler by path
// and method. JSON answers errors as problem+json (RFC 9457), Browser with a redirect
// to the page that explains them. Caller is who uses /api/admin. WorkLog writes the log of
// the functions that no HTTP API invokes, in the same form.
//
// Boundary: no rule of signing in and no AWS service. The format is payload 2.0,
// described in "Working with AWS Lambda proxy integrations for HTTP APIs".
//
// Why not an existing adapter: the gateway passes a decoded path, and the adapters we
// tried parse it again as a URL, so that "/50%" is an error and "/a?b" loses its end;
// application links need both.
//
// Invariants: the cause of an error goes to the log and nowhere else; no path, query,
// cookie or body is logged; the Lambda function never returns an error, because the
// gateway would then answer in its own words.
package apigw
