package clients

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// proxies ask the service about each request (forward auth). All are configured by the text
// of the console, in which only what differs on every machine is replaced.
var proxies = []string{"nginx", "caddy", "envoy"}

// proxied is an application that knows no sign-in, behind a proxy.
type proxied struct {
	application
	proxy   string
	reached *atomic.Int64 // requests that the application has got
	asked   *requests     // that the service has got from the proxy
}

// requests are kept as they came.
type requests struct {
	sync.Mutex
	all []*http.Request
}

func (r *requests) add(one *http.Request) {
	r.Lock()
	defer r.Unlock()
	r.all = append(r.all, one.Clone(context.Background()))
}

func (r *requests) list() []*http.Request {
	r.Lock()
	defer r.Unlock()
	return slices.Clone(r.all)
}

// behindEach runs a test behind each proxy, all at once. name and the proxy's make the
// application's id.
func behindEach(t *testing.T, service func(*testing.T) *service, name string, test func(t *testing.T, p proxied), change ...answer) {
	t.Parallel()
	for _, proxy := range proxies {
		t.Run(proxy, func(t *testing.T) {
			t.Parallel()
			test(t, behind(t, service(t), proxy, name, change...))
		})
	}
}

// behind registers an application and starts its proxy, which reaches the service by an
// address that keeps what it asks.
func behind(t *testing.T, s *service, proxy, name string, change ...answer) proxied {
	t.Helper()
	p := register(t, s, proxy, name, change...)
	target, err := url.Parse(s.url)
	must(t, err)
	p.start(t, services.account.Serve(t, &httputil.ReverseProxy{
		Transport: services.account.Transport(),
		Rewrite: func(r *httputil.ProxyRequest) {
			p.asked.add(r.In)
			r.SetURL(target)
		},
	}))
	return p
}

func register(t *testing.T, s *service, proxy, name string, change ...answer) proxied {
	t.Helper()
	fields := answer{"kind": "proxy", "homepage": "URL/", "redirectUris": []string{}, "postLogoutRedirectUris": []string{}}
	for _, more := range change {
		maps.Copy(fields, more)
	}
	return proxied{s.register(t, proxy+"-"+name, "", fields), proxy, new(atomic.Int64), new(requests)}
}

// start starts the proxy, which finds the service at an address.
func (p proxied) start(t *testing.T, issuer string) {
	t.Helper()
	echo := httptest.NewServer(http.HandlerFunc(p.echo))
	t.Cleanup(echo.Close)
	service, err := url.Parse(issuer)
	must(t, err)
	folder := t.TempDir()
	application := strings.TrimPrefix(echo.URL, "http://")
	_, applicationPort, _ := strings.Cut(application, ":")
	file := filepath.Join(folder, p.proxy+".yaml") // Envoy goes by the ending
	var command *exec.Cmd
	var configuration string
	switch p.proxy {
	case "nginx":
		program, err := exec.LookPath("nginx")
		if err != nil {
			awsstack.Missing(t, t.Name(), "nginx is missing (apt-get install nginx-light)")
		}
		configuration = "daemon off; user root; worker_processes 1; pid " + folder + "/pid; error_log stderr;\n" +
			"events {}\nhttp {\naccess_log off;\n" + p.snippet(t, issuer,
			"listen 443 ssl;", "listen 127.0.0.1:"+p.port()+";",
			"resolver 127.0.0.53", "resolver "+nameServer(t),
			"/etc/ssl/certs/ca-certificates.crt", p.authority,
			"/run/", folder+"/",
			"127.0.0.1:8080", application) + "}\n"
		command = exec.Command(program, "-p", folder, "-c", file, "-e", "stderr")
	case "caddy":
		configuration = "{\n\tadmin off\n}\n" + p.snippet(t, issuer, "127.0.0.1:8080", application)
		command = exec.Command(tool(t, "proxies/bin/caddy"), "run", "--adapter", "caddyfile", "--config", file)
		command.Env = append(os.Environ(), "SSL_CERT_FILE="+p.authority, "HOME="+folder, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	case "envoy":
		port, err := freePort()
		must(t, err)
		configuration = p.snippet(t, issuer,
			"address: 0.0.0.0, port_value: 443", "address: 127.0.0.1, port_value: "+p.port(),
			"port_value: 443", "port_value: "+service.Port(),
			"port_value: 8080", "port_value: "+applicationPort,
			"9443", port,
			"/etc/ssl/certs/ca-certificates.crt", p.authority)
		command = exec.Command(tool(t, "proxies/bin/envoy"), "-c", file, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning")
	}
	must(t, os.WriteFile(file, []byte(configuration), 0o600))
	p.run(t, command)
	p.reached.Store(0)
}

// snippet is the console's configuration of the proxy, with replacements in pairs.
func (p proxied) snippet(t *testing.T, issuer string, replacements ...string) string {
	t.Helper()
	there := *p.service
	there.url = issuer
	a := p.application
	a.service = &there
	text := a.configuration(t, p.proxy)
	for pair := range slices.Chunk(replacements, 2) {
		if !strings.Contains(text, pair[0]) {
			t.Fatalf("the configuration of %s has no %s", p.proxy, pair[0])
		}
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	return text
}

// nameServer answers every question for the address of a name with loopback's, as nginx
// reads no hosts file.
func nameServer(t *testing.T) (address string) {
	t.Helper()
	connection, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	go func() {
		for buffer := make([]byte, 512); ; {
			n, from, err := connection.ReadFrom(buffer)
			if err != nil {
				return
			}
			if n < 17 {
				continue
			}
			// RFC 1035 §4.1: the question back, and one answer unless it asks for AAAA.
			reply := append([]byte{buffer[0], buffer[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, buffer[12:n]...)
			if isA := buffer[n-3] == 1; isA {
				reply[7] = 1
				reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
			}
			_, _ = connection.WriteTo(reply, from)
		}
	}()
	return connection.LocalAddr().String()
}

// echoed is what the application got.
type echoed struct {
	Method, URI, Host, Body string
	Header                  http.Header
}

// echo is the application. It answers with what it gets, or by a WebSocket.
func (p proxied) echo(w http.ResponseWriter, r *http.Request) {
	p.reached.Add(1)
	if r.Header.Get("Upgrade") != "" {
		connection, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = connection.Close() }()
		_, _ = fmt.Fprintf(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
		_, _ = io.Copy(connection, buffer)
		return
	}
	if strings.Contains(r.Header.Get("Accept"), "text/html") { // a person reads it
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, `<!DOCTYPE html><html lang="en"><meta name="viewport" content="width=device-width"><title>Wiki</title><link rel="icon" href="data:,"><h1 style="overflow-wrap: anywhere">%s</h1>`, html.EscapeString(r.Header.Get("X-Auth-Name")+" reads "+r.RequestURI))
		return
	}
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(echoed{r.Method, r.RequestURI, r.Host, string(body), r.Header})
}

// member is one with a browser that keeps the application's cookies, too.
func (p proxied) member(t *testing.T, roles ...string) *member {
	t.Helper()
	m := p.application.member(t, roles...)
	m.site = testbrowser.New(testbrowser.Config{URL: p.url, UserAgent: wecomsim.UserAgentWeComAndroid})
	return m
}

// opens opens a page of the application, to which the member signs in on the way.
func (p proxied) opens(m *member, path string) echoed {
	m.t.Helper()
	a := m.visit(p.url + path)
	if a.Status != http.StatusOK || a.URL != p.url+path {
		m.t.Fatalf("%s ends at %s: %d %.1000s", path, a.URL, a.Status, a.Body)
	}
	return testbrowser.Decode[echoed](m.t, a)
}

// The member comes back to the very address, and the application gets the request as it was,
// with who it is. The service gets neither the application's cookies nor its passwords.
func TestMemberPassesProxy(t *testing.T) {
	behindEach(t, deployed, "passes", func(t *testing.T, p proxied) {
		m := p.member(t, "editor", "team/lead")
		const deep = "/deep/%E4%BD%A0?a=1&a=2&b=%2F%20x&to=//evil.example"
		first := p.opens(m, deep)
		if first.URI != deep || first.Method != http.MethodGet {
			t.Errorf("the application got %s %s", first.Method, first.URI)
		}
		if m.weCom != 0 {
			t.Errorf("%d times at WeCom with a session", m.weCom)
		}
		a := m.site.Send(t, http.MethodPost, "/orders?id=1", testbrowser.Body("text/plain", "two chairs"),
			testbrowser.Bearer("of-the-application"), testbrowser.Header("Cookie", cookies(m)+"; application=secret"))
		posted := testbrowser.Decode[echoed](t, a)
		if posted.Method != http.MethodPost || posted.URI != "/orders?id=1" || posted.Body != "two chairs" ||
			posted.Header.Get("Authorization") != "Bearer of-the-application" || !strings.Contains(posted.Header.Get("Cookie"), "application=secret") {
			t.Errorf("the application got %+v", posted)
		}
		for _, got := range []echoed{first, posted} {
			for name, want := range map[string]string{
				"X-Auth-User": m.session().User.ID, "X-Auth-Name": "%E5%BC%A0%E4%B8%89", "X-Auth-Roles": "editor team%2Flead",
				"X-Auth-Phone": "+4477009" + p.port(), "X-Auth-Email": m.email(), "X-Auth-Token": "",
			} {
				if values := got.Header.Values(name); len(values) > 1 || got.Header.Get(name) != want {
					t.Errorf("%s: %q, want %q", name, values, want)
				}
			}
			if !strings.Contains(got.Header.Get("X-Auth-Groups"), "role:editor") {
				t.Errorf("groups: %q", got.Header.Get("X-Auth-Groups"))
			}
		}
		asked := p.asked.list()
		if len(asked) < 4 {
			t.Fatalf("the service was asked %d times", len(asked))
		}
		for _, r := range asked {
			if name, _, _ := strings.Cut(r.Host, ":"); name != "localhost" {
				t.Errorf("%s for the host %s", r.URL.Path, r.Host)
			}
			if strings.Contains(fmt.Sprint(r.Header), "secret") || strings.Contains(fmt.Sprint(r.Header), "of-the-application") {
				t.Errorf("%s with %v", r.URL.Path, r.Header)
			}
		}
	})
}

// cookies is what the browser sends to the application.
func cookies(m *member) string {
	return m.site.Request(m.t, http.MethodGet, "/").Header.Get("Cookie")
}

// handshake is a browser's that opens a WebSocket.
func handshake(r *http.Request) {
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
	} {
		r.Header.Set(name, value)
	}
	r.Header.Del("Sec-Fetch-Mode")
	r.Header.Set("Accept", "text/html")
}

// Whoever is not signed in gets a redirect for a page, and 401 for everything else.
func TestProxyRedirectsOnlyNavigation(t *testing.T) {
	behindEach(t, local, "redirects", func(t *testing.T, p proxied) {
		b := testbrowser.New(testbrowser.Config{URL: p.url})
		script := testbrowser.Header("Sec-Fetch-Mode", "cors")
		for _, test := range []struct {
			name, method, path string
			options            []testbrowser.Option
			redirected         bool
		}{
			{name: "page", method: "GET", path: "/page?x=1", redirected: true},
			{name: "page of an old browser", method: "GET", path: "/page", options: []testbrowser.Option{testbrowser.Header("Sec-Fetch-Mode", ""), testbrowser.Header("Accept", "text/html,*/*")}, redirected: true},
			{name: "page that says that it is a script", method: "GET", path: "/page", options: []testbrowser.Option{script, testbrowser.Header("Accept", "text/html")}},
			{name: "script", method: "GET", path: "/api/items", options: []testbrowser.Option{script}},
			{name: "curl", method: "GET", path: "/page", options: []testbrowser.Option{testbrowser.Header("Sec-Fetch-Mode", ""), testbrowser.Header("Accept", "*/*")}},
			{name: "form", method: "POST", path: "/page", options: []testbrowser.Option{testbrowser.Body("application/x-www-form-urlencoded", "a=1")}},
			{name: "form that says that it is a page", method: "POST", path: "/page", options: []testbrowser.Option{testbrowser.Header("X-Forwarded-Method", "GET"), testbrowser.Header("X-Original-Method", "GET")}},
			{name: "DELETE", method: "DELETE", path: "/page"},
			{name: "preflight", method: "OPTIONS", path: "/api/items", options: []testbrowser.Option{script, testbrowser.Header("Origin", "https://elsewhere.example"), testbrowser.Header("Access-Control-Request-Method", "PUT")}},
			{name: "WebSocket", method: "GET", path: "/socket", options: []testbrowser.Option{handshake, testbrowser.Header("Accept", "")}},
			{name: "a cookie made up", method: "GET", path: "/page", options: []testbrowser.Option{script, testbrowser.Header("Cookie", "__Host-wecom_auth_"+p.id+"=made.up.value.x; a=b")}},
			{name: "the proxy's own question", method: "GET", path: "/.wecom-signin/" + p.id + "/check"},
		} {
			a := b.Send(t, test.method, test.path, test.options...)
			start := p.url + "/.wecom-signin/" + p.id + "/start?"
			switch {
			case test.path == "/.wecom-signin/"+p.id+"/check":
				if a.Status != http.StatusNotFound {
					t.Errorf("%s: %d", test.name, a.Status)
				}
			case test.redirected && (a.Status != http.StatusFound || !strings.HasPrefix(a.Redirect(), start)):
				t.Errorf("%s: %d to %q %.300s", test.name, a.Status, a.Redirect(), a.Body)
			case !test.redirected && (a.Status != http.StatusUnauthorized || a.Location() != ""):
				t.Errorf("%s: %d to %q %.300s", test.name, a.Status, a.Location(), a.Body)
			}
		}
		if n := p.reached.Load(); n != 0 {
			t.Errorf("the application got %d requests", n)
		}
	})
}

// The path of the sign-in is the one exception, and leads to the service alone.
func TestNoPathPassesProxy(t *testing.T) {
	behindEach(t, local, "path", func(t *testing.T, p proxied) {
		signIn := "/.wecom-signin/" + p.id
		for _, path := range []string{
			signIn, signIn + "x/start", signIn + "/../../page", signIn + "/..%2f..%2fpage", signIn + "/%2e%2e/%2e%2e/page", signIn + "//page",
			signIn + "/start/../../../page", signIn + `/..\..\page`, signIn + "/..;/page", "/.wecom-signin/other/start", "//.wecom-signin/" + p.id + "/start",
			"/page?/.wecom-signin/" + p.id + "/start", "/page%00", "/%2e/page", "//page", "/.WECOM-SIGNIN/" + p.id + "/start",
		} {
			connection, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
			must(t, err)
			must(t, connection.SetDeadline(time.Now().Add(time.Minute)))
			_, err = fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nSec-Fetch-Mode: cors\r\n\r\n", path, strings.TrimPrefix(p.url, "http://"))
			must(t, err)
			answered, err := io.ReadAll(connection)
			must(t, errors.Join(err, connection.Close()))
			if n := p.reached.Swap(0); n != 0 || len(answered) == 0 {
				t.Errorf("%s: the application got %d requests: %.300s", path, n, answered)
			}
		}
	})
}

// What a visitor says about itself does not count, and does not arrive.
func TestForgedHeadersDoNotPassProxy(t *testing.T) {
	behindEach(t, local, "forged", func(t *testing.T, p proxied) {
		forged := func(r *http.Request) {
			for _, name := range []string{"User", "Name", "Email", "Phone", "Roles", "Groups", "Token"} {
				r.Header.Set("X-Auth-"+name, "forged")
			}
			for name, value := range map[string]string{
				"X-Forwarded-Host": "evil.example", "X-Forwarded-Uri": "//evil.example/x", "X-Forwarded-Proto": "ftp", "X-Forwarded-Method": "OPTIONS",
				"X-Original-Url": "https://evil.example/x", "X-Original-Method": "OPTIONS", "X-Forwarded-Prefix": "/x",
				// What Connection names, an intermediary takes away (RFC 9110 §7.6.1).
				"Connection": "X-Auth-User, X-Auth-Roles, Cookie",
			} {
				r.Header.Set(name, value)
			}
		}
		m := p.member(t)
		a := m.site.Send(t, http.MethodGet, "/page", forged)
		if !strings.HasPrefix(a.Redirect(), p.url+"/.wecom-signin/"+p.id+"/start?") || strings.Contains(a.Redirect(), "evil") || strings.Contains(a.Header.Get("Set-Cookie"), "forged") {
			t.Errorf("without a session: %d to %q", a.Status, a.Redirect())
		}
		if p.reached.Load() != 0 {
			t.Error("the application got it")
		}
		p.opens(m, "/page")
		a = m.site.Send(t, http.MethodGet, "/page", forged)
		if a.Status != http.StatusOK {
			// Refusing is as good, with a header that takes the cookie away.
			a = m.site.Send(t, http.MethodGet, "/page", forged, testbrowser.Header("Connection", "X-Auth-User, X-Auth-Roles"))
		}
		got := testbrowser.Decode[echoed](t, a)
		if user := got.Header.Get("X-Auth-User"); user != m.session().User.ID {
			t.Errorf("the application sees the user %q", user)
		}
		for name, values := range got.Header {
			if strings.HasPrefix(name, "X-Auth-") && slices.Contains(values, "forged") {
				t.Errorf("%s is %q", name, values)
			}
		}
	})
}

// CGI and WSGI make one variable of X_Auth_User and X-Auth-User.
func TestUnderscoreHeaderDoesNotArrive(t *testing.T) {
	behindEach(t, local, "underscore", func(t *testing.T, p proxied) {
		m := p.member(t)
		p.opens(m, "/page")
		before := p.reached.Load()
		a := m.site.Send(t, http.MethodGet, "/page", func(r *http.Request) {
			for _, name := range []string{"X_Auth_User", "X-Auth_User", "x_auth-user", "X_AUTH_ROLES"} {
				r.Header[name] = []string{"forged"}
			}
		})
		if a.Status == http.StatusBadRequest && p.reached.Load() == before {
			return // refused as a whole
		}
		if a.Status != http.StatusOK || strings.Contains(a.Body, "forged") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	})
}

// A token that an application asks for is for it, and no other arrives.
func TestTokenPassesProxy(t *testing.T) {
	behindEach(t, local, "token", func(t *testing.T, p proxied) {
		m := p.member(t)
		token := p.opens(m, "/page").Header.Get("X-Auth-Token")
		forged := testbrowser.Decode[echoed](t, m.site.Send(t, http.MethodGet, "/page", testbrowser.Header("X-Auth-Token", "forged")))
		for _, token := range []string{token, forged.Header.Get("X-Auth-Token")} {
			parts := strings.Split(token, ".")
			if len(parts) != 3 {
				t.Fatalf("the token is %q", token)
			}
			claims, err := base64.RawURLEncoding.DecodeString(parts[1])
			must(t, err)
			if !strings.Contains(string(claims), `"client_id":"`+p.id+`"`) {
				t.Errorf("the token says %s", claims)
			}
		}
	}, answer{"forwardAuth": answer{"token": true}})
}

func TestWebSocketPassesProxy(t *testing.T) {
	behindEach(t, local, "socket", func(t *testing.T, p proxied) {
		m := p.member(t)
		p.opens(m, "/page")
		connection, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		must(t, err)
		defer func() { _ = connection.Close() }()
		must(t, connection.SetDeadline(time.Now().Add(time.Minute)))
		r := m.site.Request(t, http.MethodGet, "/socket", handshake)
		must(t, r.Write(connection))
		answers := bufio.NewReader(connection)
		response, err := http.ReadResponse(answers, r)
		must(t, err)
		if response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(response.Status)
		}
		_, err = io.WriteString(connection, "hello\n")
		must(t, err)
		if line, err := answers.ReadString('\n'); line != "hello\n" {
			t.Errorf("%q, %v", line, err)
		}
	})
}

// nginxKeeps is how long nginx believes a yes.
const nginxKeeps = 10 * time.Second

// Whatever ends a session ends it behind a proxy: at once, or with nginx, which asks once
// for all of ten seconds, when those are over.
func TestSessionEndsBehindProxy(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, p proxied, m *member){
		"signout": func(t *testing.T, _ proxied, m *member) {
			m.browser.Expect(t, http.StatusNoContent, http.MethodPost, "/api/signout")
		},
		"disabled": func(t *testing.T, p proxied, m *member) {
			_, err := p.admin(http.MethodPatch, "/users/"+m.session().User.ID, answer{"enabled": false})
			must(t, err)
		},
		"allow": func(t *testing.T, p proxied, _ *member) {
			_, err := p.admin(http.MethodPatch, "/applications/"+p.id, answer{"allow": answer{"roles": []string{"boss"}}})
			must(t, err)
		},
		"own-signout": func(t *testing.T, p proxied, m *member) {
			a := m.site.Send(t, http.MethodGet, "/.wecom-signin/"+p.id+"/signout")
			if !strings.HasPrefix(a.Redirect(), p.service.url+"/oauth2/logout?") {
				t.Errorf("sign-out: %d to %q", a.Status, a.Redirect())
			}
			// A thief has the cookie still.
		},
	} {
		t.Run(name, func(t *testing.T) {
			behindEach(t, local, "ends-"+name, func(t *testing.T, p proxied) {
				m := p.member(t)
				p.opens(m, "/page")
				kept := cookies(m)
				begin, asked := time.Now(), len(p.asked.list())
				get := func() testbrowser.Answer {
					return m.site.Send(t, http.MethodGet, "/page", testbrowser.Header("Cookie", kept), testbrowser.Header("Sec-Fetch-Mode", "cors"))
				}
				for range 3 {
					if a := get(); a.Status != http.StatusOK {
						t.Fatalf("%d %s", a.Status, a.Body)
					}
				}
				if n := len(p.asked.list()) - asked; (n == 0) != (p.proxy == "nginx") && time.Since(begin) < nginxKeeps/2 {
					t.Errorf("the service was asked %d times for three requests", n)
				}
				end(t, p, m)
				if a := get(); p.proxy == "nginx" && a.Status != http.StatusOK && time.Since(begin) < nginxKeeps/2 {
					t.Errorf("nginx has asked again: %d", a.Status)
				} else if p.proxy != "nginx" && name != "allow" && a.Status == http.StatusOK {
					t.Error("still passes")
				}
				want := http.StatusUnauthorized
				if name == "allow" {
					want = http.StatusForbidden
				}
				// The service itself believes for ten seconds what it has read of an application.
				for deadline := time.Now().Add(3 * nginxKeeps); ; time.Sleep(200 * time.Millisecond) {
					a := get()
					if a.Status == want {
						break
					}
					if a.Status != http.StatusOK || time.Now().After(deadline) {
						t.Fatalf("%d %s", a.Status, a.Body)
					}
				}
				if name != "allow" {
					return
				}
				page := m.visit(p.url + "/page")
				if page.Status != http.StatusForbidden {
					t.Errorf("a page of an application that is for others: %s %d", page.URL, page.Status)
				}
			})
		})
	}
}

// A proxy that cannot ask, or is answered by somebody else, lets nobody pass.
func TestProxyFailsClosed(t *testing.T) {
	t.Parallel()
	impostor := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Auth-User", "forged")
	}))
	impostor.Config.ErrorLog = log.New(io.Discard, "", 0)
	impostor.StartTLS()
	t.Cleanup(impostor.Close)
	s := local(t)
	port, err := freePort()
	must(t, err)
	for name, issuer := range map[string]string{"nobody": "https://localhost:" + port, "impostor": strings.Replace(impostor.URL, "127.0.0.1", "localhost", 1)} {
		for _, proxy := range proxies {
			t.Run(proxy+" "+name, func(t *testing.T) {
				t.Parallel()
				p := register(t, s, proxy, name)
				p.start(t, issuer)
				a := testbrowser.New(testbrowser.Config{URL: p.url}).Send(t, http.MethodGet, "/page", testbrowser.Header("Cookie", "__Host-wecom_auth_"+p.id+"=x"))
				if a.Status < 500 || p.reached.Load() != 0 {
					t.Errorf("%d, and the application got %d requests", a.Status, p.reached.Load())
				}
			})
		}
	}
}

// In a real browser: from a link into the application to WeCom and back to it, out, and in
// again as soon as the member wants.
func TestBrowserBehindProxy(t *testing.T) {
	t.Parallel()
	browser := chromium.Start(t, t.TempDir(), chromedp.IgnoreCertErrors)
	for _, proxy := range proxies {
		p := behind(t, local(t), proxy, "browser")
		must(t, p.simulator.AddMember(corpID, wecomsim.Member{UserID: "of-" + p.id, Name: "李四", Mobile: "+4477009" + p.port()}))
		w := browser.Open(t, chromium.Device{Name: "WeCom", Width: 360, Height: 800, Phone: true, Language: "zh-CN,zh", UserAgent: wecomsim.UserAgentWeComAndroid}, func(c chromium.Complaint) bool {
			return chromium.Network(c)
		})
		const deep = "/deep/link?of=a%20chat&n=1"
		reads := func(address string) chromium.Action {
			return chromium.SeesText("h1", "%E6%9D%8E%E5%9B%9B reads "+address)
		}
		w.Do("open a link", chromium.Visit(p.url+deep), chromium.Sees(`body[data-page="choose-member"]`))
		w.Do("be a member", chromium.Click(`button[value$="/of-`+p.id+`"]`), chromium.Sees(`body[data-page="consent"]`))
		w.Do("agree", chromium.Click(`button[value=agree]`), reads(deep))
		if at := w.Location(); at != p.url+deep {
			t.Errorf("the browser is at %s", at)
		}
		w.Do("open another page", chromium.Visit(p.url+"/other"), reads("/other"))
		w.Do("sign out", chromium.Visit(p.url+"/.wecom-signin/"+p.id+"/signout"), chromium.Sees("form button"))
		w.Do("say so", chromium.Click("form button"), chromium.SeesText("h1", "已退出登录"))
		w.Do("come again", chromium.Visit(p.url+deep), reads(deep))
	}
}
