package page

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"maps"
	"math"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/fault"
)

const self = "https://signin.example.com/signin?redirect=%2Forders%3Fid%3D7"

var (
	demo = Button{Name: "demo", Title: "Demo", URL: "https://signin.example.com/authorize/demo?redirect=%2Forders%3Fid%3D7"}
	crm  = Button{Name: "crm", Title: "客户管理", URL: "https://signin.example.com/authorize/crm?redirect=%2Forders%3Fid%3D7"}
)

func render(t *testing.T, page SignIn) *httptest.ResponseRecorder {
	t.Helper()
	pages, err := New()
	if err != nil {
		t.Fatal(err)
	}
	page.Self, page.Console = self, "https://signin.example.com/console"
	w := httptest.NewRecorder()
	if err := pages.SignIn(w, page); err != nil {
		t.Fatal(err)
	}
	if w.Code != 200 {
		t.Fatalf("status %d: the sign-in page is always there", w.Code)
	}
	return w
}

func TestEveryLanguageHasEveryTextAndNoOther(t *testing.T) {
	wanted := map[string]bool{}
	for _, code := range explained() {
		wanted["error."+string(code)+".cause"] = true
		wanted["error."+string(code)+".todo"] = true
	}
	// Keys in templates (T "key"), and those in the source of this package.
	used := regexp.MustCompile(`T\(?\s?"([a-z]+\.[a-z._]+)"|"((?:signin|carry|notfound|language)\.[a-z._]+)"`)
	sources := map[string]string{}
	for _, name := range []string{"shell.html", "signin.html", "notfound.html"} {
		content, err := assets.ReadFile("assets/" + name)
		if err != nil {
			t.Fatal(err)
		}
		sources[name] = string(content)
	}
	sources["page.go"] = readSource(t, "page.go")
	for _, source := range sources {
		for _, match := range used.FindAllStringSubmatch(source, -1) {
			if key := match[1] + match[2]; !strings.HasSuffix(key, ".html") && !strings.HasSuffix(key, ".") {
				wanted[key] = true
			}
		}
	}
	places := regexp.MustCompile(`\{[a-z]+\}`)
	reference, err := ReadTexts(English, SignInArea)
	if err != nil {
		t.Fatal(err)
	}
	for _, tag := range Languages() {
		texts, err := ReadTexts(tag, SignInArea)
		if err != nil {
			t.Fatal(err)
		}
		for key := range wanted {
			if strings.TrimSpace(texts[key]) == "" {
				t.Errorf("%s lacks %s", tag, key)
			}
		}
		for key := range texts {
			if !wanted[key] {
				t.Errorf("%s has %s, which nothing shows", tag, key)
			}
			if !slices.Equal(places.FindAllString(texts[key], -1), places.FindAllString(reference[key], -1)) {
				t.Errorf("%s: %s has other places than in English", tag, key)
			}
		}
	}
}

func TestEveryFailureIsExplained(t *testing.T) {
	for _, tag := range Languages() {
		texts, err := ReadTexts(tag, SignInArea)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range explained() {
			body := html.UnescapeString(render(t, SignIn{
				Language: tag, Visitor: OnDesktop, Buttons: []Button{demo},
				Failure: &Failure{Code: string(code), Authenticator: "demo", RequestID: "JKJaXmPLvHcESHA="},
			}).Body.String())
			for _, text := range []string{
				`role="alert"`, texts["error."+string(code)+".cause"], texts["error."+string(code)+".todo"], "JKJaXmPLvHcESHA=",
				`href="` + demo.URL + `"`,
			} {
				if !strings.Contains(body, text) {
					t.Errorf("%s, %s: the page lacks %q", tag, code, text)
				}
			}
		}
	}
}

func TestTheWayForward(t *testing.T) {
	first := &Failure{Code: string(fault.FirstSignInInWeCom), Authenticator: "crm", RequestID: "r"}
	const scan, noScan, svg = "Scan with WeCom on your phone", "A phone cannot scan its own screen", `class="code"`
	pageLink := `value="https://signin.example.com/signin?redirect=%2Forders%3Fid%3D7"`
	for _, test := range []struct {
		name      string
		page      SignIn
		has, lack []string
	}{
		{
			"two ways on a computer",
			SignIn{Visitor: OnDesktop, Buttons: []Button{demo, crm}},
			[]string{"Sign in with Demo", "Sign in with 客户管理", demo.URL, crm.URL, "scan a code with WeCom"},
			[]string{`role="alert"`, svg, "/console"},
		},
		{"in WeCom", SignIn{Visitor: InWeCom, Buttons: []Button{demo}}, []string{"One tap", demo.URL}, []string{svg, noScan}},
		{"on a phone, one way", SignIn{Visitor: OnPhone, Buttons: []Button{demo}}, []string{noScan, `value="` + demo.URL + `"`}, []string{svg}},
		{"on a phone, two ways", SignIn{Visitor: OnPhone, Buttons: []Button{demo, crm}}, []string{noScan, pageLink}, []string{svg}},
		{
			"first sign-in on a computer",
			SignIn{Visitor: OnDesktop, Buttons: []Button{demo, crm}, Failure: first},
			[]string{scan, svg, `value="` + crm.URL + `"`, "phone number", "Try again with 客户管理"},
			[]string{noScan},
		},
		{
			"first sign-in on a phone",
			SignIn{Visitor: OnPhone, Buttons: []Button{demo, crm}, Failure: first},
			[]string{noScan, `value="` + crm.URL + `"`},
			[]string{svg, scan},
		},
		{"first sign-in, opened in WeCom", SignIn{Visitor: InWeCom, Buttons: []Button{demo, crm}, Failure: first}, []string{"Try again with 客户管理"}, []string{svg, noScan}},
		{
			"first sign-in with an authenticator that is gone",
			SignIn{Visitor: OnDesktop, Buttons: []Button{demo, crm}, Failure: &Failure{Code: "first_sign_in_in_wecom", Authenticator: "other"}},
			[]string{svg, pageLink, "Sign in with Demo"},
			[]string{"Try again with"},
		},
		{"nothing set up", SignIn{Visitor: OnDesktop}, []string{`href="https://signin.example.com/console"`, "administrator"}, []string{svg}},
		{"nothing readable", SignIn{Visitor: OnDesktop, Unreadable: true}, []string{"cannot be read", `href="` + self + `"`}, []string{"/console"}},
		{
			"signed in already",
			SignIn{Visitor: OnDesktop, Buttons: []Button{demo}, SignedIn: &SignedIn{Name: "张三", Continue: "https://app.example.com/", SignOut: "https://signin.example.com/api/signout"}},
			[]string{"signed in as 张三", `href="https://app.example.com/"`, `method="post" action="https://signin.example.com/api/signout"`, demo.URL},
			nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.page.Language = English
			body := html.UnescapeString(render(t, test.page).Body.String())
			for _, text := range test.has {
				if !strings.Contains(body, text) {
					t.Errorf("lacks %q", text)
				}
			}
			for _, text := range test.lack {
				if strings.Contains(body, text) {
					t.Errorf("has %q", text)
				}
			}
		})
	}
}

// The link of a QR code is as long as the target makes it; what no code can hold is
// left to be copied.
func TestEndlessLinkHasNoCode(t *testing.T) {
	long := Button{Name: "demo", Title: "Demo", URL: "https://signin.example.com/authorize/demo?redirect=%2F" + strings.Repeat("%E4%BD%A0", 700)}
	page := SignIn{Language: English, Visitor: OnDesktop, Buttons: []Button{long}, Failure: &Failure{Code: "first_sign_in_in_wecom", Authenticator: "demo"}}
	body := render(t, page).Body.String()
	if strings.Contains(body, `class="code"`) || !strings.Contains(body, "Open this link in WeCom") {
		t.Fatal("the page promises a code that is not there")
	}
}

func TestPolicyNamesWhatIsOnThePageAndNoHost(t *testing.T) {
	w := render(t, SignIn{Visitor: OnPhone, Buttons: []Button{demo}})
	policy, body := w.Header().Get("Content-Security-Policy"), w.Body.String()
	for _, element := range []string{"style", "script"} {
		found := regexp.MustCompile(`(?s)<`+element+`[^>]*>(.*?)</`+element+`>`).FindAllStringSubmatch(body, -1)
		if len(found) != 1 {
			t.Fatalf("%d %s elements", len(found), element)
		}
		sum := sha256.Sum256([]byte(found[0][1]))
		if want := element + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(policy, want) {
			t.Errorf("policy %q lacks %s", policy, want)
		}
	}
	for _, weak := range []string{"unsafe", "*", "http"} {
		if strings.Contains(policy, weak) {
			t.Errorf("policy %q has %q", policy, weak)
		}
	}
	if strings.Contains(body, " style=") || regexp.MustCompile(` on[a-z]+="`).MatchString(body) {
		t.Error("an attribute that the policy blocks")
	}
}

func TestStrangersTextIsNotShown(t *testing.T) {
	const attack = `"><script>alert(1)</script><a href="javascript:alert(2)`
	body := render(t, SignIn{
		Visitor: OnPhone, Language: English,
		Buttons:  []Button{{Name: attack, Title: attack, URL: "javascript:alert(3)"}, demo},
		Failure:  &Failure{Code: attack, Authenticator: attack, RequestID: attack},
		SignedIn: &SignedIn{Name: attack, Continue: "javascript:alert(4)", SignOut: "javascript:alert(5)"},
	}).Body.String()
	for _, text := range []string{"<script>alert", `href="javascript:`, `action="javascript:`, "javascript:alert(3)"} {
		if strings.Contains(body, text) {
			t.Errorf("the page has %q", text)
		}
	}
	if !strings.Contains(body, "Something went wrong on our side.") || strings.Contains(body, ">Request <") {
		t.Error("an unknown code is not the internal one, or an unlikely request id is shown")
	}
}

func TestRequestIDIsNoPlaceForAMessage(t *testing.T) {
	for id, shown := range map[string]bool{
		"JKJaXmPLvHcESHA=": true, "0b6e6c3a-7f0a-4b64-b1a2-6f9f4a1f3f11": true,
		"call 0900 123456": false, "<b>": false, strings.Repeat("a", 65): false,
	} {
		body := html.UnescapeString(render(t, SignIn{Buttons: []Button{demo}, Failure: &Failure{Code: "internal", RequestID: id}}).Body.String())
		if strings.Contains(body, "<code>"+id+"</code>") != shown {
			t.Errorf("%q: shown is not %v", id, shown)
		}
	}
}

func TestChoose(t *testing.T) {
	for _, test := range []struct {
		accept string
		chosen []string
		want   Language
	}{
		{"", nil, Chinese},
		{"*", nil, Chinese},
		{"zh-CN,zh;q=0.9", nil, Chinese},
		{"zh-TW", nil, Chinese},
		{"en-GB,en;q=0.8,zh;q=0.5", nil, English},
		{"zh;q=0.2,en;q=0.9", nil, English},
		{"fr-FR,fr;q=0.9", nil, English},
		{"fr, zh;q=0.5", nil, Chinese},
		{"en", []string{"zh-CN"}, Chinese},
		{"zh", []string{"", "en"}, English},
		{"en", []string{"<script>", "xx"}, English},
		{";;;,=q", nil, Chinese},
		{strings.Repeat("en,", 1000), nil, Chinese},
	} {
		if got := Choose(test.accept, test.chosen...); got != test.want {
			t.Errorf("Choose(%.30q, %q) = %s, want %s", test.accept, test.chosen, got, test.want)
		}
	}
}

func TestDocumentSpeaksTheLanguageAndOffersTheOthers(t *testing.T) {
	for _, tag := range Languages() {
		body := html.UnescapeString(render(t, SignIn{Language: tag, Buttons: []Button{demo}}).Body.String())
		if !strings.Contains(body, `<html lang="`+string(tag)+`">`) {
			t.Errorf("%s: the document does not say so", tag)
		}
		for _, other := range Languages() {
			link := `href="https://signin.example.com/signin?lang=` + string(other) + `&redirect=%2Forders%3Fid%3D7" lang="` + string(other) + `"`
			if !strings.Contains(body, link) {
				t.Errorf("%s does not link to %s", tag, other)
			}
		}
	}
}

func TestNotFound(t *testing.T) {
	pages, err := New()
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := pages.NotFound(w, NotFound{Language: English, SignIn: "https://signin.example.com/signin"}); err != nil {
		t.Fatal(err)
	}
	if w.Code != 404 || !strings.Contains(w.Body.String(), `href="https://signin.example.com/signin"`) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
}

// Contrast of WCAG 2.2: 4.5 for text, 3 for the focus ring.
func TestColoursAreReadable(t *testing.T) {
	css, err := assets.ReadFile("assets/style.css")
	if err != nil {
		t.Fatal(err)
	}
	light := colours(string(css[:strings.Index(string(css), "@media")]))
	dark := maps.Clone(light)
	maps.Copy(dark, colours(string(css[strings.Index(string(css), "@media"):strings.Index(string(css), "*, *::before")])))
	for name, scheme := range map[string]map[string]string{"light": light, "dark": dark} {
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "card", 7},
			{"ink", "quiet", 7},
			{"ink", "warn-ground", 7},
			{"soft", "card", 4.5},
			{"soft", "quiet", 4.5},
			{"soft", "ground", 4.5},
			{"soft", "glow", 4.5},
			{"soft", "warn-ground", 4.5},
			{"on-accent", "accent", 4.5},
			{"on-accent", "accent-deep", 4.5},
			{"accent", "card", 3},
			{"accent", "ground", 3},
		} {
			if got := contrast(t, scheme[pair.front], scheme[pair.back]); got < pair.least {
				t.Errorf("%s: %s on %s has contrast %.1f, needs %.1f", name, pair.front, pair.back, got, pair.least)
			}
		}
	}
}

func colours(css string) map[string]string {
	found := map[string]string{}
	for _, match := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{3,6});`).FindAllStringSubmatch(css, -1) {
		found[match[1]] = match[2]
	}
	return found
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	if len(hex) == 3 {
		hex = string([]byte{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]})
	}
	var r, g, b int
	if _, err := fmt.Sscanf(hex, "%02x%02x%02x", &r, &g, &b); err != nil {
		t.Fatalf("colour %q: %v", hex, err)
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

func readSource(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// linear is the sRGB transfer function.
func linear(channel int) float64 {
	c := float64(channel) / 255
	if c <= 0.04045 {
		return c / 12.92
	}
	return math.Pow((c+0.055)/1.055, 2.4)
}
