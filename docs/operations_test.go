package docs_test

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/samtemplate"
)

// The page that an operator follows when an alarm fires: what it says of the template
// and of the code must be so.
const operations = "docs/operations.md"

func operationsPages() []string { return []string{operations, chinese(operations)} }

// rows returns the cells behind the names of a table, by name. A table is known by the
// name of its first row.
func rows(t *testing.T, page, first string) map[string][]string {
	t.Helper()
	_, table, found := strings.Cut(read(t, page), "\n| `"+first+"` |")
	if !found {
		t.Fatalf("%s has no table that begins with %s", page, first)
	}
	table, _, _ = strings.Cut("| `"+first+"` |"+table, "\n\n")
	named := map[string][]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i, cell := range cells {
			cells[i] = strings.TrimSpace(cell)
		}
		name := strings.Trim(cells[0], "`")
		if _, twice := named[name]; twice {
			t.Errorf("%s has the row %s twice", page, name)
		}
		named[name] = cells[1:]
	}
	return named
}

// number reads a figure such as 22,000,000.
func number(t *testing.T, cell string) float64 {
	t.Helper()
	value, err := strconv.ParseFloat(strings.ReplaceAll(cell, ",", ""), 64)
	if err != nil {
		t.Fatalf("%q is no number: %v", cell, err)
	}
	return value
}

func readTemplate(t *testing.T) *samtemplate.Template {
	t.Helper()
	template, err := samtemplate.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// An alarm's mail is read at night. It leads to a heading that is there, in both
// languages under the same name, and every such heading is some alarm's.
func TestEveryAlarmLeadsToItsText(t *testing.T) {
	alarms := readTemplate(t).Alarms
	if len(alarms) < 10 {
		t.Fatalf("found %d alarms", len(alarms))
	}
	var linked []string
	for id, alarm := range alarms {
		link := regexp.MustCompile(`\shttps://\S+/` + regexp.QuoteMeta(operations) + `#([a-z-]+)$`).FindStringSubmatch(alarm.Description)
		if link == nil {
			t.Errorf("the text of %s does not end with the address of %s#NAME", id, operations)
			continue
		}
		if strings.Contains(alarm.Description, `"`) {
			t.Errorf("the text of %s has quotation marks, which EventBridge does not escape for a group's bot", id)
		}
		linked = append(linked, link[1])
		if alarm.Metrics > 10 {
			t.Errorf("%s watches %d metrics; CloudWatch takes 10", id, alarm.Metrics)
		}
	}
	slices.Sort(linked)
	for _, page := range operationsPages() {
		_, section, _ := strings.Cut(read(t, page), "\n### `callback-errors`\n")
		section, _, _ = strings.Cut("### `callback-errors`\n"+section, "\n## ")
		described := anchors(section)
		slices.Sort(described)
		if diff := cmp.Diff(linked, described); diff != "" {
			t.Errorf("alarms (-), texts of %s (+):\n%s", page, diff)
		}
	}
}

func TestEveryParameterAndOutputIsExplained(t *testing.T) {
	template := readTemplate(t)
	for _, names := range [][]string{template.Parameters, template.Outputs} {
		if len(names) < 10 {
			t.Fatalf("found only %q", names)
		}
		for _, page := range operationsPages() {
			for _, name := range names {
				if !regexp.MustCompile("(?m)^\\| (`\\w+` )*`" + name + "` ").MatchString(read(t, page)) {
					t.Errorf("%s has no row for %s", page, name)
				}
			}
		}
	}
}

func TestThrottlesAreTheTemplates(t *testing.T) {
	want := map[string][]string{}
	for route, throttle := range readTemplate(t).Throttles {
		want[route] = []string{strconv.Itoa(throttle.Rate), strconv.Itoa(throttle.Burst)}
	}
	if len(want) < 15 {
		t.Fatalf("found only the throttles %v", want)
	}
	for _, page := range operationsPages() {
		if diff := cmp.Diff(want, rows(t, page, "GET /authorize/{authenticator}")); diff != "" {
			t.Errorf("template (-), %s (+):\n%s", page, diff)
		}
		if count := "`" + strconv.Itoa(len(want)) + "`"; !strings.Contains(read(t, page), count) {
			t.Errorf("%s does not say that %s routes have throttles", page, count)
		}
	}
}

// Who searches the log knows the names that are in it.
func TestEveryFieldAndMetricIsExplained(t *testing.T) {
	var fields []string
	for _, folder := range []string{"functions", "shared"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			content, err := os.ReadFile(path)
			// The members of a group are no fields of their own.
			code := regexp.MustCompile(`slog\.Group(?:Value)?\(.*`).ReplaceAllString(string(content), "")
			fields = append(fields, found(`\b(?:LogField|AddToLogField)\((?:ctx|r\.Context\(\)), "(\w+)"`, code)...)
			fields = append(fields, found(`\bslog\.\w+\("(\w+)", `, code)...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	metrics := found(`Measurement\{name: "(\w+)"`, read(t, "shared/metrics/metrics.go"))
	if len(fields) < 25 || len(metrics) < 5 {
		t.Fatalf("found only the fields %q and the metrics %q", fields, metrics)
	}
	for _, page := range operationsPages() {
		for _, name := range slices.Concat(fields, metrics) {
			if !strings.Contains(read(t, page), "`"+name+"`") {
				t.Errorf("%s does not explain %s", page, name)
			}
		}
	}
}

// Commands are pasted, whatever language the text around them has.
func TestCommandsAreTheSameInBothLanguages(t *testing.T) {
	blocks := func(page string) []string {
		return regexp.MustCompile("(?s)```.*?\n```").FindAllString(read(t, page), -1)
	}
	for page, least := range map[string]int{operations: 30, applications: 9} {
		if len(blocks(page)) < least {
			t.Fatalf("found only %d blocks of %s", len(blocks(page)), page)
		}
		if diff := cmp.Diff(blocks(page), blocks(chinese(page))); diff != "" {
			t.Errorf("%s (-), %s (+):\n%s", page, chinese(page), diff)
		}
	}
}

// Operations of the table of costs, and the counted ones of the benchmarks that they
// are; memory in MB by the template's function.
var counted = map[string]struct{ operation, function string }{
	"authorize": {"returning sign-in: authorize", "Authorize"},
	"callback":  {"returning sign-in: callback", "Callback"},
	"session":   {"session check", "Signin"},
	"token":     {"token", "Signin"},
	"first":     {"first sign-in ever", "Callback"},
	"code":      {"authorize with a session", "OpenID"},
	"exchange":  {"code exchange", "OpenID"},
	"refresh":   {"refresh", "OpenID"},
	"userinfo":  {"userinfo", "OpenID"},
}

const million = 1e6

func TestEveryFunctionHasASize(t *testing.T) {
	programs, err := filepath.Glob(filepath.Join(root, "functions", "*", "lambda"))
	if err != nil || len(programs) == 0 {
		t.Fatal(programs, err)
	}
	benchmarks := read(t, "docs/benchmarks.md")
	for _, program := range programs {
		name := filepath.Base(filepath.Dir(program))
		if !regexp.MustCompile(`(?m)^\| ` + name + ` \| [\d.]+ \| [\d.]+ \| [48]\.0 \|$`).MatchString(benchmarks) {
			t.Errorf("docs/benchmarks.md has no size of %s", name)
		}
	}
}

// The sums come from the counted operations and the prices on the page, and from
// nothing else. A price or a count that changes changes the sums.
func TestCostsAddUp(t *testing.T) {
	counts := map[string][]string{}
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]+) \| \d+ \| \d+ \| \d+ \| \d+ \| ([\d.]+) \| ([\d.]+) \|$`).FindAllStringSubmatch(read(t, "docs/benchmarks.md"), -1) {
		counts[row[1]] = row[2:]
	}
	for _, page := range operationsPages() {
		t.Run(page, func(t *testing.T) {
			prices := map[string]float64{}
			for name, cells := range rows(t, page, "gateway") {
				prices[name] = number(t, cells[0])
			}
			table := rows(t, page, "authorize")
			if diff := cmp.Diff(slices.Sorted(maps.Keys(counted)), slices.Sorted(maps.Keys(table))); diff != "" {
				t.Fatalf("operations (-want +got):\n%s", diff)
			}
			each := map[string]float64{}
			for name, cells := range table {
				var figures []float64
				for _, cell := range cells {
					figures = append(figures, number(t, cell))
				}
				requests, memory, milliseconds, logged, sent, reads, writes := figures[0], figures[1], figures[2], figures[3], figures[4], figures[5], figures[6]
				count := counts[counted[name].operation]
				if len(count) == 0 || number(t, count[0]) != reads || number(t, count[1]) != writes {
					t.Errorf("%s takes %v read and %v write units here, and %v in the benchmarks", name, reads, writes, count)
				}
				if given := float64(readTemplate(t).Functions[counted[name].function+"Function"].MemorySize); memory != given {
					t.Errorf("%s has %v MB here and %v in the template", name, memory, given)
				}
				// Of a million; a GB is 10^9 bytes.
				each[name] = requests*(prices["gateway"]+prices["invocation"]) +
					memory/1024*milliseconds/1000*million*prices["compute"] +
					logged*million/1e9*prices["logs"] + sent*million/1e9*prices["transfer"] +
					reads*prices["read"] + writes*prices["write"]
				sameCents(t, name+" of a million", each[name], cells[7])
			}
			month(t, page, prices, each)
		})
	}
}

// month checks the two deployments: 22 days, 10 session checks and 2 tokens a sign-in.
func month(t *testing.T, page string, prices, each map[string]float64) {
	t.Helper()
	text := read(t, page)
	_, table, _ := strings.Cut(text, "| 1,000,000 ")
	_, table, _ = strings.Cut(table, "\n| `authorize` |")
	table, _, _ = strings.Cut("| `authorize` |"+table, "\n\n")
	template := readTemplate(t)
	metrics := 0
	for _, alarm := range template.Alarms {
		metrics += alarm.Metrics
	}
	for column, members := range []float64{1_000_000, 200} {
		signIns := 22 * members
		want := map[string]struct{ count, price float64 }{
			"authorize":   {signIns, each["authorize"] / million},
			"callback":    {signIns, each["callback"] / million},
			"session":     {10 * signIns, each["session"] / million},
			"token":       {2 * signIns, each["token"] / million},
			"user":        {members, 2000 / 1e9 * (prices["storage"] + prices["recovery"])},
			"attempt":     {signIns, 1500 / 1e9 * prices["storage"]},
			"line":        {6 * signIns, 1300/1e9*prices["storage"] + 450/1e9*prices["recovery"]}, // of half a year
			"metric":      {20, prices["metric"]},
			"alarm":       {float64(metrics), prices["alarm"]},
			"dashboard":   {float64(len(template.Resources["AWS::CloudWatch::Dashboard"])), prices["dashboard"]},
			"secret":      {float64(1 + len(template.Resources["AWS::SecretsManager::Secret"])), prices["secret"]},
			"secret-call": {0, prices["secret-call"] / 10_000}, // an assumption of the page
		}
		total := 0.0
		for line := range strings.Lines(table) {
			cells := strings.Split(line, "|")
			name := strings.Trim(strings.TrimSpace(cells[1]), "`")
			counted, cost := strings.TrimSpace(cells[2+2*column]), strings.TrimSpace(cells[3+2*column])
			if name == "total" {
				sameCents(t, "total", total, cost)
				continue
			}
			expected, known := want[name]
			if !known {
				t.Errorf("%q is no cost that is known here", name)
				continue
			}
			delete(want, name)
			if expected.count == 0 {
				expected.count = number(t, counted)
			} else if number(t, counted) != expected.count {
				t.Errorf("%s: %s for %v members, want %v", name, counted, members, expected.count)
			}
			sameCents(t, name, expected.count*expected.price, cost)
			total += number(t, cost)
		}
		if len(want) > 0 {
			t.Errorf("left out: %v", slices.Sorted(maps.Keys(want)))
		}
	}
}

// sameCents compares a computed sum with a printed one.
func sameCents(t *testing.T, what string, computed float64, printed string) {
	t.Helper()
	if math.Abs(computed-number(t, printed)) > 0.005+1e-9 {
		t.Errorf("%s: %s is printed, %.4f is computed", what, printed, computed)
	}
}

// The way out costs by the hour, whoever uses it.
func TestPricesOfTheWayOutAddUp(t *testing.T) {
	const hours, gateway, address = 730, 0.045, 0.005
	for _, page := range operationsPages() {
		text := read(t, page)
		for _, price := range []string{"0.045", "0.005", "730"} {
			if !strings.Contains(text, price) {
				t.Errorf("%s does not name %s", page, price)
			}
		}
		for gateways := range 3 {
			sum := strconv.FormatFloat(float64(gateways)*hours*(gateway+address), 'f', 2, 64)
			if !regexp.MustCompile("(?m)^\\| `(?:none|nat)`[^|]*\\|[^|]*\\| " + regexp.QuoteMeta(sum) + " ").MatchString(text) {
				t.Errorf("%s has no row with %s for %d gateways", page, sum, gateways)
			}
		}
	}
}
