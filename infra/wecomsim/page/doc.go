// Package page holds what the simulator's pages have in common: layout and
// style, how people are shown, avatars, QR codes, and the guard in front of
// every page.
//
// Boundary: it knows nothing of WeCom's rules. Package wecomsim and its console
// bring the content.
//
// Invariants: a page loads nothing from another host, another site cannot post
// to it, and it names itself in the data-page attribute of its body, so that a
// test recognizes it without reading its text.
package page
