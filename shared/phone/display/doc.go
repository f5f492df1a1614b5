// Package display formats telephone numbers for people.
//
// Duty: Number, from E.164 to the spelling of the number's country: without the country
// code for readers there ("138 0013 8000"), with it for all others
// ("+86 138 0013 8000").
//
// Boundary: its results are for reading. Only package phone parses numbers and decides
// what is one; a number of a plan that is not here stays in E.164, which everybody can
// dial. The library with the plans of all countries (github.com/nyaruka/phonenumbers
// 1.8.1, measured on 2026-11-21) adds 2.3 MB to the 3.6 MB of the function's zip, and to
// each start some 5 ms and 2.5 MB of memory, whether a number is shown or not. The few
// plans here cost nothing, and the tests contain spellings of that library.
//
// Invariant: no digit is lost, added or moved, except for the country code and the 0 that
// some countries write instead.
package display
