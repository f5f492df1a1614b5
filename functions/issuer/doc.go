// Package issuer is the function that tells applications how to verify the
// service's tokens.
//
// Duty: GET /.well-known/openid-configuration, the issuer's metadata, and
// GET /.well-known/jwks.json, the public keys as the directory has them. Both may
// be cached by anybody for five minutes; a key is published days before it signs. The
// keys are dated (Last-Modified), the metadata tells the service's version.
//
// Boundary: it sees no private key and signs nothing. The metadata says only what
// is true: there is no authorization endpoint yet (/oauth2/ is kept for it), so
// the member that OpenID Connect Discovery requires of a provider is left out, and
// so are response types and grants. Clients that verify tokens (API Gateway's JWT
// authorizer, go-oidc) need the issuer and the address of the keys.
//
// Invariant: the issuer is the public URL and never a header of the request.
package issuer
