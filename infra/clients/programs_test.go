package clients

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
)

// program is a client that runs by itself: in front of an application, or one with it.
type program struct {
	callback string // path
	// start starts it. behind is an application that answers with the headers it gets.
	start func(t *testing.T, a application, behind string)
	// email and token are what the application calls the claim and the access token.
	email, token string
	// refresh and signOut are what is visited for it; token is the one so far.
	refresh, signOut func(a application, token string) string
	// backchannel is the path of its back-channel logout, if it has one.
	backchannel string
}

// opened is a program that runs, and a member who is going to use it.
type opened struct {
	program
	application
	*member
}

// open registers a program and starts it.
func (p program) open(t *testing.T, s *service, id string, change answer) opened {
	t.Helper()
	a := s.register(t, id, p.callback, change)
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers := answer{}
		for name := range r.Header {
			headers[name] = r.Header.Get(name)
		}
		_ = json.NewEncoder(w).Encode(headers)
	}))
	t.Cleanup(behind.Close)
	p.start(t, a, behind.URL)
	return opened{p, a, a.member(t)}
}

// signedIn visits an address and returns the access token that the application has.
func (o opened) signedIn(t *testing.T, address string, weCom int) string {
	t.Helper()
	o.weCom = 0
	page := o.visit(address)
	var got answer
	if err := json.Unmarshal([]byte(page.Body), &got); err != nil || got.text(o.program.email) != o.member.email() || got.text(o.token) == "" {
		t.Fatalf("%s: %d %.1000s", page.URL, page.Status, page.Body)
	}
	if o.weCom != weCom {
		t.Errorf("%s: %d times at WeCom, not %d", address, o.weCom, weCom)
	}
	return got.text(o.token)
}

func (p program) test(t *testing.T, id string) {
	t.Parallel()
	o := p.open(t, deployed(t), id, nil)
	home := o.url + "/"
	first := o.signedIn(t, home, 2) // an unknown member agrees first
	if second := o.signedIn(t, p.refresh(o.application, first), 0); second == first {
		t.Error("not refreshed")
	}
	if end := o.visit(p.signOut(o.application, first)); !strings.HasPrefix(end.URL, home+"bye") {
		t.Errorf("sign-out ends at %s %d %.1000s", end.URL, end.Status, end.Body)
	}
	o.wantSignedOut()
	o.signedIn(t, home, 1)
	if p.backchannel == "" {
		return
	}

	// When the service ends the member's session, the program ends its own.
	o = p.open(t, local(t), id, answer{"backchannelLogoutUri": "URL" + p.backchannel})
	home = o.url + "/"
	o.signedIn(t, home, 2)
	o.browser.Expect(t, http.StatusNoContent, http.MethodPost, "/api/signout")
	for deadline := time.Now().Add(20 * time.Second); o.get(home).Redirect() == ""; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the application has not heard of the sign-out")
		}
	}
}

// run runs a program until the end of the test and waits until it answers. Its output is
// shown when the test fails.
func (a application) run(t *testing.T, command *exec.Cmd) {
	t.Helper()
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, command.Start())
	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL) // and what it started
		if <-ended; t.Failed() {
			t.Logf("%s\n%s", command, &output)
		}
	})
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		response, err := http.Get(a.url + "/robots.txt")
		if err == nil {
			_ = response.Body.Close()
			return
		}
		select {
		case <-ended:
			t.Fatal("it ended")
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// tool returns the absolute path of a file below .tools, or skips the test.
func tool(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, ".tools", path))
	must(t, err)
	if _, err := os.Stat(path); err != nil {
		awsstack.Missing(t, t.Name(), path+" is missing (make tools)")
	}
	return path
}

func TestOAuth2ProxySignsIn(t *testing.T) {
	binary := tool(t, "bin/oauth2-proxy")
	program{
		callback: "/oauth2/callback",
		start: func(t *testing.T, a application, behind string) {
			a.run(t, exec.Command(binary, "--config="+a.configurationFile(t, "oauth2-proxy", "oauth2-proxy.cfg"),
				"--http-address="+strings.TrimPrefix(a.url, "http://"), "--upstream="+behind, "--cookie-secure=false", "--cookie-refresh=1s",
				"--pass-access-token", "--skip-provider-button", "--skip-auth-route=^/bye$", "--provider-ca-file="+a.authority, "--whitelist-domain="+strings.TrimPrefix(a.service.url, "https://")))
		},
		email: "X-Forwarded-Email", token: "X-Forwarded-Access-Token",
		refresh: func(a application, _ string) string {
			time.Sleep(2100 * time.Millisecond) // it counts whole seconds
			return a.url + "/"
		},
		signOut: func(a application, _ string) string {
			return a.url + "/oauth2/sign_out?rd=" + url.QueryEscape(a.service.url+"/oauth2/logout?id_token_hint={id_token}&post_logout_redirect_uri="+url.QueryEscape(a.url+"/bye"))
		},
	}.test(t, "oauth2-proxy")
}

func TestOpenIDClientSignsIn(t *testing.T) {
	library := filepath.Join(filepath.Dir(tool(t, "openid-client/ready")), "node_modules/openid-client/build/index.js")
	program{
		callback: "/callback",
		start: func(t *testing.T, a application, _ string) {
			command := exec.Command("node", "openidclient/application.js", library)
			command.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+a.authority, "NODE_OPTIONS=--dns-result-order=ipv4first", "PORT="+a.port(),
				"ISSUER="+a.service.url, "CLIENT_ID="+a.id, "CLIENT_SECRET="+a.secret)
			a.run(t, command)
		},
		email: "email", token: "access_token",
		refresh: func(a application, _ string) string { return a.url + "/refresh" },
		signOut: func(a application, _ string) string { return a.url + "/signout" },
	}.test(t, "openid-client")
}

//go:embed apache.conf
var apacheConfiguration string

func TestApacheSignsIn(t *testing.T) {
	const modules = "/usr/lib/apache2/modules"
	if _, err := os.Stat(modules + "/mod_auth_openidc.so"); err != nil {
		awsstack.Missing(t, t.Name(), "mod_auth_openidc is missing (apt-get install apache2 libapache2-mod-auth-openidc)")
	}
	program{
		callback: "/oauth2callback", backchannel: "/oauth2callback?logout=backchannel",
		start: func(t *testing.T, a application, behind string) {
			folder := t.TempDir()
			configuration := strings.NewReplacer("{modules}", modules, "{folder}", folder, "{address}", strings.TrimPrefix(a.url, "http://"),
				"{authority}", a.authority, "{behind}", behind, "{configuration}", a.configuration(t, "mod-auth-openidc")).Replace(apacheConfiguration)
			file := filepath.Join(folder, "apache.conf")
			must(t, os.WriteFile(file, []byte(configuration), 0o600))
			a.run(t, exec.Command("apache2", "-X", "-f", file))
		},
		email: "Oidc_claim_email", token: "Oidc_access_token",
		refresh: func(a application, token string) string {
			return a.callback + "?" + url.Values{"refresh": {a.url + "/"}, "access_token": {token}}.Encode()
		},
		signOut: func(a application, _ string) string { return a.callback + "?logout=" + url.QueryEscape(a.url+"/bye") },
	}.test(t, "apache")
}
