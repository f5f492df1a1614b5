package testbrowser_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
)

// What a browser keeps of an answer, and what it sends then.
func TestCookies(t *testing.T) {
	const (
		loopback = "http://127.0.0.1:8080"
		plain    = "http://signin.example.com"
		secure   = "https://signin.example.com"
	)
	for _, test := range []struct {
		name, origin, set string
		wait              time.Duration
		want              string
	}{
		{name: "for as long as the browser runs", origin: plain, set: "a=1; Path=/", wait: 1e6 * time.Hour, want: "a=1"},
		{name: "Secure over https", origin: secure, set: "a=1; Path=/; Secure", want: "a=1"},
		{name: "Secure on loopback", origin: loopback, set: "a=1; Path=/; Secure", want: "a=1"},
		{name: "Secure on localhost", origin: "http://localhost:8080", set: "a=1; Path=/; Secure", want: "a=1"},
		{name: "Secure over http", origin: plain, set: "a=1; Path=/; Secure"},
		{name: "__Host-", origin: loopback, set: "__Host-a=1; Path=/; Secure; HttpOnly", want: "__Host-a=1"},
		{name: "__Host- without Secure", origin: secure, set: "__Host-a=1; Path=/"},
		{name: "__Host- without a path", origin: secure, set: "__Host-a=1; Secure"},
		{name: "__Host- with a domain", origin: secure, set: "__Host-a=1; Path=/; Secure; Domain=signin.example.com"},
		{name: "__Secure- without Secure", origin: secure, set: "__Secure-a=1; Path=/"},
		{name: "in time", origin: secure, set: "a=1; Path=/; Max-Age=60", wait: 59 * time.Second, want: "a=1"},
		{name: "too late", origin: secure, set: "a=1; Path=/; Max-Age=60", wait: time.Minute},
		{name: "removed", origin: secure, set: "known=; Path=/; Max-Age=-1"},
		{name: "removed by date", origin: secure, set: "known=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"},
	} {
		t.Run(test.name, func(t *testing.T) {
			now := time.Date(2026, time.May, 1, 8, 0, 0, 0, time.UTC)
			sent := ""
			b := testbrowser.New(testbrowser.Config{
				URL: test.origin, Now: func() time.Time { return now },
				Transport: testbrowser.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					sent = r.Header.Get("Cookie")
					if r.URL.Path == "/set" {
						w.Header().Set("Set-Cookie", test.set)
					}
				})),
			})
			if strings.HasPrefix(test.set, "known") {
				b.SetCookie("known", "1")
			}
			b.Send(t, "GET", "/set")
			now = now.Add(test.wait)
			if b.Send(t, "GET", "/"); sent != test.want {
				t.Errorf("sends %q, want %q", sent, test.want)
			}
			// Nobody else sees it.
			if b.Send(t, "GET", "http://elsewhere.example.com/"); sent != "" {
				t.Errorf("sends %q elsewhere", sent)
			}
		})
	}
}

// What the service can learn about the page that asks.
func TestHeaders(t *testing.T) {
	const service, application = "https://signin.example.com", "https://app.example.com"
	for _, test := range []struct {
		name, method, path, origin, want string
	}{
		{name: "an address typed in", method: "GET", path: "/signin", want: "document navigate none"},
		{name: "a form", method: "POST", path: "/signin", want: "document navigate same-origin https://signin.example.com"},
		{name: "a script reads", method: "GET", path: "/api/session", want: "empty cors same-origin"},
		{name: "a script writes", method: "POST", path: "/api/token", want: "empty cors same-origin https://signin.example.com"},
		{name: "the application reads", method: "GET", path: "/api/session", origin: application, want: "empty cors cross-site https://app.example.com"},
		{name: "the application writes", method: "POST", path: "/api/token", origin: application, want: "empty cors cross-site https://app.example.com"},
	} {
		b := testbrowser.New(testbrowser.Config{URL: service, Origin: test.origin, UserAgent: "Test/1", Language: "zh-CN"})
		r := b.Request(t, test.method, test.path)
		var got []string
		for _, name := range []string{"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Origin"} {
			got = append(got, r.Header.Values(name)...)
		}
		if strings.Join(got, " ") != test.want || r.UserAgent() != "Test/1" || r.Header.Get("Accept-Language") != "zh-CN" {
			t.Errorf("%s: %v, want %s", test.name, r.Header, test.want)
		}
	}
}

func TestRedirect(t *testing.T) {
	for _, test := range []struct{ from, location, want string }{
		{"https://a.example/x", "https://b.example/y?z=1", "https://b.example/y?z=1"},
		{"https://a.example/x/y", "/z", "https://a.example/z"},
		{"https://a.example/x/y", "z", "https://a.example/x/z"},
		{"https://a.example/x", "//b.example/y", "https://b.example/y"},
		{"https://a.example/x#here", "/y", "https://a.example/y#here"},
		{"https://a.example/x#here", "/y#there", "https://a.example/y#there"},
		{"https://a.example/x", "", ""},
	} {
		a := testbrowser.Answer{URL: test.from, Status: http.StatusFound, Header: http.Header{"Location": {test.location}}}
		if got := a.Redirect(); got != test.want {
			t.Errorf("from %s by %s to %s, want %s", test.from, test.location, got, test.want)
		}
		a.Status = http.StatusCreated
		if got := a.Redirect(); got != "" {
			t.Errorf("status 201 leads to %s", got)
		}
	}
}
