// Package ascii recognises text of visible ASCII characters.
//
// Duty: one answer to "was this copied whole and without stray characters?", for
// secrets, codes and names that never hold anything else.
package ascii
