// Package page is what people see of the sign-in: the sign-in page and a page for
// what is not there.
//
// Duty: templates, the texts of every language, the drawn mark, the QR code, and
// the Content-Security-Policy that lets nothing else run.
//
// Boundary: it is told what to show. It reads no store and no request, apart from
// the languages a browser asks for (Choose), and checks no target: addresses come
// from the caller, who built them. Only a function that answers
// people links this package; templates cost a Lambda function more than half of
// its start.
//
// Invariants:
//   - nothing that a stranger can write into a link is shown as it is: an unknown
//     error code becomes a known one, an unlikely request id is left out;
//   - no other host is asked for anything, and the page works without its script;
//   - every language has every text: a missing or an unused one fails the tests.
//
// The languages: a visitor whose browser asks for none of ours reads English; a
// browser that asks for nothing gets Chinese, because that is how WeCom's speak.
package page
