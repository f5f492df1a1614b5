// Package members looks WeCom members up again, so that those who have left lose access, and
// works out what WeCom's directory says of them: departments, tags and roles by rules.
//
// Duty: Checker asks WeCom for one member (user/get), keeps the answer with the identity, and
// ends what may not go on: sessions, grants and refresh tokens. It is called by the callback,
// by the function memberchecks for refresh tokens, and by the receiver of WeCom's events.
//
// Boundary: no HTTP and no AWS. The store, WeCom, access tokens and the applications to be told
// come in through interfaces declared here.
//
// Invariants:
//   - only what WeCom says about the member ends access: never an event, an outage, a refused
//     secret or a closed app;
//   - a gone identity stays with its user, and counts as unknown: who comes with its userid
//     shows a phone again, which must be that user's;
//   - an identity moves to another userid only by WeCom's own answers: the new one is there, the
//     old one is not, and the name is the one that it told last;
//   - the role admin is never given by a rule;
//   - what ends, ends for the corp or the authenticator that says so, and not for another one;
//   - whatever a look ends or gives has its line in the audit. What ends does not wait for it.
package members
