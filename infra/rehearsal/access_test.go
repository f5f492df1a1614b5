package rehearsal_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/metrics/metricstest"
)

// Six first sign-ins of one person at once, in processes of their own.
func (d *deployment) signsInAtOnce(t *testing.T) {
	fetched := d.weCom.Calls(wecomsim.PathGetToken)
	var all sync.WaitGroup
	users := make([]string, 6)
	for i := range users {
		all.Go(func() {
			b := d.browser("wangwu", wecomsim.UserAgentWeComAndroid)
			if end := b.Open(t, "/authorize/main").Address; end != application+"/home" {
				t.Errorf("one of six sign-ins ended at %s", withoutQuery(end))
				return
			}
			users[i] = sessionOf(t, b).User.ID
		})
	}
	all.Wait()
	if users[0] == "" || len(slices.Compact(users)) != 1 {
		t.Errorf("six sign-ins at once gave the users %q", users)
	}
	if n := d.weCom.Calls(wecomsim.PathGetToken); n != fetched {
		t.Errorf("%d more calls of gettoken", n-fetched)
	}
}

// Access ends with the user, at once and for good: enabling again brings no session back.
func (d *deployment) endsAccess(t *testing.T) {
	b := d.browser("wangwu", wecomsim.UserAgentWeComAndroid)
	signIn(t, b)
	person := "/api/admin/users/" + sessionOf(t, b).User.ID
	change := func(field string, value any) {
		d.anyone.Expect(t, 200, "PATCH", person, d.adminKey, testbrowser.JSON(map[string]any{field: value}))
	}
	console := testbrowser.Header("Origin", d.address.URL)
	change("roles", []string{"admin"})
	admin := testbrowser.Decode[struct {
		AccessToken string `json:"access_token"`
	}](t, b.Expect(t, 200, "POST", "/api/token", console)).AccessToken
	d.secretsSeen.add("token", admin)
	d.anyone.Expect(t, 200, "GET", "/api/admin/users?phone=13800000003", testbrowser.Bearer(admin))
	change("enabled", false)
	b.Expect(t, 401, "GET", "/api/session")
	b.Expect(t, 401, "POST", "/api/token")
	d.anyone.Expect(t, 403, "GET", "/api/admin/users", testbrowser.Bearer(admin))
	if end := b.Open(t, "/authorize/main").Address; !strings.Contains(end, "error=user_disabled") {
		t.Errorf("a disabled user ended at %s", withoutQuery(end))
	}
	change("enabled", true)
	b.Expect(t, 401, "GET", "/api/session")
	signIn(t, b)
}

// confidential is what was seen and must not be logged.
type confidential struct {
	mu     sync.Mutex
	values map[string]string // to their kind
}

func (c *confidential) add(kind, value string) {
	if len(value) < 8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values == nil {
		c.values = map[string]string{}
	}
	c.values[value] = kind
}

// learn remembers the cookies, codes and states of an answer.
func (c *confidential) learn(a testbrowser.Answer) {
	for _, line := range a.Header.Values("Set-Cookie") {
		if cookie, err := http.ParseSetCookie(line); err == nil {
			c.add("cookie", cookie.Value)
		}
	}
	for _, address := range []string{a.URL, a.Location()} {
		if u, err := url.Parse(address); err == nil {
			c.add("state", u.Query().Get("state"))
			c.add("code", u.Query().Get("code"))
		}
	}
}

// Every line of the log is a JSON object that CloudWatch takes, and shows nothing
// confidential.
func (d *deployment) logsNothingConfidential(t *testing.T) {
	c := &d.secretsSeen
	c.add("app secret", appSecret)
	c.add("private key", "PRIVATE KEY")
	for _, phone := range []string{"13800000001", "13800000002", "13800000003"} {
		c.add("phone", phone)
	}
	_, key := d.Secret(t, d.Resources(t)["AdminKey"])
	c.add("admin key", key)
	c.mu.Lock()
	defer c.mu.Unlock()
	lines := 0
	for _, function := range functions {
		logged := d.Logs(t, function)
		if len(logged) == 0 {
			t.Errorf("%s has logged nothing", function)
		}
		for _, line := range logged {
			lines++
			if !json.Valid([]byte(line)) {
				t.Errorf("%s logged what is not JSON: %s", function, line)
			} else if _, err := metricstest.Read([]byte(line)); err != nil {
				t.Errorf("%s logged what CloudWatch would drop: %v: %s", function, err, line)
			}
			for value, kind := range c.values {
				if strings.Contains(line, value) {
					t.Errorf("LEAK: a %s is in the log of %s", kind, function)
				}
			}
		}
	}
	t.Logf("%d lines of log, %d confidential values, none of them there", lines, len(c.values))
}
