package oauth_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/oauth"
	"github.com/wecom-signin/wecom-signin/shared/store"
)

// TestRedirectMatch: addresses are compared byte for byte (RFC 9700 §4.1.3).
func TestRedirectMatch(t *testing.T) {
	const web, native, browser, proxy = store.KindWeb, store.KindNative, store.KindBrowser, store.KindProxy
	for _, test := range []struct {
		kind            store.ApplicationKind
		registered, uri string
		want            bool
	}{
		{web, "https://app.example.com/cb", "https://app.example.com/cb", true},
		{browser, "https://app.example.com/cb", "https://app.example.com/cb", true},
		{native, "https://app.example.com/cb", "https://app.example.com/cb", true},
		{proxy, "https://app.example.com/cb", "https://app.example.com/cb", false},
		{web, "https://app.example.com/cb?tenant=1", "https://app.example.com/cb?tenant=1", true},
		{web, "https://app.example.com", "https://app.example.com", true},
		{web, "https://app.example.com:8443/cb", "https://app.example.com:8443/cb", true},
		{web, "https://[2001:db8::1]/cb", "https://[2001:db8::1]/cb", true},
		{web, "https://xn--fiq228c.example/cb", "https://xn--fiq228c.example/cb", true},
		{web, "https://app.example.com/a%20b", "https://app.example.com/a%20b", true},
		// Anything else than the same bytes.
		{web, "https://app.example.com/cb", "", false},
		{web, "https://app.example.com/cb", "https://app.example.com/cb/", false},
		{web, "https://app.example.com/cb/", "https://app.example.com/cb", false},
		{web, "https://app.example.com", "https://app.example.com/", false},
		{web, "https://app.example.com/cb", "https://app.example.com/CB", false},
		{web, "https://app.example.com/cb", "https://APP.example.com/cb", false},
		{web, "https://app.example.com/cb", "HTTPS://app.example.com/cb", false},
		{web, "https://app.example.com/cb", "http://app.example.com/cb", false},
		{web, "https://app.example.com/cb", "https://app.example.com/cbx", false},
		{web, "https://app.example.com/cb", "https://app.example.com/c", false},
		{web, "https://app.example.com/cb", "https://app.example.com/cb?x=1", false},
		{web, "https://app.example.com/cb", "https://app.example.com/cb?", false},
		{web, "https://app.example.com/cb", "https://app.example.com/cb#", false},
		{web, "https://app.example.com/cb", "https://app.example.com/cb#x", false},
		{web, "https://app.example.com/cb?tenant=1", "https://app.example.com/cb", false},
		{web, "https://app.example.com/cb?tenant=1", "https://app.example.com/cb?tenant=2", false},
		{web, "https://app.example.com/cb?a=1&b=2", "https://app.example.com/cb?b=2&a=1", false},
		{web, "https://app.example.com/cb", "https://app.example.com:443/cb", false},
		{web, "https://app.example.com/cb", "https://app.example.com:8443/cb", false},
		{web, "https://app.example.com/cb", "https://app.example.com./cb", false},
		{web, "https://app.example.com/cb", "https://app.example.com.evil.example/cb", false},
		{web, "https://app.example.com/cb", "https://evil.example/https://app.example.com/cb", false},
		{web, "https://app.example.com/cb", "https://evilapp.example.com/cb", false},
		{web, "https://app.example.com/cb", "https://sub.app.example.com/cb", false},
		{web, "https://app.example.com/cb", "https://app.example.com@evil.example/cb", false},
		{web, "https://app.example.com/cb", "https://user@app.example.com/cb", false},
		{web, "https://app.example.com/cb", "https://user:pass@app.example.com/cb", false},
		{web, "https://app.example.com/cb", `https://app.example.com\@evil.example/cb`, false},
		{web, "https://app.example.com/cb", `https://app.example.com\cb`, false},
		{web, "https://app.example.com/cb", "https://app.example.com/%63b", false},
		{web, "https://app.example.com/a/b", "https://app.example.com/a%2fb", false},
		{web, "https://app.example.com/a%2Fb", "https://app.example.com/a%2fb", false},
		{web, "https://app.example.com/cb", "https://app.example.com/x/../cb", false},
		{web, "https://app.example.com/cb", "https://app.example.com/./cb", false},
		{web, "https://app.example.com/cb", "https://app.example.com/x/%2e%2e/cb", false},
		{web, "https://app.example.com/cb", "https://app.example.com//cb", false},
		{web, "https://app.example.com/cb", " https://app.example.com/cb", false},
		{web, "https://app.example.com/cb", "https://app.example.com/cb ", false},
		{web, "https://app.example.com/cb", "https://app.example.com/cb\n", false},
		{web, "https://app.example.com/cb", "https://app.example.com/cb\x00", false},
		{web, "https://app.example.com/cb", "https://app.example.com/cb%00", false},
		{web, "https://app.example.com/cb", "https://app.example.com/cb,https://evil.example", false},
		{web, "https://app.example.com/cb", "//app.example.com/cb", false},
		{web, "https://app.example.com/cb", "/cb", false},
		{web, "https://app.example.com/cb", "javascript:alert(1)", false},
		{web, "https://app.example.com/cb", "https:app.example.com/cb", false},
		{web, "https://例子.example/cb", "https://例子.example/cb", false},
		{web, "https://xn--fiq228c.example/cb", "https://例子.example/cb", false},
		{web, "https://аpp.example.com/cb", "https://app.example.com/cb", false}, // Cyrillic а
		// What an older version may have stored and nobody could register today.
		{web, "https://*.example.com/cb", "https://*.example.com/cb", false},
		{web, "https://*.example.com/cb", "https://app.example.com/cb", false},
		{web, "https://app.example.com/*", "https://app.example.com/cb", false},
		{web, "http://app.example.com/cb", "http://app.example.com/cb", false},
		{web, "https://app.example.com/cb#x", "https://app.example.com/cb#x", false},
		{web, "javascript:alert(1)", "javascript:alert(1)", false},
		{native, "javascript:alert(1)", "javascript:alert(1)", false},
		{web, "com.example.app:/cb", "com.example.app:/cb", false},
		{browser, "com.example.app:/cb", "com.example.app:/cb", false},
		{native, "com.example.app:/cb", "com.example.app:/cb", true},
		{native, "com.example.app:/cb", "com.example.app:/CB", false},
		{native, "com.example.app:/cb", "com.example.app://cb", false},
		{native, "com.example.app:/cb", "COM.example.app:/cb", false},
	} {
		if got := oauth.MatchRedirectURI(test.kind, []string{"https://other.example.com/x", test.registered}, test.uri); got != test.want {
			t.Errorf("%s registered %q, came %q: %v", test.kind, test.registered, test.uri, got)
		}
	}
	if oauth.MatchRedirectURI(web, nil, "https://app.example.com/cb") || oauth.MatchRedirectURI(web, []string{""}, "") {
		t.Error("nothing registered, and it matched")
	}
}

// TestLoopbackAnyPort: RFC 8252 §7.3.
func TestLoopbackAnyPort(t *testing.T) {
	registered := []string{"http://127.0.0.1/cb", "http://[::1]:7000/cb?x=1", "http://localhost:8000/"}
	for uri, want := range map[string]bool{
		"http://127.0.0.1/cb": true, "http://127.0.0.1:1/cb": true, "http://127.0.0.1:51004/cb": true, "http://127.0.0.1:65535/cb": true,
		"http://[::1]:51004/cb?x=1": true, "http://[::1]/cb?x=1": true, "http://localhost:51004/": true, "http://localhost/": true,

		"http://127.0.0.1:0/cb": false, "http://127.0.0.1:65536/cb": false, "http://127.0.0.1:080/cb": false, "http://127.0.0.1:/cb": false,
		"http://127.0.0.1:+80/cb": false, "http://127.0.0.1:8 0/cb": false, "http://127.0.0.1:80:80/cb": false, "http://127.0.0.1:x/cb": false,
		"http://127.0.0.1:51004/": false, "http://127.0.0.1:51004/cb/": false, "http://127.0.0.1:51004/cb?x=1": false, "http://127.0.0.1:51004/CB": false,
		"http://127.0.0.1:51004": false, "http://localhost:51004/cb": false, "http://[::1]:51004/cb": false, "http://127.0.0.1:51004/cb?x": false,
		"http://LOCALHOST:51004/": false, "http://localhost.:51004/": false, "http://127.0.0.2:51004/cb": false, "http://127.1:51004/cb": false,
		"http://2130706433:51004/cb": false, "http://0x7f.0.0.1/cb": false, "http://[::ffff:127.0.0.1]:51004/cb": false, "http://[0:0:0:0:0:0:0:1]:5/cb?x=1": false,
		"http://0.0.0.0:51004/cb": false, "https://127.0.0.1:51004/cb": false, "http://127.0.0.1:51004@evil.example/cb": false,
		"http://127.0.0.1@evil.example/cb": false, "http://127.0.0.1.evil.example/cb": false, "http://localhost:80@evil.example/": false,
		"http://127.0.0.1:51004/x/../cb": false, "http://127.0.0.1:51004/cb#": false, "http://127.0.0.1:51004\\@evil.example/cb": false,
	} {
		if got := oauth.MatchRedirectURI(store.KindNative, registered, uri); got != want {
			t.Errorf("%s: %v", uri, got)
		}
	}
	for _, kind := range []store.ApplicationKind{store.KindWeb, store.KindBrowser} {
		if oauth.MatchRedirectURI(kind, registered, "http://127.0.0.1:51004/cb") {
			t.Errorf("%s may not have any port", kind)
		}
		if !oauth.MatchRedirectURI(kind, registered, "http://127.0.0.1/cb") {
			t.Errorf("%s may register loopback", kind)
		}
	}
	if oauth.MatchRedirectURI(store.KindNative, []string{"https://127.0.0.1/cb"}, "https://127.0.0.1:5/cb") {
		t.Error("https has an exception")
	}
}

// TestRedirectSchemes: what can be registered, by kind (RFC 8252 §7.1).
func TestRedirectSchemes(t *testing.T) {
	const web, native = store.KindWeb, store.KindNative
	ok := oauth.AddressError("")
	for _, test := range []struct {
		kind store.ApplicationKind
		uri  string
		want oauth.AddressError
	}{
		{web, "https://app.example.com/cb", ok},
		{web, "https://localhost/cb", ok},
		{web, "https://10.0.0.1:8443/cb", ok},
		{web, "https://intranet/cb", ok},
		{web, "https://a_b.example.com/cb", ok},
		{web, "http://127.0.0.1:3000/cb", ok},
		{web, "http://[::1]:3000/cb", ok},
		{web, "http://localhost:3000/cb", ok},
		{web, "https://app.example.com/cb?next=/x&tenant=1", ok},
		{native, "com.example.app:/cb", ok},
		{native, "com.example.app://cb", ok},
		{native, "com.example.my-app:/", ok},
		{native, "http://127.0.0.1/", ok},
		{store.KindBrowser, "https://app.example.com/", ok},

		{store.KindProxy, "https://app.example.com/", oauth.AddressKind},
		{web, "", oauth.AddressForm},
		{web, "app.example.com/cb", oauth.AddressForm},
		{web, "/cb", oauth.AddressForm},
		{web, "//app.example.com/cb", oauth.AddressForm},
		{web, "https:app", oauth.AddressForm},
		{web, "https:///cb", oauth.AddressForm},
		{web, "HTTPS://app.example.com/cb", oauth.AddressForm},
		{web, "https://app.example.com:port/cb", oauth.AddressForm},
		{web, "https://" + strings.Repeat("a", 1024), oauth.AddressLength},
		{web, "https://app.example.com/a b", oauth.AddressCharacters},
		{web, "https://app.example.com/\t", oauth.AddressCharacters},
		{web, "https://例子.example/", oauth.AddressCharacters},
		{web, `https://app.example.com\cb`, oauth.AddressCharacters},
		{web, "https://app.example.com/<script>", oauth.AddressCharacters},
		{web, "https://app.example.com/cb#", oauth.AddressFragment},
		{web, "https://app.example.com/cb#f", oauth.AddressFragment},
		{web, "https://*.example.com/cb", oauth.AddressWildcard},
		{web, "https://app.example.com/*", oauth.AddressWildcard},
		{web, "https://user@app.example.com/cb", oauth.AddressUserinfo},
		{web, "https://@app.example.com/cb", oauth.AddressUserinfo},
		{web, "http://app.example.com/cb", oauth.AddressHTTP},
		{web, "http://127.0.0.2/cb", oauth.AddressHTTP},
		{web, "http://localhost.example.com/cb", oauth.AddressHTTP},
		{web, "http://10.0.0.1/cb", oauth.AddressHTTP},
		{web, "https://app.example.com:0/cb", oauth.AddressHost},
		{web, "https://app.example.com:99999/cb", oauth.AddressHost},
		{web, "https://app.example.com:/cb", oauth.AddressHost},
		{web, "https://-app.example.com/cb", oauth.AddressHost},
		{web, "https://app..example.com/cb", oauth.AddressHost},
		{web, "https://127.1/cb", oauth.AddressHost},
		{web, "https://2130706433/cb", oauth.AddressHost},
		{web, "https://[fe80::1%25eth0]/cb", oauth.AddressHost},
		{web, "https://app.example.com/a/../b", oauth.AddressPath},
		{web, "https://app.example.com/%2e%2E/b", oauth.AddressPath},
		{web, "https://app.example.com/./b", oauth.AddressPath},
		{web, "https://app.example.com/cb?code=1", oauth.AddressQuery},
		{web, "https://app.example.com/cb?state", oauth.AddressQuery},
		{web, "https://app.example.com/cb?a=1&%69ss=x", oauth.AddressQuery},
		{web, "https://app.example.com/cb?error=", oauth.AddressQuery},
		{web, "com.example.app:/cb", oauth.AddressScheme},
		{store.KindBrowser, "com.example.app:/cb", oauth.AddressScheme},
		{web, "ftp://app.example.com/cb", oauth.AddressScheme},
		{native, "javascript:alert(1)", oauth.AddressScheme},
		{native, "javascript://app.example.com/%0aalert(1)", oauth.AddressScheme},
		{native, "data:text/html,x", oauth.AddressScheme},
		{native, "file:///etc/passwd", oauth.AddressScheme},
		{native, "vbscript:x", oauth.AddressScheme},
		{native, "blob:https://app.example.com/x", oauth.AddressScheme},
		{native, "myapp:/cb", oauth.AddressScheme},
		{native, "myapp://cb", oauth.AddressScheme},
		{native, "urn:ietf:wg:oauth:2.0:oob", oauth.AddressScheme},
		{native, "com.example.app:cb", oauth.AddressForm},
		{native, "com.example.app:", oauth.AddressForm},
		{native, "com..app:/cb", oauth.AddressScheme},
		{native, "com.example.app:/a/../cb", oauth.AddressForm},
		{native, "com.example.app:/cb?code=1", oauth.AddressQuery},
	} {
		err := oauth.CheckRedirectURI(test.kind, test.uri)
		got, _ := errors.AsType[oauth.AddressError](err)
		if (err == nil) != (test.want == ok) || got != test.want {
			t.Errorf("%s %q: got %q; want %q", test.kind, test.uri, got, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "example.com") && !strings.Contains(err.Error(), "app.example.com/callback") {
			t.Errorf("%v repeats the address", err)
		}
	}
}

func TestBackchannelAddress(t *testing.T) {
	for _, test := range []struct {
		uri         string
		anywhere, l bool // accepted on AWS, and in the local run
	}{
		{"https://app.example.com/logout", true, true},
		{"https://203.0.113.7/logout", true, true},
		{"https://app.example.com/logout?tenant=1", true, true},
		{"http://127.0.0.1:4000/logout", false, true},
		{"http://localhost:4000/logout", false, true},
		{"https://localhost/logout", false, true},
		{"https://app.localhost/logout", false, false},
		{"http://app.example.com/logout", false, false},
		{"https://10.1.2.3/logout", false, false},
		{"https://192.168.0.1/logout", false, false},
		{"https://169.254.169.254/latest/meta-data", false, false},
		{"https://[::1]/logout", false, true},
		{"https://[fd00::1]/logout", false, false},
		{"https://[fe80::1]/logout", false, false},
		{"https://[::ffff:10.0.0.1]/logout", false, false},
		{"https://[::ffff:127.0.0.1]/logout", false, false},
		{"https://0.0.0.0/logout", false, false},
		{"https://127.0.0.2/logout", false, false},
		{"https://224.0.0.1/logout", false, false},
		{"https://app.example.com/logout#x", false, false},
		{"https://u@app.example.com/logout", false, false},
		{"com.example.app:/logout", false, false},
		{"", false, false},
	} {
		if got := oauth.CheckBackchannelURI(test.uri, false) == nil; got != test.anywhere {
			t.Errorf("%s: %v", test.uri, got)
		}
		if got := oauth.CheckBackchannelURI(test.uri, true) == nil; got != test.l {
			t.Errorf("%s in the local run: %v", test.uri, got)
		}
	}
}

// TestPublicApplicationCORS: registered origins of browser applications and no others.
func TestPublicApplicationCORS(t *testing.T) {
	a := store.Application{Kind: store.KindBrowser, Enabled: true, RedirectURIs: []string{
		"https://app.example.com/cb", "https://Shop.example.com:443/cb", "http://localhost:5173/cb", "http://127.0.0.1:80/",
	}}
	for origin, want := range map[string]bool{
		"https://app.example.com": true, "https://shop.example.com": true, "http://localhost:5173": true, "http://127.0.0.1": true,
		"": false, "null": false, "*": false, "https://app.example.com/": false, "https://app.example.com:443": false,
		"http://app.example.com": false, "https://evil.example": false, "https://app.example.com.evil.example": false, "http://localhost": false,
	} {
		if got := oauth.HasOrigin(a, origin); got != want {
			t.Errorf("%q: %v", origin, got)
		}
	}
	for _, kind := range []store.ApplicationKind{store.KindWeb, store.KindNative, store.KindProxy} {
		if a.Kind = kind; oauth.HasOrigin(a, "https://app.example.com") {
			t.Errorf("%s has an origin", kind)
		}
	}
	a.Kind, a.Enabled = store.KindBrowser, false
	if oauth.HasOrigin(a, "https://app.example.com") {
		t.Error("a disabled application has an origin")
	}
}

func FuzzRedirectMatch(f *testing.F) {
	registered := []string{"https://app.example.com/cb", "http://127.0.0.1/cb", "http://[::1]/", "http://localhost:8000", "com.example.app:/cb"}
	for _, uri := range append(registered, "http://127.0.0.1:51004/cb", `http://127.0.0.1:80\@evil.example/cb`, "http://localhost:1?x") {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		for _, kind := range []store.ApplicationKind{store.KindWeb, store.KindBrowser, store.KindNative} {
			if !oauth.MatchRedirectURI(kind, registered, uri) {
				continue
			}
			if err := oauth.CheckRedirectURI(kind, uri); err != nil {
				t.Fatalf("%s: %q matches and cannot be registered: %v", kind, uri, err)
			}
			// An independent statement of the rule: without the port it is one of them.
			bare := uri
			if kind == store.KindNative {
				for _, host := range []string{"http://127.0.0.1", "http://[::1]", "http://localhost"} {
					if rest, ok := strings.CutPrefix(uri, host+":"); ok {
						bare = host + strings.TrimLeft(rest, "0123456789")
					}
				}
			}
			same := false
			for _, r := range registered {
				same = same || r == uri || kind == store.KindNative && (r == bare || strings.Replace(r, ":8000", "", 1) == bare)
			}
			if !same {
				t.Fatalf("%s: %q matches", kind, uri)
			}
		}
	})
}
