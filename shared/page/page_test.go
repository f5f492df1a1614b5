package page

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/text"
)

const self = "https://signin.example.com/signin?redirect=%2Forders%3Fid%3D7"

var (
	demo = Button{Name: "demo", Title: "Demo", URL: "https://signin.example.com/authorize/demo?redirect=%2Forders%3Fid%3D7"}
	crm  = Button{Name: "crm", Title: "客户管理", URL: "https://signin.example.com/authorize/crm?redirect=%2Forders%3Fid%3D7"}
)

func render(t *testing.T, page SignIn) *httptest.ResponseRecorder {
	t.Helper()
	pages, err := New(Config{})
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

func TestPolicyNamesWhatIsOnThePageAndNoHost(t *testing.T) {
	w := render(t, SignIn{Client: OnPhone, Buttons: []Button{demo}})
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

// The panel's page may frame one host, and the scripts of waiting and panel may ask the
// service; the form of waiting leads to an application, wherever that is.
func TestPanelGainsOneHostAlone(t *testing.T) {
	const login = "https://login.work.weixin.qq.com"
	panel := demo
	panel.Panel = demo.URL + "?panel=1"
	waiting := SignIn{
		Client: OnDesktop, Buttons: []Button{panel}, Failure: &Failure{Code: "first_sign_in_in_wecom", Authenticator: "demo"},
		Waiting: &Waiting{Link: "https://signin.example.com/authorize/demo?return=signin", GoOn: "https://signin.example.com/api/first-sign-in"},
	}
	both := waiting
	both.Panel = login
	for name, test := range map[string]struct {
		page    SignIn
		scripts int
		gained  []string
		form    bool
	}{
		"nothing":       {SignIn{Client: OnDesktop, Buttons: []Button{demo}}, 1, nil, true},
		"a panel":       {SignIn{Client: OnDesktop, Buttons: []Button{panel}, Panel: login}, 2, []string{"connect-src 'self'", "frame-src " + login}, true},
		"waiting":       {waiting, 2, []string{"connect-src 'self'"}, false},
		"both":          {both, 3, []string{"connect-src 'self'", "frame-src " + login}, false},
		"no way at all": {SignIn{Client: OnDesktop, Panel: login}, 1, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := render(t, test.page)
			directives := strings.Split(w.Header().Get("Content-Security-Policy"), "; ")
			var got []string
			for _, directive := range directives {
				kind, sources, _ := strings.Cut(directive, " ")
				switch kind {
				case "frame-src", "connect-src":
					got = append(got, directive)
				case "script-src":
					if n := len(strings.Fields(sources)); n != test.scripts || strings.Contains(sources, "http") {
						t.Errorf("%s, want %d scripts", directive, test.scripts)
					}
				}
			}
			if !slices.Equal(got, test.gained) || slices.Contains(directives, "form-action 'self'") != test.form {
				t.Errorf("%q, want %q and form-action %t", directives, test.gained, test.form)
			}
			for _, script := range regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllStringSubmatch(w.Body.String(), -1) {
				sum := sha256.Sum256([]byte(script[1]))
				if !strings.Contains(w.Header().Get("Content-Security-Policy"), "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
					t.Errorf("the policy blocks %.40s", script[1])
				}
			}
			if header := w.Header().Get("Permissions-Policy"); header != "" {
				t.Errorf("%q may deny quick login the client on this computer", header)
			}
		})
	}
}

func TestVersionIsSmallTextAtTheFoot(t *testing.T) {
	body := render(t, SignIn{Buttons: []Button{demo}, Version: "1.2.3"}).Body.String()
	foot := `<footer class="version">WeCom Sign-in 1.2.3</footer>`
	if after := body[strings.Index(body, "</main>"):]; !strings.Contains(after, foot) || strings.Count(body, "1.2.3") != 1 {
		t.Errorf("not once, or not after the page's content:\n%s", after)
	}
	if body := render(t, SignIn{Buttons: []Button{demo}}).Body.String(); strings.Contains(body, "<footer") {
		t.Error("a foot without a version")
	}
}

func TestNotFound(t *testing.T) {
	pages, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := pages.NotFound(w, NotFound{Language: text.English, SignIn: "https://signin.example.com/signin"}); err != nil {
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
	maps.Copy(dark, colours(string(css[strings.Index(string(css), "@media"):strings.Index(string(css), "*::before")])))
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
			{"ink", "hint-ground", 7},
			{"soft", "hint-ground", 4.5},
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

// linear is the sRGB transfer function.
func linear(channel int) float64 {
	c := float64(channel) / 255
	if c <= 0.04045 {
		return c / 12.92
	}
	return math.Pow((c+0.055)/1.055, 2.4)
}
