// Command release checks what is released:
//
//	make reproducible    the same source gives the same bytes
//	make sbom            what the programs are made of, in .build/sbom.json
//
// Duty: reproducible builds every function twice and compares. The second build is in
// another folder with a path of another length, in another time zone, and with an
// empty build cache, so that nothing of the first can be in it. That shows that
// neither place nor time nor a cache is in the programs; another machine or another
// version of Go is not tried. sbom lists every module in the programs, with hashes,
// dependencies and licences, in CycloneDX 1.6, and refuses a list that is incomplete
// or has a licence that nobody has agreed to.
//
// Boundary: it uploads and signs nothing. It works on copies and writes only into
// .build and temporary folders.
//
// Invariants: what is checked is built by `make build`; the list has neither time nor
// random number, so the same source gives the same list.
package main
