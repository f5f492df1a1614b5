package clients

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

const (
	root     = "../.."
	host     = "localhost" // of the service
	corpID   = "ww0123456789abcdef"
	agentID  = "1000002"
	secret   = "secret-of-the-app-0123456789abcdefghijklmno"
	adminKey = "admin-key-of-the-clients-0123456789"
)

// service is the program of `make run` at an https address, beside a strict WeCom.
type service struct {
	url       string
	authority string // the file of the certificate that signs the address's
	simulator *wecomsim.Simulator
	weCom     *httptest.Server
	folder    string
	front     *httptest.Server
	program   *exec.Cmd
	log       bytes.Buffer // of the program, complete when it has ended

	mu    sync.Mutex
	asked []*http.Request // by proxies
}

// theService is one for all tests: each brings an application and a member of its own.
var theService service

func TestMain(m *testing.M) {
	code := 1
	err := theService.start()
	if err == nil {
		code = chromium.Main(m)
	}
	if err = errors.Join(err, theService.stop()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// stop ends the program as a terminal does. When it does not end well, the error has its log.
func (s *service) stop() error {
	var err error
	if s.program != nil && s.program.Process != nil {
		_ = s.program.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(time.Minute, func() { _ = s.program.Process.Kill() })
		defer late.Stop()
		if err = s.program.Wait(); err != nil {
			err = fmt.Errorf("the service ended with %w\n%s", err, &s.log)
		}
	}
	return errors.Join(err, os.RemoveAll(s.folder))
}

func (s *service) start() (err error) {
	if s.folder, err = os.MkdirTemp("", "clients-"); err != nil {
		return err
	}
	// Apache reads the authority's certificate as a user of its own.
	if err := os.Chmod(s.folder, 0o755); err != nil {
		return err
	}
	program := filepath.Join(s.folder, "local")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./infra/local")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, output)
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	certificate, err := selfSigned()
	if err != nil {
		return err
	}
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "127.0.0.1:" + port})
	s.front = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.note(r)
		behind.ServeHTTP(w, r)
	}))
	s.front.Config.ErrorLog = log.New(io.Discard, "", 0) // whoever hangs up early
	s.front.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	s.front.StartTLS()
	// Applications are at 127.0.0.1: ports do not separate cookies, hosts do.
	s.url = strings.Replace(s.front.URL, "127.0.0.1", host, 1)
	s.authority = filepath.Join(s.folder, "authority.pem")
	if err := os.WriteFile(s.authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}), 0o644); err != nil {
		return err
	}
	// Some of the libraries know no other client than Go's default one.
	trusted := x509.NewCertPool()
	trusted.AddCert(s.front.Certificate())
	http.DefaultTransport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: trusted}

	domain := strings.TrimPrefix(s.url, "https://")
	s.simulator = wecomsim.New(wecomsim.Config{
		Choices: wecomsim.Choices{LoopbackTrustedIPs: true, TrustedIPsAtOnce: true},
		Corps: []wecomsim.Corp{{ID: corpID, Name: "山海示例科技", Apps: []wecomsim.App{{
			AgentID: agentID, Secret: secret, TrustedDomain: domain, CallbackDomain: domain, TrustedIPs: []string{"127.0.0.1"},
			Fields: []wecomsim.Field{wecomsim.FieldMobile},
		}}}},
	})
	s.weCom = httptest.NewServer(s.simulator)
	s.program = exec.Command(program)
	s.program.Dir, s.program.Stderr = root, &s.log
	s.program.Env = []string{
		"PORT=" + port, "DATA_DIR=" + filepath.Join(s.folder, "data"), "PUBLIC_URL=" + s.url, "ADMIN_KEY=" + adminKey,
		"WECOM_API_URL=" + s.weCom.URL, "WECOM_OAUTH_URL=" + s.weCom.URL, "WECOM_LOGIN_URL=" + s.weCom.URL,
	}
	if err := s.program.Start(); err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		connection, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = connection.Close()
			break
		}
		if time.Now().After(deadline) {
			return err
		}
	}
	_, err = s.admin(http.MethodPost, "/authenticators", answer{
		"name": "portal", "title": "Portal", "corpId": corpID, "agentId": agentID, "secret": secret, "origin": "http://127.0.0.1:1", "workbenchRedirectPath": "/",
	})
	return err
}

// selfSigned makes a certificate for the service's host, which is its own authority.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{signed}, PrivateKey: key}, err
}

// note keeps what a proxy sends for an application.
func (s *service) note(r *http.Request) {
	if !strings.Contains(r.URL.Path, "/.wecom-signin/") && !strings.Contains(r.URL.Path, "/forward-auth/") {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.Clone(context.Background()))
}

// askedFor returns what proxies have sent for an application.
func (s *service) askedFor(id string) []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*http.Request
	for _, r := range s.asked {
		if slices.Contains(strings.Split(r.URL.Path, "/"), id) {
			found = append(found, r)
		}
	}
	return found
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// freePort returns a port of loopback that was free a moment ago.
func freePort() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	return port, err
}

// answer is JSON of which the tests read texts.
type answer map[string]any

func (a answer) text(name string) string { return fmt.Sprint(cmp.Or(a[name], any(""))) }

func (s *service) admin(method, path string, body answer) (answer, error) {
	r, err := http.NewRequest(method, s.url+"/api/admin"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	testbrowser.Bearer(adminKey)(r)
	if body != nil {
		testbrowser.JSON(body)(r)
	}
	a, err := testbrowser.New(testbrowser.Config{}).Do(r)
	if err != nil || a.Status/100 != 2 {
		return nil, errors.Join(err, fmt.Errorf("%s %s: %d %s", method, path, a.Status, a.Body))
	}
	var decoded answer
	return decoded, json.Unmarshal([]byte(a.Body), &decoded)
}

// application is one that an administrator has registered.
type application struct {
	*service
	id, secret, url, callback string
}

// register registers an application that is going to listen at loopback, with what an
// administrator changes.
func register(t *testing.T, id, callback string, change answer) application {
	t.Helper()
	port, err := freePort()
	must(t, err)
	a := application{service: &theService, id: id, url: "http://127.0.0.1:" + port}
	a.callback = a.url + callback
	fields := answer{
		"id": id, "kind": "web", "redirectUris": []string{a.callback}, "postLogoutRedirectUris": []string{a.url + "/bye"},
		"claims": answer{"email": "template", "emailTemplate": "{wecom_userid}@corp.example"},
	}
	for name, value := range change {
		fields[name] = value
		if text, ok := value.(string); ok {
			fields[name] = strings.Replace(text, "URL", a.url, 1)
		}
	}
	_, err = a.admin(http.MethodPost, "/applications", fields)
	must(t, err)
	if fields["kind"] == "web" {
		made, err := a.admin(http.MethodPost, "/applications/"+id+"/secrets", nil)
		must(t, err)
		a.secret = made.text("secret")
	}
	return a
}

// port has five digits and is the application's alone.
func (a application) port() string { return a.url[strings.LastIndex(a.url, ":")+1:] }

// member is one in front of WeCom's own browser, which no test has seen before.
type member struct {
	t       *testing.T
	service *service
	userID  string
	browser *testbrowser.Browser
	client  *http.Client         // the same browser, at everything but the service
	site    *testbrowser.Browser // instead of client, at an application with cookies that are Secure
	weCom   int                  // how often it was at WeCom
}

// member hires one and, where the test needs them, gives the user roles.
func (a application) member(t *testing.T, roles ...string) *member {
	t.Helper()
	m := &member{t: t, service: a.service, userID: "of-" + a.id}
	must(t, a.simulator.AddMember(corpID, wecomsim.Member{UserID: m.userID, Name: "张三", Mobile: "+4477009" + a.port()}))
	m.browser = testbrowser.New(testbrowser.Config{
		URL: a.service.url, UserAgent: wecomsim.UserAgentWeComAndroid, WeCom: a.simulator, WeComURL: a.weCom.URL, Member: wecomsim.Browser{UserID: m.userID},
	})
	jar, err := cookiejar.New(nil)
	must(t, err)
	m.client = &http.Client{Jar: jar, Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if len(roles) > 0 {
		m.browser.Open(t, "/authorize/portal")
		_, err := a.admin(http.MethodPatch, "/users/"+m.session().User.ID, answer{"roles": roles})
		must(t, err)
	}
	return m
}

type session struct{ User struct{ ID string } }

// session is what the service knows of the member's browser.
func (m *member) session() session {
	m.t.Helper()
	return testbrowser.Decode[session](m.t, m.browser.Expect(m.t, http.StatusOK, http.MethodGet, "/api/session"))
}

// visit opens an address and whatever it leads to, presses the first button of a page of
// the service that asks something, and returns what is there at the end.
func (m *member) visit(address string) testbrowser.Answer {
	m.t.Helper()
	for range 20 {
		if !strings.HasPrefix(address, m.service.url+"/") {
			a := m.get(address)
			if address = a.Redirect(); address == "" {
				return a
			}
			continue
		}
		end := m.browser.Open(m.t, address)
		m.weCom += end.WeCom
		switch {
		case end.Page.Status == 0:
			address = end.Address
		case action.MatchString(end.Page.Body):
			a := m.press(end.Page)
			if address = a.Redirect(); address == "" {
				return a
			}
		default:
			return end.Page
		}
	}
	m.t.Fatalf("goes round and round, now at %s", address)
	return testbrowser.Answer{}
}

// get opens an address that is not the service's, as a navigation.
func (m *member) get(address string) testbrowser.Answer {
	m.t.Helper()
	if m.site != nil {
		return m.site.Send(m.t, http.MethodGet, address)
	}
	r, err := http.NewRequestWithContext(m.t.Context(), http.MethodGet, address, nil)
	must(m.t, err)
	r.Header.Set("Accept", "text/html,*/*;q=0.8")
	response, err := m.client.Do(r)
	must(m.t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	must(m.t, err)
	return testbrowser.Answer{URL: address, Status: response.StatusCode, Header: response.Header, Body: string(body)}
}

var (
	action = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// press sends the form of a page.
func (m *member) press(page testbrowser.Answer) testbrowser.Answer {
	m.t.Helper()
	fields := url.Values{}
	for _, field := range hidden.FindAllStringSubmatch(page.Body, -1) {
		fields.Set(field[1], html.UnescapeString(field[2]))
	}
	address := html.UnescapeString(action.FindStringSubmatch(page.Body)[1])
	return m.browser.Send(m.t, http.MethodPost, address, testbrowser.Body("application/x-www-form-urlencoded", fields.Encode()))
}

func (m *member) email() string { return m.userID + "@corp.example" }

// wantSignedOut checks that the service has no session of the browser any more.
func (m *member) wantSignedOut() {
	m.t.Helper()
	if a := m.browser.Send(m.t, http.MethodGet, "/api/session"); a.Status != http.StatusUnauthorized {
		m.t.Errorf("the session: %d %.500s", a.Status, a.Body)
	}
}
