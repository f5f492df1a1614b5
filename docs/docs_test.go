// Package docs_test keeps the written pages true: what they name exists, what there is
// is named, and a page in English and its Chinese one are twins.
package docs_test

import (
	"encoding/json"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

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

// The English pages that have a Chinese twin; those of the guide are read from its
// folder.
func englishPages(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("guide/*.md")
	if err != nil || len(names) < 4 {
		t.Fatalf("the guide has the pages %q, %v", names, err)
	}
	english := []string{"README.md", operations}
	for _, name := range names {
		if !strings.HasSuffix(name, ".zh-CN.md") {
			english = append(english, "docs/"+filepath.ToSlash(name))
		}
	}
	return english
}

func chinese(page string) string { return strings.TrimSuffix(page, ".md") + ".zh-CN.md" }

func allPages(t *testing.T) []string {
	t.Helper()
	all := []string{"docs/architecture.md", "docs/sam-local.md"}
	for _, page := range englishPages(t) {
		all = append(all, page, chinese(page))
	}
	return all
}

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
	for _, page := range allPages(t) {
		for _, name := range found("`((?:Test|Fuzz)\\w+)`", read(t, page)) {
			if !slices.Contains(known, name) {
				t.Errorf("%s names %s, which is no test", page, name)
			}
		}
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	for _, page := range allPages(t) {
		for _, link := range found(`\]\(([^)]+)\)`, read(t, page)) {
			if strings.Contains(link, "://") {
				continue
			}
			file, anchor, _ := strings.Cut(link, "#")
			target := page
			if file != "" {
				target = path.Join(path.Dir(page), file)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s links to %s, and %s has no such heading", page, link, target)
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

// A picture that no page shows is one that nobody looks at.
func TestEveryPictureIsShown(t *testing.T) {
	shown := map[string]bool{}
	for _, page := range allPages(t) {
		for _, link := range found(`\]\(([^)#]+)\)`, read(t, page)) {
			shown[path.Join(path.Dir(page), link)] = true
		}
	}
	pictures, err := os.ReadDir("images")
	if err != nil {
		t.Fatal(err)
	}
	for _, picture := range pictures {
		if !shown["docs/images/"+picture.Name()] {
			t.Errorf("no page shows the picture %s", picture.Name())
		}
	}
}

// anchors returns the names by which a page's headings can be linked to: lower case,
// without punctuation, with hyphens for blanks.
func anchors(text string) []string {
	var names []string
	for _, heading := range headings(text) {
		names = append(names, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, heading))
	}
	return names
}

func headings(text string) []string {
	var titles []string
	code := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
		}
		if title, is := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); is && !code && line[0] == '#' {
			titles = append(titles, strings.TrimSpace(title))
		}
	}
	return titles
}

func TestEverySettingRouteAndTargetIsDescribed(t *testing.T) {
	settings := found(`Name = "([A-Z_]+)"`, read(t, "shared/settings/settings.go"))
	routes := found(`Path: '?(/(?:[\w./-]|\{[\w+]+\})*)`, read(t, "template.yaml"))
	if len(settings) < 10 || len(routes) < 10 {
		t.Fatalf("found only the settings %q and the routes %q", settings, routes)
	}
	for _, page := range readmes() {
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

func readmes() []string { return []string{"README.md", "README.zh-CN.md"} }

// Twins differ in language alone: same shape, same commands, same names, and links to
// the same things, each in its own language.
func TestTwins(t *testing.T) {
	for _, page := range englishPages(t) {
		if diff := cmp.Diff(shape(read(t, page)), shape(read(t, chinese(page)))); diff != "" {
			t.Errorf("%s (-), %s (+):\n%s", page, chinese(page), diff)
		}
		if diff := cmp.Diff(linked(read(t, page)), linked(read(t, chinese(page)))); diff != "" {
			t.Errorf("links of %s (-), %s (+):\n%s", page, chinese(page), diff)
		}
		for _, link := range found(`\]\(([^)#]+)`, read(t, chinese(page))) {
			own := strings.Contains(link, ".zh-CN.") || path.Join(path.Dir(page), link) == page
			target := path.Join(path.Dir(page), link)
			if !own && (slices.Contains(englishPages(t), target) || strings.Contains(link, ".en.")) {
				t.Errorf("%s leads to the English %s", chinese(page), link)
			}
		}
	}
}

func shape(text string) []string {
	var lines []string
	code := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
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

// linked returns what a page links to, regardless of language and order. Anchors are
// words of a language.
func linked(text string) []string {
	var targets []string
	for _, match := range regexp.MustCompile(`\]\(([^)#]+)`).FindAllStringSubmatch(text, -1) {
		targets = append(targets, strings.NewReplacer(".zh-CN.", ".", ".en.", ".").Replace(match[1]))
	}
	slices.Sort(targets)
	return targets
}

// names returns what stands in backquotes, sorted: sentences put it in another order.
func names(line string) []string { return found("`([^`]+)`", line) }

// A folder that the tree of the README leaves out is one that nobody finds.
func TestEveryFolderIsInTheTree(t *testing.T) {
	for _, page := range readmes() {
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

// Whoever meets a code or a number finds it in the guide.
func TestEveryErrorHasAnAnswer(t *testing.T) {
	source, _, cut := strings.Cut(read(t, "shared/apierr/apierr.go"), "// Codes of the JSON API alone.")
	codes := found(`Code = "([a-z_]+)"`, source)
	if !cut || len(codes) < 20 {
		t.Fatalf("found only the codes %q", codes)
	}
	numbers := checkNumbers(t)
	if len(numbers) < 15 {
		t.Fatalf("found only the numbers %q", numbers)
	}
	for _, page := range []string{"docs/guide/errors.md", "docs/guide/errors.zh-CN.md"} {
		var answered []string
		for _, heading := range headings(read(t, page)) {
			answered = append(answered, strings.Split(heading, " · ")...)
		}
		for _, code := range codes {
			if !slices.Contains(answered, "`"+code+"`") {
				t.Errorf("%s has no answer to %s", page, code)
			}
		}
		for _, number := range numbers {
			if !slices.Contains(answered, number) {
				t.Errorf("%s has no answer to WeCom's %s", page, number)
			}
		}
		for i, one := range answered {
			if slices.Contains(answered[:i], one) {
				t.Errorf("%s answers %s twice", page, one)
			}
		}
	}
}

// checkNumbers returns the numbers of WeCom that the service has words for: those of
// the client, and those that the check explains.
func checkNumbers(t *testing.T) []string {
	t.Helper()
	source := read(t, "shared/wecom/errors.go")
	client, _, _ := strings.Cut(source, "// Error says")
	numbers := found(`(?m)^\t\w+ += (-?\d+)`, client)
	for _, list := range found(`case ([^:]*\d[^:]*):`, client) {
		numbers = append(numbers, found(`\b(\d{5,})\b`, list)...)
	}
	for key := range texts(t, "en", "check") {
		for part := range strings.SplitSeq(key, ".") {
			if number, err := strconv.Atoi(part); err == nil && number != 0 {
				numbers = append(numbers, part)
			}
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// texts reads the catalogue of the pages.
func texts(t *testing.T, language, area string) map[string]string {
	t.Helper()
	var catalogue map[string]string
	if err := json.Unmarshal([]byte(read(t, "shared/text/texts/"+language+"/"+area+".json")), &catalogue); err != nil {
		t.Fatal(err)
	}
	return catalogue
}

// The guide and the console's guided page go the same way, under the same names.
func TestGuideHasTheStepsOfTheConsole(t *testing.T) {
	for language, page := range map[string]string{"en": "docs/guide/set-up-wecom.md", "zh-CN": "docs/guide/set-up-wecom.zh-CN.md"} {
		catalogue := texts(t, language, "setup")
		var steps []string
		for n := 1; catalogue["setup."+strconv.Itoa(n)+".title"] != ""; n++ {
			steps = append(steps, strconv.Itoa(n)+". "+catalogue["setup."+strconv.Itoa(n)+".title"])
		}
		titles := headings(read(t, page))
		if len(steps) != 8 || len(titles) < 9 {
			t.Fatalf("the steps are %q, the headings %q", steps, titles)
		}
		if diff := cmp.Diff(steps, titles[1:9]); diff != "" {
			t.Errorf("steps of the console (-), of %s (+):\n%s", page, diff)
		}
	}
}

// Who comes from NocoBase finds every option under the name it has there, and in the
// same row our console's name for it and the field of the admin API.
func TestEveryOptionOfTheManualIsCompared(t *testing.T) {
	options := []struct{ manual, key, field string }{
		{"When a phone number does not match an existing user, should a new user be created automatically", "authenticator.autoSignup", "autoSignup"},
		{"Company ID", "authenticator.corpId", "corpId"},
		{"AgentId", "authenticator.agentId", "agentId"},
		{"Secret", "authenticator.secret", "secret"},
		{"Origin", "authenticator.origin", "origin"},
		{"Workbench application redirect link", "authenticator.path", "workbenchRedirectPath"},
		{"Automatic login", "authenticator.autoLogin", "autoLogin"},
		{"Workbench application homepage link", "links.phone", "workbenchHomepageLink"},
	}
	for language, page := range map[string]string{"en": "docs/guide/from-nocobase.md", "zh-CN": "docs/guide/from-nocobase.zh-CN.md"} {
		catalogue := texts(t, language, "console")
		rows := map[string][]string{}
		for _, row := range regexp.MustCompile(`(?m)^\| (.+) \|$`).FindAllStringSubmatch(read(t, page), -1) {
			cells := strings.Split(row[1], " | ")
			name, _, _ := strings.Cut(cells[0], "（") // the Chinese page adds a translation
			rows[name] = cells
		}
		for _, option := range options {
			row := rows[option.manual]
			if len(row) != 4 {
				t.Errorf("%s does not compare the option %q", page, option.manual)
				continue
			}
			if label := catalogue[option.key]; label == "" || !strings.HasPrefix(label, row[1]) {
				t.Errorf("%s calls it %q, the console %q", page, row[1], label)
			}
			if row[2] != "`"+option.field+"`" {
				t.Errorf("%s calls the field of %s %s", page, option.manual, row[2])
			}
		}
	}
}
