package settings_test

import (
	"maps"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// everything names all settings.
func everything() []settings.Name {
	return []settings.Name{
		settings.PublicURL, settings.WeComAPIURL, settings.WeComOAuthURL, settings.WeComLoginURL,
		settings.DirectoryTable, settings.TransientTable, settings.AuditTable, settings.AuditRetention,
		settings.SigningKeysSecret, settings.SealingKeysSecret, settings.AdminKeySecret, settings.AuthenticatorSecretPrefix,
		settings.LogoutQueueURL, settings.SessionLifetime, settings.MemberCheckInterval, settings.MemberChecksFunction, settings.SessionCookieDomain,
		settings.CompanyName, settings.CompanyLogo, settings.SignInPanel, settings.EgressAddresses, settings.LookupMissesPerDay, settings.ServiceName,
		settings.Port, settings.DataDir, settings.AdminKey,
	}
}

func lookup(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

// required is the smallest environment in which a program starts: one that an update is about
// to complete.
func required() map[string]string {
	return map[string]string{
		"DIRECTORY_TABLE": "directory", "TRANSIENT_TABLE": "transient", "SIGNING_KEYS_SECRET": "signing", "ADMIN_KEY_SECRET": "admin",
		"AUTHENTICATOR_SECRET_PREFIX": "stack/authenticators/", "LOGOUT_QUEUE_URL": "https://sqs.example.com/queue",
	}
}

func compareSecrets(a, b secret.Value) bool { return a.Reveal() == b.Reveal() }

func sameAddress(a, b netip.Addr) bool { return a == b }

func TestDefaults(t *testing.T) {
	want := settings.Settings{
		WeComAPIURL:    "https://qyapi.weixin.qq.com",
		WeComOAuthURL:  "https://open.weixin.qq.com",
		WeComLoginURL:  "https://login.work.weixin.qq.com",
		DirectoryTable: "directory", TransientTable: "transient", AuditRetention: 180 * 24 * time.Hour,
		SigningKeysSecret: "signing", AdminKeySecret: "admin",
		AuthenticatorSecretPrefix: "stack/authenticators/",
		LogoutQueueURL:            "https://sqs.example.com/queue",
		SessionLifetime:           8 * time.Hour,
		SignInPanel:               true,
		MemberCheckInterval:       24 * time.Hour,
		LookupMissesPerDay:        10,
		Port:                      3000,
		DataDir:                   ".local",
	}
	withEmpty := required()
	for _, name := range everything() {
		if _, ok := withEmpty[string(name)]; !ok {
			withEmpty[string(name)] = "" // as for an empty parameter of a template
		}
	}
	for _, values := range []map[string]string{required(), withEmpty} {
		got, err := settings.FromEnvironment(lookup(values), everything()...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(compareSecrets), cmp.Comparer(sameAddress)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestEverySettingIsRead(t *testing.T) {
	values := map[string]string{
		"PUBLIC_URL":                  "HTTPS://Signin.Example.com:443/",
		"WECOM_API_URL":               "https://relay.example.com/qyapi/",
		"WECOM_OAUTH_URL":             "http://localhost:3001",
		"WECOM_LOGIN_URL":             "http://127.0.0.1:80",
		"DIRECTORY_TABLE":             "d",
		"TRANSIENT_TABLE":             "t",
		"AUDIT_TABLE":                 "u",
		"AUDIT_RETENTION":             "48h",
		"SIGNING_KEYS_SECRET":         "arn:aws-cn:secretsmanager:cn-north-1:1:secret:a",
		"SEALING_KEYS_SECRET":         "b",
		"ADMIN_KEY_SECRET":            "c",
		"AUTHENTICATOR_SECRET_PREFIX": "p/",
		"LOGOUT_QUEUE_URL":            "q",
		"SESSION_LIFETIME":            "90m",
		"MEMBER_CHECK_INTERVAL":       "1h",
		"MEMBER_CHECKS_FUNCTION":      "f",
		"SESSION_COOKIE_DOMAIN":       "Example.COM",
		"COMPANY_NAME":                " 山海示例科技 ",
		"COMPANY_LOGO":                "https://cdn.example.com:8443/logo.png?v=2",
		"SIGNIN_PANEL":                "off",
		"EGRESS_ADDRESSES":            "8.8.4.4, 8.8.8.8",
		"LOOKUP_MISSES_PER_DAY":       "25",
		"SERVICE_NAME":                "wecom-signin",
		"PORT":                        "0",
		"DATA_DIR":                    "/tmp/x",
		"ADMIN_KEY":                   "k",
	}
	want := settings.Settings{
		PublicURL:      "https://signin.example.com",
		WeComAPIURL:    "https://relay.example.com/qyapi",
		WeComOAuthURL:  "http://localhost:3001",
		WeComLoginURL:  "http://127.0.0.1",
		DirectoryTable: "d", TransientTable: "t", AuditTable: "u", AuditRetention: 48 * time.Hour,
		SigningKeysSecret: "arn:aws-cn:secretsmanager:cn-north-1:1:secret:a", SealingKeysSecret: "b", AdminKeySecret: "c",
		AuthenticatorSecretPrefix: "p/",
		LogoutQueueURL:            "q",
		SessionLifetime:           90 * time.Minute,
		MemberCheckInterval:       time.Hour,
		MemberChecksFunction:      "f",
		SessionCookieDomain:       "example.com",
		CompanyName:               "山海示例科技",
		CompanyLogo:               "https://cdn.example.com:8443/logo.png?v=2",
		EgressAddresses:           []netip.Addr{netip.MustParseAddr("8.8.4.4"), netip.MustParseAddr("8.8.8.8")},
		LookupMissesPerDay:        25,
		ServiceName:               "wecom-signin",
		DataDir:                   "/tmp/x",
		AdminKey:                  secret.NewValue("k"),
	}
	got, err := settings.FromEnvironment(lookup(values), everything()...)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(compareSecrets), cmp.Comparer(sameAddress)); diff != "" {
		t.Error(diff)
	}
}

// A program is not stopped by what it does not use, and sees nothing of it.
func TestOnlyNamedSettingsAreRead(t *testing.T) {
	var read []string
	got, err := settings.FromEnvironment(func(name string) (string, bool) {
		read = append(read, name)
		return "table", true
	}, settings.DirectoryTable)
	if diff := cmp.Diff([]string{"DIRECTORY_TABLE"}, read); diff != "" || err != nil || got.DirectoryTable != "table" {
		t.Errorf("%s %+v %v", diff, got, err)
	}
}

func TestAllFaultsTogether(t *testing.T) {
	_, err := settings.FromEnvironment(lookup(map[string]string{
		"PUBLIC_URL": "http://signin.example.com", "SESSION_LIFETIME": "forever", "AUDIT_RETENTION": "180 days", "PORT": "70000",
		"ADMIN_KEY": "a secret with spaces",
	}), append(everything(), "NO_SUCH_SETTING")...)
	if err == nil {
		t.Fatal("no error")
	}
	want := `PUBLIC_URL must be https (http is for loopback only)
DIRECTORY_TABLE is not set
TRANSIENT_TABLE is not set
AUDIT_RETENTION must be a duration such as 8h or 90m, from 24h0m0s to 87600h0m0s
SIGNING_KEYS_SECRET is not set
ADMIN_KEY_SECRET is not set
AUTHENTICATOR_SECRET_PREFIX is not set
LOGOUT_QUEUE_URL is not set
SESSION_LIFETIME must be a duration such as 8h or 90m, from 1s to 720h0m0s
PORT must be a number from 0 to 65535
ADMIN_KEY must be visible ASCII characters without spaces
NO_SUCH_SETTING is not a setting of this service`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name   string
		change map[string]string
		want   string
	}{
		{"table with a space", map[string]string{"DIRECTORY_TABLE": "a b"}, "DIRECTORY_TABLE must not hold spaces"},
		{"audit table with a space", map[string]string{"AUDIT_TABLE": "a b"}, "AUDIT_TABLE must not hold spaces"},
		{"prefix without a slash", map[string]string{"AUTHENTICATOR_SECRET_PREFIX": "prod"}, "AUTHENTICATOR_SECRET_PREFIX must be a path"},
		{"prefix that is everything", map[string]string{"AUTHENTICATOR_SECRET_PREFIX": "/"}, "AUTHENTICATOR_SECRET_PREFIX must be a path"},
		{"lifetime of zero", map[string]string{"SESSION_LIFETIME": "0s"}, "SESSION_LIFETIME must"},
		{"negative lifetime", map[string]string{"SESSION_LIFETIME": "-8h"}, "SESSION_LIFETIME must"},
		{"lifetime of years", map[string]string{"SESSION_LIFETIME": "99999h"}, "SESSION_LIFETIME must"},
		{"lifetime without a unit", map[string]string{"SESSION_LIFETIME": "8"}, "SESSION_LIFETIME must"},
		{"audit of an hour", map[string]string{"AUDIT_RETENTION": "1h"}, "AUDIT_RETENTION must"},
		{"audit for ever", map[string]string{"AUDIT_RETENTION": "99999h"}, "AUDIT_RETENTION must"},
		{"negative interval", map[string]string{"MEMBER_CHECK_INTERVAL": "-1s"}, "MEMBER_CHECK_INTERVAL must"},
		{"interval of years", map[string]string{"MEMBER_CHECK_INTERVAL": "99999h"}, "MEMBER_CHECK_INTERVAL must"},
		{"port that is a word", map[string]string{"PORT": "http"}, "PORT must"},
		{"negative port", map[string]string{"PORT": "-1"}, "PORT must"},
		{"panel that is neither on nor off", map[string]string{"SIGNIN_PANEL": "true"}, "SIGNIN_PANEL must be on or off"},
		{"API over plain http", map[string]string{"WECOM_API_URL": "http://qyapi.weixin.qq.com"}, "WECOM_API_URL must be https"},
		{"API with a query", map[string]string{"WECOM_API_URL": "https://a.example/?x"}, "WECOM_API_URL must not have a query"},
		{"public address with a path", map[string]string{"PUBLIC_URL": "https://a.example/signin"}, "PUBLIC_URL must be scheme, host and port"},
		{"cookie domain without a public address", map[string]string{"SESSION_COOKIE_DOMAIN": "example.com"}, "SESSION_COOKIE_DOMAIN needs PUBLIC_URL"},
		{"cookie domain of somebody else", map[string]string{"PUBLIC_URL": "https://signin.example.com", "SESSION_COOKIE_DOMAIN": "example.org"}, "SESSION_COOKIE_DOMAIN must be the host"},
		{"cookie domain that only ends alike", map[string]string{"PUBLIC_URL": "https://signin.badexample.com", "SESSION_COOKIE_DOMAIN": "example.com"}, "SESSION_COOKIE_DOMAIN must be the host"},
		{"cookie domain below the host", map[string]string{"PUBLIC_URL": "https://example.com", "SESSION_COOKIE_DOMAIN": "signin.example.com"}, "SESSION_COOKIE_DOMAIN must be the host"},
		{"cookie domain of one label", map[string]string{"PUBLIC_URL": "https://signin.example.com", "SESSION_COOKIE_DOMAIN": "com"}, "SESSION_COOKIE_DOMAIN must be a domain"},
		{"cookie domain with a leading dot", map[string]string{"PUBLIC_URL": "https://signin.example.com", "SESSION_COOKIE_DOMAIN": ".example.com"}, "SESSION_COOKIE_DOMAIN begins with a dot"},
		{"cookie domain that adds attributes", map[string]string{"PUBLIC_URL": "https://signin.example.com", "SESSION_COOKIE_DOMAIN": "example.com; SameSite=None"}, "SESSION_COOKIE_DOMAIN must be a domain"},
		{"cookie domain that is an IP address", map[string]string{"PUBLIC_URL": "http://127.0.0.1", "SESSION_COOKIE_DOMAIN": "127.0.0.1"}, "SESSION_COOKIE_DOMAIN must be a domain"},
		{"cookie domain that is a public suffix", map[string]string{"PUBLIC_URL": "https://signin.example.com.cn", "SESSION_COOKIE_DOMAIN": "com.cn"}, "SESSION_COOKIE_DOMAIN must be a domain of your own"},
		{"cookie domain of an API of anybody", map[string]string{"PUBLIC_URL": "https://x.execute-api.eu-central-1.amazonaws.com", "SESSION_COOKIE_DOMAIN": "execute-api.eu-central-1.amazonaws.com"}, "SESSION_COOKIE_DOMAIN must be a domain of your own"},
		{"cookie domain of all of AWS", map[string]string{"PUBLIC_URL": "https://x.execute-api.eu-central-1.amazonaws.com", "SESSION_COOKIE_DOMAIN": "amazonaws.com"}, "SESSION_COOKIE_DOMAIN must be a domain of your own"},
	}
	for _, test := range tests {
		values := required()
		maps.Copy(values, test.change)
		if _, err := settings.FromEnvironment(lookup(values), everything()...); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
}

// A function that shares cookies but does not know its address must not guess.
func TestCookieDomainFailsClosedWithoutPublicURL(t *testing.T) {
	values := map[string]string{"SESSION_COOKIE_DOMAIN": "example.com", "PUBLIC_URL": "https://signin.example.com"}
	if _, err := settings.FromEnvironment(lookup(values), settings.SessionCookieDomain); err == nil {
		t.Error("no error")
	}
}

func TestParseAddress(t *testing.T) {
	good := []struct {
		in   string
		path bool
		want string
	}{
		{"https://a.example", false, "https://a.example"},
		{"https://a.example/", false, "https://a.example"},
		{"https://A.Example:443", false, "https://a.example"},
		{"https://a.example:0443", false, "https://a.example"},
		{"https://a.example:8443", false, "https://a.example:8443"},
		{"https://a.example:80", false, "https://a.example:80"},
		{"https://192.0.2.1", false, "https://192.0.2.1"},
		{"http://localhost:3000/", false, "http://localhost:3000"},
		{"http://app.localhost:80", false, "http://app.localhost"},
		{"http://127.9.9.9", false, "http://127.9.9.9"},
		{"http://[::1]:3000", false, "http://[::1]:3000"},
		{"http://[0:0:0:0:0:0:0:1]:80", false, "http://[::1]"},
		{"https://xn--fiqs8s.example", false, "https://xn--fiqs8s.example"},
		{"https://a.example/base//", true, "https://a.example/base"},
		{"https://a.example/Ba%20se", true, "https://a.example/Ba%20se"},
	}
	for _, test := range good {
		got, err := settings.ParseAddress(test.in, test.path)
		if err != nil || got != test.want {
			t.Errorf("%s: got %q, %v", test.in, got, err)
		}
	}
	bad := []string{
		"", "a.example", "//a.example", "ftp://a.example", "https:a.example", "https://", "https:///x",
		"http://a.example", "http://localhost.a.example", "http://127.0.0.1.a.example", "http://10.0.0.1", "http://0.0.0.0",
		"https://user@a.example", "https://user:pass@a.example", "https://@a.example",
		"https://a.example?", "https://a.example?x", "https://a.example#", "https://a.example/#x",
		"https://a.example:0", "https://a.example:99999", "https://a.example:x",
		"https://a..example", "https://-a.example", "https://a_b.example", "https://中国.example", "https://a.example.",
		"https://1.2.3", "https://[fe80::1%25eth0]", "https://a.example\\@b.example", "https://a.example/\n", " https://a.example",
		"https://a.example//x", "https://a.example/../x", "https://a.example/a/./b",
	}
	for _, in := range bad {
		if got, err := settings.ParseAddress(in, true); err == nil {
			t.Errorf("%q: accepted as %q", in, got)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"https://a.example:443/", "http://[::1]:80", "https://a@b", "http://localhost/%2e%2e/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		once, err := settings.ParseAddress(in, true)
		if err != nil {
			return
		}
		if twice, err := settings.ParseAddress(once, true); err != nil || twice != once {
			t.Errorf("%q became %q, then %q (%v)", in, once, twice, err)
		}
	})
}

func TestSettingsOfPagesAndMetrics(t *testing.T) {
	const pixel = "data:image/png;base64,iVBORw0KGgo="
	for _, test := range []struct{ name, value, want string }{
		{"COMPANY_NAME", strings.Repeat("企", 60), ""},
		{"COMPANY_NAME", strings.Repeat("企", 61), "at most 60 characters"},
		{"COMPANY_NAME", "two\nlines", "one line"},
		{"COMPANY_NAME", "\xff", "one line"},
		{"COMPANY_LOGO", pixel, ""},
		{"COMPANY_LOGO", "https://cdn.example.com/logo.svg", ""},
		{"COMPANY_LOGO", "http://cdn.example.com/logo.png", "https address"},
		{"COMPANY_LOGO", "data:image/svg+xml;base64,PHN2Zz4=", "https address"},
		{"COMPANY_LOGO", "javascript:alert(1)", "https address"},
		{"COMPANY_LOGO", "https://user@example.com/logo.png", "https address"},
		{"COMPANY_LOGO", "https://a.example:/logo.png; script-src *", "https address"},
		{"COMPANY_LOGO", "https://a.example:999999/logo.png", "https address"},
		{"COMPANY_LOGO", "https:///logo.png", "https address"},
		{"COMPANY_LOGO", "https://*/logo.png", "https address"},
		{"EGRESS_ADDRESSES", "8.8.8.8;8.8.4.4", ""},
		{"EGRESS_ADDRESSES", "10.0.0.1", "public IPv4"},
		{"EGRESS_ADDRESSES", "127.0.0.1", "public IPv4"},
		{"EGRESS_ADDRESSES", "8.8.8.0/24", "public IPv4"},
		{"EGRESS_ADDRESSES", "2001:db8::1", "public IPv4"},
		{"LOOKUP_MISSES_PER_DAY", "0", ""},
		{"LOOKUP_MISSES_PER_DAY", "1000", ""},
		{"LOOKUP_MISSES_PER_DAY", "1001", "from 0 to 1000"},
		{"LOOKUP_MISSES_PER_DAY", "-1", "from 0 to 1000"},
		{"LOOKUP_MISSES_PER_DAY", "many", "from 0 to 1000"},
		{"SERVICE_NAME", strings.Repeat("s", 128), ""},
		{"SERVICE_NAME", strings.Repeat("s", 129), "at most 128"},
		{"SERVICE_NAME", "two words", "without spaces"},
		{"SERVICE_NAME", "服务", "visible ASCII"},
	} {
		_, err := settings.FromEnvironment(lookup(map[string]string{test.name: test.value}), settings.Name(test.name))
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s=%q: %v", test.name, test.value, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s=%q: %v, want %q", test.name, test.value, err, test.want)
		}
	}
}
