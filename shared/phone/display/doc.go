// Package display writes telephone numbers for people to read.
//
// Duty: Number, from E.164 to the spelling of the number's own country: without the
// country code for readers at home there ("138 0013 8000"), with it for all others
// ("+86 138 0013 8000").
//
// Boundary: what it writes is for eyes. Package phone reads numbers and is the only
// one that decides what is a number; a number of a plan that is not here stays in
// E.164, which everybody can dial. The library with the plans of all countries
// (github.com/nyaruka/phonenumbers 1.8.1, measured on 2026-11-21) adds 2.3 MB to the
// 3.6 MB of the function's zip, and to each of its starts some 5 ms and 2.5 MB of
// memory, whether a number is shown or not. The few plans here cost nothing, and the
// tests hold spellings that the library gives.
//
// Invariant: no digit is lost, added or moved, except for the country code and the
// 0 that some countries put in its place.
package display
