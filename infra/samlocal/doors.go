package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// hostForContainers is Docker's name of this machine; samconfig.toml gives it to
// containers (add_host).
const hostForContainers = "host.docker.internal"

// certificateName is the file that functions trust, beside their program.
const certificateName = "emulators.pem"

// certificateLife is longer than anybody leaves emulators running.
const certificateLife = 30 * 24 * time.Hour

// newCertificate makes a certificate for this machine that is its own authority, and
// its PEM form. The key never leaves the process.
func newCertificate(now time.Time, bridge netip.Addr) (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("make certificate: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "emulators of WeCom Sign-in on this machine"},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{hostForContainers, "localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if bridge.IsValid() {
		template.IPAddresses = append(template.IPAddresses, bridge.AsSlice())
	}
	content, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("make certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{content}, PrivateKey: key},
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: content}), nil
}

// doors are the HTTP servers of this process.
type doors struct {
	servers []*http.Server
	failed  chan error
}

func newDoors() *doors { return &doors{failed: make(chan error, 1)} }

func (d *doors) serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		// A container that is stopped in the middle of a call is no news.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	d.servers = append(d.servers, server)
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			select {
			case d.failed <- fmt.Errorf("serve: %w", err):
			default:
			}
		}
	}()
}

func (d *doors) close() {
	for _, server := range d.servers {
		_ = server.Close()
	}
}

// open serves handler on any port of an address and returns the port.
func (d *doors) open(host string, handler http.Handler) (int, error) {
	listener, err := listen(host, 0)
	if err != nil {
		return 0, err
	}
	d.serve(listener, handler)
	return portOf(listener), nil
}

// openTLS is open with a certificate.
func (d *doors) openTLS(host string, certificate tls.Certificate, handler http.Handler) (int, error) {
	listener, err := listen(host, 0)
	if err != nil {
		return 0, err
	}
	d.serve(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}), handler)
	return portOf(listener), nil
}

// openBrowsers serves handler on loopback, on the usual port or else on any, and
// returns its address.
func (d *doors) openBrowsers(port int, handler http.Handler) (string, error) {
	listener, err := listen("127.0.0.1", port)
	if err != nil {
		listener, err = listen("127.0.0.1", 0)
	}
	if err != nil {
		return "", err
	}
	d.serve(listener, onlyThisMachine(handler))
	return fmt.Sprintf("http://localhost:%d", portOf(listener)), nil
}

// containers opens doors to what listens on loopback for containers, and returns how
// they find them. An invalid bridge means that Docker leads them to loopback itself.
func (d *doors) containers(bridge netip.Addr, here addresses, certificate tls.Certificate, weComAPI http.Handler) (addresses, error) {
	if !bridge.IsValid() {
		toLoopback := func(address string) string {
			return strings.NewReplacer("127.0.0.1", hostForContainers, "localhost", hostForContainers).Replace(address)
		}
		return addresses{toLoopback(here.DynamoDB), toLoopback(here.SecretsManager), toLoopback(here.WeComAPI)}, nil
	}
	var found addresses
	for target, door := range map[string]*string{here.DynamoDB: &found.DynamoDB, here.SecretsManager: &found.SecretsManager} {
		u, err := url.Parse(target)
		if err != nil {
			return addresses{}, fmt.Errorf("open door to %s: %w", target, err)
		}
		port, err := d.open(bridge.String(), &httputil.ReverseProxy{
			Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(u) },
			ErrorLog: log.New(io.Discard, "", 0),
		})
		if err != nil {
			return addresses{}, err
		}
		*door = fmt.Sprintf("http://%s:%d", hostForContainers, port)
	}
	port, err := d.openTLS(bridge.String(), certificate, weComAPI)
	if err != nil {
		return addresses{}, err
	}
	found.WeComAPI = fmt.Sprintf("https://%s:%d", hostForContainers, port)
	return found, nil
}

// onlyThisMachine answers requests for loopback's own names alone. The simulator's
// pages ask nobody who they are, so a page of another site must not reach them by
// giving its own name this machine's address (DNS rebinding).
func onlyThisMachine(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			http.Error(w, "This address is for browsers on this machine.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serverAPI is the part of WeCom that functions call; its pages are for browsers.
// Containers speak for this machine, so WeCom sees its loopback address, as in the
// local run: that is one a demo app can trust.
func serverAPI(weCom http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/cgi-bin/") {
			http.NotFound(w, r)
			return
		}
		r = r.Clone(r.Context())
		r.RemoteAddr = "127.0.0.1:1"
		weCom.ServeHTTP(w, r)
	})
}

// answers reports whether something takes connections at a port of loopback.
func answers(ctx context.Context, port int) error {
	connection, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return connection.Close()
}
