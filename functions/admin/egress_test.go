package admin_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

func TestEgress(t *testing.T) {
	for _, test := range []struct {
		name    string
		setting []netip.Addr
		caller  string
		want    string
		calls   string
	}{
		{"setting", []netip.Addr{netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("203.0.113.8")}, "198.51.100.9", `{"addresses":["203.0.113.7","203.0.113.8"],"source":"setting"}`, "[]"},
		{"as WeCom sees it", nil, "198.51.100.9", `{"addresses":["198.51.100.9"],"source":"wecom"}`, "[gettoken]"},
		{"WeCom does not answer", nil, "", `{"addresses":[],"source":"unknown"}`, "[gettoken]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := newOffice(t)
			o.wecom.caller = test.caller
			o.assemble(publicURL, func(cfg *admin.Config) { cfg.EgressAddresses = test.setting })
			if got := o.expect(200, request{method: "GET", path: "/api/admin/egress"}); got.body != test.want+"\n" || fmt.Sprint(o.wecom.calls) != test.calls {
				t.Errorf("%s, calls %v", got.body, o.wecom.calls)
			}
			o.expect(405, request{method: "POST", path: "/api/admin/egress"})
		})
	}
}

func TestEgressAgainstSimulator(t *testing.T) {
	simulator := wecomsim.New(wecomsim.Config{})
	client := wecom.New(wecom.Config{APIURL: simulator.Start(t)})
	o := newOffice(t)
	o.assemble(publicURL, func(cfg *admin.Config) { cfg.WeCom = client })
	for ip, want := range map[string]string{
		"203.0.113.7": `{"addresses":["203.0.113.7"],"source":"wecom"}`,
		"10.0.0.7":    `{"addresses":[],"source":"unknown"}`,
	} {
		simulator.SetCallerIP(ip)
		if got := o.expect(200, request{method: "GET", path: "/api/admin/egress"}); got.body != want+"\n" {
			t.Errorf("%s: %s", ip, got.body)
		}
	}
}
