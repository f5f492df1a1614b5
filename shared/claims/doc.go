// Package claims has the one table of what an application is told of a member.
//
// Duty: the scopes and the claims that each gives; the claims parameter of an
// authorization request (OpenID Connect Core 1.0 §5.5); what an application's rules make
// of both. ID token, userinfo, introspection, access token, POST /api/token and the
// console's preview all take their claims from here.
//
// Boundary: it decides nothing about who may know: package oauth does, with the scopes of
// a grant. What a token says of itself (issuer, times, audience) is package keys'.
//
// Invariants:
//   - a claim whose value is not known is absent, never null or empty; only a session
//     token has all of its five, empty or not;
//   - an application's rules can take a claim away and never give one that no scope and
//     no request asked for;
//   - user names made of userids, and email addresses, are told only where one corp gives
//     them; the claim wecom_userid is a fact, which stands beside corp_id;
//   - no claim takes a name that tokens use for themselves (keys.IsReserved), whatever an
//     administrator calls the groups;
//   - groups and roles in a token are bounded in number and bytes, because API Gateway
//     takes 10 kB of headers; groups_truncated then says that there are more.
package claims
