// Command screenshots makes the pictures of the README: `make screenshots`.
//
// Duty: start the local run (the program of `make run`) with an empty folder, sign in
// through its pages with Chromium as a newcomer would, and write what is seen to
// docs/images, once for every language.
//
// Boundary: it knows the pages by what a visitor sees or what their markup says they
// are, and nothing of the service's insides. A picture that cannot be made is an
// error: the README shows nothing that the code does not do.
package main
