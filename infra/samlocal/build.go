package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
)

// certificateInContainer is where a container sees the file beside its program.
const certificateInContainer = "/var/task/" + certificateName

// build builds the functions for this machine and makes the built copy of the
// template one that SAM's own commands can run.
func (l *local) build(ctx context.Context, stack *cloudformation.Stack, s state) error {
	architecture, err := processor()
	if err != nil {
		return err
	}
	if _, err := os.Stat(l.sam); err != nil {
		return errors.New("the SAM command line is not installed (make tools)")
	}
	var output bytes.Buffer
	// `sam build` does not tell make which processor the template wants.
	build := program(ctx, l.samEnvironment("ARCH="+architecture), &output, l.sam, "build",
		"--template-file", "template.yaml", "--build-dir", l.buildFolder(), "--parameter-overrides", "Architecture="+architecture)
	build.Dir = l.source
	if err := build.Run(); err != nil {
		return fmt.Errorf("sam build: %w\n%s", err, output.String())
	}
	all, err := functions(stack, s)
	if err != nil {
		return err
	}
	certificate, err := os.ReadFile(l.certificatePath())
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	variables := map[string]map[string]string{}
	added := map[string]bool{}
	for _, f := range all {
		if err := os.WriteFile(filepath.Join(l.buildFolder(), f.ID, certificateName), certificate, 0o644); err != nil { //nolint:gosec // a container's user reads it
			return fmt.Errorf("place certificate: %w", err)
		}
		given := f.with(s.Containers, certificateInContainer)
		variables[f.ID] = given
		for name := range given {
			if _, ok := f.Variables[name]; !ok {
				added[name] = true
			}
		}
	}
	encoded, err := json.MarshalIndent(variables, "", "  ")
	if err != nil {
		return fmt.Errorf("write variables: %w", err)
	}
	if err := os.WriteFile(l.variablesPath(), encoded, 0o600); err != nil {
		return fmt.Errorf("write variables: %w", err)
	}
	path := filepath.Join(l.buildFolder(), "template.yaml")
	content, err := os.ReadFile(path) //nolint:gosec // what sam wrote
	if err != nil {
		return fmt.Errorf("read built template: %w", err)
	}
	if content, err = prepareTemplate(content, architecture, slices.Sorted(maps.Keys(added))); err != nil {
		return err
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return fmt.Errorf("write built template: %w", err)
	}
	return nil
}

// prepareTemplate declares variables for every function of a built template, because
// `sam local` hands on no others, and makes this machine's processor the usual one,
// so that nobody has to give it. The values are in the file of variables.
func prepareTemplate(content []byte, architecture string, names []string) ([]byte, error) {
	var document map[string]any
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("read built template: %w", err)
	}
	parameter, found := within(document, "Parameters", "Architecture")
	if !found {
		return nil, errors.New("prepare built template: it has no parameter Architecture")
	}
	parameter["Default"] = architecture
	place := document
	for _, name := range []string{"Globals", "Function", "Environment", "Variables"} {
		below, ok := place[name].(map[string]any)
		if !ok {
			below = map[string]any{}
			place[name] = below
		}
		place = below
	}
	for _, name := range names {
		place[name] = ""
	}
	prepared, err := yaml.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("write built template: %w", err)
	}
	return prepared, nil
}

// within returns the object at a path of names.
func within(document map[string]any, names ...string) (map[string]any, bool) {
	for _, name := range names {
		below, ok := document[name].(map[string]any)
		if !ok {
			return nil, false
		}
		document = below
	}
	return document, true
}
