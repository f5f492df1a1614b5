// Package phone brings telephone numbers into one form.
//
// Duty: Normalize, from any spelling that WeCom, an administrator or a CSV file
// uses to E.164 ("+8613800000000").
//
// Package display, below, writes numbers for people to read.
//
// Boundary: it knows the form of numbers, not who has them, and not which numbers
// a foreign country has given out. The usual library with the tables of all
// countries costs milliseconds at each start and megabytes in each function, to
// know more than the service needs: WeCom has checked the number already.
//
// Invariants: a result is "+", a digit that is not 0, and 6 to 14 more digits;
// normalizing a result gives the result. A number under +86 is a mobile one.
package phone
