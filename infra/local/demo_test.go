package main

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

// trustedJar sends Secure cookies over plain HTTP, as browsers do to this machine.
type trustedJar struct{ http.CookieJar }

func (j trustedJar) Cookies(u *url.URL) []*http.Cookie {
	secure := *u
	secure.Scheme = "https"
	return j.CookieJar.Cookies(&secure)
}

// What the guide has a newcomer do: sign in, dismiss that member on the pages of the
// simulated WeCom, and be signed out.
func TestDemoLeaver(t *testing.T) {
	r := start(t, map[string]string{"DATA_DIR": t.TempDir()})
	defer r.end(t)
	service, weCom := r.line("service"), strings.TrimSuffix(r.line("WeCom"), "/wecomsim/")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	// One browser for all addresses of this machine, as the newcomer has. It follows
	// every redirect, through WeCom and back.
	browser := &http.Client{Jar: trustedJar{jar}}
	do := func(method, address string, form url.Values) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if form != nil {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		res, err := browser.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	do(http.MethodPost, weCom+"/wecomsim/client", url.Values{"person": {wecomsim.DemoCorpID + "/lisi"}})
	_, consent := do(http.MethodGet, service+"/authorize/demo", nil)
	request := regexp.MustCompile(`name="request" value="([^"]+)"`).FindStringSubmatch(consent)
	if request == nil {
		t.Fatalf("no consent page: %.500s", consent)
	}
	do(http.MethodPost, weCom+"/connect/oauth2/consent", url.Values{"request": {html.UnescapeString(request[1])}, "answer": {"agree"}, "field": {"mobile"}})
	if status, body := do(http.MethodGet, service+"/api/session", nil); status != http.StatusOK || !strings.Contains(body, "李四") {
		t.Fatalf("not signed in: %d %s", status, body)
	}
	status, body := do(http.MethodPost, weCom+wecomsim.ConsolePath+"/"+wecomsim.DemoCorpID+"/contacts/lisi/dismiss", url.Values{})
	if status != http.StatusOK || !strings.Contains(body, "成员已离职") {
		t.Fatalf("not dismissed: %d %.500s", status, body)
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		status, body := do(http.MethodGet, service+"/api/session", nil)
		if status == http.StatusUnauthorized {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still signed in: %d %s", status, body)
		}
	}
}
