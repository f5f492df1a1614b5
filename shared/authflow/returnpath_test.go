package authflow

import (
	"net/url"
	"strings"
	"testing"
)

func TestParseReturnPath(t *testing.T) {
	for target, want := range map[string]string{
		"/":                       "/",
		"/admin":                  "/admin",
		"/a/b?c=d&e=%2F":          "/a/b?c=d&e=%2F",
		`/a?x=\`:                  `/a?x=\`, // after the query began, a backslash is a character
		"/a?next=https://b.test/": "/a?next=https://b.test/",
		"/a?b=1%":                 "/a?b=1%", // the query stays byte for byte
		"/50%":                    "/50%25",
		"/你好 x":                   "/%E4%BD%A0%E5%A5%BD%20x",
		"/a#b":                    "/a#b",
		"/a//b":                   "/a//b",
		"/:80/x":                  "/:80/x",
		"/@evil.example":          "/@evil.example",
		"/#//evil.example":        "/#//evil.example",
		"/a?b#/c?d=https://e":     "/a?b#/c?d=https://e",
	} {
		if got, ok := ParseReturnPath(target); !ok || got.String() != want {
			t.Errorf("ParseReturnPath(%q) = %q, %v; want %q", target, got, ok, want)
		}
	}
}

func TestOpenRedirectIsRefused(t *testing.T) {
	for _, target := range []string{
		"", "admin", "?a=b", "https://evil.example", "https:/evil.example", "//evil.example", "///evil.example",
		`/\evil.example`, `\/evil.example`, `/a\b`, "/\t/evil.example", "/a\r\nSet-Cookie: x=y", "/a\x00", "/a\x7f", "/a#b\x00", "/#/b\r\nSet-Cookie: x=y", `/#\evil`, "#/a",
		"javascript:alert(1)", "/" + strings.Repeat("a", 2048), "/" + strings.Repeat("你", 400), " /a",
	} {
		if got, ok := ParseReturnPath(target); ok {
			t.Errorf("ParseReturnPath(%q) = %q", target, got)
		}
	}
}

// Attack: a redirect_uri that ends inside a path to return to has WeCom's code appended
// to that path, and the application gets it.
func TestWeComsAnswerIsNoDestination(t *testing.T) {
	for query, want := range map[string]string{
		// WeCom's answer, however it is appended.
		"redirect=/x&code=CODE&state=STATE":                  "/x",
		"redirect=/x?a=1&code=CODE&state=STATE":              "/x?a=1",
		"redirect=/x?code=CODE&state=STATE":                  "",
		"redirect=/x?a=1?code=CODE&state=":                   "",
		"redirect=/x;code=CODE&state=STATE":                  "",
		"redirect=/x%3FCode[]=CODE&state=STATE":              "",
		"code=DECOY&redirect=/x?code=CODE&state=STATE":       "",
		"redirect=%2Fx%3Fstate%3DDECOY?code=CODE&state=S":    "",
		"redirect=%2Fx%23?code=CODE&state=STATE":             "",
		"state=DECOY&redirect=%2Fx%3Fcode%3DCODE%26state%3D": "",
		// The application's own parameters.
		"redirect=/x?code=PROMO":                   "/x?code=PROMO",
		"redirect=/x%3Fcode%3DCODE%26state%3DS":    "/x?code=CODE&state=S",
		"redirect=/x?a=1&state=STATE":              "/x?a=1",
		"redirect=%2Fx%3Fstate%3D1&code=C&state=S": "/x?state=1",
		// Of these the sealed attempt knows the path; the address alone does not say whose
		// code it is.
		"redirect=%2Fx%3Fcode%3D1&code=C&state=S":            "",
		"redirect=%2Fx%3Fcode%3D1%26state%3D2&code=C&state=": "",
	} {
		values, err := url.ParseQuery(strings.ReplaceAll(query, ";", "%3B")) // as apigw.Query reads it
		if err != nil {
			t.Fatal(err)
		}
		if got := DestinationOf(values).Path.String(); got != want {
			t.Errorf("%s leads to %q, want %q", query, got, want)
		}
	}
}

func FuzzParseReturnPath(f *testing.F) {
	for _, seed := range []string{"/", "//a", `/\a`, "/a?b#c", "/%2f%2fa", "/%", "/你"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		path, ok := ParseReturnPath(target)
		if !ok {
			return
		}
		clean := path.String()
		parsed, err := url.Parse("https://app.example" + clean)
		if err != nil || parsed.Host != "app.example" || parsed.User != nil || parsed.Scheme != "https" {
			t.Fatalf("%q leads to %v, %v", clean, parsed, err)
		}
		if again, ok := ParseReturnPath(clean); !ok || again.String() != clean {
			t.Fatalf("%q is not stable: %q, %v", clean, again, ok)
		}
		for i := range len(clean) {
			if clean[i] <= ' ' || clean[i] >= 0x7f {
				t.Fatalf("%q holds byte %#x", clean, clean[i])
			}
		}
	})
}
