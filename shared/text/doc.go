// Package text holds what the service says to people, in every language it speaks, and
// decides which language a visitor reads.
//
// Duty: the catalogue (one embedded file for each language and area), the choice of a
// language by query, cookie and Accept-Language, and the cookie that remembers it.
//
// Boundary: words only. Pages are package page's and the console's; it reads nothing of
// a request but the language.
//
// Invariants: every language has every text of every area, with the same {places}; a
// missing one fails the tests. A visitor whose browser asks for a language we do not have
// reads English; a browser that asks for nothing gets Chinese, as WeCom's own do.
package text
