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

	"github.com/wecom-signin/wecom-signin/shared/apierr"
	"github.com/wecom-signin/wecom-signin/shared/apigw"
	"github.com/wecom-signin/wecom-signin/shared/claims"
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

// allPages returns every page that is written for readers.
func allPages(t *testing.T) []string {
	t.Helper()
	var pages []string
	for _, folder := range []string{".", "docs", "docs/guide", "docs/notes", "infra/events"} {
		found, err := filepath.Glob(filepath.Join(root, folder, "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range found {
			pages = append(pages, filepath.ToSlash(strings.TrimPrefix(page, root+string(filepath.Separator))))
		}
	}
	return pages
}

// currentPages returns the pages about what is there now. The changelog and the notes
// are history, and may name what has gone.
func currentPages(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(allPages(t), func(page string) bool {
		return page == "CHANGELOG.md" || strings.HasPrefix(page, "docs/notes/")
	})
}

// englishPages returns the English pages that have a Chinese twin, as every page for
// administrators, operators and developers of applications must.
func englishPages(t *testing.T) []string {
	t.Helper()
	all := allPages(t)
	needed := []string{"README.md", applications, forwardAuth, operations, reference, security}
	var pages []string
	for _, page := range all {
		switch {
		case strings.HasSuffix(page, ".zh-CN.md"):
		case slices.Contains(all, chinese(page)):
			pages = append(pages, page)
		case strings.HasPrefix(page, "docs/guide/"):
			t.Errorf("%s has no Chinese twin", page)
		}
	}
	for _, page := range needed {
		if !slices.Contains(pages, page) {
			t.Errorf("%s is not there in both languages", page)
		}
	}
	return pages
}

const (
	applications = "docs/applications.md"
	forwardAuth  = "docs/forward-auth.md"
	reference    = "docs/reference.md"
	security     = "docs/security.md"
)

func chinese(page string) string { return strings.TrimSuffix(page, ".md") + ".zh-CN.md" }

// both returns a page and its Chinese twin.
func both(page string) []string { return []string{page, chinese(page)} }

// A promise names the test that shows it. A renamed test must not leave the promise
// without one.
func TestNamedTestsExist(t *testing.T) {
	known := tests(t)
	for _, page := range currentPages(t) {
		for _, name := range found("`((?:Test|Fuzz)\\w+)`", read(t, page)) {
			if !slices.Contains(known, name) {
				t.Errorf("%s names %s, which is no test", page, name)
			}
		}
	}
}

// tests returns the names of all tests of the service and of what is around it.
func tests(t *testing.T) []string {
	t.Helper()
	var sources strings.Builder
	for _, folder := range []string{"functions", "shared", "infra"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") {
				var content []byte
				content, err = os.ReadFile(path)
				sources.Write(content)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found(`(?m)^func ((?:Test|Fuzz)\w+)`, sources.String())
}

// Every promise is shown by a test, and every attack that a test tries is one that a
// promise is about.
func TestEveryPromiseHasATestAndEveryAttackAPromise(t *testing.T) {
	attacks := slices.DeleteFunc(tests(t), func(name string) bool { return !strings.HasPrefix(name, "TestAttack") })
	if len(attacks) < 15 {
		t.Fatalf("found only the attacks %q", attacks)
	}
	for _, page := range both(security) {
		_, promises, _ := strings.Cut(read(t, page), "\n## ")
		promises, rest, _ := strings.Cut(promises, "\n## ")
		table := tableRows(promises)
		if len(table) < 15 {
			t.Errorf("%s: found only %d promises", page, len(table))
		}
		for _, row := range table {
			if len(row) != 3 || !regexp.MustCompile("^`(?:Test|Fuzz)").MatchString(row[2]) {
				t.Errorf("%s names no test for %q", page, row[0])
			}
		}
		for _, attack := range attacks {
			if !strings.Contains(promises, "`"+attack+"`") {
				t.Errorf("%s: %s shows no promise", page, attack)
			}
		}
		functions, err := os.ReadDir(filepath.Join(root, "functions"))
		if err != nil {
			t.Fatal(err)
		}
		for _, function := range functions {
			if !strings.Contains(rest, "\n| `"+function.Name()+"` |") {
				t.Errorf("%s does not say what %s may know", page, function.Name())
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

func TestEverySettingAndRouteIsDescribed(t *testing.T) {
	settings := found(`Name = "([A-Z_]+)"`, read(t, "shared/settings/settings.go"))
	routes := found(`Path: '?(/(?:[\w./-]|\{[\w+]+\})*)`, read(t, "template.yaml"))
	api := regexp.MustCompile(`api\.Handle\("([A-Z]+) (/api/admin/[^"]+)"`).FindAllStringSubmatch(read(t, "functions/admin/handler.go"), -1)
	if len(settings) < 10 || len(routes) < 10 || len(api) < 15 {
		t.Fatalf("found only the settings %q, the routes %q and %q", settings, routes, api)
	}
	for _, page := range both(reference) {
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
		for _, route := range api {
			if !regexp.MustCompile(`(?m)^\| [^|]*\b` + route[1] + "\\b[^|]* ?" + regexp.QuoteMeta(route[2]) + "`").MatchString(text) {
				t.Errorf("%s does not describe %s %s", page, route[1], route[2])
			}
		}
	}
}

// tableRows returns the cells of the rows of all tables, without their headings.
func tableRows(text string) [][]string {
	var rows [][]string
	for line := range strings.Lines(text) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "| ---"):
			rows = rows[:len(rows)-1]
		case strings.HasPrefix(line, "|"):
			rows = append(rows, strings.Split(strings.Trim(line, "| "), " | "))
		}
	}
	return rows
}

// What an application or a program reads and writes has a name that is looked up.
func TestEveryFieldAndClaimIsDescribed(t *testing.T) {
	for _, source := range []struct{ file, name string }{
		{"shared/keys/claims.go", "AccessTokenClaims"},
		{"shared/keys/claims.go", "IDTokenClaims"},
		{"shared/keys/claims.go", "LogoutTokenClaims"},
		{"shared/oauth/token.go", "TokenResponse"},
		{"functions/openid/token.go", "errorBody"},
		{"functions/signin/api.go", "authenticatorEntry"},
		{"functions/signin/api.go", "sessionBody"},
		{"functions/signin/api.go", "userBody"},
		{"functions/signin/api.go", "tokenBody"},
		{"functions/admin/applications_fields.go", "applicationView"},
		{"functions/admin/authenticators_rules.go", "allowView"},
		{"functions/admin/authenticators_rules.go", "roleRuleView"},
		{"shared/claims/claims.go", "Department"},
		{"functions/admin/applications_fields.go", "claimRulesView"},
		{"functions/admin/applications_fields.go", "groupsView"},
		{"functions/admin/applications_fields.go", "clientSecretView"},
		{"functions/admin/applications_secrets.go", "newSecretView"},
		{"functions/admin/applications_preview.go", "previewView"},
		{"functions/admin/applications_preview.go", "claimView"},
		{"functions/admin/authenticators_fields.go", "authenticatorView"},
		{"functions/admin/users_fields.go", "userView"},
		{"functions/admin/users_fields.go", "identityView"},
		{"functions/admin/users_import.go", "rowResult"},
		{"functions/admin/users_import.go", "importResult"},
		{"functions/admin/signinevents.go", "signInEventView"},
		{"functions/admin/signinevents.go", "applicationEventView"},
		{"functions/admin/domainfiles.go", "domainFileView"},
		{"functions/admin/egress.go", "egressView"},
		{"shared/apigw/answer.go", "problem"},
	} {
		_, fields, ok := strings.Cut(read(t, source.file), "\ntype "+source.name+" struct {\n")
		fields, _, _ = strings.Cut(fields, "\n}")
		members := found("`json:\"(\\w+)", fields)
		if !ok || len(members) < 2 {
			t.Errorf("%s: found only %q of %s", source.file, members, source.name)
		}
		for _, page := range both(reference) {
			code := strings.Join(names(withoutBlocks(read(t, page))), " ")
			for _, name := range members {
				if !regexp.MustCompile(`\b` + name + `\b`).MatchString(code) {
					t.Errorf("%s does not describe %s of %s", page, name, source.name)
				}
			}
		}
	}
}

// An error has one row for programs, with its status, and one for people.
func TestEveryCodeIsDescribed(t *testing.T) {
	people, programs, cut := strings.Cut(read(t, "shared/apierr/apierr.go"), "// Codes of the JSON API alone.")
	const pattern = `Code = "([a-z_]+)"`
	if !cut || len(found(pattern, people)) < 20 || len(found(pattern, programs)) < 10 {
		t.Fatalf("found only the codes %q and %q", found(pattern, people), found(pattern, programs))
	}
	for _, page := range both(reference) {
		withStatus, without := map[string]string{}, map[string]bool{}
		for _, row := range regexp.MustCompile("(?m)^\\| ((?:`[a-z_]+`(?:, )?)+) \\| (\\d{3})? ?").FindAllStringSubmatch(read(t, page), -1) {
			for _, code := range names(row[1]) {
				if row[2] != "" {
					withStatus[code] = row[2]
				} else {
					without[code] = true
				}
			}
		}
		for _, code := range found(pattern, people) {
			if !without[code] {
				t.Errorf("%s does not describe %s of the sign-in page", page, code)
			}
		}
		for _, code := range found(pattern, programs) {
			if withStatus[code] == "" {
				t.Errorf("%s does not describe %s of the API", page, code)
			}
		}
		for code, status := range withStatus {
			if want := strconv.Itoa(apigw.Status(apierr.Code(code))); status != want {
				t.Errorf("%s: %s has the status %s, not %s", page, code, want, status)
			}
		}
	}
}

// An administrator looks up why a sign-in to an application ended.
func TestEveryCauseIsDescribed(t *testing.T) {
	causes := found(`Cause = "([a-z_]+)"`, read(t, "shared/oauth/errors.go"))
	if len(causes) < 40 {
		t.Fatalf("found only the causes %q", causes)
	}
	for _, page := range both(reference) {
		described := map[string]bool{}
		for _, row := range regexp.MustCompile("(?m)^\\| ((?:`[a-z_]+`(?:, )?)+) \\|").FindAllStringSubmatch(read(t, page), -1) {
			for _, cause := range names(row[1]) {
				described[cause] = true
			}
		}
		for _, cause := range causes {
			if !described[cause] {
				t.Errorf("%s does not describe the cause %s", page, cause)
			}
		}
	}
}

// Whoever makes an application work with the provider looks its words up.
func TestEveryWordOfTheProviderIsDescribed(t *testing.T) {
	parameters := func(file, list string) []string {
		_, names, _ := strings.Cut(read(t, file), "\nvar "+list+" = []string{")
		names, _, _ = strings.Cut(names, "}\n")
		return found(`"(\w+)"`, names)
	}
	requests := slices.Concat(
		parameters("shared/oauth/request.go", "authorizationParameters"), parameters("shared/oauth/token.go", "tokenParameters"),
	)
	errors := found(`ErrorCode = "([a-z_]+)"`, read(t, "shared/oauth/errors.go"))
	if len(requests) < 20 || len(errors) < 12 {
		t.Fatalf("found only the parameters %q and the errors %q", requests, errors)
	}
	for _, page := range both(reference) {
		described := names(withoutBlocks(read(t, page)))
		for _, word := range slices.Concat(requests, errors, claims.Scopes(), claims.Names(), claims.ACRs()) {
			if !slices.Contains(described, word) {
				t.Errorf("%s does not describe %s", page, word)
			}
		}
	}
}

// What a page tells people to type, or where it tells them to look, is there.
func TestNamedTargetsAndFilesExist(t *testing.T) {
	makefile := read(t, "Makefile")
	for _, page := range currentPages(t) {
		text := read(t, page)
		for _, target := range found("(?m)(?:`|^)make ([a-z][a-z-]*)", text) {
			if !strings.Contains(makefile, "\n"+target+":") {
				t.Errorf("%s names make %s, which is no target", page, target)
			}
		}
		for _, file := range found("`((?:functions|shared|infra|docs)/[\\w./-]+)`", text) {
			if _, err := os.Stat(filepath.Join(root, file)); err != nil {
				t.Errorf("%s names %s, which is not there", page, file)
			}
		}
	}
}

// The first page is read in one sitting.
func TestReadmeIsShort(t *testing.T) {
	for _, page := range both("README.md") {
		if lines := strings.Count(read(t, page), "\n"); lines > 150 {
			t.Errorf("%s has %d lines, more than 150", page, lines)
		}
	}
}

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

// withoutBlocks leaves out what is to be pasted.
func withoutBlocks(text string) string {
	return regexp.MustCompile("(?s)```.*?```").ReplaceAllString(text, "")
}

// names returns what stands in backquotes, sorted: sentences put it in another order.
func names(line string) []string { return found("`([^`]+)`", line) }

// A folder that the picture of the repository leaves out is one that nobody finds.
func TestFolderPictureIsTheRepository(t *testing.T) {
	_, picture, ok := strings.Cut(read(t, "CONTRIBUTING.md"), "```\nfunctions/")
	picture, _, closed := strings.Cut("functions/"+picture, "```")
	if !ok || !closed {
		t.Fatal("CONTRIBUTING.md has no picture of the folders")
	}
	var drawn []string
	parent := ""
	for line := range strings.Lines(picture) {
		name, _, isFolder := strings.Cut(strings.TrimSpace(line), "/ ")
		switch {
		case !isFolder || strings.Contains(name, " "):
		case line[0] != ' ':
			parent = name
		default:
			drawn = append(drawn, parent+"/"+name)
		}
	}
	var there []string
	for _, parent := range []string{"functions", "shared", "infra"} {
		entries, err := os.ReadDir(filepath.Join(root, parent))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if entry.IsDir() {
				there = append(there, parent+"/"+entry.Name())
			}
		}
	}
	slices.Sort(drawn)
	slices.Sort(there)
	if diff := cmp.Diff(there, drawn); diff != "" {
		t.Errorf("folders (-), picture of CONTRIBUTING.md (+):\n%s", diff)
	}
	architecture := read(t, "docs/architecture.md")
	for _, folder := range there {
		if strings.HasPrefix(folder, "functions/") || folder == "infra/events" || folder == "infra/tools" {
			continue // all of one kind, or no package
		}
		if !strings.Contains(architecture, "`"+folder+"`") {
			t.Errorf("architecture.md does not say what %s is for", folder)
		}
	}
}

// The guide has an answer to every code and every number.
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
		if len(steps) != 9 || len(titles) < 10 {
			t.Fatalf("the steps are %q, the headings %q", steps, titles)
		}
		if diff := cmp.Diff(steps, titles[1:10]); diff != "" {
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
