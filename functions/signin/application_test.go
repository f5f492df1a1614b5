package signin

import (
	"errors"
	"html"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// The sign-in page of somebody whom an application has sent.
func TestSignInPageForAnApplication(t *testing.T) {
	const (
		waiting = "application=wiki&continue=ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		onward  = public + "/oauth2/authorize?client_id=wiki&amp;continue=ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	)
	way := func(name string) string {
		return public + "/authorize/" + name + "?application=wiki&amp;continue=ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	}
	only := func(names ...string) func(*world) {
		return func(f *world) {
			f.applications["wiki"] = store.Application{ID: "wiki", Title: "Wiki", Enabled: true, Authenticators: names}
		}
	}
	for _, test := range []struct {
		name      string
		ask       ask
		change    func(*world)
		has, lack []string
	}{
		{"all ways", ask{query: waiting}, nil, []string{"<h1>Sign in to Wiki</h1>", way("demo"), way("crm")}, []string{"redirect="}},
		{"its own ways", ask{query: waiting}, only("crm", "old", "gone"), []string{way("crm")}, []string{way("demo"), "/authorize/old", "/authorize/gone"}},
		{
			"none of its ways is switched on",
			ask{query: waiting},
			only("old"),
			[]string{"No way to sign in to Wiki is switched on.", `href="` + public + `/signin"`},
			[]string{"/authorize/"},
		},
		{
			"switched off",
			ask{query: waiting, session: liveID},
			func(f *world) { f.applications["wiki"] = store.Application{ID: "wiki", Title: "Wiki"} },
			[]string{"Wiki is switched off.", "ask an administrator", `href="` + public + `/signin"`},
			[]string{"/authorize/", "signed in as", onward},
		},
		{
			"unknown",
			ask{query: waiting},
			func(f *world) { delete(f.applications, "wiki") },
			[]string{"is not registered"},
			[]string{"/authorize/", "wiki</h1>"},
		},
		{"without a title", ask{query: waiting}, func(f *world) { f.applications["wiki"] = store.Application{ID: "wiki", Enabled: true} }, []string{"<h1>Sign in to wiki</h1>"}, nil},
		{
			"a failure names it",
			ask{query: waiting + "&error=not_a_member&authenticator=demo"},
			nil,
			[]string{"Could not sign in to Wiki", "not a member of this company", way("demo")},
			nil,
		},
		{"another company", ask{query: waiting + "&error=other_corp"}, nil, []string{"Could not sign in to Wiki", "belongs to another company"}, nil},
		{
			"first sign-in, to scan",
			ask{query: waiting + "&error=first_sign_in_in_wecom&authenticator=demo"},
			nil,
			[]string{"First sign-in to Wiki", `class="code"`, `value="` + way("demo") + `"`},
			nil,
		},
		{"signed in", ask{query: waiting, session: liveID}, nil, []string{"signed in as 张三", `href="` + onward + `"`}, nil},
		{"signed in another way", ask{query: waiting, session: liveID}, only("crm"), []string{way("crm")}, []string{"signed in as", onward}},
		{
			"to sign in again",
			ask{query: waiting + "&prompt=login", session: liveID},
			nil,
			[]string{way("demo"), "prompt=login"},
			[]string{"signed in as", onward},
		},
		{"a store that does not answer", ask{query: waiting}, func(f *world) { f.failing = errors.New("down") }, []string{"cannot be read", "<h1>Sign in</h1>"}, []string{"down"}},
		{"attack: no request", ask{query: "application=wiki&continue=https://evil.example"}, nil, []string{"<h1>Sign in</h1>"}, []string{"evil", "Wiki"}},
		{
			"attack: a title with markup",
			ask{query: waiting},
			func(f *world) {
				f.applications["wiki"] = store.Application{ID: "wiki", Title: "<script>alert(1)</script>", Enabled: true}
			},
			nil,
			[]string{"<script>alert"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newWorld()
			f.applications = map[string]store.Application{}
			only()(f)
			if test.change != nil {
				test.change(f)
			}
			test.ask.path = "/signin"
			got := f.ask(t, test.ask)
			if got.status != 200 {
				t.Fatalf("status %d", got.status)
			}
			for _, text := range test.has {
				if !strings.Contains(got.body, text) {
					t.Errorf("lacks %s\n%s", text, got.body)
				}
			}
			for _, text := range test.lack {
				if strings.Contains(got.body, text) {
					t.Errorf("has %s", text)
				}
			}
		})
	}
}

// Refusals name the application and say what to do, in every language.
func TestRefusalsNameTheApplicationInEveryLanguage(t *testing.T) {
	for _, tag := range text.Languages() {
		f := newWorld()
		f.applications = map[string]store.Application{"wiki": {ID: "wiki", Title: "Wiki"}}
		body := html.UnescapeString(f.ask(t, ask{path: "/signin", query: "application=wiki&continue=ABCDEFGHIJKLMNOPQRSTUVWXYZ&lang=" + string(tag)}).body)
		texts, err := text.Read(tag, text.SignInArea)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"application.failed", "application.disabled.cause", "application.disabled.todo", "application.elsewhere"} {
			if want := texts.Text(key, "application", "Wiki"); !strings.Contains(body, want) {
				t.Errorf("%s lacks %q", tag, want)
			}
		}
	}
}
