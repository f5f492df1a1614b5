// Package sessionauthorizer is the Lambda authorizer of other stacks' HTTP APIs: API Gateway
// asks it whether a member may use an application that is behind that API.
//
// Duty: allow a request with the cookie of the application, or with the session's where it
// is shared by a parent domain, by the rules of forward auth; hand over who it is as the
// authorizer's context. Deny everything else.
//
// Boundary: payload format 2.0 with simple responses ("Control access to HTTP APIs with AWS
// Lambda authorizers"). Which API may ask is the permission to invoke the function. Rules
// are package oauth's, cookies package session's; the sign-in is the function forwardauth's.
//
// Invariants:
//   - the application is the one in the stage variable wecomApplication, and only where the
//     host of its homepage is the domain that the gateway matched: nobody's API asks for the
//     members of another application;
//   - of what a visitor sends, cookies alone decide, and no header, path or query;
//   - an answer of yes has every value of the context, also the empty ones;
//   - a no is a no (403). What fails, or takes longer than two seconds, is an error (500),
//     which is refused, too: the gateway keeps a no for as long as the API says, and a page
//     would send the member to sign in for nothing;
//   - it writes nothing, and the log shows nothing of a cookie or a token.
package sessionauthorizer
