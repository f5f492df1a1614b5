package page

import (
	"html"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/text"
)

// signInKeys are the keys that the pages of this package show: those in templates
// (T "key"), those in the source, and those made of codes.
func signInKeys(t *testing.T) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	for _, code := range explained() {
		keys["error."+string(code)+".cause"] = true
		for _, client := range []ClientKind{InWeCom, OnPhone, OnDesktop} {
			keys[todoKey(code, client)] = true
		}
	}
	for _, refusal := range []Refusal{ApplicationDisabled, ApplicationUnknown, ApplicationClosed} {
		keys["application."+string(refusal)+".cause"] = true
		keys["application."+string(refusal)+".todo"] = true
	}
	for _, heading := range []string{"title", "failed", "first"} {
		keys["application."+heading] = true
	}
	used := regexp.MustCompile(`T "([a-z]+\.[a-z._]+)"|"((?:signin|signedin|carry|waiting|panel|notfound)\.[a-z.]*[a-z])"`)
	sources := []string{"assets/shell.html", "assets/signin.html", "assets/notfound.html", "page.go", "signin.go"}
	for _, name := range sources {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range used.FindAllStringSubmatch(string(source), -1) {
			if key := match[1] + match[2]; !strings.HasSuffix(key, ".html") && !strings.HasSuffix(key, ".js") {
				keys[key] = true
			}
		}
	}
	return keys
}

// openIDKeys are the keys that the pages of the OpenID provider show.
func openIDKeys(t *testing.T) map[string]bool {
	t.Helper()
	keys := map[string]bool{"language.choose": true}
	for _, scope := range []string{"openid", "profile", "phone", "email", "groups", "offline_access"} {
		keys["consent."+scope] = true
	}
	for _, reason := range []RequestReason{ReasonUnknown, ReasonDisabled, ReasonAddress, ReasonMissing, ReasonConsent, ReasonRequest} {
		keys["refused."+string(reason)+".cause"], keys["refused."+string(reason)+".todo"] = true, true
	}
	used := regexp.MustCompile(`"((?:consent|notallowed|refused|lost|signout|signedout)\.[a-z_]+)"`)
	for _, name := range []string{"assets/message.html", "openid.go"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range used.FindAllStringSubmatch(string(source), -1) {
			keys[match[1]] = true
		}
	}
	return keys
}

// memberKeys are the keys that the member's page shows.
func memberKeys(t *testing.T) map[string]bool {
	t.Helper()
	keys := map[string]bool{"language.choose": true}
	used := regexp.MustCompile(`T "(member\.[a-z]+)"|"((?:member|client|browser|when)\.[a-z]+)"`)
	for _, name := range []string{"assets/member.html", "member.go"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range used.FindAllStringSubmatch(string(source), -1) {
			if key := match[1] + match[2]; key != "member.html" {
				keys[key] = true
			}
		}
	}
	return keys
}

func TestEveryLanguageHasEveryTextOfThePagesAndNoOther(t *testing.T) {
	for area, keys := range map[text.Area]map[string]bool{
		text.SignInArea: signInKeys(t), text.OpenIDArea: openIDKeys(t), text.MemberArea: memberKeys(t),
	} {
		if len(keys) < 35 {
			t.Fatalf("found only %d keys: the search is broken", len(keys))
		}
		everyLanguageHas(t, area, keys)
	}
}

func everyLanguageHas(t *testing.T, area text.Area, keys map[string]bool) {
	t.Helper()
	for _, tag := range text.Languages() {
		texts, err := text.Read(tag, area)
		if err != nil {
			t.Fatal(err)
		}
		for key := range keys {
			if strings.TrimSpace(texts[key]) == "" {
				t.Errorf("%s lacks %s", tag, key)
			}
		}
		for key := range texts {
			if !keys[key] {
				t.Errorf("%s has %s, which nothing shows", tag, key)
			}
		}
	}
}

// The menu works without a script, names every language in itself and says which
// language that name is in.
func TestDocumentSpeaksTheLanguageAndOffersTheOthers(t *testing.T) {
	for _, tag := range text.Languages() {
		body := html.UnescapeString(render(t, SignIn{Language: tag, Buttons: []Button{demo}}).Body.String())
		for _, text := range []string{
			`<html lang="` + string(tag) + `">`,
			`<span lang="` + string(tag) + `">` + tag.Name() + `</span></summary>`,
		} {
			if strings.Count(body, text) != 1 {
				t.Errorf("%s lacks %s", tag, text)
			}
		}
		for _, other := range text.Languages() {
			current := ""
			if other == tag {
				current = ` aria-current="true"`
			}
			link := `<a href="https://signin.example.com/signin?lang=` + string(other) + `&redirect=%2Forders%3Fid%3D7" lang="` +
				string(other) + `" hreflang="` + string(other) + `"` + current + `>` + other.Name() + `</a>`
			if !strings.Contains(body, link) {
				t.Errorf("%s does not link to %s", tag, other)
			}
		}
	}
	if got := text.Language("tlh").Name(); got != "tlh" {
		t.Errorf("a language without a name is called %q", got)
	}
}
