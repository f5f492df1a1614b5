package notify

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/oauth"
)

// Attack: an address that was registered leads to a machine of this network, by itself, by
// its name, or by another spelling.
func TestLogoutGoesToNoPrivateAddress(t *testing.T) {
	for _, test := range []struct {
		address string
		want    bool
	}{
		{"8.8.8.8", true},
		{"1.1.1.1", true},
		{"172.15.255.255", true},
		{"172.32.0.1", true},
		{"100.63.255.255", true},
		{"100.128.0.0", true},
		{"2606:4700:4700::1111", true},
		{"2a00:1450:4001:80e::200e", true},
		{"::ffff:8.8.8.8", true},

		{"0.0.0.0", false},
		{"0.1.2.3", false},
		{"10.0.0.1", false},
		{"10.255.255.255", false},
		{"100.64.0.1", false},
		{"100.100.100.200", false}, // the metadata of another cloud
		{"127.0.0.1", false},
		{"127.255.255.254", false},
		{"169.254.169.254", false}, // the metadata of EC2
		{"169.254.170.2", false},   // the credentials of ECS
		{"169.254.100.1", false},
		{"172.16.0.1", false},
		{"172.31.255.255", false},
		{"192.0.0.1", false},
		{"192.0.2.1", false},
		{"192.88.99.1", false},
		{"192.168.0.1", false},
		{"198.18.0.1", false},
		{"198.19.255.255", false},
		{"198.51.100.1", false},
		{"203.0.113.1", false},
		{"224.0.0.1", false},
		{"239.255.255.255", false},
		{"240.0.0.1", false},
		{"255.255.255.255", false},
		{"::", false},
		{"::1", false},
		{"::127.0.0.1", false},
		{"::ffff:0.0.0.0", false},
		{"::ffff:10.0.0.1", false},
		{"::ffff:127.0.0.1", false},
		{"::ffff:169.254.169.254", false},
		{"::ffff:0:127.0.0.1", false},
		{"64:ff9b::a9fe:a9fe", false}, // NAT64 of 169.254.169.254
		{"64:ff9b:1::1", false},
		{"100::1", false},
		{"2001::1", false}, // Teredo
		{"2001:db8::1", false},
		{"2002:7f00:1::", false}, // 6to4 of 127.0.0.1
		{"3fff::1", false},
		{"fc00::1", false},
		{"fd00::1", false},
		{"fd00:ec2::254", false}, // the metadata of EC2
		{"fe80::1", false},
		{"fe80::1%eth0", false},
		{"fec0::1", false},
		{"ff02::1", false},
		{"2a00:1450::1%eth0", false},
	} {
		if got := isCallable(netip.MustParseAddr(test.address), false); got != test.want {
			t.Errorf("%s: %v", test.address, got)
		}
		// The local run opens loopback, and nothing else.
		ip := netip.MustParseAddr(test.address).Unmap()
		if got := isCallable(ip, true); got != (test.want || ip.IsLoopback()) {
			t.Errorf("%s in the local run: %v", test.address, got)
		}
	}
	if isCallable(netip.Addr{}, true) {
		t.Error("no address")
	}
}

// Attack: the same over the whole way: nothing is connected to, whatever the name is.
func TestLogoutConnectsToNoPrivateAddress(t *testing.T) {
	var connected atomic.Int64
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connected.Add(1)
		}
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "https://"), ":")
	for _, address := range []string{
		"https://127.0.0.1:" + port,
		"https://localhost:" + port, // a name that stands for it
		"https://[::ffff:127.0.0.1]:" + port,
		"https://[::1]:" + port,
		"https://0.0.0.0:" + port,
		"https://[::]:" + port,
		"https://169.254.169.254/latest/meta-data/",
		"https://10.0.0.1/",
		"http://127.0.0.1:" + port,
		"http://localhost:" + port,
		"http://wiki.example.com/",
		"https://user:password@wiki.example.com/",
		"https://wiki.example.com/#fragment",
		"https:///path",
		"https://",
		"//wiki.example.com/",
		"ftp://wiki.example.com/",
		"file:///etc/passwd",
		"javascript:alert(1)",
		"https://wiki.example.com\x00/",
		"https://wiki example.com/",
		"wiki.example.com",
	} {
		b := newBench(t, func(c *Config) { c.AllowLoopback = false })
		b.application("wiki", address)
		b.grant("alice", "lineage", "wiki")
		b.end("lineage")
		b.queue.run(t, b.function)
		// It is final: an address does not change by itself.
		b.equal(address, []string{"alice invalid_request backchannel_address"}, b.attempts("wiki"))
	}
	// Names are looked up: these pass for public ones until then.
	for _, address := range []string{"https://localhost:" + port, "https://127.0.0.1:" + port, "https://[::ffff:7f00:1]:" + port} {
		if response, err := newClient(false).Get(address); causeOf(err) != oauth.CauseBackchannelAddress {
			if err == nil {
				_ = response.Body.Close()
			}
			t.Errorf("%s: %v", address, err)
		}
	}
	if n := connected.Load(); n > 0 {
		t.Errorf("%d connections", n)
	}
}
