package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

type running struct {
	out   *logBuffer
	stop  context.CancelFunc
	ended chan error
}

func start(t *testing.T, values map[string]string) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{out: &logBuffer{}, stop: cancel, ended: make(chan error, 1)}
	if values["PORT"] == "" {
		values["PORT"] = "0"
	}
	go func() { r.ended <- run(ctx, lookupIn(values), r.out, io.Discard) }()
	for !strings.Contains(r.out.String(), "Ctrl-C") {
		select {
		case err := <-r.ended:
			t.Fatalf("ended: %v\n%s", err, r.out)
		case <-time.After(5 * time.Millisecond):
		}
	}
	t.Cleanup(cancel)
	return r
}

func (r *running) end(t *testing.T) {
	t.Helper()
	started := time.Now()
	r.stop()
	if err := <-r.ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if took := time.Since(started); took > 4*stopLimit {
		t.Errorf("stopping took %s", took)
	}
}

// line returns what is printed behind a word, or empty.
func (r *running) line(word string) string {
	match := regexp.MustCompile(`(?m)^  ` + word + ` +(\S+)`).FindStringSubmatch(r.out.String())
	if match == nil {
		return ""
	}
	return match[1]
}

func get(t *testing.T, address, authorization string) (int, string) {
	t.Helper()
	a := testbrowser.New(testbrowser.Config{}).Send(t, http.MethodGet, address, testbrowser.Header("Authorization", authorization))
	return a.Status, a.Body
}

func TestDemo(t *testing.T) {
	folder := t.TempDir()
	r := start(t, map[string]string{"DATA_DIR": folder})
	service, application, weCom, key := r.line("service"), r.line("application"), r.line("WeCom"), r.line("admin key")
	for _, test := range []struct {
		address, authorization string
		status                 int
		contains               string
	}{
		{service + "/signin", "", 200, "/authorize/demo"},
		{service + "/console", "", 200, "<html"},
		{service + "/api/session", "", 401, "unauthorized"},
		{service + "/api/authenticators", "", 200, `"name":"demo"`},
		{service + "/authorize/demo", "", 302, ""},
		{service + "/.well-known/openid-configuration", "", 200, `"issuer":"` + service + `"`},
		{service + "/.well-known/jwks.json", "", 200, `"kid"`},
		{service + "/api/admin/authenticators", "", 401, `{"message":"Unauthorized"}`},
		{service + "/api/admin/authenticators", "Bearer wrong", 403, `{"message":"Forbidden"}`},
		{service + "/api/admin/authenticators/demo", "Bearer " + key, 200, application},
		{service + "/api/admin/applications/demo-web", "Bearer " + key, 200, `"` + application + `/oidc/callback"`},
		{service + "/api/admin/applications/demo-page", "Bearer " + key, 200, `"kind":"browser"`},
		{application, "", 200, service},
		{weCom, "", 200, service},
	} {
		status, body := get(t, test.address, test.authorization)
		if status != test.status || !strings.Contains(body, test.contains) {
			t.Errorf("%s: %d %s", test.address, status, body)
		}
	}
	_, signingKeys := get(t, service+"/.well-known/jwks.json", "")
	r.end(t)

	// Again, on other ports: the same keys, and the demo follows its application.
	r = start(t, map[string]string{"DATA_DIR": folder})
	if again := r.line("admin key"); again != key {
		t.Errorf("the admin key was %q and is %q", key, again)
	}
	if _, again := get(t, r.line("service")+"/.well-known/jwks.json", ""); again != signingKeys {
		t.Errorf("the signing keys were %s and are %s", signingKeys, again)
	}
	for _, record := range []string{"authenticators/demo", "applications/demo-web"} {
		if _, body := get(t, r.line("service")+"/api/admin/"+record, "Bearer "+key); !strings.Contains(body, r.line("application")) || strings.Contains(body, application) {
			t.Errorf("%s is not at %s: %s", record, r.line("application"), body)
		}
	}
	page := regexp.MustCompile(`id="page" class="button" href="([^"]+)"`)
	_, shown := get(t, r.line("application"), "")
	if found := page.FindStringSubmatch(shown); found == nil {
		t.Errorf("the application does not lead to the other one: %s", shown)
	} else if _, body := get(t, r.line("service")+"/api/admin/applications/demo-page", "Bearer "+key); !strings.Contains(body, `"redirectUris":["`+found[1]+`"]`) {
		t.Errorf("demo-page is not at %s: %s", found[1], body)
	}
	r.end(t)

	// Nothing secret lies there in clear.
	files, err := readFolder(folder)
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for path, content := range files {
		for _, clear := range []string{key, "demo-secret", "PRIVATE"} {
			if strings.Contains(string(content), clear) {
				t.Errorf("%s holds %q", path, clear)
			}
		}
	}
}

// With a WeCom of one's own nothing is simulated and nothing is seeded. The settings of
// pages reach the functions.
func TestOwnWeCom(t *testing.T) {
	r := start(t, map[string]string{
		"DATA_DIR": t.TempDir(), "WECOM_API_URL": "https://qyapi.weixin.qq.com", "ADMIN_KEY": "my-own-key",
		"COMPANY_NAME": "Example Company", "EGRESS_ADDRESSES": "8.8.4.4, 8.8.8.8",
	})
	defer r.end(t)
	if printed := r.out.String(); strings.Contains(printed, "my-own-key") || r.line("application") != "" || r.line("WeCom") != "" {
		t.Errorf("printed\n%s", printed)
	}
	status, body := get(t, r.line("service")+"/api/admin/authenticators", "Bearer my-own-key")
	if status != 200 || !strings.Contains(body, `"items":[]`) {
		t.Errorf("%d %s", status, body)
	}
	if _, body := get(t, r.line("service")+"/signin", ""); !strings.Contains(body, "Example Company") {
		t.Errorf("the sign-in page does not name the company: %s", body)
	}
	if _, body := get(t, r.line("service")+"/api/admin/egress", "Bearer my-own-key"); !strings.Contains(body, `["8.8.4.4","8.8.8.8"]`) {
		t.Errorf("the addresses are %s", body)
	}
}

func TestFaultsStopTheStart(t *testing.T) {
	err := run(t.Context(), lookupIn(map[string]string{"PUBLIC_URL": "http://signin.example.com", "PORT": "x"}), io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "PUBLIC_URL") || !strings.Contains(err.Error(), "PORT") {
		t.Errorf("got %v", err)
	}
}

// A page of another site must not read the simulator's secrets by giving its own name
// this machine's address.
func TestAttackDNSRebinding(t *testing.T) {
	simulator := wecomsim.OnlyLoopback(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "secret") }))
	for host, want := range map[string]int{
		"localhost:3001": 200, "localhost": 200, "127.0.0.1:3001": 200, "[::1]:3001": 200,
		"evil.example:3001": 421, "evil.example": 421, "localhost.evil.example": 421, "192.168.0.7:3001": 421, "": 421,
	} {
		r := httptest.NewRequest(http.MethodGet, "/wecomsim/console", nil)
		r.Host = host
		w := httptest.NewRecorder()
		simulator.ServeHTTP(w, r)
		if w.Code != want || want != 200 && strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%q: %d %s", host, w.Code, w.Body)
		}
	}
}
