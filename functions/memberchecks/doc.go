// Package memberchecks is the function that looks a member up in WeCom for the OpenID
// provider, before a refresh token gives anything (package members).
//
// Duty: check the member of one authenticator, and answer with the verdict.
//
// Boundary: only the functions that its template permits invoke it, directly and waiting for
// the answer (package invoke). Apart from the provider, so that the provider reads neither
// the secrets of apps nor changes users. What a verdict means for a grant is the provider's
// business, which reads the member's state again.
//
// Invariants: a request names records and asks for nothing but a check, so that it can only
// end what WeCom says has ended; a check that fails answers with an error, and no access
// ends by it.
package memberchecks
