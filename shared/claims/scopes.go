package claims

import "slices"

// The scopes that the service knows. Others are ignored.
const (
	ScopeOpenID  = "openid"
	ScopeProfile = "profile"
	ScopePhone   = "phone"
	ScopeEmail   = "email"
	ScopeGroups  = "groups"
	// ScopeOfflineAccess gives no claim: it makes a grant outlive the session (OpenID
	// Connect Core 1.0 §11).
	ScopeOfflineAccess = "offline_access"
)

// Scopes returns all scopes, in the order in which the service names them.
func Scopes() []string {
	return []string{ScopeOpenID, ScopeProfile, ScopePhone, ScopeEmail, ScopeGroups, ScopeOfflineAccess}
}

// KnownScopes returns those of the scopes that the service knows, each once and in its
// order.
func KnownScopes(scopes []string) []string {
	return slices.DeleteFunc(Scopes(), func(known string) bool { return !slices.Contains(scopes, known) })
}

// The values of acr, which says how WeCom vouched for a member.
const (
	// ACRClient: silently, inside WeCom's own client.
	ACRClient = "urn:wecom-signin:client"
	// ACRScan: in another browser, where the member scanned a code or pressed a button.
	ACRScan = "urn:wecom-signin:scan"
)

// ACRs returns all values of acr.
func ACRs() []string { return []string{ACRClient, ACRScan} }

// ACR returns the value of acr for a sign-in.
func ACR(inWeCom bool) string {
	if inWeCom {
		return ACRClient
	}
	return ACRScan
}

// AMR returns the value of amr for a sign-in. The one registered value that is always true
// of a scan is "user" (RFC 8176 §2), somebody was present and agreed: it is not "mca",
// because WeCom's page also offers the client on the same machine, and nothing is known of
// a second factor. In WeCom's client the round is silent and no registered value is true,
// so that "wecom" says in both cases who vouched.
func AMR(inWeCom bool) []string {
	if inWeCom {
		return []string{"wecom"}
	}
	return []string{"wecom", "user"}
}
