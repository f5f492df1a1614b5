package docs_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// software is a configuration as the console has it.
type software struct {
	ID, Name, Base, Redirect, File string
	Tried                          string // the version of a program; empty: nobody has
	Kinds, Lines                   []string
}

// The page has each configuration of the console, filled in, in the same order, and says of
// the same ones that they were tried.
func TestConfigurationsAreThoseOfTheConsole(t *testing.T) {
	var all []software
	if err := json.Unmarshal([]byte(read(t, "functions/admin/console/snippets.json")), &all); err != nil {
		t.Fatal(err)
	}
	for page, words := range map[string]struct {
		proxies                  bool // the page has those of proxies, or all others
		first, after, tried, not string
	}{
		applications:          {false, "Plain discovery", "\n## Claims\n", "**tried** with ", "*not tried*"},
		chinese(applications): {false, "只用发现文档", "\n## 声明\n", "**已试过** ", "*未试过*"},
		forwardAuth:           {true, "", "\n## Signing out\n", "**tried** with ", "*not tried*"},
		chinese(forwardAuth):  {true, "", "\n## 退出登录\n", "**已试过** ", "*未试过*"},
	} {
		rest := read(t, page)
		for _, s := range all {
			if slices.Contains(s.Kinds, "proxy") != words.proxies {
				continue
			}
			name := s.Name
			if s.ID == "plain" {
				name = words.first
			}
			_, after, ok := strings.Cut(rest, "\n### "+name+"\n")
			if !ok {
				t.Errorf("%s does not have %s, or not in the console's order", page, name)
				continue
			}
			rest = after
			about, block, _ := strings.Cut(after, "\n```")
			_, block, _ = strings.Cut(block, "\n")
			block, _, _ = strings.Cut(block, "\n```")
			if want := s.filled(strings.Join(s.Lines, "\n")); block != want {
				t.Errorf("%s: the configuration of %s is\n%s\nand not\n%s", page, name, want, block)
			}
			if s.File != "" && !strings.Contains(about, "`"+s.filled(s.File)+"`") {
				t.Errorf("%s does not say that the configuration of %s is in %s", page, name, s.File)
			}
			said := words.not
			if s.Tried != "" {
				said = words.tried + s.Tried
			}
			if s.ID != "plain" && (!strings.Contains(about, said) || strings.Contains(about, words.not) == strings.Contains(about, words.tried)) {
				t.Errorf("%s does not say of %s: %s", page, name, said)
			}
			if s.Tried != "" && !regexp.MustCompile("`Test\\w+`").MatchString(about) {
				t.Errorf("%s names no test that tries %s", page, name)
			}
		}
		before, _, _ := strings.Cut(rest, words.after)
		if strings.Contains(before, "\n### ") {
			t.Errorf("%s has more configurations than the console", page)
		}
	}
}

// filled puts the page's example into a text.
func (s software) filled(text string) string {
	base := s.Base
	if base == "" {
		base = "https://app.example.com"
	}
	redirect := strings.ReplaceAll(s.Redirect, "{{base}}", base)
	if redirect == "" {
		redirect = base + "/callback"
	}
	return strings.NewReplacer(
		"{{issuer}}", "https://signin.example.com", "{{id}}", "wiki", "{{secret}}", "SECRET",
		"{{redirect}}", redirect, "{{base}}", base, "{{groups}}", "groups",
		"{{service}}", "signin.example.com", "{{host}}", "wiki.example.com", "{{variable}}", "wiki",
	).Replace(text)
}
