package admin_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

func TestCheck(t *testing.T) {
	const (
		credentials = `{"step":"credentials","ok":true,"wecomCode":0,"title":"The Company ID ww0123456789 and the Secret are correct","fix":""}`
		trustedIP   = `{"step":"trusted-ip","ok":true,"wecomCode":0,"title":"WeCom accepts calls from this service","fix":""}`
		unavailable = `"ok":false,"wecomCode":0,"title":"WeCom could not be reached","fix":"Wait a moment and check again. If it keeps happening, the operator must let this service reach WeCom's API over the internet."}`
	)
	tests := []struct {
		name            string
		token, identify error
		language        string
		want            string
	}{
		{
			"good", nil, &wecom.Error{Code: wecom.InvalidCode}, "en",
			`{"ok":true,"steps":[` + credentials + `,` + trustedIP + `]}`,
		},
		{
			"wrong secret", &wecom.Error{Code: wecom.InvalidCredential, CallerIP: "203.0.113.7"}, nil, "zh-CN",
			`{"ok":false,"steps":[{"step":"credentials","ok":false,"wecomCode":40001,"title":"企业微信不接受该 Secret（企业 ID：ww0123456789）","fix":"请在该企业的企业微信管理后台打开“应用管理 → 该应用”，重新查看 Secret 并填写到这里，同时确认应用已启用。"}]}`,
		},
		{
			"address not trusted", nil, fmt.Errorf("identify: %w", &wecom.Error{Code: wecom.UntrustedIP, CallerIP: "203.0.113.7"}), "en-GB,en;q=0.9",
			`{"ok":false,"steps":[` + credentials + `,` +
				`{"step":"trusted-ip","ok":false,"wecomCode":60020,"title":"WeCom does not trust the address that this service calls from","fix":"In WeCom's admin console, open App Management → your app → Corporate trusted IP, add 203.0.113.7, wait a minute and check again. If WeCom does not take it yet, set the trusted domain first."}]}`,
		},
		{
			"address not trusted, at gettoken already", &wecom.Error{Code: wecom.UntrustedIP, CallerIP: "<b>203.0.113.7</b>"}, nil, "en",
			`{"ok":false,"steps":[{"step":"credentials","ok":false,"wecomCode":60020,"title":"WeCom does not trust the address that this service calls from","fix":"In WeCom's admin console, open App Management → your app → Corporate trusted IP, add the public IPv4 address of this service, wait a minute and check again. The operator of this service knows the address."}]}`,
		},
		{
			"unknown number", nil, &wecom.Error{Code: 987654}, "en",
			`{"ok":false,"steps":[` + credentials + `,` +
				`{"step":"trusted-ip","ok":false,"wecomCode":987654,"title":"WeCom answers with error 987654","fix":"Look the number up at https://open.work.weixin.qq.com/devtool/query?e=987654, repair what it names and check again."}]}`,
		},
		{
			"no answer", &wecom.UnavailableError{Op: "gettoken"}, nil, "en",
			`{"ok":false,"steps":[{"step":"credentials",` + unavailable + `]}`,
		},
		{
			"too slow", nil, fmt.Errorf("call: %w", context.DeadlineExceeded), "en",
			`{"ok":false,"steps":[` + credentials + `,{"step":"trusted-ip",` + unavailable + `]}`,
		},
		{
			"secret gone", fmt.Errorf("read: %w", secret.ErrNotFound), nil, "",
			`{"ok":false,"steps":[{"step":"credentials","ok":false,"wecomCode":41004,"title":"找不到该应用的 Secret","fix":"请在此认证器中重新填写 Secret。Secret 可在企业微信管理后台“应用管理 → 该应用”中查看。"}]}`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newOffice(t)
			o.create("hr", "")
			o.tokens.err, o.wecom.err = test.token, test.identify
			got := o.expect(200, request{method: "POST", path: "/api/admin/authenticators/hr/check", header: map[string]string{"Accept-Language": test.language}})
			if strings.TrimSpace(got.body) != test.want {
				t.Errorf("got\n%s\nwant\n%s", got.body, test.want)
			}
			// A remembered refusal must not answer in WeCom's place.
			if a := o.authenticator("hr"); fmt.Sprint(o.tokens.calls) != "[forget token]" || o.tokens.lastID != a.ID {
				t.Errorf("calls %v for %s", o.tokens.calls, o.tokens.lastID)
			}
			// agent/get needs what the earlier steps check.
			if asked := slices.Contains(o.wecom.calls, "agent/get 1000002"); asked != (test.name == "good") {
				t.Errorf("calls %v", o.wecom.calls)
			}
		})
	}
	o := newOffice(t)
	o.create("hr", "")
	o.tokens.err = errSecretDetail
	if got := o.expect(500, request{method: "POST", path: "/api/admin/authenticators/hr/check"}); strings.Contains(got.body, "table") {
		t.Error(got.body)
	}
}

// agent/get adds three steps. Only a contradiction fails; what WeCom does not say is
// left out.
func TestCheckOfAgent(t *testing.T) {
	good := wecom.Agent{
		AgentID: "1000002", Name: "人事", TrustedDomain: "signin.example.com", TrustedDomainTold: true,
		Visible: wecom.VisibleRange{Members: 12, Departments: 1, Told: true},
	}
	with := func(change func(*wecom.Agent)) wecom.Agent {
		a := good
		change(&a)
		return a
	}
	tests := []struct {
		name  string
		agent wecom.Agent
		err   error
		want  []string // step, ok, WeCom's number and title
	}{
		{"good", good, nil, []string{
			"agent true 0 The app “人事” (AgentId 1000002) belongs to the Secret and is enabled",
			"trusted-domain true 0 The app's trusted domain is signin.example.com",
			"visible-range true 0 The app has a visible range. Members: 12, departments: 1, tags: 0",
		}},
		{"no name", wecom.Agent{AgentID: "1000002"}, nil, []string{"agent true 0 The app “1000002” (AgentId 1000002) belongs to the Secret and is enabled"}},
		{"zeros in front", wecom.Agent{AgentID: "001000002", Name: "x"}, nil, []string{"agent true 0 The app “x” (AgentId 1000002) belongs to the Secret and is enabled"}},
		{"another app answers", with(func(a *wecom.Agent) { a.AgentID = "1000003" }), nil, []string{"agent false 301002 The AgentId 1000002 and the Secret belong to different apps"}},
		{"all wrong", with(func(a *wecom.Agent) {
			a.Closed, a.TrustedDomain, a.Visible = true, "www.example.com", wecom.VisibleRange{Told: true}
		}), nil, []string{
			"agent false 50003 The app is disabled in WeCom",
			"trusted-domain false 0 The app's trusted domain is www.example.com, but must be signin.example.com",
			"visible-range false 0 The app is visible to nobody",
		}},
		{"no domain yet", with(func(a *wecom.Agent) { a.TrustedDomain, a.Visible.Told = "", false }), nil, []string{
			"agent true 0 The app “人事” (AgentId 1000002) belongs to the Secret and is enabled",
			"trusted-domain false 0 The app has no trusted domain yet",
		}},
		{"a port too many", with(func(a *wecom.Agent) { a.TrustedDomain, a.Visible.Told = "signin.example.com:443", false }), nil, []string{
			"agent true 0 The app “人事” (AgentId 1000002) belongs to the Secret and is enabled",
			"trusted-domain false 0 The app's trusted domain is signin.example.com:443, but must be signin.example.com",
		}},
		{"a tag alone is a range", wecom.Agent{AgentID: "1000002", Name: "x", Visible: wecom.VisibleRange{Tags: 1, Told: true}}, nil, []string{
			"agent true 0 The app “x” (AgentId 1000002) belongs to the Secret and is enabled",
			"visible-range true 0 The app has a visible range. Members: 0, departments: 0, tags: 1",
		}},
		{"token of another app", good, &wecom.Error{Code: wecom.WrongAgent}, []string{"agent false 301002 The AgentId 1000002 and the Secret belong to different apps"}},
		{"no such app", good, &wecom.Error{Code: wecom.InvalidAgentID}, []string{"agent false 40056 WeCom knows no app with the AgentId 1000002"}},
		{"disabled a moment ago", good, &wecom.Error{Code: wecom.AppDisabled}, []string{"agent false 50003 The app is disabled in WeCom"}},
		{"not allowed", good, &wecom.Error{Code: wecom.APIForbidden}, nil},
		{"no privilege", good, &wecom.Error{Code: wecom.OutOfScope}, nil},
		{"busy", good, &wecom.Error{Code: wecom.SystemBusy}, nil},
		{"blocked", good, &wecom.Error{Code: wecom.RateLimited}, nil},
		{"unknown number", good, &wecom.Error{Code: 987654}, nil},
		{"no such call", good, &wecom.UnavailableError{Op: "agent/get", Reason: "HTTP status 404"}, nil},
		{"too slow", good, context.DeadlineExceeded, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newOffice(t)
			o.create("hr", "")
			o.wecom.agent, o.wecom.agentErr = test.agent, test.err
			want := append([]string{
				"credentials true 0 The Company ID ww0123456789 and the Secret are correct", "trusted-ip true 0 WeCom accepts calls from this service",
			}, test.want...)
			if got := checked(t, o, "en"); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if fmt.Sprint(o.wecom.calls) != "[getuserinfo agent/get 1000002]" || fmt.Sprint(o.tokens.calls) != "[forget token]" {
				t.Errorf("calls %v %v", o.tokens.calls, o.wecom.calls)
			}
		})
	}
}

// checked returns the steps of a check as "step ok code title", and fails for incomplete
// ones.
func checked(t *testing.T, o *office, language string) []string {
	t.Helper()
	var result struct {
		OK    bool
		Steps []struct {
			Step, Title, Fix string
			OK               bool
			WeComCode        int
		}
	}
	answer := o.expect(200, request{method: "POST", path: "/api/admin/authenticators/hr/check", header: map[string]string{"Accept-Language": language}})
	answer.decode(t, &result)
	good := true
	var lines []string
	for _, step := range result.Steps {
		good = good && step.OK
		lines = append(lines, fmt.Sprintf("%s %v %d %s", step.Step, step.OK, step.WeComCode, step.Title))
		if step.Title == "" || step.OK != (step.Fix == "") || strings.ContainsAny(step.Title+step.Fix, "{}") || strings.Contains(step.Title+step.Fix, "check.") {
			t.Errorf("%+v", step)
		}
	}
	if result.OK != good || answer.header["vary"] != "Accept-Language" {
		t.Errorf("%s %v", answer.body, answer.header)
	}
	return lines
}

// Every number with its own sentences has them, without open places.
func TestCheckOfEveryCode(t *testing.T) {
	for _, code := range []int{-1, 45033, 40001, 40091, 41004, 40013, 41002, 40014, 42001, 40056, 45009, 48002, 50001, 50003, 60020, 60031, 301002, 301007, 1} {
		for _, language := range []string{"zh-CN", "en"} {
			for _, ip := range []string{"", "203.0.113.7"} {
				o := newOffice(t)
				o.create("hr", "")
				o.wecom.err = &wecom.Error{Code: code, CallerIP: ip}
				got := checked(t, o, language)
				if len(got) != 2 || !strings.HasPrefix(got[1], fmt.Sprintf("trusted-ip false %d ", code)) || code != 1 && strings.HasSuffix(got[1], fmt.Sprint(code)) {
					t.Errorf("%d in %s: %v", code, language, got)
				}
			}
		}
	}
}

// With two apps, the sentences of a check name the corp or app that it is about.
func TestCheckTellsAppsApart(t *testing.T) {
	for _, code := range []int{wecom.InvalidCredential, wecom.InvalidCorpID, wecom.InvalidAgentID, wecom.WrongAgent} {
		var titles []string
		for _, change := range []string{``, `{"corpId":"ww9876543210","agentId":"1000009"}`} {
			o := newOffice(t)
			o.create("hr", "")
			if change != "" {
				o.expect(200, request{method: "PATCH", path: "/api/admin/authenticators/hr", body: change})
			}
			o.wecom.err = &wecom.Error{Code: code}
			titles = append(titles, checked(t, o, "zh-CN")[1])
		}
		if titles[0] == titles[1] {
			t.Errorf("%d: %s", code, titles[0])
		}
	}
}
