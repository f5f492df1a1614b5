package issuer

import (
	"net/http"
	"slices"

	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/claims"
	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/version"
)

// metadata has the members of OpenID Connect Discovery 1.0 §3 and RFC 8414 §2 that hold
// for this issuer, and the same of both: a client may read either document. What is left
// out has the default of the standard, or does not exist.
type metadata struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	UserinfoEndpoint      string `json:"userinfo_endpoint"`
	RevocationEndpoint    string `json:"revocation_endpoint"`
	IntrospectionEndpoint string `json:"introspection_endpoint"`
	EndSessionEndpoint    string `json:"end_session_endpoint"` // RP-Initiated Logout 1.0 §2.1
	KeysAddress           string `json:"jwks_uri"`

	Scopes               []string `json:"scopes_supported"`
	Claims               []string `json:"claims_supported"`
	ClaimTypes           []string `json:"claim_types_supported"`
	SubjectTypes         []string `json:"subject_types_supported"`
	SigningAlgorithms    []string `json:"id_token_signing_alg_values_supported"`
	ACRs                 []string `json:"acr_values_supported"`
	UILocales            []string `json:"ui_locales_supported"`
	Prompts              []string `json:"prompt_values_supported"` // Prompt Create 1.0 §5
	ResponseTypes        []string `json:"response_types_supported"`
	ResponseModes        []string `json:"response_modes_supported"`
	GrantTypes           []string `json:"grant_types_supported"`
	ChallengeMethods     []string `json:"code_challenge_methods_supported"`
	TokenMethods         []string `json:"token_endpoint_auth_methods_supported"`
	RevocationMethods    []string `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionMethods []string `json:"introspection_endpoint_auth_methods_supported"`

	ClaimsParameter bool `json:"claims_parameter_supported"`
	// Stated, because a request_uri is supported where nothing is said.
	RequestParameter     bool `json:"request_parameter_supported"`
	RequestURIParameter  bool `json:"request_uri_parameter_supported"`
	IssuerInResponse     bool `json:"authorization_response_iss_parameter_supported"` // RFC 9207 §3
	BackchannelLogout    bool `json:"backchannel_logout_supported"`                   // Back-Channel Logout 1.0 §2.1
	BackchannelSessionID bool `json:"backchannel_logout_session_supported"`
}

// tokenClaims are the claims that tokens make beside those about the member.
func tokenClaims() []string {
	return []string{
		"iss", "aud", "sub", "iat", "exp", "jti", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "sid",
	}
}

func metadataOf(issuer string) metadata {
	confidential := []string{"client_secret_basic", "client_secret_post"}
	everybody := append(slices.Clone(confidential), "none") // public applications keep no secret
	return metadata{
		Issuer:                issuer,
		AuthorizationEndpoint: issuer + oauth.AuthorizationPath,
		TokenEndpoint:         issuer + oauth.TokenPath,
		UserinfoEndpoint:      issuer + oauth.UserinfoPath,
		RevocationEndpoint:    issuer + oauth.RevocationPath,
		IntrospectionEndpoint: issuer + oauth.IntrospectionPath,
		EndSessionEndpoint:    issuer + oauth.EndSessionPath,
		KeysAddress:           issuer + keysPath,

		Scopes:               claims.Scopes(),
		Claims:               append(tokenClaims(), slices.DeleteFunc(claims.Names(), func(name string) bool { return name == "sub" })...),
		ClaimTypes:           []string{"normal"},
		SubjectTypes:         []string{"public"},
		SigningAlgorithms:    []string{"RS256"},
		ACRs:                 claims.ACRs(),
		UILocales:            []string{"zh-CN", "en", "uk", "pt", "sv", "fr", "es"}, // text.Languages, without linking the texts
		Prompts:              []string{"none", "login", "consent", "select_account"},
		ResponseTypes:        []string{"code"},
		ResponseModes:        []string{"query"},
		GrantTypes:           []string{"authorization_code", "refresh_token"},
		ChallengeMethods:     []string{"S256"},
		TokenMethods:         everybody,
		RevocationMethods:    everybody,
		IntrospectionMethods: confidential,

		ClaimsParameter:      true,
		IssuerInResponse:     true,
		BackchannelLogout:    true,
		BackchannelSessionID: true,
	}
}

func discovery(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", cacheControl)
	w.Header().Set(version.Header, version.Version)
	w.Header().Set("Access-Control-Allow-Origin", anyOrigin)
	return apigw.WriteJSON(w, http.StatusOK, metadataOf(apigw.PublicURL(r.Context())))
}
