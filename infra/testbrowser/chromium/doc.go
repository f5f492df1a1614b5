// Package chromium opens pages in Chromium for tests.
//
// Duty: one browser for all tests of a process, in which every window has cookies of
// its own; windows of a device's size, language and user agent; what a page complains
// of; whether axe-core finds it accessible; a picture of what a failed step showed.
//
// Boundary: it knows no page of ours. Requests without a screen are package
// testbrowser's.
//
// Invariants: a step ends with a condition, never after a pause. A page that throws,
// writes to the console, breaks its policy, asks an address that is not this machine's
// or is wider than its window fails the test.
package chromium
