package testbrowser

import (
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Keep keeps the cookies of an answer as browsers do (RFC 6265bis §5.7; loopback is
// as trustworthy as https), but those for the whole service only.
func (b *Browser) Keep(a Answer) {
	for _, cookie := range (&http.Response{Header: a.Header}).Cookies() {
		if b.BlockCookies || !b.atService(a.URL) || !mayKeep(cookie, a.URL) {
			continue
		}
		if cookie.MaxAge != 0 {
			cookie.Expires = b.Now().Add(time.Duration(cookie.MaxAge) * time.Second)
		}
		b.cookies[cookie.Name] = cookie
		if cookie.MaxAge < 0 || !b.current(cookie) {
			delete(b.cookies, cookie.Name)
		}
	}
	if b.OnAnswer != nil {
		b.OnAnswer(a)
	}
}

// mayKeep applies the rules of Secure and of the prefixes of names.
func mayKeep(cookie *http.Cookie, address string) bool {
	u, err := url.Parse(address)
	if err != nil || cookie.Path != "/" || cookie.Domain != "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	trustworthy := u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	name := strings.ToLower(cookie.Name)
	needsSecure := strings.HasPrefix(name, "__host-") || strings.HasPrefix(name, "__secure-")
	return trustworthy && cookie.Secure || !cookie.Secure && !needsSecure
}

// current reports whether a cookie has time left, or lives as long as the browser.
func (b *Browser) current(cookie *http.Cookie) bool {
	return cookie.Expires.IsZero() || b.Now().Before(cookie.Expires)
}

// Cookies returns the values, by name, of the cookies whose names begin with prefix.
func (b *Browser) Cookies(prefix string) map[string]string {
	found := map[string]string{}
	for name, cookie := range b.cookies {
		if strings.HasPrefix(name, prefix) {
			found[name] = cookie.Value
		}
	}
	return found
}

// SetCookie plants a cookie, or alters one and leaves its expiry.
func (b *Browser) SetCookie(name, value string) {
	cookie := &http.Cookie{Name: name, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if known := b.cookies[name]; known != nil {
		cookie.Expires = known.Expires
	}
	cookie.Value = value
	b.cookies[name] = cookie
}

// Forget loses the cookies whose names begin with prefix.
func (b *Browser) Forget(prefix string) {
	maps.DeleteFunc(b.cookies, func(name string, _ *http.Cookie) bool { return strings.HasPrefix(name, prefix) })
}

// addCookies writes the header Cookie.
func (b *Browser) addCookies(r *http.Request) {
	if !b.atService(r.URL.String()) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		if cookie := b.cookies[name]; b.KeepExpired || b.current(cookie) {
			r.AddCookie(&http.Cookie{Name: name, Value: cookie.Value}) //nolint:gosec // of a request: it has no attributes
		}
	}
}
