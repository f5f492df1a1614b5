// Package demo is an application that lets its people sign in with WeCom Sign-in.
//
// Duty: show on a laptop what an application does: greet by name (the session, asked
// by the page across origins), send people to sign in and out, and check a token in
// its backend with nothing but the service's public keys.
//
// Boundary: it uses the service as anybody's application would, over HTTP, and an
// OpenID Connect library of others for the token; it imports nothing of the service.
//
// Invariant: its pages load nothing from anywhere but itself and the service.
package demo
