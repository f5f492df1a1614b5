// Package signin is the function people and applications meet when they do not
// come from WeCom: the sign-in page, the session, the token, sign-out, domain files
// and application links.
//
// Read handler.go first: it is the list of addresses. api.go answers applications,
// cors.go decides whose pages may read those answers, signinpage.go answers people,
// links.go sends application links on their way, files.go serves what is fixed.
//
// Boundary: it starts no session and spends no code; who is signed in, shared/signin
// says. It decides about addresses itself instead of using an http.ServeMux, which
// would answer unclean paths with a redirect of its own making.
//
// Invariants:
//   - a redirect leads to the public URL or to the origin of an enabled
//     authenticator, whatever the path or the query holds;
//   - only the service itself and the origins of enabled authenticators may read
//     answers from their pages, or change anything;
//   - what a visitor sees or a list tells holds no secret and no id of a corp;
//   - no address of ours becomes an application link, and no link leads to itself.
package signin
