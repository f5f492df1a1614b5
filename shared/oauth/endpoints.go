package oauth

// Paths of the endpoints, below the issuer. The metadata names them, and the function
// openid answers them.
const (
	AuthorizationPath = "/oauth2/authorize"
	TokenPath         = "/oauth2/token"
	UserinfoPath      = "/oauth2/userinfo"
	RevocationPath    = "/oauth2/revoke"
	IntrospectionPath = "/oauth2/introspect"
	EndSessionPath    = "/oauth2/logout"
)
