package rehearsal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/wecom-signin/wecom-signin/infra/emulator"
)

const (
	moduleRoot = "../.."
	stackName  = "signin"
)

// stack is what `sam` makes of template.yaml, in an emulator.
type stack struct {
	aws *emulator.AWS
	sam string // SAM's command line
	// folder is where programs are built and the programs' temporary files are.
	folder string
}

// missing skips a test whose prerequisite is not there; where CI is set that is a
// failure.
func missing(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("deployment rehearsal: %s", reason)
	}
	t.Skipf("SKIP deployment rehearsal: %s", reason)
}

// findSAM returns SAM's command line: the one that SAM names, or that of .tools.
func findSAM(t *testing.T) string {
	t.Helper()
	sam := os.Getenv("SAM")
	if sam == "" {
		sam = filepath.Join(moduleRoot, ".tools", "sam", "bin", "sam")
	}
	if found, err := exec.LookPath(sam); err == nil {
		if absolute, err := filepath.Abs(found); err == nil {
			return absolute
		}
	}
	missing(t, "SAM's command line is not installed (make tools)")
	return ""
}

// processor is Lambda's name of this machine's.
func processor(t *testing.T) string {
	t.Helper()
	name := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	if _, err := exec.LookPath("make"); err != nil || name == "" || runtime.GOOS != "linux" {
		missing(t, "the functions are built by make and run on Linux")
	}
	return name
}

// run runs SAM's command line in the module, without a terminal, and returns what it
// prints.
func (s *stack) run(t *testing.T, environment []string, arguments ...string) (string, error) {
	t.Helper()
	return s.answer(t, "", environment, arguments...)
}

// answer runs SAM's command line with somebody who types these lines.
func (s *stack) answer(t *testing.T, typed string, environment []string, arguments ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), s.sam, arguments...)
	command.Dir, command.Stdin = moduleRoot, strings.NewReader(typed)
	for _, variable := range os.Environ() {
		// Below another make this one would wait for its job server; the tester's own
		// account is none of our business.
		if !strings.HasPrefix(variable, "MAKE") && !strings.HasPrefix(variable, "MFLAGS=") && !strings.HasPrefix(variable, "AWS_") {
			command.Env = append(command.Env, variable)
		}
	}
	command.Env = append(append(command.Env, s.aws.Environment()...), environment...)
	// SAM asks this often, in seconds, whether a stack is ready.
	command.Env = append(command.Env, "SAM_CLI_POLL_DELAY=0.3")
	output, err := command.CombinedOutput()
	return string(output), err
}

// dependOnSources makes this test's result depend on everything that is deployed: it
// looks at each file. SAM reads them in a process of its own, where `go test` sees
// nothing, and a kept result would be taken for the present one after a change.
func dependOnSources(t *testing.T) {
	t.Helper()
	for _, name := range []string{"functions", "shared", "infra/directory.yaml", "infra/domain.yaml", "infra/roles.yaml", "infra/network.yaml", "infra/monitoring.yaml", "template.yaml", "samconfig.toml", "Makefile", "go.mod", "go.sum"} {
		if err := filepath.WalkDir(filepath.Join(moduleRoot, name), func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				_, err = os.Stat(path)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// build builds all functions into a folder of this name. With a line every function
// prints it when it starts: that is other code.
func (s *stack) build(t *testing.T, name, line string) {
	t.Helper()
	environment := []string{"ARCH=" + processor(t)}
	if line != "" {
		environment = append(environment, "GOFLAGS=-overlay="+s.overlay(t, line))
	}
	output, err := s.run(t, environment, "build", "--build-dir", filepath.Join(s.folder, name))
	if err != nil {
		t.Fatalf("sam build: %v\n%s", err, output)
	}
}

// overlay adds a file to every function's program and returns what go build calls an
// overlay.
func (s *stack) overlay(t *testing.T, line string) string {
	t.Helper()
	added := filepath.Join(s.folder, "starting.go")
	code := fmt.Sprintf("package main\n\nimport \"os\"\n\nfunc init() { _, _ = os.Stderr.WriteString(%q) }\n", line+"\n")
	mains, err := filepath.Glob(moduleRoot + "/functions/*/lambda")
	if err != nil || len(mains) == 0 {
		t.Fatal("there are no functions", err)
	}
	replace := map[string]string{}
	for _, folder := range mains {
		absolute, err := filepath.Abs(folder)
		if err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(absolute, "starting.go")] = added
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.folder, "overlay.json")
	if err := errors.Join(os.WriteFile(added, []byte(code), 0o600), os.WriteFile(file, content, 0o600)); err != nil {
		t.Fatal(err)
	}
	return file
}

// edit writes a copy of a built template with a change, and returns its name.
func (s *stack) edit(t *testing.T, build, name string, change func(template *yaml.Node)) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(s.folder, build, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var template yaml.Node
	if err := yaml.Unmarshal(content, &template); err != nil {
		t.Fatal(err)
	}
	change(template.Content[0])
	changed, err := yaml.Marshal(&template)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(changed, content) {
		t.Fatalf("%s changes nothing", name)
	}
	if err := os.WriteFile(filepath.Join(s.folder, build, name), changed, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// child returns a value of a mapping by its path of keys.
func child(t *testing.T, node *yaml.Node, path ...string) *yaml.Node {
	t.Helper()
	for _, key := range path {
		i := slices.IndexFunc(node.Content, func(n *yaml.Node) bool { return n.Value == key })
		if node.Kind != yaml.MappingNode || i < 0 || i+1 >= len(node.Content) {
			t.Fatalf("the template has no %s", strings.Join(path, "."))
		}
		node = node.Content[i+1]
	}
	return node
}

// deploy deploys a built template with parameters, as `NAME=value`.
func (s *stack) deploy(t *testing.T, build, template string, parameters []string) error {
	t.Helper()
	root, err := filepath.Abs(moduleRoot)
	if err != nil {
		t.Fatal(err)
	}
	output, err := s.run(
		t, nil, append([]string{
			"deploy", "--template-file", filepath.Join(s.folder, build, template),
			"--config-file", filepath.Join(root, "samconfig.toml"), "--stack-name", stackName,
			"--no-confirm-changeset", "--no-progressbar", "--parameter-overrides",
		}, parameters...)...,
	)
	if err != nil {
		return fmt.Errorf("sam deploy: %w\n%s", err, output)
	}
	return nil
}
