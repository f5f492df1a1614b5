package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/version"
)

// bom is a CycloneDX document, as far as it is checked here.
type bom struct {
	BOMFormat   string `json:"bomFormat"`
	SpecVersion string `json:"specVersion"`
	Components  []component
}

type component struct {
	Name, Version string
	Evidence      struct {
		Licenses []struct{ License struct{ ID, Name string } }
	}
}

// allowedLicences are those that a module in the programs may have: they ask for
// their text to be kept, and for nothing of what is combined with them.
func allowedLicences() []string {
	return []string{
		"Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC",
		// What the tool takes for the licence of golang.org/x, which is BSD-3-Clause.
		"BSD-Source-Code",
	}
}

// writeSBOM writes what the programs are made of.
func writeSBOM(ctx context.Context, root, tool, to string, out io.Writer) error {
	document, err := describe(ctx, root, tool)
	if err != nil {
		return err
	}
	linked, err := linkedModules(ctx, root)
	if err != nil {
		return err
	}
	if err := check(document, linked); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	if err := os.WriteFile(to, document, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", to, err)
	}
	fmt.Fprintf(out, "%s: %d modules in version %s\n", to, len(linked), version.Version)
	return nil
}

// describe has cyclonedx-gomod describe all programs. It describes one at a time, so
// it works on a copy with one program more, which imports what all of them import.
// It takes the version from git; the copy is a repository of its own with a tag.
func describe(ctx context.Context, root, tool string) (document []byte, err error) {
	tool, err = filepath.Abs(tool)
	if err != nil {
		return nil, fmt.Errorf("find tool: %w", err)
	}
	folder, err := os.MkdirTemp("", "sbom")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := copySource(root, folder); err != nil {
		return nil, err
	}
	imports, err := command(ctx, folder, nil, "go", "list", "-f", `{{join .Imports "\n"}}`, "./functions/.../lambda")
	if err != nil {
		return nil, err
	}
	program := "package main\n\n"
	for _, path := range slices.Compact(slices.Sorted(strings.FieldsSeq(string(imports)))) {
		program += fmt.Sprintf("import _ %q\n", path)
	}
	if err := os.Mkdir(filepath.Join(folder, "all"), 0o700); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "all", "main.go"), []byte(program+"\nfunc main() {}\n"), 0o600); err != nil {
		return nil, fmt.Errorf("write program: %w", err)
	}
	// No settings of whoever runs this.
	git := []string{"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_SYSTEM=" + os.DevNull, "GIT_DIR=" + filepath.Join(folder, ".git"), "GIT_WORK_TREE=" + folder}
	for _, arguments := range [][]string{
		{"init", "--quiet"},
		{"-c", "user.name=release", "-c", "user.email=release@localhost", "commit", "--quiet", "--allow-empty", "--message", version.Version},
		{"tag", "v" + version.Version},
	} {
		if _, err := command(ctx, folder, git, "git", arguments...); err != nil {
			return nil, err
		}
	}
	environment, err := buildEnvironment(ctx, folder, architectures()[0])
	if err != nil {
		return nil, err
	}
	document, err = command(ctx, folder, environment, tool,
		"app", "-json", "-output-version", "1.6", "-licenses", "-std", "-noserial", "-notimestamp", "-short-purls", "-main", "all", folder)
	if err != nil {
		return nil, fmt.Errorf("describe programs: %w", err)
	}
	return document, nil
}

// goBuild finds in the recipe of `make build` what decides which modules are linked:
// the environment and the tags.
var goBuild = regexp.MustCompile(`((?:[A-Z][A-Z0-9_]*=\S+\s+)+)go build (?:[^\n]* )?-tags[ =](\S+) `)

// buildEnvironment is what `make build` says of the programs, for the Go command and
// for tools that call it.
func buildEnvironment(ctx context.Context, root, architecture string) ([]string, error) {
	recipe, err := command(ctx, root, nil, "make", "--silent", "--dry-run", "build", "ARCH="+architecture)
	if err != nil {
		return nil, err
	}
	found := goBuild.FindSubmatch(recipe)
	if found == nil {
		return nil, errors.New("`make build` does not say how the programs are built: no environment and -tags before its `go build`")
	}
	return append(strings.Fields(string(found[1])), "GOFLAGS=-buildvcs=false -tags="+string(found[2])), nil
}

// linkedModules returns "path@version" of the modules in the programs, as the Go
// command says for each architecture.
func linkedModules(ctx context.Context, root string) ([]string, error) {
	found := map[string]bool{}
	for _, architecture := range architectures() {
		environment, err := buildEnvironment(ctx, root, architecture)
		if err != nil {
			return nil, err
		}
		list, err := command(ctx, root, environment, "go", "list", "-deps",
			"-f", `{{with .Module}}{{if not .Main}}{{.Path}}@{{.Version}}{{end}}{{end}}`, "./functions/.../lambda")
		if err != nil {
			return nil, err
		}
		for module := range strings.FieldsSeq(string(list)) {
			found[module] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// check holds a document against the modules that are linked, and its licences
// against the allowed ones.
func check(document []byte, linked []string) error {
	var b bom
	if err := json.Unmarshal(document, &b); err != nil {
		return fmt.Errorf("read list of modules: %w", err)
	}
	var faults []error
	if b.BOMFormat != "CycloneDX" || b.SpecVersion != "1.6" {
		faults = append(faults, fmt.Errorf("the list is %s %s, not CycloneDX 1.6", b.BOMFormat, b.SpecVersion))
	}
	listed := map[string]bool{}
	for _, c := range b.Components {
		if c.Name == "std" { // Go itself, BSD-3-Clause, which the tool does not look at
			continue
		}
		module := c.Name + "@" + c.Version
		listed[module] = true
		if !slices.Contains(linked, module) {
			faults = append(faults, fmt.Errorf("%s is in the list, but not in the programs", module))
		}
		if len(c.Evidence.Licenses) == 0 {
			faults = append(faults, fmt.Errorf("%s has no licence that the tool knows", module))
		}
		for _, l := range c.Evidence.Licenses {
			if !slices.Contains(allowedLicences(), l.License.ID) {
				faults = append(faults, fmt.Errorf("%s has the licence %q, which is not among the allowed ones", module, l.License.ID+l.License.Name))
			}
		}
	}
	for _, module := range linked {
		if !listed[module] {
			faults = append(faults, fmt.Errorf("%s is in the programs, but not in the list", module))
		}
	}
	return errors.Join(faults...)
}
