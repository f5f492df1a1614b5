package main

import (
	"context"
	"crypto/x509"
	"errors"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	certificateWarning = 21 * 24 * time.Hour
	maxSkew            = time.Minute
)

// checkAddress finds out whether anything answers, and why not.
func checkAddress(ctx context.Context, v *visit) []finding {
	_, err := v.get(ctx, "/signin")
	if err == nil {
		return ok("address.ok", "address", v.base)
	}
	host := v.Address.Hostname()
	if dns, is := errors.AsType[*net.DNSError](err); is && !dns.IsTimeout {
		return fail("address.unknown-host", "host", host)
	}
	if expired, is := errors.AsType[x509.CertificateInvalidError](err); is && expired.Reason == x509.Expired {
		return fail("address.expired", "host", host)
	}
	if _, is := errors.AsType[x509.HostnameError](err); is {
		return fail("address.other-host", "host", host)
	}
	if _, is := errors.AsType[x509.UnknownAuthorityError](err); is {
		return fail("address.untrusted", "host", host)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fail("address.slow", "host", host, "seconds", strconv.Itoa(int(requestLimit/time.Second)))
	}
	return fail("address.silent", "host", host, "cause", err.Error())
}

func checkCertificate(ctx context.Context, v *visit) []finding {
	if v.Address.Scheme == "http" {
		return skip("certificate.loopback")
	}
	got, err := v.get(ctx, "/signin")
	if err != nil {
		return unanswered("/signin", err)
	}
	if got.tls == nil || len(got.tls.PeerCertificates) == 0 {
		return skip("certificate.unseen")
	}
	left := got.tls.PeerCertificates[0].NotAfter.Sub(v.Now())
	days := strconv.Itoa(int(left / (24 * time.Hour)))
	if left < certificateWarning {
		return warn("certificate.ending", "days", days)
	}
	return ok("certificate.ok", "days", days)
}

// checkPlainHTTP sees that what is typed without https does not show the page in clear.
func checkPlainHTTP(ctx context.Context, v *visit) []finding {
	if v.Address.Scheme == "http" {
		return skip("plain-http.loopback")
	}
	if v.Address.Port() != "" && v.Address.Port() != "443" {
		return skip("plain-http.port")
	}
	host := v.Address.Hostname()
	plain := url.URL{Scheme: "http", Host: host, Path: "/signin"}
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		plain.Host = "[" + host + "]"
	}
	got, err := v.ask(ctx, http.MethodGet, plain.String(), nil, requestLimit)
	if err != nil {
		return ok("plain-http.silent")
	}
	if got.status >= 400 {
		return ok("plain-http.refused", "status", strconv.Itoa(got.status))
	}
	target, err := url.Parse(got.header.Get("Location"))
	if got.status >= 300 && err == nil && target.Scheme == "https" && target.Hostname() == host {
		return ok("plain-http.redirected")
	}
	return fail("plain-http.answered", "status", strconv.Itoa(got.status))
}

// checkClock compares the two clocks: tokens are believed by time.
func checkClock(ctx context.Context, v *visit) []finding {
	got, err := v.get(ctx, "/signin")
	if err != nil {
		return unanswered("/signin", err)
	}
	theirs, err := http.ParseTime(got.header.Get("Date"))
	if err != nil {
		return skip("clock.unknown")
	}
	skew := theirs.Sub(got.received)
	seconds := strconv.Itoa(int(math.Round(math.Abs(skew.Seconds()))))
	if skew.Abs() > maxSkew {
		if skew > 0 {
			return warn("clock.ahead", "seconds", seconds)
		}
		return warn("clock.behind", "seconds", seconds)
	}
	return ok("clock.ok", "seconds", seconds)
}
