package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What `make doctor` prints leads to a heading that is there, and the manual explains
// every check, in the order of the report and in both languages.
func TestDoctorLeadsIntoTheManual(t *testing.T) {
	sources, err := filepath.Glob(root + "/infra/doctor/*.go")
	more, problem := filepath.Glob(root + "/infra/doctor/checks/*.go")
	if err != nil || problem != nil {
		t.Fatal(err, problem)
	}
	var code strings.Builder
	for _, source := range append(sources, more...) {
		if content, err := os.ReadFile(source); err == nil && !strings.HasSuffix(source, "_test.go") {
			code.Write(content)
		}
	}
	links := found(`((?:operations|guide/\w+)(?:\.zh-CN)?\.md#[\w-]+)`, code.String())
	for _, link := range links {
		page, anchor, _ := strings.Cut(link, "#")
		if !slices.Contains(anchors(read(t, "docs/"+page)), anchor) {
			t.Errorf("make doctor leads to docs/%s, which is not there", link)
		}
	}
	var checks []string
	for _, row := range regexp.MustCompile(`(?m)^\t+\{"([a-z-]+)", (?:nil|reached|genuine|admitted|started), `).FindAllStringSubmatch(code.String(), -1) {
		checks = append(checks, row[1])
	}
	if len(links) < 10 || len(checks) < 20 {
		t.Fatalf("found only the links %q and the checks %q", links, checks)
	}
	for _, page := range operationsPages() {
		_, section, _ := strings.Cut(read(t, page), "\n## `make doctor`\n")
		section, _, _ = strings.Cut(section, "\n## ")
		var explained []string
		for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(section, -1) {
			explained = append(explained, row[1])
		}
		if diff := cmp.Diff(checks, explained); diff != "" {
			t.Errorf("checks (-), %s (+):\n%s", page, diff)
		}
	}
}
