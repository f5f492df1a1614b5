package checks

import (
	"context"
	"errors"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestHealthyDeployment(t *testing.T) {
	d := healthy(t)
	got := d.examine(t, key)
	want := map[string][]string{
		"address":        {"ok address: https://signin.example.com answers"},
		"certificate":    {"ok certificate: valid for 63 more days"},
		"plain-http":     {"ok plain-http: redirected to https"},
		"clock":          {"ok clock: 0s apart"},
		"discovery":      {"ok discovery: issuer https://signin.example.com"},
		"signing-keys":   {"ok signing-keys: 2 RSA keys, 2048 bits or more, public members only"},
		"key-age":        {"ok key-age: published 12 days ago"},
		"sign-in-page":   {"ok sign-in-page: authenticators offered: 1"},
		"version":        {"ok version: 1.2.0"},
		"headers":        {"ok headers: content policy, framing, sniffing, caching and transport are restricted"},
		"sign-in-start":  {"ok sign-in-start: portal leads to open.weixin.qq.com; its cookie is Secure, HttpOnly, SameSite=Lax"},
		"cache":          {"ok cache: two answers of /authorize/portal differ"},
		"session":        {"ok session: /api/session answers 401 (application/problem+json)"},
		"foreign-origin": {"ok foreign-origin: pages of other sites may not read"},
		"unknown-path":   {"ok unknown-path: /api/doctor-asks-for-nothing answers 404 (application/problem+json)"},
		"console":        {"ok console: /console answers 200 (text/html)"},
		"admin-api":      {"ok admin-api: closed without a key (401) and with a wrong one (403)"},
		"admin-key":      {"ok admin-key: accepted"},
		"wecom":          {"ok wecom: portal: credentials, trusted-ip"},
		"egress":         {"ok egress: WeCom is called from 203.0.113.7, as set"},
		"domain-files":   {"ok domain-files: WW_verify_ABCDEFGHIJKLMNOP.txt is at the root, as WeCom wants it"},
		"shared-domain":  {"ok shared-domain: one WeCom app for each corp and domain"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if texts := "POST " + host + checkPath + " en"; !slices.Contains(d.keyShown, texts) {
		t.Errorf("asked %q, want %q", d.keyShown, texts)
	}
}

func set(route string, a answer) func(*deployment) {
	return func(d *deployment) { d.answers[route] = a }
}

// on changes headers of an answer; a common one as well.
func on(route string, pairs ...string) func(*deployment) {
	return func(d *deployment) {
		a := d.answers[route]
		a.header = maps.Clone(a.header)
		if a.header == nil {
			a.header = map[string]string{}
		}
		for i := 0; i < len(pairs); i += 2 {
			a.header[pairs[i]] = pairs[i+1]
		}
		d.answers[route] = a
	}
}

func dialing(err error) func(*deployment) {
	return func(d *deployment) { d.dial = func() error { return err } }
}

func keys(age time.Duration, keys ...map[string]string) func(*deployment) {
	return func(d *deployment) { d.answers["GET "+keysPath] = d.keys(age, keys...) }
}

// broken is one thing wrong with a deployment, how the finding that says so begins, and
// the checks that fail for the same reason.
type broken struct {
	what string
	to   func(*deployment)
	want string
	also []string
}

func breakages(t *testing.T) []broken {
	const (
		page      = "GET /signin"
		authorize = "GET /authorize/portal"
		toWeCom   = "https://open.weixin.qq.com/?redirect_uri=" + base + "/callback/portal"
	)
	both := strings.Replace(oneApp, `],"next`, `,{"name":"other","enabled":false,"corpId":"ww1","agentId":"9","callbackDomain":"`+host+`"},{"name":"third","enabled":true,"corpId":"ww1","agentId":"1000003","callbackDomain":"`+host+`"}],"next`, 1)
	return []broken{
		{"no DNS record", dialing(&net.DNSError{Err: "no such host", Name: host, IsNotFound: true}), "FAIL address: https://signin.example.com/signin does not answer: lookup signin.example.com: no such host → add its DNS record", nil},
		{"nobody listens", dialing(errors.New("connection refused")), "FAIL address: https://signin.example.com/signin does not answer: connection refused → see that the name leads to this deployment", nil},
		{"packets are dropped", dialing(context.DeadlineExceeded), "FAIL address: https://signin.example.com/signin does not answer: context deadline exceeded → see that the name", nil},
		{"certificate expired", func(d *deployment) { d.now = d.now.Add(64 * day) }, "FAIL address: https://signin.example.com/signin does not answer: tls: failed to verify certificate: x509: certificate has expired", nil},
		{"certificate of another name", func(d *deployment) { d.address = "https://example.org" }, "FAIL address: https://example.org/signin does not answer: tls: failed to verify certificate: x509: certificate is valid for example.com, *.example.com, not example.org → give the domain", nil},
		{"certificate of nobody", func(d *deployment) { d.trusted = false }, "FAIL address: https://signin.example.com/signin does not answer: tls: failed to verify certificate: x509: certificate signed by unknown authority → give the domain", nil},
		{"certificate about to end", func(d *deployment) { d.now = d.now.Add(43 * day) }, "warn certificate: valid for only 20 more days → renew it now", []string{"clock", "key-age"}},
		{"page in clear", func(d *deployment) { d.plain = ok("hello") }, "FAIL plain-http: http:// answers 200 in clear → have the proxy redirect", nil},
		{"redirect to clear text", func(d *deployment) { d.plain = redirect("http://"+host+"/x", "") }, "FAIL plain-http: http:// answers 302 in clear", nil},
		{"redirect to another host", func(d *deployment) { d.plain = redirect("https://evil.example/signin", "") }, "FAIL plain-http: http:// answers 302 in clear", nil},
		{"port 80 closed", func(d *deployment) { d.plain.status = 0 }, "ok plain-http: nothing answers without https", nil},
		{"port 80 refuses", func(d *deployment) { d.plain = refused(403) }, "ok plain-http: refused without https (403)", nil},
		{"clock ahead", func(d *deployment) { d.now = d.now.Add(-61 * time.Second) }, "warn clock: the service's clock differs from this machine's by 1m1s → set this machine's clock", nil},
		{"clock behind", func(d *deployment) { d.now = d.now.Add(time.Hour) }, "warn clock: the service's clock differs from this machine's by -1h0m0s → ", nil},
		{"no clock", on(page, "Date", "today"), "skip clock: answers have no date", nil},
		{"issuer is the API's own address", set("GET "+discoveryPath, ok(`{"issuer":"https://abc.execute-api.eu-central-1.amazonaws.com"}`)), "FAIL discovery: the issuer is https://abc.execute-api.eu-central-1.amazonaws.com, not https://signin.example.com → set PublicUrl", nil},
		{"issuer with a slash", set("GET "+discoveryPath, ok(`{"issuer":"`+base+`/","jwks_uri":"`+base+keysPath+`"}`)), "FAIL discovery: the issuer is https://signin.example.com/, not https://signin.example.com", nil},
		{"keys elsewhere", set("GET "+discoveryPath, ok(`{"issuer":"`+base+`","jwks_uri":"https://keys.example.com/"}`)), "FAIL discovery: the keys are at https://keys.example.com/, not below", nil},
		{"discovery fails", set("GET "+discoveryPath, refused(500)), "FAIL discovery: /.well-known/openid-configuration answers 500 (application/problem+json), not 200 (application/json) → see whether a proxy in front answers in its place; otherwise read the log of the function issuer", nil},
		{"discovery is a page", set("GET "+discoveryPath, ok("<html>")), "FAIL discovery: /.well-known/openid-configuration does not answer with the JSON of this service", nil},
		{"discovery hangs up", set("GET "+discoveryPath, answer{}), "FAIL discovery: /.well-known/openid-configuration does not answer: EOF", []string{"version"}},
		{"keys fail", set("GET "+keysPath, refused(500)), "FAIL signing-keys: the public keys answer 500 → rotate the signing keys", []string{"key-age"}},
		{"keys are a page", set("GET "+keysPath, ok("<html>")), "FAIL signing-keys: /.well-known/jwks.json does not answer with the JSON", []string{"key-age"}},
		{"one key only", keys(12*day, rsaKey(2048)), "FAIL signing-keys: 1 RSA keys, not two: the next one is published before it signs → rotate", nil},
		{"weak key", keys(12*day, rsaKey(2048), rsaKey(1024)), "FAIL signing-keys: a key has only 1024 bits → these are not keys of this service", nil},
		{"private key published", keys(12*day, rsaKey(2048), map[string]string{"kty": "RSA", "n": "AQ", "d": "AQAB"}), "FAIL signing-keys: the PRIVATE member d is published → take the service off now", nil},
		{"keys are old", keys(46*day, rsaKey(2048), rsaKey(2048)), "warn key-age: published 46 days ago: rotation every 30 days may not run → rotate", nil},
		{"keys are very old", keys(61*day, rsaKey(2048), rsaKey(2048)), "FAIL key-age: published 61 days ago: rotation every 30 days does not run → rotate", nil},
		{"age of keys untold", on("GET "+keysPath, "Last-Modified", ""), "skip key-age: the service does not tell when its keys were published", nil},
		{"sign-in page fails", set(page, refused(500)), "FAIL sign-in-page: /signin answers 500 (application/problem+json), not 200 (text/html) → see whether", nil},
		{"sign-in page is JSON", set(page, ok("{}")), "FAIL sign-in-page: /signin answers 200 (application/json), not 200 (text/html)", nil},
		{"no authenticator", set("GET /api/authenticators", ok("[]")), "warn sign-in-page: offers no authenticator → add an authenticator in the console", []string{"sign-in-start"}},
		{"no version", func(d *deployment) { delete(d.header, versionHeader) }, "skip version: the service does not tell its version", nil},
		{"two versions", on(page, versionHeader, "1.1.0"), "warn version: the page is of version “1.1.0”, discovery of “1.2.0” → wait ten minutes", nil},
		{"no content policy", on(page, "Content-Security-Policy", ""), "FAIL headers: missing: Content-Security-Policy: default-src, Content-Security-Policy: frame-ancestors 'none' → have the proxy", nil},
		{"framing allowed", on(page, "Content-Security-Policy", "default-src 'none'"), "FAIL headers: missing: Content-Security-Policy: frame-ancestors 'none' →", nil},
		{"sniffing, caching and http allowed", on(page, "X-Content-Type-Options", "", "Cache-Control", "", "Strict-Transport-Security", ""), "FAIL headers: missing: Cache-Control: no-store, Strict-Transport-Security: max-age=[1-9], X-Content-Type-Options: nosniff", nil},
		{"transport security taken back", on(page, "Strict-Transport-Security", "max-age=0"), "FAIL headers: missing: Strict-Transport-Security", nil},
		{"proxy tells its version", on(page, "Server", "nginx/1.18.0"), "warn headers: Server tells “nginx/1.18.0” → have the proxy", nil},
		{"WeCom is not asked", set(authorize, refused(500)), "FAIL sign-in-start: /authorize/portal answers 500 in place of a redirect to WeCom → see whether a proxy in front answers in its place; otherwise read the log of the function authorize", nil},
		{"authorize refuses", set(authorize, redirect(base+"/signin?error=internal&request=1", "")), "FAIL sign-in-start: /authorize/portal leads back with the error internal", nil},
		{"WeCom in clear", set(authorize, redirect("http://wecom.example.com/?redirect_uri="+base+"/callback/portal", goodCookie)), "FAIL sign-in-start: portal leads to wecom.example.com without https → set WeComOAuthUrl", nil},
		{"comes back elsewhere", set(authorize, redirect("https://open.weixin.qq.com/?redirect_uri=https://signin.example.com.evil.example/callback/portal%3Fredirect=/secret", goodCookie)), "FAIL sign-in-start: portal: WeCom is told to come back to “https://signin.example.com.evil.example/callback/portal”, not to https://signin.example.com → set PublicUrl", nil},
		{"no cookie", set(authorize, redirect(toWeCom, "__Host-wecom_attempt_0=; Max-Age=0")), "FAIL sign-in-start: portal: the cookie of the attempt is missing → have the proxy in front pass Set-Cookie", nil},
		{"cookie for scripts", set(authorize, redirect(toWeCom, strings.Replace(goodCookie, "HttpOnly; ", "", 1))), "FAIL sign-in-start: portal: the cookie is not Secure, HttpOnly and SameSite=Lax → have", nil},
		{"cookie in clear", set(authorize, redirect(toWeCom, strings.Replace(goodCookie, "Secure; ", "", 1))), "FAIL sign-in-start: portal: the cookie is not Secure", nil},
		{"cookie for other sites", set(authorize, redirect(toWeCom, strings.Replace(goodCookie, "Lax", "None", 1))), "FAIL sign-in-start: portal: the cookie is not Secure", nil},
		{"an attempt in a cache", func(d *deployment) { d.putBehindCache(t) }, "FAIL cache: /authorize/portal answers two people alike → let no cache keep answers", nil},
		{"somebody's session in a cache", set("GET "+sessionPath, ok("{}")), "FAIL session: /api/session answers 200 (application/json), not 401 (application/problem+json) → let no cache", nil},
		{"CORS for everybody", on("GET "+sessionPath, "Access-Control-Allow-Origin", "*"), "FAIL foreign-origin: GET: pages of * may read → remove the CORS headers", nil},
		{"CORS mirror in the preflight", on("OPTIONS "+sessionPath, "Access-Control-Allow-Origin", foreign), "FAIL foreign-origin: OPTIONS: pages of https://doctor.invalid may read", nil},
		{"proxy answers errors itself", set("GET /api/doctor-asks-for-nothing", answer{status: 404, kind: "text/html"}), "FAIL unknown-path: /api/doctor-asks-for-nothing answers 404 (text/html), not 404 (application/problem+json) → have the proxy", nil},
		{"no console", set("GET /console", refused(404)), "FAIL console: /console answers 404 (application/problem+json), not 200 (text/html) → read the log of the function admin", nil},
		{"admin API without authorizer", set("nobody GET "+authenticatorsPath, ok(oneApp)), "FAIL admin-api: OPEN: answers 200 without a key → stop the function admin now", nil},
		{"any key opens", set("wrong GET "+authenticatorsPath, ok(oneApp)), "FAIL admin-api: OPEN: answers 200 with a wrong key → stop", nil},
		{"authorizer fails", set("wrong GET "+authenticatorsPath, refused(500)), "FAIL admin-api: /api/admin/authenticators answers 500 with a wrong key, not 403 → see whether a proxy in front answers in its place; otherwise read the log of the function authorizer", nil},
		{"old admin key", set("admin GET "+authenticatorsPath, refused(403)), "FAIL admin-key: refused (403) → read the secret again", nil},
		{"admin function fails", set("admin GET "+authenticatorsPath, refused(503)), "FAIL admin-key: /api/admin/authenticators answers 503 (application/problem+json), not 200 (application/json) → see whether", nil},
		{"WeCom refuses the address", set("admin POST "+checkPath, ok(`{"ok":false,"steps":[{"step":"credentials","ok":true},{"step":"trusted-ip","ok":false,"wecomCode":60020,"title":"Not a trusted IP.","fix":"Enter 203.0.113.9."}]}`)), "FAIL wecom: portal, trusted-ip 60020: Not a trusted IP. → Enter 203.0.113.9.", nil},
		{"check fails without a reason", set("admin POST "+checkPath, ok(`{"ok":false}`)), "FAIL wecom: /api/admin/authenticators/portal/check says that portal fails, and not why → see whether", nil},
		{"check is cut off", set("admin POST "+checkPath, refused(504)), "FAIL wecom: /api/admin/authenticators/portal/check answers 504", nil},
		{"disabled authenticator", set("admin GET "+authenticatorsPath, ok(strings.Replace(oneApp, "true", "false", 1))), "skip wecom: portal is disabled", nil},
		{"nothing configured", set("admin GET "+authenticatorsPath, ok(`{"items":[]}`)), "warn wecom: there is no authenticator → add an authenticator in the console", nil},
		{"address not fixed", set("admin GET "+egressPath, ok(`{"addresses":["198.51.100.4"],"source":"wecom"}`)), "warn egress: WeCom sees 198.51.100.4 now, and may see another address tomorrow → deploy with EgressMode", nil},
		{"address unknown", set("admin GET "+egressPath, ok(`{"addresses":[],"source":"unknown"}`)), "warn egress: the address from which WeCom is called is unknown → deploy", nil},
		{"no domain file", set("admin GET "+domainFilesPath, ok(`{"items":[]}`)), "warn domain-files: none; WeCom asks for one when it verifies the trusted domain → drop WeCom's file into our console", nil},
		{"domain file is the proxy's page", set("GET "+domainFile, ok("ABCDEFGHIJKLMNOP")), "FAIL domain-files: WW_verify_ABCDEFGHIJKLMNOP.txt does not come back as its 16 characters → drop", nil},
		{"domain file with a newline", set("GET "+domainFile, answer{status: 200, kind: "text/plain", body: "ABCDEFGHIJKLMNOP\n"}), "FAIL domain-files: WW_verify_ABCDEFGHIJKLMNOP.txt does not come back", nil},
		{"domain file elsewhere", set("GET "+domainFile, redirect("https://www.example.com"+domainFile, "")), "FAIL domain-files: WW_verify_ABCDEFGHIJKLMNOP.txt does not come back", nil},
		{"two apps, one domain", func(d *deployment) {
			d.answers["admin GET "+authenticatorsPath] = ok(both)
			d.answers["admin POST "+authenticatorsPath+"/third/check"] = d.answers["admin POST "+checkPath]
		}, "warn shared-domain: the apps 1000002, 1000003 of corp ww1 have the domain signin.example.com in common; WeCom may let only the later one in → sign in once with each", []string{"wecom"}},
	}
}

// Each thing that can be wrong is named by its check, and by no other one.
func TestEveryBreakageIsNamed(t *testing.T) {
	sound, caught := healthy(t).examine(t, key), map[string]bool{}
	for _, b := range breakages(t) {
		t.Run(b.what, func(t *testing.T) {
			d := healthy(t)
			b.to(d)
			got := d.examine(t, key)
			name := strings.TrimSuffix(strings.Fields(b.want)[1], ":")
			caught[name] = true
			if !slices.ContainsFunc(got[name], func(line string) bool { return strings.HasPrefix(line, b.want) }) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got[name], "\n"), b.want)
			}
			for check := range sound {
				untried := strings.HasPrefix(got[check][0], "skip "+check+": not tried without ")
				if check != name && !untried && !slices.Equal(got[check], sound[check]) && !slices.Contains(b.also, check) {
					t.Errorf("%s says %q, too", check, got[check])
				}
			}
		})
	}
	for _, c := range table() {
		if !caught[c.name] {
			t.Errorf("no breakage is caught by %s", c.name)
		}
	}
}

// A key of 90 days is old where it is changed every month, and new where every year.
func TestAgeOfKeysIsMeasuredByTheRotation(t *testing.T) {
	for _, test := range []struct {
		rotation int
		age      time.Duration
		want     Status
	}{
		{7, 11 * day, Warn},
		{7, 14 * day, Warn},
		{7, 14*day + time.Minute, Fail},
		{0, 45 * day, OK},
		{0, 45*day + time.Minute, Warn},
		{0, 60*day + time.Minute, Fail},
		{90, 101 * day, OK},
		{90, 181 * day, Fail},
		{365, 700 * day, Warn},
	} {
		d := healthy(t)
		keys(test.age, rsaKey(2048), rsaKey(2048))(d)
		cfg := d.config(t)
		cfg.RotationDays = test.rotation
		for f := range Run(t.Context(), cfg) {
			if f.Check == "key-age" && f.Status != test.want {
				t.Errorf("%d days, rotated every %d: %s, want %s", test.age/day, test.rotation, f.Status, test.want)
			}
		}
	}
}

func TestDefaultRotationIsTheTemplates(t *testing.T) {
	var template struct {
		Parameters struct {
			RotationDays struct {
				Default int `yaml:"Default"`
			} `yaml:"RotationDays"`
		} `yaml:"Parameters"`
	}
	content, err := os.ReadFile("../../../template.yaml")
	if err := errors.Join(err, yaml.Unmarshal(content, &template)); err != nil || template.Parameters.RotationDays.Default != DefaultRotationDays {
		t.Errorf("the template's default is %+v, %v", template.Parameters, err)
	}
	// The alarm and the check call the same age too old.
	alarms, err := os.ReadFile("../../monitoring.yaml")
	if err != nil || !strings.Contains(string(alarms), "Expression: !Sub 'age - 2 * ${RotationDays}'") {
		t.Errorf("the alarm measures otherwise, %v", err)
	}
}

func TestWithoutKeyTheRestIsSkipped(t *testing.T) {
	d := healthy(t)
	got := d.examine(t, "")
	for check, want := range map[string]string{
		"admin-key": "none was given", "wecom": "not tried without admin-key", "egress": "not tried without admin-key",
		"domain-files": "not tried without admin-key", "shared-domain": "not tried without admin-key",
	} {
		if !slices.Equal(got[check], []string{"skip " + check + ": " + want}) {
			t.Errorf("%q, want %s", got[check], want)
		}
	}
	if len(d.keyShown) > 0 {
		t.Errorf("a key was shown: %q", d.keyShown)
	}
}

// A mistyped address may belong to somebody else, who answers everything with 200, or is
// another service of the same kind.
func TestAttackAddressOfSomebodyElse(t *testing.T) {
	for what, to := range map[string]func(*deployment){
		"answers everything":  func(d *deployment) { d.answers = nil },
		"another issuer":      set("GET "+discoveryPath, ok(`{"issuer":"https://signin.example.org"}`)),
		"no discovery":        set("GET "+discoveryPath, refused(404)),
		"keys elsewhere":      set("GET "+discoveryPath, ok(`{"issuer":"`+base+`","jwks_uri":"https://evil.example/"}`)),
		"no authorizer":       set("nobody GET "+authenticatorsPath, ok(oneApp)),
		"believes wrong keys": set("wrong GET "+authenticatorsPath, ok(oneApp)),
		"no admin API":        set("nobody GET "+authenticatorsPath, refused(404)),
	} {
		t.Run(what, func(t *testing.T) {
			d := healthy(t)
			to(d)
			if got := d.examine(t, key)["admin-key"]; len(d.keyShown) > 0 || !strings.HasPrefix(got[0], "skip admin-key: not tried without ") {
				t.Errorf("shown in %q; %q", d.keyShown, got)
			}
		})
	}
}

// A redirect would carry the key to wherever it leads.
func TestAttackRedirectWithTheKey(t *testing.T) {
	d := healthy(t)
	set("admin GET "+authenticatorsPath, redirect("https://evil.example/", ""))(d)
	got := d.examine(t, key)["admin-key"]
	elsewhere := slices.ContainsFunc(d.dialed, func(address string) bool { return !strings.HasPrefix(address, host+":") })
	if elsewhere || !strings.HasPrefix(got[0], "FAIL admin-key: /api/admin/authenticators answers 302") {
		t.Errorf("dialed %q; %q", d.dialed, got)
	}
}

// What the service answers is written into the operator's terminal.
func TestAttackTextOfTheService(t *testing.T) {
	d := healthy(t)
	set("admin POST "+checkPath, ok(`{"ok":false,"steps":[{"step":"x\u001b[2J","ok":false,"title":"a\nok    fake","fix":"`+key+strings.Repeat("é", 2000)+`"}]}`))(d)
	printed := strings.Join(d.examine(t, key)["wecom"], "|")
	if strings.Contains(printed, key) || strings.ContainsAny(printed, "\x1b\n") || strings.Count(printed, "é") > maxText {
		t.Errorf("printed\n%q", printed)
	}
}

func TestInterruptSkipsTheRest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := healthy(t)
	count := 0
	for f := range Run(ctx, d.config(t)) {
		if count++; f.Status != Skip || f.Seen != "interrupted" {
			t.Errorf("%+v", f)
		}
	}
	if count != len(table()) || len(d.dialed) > 0 {
		t.Errorf("%d findings, dialed %q", count, d.dialed)
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	for _, given := range []string{
		"", "signin.example.com", "https://", "https://:443", "http://signin.example.com", "ftp://signin.example.com",
		"http://localhost.example.com", "https://signin.example.com/x", "https://signin.example.com?x=1", "https://signin.example.com?",
		"https://signin.example.com#x", "https://user:password@example.com", "https://user:pass word@example.com",
	} {
		if _, err := ParseAddress(given); !errors.Is(err, ErrAddress) || strings.Contains(err.Error(), "pass") {
			t.Errorf("%s: %v", given, err)
		}
	}
	for _, given := range []string{"https://signin.example.com", "https://signin.example.com:8443/", "http://localhost:3000", "http://[::1]:3000"} {
		if _, err := ParseAddress(given); err != nil {
			t.Errorf("%s: %v", given, err)
		}
	}
}
