package oauth

import "github.com/wecom-signin/wecom-signin/shared/store"

// MatchRedirectURI reports whether an address is one of those registered, byte for byte.
// A loopback address of a native application may have any port (RFC 8252 §7.3).
func MatchRedirectURI(kind store.ApplicationKind, registered []string, uri string) bool {
	return false
}

// AddressError says why an address cannot be registered, in a word that the console
// explains; Error is the sentence for callers of the API.
type AddressError string

func (e AddressError) Error() string { return string(e) }

// CheckRedirectURI returns an AddressError unless an application of the kind can register
// the address as a redirect URI or post-logout redirect URI.
func CheckRedirectURI(kind store.ApplicationKind, uri string) error { return AddressError("todo") }

// CheckHomepage returns an AddressError unless the address can be a homepage: https, or
// http on loopback.
func CheckHomepage(address string) error { return AddressError("todo") }

// CheckBackchannelURI returns an AddressError unless logout tokens can be sent there: https
// and no private or loopback address; with allowLoopback, in the local run, http on loopback
// too. A name may still lead to a private address: the sender checks what it connects to.
func CheckBackchannelURI(uri string, allowLoopback bool) error { return AddressError("todo") }

// HasOrigin reports whether a page of the application can have this origin, so that CORS
// answers it: that of a redirect URI of a browser application.
func HasOrigin(a store.Application, origin string) bool { return false }
