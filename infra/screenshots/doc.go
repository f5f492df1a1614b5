// Command screenshots makes the pictures of README and guide: `make screenshots`.
//
// Duty: start the program of `make run` with an empty folder beside a simulated WeCom,
// set it up and use it with Chromium as an administrator and a newcomer would, and
// write what is seen to docs/images, once for each language of the READMEs. The pictures show the
// addresses of documentation (signin.example.com) and one day, whenever they are made.
//
// Boundary: it knows the pages by what a visitor sees or what their markup says they
// are, and nothing of the service's insides. A picture that cannot be made is an
// error: the pages show nothing that the code does not do. One answer is given in the
// service's place, because its address leads nowhere: see answerFileChecks.
package main
