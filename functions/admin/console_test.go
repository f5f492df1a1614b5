package admin_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestConsole(t *testing.T) {
	o := newOffice(t)
	o.create("hr", `,"title":"Human resources"`)
	open := func(languages string) answer {
		return o.expect(200, request{method: "GET", path: "/console", noAuthorizer: true, header: map[string]string{"Accept-Language": languages}})
	}
	for languages, want := range map[string]string{
		"": "zh-CN", "en": "en", "en-US,en;q=0.9,zh;q=0.8": "en", "zh-TW,zh;q=0.9,en;q=0.8": "zh-CN", "fr": "en",
	} {
		got := open(languages)
		if !strings.Contains(got.body, `<html lang="`+want+`">`) {
			t.Errorf("Accept-Language %q: not %s", languages, want)
		}
		if got.header["vary"] != "Accept-Language" || got.header["content-type"] != "text/html; charset=utf-8" || got.header["cache-control"] != "no-store" {
			t.Errorf("headers %v", got.header)
		}
		if strings.Contains(got.body, "Human resources") || strings.Contains(got.body, "@") && regexp.MustCompile(`@(lang|title|style|script|texts|noscript)@`).MatchString(got.body) {
			t.Error("the page holds data, or an unfilled place")
		}
	}
}

// What the policy allows is what is in the page, and nothing else can run or be loaded.
func TestConsolePolicy(t *testing.T) {
	o := newOffice(t)
	got := o.expect(200, request{method: "GET", path: "/console"})
	policy := got.header["content-security-policy"]
	for element, directive := range map[string]string{`(?s)<script>(.*?)</script>`: "script-src", `(?s)<style>(.*?)</style>`: "style-src"} {
		found := regexp.MustCompile(element).FindAllStringSubmatch(got.body, -1)
		if len(found) != 1 {
			t.Fatalf("%s: %d elements", directive, len(found))
		}
		sum := sha256.Sum256([]byte(found[0][1]))
		if want := directive + " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !slices.Contains(strings.Split(policy, "; "), want) {
			t.Errorf("policy %q lacks %q", policy, want)
		}
	}
	for _, part := range []string{"default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, part) {
			t.Errorf("policy %q lacks %q", policy, part)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("policy %q", policy)
	}
	if foreign := regexp.MustCompile(`(?i)(src|href|action)=["']?(https?:)?//|innerHTML|insertAdjacentHTML|document\.write|eval\(|localStorage`).FindString(got.body); foreign != "" {
		t.Errorf("the page has %q", foreign)
	}
}

// Every text exists in every language, and the script asks for none that does not.
func TestConsoleTexts(t *testing.T) {
	read := func(name string) string {
		content, err := os.ReadFile("console/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	keys := func(name string) map[string]string {
		var texts map[string]any
		if err := json.Unmarshal([]byte(read(name)), &texts); err != nil {
			t.Fatal(err)
		}
		flat := map[string]string{}
		for key, value := range texts {
			switch value := value.(type) {
			case string:
				flat[key] = value
			case map[string]any:
				for inner, text := range value {
					flat[key+"."+inner], _ = text.(string)
				}
			}
		}
		return flat
	}
	chinese, english := keys("zh-CN.json"), keys("en.json")
	for key, text := range english {
		other, there := chinese[key]
		if !there || strings.Count(text, "%") != strings.Count(other, "%") || (text == "") != (other == "") {
			t.Errorf("%s: %q and %q", key, text, other)
		}
	}
	if len(chinese) != len(english) {
		t.Errorf("%d and %d texts", len(chinese), len(english))
	}
	script := read("script.js")
	for _, match := range regexp.MustCompile(`\bT\.(\w+)(?:\.(\w+))?`).FindAllStringSubmatch(script, -1) {
		_, plain := english[match[1]]
		_, nested := english[match[1]+"."+match[2]]
		group := slices.Contains([]string{"fields", "hints", "codes", "tabs", "links"}, match[1])
		if !plain && !nested && (!group || match[2] != "") {
			t.Errorf("the script uses %s, which is no text", match[0])
		}
	}
	for key := range english {
		name, inner, _ := strings.Cut(key, ".")
		if !slices.Contains([]string{"title", "noscript"}, name) && inner == "" && !regexp.MustCompile(`\bT\.`+name+`\b`).MatchString(script) {
			t.Errorf("the text %s is not used", key)
		}
	}
}
