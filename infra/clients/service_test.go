package clients

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/testbrowser/chromium"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

const (
	root    = "../.."
	corpID  = "ww0123456789abcdef"
	agentID = "1000002"
	secret  = "secret-of-the-app-0123456789abcdefghijklmno"
)

// service is one at an https address, beside a strict WeCom.
type service struct {
	url, adminKey string
	authority     string // the file of the certificate that signs the address's
	simulator     *wecomsim.Simulator
	weCom         string
}

// services are the same for all tests: each brings an application and a member of its own.
var services struct {
	sync.Once
	account  *awsstack.Account
	deployed *service // the built functions
	local    *service // the program of `make run`
}

// ends end what outlives single tests, the last first.
var ends []func()

func TestMain(m *testing.M) {
	code := chromium.Main(m)
	for _, end := range slices.Backward(ends) {
		end()
	}
	os.Exit(code)
}

// lasting is the T of the test that comes first, for what stays until all have ended.
type lasting struct{ *testing.T }

func (lasting) Cleanup(end func())       { ends = append(ends, end) }
func (lasting) Context() context.Context { return context.Background() }

// start starts the services. When they are missing, the test that comes first says why, and
// all are skipped.
func start(t *testing.T) {
	t.Helper()
	services.Do(func() {
		account := awsstack.New(lasting{t}, awsstack.Config{Root: root, EnforceIAM: true})
		// Some of the libraries know no other client than Go's default one.
		http.DefaultTransport = account.Transport()
		folder, err := os.MkdirTemp("", "clients-")
		must(t, err)
		lasting{t}.Cleanup(func() { _ = os.RemoveAll(folder) })
		// Apache reads the authority's certificate as a user of its own.
		must(t, os.Chmod(folder, 0o755))
		certificate, err := os.ReadFile(account.Authority())
		must(t, err)
		authority := filepath.Join(folder, "authority.pem")
		must(t, os.WriteFile(authority, certificate, 0o644))

		local := newService(lasting{t}, account, authority)
		local.run(lasting{t}, account, folder)
		local.connect(t)
		deployed := newService(lasting{t}, account, authority)
		deployed.deploy(lasting{t}, account)
		deployed.connect(t)
		services.account, services.deployed, services.local = account, deployed, local
	})
	if services.deployed == nil {
		awsstack.Missing(t, t.Name(), "the services have not started")
	}
}

// deployed returns the built functions, and local the program of `make run`.
func deployed(t *testing.T) *service { t.Helper(); start(t); return services.deployed }
func local(t *testing.T) *service    { t.Helper(); start(t); return services.local }

func newService(t lasting, account *awsstack.Account, authority string) *service {
	s := &service{authority: authority}
	s.simulator = wecomsim.New(wecomsim.Config{
		Choices: wecomsim.Choices{LoopbackTrustedIPs: true, TrustedIPsAtOnce: true},
		Corps: []wecomsim.Corp{{ID: corpID, Name: "山海示例科技", Apps: []wecomsim.App{{
			AgentID: agentID, Secret: secret, TrustedIPs: []string{"127.0.0.1"}, Fields: []wecomsim.Field{wecomsim.FieldMobile},
		}}}},
	})
	s.weCom = account.Serve(t, s.simulator)
	return s
}

// deploy deploys template.yaml with the built functions in the account.
func (s *service) deploy(t lasting, account *awsstack.Account) {
	t.Helper()
	stack, address := account.Deploy(t, "signin-clients", map[string]string{
		"WeComApiUrl": s.weCom, "WeComOAuthUrl": s.weCom, "WeComLoginUrl": s.weCom,
	})
	s.url = address.URL
	resources := stack.Resources(t)
	_, s.adminKey = stack.Secret(t, resources["AdminKey"])
	awsstack.Until(t, "the signing keys are made", func() bool {
		_, keys := stack.Secret(t, resources["SigningKeys"])
		return strings.Contains(keys, `"kid"`)
	})
}

// run runs the program of `make run` with nothing configured.
func (s *service) run(t lasting, account *awsstack.Account, folder string) {
	t.Helper()
	program := filepath.Join(folder, "local")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./infra/local")
	build.Dir = root
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, output)
	}
	port, err := freePort()
	must(t.T, err)
	s.url = account.Serve(t, httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "127.0.0.1:" + port}))
	s.adminKey = "admin-key-of-the-clients-0123456789"
	var log bytes.Buffer // complete when it has ended
	command := exec.Command(program)
	command.Dir, command.Stderr = root, &log
	command.Env = []string{
		"PORT=" + port, "DATA_DIR=" + filepath.Join(folder, "data"), "PUBLIC_URL=" + s.url, "ADMIN_KEY=" + s.adminKey,
		"WECOM_API_URL=" + s.weCom, "WECOM_OAUTH_URL=" + s.weCom, "WECOM_LOGIN_URL=" + s.weCom, "SSL_CERT_FILE=" + s.authority,
	}
	must(t.T, command.Start())
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(time.Minute, func() { _ = command.Process.Kill() })
		defer late.Stop()
		if err := command.Wait(); err != nil {
			panic(fmt.Sprintf("the service ended with %v\n%s", err, &log))
		}
	})
	awsstack.Until(t, "the service answers", func() bool {
		connection, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	})
}

// connect makes WeCom's app and the service know each other.
func (s *service) connect(t *testing.T) {
	t.Helper()
	domain := strings.TrimPrefix(s.url, "https://")
	must(t, s.simulator.ChangeApp(corpID, agentID, func(a *wecomsim.App) { a.TrustedDomain, a.CallbackDomain = domain, domain }))
	_, err := s.admin(http.MethodPost, "/authenticators", answer{
		"name": "portal", "title": "Portal", "corpId": corpID, "agentId": agentID, "secret": secret, "origin": "http://127.0.0.1:1", "workbenchRedirectPath": "/",
	})
	must(t, err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// givenPorts are those that freePort has returned.
var givenPorts sync.Map

// freePort returns a port of loopback that was free a moment ago. It is none of those that
// the system gives to connections: with many tests at once it would give it to one of them. No
// port is returned twice, because members have their phone numbers by it.
func freePort() (string, error) {
	for range 100 {
		port := strconv.Itoa(10000 + rand.IntN(20000))
		if _, given := givenPorts.LoadOrStore(port, true); given {
			continue
		}
		listener, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err == nil {
			return port, listener.Close()
		}
	}
	return "", errors.New("no free port")
}

// answer is JSON of which the tests read texts.
type answer map[string]any

func (a answer) text(name string) string { return fmt.Sprint(cmp.Or(a[name], any(""))) }

func (s *service) admin(method, path string, body answer) (answer, error) {
	r, err := http.NewRequest(method, s.url+"/api/admin"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	testbrowser.Bearer(s.adminKey)(r)
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
func (s *service) register(t *testing.T, id, callback string, change answer) application {
	t.Helper()
	port, err := freePort()
	must(t, err)
	a := application{service: s, id: id, url: "http://127.0.0.1:" + port}
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
	client  *http.Client // the same browser, at everything but the service
	// site is in place of client at an application whose cookies are Secure.
	site  *testbrowser.Browser
	weCom int // how often it was at WeCom
}

// member hires one and, where the test needs them, gives the user roles.
func (a application) member(t *testing.T, roles ...string) *member {
	t.Helper()
	m := &member{t: t, service: a.service, userID: "of-" + a.id}
	must(t, a.simulator.AddMember(corpID, wecomsim.Member{UserID: m.userID, Name: "张三", Mobile: "+4477009" + a.port()}))
	m.browser = testbrowser.New(testbrowser.Config{
		URL: a.service.url, UserAgent: wecomsim.UserAgentWeComAndroid, WeCom: a.simulator, WeComURL: a.weCom, Member: wecomsim.Browser{UserID: m.userID},
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
