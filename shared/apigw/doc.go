// Package apigw turns API Gateway HTTP API events into net/http and back, and is
// the one place where a fault becomes an HTTP answer.
//
// Duty: New makes a Lambda function of a handler. It completes the request (path,
// query, cookies, body, request id, public URL, the authorizer's word), bounds the
// body, recovers from panics, adds the headers every answer carries, and writes
// one log event per request, with its metrics in it (package metrics). JSON answers
// errors as problem+json (RFC 9457), Browser answers them with a redirect to the
// sign-in page.
//
// Boundary: no rule of signing in, no AWS service. The format is payload 2.0,
// described in "Working with AWS Lambda proxy integrations for HTTP APIs".
//
// Why not a ready adapter: the gateway hands over a decoded path, and the adapters
// we tried parse it again as a URL, so that "/50%" is an error and "/a?b" loses
// its end; application links need both.
//
// Invariants: the cause of a fault goes to the log and nowhere else; no path,
// query, cookie or body is logged; the Lambda function never returns an error,
// because the gateway would then answer in its own words.
package apigw
