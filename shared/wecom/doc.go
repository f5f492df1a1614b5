// Package wecom speaks to WeCom (企业微信): it builds the addresses a browser is sent
// to and makes the API calls of a sign-in.
//
// Duty: two links (in-client authorization, path 91022 of WeCom's documentation;
// web login, 98152) and five calls (gettoken 91039, auth/getuserinfo 91023,
// auth/getuserdetail 95833, user/get 90196, get_api_domain_ip 92520).
//
// Boundary: it keeps nothing. How long an access token is used and who fetches the
// next one is package accesstoken's; what an answer means for a visitor is package
// signin's.
//
// Invariants: WeCom takes secrets, tokens and codes in the query string, so no error
// of this package holds an address, a query or a text of WeCom's; redirects are
// never followed, because they would carry the query along; success is an absent or
// zero errcode, never a field that is there; every call is bounded in time and size.
package wecom
