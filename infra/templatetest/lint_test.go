package templatetest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestSAMAcceptsTheTemplate(t *testing.T) {
	t.Parallel()
	found := findTools(t)
	if output, content := run(t, nil, found.sam, "validate", "--lint", "--template-file", filepath.Join(root, template)); !content {
		t.Errorf("%s", output)
	}
	arguments := append(slices.Clone(lintArguments), append([]string{"--regions"}, regions...)...)
	if output, content := run(t, nil, found.lint, append(append(arguments, "--"), nested(t)...)...); !content {
		t.Errorf("%s", output)
	}
	// A region without budgets, API destinations and CloudFront's firewall: what always
	// belongs to a stack has types that it knows.
	always := slices.DeleteFunc(nested(t), func(path string) bool {
		return slices.Contains([]string{"bot.yaml", "budget.yaml", "edge.yaml"}, filepath.Base(path))
	})
	if output, content := run(t, nil, found.lint, append(append(slices.Clone(lintArguments), "--regions", "ca-west-1", "--"), always...)...); !content {
		t.Errorf("%s", output)
	}
}

// nested returns the templates that are nested in template.yaml or deployed beside it.
func nested(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "infra", "*.yaml"))
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	return files
}

var (
	// partitioned is an ARN with its partition.
	partitioned = regexp.MustCompile(`\barn:(aws[a-z-]*):`)
	partitions  = map[string]string{"eu-central-1": "aws", "cn-north-1": "aws-cn"}
	// placed is a host of one partition, the name of a region, or an account's number.
	placed = regexp.MustCompile(`\}\.amazonaws\.com|amazonaws\.com\.cn|\b[a-z]{2}-(?:north|south|east|west|central)[a-z]*-\d\b|\b\d{12}\b`)
)

// Every file of parameters, in both partitions: the translation is what cfn-lint and
// our own rules judge, because SAM's command line sees the template before it.
func TestTemplateFitsParameters(t *testing.T) {
	t.Parallel()
	found := findTools(t)
	files, err := filepath.Glob("parameters/*.json")
	if err != nil || len(files) < 6 {
		t.Fatal(files, err)
	}
	for _, region := range regions {
		t.Run(region, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			var jobs []job
			for _, parameters := range files {
				jobs = append(jobs, job{filepath.Join(root, template), region, parameters, filepath.Join(folder, filepath.Base(parameters))})
			}
			for _, file := range nested(t) {
				jobs = append(jobs, job{file, region, "", filepath.Join(folder, filepath.Base(file)+".json")})
			}
			alike := map[string][]string{} // files of parameters by translation
			for i, causes := range found.translate(t, jobs) {
				if len(causes) > 0 {
					t.Fatalf("%s: %s", jobs[i].Parameters, strings.Join(causes, "\n"))
				}
				content, err := os.ReadFile(jobs[i].Output)
				if err != nil {
					t.Fatal(err)
				}
				for _, arn := range partitioned.FindAllStringSubmatch(string(content), -1) {
					if arn[1] != partitions[region] {
						t.Errorf("%s: %s is of another partition; write ${AWS::Partition}", jobs[i].Template, arn[0])
					}
				}
				if found := placed.FindString(string(content)); found != "" {
					t.Errorf("%s: %s is of one place; write ${AWS::URLSuffix}, ${AWS::Region} or ${AWS::AccountId}", jobs[i].Template, found)
				}
				alike[string(content)] = append(alike[string(content)], jobs[i].Parameters)
			}
			var outputs []string
			for content, parameters := range alike {
				translated := filepath.Join(folder, fmt.Sprintf("%d-%s.json", len(outputs), region))
				if err := os.WriteFile(translated, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
				outputs = append(outputs, translated)
				if parameters[0] == "" { // a nested template, which is linted as it is written
					continue
				}
				arguments := append(append([]string{translated, "--regions", region}, lintArguments...), append([]string{"--parameter-files"}, parameters...)...)
				if output, content := run(t, nil, found.lint, arguments...); !content {
					t.Errorf("%s", output)
				}
			}
			for file, said := range found.judge(t, outputs...) {
				t.Errorf("%s breaks our rules: %s", filepath.Base(file), said)
			}
		})
	}
}

// The template that the documents show for an HTTP API of another stack is content for
// cfn-lint, and the same in both languages.
func TestTemplateOfOtherStacksIsAccepted(t *testing.T) {
	t.Parallel()
	found := findTools(t)
	shown := map[string]string{}
	for _, page := range []string{"forward-auth.md", "forward-auth.zh-CN.md"} {
		content, err := os.ReadFile(filepath.Join(root, "docs", page))
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(string(content), "\n## API Gateway\n")
		_, block, _ := strings.Cut(after, "\n```yaml\n")
		block, _, _ = strings.Cut(block, "\n```\n")
		shown[page] = block + "\n"
	}
	if shown["forward-auth.md"] != shown["forward-auth.zh-CN.md"] {
		t.Error("the two pages show two templates")
	}
	file := filepath.Join(t.TempDir(), "orders.yaml")
	if err := os.WriteFile(file, []byte(shown["forward-auth.md"]), 0o600); err != nil {
		t.Fatal(err)
	}
	arguments := append(slices.Clone(lintArguments), append([]string{"--regions"}, regions...)...)
	if output, content := run(t, nil, found.lint, append(arguments, "--", file)...); !content {
		t.Errorf("%s", output)
	}
}
