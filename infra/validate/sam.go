package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
)

// samTool is AWS SAM's command line, and what Python has beside it: its translator
// and cfn-lint.
type samTool struct {
	program  string
	template string
	script   string // infra/tools/translate.py
}

func newSAM(template, root, program string) samTool {
	if program == "" {
		program = filepath.Join(root, ".tools", "sam", "bin", "sam")
	}
	return samTool{program: program, template: template, script: filepath.Join(root, "infra", "tools", "translate.py")}
}

// regions are one of each partition that the service is for.
func regions() []string { return []string{"eu-central-1", "cn-north-1"} }

// lint runs `sam validate --lint`.
func (t samTool) lint(ctx context.Context) (string, []string) {
	if fault := t.missing(); fault != "" {
		return "", []string{fault}
	}
	if _, err := command(ctx, t.program, "validate", "--lint", "--template-file", t.template); err != nil {
		return "", []string{err.Error()}
	}
	return "no fault", nil
}

// translateAll translates for one region of each partition and checks the results.
func (t samTool) translateAll(ctx context.Context) (string, []string) {
	if fault := t.missing(); fault != "" {
		return "", []string{fault}
	}
	var found []string
	for _, region := range regions() {
		for _, fault := range t.translate(ctx, region) {
			found = append(found, region+": "+fault)
		}
	}
	s, err := readStack(t.template)
	if err != nil {
		return "", append(found, err.Error())
	}
	nested := s.files()[1:]
	if len(nested) > 0 {
		found = append(found, t.cfnLint(ctx, regions(), nested...)...)
	}
	return strings.Join(regions(), ", ") + ", " + count(len(nested), "nested template"), found
}

// translate does what CloudFormation does with a SAM template first, and checks what
// comes of it.
func (t samTool) translate(ctx context.Context, region string) (found []string) {
	translated, err := command(ctx, t.beside("python"), t.script, t.template, region)
	if err != nil {
		return []string{err.Error()}
	}
	found = append(checkTranslated(translated), checkPartition(translated, region)...)
	folder, err := os.MkdirTemp("", "validate")
	if err != nil {
		return append(found, fmt.Sprintf("make folder: %v", err))
	}
	defer func() {
		if err := os.RemoveAll(folder); err != nil {
			found = append(found, fmt.Sprintf("remove folder: %v", err))
		}
	}()
	path := filepath.Join(folder, "translated.json")
	if err := os.WriteFile(path, translated, 0o600); err != nil {
		return append(found, fmt.Sprintf("write translation: %v", err))
	}
	return append(found, t.cfnLint(ctx, []string{region}, path)...)
}

// cfnLint runs cfn-lint. A warning is a fault, too, and so is data for which nobody
// says what becomes of it (I3011). Unused parameters (W2001) are left to our own
// rules: some are used by SAM itself and by nothing that comes of the translation.
func (t samTool) cfnLint(ctx context.Context, regions []string, paths ...string) []string {
	arguments := slices.Concat(
		[]string{"--format", "json", "--include-checks", "I3011", "--ignore-checks", "W2001", "--non-zero-exit-code", "informational", "--regions"},
		regions, []string{"--"}, paths)
	output, err := command(ctx, t.beside("cfn-lint"), arguments...)
	var findings []struct {
		Filename string
		Message  string
		Rule     struct{ ID string }
		Location struct{ Path []any }
	}
	if json.Unmarshal(output, &findings) != nil || (err != nil && len(findings) == 0) {
		return []string{fmt.Sprintf("cfn-lint gave no findings to read: %v", err)}
	}
	var found []string
	for _, f := range findings {
		var path []string
		for _, name := range f.Location.Path {
			path = append(path, fmt.Sprint(name))
		}
		place := strings.Join(path, ".")
		if name := filepath.Base(f.Filename); name != "translated.json" {
			place = name + " " + place
		}
		found = append(found, fmt.Sprintf("%s %s: %s", f.Rule.ID, place, f.Message))
	}
	return found
}

var partitioned = regexp.MustCompile(`\barn:(aws[a-z-]*):`)

// checkPartition looks for the names of one partition in what is made for another.
func checkPartition(translated []byte, region string) []string {
	own := cloudformation.Partition(region)
	for _, written := range partitioned.FindAllSubmatch(translated, -1) {
		if partition := string(written[1]); partition != own {
			return []string{"the translation has arn:" + partition + ":, of another partition"}
		}
	}
	return nil
}

// missing says what is not there of the tools.
func (t samTool) missing() string {
	for _, path := range []string{t.program, t.beside("python"), t.beside("cfn-lint"), t.script} {
		if _, err := os.Stat(path); err != nil {
			return fmt.Sprintf("%s is not there: `make tools` fetches AWS SAM's command line; the variable SAM names another one, with its Python beside it", path)
		}
	}
	return ""
}

// beside is a program of the Python that SAM runs with.
func (t samTool) beside(name string) string {
	program, err := filepath.EvalSymlinks(t.program)
	if err != nil {
		program = t.program
	}
	return filepath.Join(filepath.Dir(program), name)
}

// command runs a tool without input, credentials or telemetry, and returns its
// standard output; the error holds what it said on either.
func command(ctx context.Context, name string, arguments ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, name, arguments...) //nolint:gosec // the tools are the operator's
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "AWS_") {
			c.Env = append(c.Env, variable)
		}
	}
	c.Env = append(c.Env, "SAM_CLI_TELEMETRY=0", "AWS_EC2_METADATA_DISABLED=true", "PYTHONDONTWRITEBYTECODE=1")
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	if err := c.Run(); err != nil {
		text := strings.TrimSpace(strings.TrimSpace(said.String()) + "\n" + strings.TrimSpace(out.String()))
		return out.Bytes(), fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, text)
	}
	return out.Bytes(), nil
}
