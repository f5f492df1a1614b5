package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"github.com/wecom-signin/wecom-signin/shared/oauth"
)

// poster sends requests; *http.Client does.
type poster interface {
	Do(*http.Request) (*http.Response, error)
}

// errAddress: the address is one that the service does not call.
var errAddress = errors.New("address is not public")

// newClient returns a client that connects to public addresses alone, and never twice over
// one connection: who answers next may be somebody else.
func newClient(allowLoopback bool) *http.Client {
	dialer := &net.Dialer{
		// Called with the address that a name stood for, right before the connection.
		Control: func(_, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil || !isCallable(to.Addr(), allowLoopback) {
				return errAddress
			}
			return nil
		},
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			// No proxy: it would look up names by itself.
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 32 << 10,
		},
	}
}

// post sends a logout token (Back-Channel Logout 1.0 §2.5). The answer's body is not read.
func (n *notifier) post(ctx context.Context, address, token string) oauth.Cause {
	// It was checked when it was registered; this is for records from elsewhere.
	if oauth.CheckBackchannelURI(address, n.AllowLoopback) != nil {
		return oauth.CauseBackchannelAddress
	}
	ctx, cancel := context.WithTimeout(ctx, n.PostTime)
	defer cancel()
	form := url.Values{"logout_token": {token}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form))
	if err != nil {
		return oauth.CauseBackchannelAddress
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("User-Agent", "wecom-signin")
	response, err := n.client.Do(request)
	if err != nil {
		return causeOf(err)
	}
	_ = response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK, http.StatusNoContent:
		return oauth.CauseBackchannelLogout
	case http.StatusBadRequest:
		return oauth.CauseBackchannelRefused
	default:
		return oauth.CauseBackchannelStatus
	}
}

func causeOf(err error) oauth.Cause {
	var timeout net.Error
	switch {
	case errors.Is(err, errAddress):
		return oauth.CauseBackchannelAddress
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return oauth.CauseBackchannelTimeout
	case isCertificateError(err):
		return oauth.CauseBackchannelCertificate
	default:
		return oauth.CauseBackchannelUnreachable
	}
}

func isCertificateError(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// special are the parts of the public address space that lead elsewhere: the registries of
// special-purpose addresses (RFC 6890), as far as netip does not know them.
var special = func() (all []netip.Prefix) {
	for _, text := range []string{
		"0.0.0.0/8",       // this network
		"100.64.0.0/10",   // carriers' NAT, and addresses inside clouds
		"192.0.0.0/24",    // protocol assignments
		"192.0.2.0/24",    // documentation
		"192.88.99.0/24",  // 6to4 relays
		"198.18.0.0/15",   // benchmarks
		"198.51.100.0/24", // documentation
		"203.0.113.0/24",  // documentation
		"240.0.0.0/4",     // reserved, broadcast
		"2001::/23",       // protocol assignments, Teredo with an IPv4 address inside
		"2001:db8::/32",   // documentation
		"2002::/16",       // 6to4, with an IPv4 address inside
		"3fff::/20",       // documentation
	} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}()

// globalIPv6 is the part of IPv6 that is given out (RFC 4291). Everything else is local, or
// has an IPv4 address inside (64:ff9b::/96).
var globalIPv6 = netip.MustParsePrefix("2000::/3")

// isCallable reports whether an address is public, or loopback where that is allowed.
func isCallable(ip netip.Addr, allowLoopback bool) bool {
	ip = ip.Unmap()
	switch {
	case ip.IsLoopback():
		return allowLoopback
	case ip.Zone() != "", !ip.IsGlobalUnicast(), ip.IsPrivate(), ip.Is6() && !globalIPv6.Contains(ip):
		return false
	}
	for _, prefix := range special {
		if prefix.Contains(ip) {
			return false
		}
	}
	return true
}
