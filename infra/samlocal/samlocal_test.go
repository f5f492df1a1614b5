package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/teststack"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// update writes what the functions answer to testdata, to be read before it is kept.
var update = flag.Bool("update", false, "write testdata/answers")

// noDocker is where no engine is.
const noDocker = "unix:///nonexistent/docker.sock"

// missing skips a test whose prerequisite is not there; where CI is set that is a
// failure.
func missing(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("sam local: %s", reason)
	}
	t.Skipf("SKIP sam local: %s", reason)
}

// newTestLocal is the command in a folder of the test's own, with the repository's
// samconfig.toml.
func newTestLocal(t *testing.T, dockerHost string) (*local, *teststack.Log, *teststack.Log) {
	t.Helper()
	out, log := &teststack.Log{}, &teststack.Log{}
	l, err := newLocal(os.LookupEnv, out, log)
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"the SAM command line": l.sam, "dynoxide": l.dynoxide, "ministack": filepath.Join(l.tools, "ministack", "bin", "python"),
	} {
		if _, err := os.Stat(path); err != nil {
			missing(t, name+" is not installed, run make tools")
		}
	}
	if _, err := exec.LookPath("make"); err != nil {
		missing(t, "make is not there: sam build calls it")
	}
	l.folder, l.dockerHost = t.TempDir(), dockerHost
	config, err := os.ReadFile(filepath.Join(l.source, "samconfig.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(l.folder, "samconfig.toml"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	if l.port, err = freePort(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log:\n%s", log)
		}
	})
	return l, out, log
}

func start(t *testing.T, l *local) *emulators {
	t.Helper()
	e, err := l.startEmulators(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.stop)
	return e
}

// eventFunctions says which function an event is for.
func eventFunctions() map[string]string {
	return map[string]string{
		"authorize": "AuthorizeFunction", "authorize-browser": "AuthorizeFunction",
		"callback": "CallbackFunction",
		"signin":   "SigninFunction", "session": "SigninFunction", "session-none": "SigninFunction",
		"token": "SigninFunction", "token-foreign": "SigninFunction",
		"domain-file": "SigninFunction", "application-link": "SigninFunction",
		"admin": "AdminFunction", "admin-unasked": "AdminFunction", "admin-check": "AdminFunction",
		"authorizer": "AuthorizerFunction", "authorizer-refused": "AuthorizerFunction",
		"issuer": "IssuerFunction", "issuer-keys": "IssuerFunction",
		"rotatekeys": "RotateKeysFunction",
	}
}

// `make emulators` on a machine without Docker: every event goes through SAM's runtime
// interface emulator, and Ctrl-C ends everything that was started.
func TestSAMLocalWithoutDocker(t *testing.T) {
	l, out, log := newTestLocal(t, noDocker)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.runEmulators(ctx) }()
	defer func() {
		cancel()
		<-ended
	}()
	untilReady(t, out, ended)
	s, found, err := l.running(t.Context())
	if err != nil || !found || s.PID != os.Getpid() {
		t.Fatalf("running emulators are not found: %+v %v", s, err)
	}
	if !strings.Contains(out.String(), withoutDocker) {
		t.Errorf("nothing says that there is no Docker: %s", out)
	}
	if _, err := l.startEmulators(t.Context()); err == nil || !strings.Contains(err.Error(), "run already") {
		t.Errorf("a second start says %v", err)
	}
	if err := l.serveAPI(t.Context()); err == nil || !strings.Contains(err.Error(), "make api needs Docker, make run does not") {
		t.Errorf("make api says %v", err)
	}
	stack, err := l.readStack()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(l.eventsFolder(), "*.json"))
	if err != nil || len(files) != len(eventFunctions()) {
		t.Fatalf("%d events, %d of them are known here (%v)", len(files), len(eventFunctions()), err)
	}
	for name, id := range eventFunctions() {
		t.Run(name, func(t *testing.T) {
			answer, err := l.call(t.Context(), stack, s, id, eventHere(t, l, s, name))
			if err != nil {
				t.Fatal(err)
			}
			compare(t, name, s, answer)
		})
	}
	if text := log.String(); strings.Count(text, withoutDocker) != len(eventFunctions()) || strings.Contains(text, `"level":"ERROR"`) {
		t.Errorf("the log says\n%s", text)
	}

	state, err := os.ReadFile(l.statePath())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := os.ReadFile(l.certificatePath())
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	err = <-ended
	ended <- err
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{s.Here.DynamoDB, s.Here.SecretsManager, s.Here.WeComAPI, s.WeComURL, s.ApplicationURL} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if connection, err := net.Dial("tcp", u.Host); err == nil {
			connection.Close()
			t.Errorf("%s still answers", address)
		}
	}
	if _, err := os.Stat(l.stateFolder()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state is left: %v", err)
	}
	// A process that was killed could not remove its state.
	if err := l.writeState(s, certificate); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(l.statePath()); err != nil || !bytes.Equal(again, state) {
		t.Fatalf("the state is another one: %s (%v)", again, err)
	}
	if _, found, err := l.running(t.Context()); found || err != nil {
		t.Errorf("a dead process is taken for a running one (%v)", err)
	}
}

// untilReady waits for a command to say that it has started.
func untilReady(t *testing.T, out *teststack.Log, ended chan error) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !strings.Contains(out.String(), "Stop it with Ctrl-C"); time.Sleep(50 * time.Millisecond) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("it ended: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not start: %s", out)
		}
	}
}

// eventHere returns the path of an event in which the usual ports are the test's own.
func eventHere(t *testing.T, l *local, s state, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(l.eventsFolder(), name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("http://localhost:3000", s.PublicURL, "http://localhost:3002", s.ApplicationURL).Replace(string(content))
	path := filepath.Join(t.TempDir(), name+".json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// compare compares an answer with the one in testdata, but for what is another every
// time.
func compare(t *testing.T, name string, s state, answer []byte) {
	t.Helper()
	var pretty bytes.Buffer
	var decoded any
	if err := json.Unmarshal(answer, &decoded); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	encoder := json.NewEncoder(&pretty)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(decoded); err != nil {
		t.Fatal(err)
	}
	got := pretty.String()
	for address, usual := range map[string]string{s.PublicURL: "localhost:3000", s.WeComURL: "localhost:3001", s.ApplicationURL: "localhost:3002"} {
		host := strings.TrimPrefix(address, "http://")
		got = strings.ReplaceAll(got, host, usual)
		got = strings.ReplaceAll(got, url.QueryEscape(host), url.QueryEscape(usual))
	}
	for pattern, with := range map[string]string{
		`state=[A-Z0-9]{26}`:                                  `state=STATE`,
		`__Host-wecom_attempt_[0-9a-f]{16}=[\w-]{100,}`:       `__Host-wecom_attempt_NAME=SEALED`,
		`__Host-wecom_bounces=1\.[0-9]+\.[0-9a-f]+`:           `__Host-wecom_bounces=ONE`,
		`"eyJ[\w-]+\.[\w-]+\.[\w-]{342}\\"`:                   `"TOKEN\"`,
		`expires_in\\":(899|900)`:                             `expires_in\":ABOUT_900`,
		`\\"(n|kid)\\":\\"[\w-]+\\"`:                          `\"$1\":\"KEY\"`,
		`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`:                    `TIME`,
		`"last-modified": "[^"]+"`:                            `"last-modified": "TIME"`,
		`"wecom-signin-version": "[^"]+"`:                     `"wecom-signin-version": "VERSION"`,
		`'sha256-[^']+'`:                                      `'sha256-HASH'`,
		`<!doctype html>.*<title>([^<]+)</title>.*</html>\\n`: `PAGE: $1`,
	} {
		got = regexp.MustCompile(pattern).ReplaceAllString(got, with)
	}
	path := filepath.Join("testdata", "answers", name+".json")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

// What a SAM user types, in containers; then the whole service.
func TestSAMLocalInContainers(t *testing.T) {
	host := docker(t)
	l, out, log := newTestLocal(t, host)
	e := start(t, l)
	if e.state.Containers == (addresses{}) {
		t.Fatal("containers do not reach the emulators")
	}
	// A real account in the shell must not reach a function.
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLEOFSOMEBODY")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret-of-somebody")
	t.Setenv("AWS_DEFAULT_REGION", "us-west-1")
	t.Setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://192.0.2.1")
	for _, name := range []string{"authorize", "callback", "session", "admin-check", "authorizer", "issuer-keys", "rotatekeys"} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), l.sam, "local", "invoke", eventFunctions()[name], "-e", eventHere(t, l, e.state, name))
			cmd.Dir = l.folder
			cmd.Env = append(os.Environ(), "SAM_CLI_TELEMETRY=0", "DOCKER_HOST="+host)
			cmd.Stderr = log
			answer, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			compare(t, name, e.state, answer)
		})
	}
	t.Run("make invoke", func(t *testing.T) {
		if err := l.invoke(t.Context(), "authorizer", ""); err != nil {
			t.Fatal(err)
		}
		if want := "{\n  \"isAuthorized\": true,\n  \"context\": {\n    \"caller\": \"admin-key\"\n  }\n}\n"; out.String() != want {
			t.Errorf("%s", out)
		}
	})
	t.Run("make api", func(t *testing.T) { testAPI(t, l, e, out) })
}

func testAPI(t *testing.T, l *local, e *emulators, out *teststack.Log) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.serveAPI(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	untilReady(t, out, ended)
	service, application := e.state.PublicURL, e.state.ApplicationURL

	// A first sign-in inside WeCom.
	member := &visitor{t: t, service: service, userAgent: wecomsim.UserAgentWeComAndroid, cookies: map[string]string{}}
	if end := member.signIn(e.weCom, "lisi", "/authorize/demo?redirect=%2Forders%3Fid%3D1"); end != application+"/orders?id=1" {
		t.Fatalf("the sign-in ended at %s", end)
	}
	var session struct {
		User struct{ ID, Name, Phone string }
	}
	member.expect(200, "GET", "/api/session", "", "").decode(t, &session)
	if session.User.Name != "李四" || session.User.Phone != "+8613800000002" {
		t.Errorf("signed in as %+v", session.User)
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	member.expect(200, "POST", "/api/token", "", "").decode(t, &token)
	provider, err := oidc.NewProvider(t.Context(), service)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := provider.Verifier(&oidc.Config{ClientID: application}).Verify(t.Context(), token.AccessToken)
	if err != nil || verified.Subject != session.User.ID {
		t.Errorf("the token is of %+v (%v)", verified, err)
	}
	// The gateway's $default: application links, the domain file, and no more.
	for path, want := range map[string]string{"/": application + "/", "/orders/%E4%B8%AD?a=1&a=2": application + "/orders/%E4%B8%AD?a=1&a=2"} {
		if a := member.expect(302, "GET", path, "", ""); a.header.Get("Location") != want {
			t.Errorf("%s leads to %s", path, a.header.Get("Location"))
		}
	}
	if a := member.expect(200, "GET", "/"+demoFile, "", ""); a.body != "Demo0Demo0Demo00" {
		t.Errorf("the domain file holds %q", a.body)
	}
	member.expect(404, "GET", "/assets/nothing", "", "")
	member.expect(404, "GET", "/api/nothing", "", "")
	member.expect(204, "POST", "/api/signout", "", "")
	member.expect(401, "GET", "/api/session", "", "")

	// Who is known comes back with any browser.
	desktop := &visitor{t: t, service: service, userAgent: wecomsim.UserAgentBrowser, cookies: map[string]string{}}
	if end := desktop.signIn(e.weCom, "zhangsan", "/authorize/demo"); end != application+"/" {
		t.Errorf("the returning sign-in ended at %s", end)
	}

	// The administrator, whom the authorizer lets in or not.
	anyone := &visitor{t: t, service: service, userAgent: wecomsim.UserAgentBrowser, cookies: map[string]string{}}
	anyone.expect(200, "GET", "/console", "", "")
	anyone.expect(401, "GET", "/api/admin/authenticators", "", "")
	anyone.expect(403, "GET", "/api/admin/authenticators", "not-the-admin-key", "")
	anyone.expect(200, "GET", "/api/admin/authenticators", demoAdminKey, "")
	fields := fmt.Sprintf(`{"name":"second","corpId":%q,"agentId":%q,"secret":%q,"origin":"https://app.example.com"}`, wecomsim.DemoCorpID, wecomsim.DemoAgentID, wecomsim.DemoSecret)
	anyone.expect(201, "POST", "/api/admin/authenticators", demoAdminKey, fields)
	var check struct{ OK bool }
	anyone.expect(200, "POST", "/api/admin/authenticators/second/check", demoAdminKey, "").decode(t, &check)
	if !check.OK {
		t.Error("the check of a good authenticator is not good")
	}
	anyone.expect(204, "DELETE", "/api/admin/authenticators/second", demoAdminKey, "")
}

// visitor is somebody with a browser. A cookie jar would not send Secure cookies to
// localhost, as browsers do.
type visitor struct {
	t         *testing.T
	service   string
	userAgent string
	cookies   map[string]string
}

type answer struct {
	header http.Header
	body   string
}

func (a answer) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
}

func (v *visitor) expect(status int, method, address, authorization, body string) answer {
	v.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = v.service + address
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("User-Agent", v.userAgent)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if method == http.MethodPost && authorization == "" {
		r.Header.Set("Origin", v.service)
	}
	if authorization != "" {
		r.Header.Set("Authorization", "Bearer "+authorization)
	}
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, cookie := range response.Cookies() {
		if cookie.MaxAge < 0 {
			delete(v.cookies, cookie.Name)
		} else {
			v.cookies[cookie.Name] = cookie.Value
		}
	}
	if response.StatusCode != status {
		v.t.Fatalf("%s %s: %d %s; want %d", method, address, response.StatusCode, content, status)
	}
	return answer{response.Header, string(content)}
}

// signIn goes wherever an address leads, through WeCom as well, until it leaves both.
func (v *visitor) signIn(weCom *wecomsim.Simulator, userID, address string) string {
	v.t.Helper()
	for range 6 {
		next := v.expect(302, "GET", address, "", "").header.Get("Location")
		if u, err := url.Parse(next); err != nil || !strings.HasPrefix(u.Path, "/connect/") && !strings.HasPrefix(u.Path, "/wwlogin/") {
			return next
		}
		callback, err := weCom.Follow(v.t.Context(), next, wecomsim.Browser{UserID: userID, UserAgent: v.userAgent})
		if err != nil {
			v.t.Fatal(err)
		}
		address = callback
	}
	v.t.Fatal("redirects without an end")
	return ""
}

// SAM's own exit status is 0 then.
func TestSAMLocalFailureOfAFunctionIsSeen(t *testing.T) {
	for name, test := range map[string]struct{ answer, out, want string }{
		"an answer":          {`{"statusCode":500}`, "{\n  \"statusCode\": 500\n}\n", ""},
		"no answer to speak": {"null\n", "null\n", ""},
		"an error":           {`{"errorMessage":"no","errorType":"errorString"}`, "{\n  \"errorMessage\": \"no\",\n  \"errorType\": \"errorString\"\n}\n", "the function failed"},
		"a time-out":         {"", "", "the function gave no answer in JSON (its time limit?): "},
		"a time-out of RIE":  {"Task timed out after 10.00 seconds", "", "the function gave no answer in JSON (its time limit?): Task timed out after 10.00 seconds"},
	} {
		t.Run(name, func(t *testing.T) {
			var out teststack.Log
			said := ""
			if err := (&local{out: &out}).show([]byte(test.answer)); err != nil {
				said = err.Error()
			}
			if said != test.want || out.String() != test.out {
				t.Errorf("said %q, wrote %q", said, out.String())
			}
		})
	}
}

func TestSAMLocalNames(t *testing.T) {
	l, err := newLocal(func(string) (string, bool) { return "", false }, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	stack, err := l.readStack()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"authorize": "AuthorizeFunction", "RotateKeysFunction": "RotateKeysFunction", "rotatekeys": "RotateKeysFunction"} {
		if id, err := l.choose(stack.Resources, name); id != want || err != nil {
			t.Errorf("%s is %s (%v)", name, id, err)
		}
	}
	const all = "FUNCTION must be one of: admin, authorize, authorizer, callback, issuer, rotatekeys, signin"
	for _, name := range []string{"", "nobody", "DirectoryTable"} {
		if _, err := l.choose(stack.Resources, name); err == nil || err.Error() != all {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := l.findEvent("SigninFunction", "nothing"); err == nil || !strings.Contains(err.Error(), "one of: admin, admin-check, ") {
		t.Errorf("an unknown event: %v", err)
	}
	// Each function has an event of its own name.
	for id, resource := range stack.Resources {
		if resource.Type == functionType {
			if _, err := l.findEvent(id, ""); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		}
	}
}

// The template that is deployed knows no emulator; the built copy does.
func TestSAMLocalPreparesTheBuiltTemplateOnly(t *testing.T) {
	const built = `Parameters:
  Architecture: {Type: String, Default: arm64}
Globals:
  Function:
    Environment:
      Variables: {SERVICE_NAME: {Ref: 'AWS::StackName'}}
`
	want := `Globals:
    Function:
        Environment:
            Variables:
                AWS_ENDPOINT_URL_DYNAMODB: ""
                SERVICE_NAME:
                    Ref: AWS::StackName
                SSL_CERT_FILE: ""
Parameters:
    Architecture:
        Default: x86_64
        Type: String
`
	got, err := prepareTemplate([]byte(built), "x86_64", []string{"AWS_ENDPOINT_URL_DYNAMODB", "SSL_CERT_FILE"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	if _, err := prepareTemplate([]byte("Parameters: {}"), "x86_64", nil); err == nil {
		t.Error("a template without Architecture was taken")
	}
	deployed, err := os.ReadFile("../../template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"AWS_ENDPOINT", "SSL_CERT_FILE", "host.docker.internal"} {
		if bytes.Contains(deployed, []byte(word)) {
			t.Errorf("template.yaml has %s", word)
		}
	}
}

// A page of another site that gives its own name this machine's address.
func TestSAMLocalDNSRebindingReachesNoSimulator(t *testing.T) {
	handler := wecomsim.OnlyLoopback(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for host, want := range map[string]int{"localhost:3001": 200, "127.0.0.1:3001": 200, "[::1]:3001": 200, "attacker.example": 421, "192.0.2.1:3001": 421} {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Host = host
		handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d", host, w.Code)
		}
	}
}

// What containers reach of WeCom is its server API, and they count as this machine.
func TestSAMLocalContainersReachNoPageOfWeCom(t *testing.T) {
	var seen []string
	handler := serverAPI(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = append(seen, r.URL.Path+" from "+r.RemoteAddr) }))
	for _, path := range []string{"/cgi-bin/gettoken", "/wecomsim/console", "/connect/oauth2/authorize"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
	}
	if !slices.Equal(seen, []string{"/cgi-bin/gettoken from 127.0.0.1:1"}) {
		t.Errorf("reached %q", seen)
	}
}

// The values that the events hold are those that the emulators know.
func TestSAMLocalEventsHoldNoOtherSecret(t *testing.T) {
	files, err := filepath.Glob("../events/*.json")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{
		`Bearer ([^"]+)`:                  demoAdminKey,
		`__Host-wecom_session=([^"]+)`:    demoSession,
		`"ClientRequestToken": "([^"]+)"`: demoRotation,
		`"rawPath": "/(WW_verify_[^"]+)"`: demoFile,
		`"SecretId": "([^"]+)"`:           physicalName(signingKeys),
	}
	found := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for pattern, want := range known {
			for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(content), -1) {
				found[pattern] = true
				if match[1] != want && match[1] != "not-the-admin-key" {
					t.Errorf("%s holds %s", file, match[1])
				}
			}
		}
	}
	if len(found) != len(known) {
		t.Errorf("only these are in the events: %v", found)
	}
	readme, err := os.ReadFile("../events/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".json"); !bytes.Contains(readme, []byte("| `"+name+"` |")) {
			t.Errorf("README.md says nothing of %s", name)
		}
	}
}

// The bridge may be reached by more than the functions' containers.
func TestSAMLocalContainersReachOneServiceOnly(t *testing.T) {
	door := onlySDK("secretsmanager.", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for name, test := range map[string]struct {
		method, path, operation, origin string
		want                            int
	}{
		"a function":      {"POST", "/", "secretsmanager.GetSecretValue", "", 200},
		"another service": {"POST", "/", "AWSLambda.Invoke", "", 403},
		"another path":    {"POST", "/2015-03-31/functions", "secretsmanager.GetSecretValue", "", 403},
		"a page":          {"POST", "/", "secretsmanager.GetSecretValue", "https://evil.example", 403},
		"an address":      {"GET", "/", "", "", 403},
	} {
		r := httptest.NewRequest(test.method, test.path, nil)
		r.Header.Set("X-Amz-Target", test.operation)
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		w := httptest.NewRecorder()
		door.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s: %d, want %d", name, w.Code, test.want)
		}
	}
}
