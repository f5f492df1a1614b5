// Package issuer is the function that tells applications how to verify the
// service's tokens.
//
// Duty: GET /.well-known/openid-configuration, the issuer's metadata, and
// GET /.well-known/jwks.json, the public keys as the directory has them. Anybody may
// cache both for five minutes; a key is published days before it signs. The keys carry
// their date (Last-Modified), the metadata the service's version.
//
// Boundary: it reads no private key and signs nothing. The metadata leaves out the
// authorization endpoint, response types and grants, although OpenID Connect Discovery
// requires them of a provider: there is no such endpoint yet (/oauth2/ is reserved for
// it). Clients that verify tokens (API Gateway's JWT authorizer, go-oidc) need only the
// issuer and the address of the keys.
//
// Invariant: the issuer is the public URL, never a header of the request.
package issuer
