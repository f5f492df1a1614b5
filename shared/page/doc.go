// Package page is what people see of the sign-in: the sign-in page and a page for
// what is not there. It keeps the texts of all of the service's pages as well.
//
// Duty: templates, the catalogue of texts in every language and which of them a
// visitor gets, the drawn mark or a company's logo, the QR code, and the
// Content-Security-Policy that lets nothing else run.
//
// Read signin.go first: it decides what is on the page for whom, and in which order.
//
// Boundary: it is told what to show. It reads no store, of a request nothing but the
// language (LanguageOf), and checks no target: addresses come from the caller, who
// built them. Only a function that answers people links this package; templates cost
// a Lambda function more than half of its start.
//
// Invariants:
//   - nothing that a stranger can write into a link is shown as it is: an unknown
//     error code becomes a known one, an unlikely request id is left out;
//   - no host is asked for anything but a company's logo, where one is set, and the
//     page works without its script;
//   - whatever happened, a button leads on;
//   - every language has every text: a missing or an unused one fails the tests.
//
// The languages: a visitor whose browser asks for none of ours reads English; a
// browser that asks for nothing gets Chinese, because that is how WeCom's speak.
package page
