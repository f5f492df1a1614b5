package admin_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/page"
)

// The sentences of checks: every key that the code names is there, in both parts
// where it is a failure; every key that is there is named; and translations fill in
// the same.
func TestCheckTexts(t *testing.T) {
	english, err := page.ReadTexts(page.English, page.CheckArea)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`"(check\.[a-z0-9.-]*[a-z0-9])"`)
	used := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range named.FindAllStringSubmatch(string(source), -1) {
			if strings.HasSuffix(found[1], ".ok") {
				used[found[1]] = true
				continue
			}
			used[found[1]+".title"], used[found[1]+".fix"] = true, true
		}
	}
	if missing, unused := without(used, english), without(english, used); len(missing)+len(unused) > 0 || len(used) < 50 {
		t.Errorf("missing: %q, unused: %q", missing, unused)
	}
	places := regexp.MustCompile(`\{[A-Za-z]+\}`)
	for _, language := range page.Languages() {
		translated, err := page.ReadTexts(language, page.CheckArea)
		if err != nil {
			t.Fatal(err)
		}
		if missing, unused := without(english, translated), without(translated, english); len(missing)+len(unused) > 0 {
			t.Errorf("%s, missing: %q, unused: %q", language, missing, unused)
		}
		for key, text := range translated {
			got, want := places.FindAllString(text, -1), places.FindAllString(english[key], -1)
			if slices.Sort(got); !slices.Equal(slices.Compact(got), slices.Compact(slices.Sorted(slices.Values(want)))) {
				t.Errorf("%s, %s: has %v, must have %v", language, key, got, want)
			}
			if strings.TrimSpace(text) != text || text == "" {
				t.Errorf("%s, %s: %q", language, key, text)
			}
		}
	}
}

// without returns the keys of a that b has not.
func without[A, B any](a map[string]A, b map[string]B) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(a)), func(key string) bool { _, there := b[key]; return there })
}
