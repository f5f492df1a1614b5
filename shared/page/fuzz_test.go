package page

import (
	"io"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/text"
)

// Whatever a link to the page says, the page has the elements it should have.
func FuzzFailure(f *testing.F) {
	f.Add("state_invalid", "demo", "JKJaXmPLvHcESHA=", "en")
	f.Add("</style><script>", `" onload="`, "<!--", "xx;q=,")
	pages, err := New(Config{})
	if err != nil {
		f.Fatal(err)
	}
	elements := regexp.MustCompile(`<(script|style|iframe|img|object|form)[ >]`)
	f.Fuzz(func(t *testing.T, code, authenticator, request, accept string) {
		w := httptest.NewRecorder()
		err := pages.SignIn(w, SignIn{
			Language: text.Choose(accept, code), Client: OnDesktop, Self: "https://s.example/signin",
			Buttons: []Button{{Name: "demo", Title: authenticator, URL: "https://s.example/authorize/demo"}},
			Failure: &Failure{Code: code, Authenticator: authenticator, RequestID: request},
		})
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(w.Body)
		if found := elements.FindAll(body, -1); len(found) != 2 {
			t.Fatalf("elements %q", found)
		}
	})
}
