// Package phone converts telephone numbers to one form.
//
// Duty: Normalize, from any spelling that WeCom, an administrator or a CSV file uses to
// E.164 ("+8613800000000"). Package display, below, formats numbers for people.
//
// Boundary: it knows the form of numbers, not who has them nor which numbers a foreign
// country has assigned. The usual library, with the tables of all countries, costs
// milliseconds at each start and megabytes in each function, for more than the service
// needs: WeCom has checked the number already.
//
// Invariants: a result is "+", a digit that is not 0, and 6 to 14 more digits;
// normalizing a result returns it. A number under +86 is a mobile number.
package phone
