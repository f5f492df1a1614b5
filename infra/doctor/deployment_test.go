package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const (
	host     = "signin.example.com"
	base     = "https://" + host
	adminKey = "ADMINKEYOFTHETESTADMINKEYOFTHETEST"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// deployment stands in for a healthy one; tests break it.
type deployment struct {
	// answers by method and path, with "admin " in front for the admin key's bearer.
	answers map[string]http.HandlerFunc
	// plain answers without https; nil is a closed port.
	plain http.Handler
	// date is the service's clock.
	date time.Time
	// notAfter, names and trusted are of the certificate.
	notAfter time.Time
	names    []string
	trusted  bool
	// dial in place of a connection.
	dial func() error
	// asked are the requests that carried the admin key.
	asked []string
}

func healthy() *deployment {
	d := &deployment{
		plain: http.RedirectHandler(base+"/signin", http.StatusMovedPermanently),
		date:  noon, notAfter: noon.Add(63 * day), names: []string{host}, trusted: true,
	}
	page := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!doctype html>"))
	}
	d.answers = map[string]http.HandlerFunc{
		"GET /signin":                           page,
		"GET /console":                          page,
		"GET " + discoveryPath:                  answer200(`{"issuer":"` + base + `","jwks_uri":"` + base + keysPath + `"}`),
		"GET " + keysPath:                       keySet(noon.Add(-12*day), publicKey("1", 2048), publicKey("2", 2048)),
		"GET /api/authenticators":               answer200(`[{"name":"portal","title":"Portal","type":"wecom","authorizeUrl":"` + base + `/authorize/portal"}]`),
		"GET /authorize/portal":                 leave("https://open.weixin.qq.com/connect/oauth2/authorize?redirect_uri="+base+"/callback/portal%3Fredirect=/a", goodCookie),
		"GET /api/session":                      problem(http.StatusUnauthorized),
		"OPTIONS /api/session":                  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"GET /api/doctor-asks-for-nothing":      problem(http.StatusNotFound),
		"GET /WW_verify_ABCDEFGHIJKLMNOP.txt":   plainText("ABCDEFGHIJKLMNOP"),
		"admin GET " + authenticatorsPath:       answer200(list1),
		"admin POST " + checkPath("portal"):     answer200(`{"ok":true,"steps":[{"step":"credentials","ok":true},{"step":"trusted-ip","ok":true}]}`),
		"admin GET " + egressPath:               answer200(`{"addresses":["203.0.113.7"],"source":"setting"}`),
		"admin GET " + domainFilesPath:          answer200(`{"items":[{"filename":"WW_verify_ABCDEFGHIJKLMNOP.txt"}],"nextCursor":""}`),
		"anonymous GET " + authenticatorsPath:   gateway(http.StatusUnauthorized),
		"wrong key GET " + authenticatorsPath:   gateway(http.StatusForbidden),
		"wrong key POST " + checkPath("portal"): gateway(http.StatusForbidden),
	}
	return d
}

const (
	goodCookie = "__Host-wecom_attempt_0123456789abcdef=sealed; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Lax"
	list1      = `{"items":[{"name":"portal","enabled":true,"corpId":"ww1","agentId":"1000002","callbackDomain":"` + host + `"}],"nextCursor":""}`
)

func checkPath(name string) string { return authenticatorsPath + "/" + name + "/check" }

func answer200(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body))
	}
}

func plainText(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(body))
	}
}

func problem(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
	}
}

// gateway answers as API Gateway itself does.
func gateway(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"message":"` + http.StatusText(status) + `"}`))
	}
}

func leave(address, cookie string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if cookie != "" {
			w.Header().Set("Set-Cookie", cookie)
		}
		w.Header().Set("Location", address)
		w.WriteHeader(http.StatusFound)
	}
}

func header(name, value string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(name, value)
		if value == "" {
			w.Header()[name] = nil
		}
		next(w, r)
	}
}

func keySet(published time.Time, keys ...map[string]string) http.HandlerFunc {
	body, _ := json.Marshal(map[string]any{"keys": keys})
	next := answer200(string(body))
	if published.IsZero() {
		return next
	}
	return header("Last-Modified", published.Format(http.TimeFormat), next)
}

func publicKey(id string, bits uint) map[string]string {
	modulus := new(big.Int).SetBit(big.NewInt(1), int(bits-1), 1)
	return map[string]string{"kty": "RSA", "kid": id, "use": "sig", "e": "AQAB", "n": base64.RawURLEncoding.EncodeToString(modulus.Bytes())}
}

func (d *deployment) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range map[string]string{
		"Date": d.date.Format(http.TimeFormat), versionHeader: "1.2.0", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "Strict-Transport-Security": "max-age=31536000",
	} {
		w.Header().Set(name, value)
	}
	who := ""
	if strings.HasPrefix(r.URL.Path, "/api/admin/") {
		switch r.Header.Get("Authorization") {
		case "Bearer " + adminKey:
			who = "admin "
		case "":
			who = "anonymous "
		default:
			who = "wrong key "
		}
	}
	if strings.Contains(r.Header.Get("Authorization"), adminKey) {
		d.asked = append(d.asked, r.Method+" "+r.Host+r.URL.Path+" "+r.Header.Get("Accept-Language"))
	}
	answer, known := d.answers[who+r.Method+" "+r.URL.Path]
	if !known {
		http.NotFound(w, r)
		return
	}
	answer(w, r)
}

// transport leads every connection to the deployment.
func (d *deployment) transport(t *testing.T) http.RoundTripper {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: d.names, NotBefore: noon.Add(-365 * day), NotAfter: d.notAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if d.trusted {
		parsed, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		roots.AddCert(parsed)
	}
	secure := httptest.NewUnstartedServer(d)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // of certificates that are refused
	secure.StartTLS()
	t.Cleanup(secure.Close)
	targets := map[string]string{host + ":443": secure.Listener.Addr().String()}
	if d.plain != nil {
		plain := httptest.NewServer(d.plain)
		t.Cleanup(plain.Close)
		targets[host+":80"] = plain.Listener.Addr().String()
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Time: func() time.Time { return noon }},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if d.dial != nil {
				return nil, d.dial()
			}
			target, known := targets[address]
			if !known {
				return nil, &net.OpError{Op: "dial", Net: network, Err: net.UnknownNetworkError("closed")}
			}
			var dialer net.Dialer
			return dialer.DialContext(ctx, network, target)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}
