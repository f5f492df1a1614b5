package admin_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/text"
)

// Every key of a sentence that the code names exists, in both parts for a failure, and
// the code names every key that exists.
func TestCheckTexts(t *testing.T) {
	english, err := text.Read(text.English, text.CheckArea)
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
}

// without returns the keys of a that b does not have.
func without[A, B any](a map[string]A, b map[string]B) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(a)), func(key string) bool { _, there := b[key]; return there })
}
