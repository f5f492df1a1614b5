package page

import (
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/text"
)

// openIDPages are the pages of the OpenID provider, with what is long and what is hostile.
func openIDPages() map[string]func(*Pages, http.ResponseWriter, text.Language, string) error {
	const wiki = "Wiki of the <b>engineering</b> department"
	form := Form{Action: "https://s.example/oauth2/consent", Fields: []Field{{"request", `"><script>alert(1)</script>`}}}
	return map[string]func(*Pages, http.ResponseWriter, text.Language, string) error{
		"/consent": func(p *Pages, w http.ResponseWriter, l text.Language, self string) error {
			return p.Consent(w, Consent{
				Language: l, Self: self, Application: wiki, Member: "张三", Form: form,
				Scopes: []string{"openid", "profile", "phone", "email", "groups", "offline_access"},
			})
		},
		"/notallowed": func(p *Pages, w http.ResponseWriter, l text.Language, self string) error {
			return p.NotAllowed(w, NotAllowed{Language: l, Self: self, Application: wiki, Member: "张三", Back: "https://wiki.example/?error=access_denied", SignIn: "https://s.example/signin"})
		},
		"/refused": func(p *Pages, w http.ResponseWriter, l text.Language, self string) error {
			return p.RefusedRequest(w, RefusedRequest{
				Language: l, Self: self, Application: wiki, Reason: ReasonAddress, Code: "invalid_request", RequestID: "JKJaXmPLvHcESHA=",
				Details: &RequestDetails{
					Description: "redirect_uri is not one of those registered.", ClientID: "wiki",
					Came:       "https://evil.example/" + strings.Repeat("a", 300) + "<b>",
					Registered: []string{"https://wiki.example/callback", "https://wiki.example/other"},
					Console:    "https://s.example/console#applications/wiki",
				},
			})
		},
		"/unknown": func(p *Pages, w http.ResponseWriter, l text.Language, self string) error {
			return p.RefusedRequest(w, RefusedRequest{Language: l, Self: self, Reason: ReasonUnknown, Code: "invalid_client", RequestID: "<!--"})
		},
		"/lost": func(p *Pages, w http.ResponseWriter, l text.Language, self string) error {
			return p.LostRequest(w, LostRequest{Language: l, Self: self, Application: wiki, Homepage: "https://wiki.example/", SignIn: "https://s.example/signin"})
		},
		"/signout": func(p *Pages, w http.ResponseWriter, l text.Language, self string) error {
			return p.SignOut(w, SignOut{Language: l, Self: self, Application: wiki, Member: "张三", Form: form, Stay: "https://s.example/signin"})
		},
		"/signedout": func(p *Pages, w http.ResponseWriter, l text.Language, self string) error {
			return p.SignedOut(w, SignedOut{Language: l, Self: self, SignIn: "https://s.example/signin"})
		},
		"/signedout-here": func(p *Pages, w http.ResponseWriter, l text.Language, self string) error {
			return p.SignedOut(w, SignedOut{Language: l, Self: self, SignIn: "https://s.example/signin", Unregistered: true})
		},
	}
}

// Every page of the provider is whole in every language, and what comes from outside is
// text.
func TestOpenIDPages(t *testing.T) {
	pages, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	status := map[string]int{"/notallowed": 403, "/refused": 400, "/unknown": 400, "/lost": 400}
	for name, write := range openIDPages() {
		for _, tag := range text.Languages() {
			w := httptest.NewRecorder()
			if err := write(pages, w, tag, "https://s.example"+name+"?a=b"); err != nil {
				t.Fatal(err)
			}
			body := w.Body.String()
			if want := max(status[name], 200); w.Code != want {
				t.Errorf("%s: %d", name, w.Code)
			}
			read(t, body)
			for _, wrong := range []string{"<b>", "alert(1)</script>\"", "<!--", "{application}", "{name}", "consent.", "refused.", "signout."} {
				if strings.Contains(strings.ReplaceAll(body, "/signout?", ""), wrong) {
					t.Errorf("%s in %s has %s", name, tag, wrong)
				}
			}
			if strings.Count(body, "<script") != 1 || strings.Count(body, `class="button first"`) > 1 {
				t.Errorf("%s in %s: scripts or main buttons", name, tag)
			}
			if !strings.Contains(body, `lang="`+string(tag)+`"`) || !strings.Contains(html.UnescapeString(body), name+"?a=b&lang=fr") {
				t.Errorf("%s in %s: languages", name, tag)
			}
			policy := w.Header().Get("Content-Security-Policy")
			if form := strings.Contains(body, `<form class="ways"`); form == strings.Contains(policy, "form-action 'self'") || !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "base-uri 'none'") {
				t.Errorf("%s: policy %s", name, policy)
			}
		}
	}
}
