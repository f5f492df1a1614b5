package page

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/text"
)

const onePixel = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="

// companyPage is the sign-in page and its policy with a company's settings.
func companyPage(t *testing.T, cfg Config) (body, policy string) {
	t.Helper()
	pages, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := pages.SignIn(w, SignIn{Language: text.English, Client: OnDesktop, Self: self, Buttons: []Button{demo}}); err != nil {
		t.Fatal(err)
	}
	return w.Body.String(), w.Header().Get("Content-Security-Policy")
}

func TestCompany(t *testing.T) {
	const img = ` height="52" decoding="async" referrerpolicy="no-referrer">`
	for _, test := range []struct {
		name      string
		cfg       Config
		pictures  string
		has, lack []string
	}{
		{"nothing", Config{}, "img-src data:;", []string{"<title>Sign in</title>", `<div class="mark"><svg `}, []string{`class="company"`, "<img"}},
		{
			"a name",
			Config{CompanyName: "张 & <Söhne>"},
			"img-src data:;",
			[]string{"<title>Sign in · 张 &amp; &lt;Söhne&gt;</title>", `<div class="mark"><svg `, `<p class="company">张 &amp; &lt;Söhne&gt;</p>`},
			[]string{"<img"},
		},
		{
			"a name and a picture elsewhere",
			Config{CompanyName: "Example", CompanyLogo: "https://cdn.example.com:8443/a/logo.png?v=2&w=3"},
			"img-src data: https://cdn.example.com:8443;",
			[]string{`<img src="https://cdn.example.com:8443/a/logo.png?v=2&amp;w=3" alt="Example"` + img, `<p class="company" aria-hidden="true">Example</p>`},
			[]string{`<div class="mark"><svg `},
		},
		{
			"a picture in the setting",
			Config{CompanyLogo: onePixel},
			"img-src data:;",
			[]string{`<img src="` + onePixel + `" alt=""` + img, "<title>Sign in</title>"},
			[]string{`class="company"`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			body, policy := companyPage(t, test.cfg)
			if !strings.Contains(policy, test.pictures) {
				t.Errorf("policy %q lacks %q", policy, test.pictures)
			}
			for _, text := range test.has {
				if !strings.Contains(body, text) {
					t.Errorf("lacks %s", text)
				}
			}
			for _, text := range test.lack {
				if strings.Contains(body, text) {
					t.Errorf("has %s", text)
				}
			}
		})
	}
}

// A malformed logo stops the start, so that it cannot weaken the policy.
func TestLogoThatIsNone(t *testing.T) {
	for _, address := range []string{
		"http://cdn.example.com/logo.png", "//cdn.example.com/logo.png", "/logo.png", "logo.png", "javascript:alert(1)",
		"https://", "https:///logo.png", "https://user@cdn.example.com/logo.png", "https://*/logo.png", "https://*.example.com/logo.png",
		"https://a;script-src/logo.png", "https://a b/logo.png", "https://a'/logo.png", "https://a,b/logo.png", "https://[::1]/logo.png",
		"data:image/svg+xml;base64,PHN2Zz4=", "data:text/html;base64,PGI+", "data:image/png,abc", onePixel + `" onerror="`,
	} {
		if _, err := New(Config{CompanyLogo: address}); err == nil {
			t.Errorf("%s is taken for a logo", address)
		}
	}
}

func TestPageForNothingHasTheCompany(t *testing.T) {
	pages, err := New(Config{CompanyName: "Example"})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := pages.NotFound(w, NotFound{Language: text.French, SignIn: "https://signin.example.com/signin"}); err != nil {
		t.Fatal(err)
	}
	if body := w.Body.String(); !strings.Contains(body, " · Example</title>") || !strings.Contains(body, `<html lang="fr">`) {
		t.Error(body)
	}
}
