// Package issuer is the function that tells applications what the issuer can do and how to
// verify its tokens.
//
// Duty: GET /.well-known/openid-configuration and /.well-known/oauth-authorization-server,
// the issuer's metadata, one document for both, and GET /.well-known/jwks.json, the public
// keys as the directory has them. Anybody may cache them for five minutes, and pages of
// every origin may read them; a key is published days before it signs. The keys carry
// their date (Last-Modified), the metadata the service's version.
//
// Boundary: it reads no private key and signs nothing. The endpoints that the metadata
// names are the function openid's.
//
// Invariants:
//   - the issuer is the public URL, never a header of the request;
//   - the metadata says what is true: strict clients break on what is promised and missing.
package issuer
