package admin_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// plain does not encrypt.
type plain struct{}

func (plain) Seal(plaintext, _ []byte) ([]byte, error) { return slices.Clone(plaintext), nil }
func (plain) Open(sealed, _ []byte) ([]byte, error)    { return sealed, nil }

// The check against a WeCom that behaves like the real one.
func TestCheckAgainstSimulator(t *testing.T) {
	const corp, agent = "ww0123456789", "1000002"
	simulator := wecomsim.New(wecomsim.Config{Corps: []wecomsim.Corp{{
		ID: corp, Apps: []wecomsim.App{{AgentID: agent, Secret: theSecret, TrustedDomain: "signin.example.com", TrustedIPs: []string{"203.0.113.7"}}},
	}}})
	address := simulator.Start(t)
	o := newOffice(t)
	client := wecom.New(wecom.Config{APIURL: address})
	o.assemble(publicURL, func(cfg *admin.Config) {
		cfg.WeCom = client
		cfg.Tokens = accesstoken.New(accesstoken.Config{Store: o.directory, Sealer: plain{}, Fetcher: client, Secrets: o.vault})
	})
	check := func() string {
		t.Helper()
		got := o.expect(200, request{method: "POST", path: "/api/admin/authenticators/hr/check", header: map[string]string{"Accept-Language": "en"}})
		if strings.Contains(got.body+o.log.String(), theSecret) {
			t.Error("the secret came out")
		}
		var result struct {
			OK    bool
			Steps []struct {
				Step      string
				OK        bool
				WeComCode int
				Fix       string
			}
		}
		got.decode(t, &result)
		text := fmt.Sprint(result.OK)
		for _, step := range result.Steps {
			text += fmt.Sprintf(" %s:%d", step.Step, step.WeComCode)
			if step.WeComCode == wecom.UntrustedIP && !strings.Contains(step.Fix, "198.51.100.9") {
				t.Errorf("the address is not named: %s", step.Fix)
			}
		}
		return text
	}
	patch := func(body string) {
		t.Helper()
		o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: body})
	}
	o.create("hr", "")
	simulator.SetCallerIP("198.51.100.9")
	if got := check(); got != "false credentials:0 trusted-ip:60020" {
		t.Error(got)
	}
	simulator.SetCallerIP("203.0.113.7")
	if got := check(); got != "true credentials:0 trusted-ip:0 agent:0 trusted-domain:0 visible-range:0" {
		t.Error(got)
	}
	patch(`{"secret":"wrong"}`)
	if got := check(); got != "false credentials:40001" {
		t.Error(got)
	}
	// A refused secret is remembered for sign-ins, but not for a check.
	patch(`{"secret":"` + theSecret + `"}`)
	if got := check(); got != "true credentials:0 trusted-ip:0 agent:0 trusted-domain:0 visible-range:0" {
		t.Error(got)
	}
	patch(`{"corpId":"ww9999999999"}`)
	if got := check(); got != "false credentials:40013" {
		t.Error(got)
	}
	// Every difference is reported, at the cost of one call of each kind.
	patch(`{"corpId":"` + corp + `","agentId":"1000003"}`)
	counted := []string{"/cgi-bin/gettoken", "/cgi-bin/auth/getuserinfo", wecomsim.PathGetAgent}
	var calls []int
	for _, path := range counted {
		calls = append(calls, simulator.Calls(path))
	}
	if got := check(); got != "false credentials:0 trusted-ip:0 agent:301002" {
		t.Error(got)
	}
	for i, path := range counted {
		if made := simulator.Calls(path) - calls[i]; made != 1 {
			t.Errorf("%d calls of %s", made, path)
		}
	}
	patch(`{"agentId":"0"}`)
	if got := check(); got != "false credentials:0 trusted-ip:0 agent:40056" {
		t.Error(got)
	}
	patch(`{"corpId":"ww9999999999"}`)
	before := simulator.Calls("/cgi-bin/gettoken")
	if got := check(); got != "false credentials:40013" || simulator.Calls("/cgi-bin/gettoken") != before+1 {
		t.Errorf("a repeated check does not ask WeCom: %s", got)
	}
}
