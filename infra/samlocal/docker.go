package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// dockerEngine is a Docker engine, asked through its own API: the docker command need not
// be there, and may speak to another engine than SAM does.
type dockerEngine struct {
	client *http.Client
	base   string
}

// findDocker returns the engine that SAM uses, or an error that says why there is
// none.
func findDocker(ctx context.Context, dockerHost string) (*dockerEngine, error) {
	scheme, address, _ := strings.Cut(dockerHost, "://")
	d := &dockerEngine{base: "http://docker"}
	network := "unix"
	switch scheme {
	case "unix":
	case "tcp", "http":
		network = "tcp"
		address = strings.TrimRight(address, "/")
	default:
		return nil, fmt.Errorf("DOCKER_HOST of the kind %q is not supported", scheme)
	}
	d.client = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
		DisableKeepAlives: true,
	}}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := d.get(ctx, "/_ping", nil); err != nil {
		return nil, errors.New("no Docker engine answers at " + dockerHost)
	}
	return d, nil
}

func (d *dockerEngine) get(ctx context.Context, path string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base+path, http.NoBody) //nolint:gosec // the engine that the caller chose
	if err != nil {
		return fmt.Errorf("ask Docker: %w", err)
	}
	response, err := d.client.Do(r) //nolint:gosec // as above
	if err != nil {
		return fmt.Errorf("ask Docker: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask Docker for %s: status %d", path, response.StatusCode)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(into); err != nil {
		return fmt.Errorf("read what Docker says of %s: %w", path, err)
	}
	return nil
}

// bridge returns this machine's address on the network of containers. None is no
// error: where Docker runs in a virtual machine of its own (Docker Desktop), its
// host.docker.internal leads to loopback.
func (d *dockerEngine) bridge(ctx context.Context) (netip.Addr, error) {
	var network struct {
		IPAM struct{ Config []struct{ Subnet string } }
	}
	if err := d.get(ctx, "/networks/bridge", &network); err != nil {
		return netip.Addr{}, err
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("read this machine's addresses: %w", err)
	}
	for _, config := range network.IPAM.Config {
		subnet, err := netip.ParsePrefix(config.Subnet)
		if err != nil || !subnet.Addr().Is4() {
			continue
		}
		for _, address := range own {
			if prefix, err := netip.ParsePrefix(address.String()); err == nil && subnet.Contains(prefix.Addr()) {
				return prefix.Addr(), nil
			}
		}
	}
	return netip.Addr{}, nil
}
