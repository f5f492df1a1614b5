package admin_test

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/functions/admin"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/accesstoken"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// plain seals nothing: what is sealed is not the question here.
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
	o.function = apigw.New(apigw.Config{
		Name: "admin", PublicURL: publicURL, MaxBody: admin.MaxBody, Logger: slog.New(slog.NewJSONHandler(io.MultiWriter(o.log), nil)),
		Handler: admin.New(admin.Config{
			Directory: o.directory, Secrets: o.vault, SecretName: secretName, WeCom: client,
			Tokens: accesstoken.New(accesstoken.Config{Store: o.directory, Sealer: plain{}, Fetcher: client, Secrets: o.vault}),
		}),
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
	if got := check(); got != "true credentials:0 trusted-ip:0" {
		t.Error(got)
	}
	patch(`{"secret":"wrong"}`)
	if got := check(); got != "false credentials:40001" {
		t.Error(got)
	}
	// The refusal is remembered for sign-ins, and not for the one who repairs it.
	patch(`{"secret":"` + theSecret + `"}`)
	if got := check(); got != "true credentials:0 trusted-ip:0" {
		t.Error(got)
	}
	patch(`{"corpId":"ww9999999999"}`)
	if got := check(); got != "false credentials:40013" {
		t.Error(got)
	}
	before := simulator.Calls("/cgi-bin/gettoken")
	if got := check(); got != "false credentials:40013" || simulator.Calls("/cgi-bin/gettoken") != before+1 {
		t.Errorf("a repeated check does not ask WeCom: %s", got)
	}
}
