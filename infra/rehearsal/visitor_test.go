package rehearsal_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/wecom-signin/wecom-signin/infra/emulator"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

const (
	corpID      = "ww0123456789abcdef"
	agentID     = "1000002"
	appSecret   = "secret-of-the-app-0123456789abcdefghijklmno"
	application = "https://app.example.com"
)

// world is the service under its public address, with a WeCom beside it. All speak
// TLS with certificates of one authority, which the functions trust as well.
type world struct {
	url    string // of the service
	client *http.Client
	weCom  *wecomsim.Simulator
	weURL  string
	// authority is the file of the certificate that signs the others.
	authority string
	// api is what the public address leads to.
	api atomic.Pointer[api]
}

// api is an API in an emulator.
type api struct{ endpoint, id string }

// newWorld makes the addresses; the service itself is deployed later.
func newWorld(t *testing.T) *world {
	t.Helper()
	authority, certificate := certificates(t)
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		t.Fatal("the authority's certificate is not one")
	}
	w := &world{authority: filepath.Join(t.TempDir(), "authority.pem")}
	if err := os.WriteFile(w.authority, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	w.client = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 8},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       time.Minute,
	}
	w.url = serve(t, certificate, &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		api := w.api.Load()
		r.SetURL(&url.URL{Scheme: "http", Host: api.endpoint})
		r.Out.Host = emulator.HostOf(api.id)
	}})
	w.weCom = wecomsim.New(wecomsim.Config{Corps: []wecomsim.Corp{{
		ID: corpID,
		Apps: []wecomsim.App{{
			AgentID: agentID, Secret: appSecret, Fields: []wecomsim.Field{wecomsim.FieldMobile},
			TrustedDomain: strings.TrimPrefix(w.url, "https://"), CallbackDomain: strings.TrimPrefix(w.url, "https://"),
		}},
		Members: []wecomsim.Member{
			{UserID: "zhangsan", Name: "张三", Mobile: "13800000001"},
			{UserID: "lisi", Name: "李四", Mobile: "13800000002"},
		},
	}}})
	w.weURL = serve(t, certificate, w.weCom)
	return w
}

// serve starts a server with TLS and returns its address on localhost.
func serve(t *testing.T, certificate tls.Certificate, handler http.Handler) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "https://localhost:" + port
}

// certificates makes an authority, and a certificate of it for localhost.
func certificates(t *testing.T) (authority []byte, certificate tls.Certificate) {
	t.Helper()
	sign := func(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	keys := make([]*ecdsa.PrivateKey, 2)
	for i := range keys {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = key
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rehearsal"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	authority = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sign(root, root, keys[0], keys[0])})
	return authority, tls.Certificate{Certificate: [][]byte{sign(leaf, root, keys[1], keys[0])}, PrivateKey: keys[1]}
}

// lead lets the public address lead to an API, as DNS and a domain of the API do.
func (w *world) lead(t *testing.T, aws *emulator.AWS, apiURL string) {
	t.Helper()
	u, err := url.Parse(apiURL)
	if err != nil {
		t.Fatal(err)
	}
	id, _, _ := strings.Cut(u.Hostname(), ".")
	w.api.Store(&api{strings.TrimPrefix(aws.Endpoint, "http://"), id})
}

// visitor is somebody with a browser.
type visitor struct {
	*world
	userAgent string
	userID    string
	cookies   map[string]string
}

func (w *world) visitor(userID, userAgent string) *visitor {
	return &visitor{world: w, userAgent: userAgent, userID: userID, cookies: map[string]string{}}
}

type answer struct {
	status int
	header http.Header
	body   string
}

// send makes a request to the service and keeps the cookies of the answer.
func (v *visitor) send(ctx context.Context, method, address, authorization string, body any) (answer, error) {
	var content []byte
	if body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return answer{}, err
		}
	}
	if strings.HasPrefix(address, "/") {
		address = v.url + address
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(content))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("User-Agent", v.userAgent)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if authorization != "" {
		r.Header.Set("Authorization", "Bearer "+authorization)
	}
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	response, err := v.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	for _, cookie := range response.Cookies() {
		if cookie.MaxAge < 0 {
			delete(v.cookies, cookie.Name)
			continue
		}
		v.cookies[cookie.Name] = cookie.Value
	}
	return answer{response.StatusCode, response.Header, string(read)}, nil
}

// open goes to an address and wherever it leads, through WeCom as well, and returns
// where there is a page or the application begins.
func (v *visitor) open(ctx context.Context, address string) (string, error) {
	for range 10 {
		a, err := v.send(ctx, http.MethodGet, address, "", nil)
		if err != nil {
			return address, err
		}
		if a.status >= http.StatusInternalServerError {
			return address, fmt.Errorf("status %d", a.status)
		}
		next := a.header.Get("Location")
		if next == "" {
			return address, nil
		}
		if strings.HasPrefix(next, v.weURL+"/") {
			if next, err = v.weCom.Follow(ctx, next, wecomsim.Browser{UserID: v.userID, UserAgent: v.userAgent}); err != nil {
				return address, err
			}
		}
		if strings.HasPrefix(next, application+"/") {
			return next, nil
		}
		address = next
	}
	return address, errors.New("redirects without an end")
}

// signIn signs the visitor in and fails the test when it ends elsewhere than in the
// application.
func (v *visitor) signIn(t *testing.T) {
	t.Helper()
	if end, err := v.open(t.Context(), "/authorize/main"); err != nil || end != application+"/home" {
		t.Fatalf("%s signed in and ended at %s (%v)", v.userID, withoutQuery(end), err)
	}
}

// withoutQuery is an address without what may be secret in it.
func withoutQuery(address string) string {
	before, query, _ := strings.Cut(address, "?")
	values, _ := url.ParseQuery(query)
	if code := values.Get("error"); code != "" {
		return before + "?error=" + code
	}
	return before
}

// expect makes a request and fails the test when the status is another one.
func (v *visitor) expect(t *testing.T, status int, method, address, authorization string, body any) answer {
	t.Helper()
	a, err := v.send(t.Context(), method, address, authorization, body)
	if err != nil {
		t.Fatal(err)
	}
	if a.status != status {
		t.Fatalf("%s %s: %d %s; want %d", method, address, a.status, a.body, status)
	}
	return a
}

func decode[T any](t *testing.T, a answer) (value T) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &value); err != nil {
		t.Fatalf("%v in %d %s", err, a.status, a.body)
	}
	return value
}

// user returns the id of who is signed in.
func (v *visitor) user(t *testing.T) string {
	t.Helper()
	return decode[struct{ User struct{ ID string } }](t, v.expect(t, 200, "GET", "/api/session", "", nil)).User.ID
}

func (v *visitor) token(t *testing.T) string {
	t.Helper()
	return decode[struct {
		AccessToken string `json:"access_token"`
	}](t, v.expect(t, 200, "POST", "/api/token", "", nil)).AccessToken
}

// verify checks a token as an application's backend does and returns whose it is.
func (w *world) verify(t *testing.T, token string) (user string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(oidc.ClientContext(t.Context(), w.client), 20*time.Second)
	defer cancel()
	provider, err := oidc.NewProvider(ctx, w.url)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := provider.Verifier(&oidc.Config{ClientID: application, SupportedSigningAlgs: []string{oidc.RS256}}).Verify(ctx, token)
	if err != nil {
		t.Fatal(err)
	}
	return verified.Subject
}

// keyOf returns the id of the key that signed a token.
func keyOf(t *testing.T, token string) string {
	t.Helper()
	header, _, _ := strings.Cut(token, ".")
	var fields struct{ Kid string }
	if err := decodeSegment(header, &fields); err != nil || fields.Kid == "" {
		t.Fatalf("a token names no key: %v", err)
	}
	return fields.Kid
}

func decodeSegment(segment string, into any) error {
	content, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return err
	}
	return json.Unmarshal(content, into)
}

// crowd is people who sign in all the time.
type crowd struct {
	stop     context.CancelFunc
	people   sync.WaitGroup
	signIns  atomic.Int64 // that ended in the application
	mu       sync.Mutex
	failures []string
}

// gather lets people sign in, in WeCom's client and in browsers, until ends is
// called. Everybody who is in already asks for the session as well.
func (w *world) gather(t *testing.T, already []*visitor) *crowd {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	c := &crowd{stop: stop}
	fails := func(failure string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.failures = append(c.failures, time.Now().Format("05.000 ")+failure)
	}
	for _, userAgent := range []string{wecomsim.UserAgentWeComAndroid, wecomsim.UserAgentBrowser} {
		c.people.Go(func() {
			for ctx.Err() == nil {
				v := w.visitor("zhangsan", userAgent)
				// A sign-in that has begun is ended: only the start looks at ctx.
				end, err := v.open(t.Context(), "/authorize/main")
				switch {
				case err != nil:
					fails(fmt.Sprintf("%s: %v", withoutQuery(end), err))
				case end != application+"/home":
					fails("ended at " + withoutQuery(end))
				default:
					c.signIns.Add(1)
				}
			}
		})
	}
	c.people.Go(func() {
		for ctx.Err() == nil {
			for _, v := range already {
				if a, err := v.send(t.Context(), "GET", "/api/session", "", nil); err != nil || a.status != http.StatusOK {
					fails(fmt.Sprintf("a session from before: %d (%v)", a.status, err))
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	return c
}

// ends lets the crowd go and fails the test when somebody could not sign in.
func (c *crowd) ends(t *testing.T) {
	t.Helper()
	c.stop()
	c.people.Wait()
	for _, failure := range c.failures {
		t.Error(failure)
	}
	if n := c.signIns.Load(); n < 10 {
		t.Errorf("only %d sign-ins ended in the application", n)
	}
	t.Logf("%d sign-ins, %d failures", c.signIns.Load(), len(c.failures))
}
