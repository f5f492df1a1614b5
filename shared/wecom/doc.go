// Package wecom talks to WeCom (企业微信): its links, its calls, its errors.
//
// Duty: build the two addresses that send a browser to WeCom (Links), make the
// calls that a sign-in and the administrator's check need (Client), and say in
// types what went wrong (Error when WeCom answered with a number,
// UnavailableError when it gave no usable answer).
//
// Boundary: it knows no user, no session and no store, and keeps no access token;
// package accesstoken does. It judges no visitor: whether an openid, or a userid
// with a slash, may sign in is a rule of package authflow.
//
// Invariants:
//   - WeCom takes secrets, tokens and codes in the query only, so no error of this
//     package holds an address, a query or any text of a body; AccessToken prints
//     as "[redacted]";
//   - a redirect is a failure and is never followed: the next host would be shown
//     the query;
//   - an answer is a success when errcode is absent or 0, whatever fields it has;
//   - keys of answers are matched exactly, unlike encoding/json does by itself:
//     "UserId" belongs to another, older call and is not "userid";
//   - a code is sent once. Neither this package nor the transport below it sends
//     getuserinfo again after a failure of the connection: a lost answer counts as
//     a spent code. Sent again are only the answers -1 and 45033, which say that
//     nothing was done.
//
// Where a comment says "path N", it means
// https://developer.work.weixin.qq.com/document/path/N.
package wecom
