package signin

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestApplicationLink(t *testing.T) {
	shared := func(f *world) {
		for i := range f.authenticators {
			f.authenticators[i].Origin = public
		}
	}
	for _, test := range []struct {
		name     string
		ask      ask
		change   func(*world)
		location string // empty: 404
	}{
		{"with a session", ask{path: "/orders/7", query: "a=1&b=%E4%BD%A0&c=+%2B&&d", session: liveID}, nil, appOrigin + "/orders/7?a=1&b=%E4%BD%A0&c=+%2B&&d"},
		{"with a session, the root", ask{path: "/", session: liveID}, nil, appOrigin + "/"},
		{"with a session, in WeCom", ask{path: "/m", session: liveID, agent: wecomUA}, nil, appOrigin + "/m"},
		{"of another authenticator", ask{path: "/x", session: liveID}, func(f *world) { f.session.AuthenticatorName = "crm" }, "https://crm.example.com:8443/x"},
		{"in WeCom", ask{path: "/admin", query: "tab=2", agent: wecomUA}, nil, public + "/authorize/demo?redirect=%2Fadmin%3Ftab%3D2"},
		{"in WeCom, with a dead session", ask{path: "/admin", session: deadID, agent: wecomUA}, nil, public + "/authorize/demo?redirect=%2Fadmin"},
		{"in WeCom, nothing automatic", ask{path: "/admin", agent: wecomUA}, func(f *world) { f.authenticators[1].AutoLogin = false }, public + "/signin?redirect=%2Fadmin"},
		{"in WeCom, the automatic one disabled", ask{path: "/admin", agent: wecomUA}, func(f *world) { f.authenticators[1].Enabled = false }, public + "/signin?redirect=%2Fadmin"},
		{"in a browser", ask{path: "/any/path", query: "q=1", agent: desktopUA}, nil, public + "/signin?redirect=%2Fany%2Fpath%3Fq%3D1"},
		{"in a browser, the root", ask{path: "/", agent: desktopUA}, nil, public + "/signin?redirect=%2F"},
		{"nothing set up", ask{path: "/x"}, func(f *world) { f.authenticators = nil }, public + "/signin?redirect=%2Fx"},
		{"the gateway's own name", ask{path: "/x"}, func(f *world) { f.publicURL = "" }, "https://api.example.net/signin?redirect=%2Fx"},

		{"a shared address, with a session", ask{path: "/x", session: liveID}, shared, ""},
		{"a shared address, in WeCom", ask{path: "/x", agent: wecomUA}, shared, ""},
		{"a shared address, in a browser", ask{path: "/x"}, shared, ""},

		{"a store that does not answer, sessions", ask{path: "/x", session: liveID}, func(f *world) { f.checkError = errors.New("down") }, public + "/signin?error=internal&redirect=%2Fx&request=request-1"},
		{"a store that does not answer, authenticators", ask{path: "/x", agent: wecomUA}, func(f *world) { f.failing = errors.New("down") }, public + "/signin?error=internal&redirect=%2Fx&request=request-1"},

		// The path is decoded: what looks like syntax is a character.
		{"a space", ask{path: "/a b", session: liveID}, nil, appOrigin + "/a%20b"},
		{"a question mark", ask{path: "/a?b", query: "c", session: liveID}, nil, appOrigin + "/a%3Fb?c"},
		{"a number sign", ask{path: "/a#b", session: liveID}, nil, appOrigin + "/a%23b"},
		{"a percent sign", ask{path: "/50%", session: liveID}, nil, appOrigin + "/50%25"},
		{"an encoded percent sign", ask{path: "/50%25", session: liveID}, nil, appOrigin + "/50%2525"},
		{"Chinese", ask{path: "/订单", session: liveID}, nil, appOrigin + "/%E8%AE%A2%E5%8D%95"},
		{"no UTF-8", ask{path: "/\xff", session: liveID}, nil, appOrigin + "/%FF"},
		{"Chinese, through the sign-in page", ask{path: "/订单"}, nil, public + "/signin?redirect=%2F%25E8%25AE%25A2%25E5%258D%2595"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newWorld()
			if test.change != nil {
				test.change(f)
			}
			got := f.ask(t, test.ask)
			status := 302
			if test.location == "" {
				status = 404
			}
			if got.status != status || got.headers["location"] != test.location {
				t.Fatalf("%d %q\nwant %d %q", got.status, got.headers["location"], status, test.location)
			}
		})
	}
}

// Whatever the path and the query are, nobody is led to a host that is not ours.
func TestApplicationLinkIsNoOpenRedirect(t *testing.T) {
	for _, attack := range []struct{ path, query string }{
		{"//evil.example", ""},
		{"//evil.example/x", "y"},
		{"///evil.example", ""},
		{`/\evil.example`, ""},
		{`\\evil.example`, ""},
		{"/\t/evil.example", ""},
		{"/\n/evil.example", ""},
		{"/%09/evil.example", ""},
		{"/%2F/evil.example", ""},
		{"/..//evil.example", ""},
		{"/.//evil.example", ""},
		{"/@evil.example", ""},
		{"@evil.example", ""},
		{".evil.example", ""},
		{":8443@evil.example", ""},
		{"https://evil.example", ""},
		{"/https://evil.example", ""},
		{"/x\r\nLocation: https://evil.example", ""},
		{"/x", "y\r\nLocation: https://evil.example"},
		{"/x", "y\x00"},
		{"/authorize//evil.example", ""},
		{"/signin/..//evil.example", "redirect=//evil.example"},
	} {
		for name, browser := range map[string]ask{
			"with a session": {session: liveID}, "in WeCom": {agent: wecomUA}, "in a browser": {agent: desktopUA},
		} {
			browser.path, browser.query = attack.path, attack.query
			got := newWorld().ask(t, browser)
			if got.status == 404 {
				continue
			}
			location := got.headers["location"]
			parsed, err := url.Parse(location)
			if got.status != 302 || err != nil || strings.ContainsAny(location, "\r\n\t\\") {
				t.Errorf("%s, %q: %d %q %v", name, attack, got.status, location, err)
				continue
			}
			if origin := parsed.Scheme + "://" + parsed.Host; origin != appOrigin && origin != public || parsed.User != nil {
				t.Errorf("%s, %q leads to %s", name, attack, location)
			}
			redirect := parsed.Query().Get("redirect")
			if parsed.Path == "/signin" || strings.HasPrefix(parsed.Path, "/authorize/") {
				if strings.HasPrefix(redirect, "//") || strings.HasPrefix(redirect, `/\`) || redirect != "" && redirect[0] != '/' {
					t.Errorf("%s, %q carries the target %q", name, attack, redirect)
				}
			}
		}
	}
}

// follow requests an application link again and again, as a browser does when the
// application always redirects back, and returns where each answer leads.
func follow(t *testing.T, f *world, a ask, times int, pause time.Duration) []string {
	t.Helper()
	var locations []string
	var jar []string
	for range times {
		a.cookies = jar
		got := f.ask(t, a)
		if next := got.jar(); len(next) > 0 || got.clears(loopCookie) {
			jar = next
		}
		locations = append(locations, strings.TrimPrefix(got.headers["location"], public))
		f.now = f.now.Add(pause)
	}
	return locations
}

func sent(location string, times int) []string { return slices.Repeat([]string{location}, times) }

func TestRedirectLoopEnds(t *testing.T) {
	const loop = "/signin?authenticator=demo&error=redirect_loop&redirect=%2Fx&request=request-1"
	const authorize = "/authorize/demo?redirect=%2Fx"
	for _, test := range []struct {
		name  string
		ask   ask
		pause time.Duration
		want  []string
	}{
		{"a session that the application does not see", ask{path: "/x", session: liveID}, time.Second, slices.Concat(sent(appOrigin+"/x", 5), []string{loop, appOrigin + "/x"})},
		{"a session that the browser does not keep", ask{path: "/x", agent: wecomUA}, 1500 * time.Millisecond, slices.Concat(sent(authorize, 5), []string{loop})},
		{"an application that takes its time", ask{path: "/x", session: liveID}, 2 * time.Second, sent(appOrigin+"/x", 12)},
		{"the last moment", ask{path: "/x", session: liveID}, 1999 * time.Millisecond, slices.Concat(sent(appOrigin+"/x", 5), []string{loop})},
		{"a person who taps a link again and again", ask{path: "/x", session: liveID, headers: map[string]string{"Sec-Fetch-User": "?1"}}, time.Second, sent(appOrigin+"/x", 8)},
		{"a person who opens bookmarks", ask{path: "/x", session: liveID, headers: map[string]string{"Sec-Fetch-Site": "none"}}, time.Second, sent(appOrigin+"/x", 8)},
		{"a chain of redirects that a person began", ask{path: "/x", session: liveID, headers: map[string]string{"Sec-Fetch-User": "?1"}}, 10 * time.Millisecond, slices.Concat(sent(appOrigin+"/x", 8), []string{loop})},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := follow(t, newWorld(), test.ask, len(test.want), test.pause)
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Fatalf("%q\nwant %q", got, test.want)
			}
		})
	}
}

func TestRedirectsOfOtherPathsDoNotCount(t *testing.T) {
	f := newWorld()
	var jar []string
	for i, path := range []string{"/x", "/x", "/y", "/x", "/y", "/x"} {
		got := f.ask(t, ask{path: path, session: liveID, cookies: jar})
		if got.headers["location"] != appOrigin+path {
			t.Fatalf("request %d of %s leads to %s", i+1, path, got.headers["location"])
		}
		jar = got.jar()
	}
}

func TestAPageInBetweenEndsTheRow(t *testing.T) {
	f := newWorld()
	first := f.ask(t, ask{path: "/x", session: liveID})
	if got := f.ask(t, ask{path: "/signin", cookies: first.jar()}); !got.clears(loopCookie) {
		t.Fatal("a page was shown, and the row goes on")
	}
	if got := f.ask(t, ask{method: "POST", path: "/api/signout", cookies: first.jar()}); !got.clears(loopCookie) {
		t.Fatal("the session was ended, and the row goes on")
	}
}

func TestForgedLoopCookiesCountNothing(t *testing.T) {
	for _, value := range []string{"", "x", "2", "2.3", "2.3.4.5", "99.0.abc", "-1.0.x", "2.99999999999999999999.2d711642b726b044", "2.1.2d711642b726b044"} {
		got := newWorld().ask(t, ask{path: "/x", session: liveID, cookies: []string{loopCookie + "=" + value}})
		if got.headers["location"] != appOrigin+"/x" {
			t.Errorf("%q: %s", value, got.headers["location"])
		}
	}
}

// Attack: a link whose redirect_uri is any path of the service has WeCom's code sent to
// an application, whose log shows it to somebody who spends it first.
func TestCodeOfWeComNeverReachesAnApplication(t *testing.T) {
	for _, query := range []string{
		"code=CODE&state=STATE", "state=STATE&a=1&code=CODE", "redirect=%2Fx&code=CODE&state=STATE", "code&state",
		"%63ode=CODE&st%61te=STATE", "Code=CODE&STATE=S", "code[]=CODE&state[0]=S", "a;code=CODE;state=S", "code=CODE&+state=S", "code=CODE&code=X&state=", "?code=CODE&state=STATE", "x=1?code=CODE&state=STATE", "x=%2Fy?code=CODE&state=",
	} {
		for name, a := range map[string]ask{
			"with a session":       {session: liveID},
			"without":              {},
			"with automatic login": {agent: wecomUA},
			"with both":            {session: liveID, agent: wecomUA},
			"HEAD":                 {session: liveID, method: "HEAD"},
		} {
			for _, path := range []string{"/", "/anything", "/task/7"} {
				a.path, a.query = path, query
				got := newWorld().ask(t, a)
				if got.status != 302 || got.headers["location"] != public+"/signin" {
					t.Errorf("%s, %s?%s: %d to %s", name, path, query, got.status, got.headers["location"])
				}
			}
		}
	}
	// What WeCom appends to an address that it takes to have a query already.
	for _, path := range []string{"/x&code=CODE&state=S", "/x;code=CODE;state=S", "/x?code=CODE&state=S"} {
		if got := newWorld().ask(t, ask{path: path, session: liveID}); got.headers["location"] != public+"/signin" {
			t.Errorf("%s leads to %s", path, got.headers["location"])
		}
	}
	// Neither of them alone is WeCom's answer.
	for _, query := range []string{"code=1", "state=open", "codes=1&state=2", "x=code&y=state"} {
		if got := newWorld().ask(t, ask{path: "/x", query: query, session: liveID}); got.headers["location"] != appOrigin+"/x?"+query {
			t.Errorf("%s leads to %s", query, got.headers["location"])
		}
	}
}

func FuzzLinkStaysOnItsOrigin(f *testing.F) {
	for _, path := range []string{"/", "//evil.example", `/\evil`, "/a b", "/50%", "/%zz", "/\x00", "@evil", "/..//x", "/你", "/[::1]", "/;a=b", "*"} {
		f.Add(path, "a=%2F")
	}
	f.Add("/x", "#@evil\\")
	f.Fuzz(func(t *testing.T, path, query string) {
		target, ok := linkTarget(path, query)
		if !ok {
			return
		}
		for _, origin := range []string{appOrigin, "https://crm.example.com:8443", "http://127.0.0.1:3001", "http://[::1]:3001"} {
			address, ok := onOrigin(origin, target)
			if !ok {
				continue
			}
			parsed, err := url.Parse(address)
			if err != nil {
				t.Fatalf("%q does not parse: %v", address, err)
			}
			if parsed.Scheme+"://"+parsed.Host != origin || parsed.User != nil || !strings.HasPrefix(address, origin+"/") {
				t.Fatalf("%q is not on %s", address, origin)
			}
			if path != "" && parsed.Path != path {
				t.Fatalf("%q has the path %q, want %q", address, parsed.Path, path)
			}
			if query != "" && !strings.HasSuffix(address, "?"+query) {
				t.Fatalf("%q does not end with the query %q", address, query)
			}
			if strings.ContainsAny(address, "\r\n\x00") {
				t.Fatalf("%q has control characters", address)
			}
		}
	})
}
