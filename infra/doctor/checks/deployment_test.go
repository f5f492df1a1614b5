package checks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	host = "signin.example.com" // a name of httptest's certificate
	base = "https://" + host
	key  = "ADMINKEYOFTHETESTADMINKEYOFTHETEST"

	jsonType   = "application/json"
	goodCookie = "__Host-wecom_attempt_0123456789abcdef=sealed; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax"
	oneApp     = `{"items":[{"name":"portal","enabled":true,"corpId":"ww1","agentId":"1000002","callbackDomain":"` + host + `"}],"nextCursor":""}`
	domainFile = "/WW_verify_ABCDEFGHIJKLMNOP.txt"
	checkPath  = authenticatorsPath + "/portal/check"
)

// deployment stands in for a healthy one; tests break it.
type deployment struct {
	// answers by method and path, with "admin ", "wrong " or "nobody " in front for the
	// key that the admin API is shown.
	answers map[string]answer
	// header of all answers.
	header map[string]string
	// plain answers without https; with status 0 the port is closed.
	plain answer
	// now is the tester's clock.
	now     time.Time
	address string
	trusted bool
	// states counts the starts of a sign-in: each has a state of its own.
	states int
	// dial in place of a connection.
	dial func() error
	// keyShown lists the requests that carried the admin key, and dialed the addresses.
	keyShown, dialed []string

	secure, clear *httptest.Server
}

type answer struct {
	status     int // 0: hangs up
	kind, body string
	header     map[string]string
}

func healthy(t *testing.T) *deployment {
	t.Helper()
	d := &deployment{address: base, trusted: true, plain: redirect(base+"/signin", "")}
	d.secure = httptest.NewUnstartedServer(d)
	d.secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of certificates that are refused
	d.secure.StartTLS()
	t.Cleanup(d.secure.Close)
	d.clear = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { d.plain.write(w) }))
	t.Cleanup(d.clear.Close)
	d.now = d.secure.Certificate().NotAfter.Add(-63*day - 12*time.Hour)
	d.header = map[string]string{
		"Date": d.now.Format(http.TimeFormat), versionHeader: "1.2.0", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Strict-Transport-Security": "max-age=31536000",
	}
	d.answers = map[string]answer{
		"GET /signin":                      {status: 200, kind: "text/html; charset=utf-8"},
		"GET /console":                     {status: 200, kind: "text/html; charset=utf-8"},
		"GET " + discoveryPath:             ok(`{"issuer":"` + base + `","jwks_uri":"` + base + keysPath + `"}`),
		"GET " + keysPath:                  d.keys(12*day+12*time.Hour, rsaKey(2048), rsaKey(2048)),
		"GET /api/authenticators":          ok(`[{"name":"portal","title":"Portal"}]`),
		"GET /authorize/portal":            redirect("https://open.weixin.qq.com/connect/oauth2/authorize?redirect_uri="+base+"/callback/portal%3Fredirect=/a", goodCookie),
		"GET " + sessionPath:               refused(401),
		"OPTIONS " + sessionPath:           {status: 204},
		"GET " + domainFile:                {status: 200, kind: "text/plain", body: "ABCDEFGHIJKLMNOP"},
		"nobody GET " + authenticatorsPath: {status: 401},
		"wrong GET " + authenticatorsPath:  {status: 403},
		"admin GET " + authenticatorsPath:  ok(oneApp),
		"admin POST " + checkPath:          ok(`{"ok":true,"steps":[{"step":"credentials","ok":true},{"step":"trusted-ip","ok":true}]}`),
		"admin GET " + egressPath:          ok(`{"addresses":["203.0.113.7"],"source":"setting"}`),
		"admin GET " + domainFilesPath:     ok(`{"items":[{"filename":"` + domainFile[1:] + `"}],"nextCursor":""}`),
	}
	return d
}

func ok(body string) answer { return answer{status: 200, kind: jsonType, body: body} }

func refused(status int) answer { return answer{status: status, kind: problem} }

func redirect(to, cookie string) answer {
	return answer{status: 302, header: map[string]string{"Location": to, "Set-Cookie": cookie}}
}

// keys is a key set that was published so long ago.
func (d *deployment) keys(age time.Duration, keys ...map[string]string) answer {
	body, _ := json.Marshal(map[string]any{"keys": keys})
	return answer{200, jsonType, string(body), map[string]string{"Last-Modified": d.now.Add(-age).Format(http.TimeFormat)}}
}

func rsaKey(bits int) map[string]string {
	return map[string]string{"kty": "RSA", "use": "sig", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(make([]byte, bits/8))}
}

func (a answer) write(w http.ResponseWriter) {
	if a.status == 0 {
		panic(http.ErrAbortHandler)
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("Content-Type", a.kind)
	w.WriteHeader(a.status)
	_, _ = w.Write([]byte(a.body))
}

func (d *deployment) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who := ""
	if strings.HasPrefix(r.URL.Path, "/api/admin/") {
		shown, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		who = map[string]string{key: "admin ", "": "nobody "}[shown]
		if who == "" {
			who = "wrong "
		}
	}
	if strings.Contains(r.Header.Get("Authorization"), key) {
		d.keyShown = append(d.keyShown, r.Method+" "+r.Host+r.URL.Path+" "+r.Header.Get("Accept-Language"))
	}
	for name, value := range d.header {
		w.Header().Set(name, value)
	}
	found, known := d.answers[who+r.Method+" "+r.URL.Path]
	switch {
	case d.answers == nil: // somebody else, who likes everything
		found = ok("{}")
	case !known:
		found = refused(404)
	}
	if to := found.header["Location"]; strings.HasPrefix(to, "https://open.weixin.qq.com/") {
		d.states++
		found = redirect(fmt.Sprintf("%s&state=%d", to, d.states), found.header["Set-Cookie"])
	}
	found.write(w)
}

// putBehindCache puts a proxy in front that keeps answers by address and key, no-store or not,
// as CloudFront does with a minimum TTL.
func (d *deployment) putBehindCache(t *testing.T) {
	origin := httptest.NewServer(d)
	t.Cleanup(origin.Close)
	to, err := url.Parse(origin.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	var kept sync.Map
	d.secure.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Method + " " + r.URL.String() + " " + r.Header.Get("Authorization")
		answer, hit := kept.Load(key)
		if !hit {
			fresh := httptest.NewRecorder()
			proxy.ServeHTTP(fresh, r)
			answer, _ = kept.LoadOrStore(key, fresh)
		}
		recorded := answer.(*httptest.ResponseRecorder)
		maps.Copy(w.Header(), recorded.Header())
		w.WriteHeader(recorded.Code)
		_, _ = w.Write(recorded.Body.Bytes())
	})
}

// examine runs the checks and returns what they say, by check.
func (d *deployment) examine(t *testing.T, adminKey string) map[string][]string {
	t.Helper()
	lines := map[string][]string{}
	cfg := d.config(t)
	cfg.AdminKey = adminKey
	for f := range Run(t.Context(), cfg) {
		line := string(f.Status) + " " + f.Check + ": " + f.Seen
		if f.Fix != "" {
			line += " → " + f.Fix
		}
		lines[f.Check] = append(lines[f.Check], line)
	}
	return lines
}

// config leads every connection to the deployment.
func (d *deployment) config(t *testing.T) Config {
	t.Helper()
	address, err := ParseAddress(d.address)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if d.trusted {
		roots.AddCert(d.secure.Certificate())
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Time: func() time.Time { return d.now }},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			d.dialed = append(d.dialed, address)
			switch {
			case d.dial != nil:
				return nil, d.dial()
			case strings.HasSuffix(address, ":443"):
				return (&net.Dialer{}).DialContext(ctx, network, d.secure.Listener.Addr().String())
			case d.plain.status != 0:
				return (&net.Dialer{}).DialContext(ctx, network, d.clear.Listener.Addr().String())
			}
			return nil, errors.New("connection refused")
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return Config{Address: address, Transport: transport, Now: func() time.Time { return d.now }}
}
