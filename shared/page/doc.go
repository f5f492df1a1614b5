// Package page renders the sign-in page, and the page of a path that does not exist.
//
// Duty: templates, the choice of texts (from package text), the service's mark or a
// company's logo, the QR code, and the Content-Security-Policy that lets nothing else
// run.
//
// Read signin.go first: it decides what the page shows to whom, and in which order.
//
// Boundary: the caller says what to show. The package reads neither a store nor a
// request, and checks no address: the caller builds them. Only functions that answer
// people link this package, because templates cost a Lambda function more than half of
// its start.
//
// Invariants:
//   - the page never shows text from a link as it is: an unknown error code becomes a
//     known one, an unlikely request id is left out;
//   - the page loads nothing from another host, except for a company's logo, if one is
//     set, and WeCom's login panel, and works without its scripts;
//   - whatever happened, a button offers the next step;
//   - the tests fail for a text that is missing or unused.
package page
