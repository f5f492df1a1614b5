// Package docs_test keeps the written pages true: what they name exists, and the two
// READMEs are twins.
package docs_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const root = ".."

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// found returns the first groups of a pattern's matches, each once, sorted.
func found(pattern, text string) []string {
	set := map[string]bool{}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		set[match[1]] = true
	}
	return slices.Sorted(maps.Keys(set))
}

var pages = []string{"README.md", "README.zh-CN.md", "docs/architecture.md"}

// A promise names the test that proves it. A renamed test must not leave the promise
// without one.
func TestNamedTestsExist(t *testing.T) {
	var tests strings.Builder
	for _, folder := range []string{"functions", "shared", "infra"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") {
				var content []byte
				content, err = os.ReadFile(path)
				tests.Write(content)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	known := found(`(?m)^func ((?:Test|Fuzz)\w+)`, tests.String())
	for _, page := range pages {
		for _, name := range found("`((?:Test|Fuzz)\\w+)`", read(t, page)) {
			if !slices.Contains(known, name) {
				t.Errorf("%s names %s, which is no test", page, name)
			}
		}
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range pages {
		for _, link := range found(`\]\(([^)#]+)\)`, read(t, page)) {
			if strings.Contains(link, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), link)); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	architecture := read(t, "docs/architecture.md")
	notes, err := os.ReadDir("notes")
	if err != nil {
		t.Fatal(err)
	}
	for _, note := range notes {
		if !strings.Contains(architecture, "(notes/"+note.Name()+")") {
			t.Errorf("architecture.md does not list the note %s", note.Name())
		}
	}
}

func TestEverySettingRouteAndTargetIsDescribed(t *testing.T) {
	settings := found(`Name = "([A-Z_]+)"`, read(t, "shared/settings/settings.go"))
	routes := found(`Path: '?(/(?:[\w./-]|\{[\w+]+\})*)`, read(t, "template.yaml"))
	if len(settings) < 10 || len(routes) < 10 {
		t.Fatalf("found only the settings %q and the routes %q", settings, routes)
	}
	for _, page := range pages[:2] {
		text := read(t, page)
		for _, setting := range settings {
			if !strings.Contains(text, "`"+setting+"`") {
				t.Errorf("%s does not describe the setting %s", page, setting)
			}
		}
		for _, route := range routes {
			if !regexp.MustCompile("\\| `[A-Z]+ " + regexp.QuoteMeta(route) + "[`?&]").MatchString(text) {
				t.Errorf("%s does not describe the route %s", page, route)
			}
		}
		makefile := read(t, "Makefile")
		for _, target := range found("`make ([a-z]+)`", text) {
			if !strings.Contains(makefile, "\n"+target+":") {
				t.Errorf("%s names make %s, which is no target", page, target)
			}
		}
	}
}

// The READMEs differ in language alone: same shape, same commands, same names.
func TestREADMEsAreTwins(t *testing.T) {
	shape := func(page string) []string {
		var lines []string
		code := false
		for line := range strings.Lines(read(t, page)) {
			line = strings.TrimRight(line, "\n")
			fence := strings.HasPrefix(line, "```")
			switch kind := regexp.MustCompile(`^(#+ |\| |- |\d\. |!\[)`).FindString(line); {
			case fence:
				code = !code
				lines = append(lines, line)
			case code:
			case kind != "":
				lines = append(lines, kind+" "+strings.Join(names(line), " "))
			}
		}
		return lines
	}
	if diff := cmp.Diff(shape("README.md"), shape("README.zh-CN.md")); diff != "" {
		t.Errorf("README.md (-), README.zh-CN.md (+):\n%s", diff)
	}
}

// names returns what stands in backquotes, sorted: sentences put it in another order.
func names(line string) []string { return found("`([^`]+)`", line) }

// A folder that the tree of the README leaves out is one that nobody finds.
func TestEveryFolderIsInTheTree(t *testing.T) {
	for _, page := range pages[:2] {
		_, tree, ok := strings.Cut(read(t, page), "```\nfunctions/")
		tree, _, closed := strings.Cut(tree, "```")
		if !ok || !closed {
			t.Fatalf("%s has no tree", page)
		}
		for _, parent := range []string{"functions", "infra"} {
			entries, err := os.ReadDir(filepath.Join(root, parent))
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range entries {
				if entry.IsDir() && !regexp.MustCompile(`\b`+entry.Name()+`\b`).MatchString(tree) {
					t.Errorf("%s: the tree has no %s/%s", page, parent, entry.Name())
				}
			}
		}
	}
}
