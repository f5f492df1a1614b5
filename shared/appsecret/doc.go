// Package appsecret is the form of the one secret of an authenticator: the app's secret at
// WeCom, and the token and key of its receiver of events.
//
// Duty: to write the parts as one value and to read them back.
//
// Boundary: package secret stores it, as a value like any other; package receiver knows
// what token and key are for.
//
// Invariants: one secret holds all, so that changing one part keeps the others and a record
// that refers to a version refers to all of them; an app's secret from before there was a
// form is read as it is; no error shows a part.
package appsecret
