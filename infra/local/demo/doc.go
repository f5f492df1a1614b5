// Package demo is an application that lets its people sign in with WeCom Sign-in.
//
// Duty: show on a laptop what an application does, in three ways: greet by name with the
// session's cookie, which its page asks about across origins, and check a token in its
// backend; sign in by OpenID Connect as a confidential client with stock libraries, refresh,
// and sign out both ways (New); and the same in a page without a backend (NewPage).
//
// Boundary: it uses the service as anybody's application would, over HTTP, and an
// OpenID Connect library of others for the token; it imports nothing of the service.
//
// Invariant: its pages load nothing from anywhere but itself and the service.
package demo
