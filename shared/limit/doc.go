// Package limit bounds how often this process does what anybody can cause, such as a write.
//
// Boundary: it knows neither what is done nor who caused it; its callers choose the keys,
// and with them what counts as the same. Other processes have limits of their own.
package limit
