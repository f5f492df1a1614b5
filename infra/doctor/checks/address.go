package checks

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	day                = 24 * time.Hour
	certificateWarning = 21 * day
	maxSkew            = time.Minute
)

// address finds out whether anything answers, and why not.
func address(ctx context.Context, t *target) ([]Finding, error) {
	_, err := t.get(ctx, "/signin")
	if err == nil {
		return report(OK, "%s answers", t.base)
	}
	fix := ""
	if dns, is := errors.AsType[*net.DNSError](err); is && !dns.IsTimeout {
		fix = "add its DNS record; a domain of the stack leads to the output DomainTarget"
	}
	if _, is := errors.AsType[*tls.CertificateVerificationError](err); is {
		fix = "give the domain or the proxy a valid certificate of a public authority for this very name, with the intermediate ones"
	}
	return failWith(fix, "%s%v", t.base, err)
}

func certificate(_ context.Context, t *target, got *response) ([]Finding, error) {
	if got.TLS == nil {
		return report(Skip, "plain http on this machine has none")
	}
	left := got.TLS.PeerCertificates[0].NotAfter.Sub(t.Now())
	if left < certificateWarning {
		return report(Warn, "valid for only %d more days", left/day)
	}
	return report(OK, "valid for %d more days", left/day)
}

// plainHTTP asks as a browser does when somebody types the name alone.
func plainHTTP(ctx context.Context, t *target) ([]Finding, error) {
	if t.Address.Scheme == "http" {
		return report(Skip, "plain http is allowed on this machine")
	}
	if port := t.Address.Port(); port != "" && port != "443" {
		return report(Skip, "not checked: the address has a port of its own")
	}
	plain := url.URL{Scheme: "http", Host: strings.TrimSuffix(t.Address.Host, ":443"), Path: "/signin"}
	got, err := t.send(ctx, http.MethodGet, plain.String(), nil)
	if err != nil {
		return report(OK, "nothing answers without https")
	}
	if got.StatusCode >= 400 {
		return report(OK, "refused without https (%d)", got.StatusCode)
	}
	to, err := url.Parse(got.Header.Get("Location"))
	if got.StatusCode >= 300 && err == nil && to.Scheme == "https" && to.Hostname() == t.Address.Hostname() {
		return report(OK, "redirected to https")
	}
	return report(Fail, "http:// answers %d in clear", got.StatusCode)
}

// clock compares the two clocks: tokens are believed by time.
func clock(_ context.Context, _ *target, got *response) ([]Finding, error) {
	theirs, err := http.ParseTime(got.Header.Get("Date"))
	if err != nil {
		return report(Skip, "answers have no date")
	}
	skew := theirs.Sub(got.received).Round(time.Second)
	if skew.Abs() > maxSkew {
		return report(Warn, "the service's clock differs from this machine's by %v", skew)
	}
	return report(OK, "%v apart", skew.Abs())
}
