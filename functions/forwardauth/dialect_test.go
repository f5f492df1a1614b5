package forwardauth

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// FuzzForwardedAddress: whatever a proxy says of the visitor's address, a browser that is
// sent to the way back stays on the application's origin.
func FuzzForwardedAddress(f *testing.F) {
	for _, seed := range [][3]string{
		{"wiki.example.org", "/deep?link=1", "https://wiki.example.org/deep?link=1"},
		{"evil.example", "//evil.example", "https://evil.example"},
		{"wiki.example.org:443", `/\evil`, "https://wiki.example.org@evil.example/"},
		{"", "/\t/evil.example", "//evil.example"},
		{"WIKI.example.org", "/%2F%2Fevil", "https:///evil.example"},
		{"wiki.example.org", "/维基#x", "http://wiki.example.org?x=/"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	application := store.Application{ID: "wiki", Kind: store.KindProxy, Homepage: "https://wiki.example.org/home"}
	f.Fuzz(func(t *testing.T, host, target, address string) {
		r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: target, RawQuery: target}, Header: http.Header{
			"X-Forwarded-Host": {host}, "X-Forwarded-Uri": {target}, "X-Original-Url": {address},
		}}
		for name, d := range dialects() {
			back := d.visitor(r, "/"+target).wayBack(application)
			u, err := url.Parse("https://wiki.example.org" + back)
			if err != nil || u.Scheme != "https" || u.Host != "wiki.example.org" || u.User != nil || !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") || len(back) > maxTarget ||
				strings.ContainsFunc(back, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
				t.Errorf("%s: %q", name, back)
			}
		}
	})
}
