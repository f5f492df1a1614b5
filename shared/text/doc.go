// Package text has the texts of the service in every language, and chooses the language
// of a request.
//
// Duty: the catalogue (one embedded file per language and area), the choice of a language
// by what the member picks, what the application asks for and what the browser does
// (LanguageOf has the rule), and the cookie that remembers a choice.
//
// Boundary: texts only; package page and the console make pages of them. Of a request it
// reads nothing but the language.
//
// Invariants: every language has every text of every area, with the same {places}; a
// missing one fails the tests. A browser that asks for other languages only gets English;
// one that asks for none gets Chinese, because WeCom's own browsers ask for none.
package text
