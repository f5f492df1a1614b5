package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// hostForContainers is Docker's name of this machine; samconfig.toml gives it to
// containers (add_host).
const hostForContainers = "host.docker.internal"

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
	d.serve(listener, wecomsim.OnlyLoopback(handler))
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
	for _, door := range []struct {
		target, operations string
		found              *string
	}{
		{here.DynamoDB, "DynamoDB_", &found.DynamoDB},
		{here.SecretsManager, "secretsmanager.", &found.SecretsManager},
	} {
		u, err := url.Parse(door.target)
		if err != nil {
			return addresses{}, fmt.Errorf("open door to %s: %w", door.target, err)
		}
		port, err := d.open(bridge.String(), onlySDK(door.operations, &httputil.ReverseProxy{
			Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(u) },
			ErrorLog: log.New(io.Discard, "", 0),
		}))
		if err != nil {
			return addresses{}, err
		}
		*door.found = fmt.Sprintf("http://%s:%d", hostForContainers, port)
	}
	port, err := d.openTLS(bridge.String(), certificate, weComAPI)
	if err != nil {
		return addresses{}, err
	}
	found.WeComAPI = fmt.Sprintf("https://%s:%d", hostForContainers, port)
	return found, nil
}

// onlySDK lets calls of one service through, as the SDK makes them: the bridge may be
// reached by more than the containers of the functions.
func onlySDK(operations string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("Origin") != "" || !strings.HasPrefix(r.Header.Get("X-Amz-Target"), operations) {
			http.Error(w, "for functions in containers", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}
