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
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/local/demo"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// The addresses that the pictures show. They lead to this machine for the browser
// of this command alone.
const (
	serviceHost     = "signin.example.com"
	applicationHost = "app.example.com"
	serviceURL      = "https://" + serviceHost
	applicationURL  = "https://" + applicationHost
	// egress is the address that the service calls WeCom from, in the pictures.
	egress = "203.0.113.7"
	// adminKey opens the console of a service that lives for seconds.
	adminKey = "EXAMPLE-KEY-4P7QZ2M5XWTB3NHA"
)

// example is a company in a simulated WeCom, an application, and the service, at the
// addresses that documentation uses.
type example struct {
	simulator *wecomsim.Simulator
	// front is where the two hosts are, as host:port.
	front string
	// client opens the hosts as the browser does.
	client *http.Client
	run    *localRun
	folder string
	ends   []func()
}

// startExample starts everything with an empty folder.
func startExample(ctx context.Context, program string) (_ *example, err error) {
	e := &example{simulator: wecomsim.New(company())}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.stop())
		}
	}()
	e.simulator.SetCallerIP(egress)
	if e.folder, err = os.MkdirTemp("", "screenshots-data-"); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	weCom, err := e.serve(e.simulator, nil)
	if err != nil {
		return nil, err
	}
	application, err := demo.New(demo.Config{ServiceURL: serviceURL, Origin: applicationURL})
	if err != nil {
		return nil, fmt.Errorf("make application: %w", err)
	}
	// With a public address the program does not print where it listens.
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	service := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: "127.0.0.1:" + port})
		r.Out.Host = r.In.Host
	}}
	certificate, authority, err := makeCertificate()
	if err != nil {
		return nil, err
	}
	e.front, err = e.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Host {
		case serviceHost:
			service.ServeHTTP(w, r)
		case applicationHost:
			application.ServeHTTP(w, r)
		default:
			http.Error(w, "no such host", http.StatusMisdirectedRequest)
		}
	}), &certificate)
	if err != nil {
		return nil, err
	}
	e.client = e.trust(authority)
	weCom = "http://" + strings.Replace(weCom, "127.0.0.1", "localhost", 1)
	if e.run, err = startRun(ctx, program, []string{
		"PORT=" + port, "DATA_DIR=" + filepath.Join(e.folder, "data"), "PUBLIC_URL=" + serviceURL, "ADMIN_KEY=" + adminKey,
		"WECOM_API_URL=" + weCom, "WECOM_OAUTH_URL=" + weCom, "WECOM_LOGIN_URL=" + weCom, "EGRESS_ADDRESSES=" + egress,
	}); err != nil {
		return nil, err
	}
	return e, nil
}

// company is the demo company, whose pages tell its own client from other browsers.
func company() wecomsim.Config {
	company := wecomsim.Demo(serviceHost, serviceURL+"/", serviceURL)
	company.Choices.AnyBrowserIsClient = false
	return company
}

// stop ends what was started, the last first, and removes what was kept.
func (e *example) stop() error {
	var err error
	if e.run != nil {
		err = e.run.stop()
	}
	for i := range e.ends {
		e.ends[len(e.ends)-1-i]()
	}
	return errors.Join(err, os.RemoveAll(e.folder))
}

// serve serves on a free port of this machine and returns host:port.
func (e *example) serve(handler http.Handler, certificate *tls.Certificate) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	// The browser looks at the certificate and goes on; that is no news.
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	e.ends = append(e.ends, func() { _ = server.Close() })
	address := listener.Addr().String()
	if certificate != nil {
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS13})
	}
	go func() { _ = server.Serve(listener) }()
	return address, nil
}

func freePort(ctx context.Context) (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find port: %w", err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, errors.Join(err, listener.Close())
}

// trust returns a client that finds the two hosts.
func (e *example) trust(authority []byte) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return &http.Client{Timeout: stepLimit, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, e.front)
		},
	}}
}

// makeCertificate makes a certificate for the two hosts that is its own authority.
func makeCertificate() (tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("make key: %w", err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "screenshots"}, DNSNames: []string{serviceHost, applicationHost},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, fmt.Errorf("make certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}
