package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/local/demo"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// browserJar keeps Secure cookies for loopback, as browsers do and Go's jar does not.
type browserJar struct{ jar http.CookieJar }

func secure(u *url.URL) *url.URL {
	changed := *u
	changed.Scheme = "https"
	return &changed
}

func (b browserJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	b.jar.SetCookies(secure(u), cookies)
}

func (b browserJar) Cookies(u *url.URL) []*http.Cookie { return b.jar.Cookies(secure(u)) }

// member is a person in WeCom's client: a browser and the answers they give.
type member struct {
	t      *testing.T
	client *http.Client
	weCom  *wecomsim.Simulator
	weURL  string
	userID string
}

func newMember(t *testing.T, weCom *wecomsim.Simulator, weURL, userID string) *member {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &member{t, &http.Client{
		Jar:           browserJar{jar},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, weCom, weURL, userID}
}

func (m *member) do(method, address string) (*http.Response, string) {
	m.t.Helper()
	r, err := http.NewRequestWithContext(m.t.Context(), method, address, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	r.Header.Set("User-Agent", wecomsim.UserAgentWeComAndroid)
	answer, err := m.client.Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return answer, string(body)
}

// open follows redirects, through WeCom as well, until one leads to application;
// it returns that address and how often WeCom was visited.
func (m *member) open(address, application string) (end string, visits int) {
	m.t.Helper()
	for range 10 {
		answer, body := m.do(http.MethodGet, address)
		location := answer.Header.Get("Location")
		switch {
		case location == "":
			m.t.Fatalf("%d without a redirect: %.300s", answer.StatusCode, body)
		case strings.HasPrefix(location, application):
			return location, visits
		case strings.HasPrefix(location, m.weURL):
			visits++
			var err error
			if location, err = m.weCom.Follow(m.t.Context(), location, wecomsim.Browser{UserID: m.userID}); err != nil {
				m.t.Fatal(err)
			}
		}
		if strings.Contains(location, "/signin?") {
			m.t.Fatalf("ended at %s", location)
		}
		address = location
	}
	m.t.Fatal("redirects without an end")
	return "", 0
}

// The whole way: gateway, functions, store, secrets and WeCom; first sign-in, the
// session, a token that the application's backend can check, sign-out.
func TestSignIn(t *testing.T) {
	listener, err := listen(0)
	if err != nil {
		t.Fatal(err)
	}
	publicURL := localURL(listener)
	const application = "http://localhost:3999"
	weCom := wecomsim.New(wecomsim.Demo(hostOf(publicURL), publicURL, publicURL))
	weURL := weCom.Start(t)
	s, err := settings.FromEnvironment(func(name string) (string, bool) {
		value, ok := map[string]string{
			"PUBLIC_URL": publicURL, "DATA_DIR": t.TempDir(),
			"WECOM_API_URL": weURL, "WECOM_OAUTH_URL": weURL, "WECOM_LOGIN_URL": weURL,
		}[name]
		return value, ok
	}, settings.PublicURL, settings.WeComAPIURL, settings.WeComOAuthURL, settings.WeComLoginURL, settings.SessionLifetime, settings.DataDir)
	if err != nil {
		t.Fatal(err)
	}
	service, err := newService(t.Context(), s, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := service.seed(t.Context(), application); err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: service.gateway}}
	server.Start()
	defer func() {
		server.Close()
		if err := service.stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()

	zhang := newMember(t, weCom, weURL, "zhangsan")
	end, visits := zhang.open(publicURL+"/authorize/demo?redirect=%2Fadmin%3Ftab%3D1", application)
	if end != application+"/admin?tab=1" || visits != 2 {
		t.Errorf("first sign-in ended at %s after %d visits to WeCom", end, visits)
	}
	answer, body := zhang.do(http.MethodGet, publicURL+"/api/session")
	var session struct {
		User          struct{ Name, Phone string }
		WeComUserID   string `json:"wecomUserId"`
		Authenticator string
	}
	if err := json.Unmarshal([]byte(body), &session); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("session: %d %s", answer.StatusCode, body)
	}
	if session.User.Name != "张三" || session.User.Phone != "+8613800000001" || session.WeComUserID != "zhangsan" || session.Authenticator != "demo" {
		t.Errorf("session %s", body)
	}

	_, body = zhang.do(http.MethodPost, publicURL+"/api/token")
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &token); err != nil || token.AccessToken == "" {
		t.Fatalf("token: %s", body)
	}
	backend, err := demo.New(demo.Config{ServiceURL: publicURL, Origin: application})
	if err != nil {
		t.Fatal(err)
	}
	check := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/demo/verify", nil)
	check.Header.Set("Authorization", "Bearer "+token.AccessToken)
	w := httptest.NewRecorder()
	backend.ServeHTTP(w, check)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "张三") {
		t.Errorf("the backend refused the token: %d %s", w.Code, w.Body)
	}

	if answer, body := zhang.do(http.MethodPost, publicURL+"/api/signout"); answer.StatusCode != http.StatusNoContent {
		t.Errorf("sign-out: %d %s", answer.StatusCode, body)
	}
	if answer, _ := zhang.do(http.MethodGet, publicURL+"/api/session"); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("session after sign-out: %d", answer.StatusCode)
	}
	if _, visits := zhang.open(publicURL+"/authorize/demo", application); visits != 1 {
		t.Errorf("a known member visited WeCom %d times", visits)
	}
}
