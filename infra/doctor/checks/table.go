package checks

import (
	"context"
	"net/http"
)

// runFunc examines one property of a deployment. An error is an answer that is missing
// or not this service's.
type runFunc func(context.Context, *target) ([]Finding, error)

type check struct {
	name string
	// after lists the checks without whose success this one would be pointless, or would
	// show the admin key to somebody else.
	after []string
	run   runFunc
	// function has the log that explains an error of run.
	function string
	// fix and manual go with a Warn or Fail that does not bring its own.
	fix, manual string
}

const (
	domains = "operations.md#choose-how-browsers-reach-it"
	logs    = "operations.md#logs"
	changed = "operations.md#something-was-changed-by-hand"

	fixPublicURL  = "set PublicUrl (PUBLIC_URL) to the address that browsers use, and deploy again"
	fixPassCookie = "have the proxy in front pass Set-Cookie on unchanged"
	fixAddOne     = "add an authenticator in the console"

	problem = "application/problem+json"
)

// table returns the checks in the order of the report.
func table() []check {
	reached, genuine, admitted := []string{"address"}, []string{"address", "discovery", "admin-api"}, []string{"admin-key"}
	started := []string{"sign-in-start"}
	return []check{
		{"address", nil, address, "signin", "see that the name leads to this deployment, and that port 443 is open", domains},
		{"certificate", reached, page("/signin", certificate), "signin", "renew it now; ACM waits for its DNS validation record", domains},
		{"plain-http", reached, plainHTTP, "signin", "have the proxy redirect http to https, or close port 80", domains},
		{"clock", reached, page("/signin", clock), "signin", "set this machine's clock by NTP, or the proxy's", "operations.md#make-doctor"},
		{"discovery", reached, page(discoveryPath, discovery), "issuer", fixPublicURL, domains},
		{"signing-keys", reached, page(keysPath, signingKeys), "issuer", "rotate the signing keys", "operations.md#signing-keys"},
		{"key-age", reached, page(keysPath, keyAge), "issuer", "rotate the signing keys, or give -rotation-days", "operations.md#old-keys"},
		{"sign-in-page", reached, page("/signin", signInPage), "signin", fixAddOne, "operations.md#connect-wecom"},
		{"version", reached, page("/signin", version), "signin", "wait ten minutes, then deploy again", "operations.md#upgrading"},
		{"headers", reached, page("/signin", headers), "signin", "have the proxy in front pass headers on unchanged", domains},
		{"sign-in-start", reached, signInStart, "authorize", fixPublicURL, domains},
		{"cache", started, cache, "authorize", "let no cache keep answers: CachingDisabled in CloudFront, proxy_cache off in nginx", "operations.md#a-proxy-in-front"},
		{"session", reached, answers(sessionPath, http.StatusUnauthorized, problem), "signin", "let no cache keep answers under /api/", domains},
		{"foreign-origin", reached, foreignOrigin, "signin", "remove the CORS headers of the proxy or gateway", domains},
		{"unknown-path", reached, answers("/api/doctor-asks-for-nothing", http.StatusNotFound, problem), "signin", "have the proxy in front pass errors on unchanged", domains},
		{"console", reached, answers("/console", http.StatusOK, "text/html"), "admin", "read the log of the function admin", logs},
		{"admin-api", reached, adminAPI, "authorizer", "stop the function admin now, then restore the authorizer of its route", changed},
		{"admin-key", genuine, adminKey, "admin", "read the secret again that the output AdminKeySecret names", "operations.md#check-before-wecom"},
		{"wecom", admitted, weCom, "admin", fixAddOne, "operations.md#wecom-configuration"},
		{"egress", admitted, egress, "admin", "deploy with EgressMode nat or relay", "operations.md#the-way-to-wecom"},
		{"domain-files", admitted, domainFiles, "admin", "drop WeCom's file into our console; have the proxy in front pass its path on", "guide/errors.md#the-ownership-file-is-not-found"},
		{"shared-domain", admitted, sharedDomain, "admin", "sign in once with each; if one fails, use one WeCom app for both", "guide/errors.md#two-apps-one-domain"},
	}
}
