package templatetest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	root     = "../.."
	template = "template.yaml"
)

// regions are one of each partition that the service is for.
var regions = []string{"eu-central-1", "cn-north-1"}

// tools are AWS SAM's command line, the Python and cfn-lint beside it, and cfn-guard.
type tools struct{ sam, python, lint, guard string }

func findTools(t *testing.T) tools {
	t.Helper()
	sam := os.Getenv("SAM")
	if sam == "" {
		sam = filepath.Join(root, ".tools", "sam", "bin", "sam")
	}
	if followed, err := filepath.EvalSymlinks(sam); err == nil {
		sam = followed
	}
	beside := func(name string) string { return filepath.Join(filepath.Dir(sam), name) }
	found := tools{sam, beside("python"), beside("cfn-lint"), filepath.Join(root, ".tools", "cfn-guard", "bin", "cfn-guard")}
	for _, program := range []string{found.sam, found.python, found.lint, found.guard} {
		if _, err := os.Stat(program); err != nil && os.Getenv("CI") != "" {
			t.Fatalf("template: %s is not installed (make tools)", program)
		} else if err != nil {
			t.Skipf("SKIP template: %s is not installed (make tools)", program)
		}
	}
	return found
}

// run runs a tool without credentials and returns what it prints, and whether it was
// content.
func run(t *testing.T, input []byte, program string, arguments ...string) (output []byte, content bool) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program, arguments...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "AWS_") {
			command.Env = append(command.Env, variable)
		}
	}
	command.Env = append(command.Env, "SAM_CLI_TELEMETRY=0", "PYTHONDONTWRITEBYTECODE=1")
	var complaints bytes.Buffer
	command.Stdin, command.Stderr = bytes.NewReader(input), &complaints
	output, err := command.Output()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	return append(output, complaints.Bytes()...), err == nil
}

// job is what infra/tools/translate.py does at once.
type job struct {
	Template   string `json:"template"`
	Region     string `json:"region"`
	Parameters string `json:"parameters"`
	Output     string `json:"output"`
}

// translate translates and returns the causes for which each job was refused.
func (found tools) translate(t *testing.T, jobs []job) [][]string {
	t.Helper()
	input, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	output, content := run(t, input, found.python, filepath.Join(root, "infra/tools/translate.py"))
	var refused [][]string
	if err := json.Unmarshal(output, &refused); err != nil || !content || len(refused) != len(jobs) {
		t.Fatalf("translate: %v\n%s", err, output)
	}
	return refused
}

// judge runs cfn-guard and returns what it says of each file that breaks a rule.
func (found tools) judge(t *testing.T, files ...string) map[string]string {
	t.Helper()
	arguments := []string{"validate", "--rules", "rules.guard", "--structured", "--output-format", "json", "--show-summary", "none", "--data"}
	output, _ := run(t, nil, found.guard, append(arguments, files...)...)
	var reports []struct {
		Name         string
		NotCompliant json.RawMessage `json:"not_compliant"`
		Compliant    []string
	}
	if err := json.Unmarshal(output, &reports); err != nil || len(reports) != len(files) {
		t.Fatalf("cfn-guard: %v\n%s", err, output)
	}
	broken := map[string]string{}
	for _, report := range reports {
		if text := string(report.NotCompliant); text != "[]" {
			broken[report.Name] = text
		} else if len(report.Compliant) == 0 {
			broken[report.Name] = "no rule is about it"
		}
	}
	return broken
}

// lintArguments make a warning of cfn-lint a fault. Whether SAM itself uses a parameter
// does not show in a translation (W2001).
var lintArguments = []string{"--ignore-checks", "W2001", "--non-zero-exit-code", "informational"}
