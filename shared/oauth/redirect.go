package oauth

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/ascii"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// MatchRedirectURI reports whether an address is one of those registered, byte for byte
// (RFC 9700 §4.1.3). A loopback address of a native application may have any port (RFC 8252
// §7.3); its host, path and query may not differ.
func MatchRedirectURI(kind store.ApplicationKind, registered []string, uri string) bool {
	// What could not be registered today is not followed, whatever an older version stored.
	if CheckRedirectURI(kind, uri) != nil {
		return false
	}
	if slices.Contains(registered, uri) {
		return true
	}
	if kind != store.KindNative {
		return false
	}
	host, rest, ok := cutLoopback(uri)
	return ok && slices.ContainsFunc(registered, func(r string) bool {
		registeredHost, registeredRest, ok := cutLoopback(r)
		return ok && registeredHost == host && registeredRest == rest
	})
}

// matchRedirectURI is MatchRedirectURI for an application, of which one behind a proxy has
// an address that nobody registers.
func (p *Provider) matchRedirectURI(a store.Application, issuer, uri string) bool {
	if a.Kind == store.KindProxy {
		return uri != "" && uri == p.proxyRedirectURI(a, issuer)
	}
	return MatchRedirectURI(a.Kind, a.RedirectURIs, uri)
}

// cutLoopback cuts the port out of an http address on loopback. The three hosts are not the
// same: another program may listen on one of them.
func cutLoopback(uri string) (host, rest string, ok bool) {
	for _, host := range loopbackHosts() {
		rest, ok := strings.CutPrefix(uri, "http://"+host)
		if !ok {
			continue
		}
		if after, hasPort := strings.CutPrefix(rest, ":"); hasPort {
			digits := len(after) - len(strings.TrimLeft(after, "0123456789"))
			if !isPort(after[:digits]) {
				return "", "", false
			}
			rest = after[digits:]
		}
		return host, rest, rest == "" || rest[0] == '/' || rest[0] == '?'
	}
	return "", "", false
}

func loopbackHosts() []string { return []string{"127.0.0.1", "[::1]", "localhost"} }

func isPort(digits string) bool {
	number, err := strconv.ParseUint(digits, 10, 16)
	return err == nil && number > 0 && digits[0] != '0'
}

// maxRedirectURI leaves room for code, state and issuer in a Location of 4 kB.
const maxRedirectURI = 1 << 10

// AddressError says why an address cannot be registered, in a word that the console
// explains; Error is the sentence for callers of the API.
type AddressError string

// The reasons.
const (
	AddressCharacters AddressError = "characters" // spaces, controls, not ASCII, or such as \ < > " {
	AddressLength     AddressError = "length"
	AddressForm       AddressError = "form" // not an absolute address
	AddressFragment   AddressError = "fragment"
	AddressWildcard   AddressError = "wildcard"
	AddressUserinfo   AddressError = "userinfo"
	AddressScheme     AddressError = "scheme" // not https, and none that the kind can have
	AddressHTTP       AddressError = "http"   // http, but not on loopback
	AddressHost       AddressError = "host"
	AddressPath       AddressError = "path"  // with . or .. in it, which browsers resolve
	AddressQuery      AddressError = "query" // has a parameter of the answer
	AddressPrivate    AddressError = "private"
	AddressKind       AddressError = "kind" // the kind has no such addresses
)

func (e AddressError) Error() string {
	switch e {
	case AddressCharacters:
		return "must be visible ASCII characters; write others percent-encoded, and host names in Punycode"
	case AddressLength:
		return "must be at most 1024 bytes long"
	case AddressFragment:
		return "must not have a fragment (#)"
	case AddressWildcard:
		return "must not have a wildcard (*): addresses are compared byte for byte"
	case AddressUserinfo:
		return "must not have a user name or password"
	case AddressScheme:
		return "must begin with https://, or for a native application with a scheme that has a dot, such as com.example.app:/"
	case AddressHTTP:
		return "must be https (http is for 127.0.0.1, [::1] and localhost only)"
	case AddressHost:
		return "must have a host name or IP address, and a port from 1 to 65535 if any"
	case AddressPath:
		return "must not have . or .. in its path"
	case AddressQuery:
		return "must not have a parameter of the answer (code, state, iss, error, …) in its query"
	case AddressPrivate:
		return "must not be a private, loopback or link-local address"
	case AddressKind:
		return "is not for this kind of application"
	}
	return "must be an absolute address such as https://app.example.com/callback"
}

// privateScheme has a dot, as the reversed domain name of its owner (RFC 8252 §7.1). That
// leaves out javascript, data, file, and all others that browsers understand themselves.
var privateScheme = regexp.MustCompile(`^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+$`)

// CheckRedirectURI returns an AddressError unless an application of the kind can register
// the address as a redirect URI or post-logout redirect URI.
func CheckRedirectURI(kind store.ApplicationKind, uri string) error {
	if kind == store.KindProxy {
		return AddressKind
	}
	u, err := parseAddress(uri)
	if err != nil {
		return err
	}
	if kind == store.KindNative && privateScheme.MatchString(u.Scheme) {
		if strings.HasPrefix(uri[len(u.Scheme):], ":/") && u.Opaque == "" && checkPath(u) == nil {
			return checkQuery(u)
		}
		return AddressForm
	}
	if err := checkWeb(u); err != nil {
		return err
	}
	return checkQuery(u)
}

// CheckHomepage returns an AddressError unless the address can be a homepage: https, or
// http on loopback. Browsers are sent there by GET, without anything secret.
func CheckHomepage(address string) error {
	u, err := parseAddress(address)
	if err != nil {
		return err
	}
	return checkWeb(u)
}

// CheckBackchannelURI returns an AddressError unless logout tokens can be sent there: https
// and no private or loopback address; with allowLoopback, in the local run, http on loopback
// too. A name may still lead to a private address: the sender checks what it connects to.
func CheckBackchannelURI(uri string, allowLoopback bool) error {
	u, err := parseAddress(uri)
	if err != nil {
		return err
	}
	if err := checkWeb(u); err != nil {
		return err
	}
	if isLoopback := slices.Contains(loopbackHosts(), bracketed(u.Hostname())); isLoopback {
		if allowLoopback {
			return nil
		}
		return AddressPrivate
	}
	name := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	ip, err := netip.ParseAddr(name)
	switch {
	case err == nil && (!ip.Unmap().IsGlobalUnicast() || ip.Unmap().IsPrivate()):
		return AddressPrivate
	case name == "localhost" || strings.HasSuffix(name, ".localhost"):
		return AddressPrivate
	}
	return nil
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// parseAddress checks what holds for every address.
func parseAddress(address string) (*url.URL, error) {
	switch {
	case len(address) > maxRedirectURI:
		return nil, AddressLength
	case !ascii.IsVisible(address) || strings.ContainsAny(address, "\\\"<>^`{|}"):
		return nil, AddressCharacters
	case strings.Contains(address, "#"):
		return nil, AddressFragment
	case strings.Contains(address, "*"):
		return nil, AddressWildcard
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Scheme == "" || !strings.HasPrefix(address, u.Scheme+":"):
		return nil, AddressForm
	case u.User != nil:
		return nil, AddressUserinfo
	}
	return u, nil
}

// checkWeb checks an address for browsers and servers.
func checkWeb(u *url.URL) error {
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return AddressScheme
	case u.Opaque != "" || u.Host == "":
		return AddressForm
	case !isHost(u.Hostname()) || strings.HasSuffix(u.Host, ":") || u.Port() != "" && !isPort(u.Port()):
		return AddressHost
	case u.Scheme == "http" && !slices.Contains(loopbackHosts(), bracketed(u.Hostname())):
		return AddressHTTP
	}
	return checkPath(u)
}

var hostLabel = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$`)

// isHost reports whether text is a host name or an IP address as browsers write it. They
// read a last label of digits as an IPv4 address, whatever the rest.
func isHost(text string) bool {
	if ip, err := netip.ParseAddr(text); err == nil {
		return ip.Zone() == ""
	}
	labels := strings.Split(text, ".")
	last := labels[len(labels)-1]
	return len(text) <= 253 && !slices.ContainsFunc(labels, func(l string) bool { return !hostLabel.MatchString(l) }) &&
		(last[0] < '0' || last[0] > '9')
}

// checkPath refuses dot segments: a browser resolves them, also encoded, and the code would
// go to another path than the one that is written.
func checkPath(u *url.URL) error {
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return AddressPath
		}
	}
	return nil
}

// checkQuery refuses a query of the address's own that has a parameter of the answer:
// applications would read the first of the two.
func checkQuery(u *url.URL) error {
	form, err := parseForm(u.RawQuery)
	if err != nil {
		return AddressQuery
	}
	for _, name := range []string{"code", "state", "iss", "error", "error_description", "error_uri", "id_token", "access_token", "response"} {
		if form.has(name) {
			return AddressQuery
		}
	}
	return nil
}

// HasOrigin reports whether a page of the application can have this origin, so that CORS
// answers it: that of a redirect URI of an enabled browser application.
func HasOrigin(a store.Application, origin string) bool {
	return a.Enabled && a.Kind == store.KindBrowser && slices.ContainsFunc(a.RedirectURIs, func(uri string) bool {
		own := originOf(uri)
		return own != "" && own == origin
	})
}

// originOf returns the origin of an address as browsers write it, or "".
func originOf(address string) string {
	u, err := parseAddress(address)
	if err != nil || checkWeb(u) != nil {
		return ""
	}
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	} else {
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}

// withParameters appends parameters to an address, whose own query stays as it is. Pairs
// without a value are left out.
func withParameters(address string, pairs ...string) string {
	var b strings.Builder
	b.WriteString(address)
	separator := byte('?')
	if strings.Contains(address, "?") {
		separator = '&'
	}
	if strings.HasSuffix(address, "?") || strings.HasSuffix(address, "&") {
		separator = 0
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			continue
		}
		if separator != 0 {
			b.WriteByte(separator)
		}
		b.WriteString(pairs[i] + "=" + url.QueryEscape(pairs[i+1]))
		separator = '&'
	}
	return b.String()
}
