// Package testbrowser is a web browser without a screen, for tests over HTTP.
//
// Duty: requests as a browser sends them (cookies, User-Agent, Accept-Language,
// Origin, Fetch Metadata), redirects as a browser follows them, and the person in
// front of it, who scans and consents on the pages of the simulated WeCom.
//
// Boundary: it runs no script, and it keeps cookies for one host only, the
// service's. What pages do is tested in Chromium (package chromium).
//
// Invariants: a request carries only cookies that a browser would have kept and not
// yet forgotten, by the injected clock. SameSite is not enforced: tests of foreign
// origins want the worst.
package testbrowser
