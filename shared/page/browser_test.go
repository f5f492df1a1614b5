package page

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/wecom-signin/wecom-signin/infra/browsertest"
	"github.com/wecom-signin/wecom-signin/shared/text"
)

// At the width of a phone: the menu of languages by keyboard alone, copying, no
// language too wide, and a heading that stays where it is whatever the logo does.
func TestPageInABrowser(t *testing.T) {
	ctx, complaints := browsertest.Open(t, "sign-in page")
	logos := map[string]string{"/none": "", "/here": onePixel, "/broken": "https://localhost:1/logo.png"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		logo, ok := logos[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		pages, err := New(Config{CompanyName: "Example", CompanyLogo: logo})
		if err == nil {
			err = pages.SignIn(w, SignIn{
				Language: text.LanguageOf(r), Client: OnPhone, Self: "http://" + r.Host + r.URL.Path, Version: "1.2.3",
				Buttons: []Button{demo, crm}, Failure: &Failure{Code: "phone_not_shared", Authenticator: "demo", RequestID: "r-1"},
			})
		}
		if err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()

	do := func(what string, actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		for _, action := range actions {
			if err := chromedp.Do(ctx, action); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
	}
	evaluate := func(expression string) (string, error) {
		return chromedp.Run(ctx, chromedp.Evaluate[string]("String("+expression+")"))
	}
	// say returns what a script's expression is, as text.
	say := func(expression string) string {
		t.Helper()
		value, err := evaluate(expression)
		if err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
		return value
	}
	want := func(what, expression, want string) {
		t.Helper()
		// The page may need a moment to answer, and there is none between two pages.
		var got string
		var err error
		for range 100 {
			if got, err = evaluate(expression); err == nil && got == want {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Errorf("%s: %s is %q (%v), want %q", what, expression, got, err, want)
	}

	do("be a phone", chromedp.EmulateViewport(360, 800))
	var heights []string
	for _, path := range []string{"/none", "/here", "/broken"} {
		do("open the page", chromedp.Navigate(server.URL+path+"?lang=en"), chromedp.WaitVisible(chromedp.CSS(`main`)))
		heights = append(heights, say(`document.querySelector("h1").getBoundingClientRect().top`))
	}
	if len(slices.Compact(slices.Clone(heights))) != 1 {
		t.Errorf("without, with and with a broken logo the heading is at %v", heights)
	}
	for _, tag := range text.Languages() {
		do("open the page", chromedp.Navigate(server.URL+"/none?lang="+string(tag)))
		want(string(tag)+" is too wide", `document.documentElement.scrollWidth <= 360`, "true")
	}

	do("open the page", chromedp.Navigate(server.URL+"/here?lang=en"), chromedp.WaitVisible(chromedp.CSS(`main`)))
	want("buttons that need the script", `[...document.querySelectorAll("[data-copy]")].filter((b) => b.hidden).length`, "0")
	do("copy for an administrator", chromedp.Click(chromedp.CSS(`.trace button`)))
	want("what is read out", `document.getElementById("said").textContent`, "Copied")
	do("open the menu", chromedp.Focus(chromedp.CSS(`summary`)), chromedp.KeyEvent(kb.Enter))
	want("open", `document.querySelector("details").open`, "true")
	do("go into it", chromedp.KeyEvent(kb.Tab))
	want("in the menu", `document.activeElement.lang`, "zh-CN")
	do("leave it", chromedp.KeyEvent(kb.Escape))
	want("closed", `document.querySelector("details").open + document.activeElement.tagName`, "falseSUMMARY")
	do("choose the third", chromedp.KeyEvent(kb.Enter))
	do("choose the third", chromedp.KeyEvent(strings.Repeat(kb.Tab, 3)), chromedp.KeyEvent(kb.Enter))
	want("the language", `document.documentElement.lang`, "uk")

	if found := complaints(); len(found) > 0 {
		t.Errorf("the browser complains of %q", found)
	}
}
