package rehearsal_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/awsstack"
)

const (
	moduleRoot = "../.."
	stackName  = "signin"
)

// sam is SAM's command line with an account at hand.
type sam struct {
	program     string
	environment []string
	// folder is where programs are built.
	folder string
	// source is the checkout that they are built from.
	source string
}

// former is a checkout of an earlier release, which then is deployed first. Empty: the
// first deployment is of the same code as the others.
func former() string { return os.Getenv("REHEARSAL_FROM") }

// findSAM returns SAM's command line: the one that SAM names, or that of .tools.
func findSAM(t *testing.T) string {
	t.Helper()
	program := os.Getenv("SAM")
	if program == "" {
		program = filepath.Join(moduleRoot, ".tools", "sam", "bin", "sam")
	}
	found, err := exec.LookPath(program)
	if err == nil {
		found, err = filepath.Abs(found)
	}
	if err != nil {
		awsstack.Missing(t, "deployment rehearsal", "SAM's command line is not installed (make tools)")
	}
	return found
}

// run runs SAM's command line in the checkout, without a terminal.
func (s *sam) run(t *testing.T, environment []string, arguments ...string) error {
	t.Helper()
	return s.answer(t, "", environment, arguments...)
}

// answer runs SAM's command line with somebody who types these lines.
func (s *sam) answer(t *testing.T, typed string, environment []string, arguments ...string) error {
	t.Helper()
	command := exec.CommandContext(t.Context(), s.program, arguments...)
	command.Dir, command.Stdin = s.source, strings.NewReader(typed)
	// SAM asks this often, in seconds, whether a stack is ready.
	command.Env = append(append(awsstack.OutsideMake(), s.environment...), "SAM_CLI_POLL_DELAY=1")
	command.Env = append(command.Env, environment...)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("sam %s: %w\n%s", arguments[0], err, output)
	}
	return nil
}

// build builds the functions and the template. A line, when there is one, is printed by
// every function at its start: another build of the same code.
func (s *sam) build(t *testing.T, name, line string) {
	t.Helper()
	environment := []string{"ARCH=" + awsstack.Architecture(t)}
	if line != "" {
		environment = append(environment, "GOFLAGS=-overlay="+s.overlay(t, line))
	}
	must(t, s.run(t, environment, "build", "--build-dir", filepath.Join(s.folder, name)))
}

// firstBuild is the build of the code as it is, or of the former release, for every
// deployment: made once.
var firstBuild struct {
	sync.Once
	folder string
}

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(firstBuild.folder)
	os.Exit(code)
}

// buildFirst puts it beside the builds of one deployment.
func (s *sam) buildFirst(t *testing.T) {
	t.Helper()
	firstBuild.Do(func() {
		var err error
		firstBuild.folder, err = os.MkdirTemp("", "rehearsal")
		must(t, err)
		(&sam{s.program, s.environment, firstBuild.folder, cmp.Or(former(), moduleRoot)}).build(t, "first", "")
	})
	must(t, os.Symlink(filepath.Join(firstBuild.folder, "first"), filepath.Join(s.folder, "first")))
}

// overlay adds a file to every function's program and returns what go build calls an
// overlay.
func (s *sam) overlay(t *testing.T, line string) string {
	t.Helper()
	mains, err := filepath.Glob(moduleRoot + "/functions/*/lambda")
	if err != nil || len(mains) == 0 {
		t.Fatal("there are no functions", err)
	}
	added := filepath.Join(s.folder, "starting.go")
	replace := map[string]string{}
	for _, folder := range mains {
		absolute, err := filepath.Abs(folder)
		must(t, err)
		replace[filepath.Join(absolute, "starting.go")] = added
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	must(t, err)
	code := fmt.Sprintf("package main\n\nimport \"os\"\n\nfunc init() { _, _ = os.Stderr.WriteString(%q) }\n", line+"\n")
	file := filepath.Join(s.folder, "overlay.json")
	must(t, errors.Join(os.WriteFile(added, []byte(code), 0o600), os.WriteFile(file, content, 0o600)))
	return file
}

// addResource writes a copy of a built template with one more resource, in YAML, and
// returns its name.
func (s *sam) addResource(t *testing.T, build, id, resource string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.folder, build, "template.yaml"))
	must(t, err)
	changed := strings.Replace(string(content), "\nResources:\n", "\nResources:\n  "+id+": "+strings.Join(strings.Fields(resource), " ")+"\n", 1)
	if changed == string(content) {
		t.Fatal("nothing is added")
	}
	name := id + ".yaml"
	must(t, os.WriteFile(filepath.Join(s.folder, build, name), []byte(changed), 0o600))
	return name
}

// deploy deploys a built template with parameters, as NAME=value.
func (s *sam) deploy(t *testing.T, build, template string, parameters []string) error {
	t.Helper()
	root, err := filepath.Abs(moduleRoot)
	must(t, err)
	return s.run(
		t, nil, append([]string{
			"deploy", "--template-file", filepath.Join(s.folder, build, template),
			"--config-file", filepath.Join(root, "samconfig.toml"), "--stack-name", stackName,
			"--no-confirm-changeset", "--no-progressbar", "--parameter-overrides",
		}, parameters...)...,
	)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
