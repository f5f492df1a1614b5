package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
)

// examined is a run against a deployment.
func examined(t *testing.T, d *deployment, key, address string, arguments ...string) (status int, printed string, faults string) {
	t.Helper()
	var out, errs strings.Builder
	status = run(t.Context(), invocation{
		arguments: append(arguments, address),
		lookup: func(name string) (string, bool) {
			return key, name == "ADMIN_KEY"
		},
		out: &out, errors: &errs, transport: d.transport(t), now: noonClock,
		prompt: func(context.Context, string) (string, error) { return "", nil },
	})
	return status, out.String(), errs.String()
}

func noonClock() time.Time { return noon }

func TestHealthyDeployment(t *testing.T) {
	for language, want := range map[string]string{
		"en": `ok    address         https://signin.example.com answers
ok    certificate     valid for 63 more days
ok    plain-http      redirected to https
ok    clock           0 s apart
ok    discovery       issuer https://signin.example.com
ok    signing-keys    2 RSA keys, 2048 bits or more, public members only
ok    key-age         published 12 days ago
ok    sign-in-page    offers portal
ok    version         1.2.0
ok    headers         content policy, framing, sniffing, caching and transport are restricted
ok    sign-in-start   portal leads to open.weixin.qq.com; its cookie is Secure, HttpOnly, SameSite=Lax
ok    session         refused without a cookie (401)
ok    foreign-origin  pages of other sites may not read
ok    unknown-path    404 as problem+json
ok    console         answers
ok    admin-api       closed without a key (401) and with a wrong one (403)
ok    admin-key       accepted
ok    wecom           portal: credentials, trusted-ip
ok    egress          WeCom is called from 203.0.113.7, which are set
ok    domain-files    WW_verify_ABCDEFGHIJKLMNOP.txt at the root, as WeCom wants it
ok    shared-domain   one WeCom app for each corp and domain
21 ok, 0 to look at, 0 failed, 0 skipped
`,
		"zh": `ok    address         https://signin.example.com 有响应
ok    certificate     还有 63 天有效
ok    plain-http      重定向到 https
ok    clock           相差 0 秒
ok    discovery       签发者 https://signin.example.com
ok    signing-keys    2 个 RSA 密钥，不少于 2048 位，只有公开成员
ok    key-age         12 天前公布
ok    sign-in-page    提供 portal
ok    version         1.2.0
ok    headers         内容策略、嵌入、类型嗅探、缓存和传输均受限制
ok    sign-in-start   portal 前往 open.weixin.qq.com；其 cookie 带有 Secure、HttpOnly、SameSite=Lax
ok    session         没有 cookie 时被拒绝（401）
ok    foreign-origin  其他网站的页面无法读取
ok    unknown-path    404，problem+json
ok    console         有响应
ok    admin-api       没有密钥（401）或密钥错误（403）时均关闭
ok    admin-key       有效
ok    wecom           portal：credentials, trusted-ip
ok    egress          调用企业微信的出口 IP 是 203.0.113.7，已在设置中固定
ok    domain-files    WW_verify_ABCDEFGHIJKLMNOP.txt 位于根路径，符合企业微信的要求
ok    shared-domain   每个企业和域名只有一个企业微信应用
21 项正常，0 项需留意，0 项失败，0 项跳过
`,
	} {
		t.Run(language, func(t *testing.T) {
			d := healthy()
			status, printed, faults := examined(t, d, adminKey, base+"/", "-lang", language)
			if diff := cmp.Diff(want, printed); diff != "" || status != 0 || faults != "" {
				t.Errorf("exit %d %s %s", status, faults, diff)
			}
			tag := map[string]string{"en": "en", "zh": "zh-CN"}[language]
			if want := "POST " + host + checkPath("portal") + " " + tag; !slices.Contains(d.asked, want) {
				t.Errorf("asked %q, want %q", d.asked, want)
			}
		})
	}
}

// broken is one thing wrong with a deployment and the line that says so.
type broken struct {
	what string
	to   func(d *deployment)
	// line is what the report says.
	line string
	// also are checks that fail or warn for the same reason.
	also []string
}

func set(route string, answer http.HandlerFunc) func(*deployment) {
	return func(d *deployment) { d.answers[route] = answer }
}

// breakages are all lines that doctor prints besides those of a healthy deployment.
func breakages() []broken {
	const signIn = "GET /signin"
	page := func(d *deployment, name, value string) { d.answers[signIn] = header(name, value, d.answers[signIn]) }
	drop := func(names ...string) func(*deployment) {
		return func(d *deployment) {
			for _, name := range names {
				page(d, name, "")
			}
		}
	}
	dialing := func(err error) func(*deployment) {
		return func(d *deployment) { d.dial = func() error { return err } }
	}
	list2 := strings.Replace(list1, `],"next`, `,{"name":"other","enabled":true,"corpId":"ww1","agentId":"1000003","callbackDomain":"`+host+`"}],"next`, 1)
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	return []broken{
		{
			"no DNS record", dialing(&net.DNSError{Err: "no such host", Name: host, IsNotFound: true}),
			"FAIL  address         the name signin.example.com is not known → make its DNS record; with a domain of the stack it leads to the output DomainTarget", nil,
		},
		{
			"nobody listens", dialing(errors.New("connection refused")),
			"FAIL  address         signin.example.com gave no answer: connection refused → see whether the name leads to this deployment and the port is open", nil,
		},
		{
			"packets are dropped", dialing(context.DeadlineExceeded),
			"FAIL  address         signin.example.com gave no answer in 15 seconds → see whether a firewall or the proxy in front lets HTTPS through", nil,
		},
		{
			"certificate expired", func(d *deployment) { d.notAfter = noon.Add(-day) },
			"FAIL  address         the certificate of signin.example.com has expired → renew it; one of AWS Certificate Manager renews itself while its DNS validation record is there", nil,
		},
		{
			"certificate of another name", func(d *deployment) { d.names = []string{"www.example.com"} },
			"FAIL  address         the certificate is not for signin.example.com → give the domain or the proxy a certificate for this very name", nil,
		},
		{
			"certificate of nobody", func(d *deployment) { d.trusted = false },
			"FAIL  address         browsers do not trust who issued the certificate of signin.example.com → use a certificate of a public authority, with its intermediate ones", nil,
		},
		{
			"certificate about to end", func(d *deployment) { d.notAfter = noon.Add(20 * day) },
			"warn  certificate     valid for only 20 more days → renew it now; one of AWS Certificate Manager that is this old waits for its DNS validation record", nil,
		},
		{
			"page in clear", func(d *deployment) { d.plain = answer200("hello") },
			"FAIL  plain-http      http:// answers 200 in clear → let the proxy redirect http to https or close port 80", nil,
		},
		{
			"redirect to clear text", func(d *deployment) { d.plain = http.RedirectHandler("http://"+host+"/x", http.StatusFound) },
			"FAIL  plain-http      http:// answers 302 in clear → let the proxy redirect http to https or close port 80", nil,
		},
		{"redirect to a stranger", func(d *deployment) {
			d.plain = http.RedirectHandler("https://evil.example/signin", http.StatusFound)
		}, "FAIL  plain-http      http:// answers 302 in clear → let the proxy redirect http to https or close port 80", nil},
		{"port 80 closed", func(d *deployment) { d.plain = nil }, "ok    plain-http      nothing answers without https", nil},
		{"port 80 refuses", func(d *deployment) { d.plain = gateway(http.StatusForbidden) }, "ok    plain-http      refused without https (403)", nil},
		{
			"clock ahead", func(d *deployment) { d.date = noon.Add(61 * time.Second) },
			"warn  clock           the service's clock is 61 s ahead of this machine's → set this machine's clock by NTP; if it is right, that of the proxy", nil,
		},
		{
			"clock behind", func(d *deployment) { d.date = noon.Add(-time.Hour) },
			"warn  clock           the service's clock is 3600 s behind this machine's → set this machine's clock by NTP; if it is right, that of the proxy", nil,
		},
		{"no clock", func(d *deployment) { page(d, "Date", "today") }, "skip  clock           answers have no date", nil},
		{
			"issuer is the API's own address", set("GET "+discoveryPath, answer200(`{"issuer":"https://abc.execute-api.eu-central-1.amazonaws.com"}`)),
			"FAIL  discovery       the issuer is https://abc.execute-api.eu-central-1.amazonaws.com, not https://signin.example.com → set PublicUrl (PUBLIC_URL) to https://signin.example.com and deploy again, or use the issuer's address everywhere", nil,
		},
		{
			"issuer with a slash", set("GET "+discoveryPath, answer200(`{"issuer":"`+base+`/","jwks_uri":"`+base+keysPath+`"}`)),
			"FAIL  discovery       the issuer is https://signin.example.com/, not https://signin.example.com → set PublicUrl (PUBLIC_URL) to https://signin.example.com and deploy again, or use the issuer's address everywhere", nil,
		},
		{
			"keys elsewhere", set("GET "+discoveryPath, answer200(`{"issuer":"`+base+`","jwks_uri":"https://keys.example.com/"}`)),
			"FAIL  discovery       the keys are at https://keys.example.com/, not below https://signin.example.com → set PublicUrl (PUBLIC_URL) to https://signin.example.com and deploy again", nil,
		},
		{"discovery fails", set("GET "+discoveryPath, problem(500)), "FAIL  discovery       the discovery document answers 500 → look into the log group of the function issuer", nil},
		{"discovery is a page", set("GET "+discoveryPath, answer200(`<html>`)), "FAIL  discovery       the discovery document is no JSON → see what stands in front of the service and answers in its place", nil},
		{"discovery hangs up", set("GET "+discoveryPath, hangUp), "FAIL  discovery       /.well-known/openid-configuration does not answer: EOF → run doctor again; if it stays, look into the function's log group", []string{"version"}},
		{
			"keys fail", set("GET "+keysPath, problem(500)),
			"FAIL  signing-keys    the public keys answer 500 → rotate the signing keys once (aws secretsmanager rotate-secret); the first rotation publishes them",
			[]string{"key-age"},
		},
		{"keys are a page", set("GET "+keysPath, answer200(`<html>`)), "FAIL  signing-keys    the public keys are no JSON Web Key Set → see what stands in front of the service and answers in its place", []string{"key-age"}},
		{
			"one key only", set("GET "+keysPath, keySet(noon.Add(-12*day), publicKey("1", 2048))),
			"FAIL  signing-keys    1 RSA keys, and there must be two: the next one is published before it signs → rotate the signing keys (aws secretsmanager rotate-secret) and read the log group of the function rotatekeys", nil,
		},
		{
			"weak key", set("GET "+keysPath, keySet(noon.Add(-12*day), publicKey("1", 2048), publicKey("2", 1024))),
			"FAIL  signing-keys    a key has only 1024 bits → these are not keys of this service: see what stands in front of it", nil,
		},
		{
			"private key published", set("GET "+keysPath, keySet(noon.Add(-12*day), publicKey("1", 2048), map[string]string{"kty": "RSA", "n": "AQ", "d": "AQAB"})),
			"FAIL  signing-keys    a PRIVATE member is published: d → take the service off now and report it to the maintainers privately; rotate the signing keys twice before it returns", nil,
		},
		{
			"keys are old", set("GET "+keysPath, keySet(noon.Add(-46*day), publicKey("1", 2048), publicKey("2", 2048))),
			"warn  key-age         published 46 days ago; rotation every 30 days may not run → with other RotationDays than 30 say so by -rotation-days; otherwise see in Secrets Manager when the signing keys were rotated last, and read the log group of the function rotatekeys", nil,
		},
		{
			"keys are very old", set("GET "+keysPath, keySet(noon.Add(-61*day), publicKey("1", 2048), publicKey("2", 2048))),
			"FAIL  key-age         published 61 days ago: rotation every 30 days does not run → with other RotationDays than 30 say so by -rotation-days; otherwise rotate the signing keys by hand (aws secretsmanager rotate-secret) and read the log group of the function rotatekeys", nil,
		},
		{
			"age of keys untold", set("GET "+keysPath, keySet(time.Time{}, publicKey("1", 2048), publicKey("2", 2048))),
			"skip  key-age         the service does not tell when its keys were published", nil,
		},
		{"sign-in page fails", set(signIn, problem(500)), "FAIL  sign-in-page    /signin answers 500, or no page → look into the log group of the function signin", nil},
		{"sign-in page is JSON", set(signIn, answer200("{}")), "FAIL  sign-in-page    /signin answers 200, or no page → look into the log group of the function signin", nil},
		{
			"no authenticator", set("GET /api/authenticators", answer200("[]")),
			"warn  sign-in-page    offers no authenticator → add one in https://signin.example.com/console",
			[]string{"sign-in-start"},
		},
		{"no version", func(d *deployment) {
			d.answers[signIn] = header(versionHeader, "", d.answers[signIn])
			d.answers["GET "+discoveryPath] = header(versionHeader, "", d.answers["GET "+discoveryPath])
		}, "skip  version         the service does not tell its version", nil},
		{
			"two versions", func(d *deployment) { page(d, versionHeader, "1.1.0") },
			"warn  version         the page is of version “1.1.0”, discovery of “1.2.0” → wait ten minutes for a running deployment or a cache; if it stays, deploy again", nil,
		},
		{"no content policy", drop("Content-Security-Policy"), "FAIL  headers         missing: Content-Security-Policy → let the proxy in front pass the service's headers on as they are", nil},
		{"framing allowed", func(d *deployment) {
			page(d, "X-Frame-Options", "")
			page(d, "Content-Security-Policy", "default-src 'none'")
		}, "FAIL  headers         missing: X-Frame-Options → let the proxy in front pass the service's headers on as they are", nil},
		{
			"sniffing, caching and http allowed", drop("X-Content-Type-Options", "Cache-Control", "Strict-Transport-Security"),
			"FAIL  headers         missing: Cache-Control: no-store, Strict-Transport-Security, X-Content-Type-Options: nosniff → let the proxy in front pass the service's headers on as they are", nil,
		},
		{
			"transport security taken back", func(d *deployment) { page(d, "Strict-Transport-Security", "max-age=0") },
			"FAIL  headers         missing: Strict-Transport-Security → let the proxy in front pass the service's headers on as they are", nil,
		},
		{
			"proxy tells its version", func(d *deployment) { page(d, "Server", "nginx/1.18.0") },
			"warn  headers         Server tells “nginx/1.18.0” → switch it off in the proxy: it is not the service's", nil,
		},
		{
			"WeCom is not asked", set("GET /authorize/portal", problem(500)),
			"FAIL  sign-in-start   portal: /authorize answers 500 in place of a redirect to WeCom → look into the log group of the function authorize", nil,
		},
		{
			"authorize refuses", set("GET /authorize/portal", leave(base+"/signin?error=internal&request=1", "")),
			"FAIL  sign-in-start   portal: /authorize leads back with the error internal → look into the log group of the function authorize", nil,
		},
		{
			"WeCom in clear", set("GET /authorize/portal", leave("http://wecom.example.com/?redirect_uri="+base+"/callback/portal", goodCookie)),
			"FAIL  sign-in-start   portal: leads to wecom.example.com without https → set WeComOAuthUrl and WeComLoginUrl to https addresses", nil,
		},
		{
			"comes back elsewhere", set("GET /authorize/portal", leave("https://open.weixin.qq.com/?redirect_uri=https://signin.example.com.evil.example/callback/portal%3Fredirect=/secret", goodCookie)),
			"FAIL  sign-in-start   portal: WeCom is told to come back to “https://signin.example.com.evil.example/callback/portal”, not to https://signin.example.com → set PublicUrl (PUBLIC_URL) to https://signin.example.com and deploy again", nil,
		},
		{
			"no cookie", set("GET /authorize/portal", leave("https://open.weixin.qq.com/?redirect_uri="+base+"/callback/portal", "other=1; Secure")),
			"FAIL  sign-in-start   portal: no cookie of the attempt → let the proxy in front pass Set-Cookie on", nil,
		},
		{
			"cookie for scripts", set("GET /authorize/portal", leave("https://open.weixin.qq.com/?redirect_uri="+base+"/callback/portal", "__Host-wecom_attempt_0=x; Path=/; SameSite=None")),
			"FAIL  sign-in-start   portal: the cookie lost HttpOnly, SameSite=Lax, Secure → let the proxy in front pass Set-Cookie on as it is", nil,
		},
		{
			"somebody's session in a cache", set("GET /api/session", answer200("{}")),
			"FAIL  session         /api/session answers 200 without a cookie, not 401 → see whether a cache stands in front: answers under /api/ must not be kept", nil,
		},
		{
			"CORS for everybody", set("GET /api/session", header("Access-Control-Allow-Origin", "*", problem(401))),
			"FAIL  foreign-origin  GET: pages of * may read → take CORS headers out of the proxy or gateway: the service sets its own", nil,
		},
		{
			"CORS mirror in the preflight", set("OPTIONS /api/session", header("Access-Control-Allow-Origin", foreignOrigin, problem(204))),
			"FAIL  foreign-origin  OPTIONS: pages of https://doctor.invalid may read → take CORS headers out of the proxy or gateway: the service sets its own", nil,
		},
		{
			"proxy answers errors itself", set("GET /api/doctor-asks-for-nothing", header("Content-Type", "text/html", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) })),
			"FAIL  unknown-path    an unknown path under /api/ answers 404 (text/html), not 404 as problem+json → let the proxy in front pass errors on as they are", nil,
		},
		{"no console", set("GET /console", problem(404)), "FAIL  console         /console answers 404, or no page → look into the log group of the function admin", nil},
		{
			"admin API without authorizer", set("anonymous GET "+authenticatorsPath, answer200(list1)),
			"FAIL  admin-api       OPEN: answers 200 without a key → take the service off now; deploy template.yaml as it is published, whose route has an authorizer", nil,
		},
		{
			"any key opens", set("wrong key GET "+authenticatorsPath, answer200(list1)),
			"FAIL  admin-api       OPEN: answers 200 with a wrong key → take the service off now; deploy template.yaml as it is published, whose route has an authorizer", nil,
		},
		{"authorizer fails", set("wrong key GET "+authenticatorsPath, gateway(500)), "FAIL  admin-api       answers 500, not 403 → look into the log group of the function authorizer", nil},
		{
			"old admin key", set("admin GET "+authenticatorsPath, gateway(403)),
			"FAIL  admin-key       refused (403) → read it again: aws secretsmanager get-secret-value with the output AdminKeySecret", nil,
		},
		{
			"admin function fails", set("admin GET "+authenticatorsPath, gateway(503)),
			"FAIL  admin-key       /api/admin/authenticators answers 503 → look for this time in the log group of the function admin", nil,
		},
		{
			"WeCom refuses the address", set("admin POST "+checkPath("portal"), answer200(`{"ok":false,"steps":[{"step":"credentials","ok":true},{"step":"trusted-ip","ok":false,"wecomCode":60020,"title":"Not a trusted IP.","fix":"Enter 203.0.113.9."}]}`)),
			"FAIL  wecom           portal, trusted-ip 60020: Not a trusted IP. → Enter 203.0.113.9.", nil,
		},
		{
			"check fails without a reason", set("admin POST "+checkPath("portal"), answer200(`{"ok":false}`)),
			"FAIL  wecom           /api/admin/authenticators/portal/check answers 200 → look for this time in the log group of the function admin", nil,
		},
		{
			"check is cut off", set("admin POST "+checkPath("portal"), gateway(504)),
			"FAIL  wecom           /api/admin/authenticators/portal/check answers 504 → look for this time in the log group of the function admin", nil,
		},
		{"disabled authenticator", set("admin GET "+authenticatorsPath, answer200(strings.Replace(list1, "true", "false", 1))), "skip  wecom           portal is disabled", nil},
		{"nothing configured", set("admin GET "+authenticatorsPath, answer200(`{"items":[]}`)), "warn  wecom           there is no authenticator → add one in https://signin.example.com/console", nil},
		{
			"address not fixed", set("admin GET "+egressPath, answer200(`{"addresses":["198.51.100.4"],"source":"wecom"}`)),
			"warn  egress          WeCom sees 198.51.100.4 just now; it need not stay → deploy with EgressMode nat or relay (make deploy), and enter the fixed address in WeCom's trusted IPs", nil,
		},
		{
			"address unknown", set("admin GET "+egressPath, answer200(`{"addresses":[],"source":"unknown"}`)),
			"warn  egress          nobody can tell from where WeCom is called → deploy with EgressMode nat or relay (make deploy); if it is, see whether the service reaches WeCom", nil,
		},
		{
			"no domain file", set("admin GET "+domainFilesPath, answer200(`{"items":[]}`)),
			"warn  domain-files    none; WeCom asks for one when it verifies the trusted domain → download WW_verify_….txt from WeCom's console and drop it into https://signin.example.com/console", nil,
		},
		{
			"domain file is the proxy's page", set("GET /WW_verify_ABCDEFGHIJKLMNOP.txt", answer200("ABCDEFGHIJKLMNOP")),
			"FAIL  domain-files    WW_verify_ABCDEFGHIJKLMNOP.txt does not come back as its 16 characters → let the proxy in front pass /WW_verify_ABCDEFGHIJKLMNOP.txt on to the service, without a redirect", nil,
		},
		{
			"domain file with a newline", set("GET /WW_verify_ABCDEFGHIJKLMNOP.txt", plainText("ABCDEFGHIJKLMNOP\n")),
			"FAIL  domain-files    WW_verify_ABCDEFGHIJKLMNOP.txt does not come back as its 16 characters → let the proxy in front pass /WW_verify_ABCDEFGHIJKLMNOP.txt on to the service, without a redirect", nil,
		},
		{
			"domain file elsewhere", set("GET /WW_verify_ABCDEFGHIJKLMNOP.txt", leave("https://www.example.com/WW_verify_ABCDEFGHIJKLMNOP.txt", "")),
			"FAIL  domain-files    WW_verify_ABCDEFGHIJKLMNOP.txt does not come back as its 16 characters → let the proxy in front pass /WW_verify_ABCDEFGHIJKLMNOP.txt on to the service, without a redirect", nil,
		},
		{"two apps, one domain", func(d *deployment) {
			d.answers["admin GET "+authenticatorsPath] = answer200(list2)
			d.answers["admin POST "+checkPath("other")] = d.answers["admin POST "+checkPath("portal")]
		}, "warn  shared-domain   the apps 1000002, 1000003 of corp ww1 have the domain signin.example.com in common; WeCom may let only the later one in → sign in once with each; if one fails, use one WeCom app for both (guide: “Two apps, one domain”)", []string{"wecom"}},
	}
}

// lines runs all checks and returns what they print by check, and the texts used.
func lines(t *testing.T, d *deployment, key string, language language) (byCheck map[string][]string, used []string) {
	t.Helper()
	address, fault := parseAddress(base)
	if fault != nil {
		t.Fatal(fault)
	}
	var out strings.Builder
	r := report{out: &out, texts: texts(), language: language, secret: key}
	tell := func(f finding) {
		used = append(used, f.seen.key, f.fix.key)
		r.add(f)
	}
	examine(t.Context(), tell, newVisit(visitConfig{
		Address: address, Key: key, Language: language, Transport: d.transport(t), Now: noonClock, RotationDays: usualRotation,
	}))
	byCheck = map[string][]string{}
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(line, "\n")
		name := strings.Fields(line)[1]
		byCheck[name] = append(byCheck[name], line)
	}
	return byCheck, used
}

// A mistyped address may be somebody else's, who answers everything with 200.
func TestKeyIsNotShownToAStranger(t *testing.T) {
	shown := 0
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), adminKey) {
			shown++
		}
	}))
	t.Cleanup(stranger.Close)
	address, err := url.Parse(stranger.URL)
	if err != nil {
		t.Fatal(err)
	}
	var report strings.Builder
	examine(t.Context(), func(f finding) { fmt.Fprintln(&report, f.status, f.check, f.seen.key) }, newVisit(visitConfig{
		Address: address, Key: adminKey, Language: english, Now: noonClock, RotationDays: usualRotation,
	}))
	if shown > 0 || !strings.Contains(report.String(), "admin-key skipped.untrusted") {
		t.Errorf("shown %d times\n%s", shown, report.String())
	}
}

// Each thing that can be wrong has its line, in place of the healthy one, and says
// nothing of the others. Together they show every remedy of the table.
func TestWhatIsBrokenIsNamed(t *testing.T) {
	sound, _ := lines(t, healthy(), adminKey, english)
	used := map[string]bool{}
	for _, b := range breakages() {
		t.Run(b.what, func(t *testing.T) {
			d := healthy()
			b.to(d)
			got, keys := lines(t, d, adminKey, english)
			for _, key := range keys {
				used[key] = true
			}
			name := strings.Fields(b.line)[1]
			if !slices.Contains(got[name], b.line) {
				t.Errorf("%s says\n%s\nwant\n%s", name, strings.Join(got[name], "\n"), b.line)
			}
			for check := range maps.Keys(sound) {
				// Below an address that does not answer, a key that is refused, and somebody who
				// is not to be shown the key, nothing is tried.
				untried := len(got[check]) == 1 && strings.HasPrefix(got[check][0], "skip ") &&
					slices.Contains([]string{"address", "admin-key", "discovery", "admin-api"}, name)
				if check != name && !untried && !slices.Equal(got[check], sound[check]) && !slices.Contains(b.also, check) {
					t.Errorf("%s says %q, too", check, got[check])
				}
			}
			again := healthy()
			b.to(again)
			if inChinese, _ := lines(t, again, adminKey, chinese); !strings.HasPrefix(strings.Join(inChinese[name], ""), b.line[:4]) || slices.Equal(inChinese[name], got[name]) {
				t.Errorf("in Chinese: %q", inChinese[name])
			}
		})
	}
	for key := range texts() {
		if strings.HasSuffix(key, ".fix") && !used[key] && key != "address.form.fix" {
			t.Errorf("no test shows %s", key)
		}
	}
}

// A key of 90 days is old where it is changed every month, and new where every year.
func TestAgeOfKeysIsMeasuredByTheRotation(t *testing.T) {
	for _, test := range []struct {
		rotation string
		age      time.Duration
		want     string
	}{
		{"7", 11 * day, "warn  key-age         published 11 days ago; rotation every 7 days may not run"},
		{"7", 14 * day, "warn  key-age         published 14 days ago"},
		{"7", 14*day + time.Minute, "FAIL  key-age         published 14 days ago: rotation every 7 days does not run"},
		{"30", 45 * day, "ok    key-age         published 45 days ago"},
		{"30", 45*day + time.Minute, "warn  key-age         published 45 days ago"},
		{"90", 101 * day, "ok    key-age         published 101 days ago"},
		{"90", 181 * day, "FAIL  key-age         published 181 days ago: rotation every 90 days does not run"},
		{"365", 700 * day, "warn  key-age         published 700 days ago"},
	} {
		t.Run(test.rotation+" days, "+test.age.String(), func(t *testing.T) {
			d := healthy()
			d.answers["GET "+keysPath] = keySet(noon.Add(-test.age), publicKey("1", 2048), publicKey("2", 2048))
			if _, printed, faults := examined(t, d, adminKey, base, "-rotation-days", test.rotation); !strings.Contains(printed, test.want) {
				t.Errorf("no %q in\n%s%s", test.want, printed, faults)
			}
		})
	}
	for _, days := range []string{"6", "366", "-30", "month"} {
		if status, printed, _ := examined(t, healthy(), adminKey, base, "-rotation-days", days); status != exitUsage || printed != "" {
			t.Errorf("-rotation-days %s: exit %d\n%s", days, status, printed)
		}
	}
}

// The template decides about the days; this program has to know the same.
func TestRotationDaysAreTheTemplates(t *testing.T) {
	template, err := cloudformation.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for days, want := range map[int]bool{shortestRotation - 1: false, shortestRotation: true, longestRotation: true, longestRotation + 1: false} {
		_, err := template.Evaluate(cloudformation.Values{Parameters: map[string]string{"RotationDays": strconv.Itoa(days)}})
		if (err == nil) != want {
			t.Errorf("%d days: %v", days, err)
		}
	}
	// The alarm and this program call the same age too old.
	alarms, err := os.ReadFile("../monitoring.yaml")
	if err != nil || !strings.Contains(string(alarms), "Expression: !Sub 'age - 2 * ${RotationDays}'") {
		t.Errorf("the alarm measures otherwise, %v", err)
	}
	usual, err := template.Evaluate(cloudformation.Values{})
	if err != nil || usual.Parameters["RotationDays"] != strconv.Itoa(usualRotation) {
		t.Errorf("usual are %v days, %v", usual, err)
	}
}

func TestWithoutKeyTheRestIsSkipped(t *testing.T) {
	d := healthy()
	status, printed, _ := examined(t, d, "", base)
	want := "skip  admin-key       none was given\n" +
		"skip  wecom           needs the admin key\n" +
		"skip  egress          needs the admin key\n" +
		"skip  domain-files    needs the admin key\n" +
		"skip  shared-domain   needs the admin key\n" +
		"16 ok, 0 to look at, 0 failed, 5 skipped\n"
	if !strings.HasSuffix(printed, want) || status != 0 || len(d.asked) > 0 {
		t.Errorf("exit %d, %q\n%s", status, d.asked, printed)
	}
}

func TestFailureDecidesTheExitStatus(t *testing.T) {
	d := healthy()
	d.date = noon.Add(2 * time.Minute)
	if status, printed, _ := examined(t, d, "", base); status != 0 || !strings.Contains(printed, "1 to look at, 0 failed") {
		t.Errorf("a warning ends with %d\n%s", status, printed)
	}
	d.answers["GET /console"] = problem(http.StatusNotFound)
	if status, printed, _ := examined(t, d, "", base); status != 1 || !strings.Contains(printed, "1 failed") {
		t.Errorf("a failure ends with %d\n%s", status, printed)
	}
}

func TestAddressesThatAreRefused(t *testing.T) {
	const fix = " → give the address as browsers see it: make doctor URL=https://signin.example.com\n0 ok, 0 to look at, 1 failed, 0 skipped\n"
	for given, want := range map[string]string{
		"signin.example.com":             "signin.example.com is no address",
		"https://":                       "https: is no address",
		"https://:443":                   "https://:443 is no address",
		"http://signin.example.com":      "http://signin.example.com does not begin with https://",
		"ftp://signin.example.com":       "ftp://signin.example.com does not begin with https://",
		"http://localhost.example.com":   "http://localhost.example.com does not begin with https://",
		"https://signin.example.com/x":   "https://signin.example.com/x has more than scheme, host and port",
		"https://signin.example.com?x=1": "https://signin.example.com?x=1 has more than scheme, host and port",
		"https://user:word@example.com":  "https://user:xxxxx@example.com has more than scheme, host and port",
	} {
		d := healthy()
		status, printed, _ := examined(t, d, adminKey, given)
		want := "FAIL  address         " + want + fix
		if given == "https://" {
			want = printed // how it is spelled does not matter
		}
		if printed != want || status != 1 || len(d.asked) > 0 {
			t.Errorf("%s: exit %d, asked %q\n%s", given, status, d.asked, printed)
		}
	}
}

func TestCalledWrongly(t *testing.T) {
	for name, arguments := range map[string][]string{
		"no address":       {},
		"two addresses":    {base, base},
		"unknown flag":     {"-key", "x", base},
		"unknown language": {"-lang", "fr", base},
		"no key file":      {"-key-file", "/does/not/exist", base},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs strings.Builder
			status := run(t.Context(), invocation{
				arguments: arguments, lookup: func(string) (string, bool) { return "", false }, out: &out, errors: &errs,
			})
			if status != 2 || errs.Len() == 0 || out.Len() > 0 {
				t.Errorf("exit %d\n%s\n%s", status, &out, &errs)
			}
		})
	}
}

func TestKeyComesFromFileEnvironmentOrTerminal(t *testing.T) {
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	typed := func(text string, err error) func(context.Context, string) (string, error) {
		return func(context.Context, string) (string, error) { return text, err }
	}
	for name, test := range map[string]struct {
		file, environment string
		prompt            func(context.Context, string) (string, error)
		key, fault        string
	}{
		"file":             {file: file("KEY\n"), environment: "OTHER", key: "KEY"},
		"environment":      {environment: "KEY", key: "KEY"},
		"typed":            {prompt: typed(" KEY\r", nil), key: "KEY"},
		"Enter":            {prompt: typed("", nil)},
		"Ctrl-C":           {prompt: typed("", context.Canceled), fault: "context canceled"},
		"empty file":       {file: file("\n"), fault: "holds no key"},
		"two lines":        {file: file("SECRETLINE1\nSECRETLINE2"), fault: "more than one line"},
		"a header's worth": {environment: "SECRETLINE1\r\nX: y", fault: "more than one line"},
		"not ASCII":        {environment: "SECRETLINE1密钥", fault: "holds no key"},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := readKey(t.Context(), invocation{
				lookup: func(name string) (string, bool) { return test.environment, name == "ADMIN_KEY" }, prompt: test.prompt,
			}, test.file, "?")
			switch {
			case test.fault == "" && (err != nil || key != test.key):
				t.Errorf("%q %v", key, err)
			case test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault) || strings.Contains(err.Error(), "SECRET")):
				t.Errorf("%q %v", key, err)
			}
		})
	}
}

// Without a terminal nobody is asked, and nothing waits for an answer.
func TestNobodyIsAskedWithoutATerminal(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close(); _ = in.Close() }()
	if key, err := prompt(t.Context(), in, "?"); key != "" || err != nil {
		t.Errorf("%q %v", key, err)
	}
}

// A redirect would carry the key to wherever it leads.
func TestAttackRedirectWithTheKey(t *testing.T) {
	d := healthy()
	d.answers["admin GET "+authenticatorsPath] = leave("https://evil.example/", "")
	dialled := ""
	transport := d.transport(t).(*http.Transport)
	dial := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if !strings.HasPrefix(address, host) {
			dialled = address
		}
		return dial(ctx, network, address)
	}
	var out strings.Builder
	status := run(t.Context(), invocation{
		arguments: []string{base}, lookup: func(name string) (string, bool) { return adminKey, name == "ADMIN_KEY" },
		out: &out, errors: &out, transport: transport, now: noonClock,
	})
	if status != 1 || dialled != "" || !strings.Contains(out.String(), "FAIL  admin-key       /api/admin/authenticators answers 302") {
		t.Errorf("exit %d, dialled %q\n%s", status, dialled, &out)
	}
}

// Whoever answers writes into the operator's terminal.
func TestAttackTextOfTheService(t *testing.T) {
	d := healthy()
	d.answers["admin POST "+checkPath("portal")] = answer200(`{"ok":false,"steps":[{"step":"x\u001b[2J","ok":false,"title":"a\nok    fake","fix":"` + adminKey + strings.Repeat("é", 2000) + `"}]}`)
	_, printed, _ := examined(t, d, adminKey, base)
	if strings.Contains(printed, adminKey) || strings.ContainsRune(printed, 0x1b) || strings.Contains(printed, "\nok    fake") || strings.Count(printed, "é") > maxShown {
		t.Errorf("printed\n%s", printed)
	}
}

func TestInterruptStopsTheChecks(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out strings.Builder
	status := run(ctx, invocation{
		arguments: []string{base}, lookup: func(string) (string, bool) { return "", false }, out: &out, errors: &out,
		transport: healthy().transport(t), now: noonClock,
		prompt: func(context.Context, string) (string, error) { cancel(); return "", nil },
	})
	if printed := out.String(); status == exitUsage || strings.Count(printed, "stopped before this") != len(checks()) {
		t.Errorf("exit %d\n%s", status, printed)
	}
}

func TestLanguageOfTheEnvironment(t *testing.T) {
	for name, test := range map[string]struct {
		flag        string
		environment map[string]string
		want        language
	}{
		"nothing":          {"", nil, english},
		"LANG":             {"", map[string]string{"LANG": "zh_CN.UTF-8"}, chinese},
		"LC_ALL wins":      {"", map[string]string{"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, english},
		"flag wins":        {"en", map[string]string{"LANG": "zh_CN.UTF-8"}, english},
		"flag":             {"zh", nil, chinese},
		"another language": {"", map[string]string{"LANG": "uk_UA.UTF-8"}, english},
	} {
		got, err := chooseLanguage(test.flag, func(name string) (string, bool) { v, ok := test.environment[name]; return v, ok })
		if err != nil || got != test.want {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
}

func TestTextsAreCompleteInBothLanguages(t *testing.T) {
	place := regexp.MustCompile(`\{[a-z]+\}`)
	places := func(text string) []string {
		found := place.FindAllString(text, -1)
		slices.Sort(found)
		return slices.Compact(found)
	}
	for key, entry := range texts() {
		if diff := cmp.Diff(places(entry.en), places(entry.zh)); diff != "" {
			t.Errorf("%s: %s", key, diff)
		}
		rest := place.ReplaceAllString(entry.zh, "")
		if entry.en == "" || rest != "" && rest != "，：" && rest != "：" && !strings.ContainsFunc(rest, func(r rune) bool { return unicode.Is(unicode.Han, r) }) && key != "unknown-path.ok" {
			t.Errorf("%s is %q", key, entry)
		}
	}
	source, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	use := regexp.MustCompile(`\b(say|ok|skip|warn|fail|wrong)\("([a-z.-]+)"`)
	used := map[string]bool{"admin-api.open": true, "admin-api.open.fix": true, "admin-api.believes": true, "admin-api.believes.fix": true}
	for _, file := range source {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range use.FindAllStringSubmatch(string(content), -1) {
			used[match[2]] = true
			if match[1] == "warn" || match[1] == "fail" {
				used[match[2]+".fix"] = true
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(used)), slices.Sorted(maps.Keys(texts()))); diff != "" {
		t.Errorf("texts that are used and texts that are there: %s", diff)
	}
}
