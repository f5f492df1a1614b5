package admin_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

func TestCheck(t *testing.T) {
	tests := []struct {
		name            string
		token, identify error
		language        string
		want            string
	}{
		{
			"good", nil, &wecom.Error{Code: wecom.InvalidCode}, "en",
			`{"ok":true,"steps":[{"step":"credentials","ok":true,"wecomCode":0,"title":"Corp ID and secret are correct","fix":""},` +
				`{"step":"trusted-ip","ok":true,"wecomCode":0,"title":"WeCom accepts calls from this service","fix":""}]}`,
		},
		{
			"wrong secret", &wecom.Error{Code: wecom.InvalidCredential, CallerIP: "203.0.113.7"}, nil, "zh-CN",
			`{"ok":false,"steps":[{"step":"credentials","ok":false,"wecomCode":40001,"title":"企业微信不接受该 Secret","fix":"请在本企业的应用详情页（应用管理 → 应用 → Secret）重新复制，并确认应用已启用。"}]}`,
		},
		{
			"address not trusted", nil, fmt.Errorf("identify: %w", &wecom.Error{Code: wecom.UntrustedIP, CallerIP: "203.0.113.7"}), "en-GB,en;q=0.9",
			`{"ok":false,"steps":[{"step":"credentials","ok":true,"wecomCode":0,"title":"Corp ID and secret are correct","fix":""},` +
				`{"step":"trusted-ip","ok":false,"wecomCode":60020,"title":"WeCom does not trust the address that this service calls from","fix":"Add 203.0.113.7 to the app's trusted IP addresses (Apps → your app → Trusted IP), wait a minute, and check again."}]}`,
		},
		{
			"address not trusted, at gettoken already", &wecom.Error{Code: wecom.UntrustedIP, CallerIP: "<b>203.0.113.7</b>"}, nil, "en",
			`{"ok":false,"steps":[{"step":"credentials","ok":false,"wecomCode":60020,"title":"WeCom does not trust the address that this service calls from","fix":"Add the service's public IP address to the app's trusted IP addresses (Apps → your app → Trusted IP), wait a minute, and check again."}]}`,
		},
		{
			"unknown number", nil, &wecom.Error{Code: 987654}, "en",
			`{"ok":false,"steps":[{"step":"credentials","ok":true,"wecomCode":0,"title":"Corp ID and secret are correct","fix":""},` +
				`{"step":"trusted-ip","ok":false,"wecomCode":987654,"title":"WeCom answers with error 987654","fix":"Look the number up at https://open.work.weixin.qq.com/devtool/query and check again."}]}`,
		},
		{
			"no answer", &wecom.UnavailableError{Op: "gettoken"}, nil, "en",
			`{"ok":false,"steps":[{"step":"credentials","ok":false,"wecomCode":0,"title":"WeCom could not be reached","fix":"Check that the service can reach WeCom's API over the internet, and try again."}]}`,
		},
		{
			"too slow", nil, fmt.Errorf("call: %w", context.DeadlineExceeded), "en",
			`{"ok":false,"steps":[{"step":"credentials","ok":true,"wecomCode":0,"title":"Corp ID and secret are correct","fix":""},` +
				`{"step":"trusted-ip","ok":false,"wecomCode":0,"title":"WeCom could not be reached","fix":"Check that the service can reach WeCom's API over the internet, and try again."}]}`,
		},
		{
			"secret gone", fmt.Errorf("read: %w", secret.ErrNotFound), nil, "",
			`{"ok":false,"steps":[{"step":"credentials","ok":false,"wecomCode":0,"title":"找不到 Secret","fix":"请编辑认证器，重新填写应用的 Secret。"}]}`,
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
			// A refusal that is remembered must not answer for WeCom.
			if a := o.authenticator("hr"); fmt.Sprint(o.tokens.calls) != "[forget token]" || o.tokens.lastID != a.ID {
				t.Errorf("calls %v for %s", o.tokens.calls, o.tokens.lastID)
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
