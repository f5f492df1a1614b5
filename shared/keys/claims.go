package keys

import (
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// The types of tokens, in the header typ. A Verifier accepts one type where it wants it.
const (
	typeAccess = "at+jwt"     // RFC 9068 §2.1
	typeID     = "JWT"        // RFC 7519 §5.1
	typeLogout = "logout+jwt" // OpenID Connect Back-Channel Logout 1.0 §2.4
)

// Audience is for whom a token is meant: one recipient, a string in JSON, or several.
type Audience []string

// Only reports whether recipient is the one recipient.
func (a Audience) Only(recipient string) bool { return len(a) == 1 && a[0] == recipient }

// Has reports whether recipient is among the recipients.
func (a Audience) Has(recipient string) bool { return slices.Contains(a, recipient) }

// MarshalJSON encodes one recipient as a string (RFC 7519 §4.1.3).
func (a Audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// UnmarshalJSON decodes a string or a list of strings.
func (a *Audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = Audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// AccessTokenClaims are the claims of an access token, named as in RFC 9068 and OpenID
// Connect where these define them. There are two sorts of it: a session token, which
// POST /api/token gives a page, and an OAuth token, which /oauth2/token gives an
// application. ClientID, AuthorizedParty and GrantID are those of an OAuth token; a
// session token has none of them.
type AccessTokenClaims struct {
	Issuer string `json:"iss"` // the public URL of the service
	// Audience of a session token is an application's origin, or the public URL; of an
	// OAuth token the issuer and before it the application's own API, if it has one. It is
	// never the client id, so that the token does not pass for an ID token.
	Audience  Audience `json:"aud"`
	Subject   string   `json:"sub"` // user id
	IssuedAt  int64    `json:"iat"` // Unix seconds; set by Mint
	ExpiresAt int64    `json:"exp"` // Unix seconds; set by Mint
	ID        string   `json:"jti"` // random; set by Mint
	// SessionKey is, in a session token, the key of the session in the store: a hash,
	// which is not a credential. With it the authorizer sees at once that the session has
	// ended. In an OAuth token it is the lineage of the session.
	SessionKey string `json:"sid"`
	// ClientID names the OAuth client that the token was issued to (RFC 9068 §2.2).
	ClientID        string   `json:"client_id,omitempty"`
	AuthorizedParty string   `json:"azp,omitempty"`       // the ClientID; set by Mint
	Scope           string   `json:"scope,omitempty"`     // those granted, with blanks between
	AuthTime        int64    `json:"auth_time,omitempty"` // Unix seconds: when WeCom vouched for the member
	ACR             string   `json:"acr,omitempty"`
	AMR             []string `json:"amr,omitempty"`
	// GrantID names the grant in the store, by which userinfo sees that it was revoked.
	GrantID string `json:"grant_id,omitempty"`
	// Member are the claims of package claims. A name that IsReserved is left out.
	Member map[string]any `json:"-"`
}

// IDTokenClaims are the claims of an ID token (OpenID Connect Core 1.0 §2).
type IDTokenClaims struct {
	Issuer          string   `json:"iss"` // the public URL of the service
	Subject         string   `json:"sub"` // user id
	Audience        string   `json:"aud"` // the client id
	AuthorizedParty string   `json:"azp"` // the client id, too; set by MintIDToken
	IssuedAt        int64    `json:"iat"` // Unix seconds; set by MintIDToken
	ExpiresAt       int64    `json:"exp"` // Unix seconds; set by MintIDToken
	AuthTime        int64    `json:"auth_time"`
	Nonce           string   `json:"nonce,omitempty"` // as the application sent it
	SessionID       string   `json:"sid"`             // the lineage of the session
	AccessTokenHash string   `json:"at_hash,omitempty"`
	ACR             string   `json:"acr,omitempty"`
	AMR             []string `json:"amr,omitempty"`
	// Member are the claims of package claims. A name that IsReserved is left out.
	Member map[string]any `json:"-"`
}

// LogoutTokenClaims are the claims of a logout token (OpenID Connect Back-Channel Logout
// 1.0 §2.4), which tells an application that a session ended. It has no nonce, so that it
// does not pass for an ID token.
type LogoutTokenClaims struct {
	Issuer    string `json:"iss"` // the public URL of the service
	Audience  string `json:"aud"` // the client id
	Subject   string `json:"sub"` // user id
	SessionID string `json:"sid"` // the lineage of the session
	IssuedAt  int64  `json:"iat"` // Unix seconds; set by MintLogoutToken
	ExpiresAt int64  `json:"exp"` // Unix seconds; set by MintLogoutToken
	ID        string `json:"jti"` // random; set by MintLogoutToken
	// Events says that it is a logout token; set by MintLogoutToken.
	Events map[string]struct{} `json:"events"`
}

// logoutEvent is the member of a logout token's events.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// reserved are the claims that say what a token is and for whom. Nothing that is known of
// a member may take such a name: not even where the claim is absent, and not in another
// case, which careless clients do not tell apart.
var reserved = []string{
	"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "azp", "client_id", "scope", "auth_time", "nonce", "acr", "amr",
	"sid", "at_hash", "c_hash", "s_hash", "grant_id", "events", "cnf", "act", "may_act", "typ", "token_type", "active",
	"username", "_claim_names", "_claim_sources",
}

// IsReserved reports whether tokens use the name of a claim for themselves.
func IsReserved(name string) bool { return slices.Contains(reserved, strings.ToLower(name)) }

// LogValue leaves out personal data.
func (c AccessTokenClaims) LogValue() slog.Value {
	return slog.GroupValue(slog.String("sub", c.Subject), slog.String("jti", c.ID))
}

// LogValue leaves out personal data.
func (c IDTokenClaims) LogValue() slog.Value {
	return slog.GroupValue(slog.String("sub", c.Subject), slog.String("aud", c.Audience))
}

// aboutMember returns the claims that tokens do not use for themselves.
func aboutMember(all map[string]any) map[string]any {
	member := maps.Clone(all)
	maps.DeleteFunc(member, func(name string, _ any) bool { return IsReserved(name) })
	return member
}
