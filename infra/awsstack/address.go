package awsstack

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// authority signs the certificate of every address that Serve gives. The functions of
// the account trust it, and Transport does.
type authority struct {
	file        string // its own certificate
	certificate tls.Certificate
	pool        *x509.CertPool
}

func newAuthority(folder string) (*authority, error) {
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "awsstack"}, NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{"localhost"}, NotAfter: root.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	var keys [2]*ecdsa.PrivateKey
	var signed [2][]byte
	for i, template := range []*x509.Certificate{root, leaf} {
		var err error
		if keys[i], err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, err
		}
		if signed[i], err = x509.CreateCertificate(rand.Reader, template, root, keys[i].Public(), keys[0]); err != nil {
			return nil, err
		}
	}
	content := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed[0]})
	a := &authority{
		file:        filepath.Join(folder, "authority.pem"),
		certificate: tls.Certificate{Certificate: signed[1:], PrivateKey: keys[1]}, pool: x509.NewCertPool(),
	}
	a.pool.AppendCertsFromPEM(content)
	return a, os.WriteFile(a.file, content, 0o600)
}

// Transport trusts the addresses of Serve.
func (a *Account) Transport() http.RoundTripper {
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.authority.pool, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 8}
}

// Authority returns the file of the certificate that Transport trusts.
func (a *Account) Authority() string { return a.authority.file }

// Serve serves a handler until the end of the test, at an https address of localhost
// that the account's functions trust.
func (a *Account) Serve(t testing.TB, handler http.Handler) (address string) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{a.authority.certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "https://localhost:" + port
}

// Address is a public address that leads to an API of the account, as a domain and its
// record in DNS do.
type Address struct {
	// URL begins with https.
	URL string
	// api is what the address leads to.
	api atomic.Pointer[string]
}

// NewAddress returns an address that leads nowhere yet.
func (a *Account) NewAddress(t testing.TB) *Address {
	t.Helper()
	address := &Address{}
	endpoint, err := url.Parse(a.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	address.URL = a.Serve(t, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(endpoint)
		if api := address.api.Load(); api != nil {
			r.Out.Host = *api + ".execute-api.localhost"
		}
	}})
	return address
}

// LeadTo lets the address lead to the API that has an address of AWS's own, such as
// https://a1b2c3d4.execute-api.eu-central-1.amazonaws.com.
func (a *Address) LeadTo(apiURL string) error {
	u, err := url.Parse(apiURL)
	if err != nil || u.Host == "" {
		return fmt.Errorf("%q is not the address of an API", apiURL)
	}
	id, _, _ := strings.Cut(u.Host, ".")
	a.api.Store(&id)
	return nil
}
