package wecomsim

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

func TestDomainFile(t *testing.T) {
	const name, body = "/WW_verify_AbCdEf0123456789.txt", "AbCdEf0123456789"
	tests := []struct {
		rule    string
		path    string
		handler http.HandlerFunc
		ok      bool
	}{
		{"status 200 and exactly the 16 characters", name, write(200, body), true},
		{"a newline at the end", name, write(200, body+"\n"), false},
		{"a byte order mark", name, write(200, "\ufeff"+body), false},
		{"other characters", name, write(200, strings.ToLower(body)), false},
		{"empty", name, write(200, ""), false},
		{"status 404", name, write(404, body), false},
		{"status 206", name, write(206, body), false},
		{"a redirect", name, http.RedirectHandler("/WW_verify_AbCdEf0123456789.txt/", http.StatusFound).ServeHTTP, false},
		{"not at the root", "/x" + name, write(200, body), false},
		{"15 characters", "/WW_verify_AbCdEf012345678.txt", write(200, "AbCdEf012345678"), false},
		{"another name", "/other.txt", write(200, body), false},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			site := httptest.NewServer(test.handler)
			defer site.Close()
			b := newBench(t, nil)
			err := b.FetchDomainFile(t.Context(), site.URL+test.path, nil)
			if test.ok != (err == nil) || err != nil && !errors.Is(err, ErrDomainOwnership) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func write(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}
}

func TestTrustedDomainOfTheConsole(t *testing.T) {
	site := httptest.NewServer(write(200, "AbCdEf0123456789"))
	defer site.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(site.URL, "http://"), ":")
	file := "http://localhost:" + port + "/WW_verify_AbCdEf0123456789.txt"
	tests := []struct {
		rule, domain string
		ok           bool
	}{
		{"host and port of the file", "localhost:" + port, true},
		{"an IP address", "127.0.0.1:" + port, false},
		{"a scheme", "http://localhost:" + port, false},
		{"another host", "example.com", false},
		{"an underscore", "a_b.example.com", false},
		{"letters of another alphabet", "例子.example.com", false},
		{"a wildcard", "*.example.com", false},
		{"a port that is none", "localhost:http", false},
		{"nothing", "", false},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			b := newBench(t, nil)
			client := &http.Client{Transport: &http.Transport{}}
			if err := b.SetTrustedDomain(t.Context(), corpID, appA, test.domain, file, client); test.ok != (err == nil) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestTrustedIPConsole(t *testing.T) {
	many := make([]string, 121)
	for i := range many {
		many[i] = fmt.Sprintf("198.51.%d.%d", 100+i/200, 1+i%200)
	}
	tests := []struct {
		rule   string
		change func(*App)
		choose func(*Choices)
		list   string
		ok     bool
	}{
		{rule: "one address", list: "203.0.113.5", ok: true},
		{rule: "two addresses", list: "203.0.113.5; 203.0.113.6", ok: true},
		{rule: "120 addresses", list: strings.Join(many[:120], ";"), ok: true},
		{rule: "121 addresses", list: strings.Join(many, ";")},
		{rule: "neither trusted domain nor callback URL set", change: func(a *App) { a.TrustedDomain = "" }, list: "203.0.113.5"},
		{rule: "only a callback URL set", change: func(a *App) { a.TrustedDomain, a.MessageURL = "", "https://x.example/" }, list: "203.0.113.5", ok: true},
		{rule: "range", list: "203.0.113.0/24"},
		{rule: "wildcard", list: "203.0.113.*"},
		{rule: "IPv6", list: "2001:db8::1"},
		{rule: "private", list: "10.0.0.1"},
		{rule: "loopback", list: "127.0.0.1"},
		{rule: "loopback, switched", choose: func(c *Choices) { c.LoopbackTrustedIPs = true }, list: "127.0.0.1; ::1", ok: true},
		{rule: "private, with loopback switched", choose: func(c *Choices) { c.LoopbackTrustedIPs = true }, list: "10.0.0.1"},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			b := newBench(t, func(c *Config) {
				if test.change != nil {
					test.change(&c.Corps[0].Apps[0])
				}
				if test.choose != nil {
					test.choose(&c.Choices)
				}
			})
			if err := b.SetTrustedIPs(corpID, appA, test.list); test.ok != (err == nil) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestTrustedIPsWorkAtOnce(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Choices.TrustedIPsAtOnce = true
		c.Corps[0].Apps[0].TrustedIPs = []string{}
	})
	must(t, b.SetTrustedIPs(corpID, appA, "203.0.113.5"))
	b.SetCallerIP("203.0.113.5")
	if got := b.get(PathGetDomainIP, "access_token", b.token(secretA)); got.errcode != 0 {
		t.Errorf("got %s", got.raw)
	}
}

func TestNewAppHasNothingSet(t *testing.T) {
	b := newBench(t, nil)
	made, err := b.CreateApp("wwsecond", "报销", []string{"STRANGER"})
	must(t, err)
	again, err := b.CreateApp("wwsecond", "报销", nil)
	must(t, err)
	if len(made.Secret) != 43 || made.Secret == again.Secret {
		t.Errorf("the secrets are %q and %q", made.Secret, again.Secret)
	}
	made.Secret, again.Secret = "", ""
	want := App{AgentID: "1000003", Name: "报销", VisibleUserIDs: []string{"stranger"}, TrustedIPs: []string{}}
	if !reflect.DeepEqual(made, want) {
		t.Errorf("got %+v, want %+v", made, want)
	}
	want.AgentID, want.VisibleUserIDs = "1000004", nil
	if !reflect.DeepEqual(again, want) {
		t.Errorf("got %+v, want %+v", again, want)
	}
	if _, err := b.CreateApp("wwnone", "报销", nil); err == nil {
		t.Error("an app of no corp was made")
	}
}

func TestTrustedIPsWorkAfterAMinute(t *testing.T) {
	b := newBench(t, nil)
	b.SetCallerIP("203.0.113.5")
	must(t, b.ChangeApp(corpID, appA, func(a *App) { a.TrustedIPs = []string{} }))
	token := b.token(secretA)
	call := func() int { return b.get(PathGetDomainIP, "access_token", token).errcode }
	must(t, b.SetTrustedIPs(corpID, appA, "203.0.113.5"))
	if got := call(); got != 60020 {
		t.Errorf("at once: got %d", got)
	}
	b.clock.advance(TrustedIPDelay)
	if got := call(); got != 0 {
		t.Errorf("after 60 s: got %d", got)
	}
	must(t, b.SetTrustedIPs(corpID, appA, "203.0.113.6"))
	if got := call(); got != 0 {
		t.Errorf("the removal works at once: got %d", got)
	}
	b.clock.advance(TrustedIPDelay)
	got := b.get(PathGetDomainIP, "access_token", token)
	if message, _ := got.fields["errmsg"].(string); got.errcode != 60020 || !strings.Contains(message, "from ip: 203.0.113.5,") {
		t.Errorf("after 60 s more: got %s", got.raw)
	}
}
