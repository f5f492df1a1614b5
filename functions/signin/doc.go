// Package signin is the function that serves browsers and applications around a
// sign-in: the sign-in page, the session, the token, sign-out, domain files and
// application links.
//
// Read handler.go first: it lists the routes. api.go answers applications, cors.go
// decides which origins may read those answers, signinpage.go answers people,
// firstsignin.go answers browsers that wait for a first sign-in, links.go redirects
// application links, redirectloop.go ends their loops, files.go serves fixed content.
//
// Boundary: it spends no code, and starts no session but that of a browser that has proven
// its member before. Package authflow says who is signed in.
//
// Invariants:
//   - a redirect leads to the public URL or to the origin of an enabled
//     authenticator, whatever the path or the query holds;
//   - only pages of the service itself and of the origins of enabled authenticators
//     may read answers or change anything;
//   - neither a page nor a list shows a secret or the id of a corp;
//   - a path of the service never becomes an application link, and no link leads to
//     itself.
package signin
