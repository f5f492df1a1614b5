package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	folder     = "deployments"
	globalPart = "default.global.parameters"
	buildPart  = "default.build.parameters"
	deployPart = "default.deploy.parameters"
)

// fileOf is where the answers for a stack are kept, relative to the repository.
func fileOf(stack string) string { return filepath.Join(folder, stack+".toml") }

// setting is one line of a configuration file of SAM; value is written as TOML.
type setting struct{ key, value string }

// readConfig reads the sections of such a file. It knows as much of TOML as samconfig.toml
// and the files of this program use: one line for each value.
func readConfig(content string) (map[string][]setting, error) {
	sections := map[string][]setting{}
	section := ""
	for number, line := range strings.Split(content, "\n") {
		line = strings.TrimSpace(line)
		switch name, isSection := strings.CutPrefix(line, "["); {
		case line == "" || line[0] == '#':
		case isSection && strings.HasSuffix(name, "]"):
			section = strings.TrimSuffix(name, "]")
		default:
			key, value, ok := strings.Cut(line, " = ")
			if key = strings.TrimSpace(key); !ok || strings.ContainsAny(key, "\"'. ") {
				return nil, fmt.Errorf("line %d is not KEY = VALUE", number+1)
			}
			sections[section] = append(sections[section], setting{key, strings.TrimSpace(value)})
		}
	}
	return sections, nil
}

// textIn returns a string of a section, or empty.
func textIn(settings []setting, key string) (string, error) {
	for _, s := range settings {
		if s.key != key {
			continue
		}
		// What a basic string of TOML and a string of Go have in common.
		text, err := strconv.Unquote(s.value)
		if err != nil || !strings.HasPrefix(s.value, `"`) {
			return "", fmt.Errorf("%s is no string in double quotes on one line", key)
		}
		return text, nil
	}
	return "", nil
}

// basicString writes a string of TOML. Control characters do not come here: quote
// refuses them.
func basicString(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// write returns the configuration file of a stack. What is no answer, such as the
// capabilities, is taken from samconfig.toml.
func (a answers) write(samconfig string) (string, error) {
	base, err := readConfig(samconfig)
	if err != nil {
		return "", fmt.Errorf("read samconfig.toml: %w", err)
	}
	var overrides []string
	var faults []error
	for name, value := range a.parameters {
		quoted, err := quote(name, value)
		faults = append(faults, err)
		overrides = append(overrides, quoted)
	}
	if err := errors.Join(faults...); err != nil {
		return "", err
	}
	slices.Sort(overrides)
	var file strings.Builder
	fmt.Fprintf(&file, "# The answers given to `make deploy` for the stack %s; `sam` reads them, too.\n# Nothing here is secret but the path of a relay's WeComApiUrl, its password.\n# Keep it in a repository of your own.\nversion = 0.1\n", a.stack)
	part := func(name string, settings ...setting) {
		fmt.Fprintf(&file, "\n[%s]\n", name)
		for _, s := range settings {
			fmt.Fprintf(&file, "%s = %s\n", s.key, s.value)
		}
	}
	part(globalPart, setting{"stack_name", basicString(a.stack)}, setting{"region", basicString(a.region)})
	part(buildPart, base[buildPart]...)
	own := []setting{{"s3_prefix", basicString(a.stack)}, {"parameter_overrides", basicString(strings.Join(overrides, " "))}}
	taken := slices.DeleteFunc(slices.Clone(base[deployPart]), func(s setting) bool {
		return s.key == "stack_name" || s.key == "region" || slices.ContainsFunc(own, func(o setting) bool { return o.key == s.key })
	})
	part(deployPart, append(taken, own...)...)
	return file.String(), nil
}

// readAnswers returns the answers in a configuration file that write wrote.
func readAnswers(content string) (answers, error) {
	sections, err := readConfig(content)
	if err != nil {
		return answers{}, err
	}
	stack, err1 := textIn(sections[globalPart], "stack_name")
	region, err2 := textIn(sections[globalPart], "region")
	overrides, err3 := textIn(sections[deployPart], "parameter_overrides")
	if err := errors.Join(err1, err2, err3); err != nil {
		return answers{}, err
	}
	if stack == "" || region == "" || overrides == "" {
		return answers{}, errors.New("stack_name, region or parameter_overrides is missing")
	}
	parameters, err := unquote(overrides)
	if err != nil {
		return answers{}, err
	}
	return answers{stack: stack, region: region, parameters: parameters}, nil
}

// kept returns the answers for a stack, and whether there are any.
func kept(root, stack string) (answers, bool, error) {
	content, err := os.ReadFile(filepath.Join(root, fileOf(stack))) //nolint:gosec // the name of a stack is checked
	if errors.Is(err, fs.ErrNotExist) {
		return answers{}, false, nil
	}
	if err != nil {
		return answers{}, false, fmt.Errorf("read answers: %w", err)
	}
	a, err := readAnswers(string(content))
	if err == nil && a.stack != stack {
		err = fmt.Errorf("it is for the stack %s", a.stack)
	}
	if err != nil {
		return answers{}, false, fmt.Errorf("read %s: %w", fileOf(stack), err)
	}
	return a, true, nil
}

// keptStacks returns the names of stacks with answers.
func keptStacks(root string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(root, folder, "*.toml"))
	if err != nil {
		return nil, fmt.Errorf("look for answers: %w", err)
	}
	var names []string
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".toml"); stackName.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// keep writes the answers as a whole or not at all.
func (a answers) keep(root, samconfig string) error {
	content, err := a.write(samconfig)
	if err != nil {
		return fmt.Errorf("keep answers: %w", err)
	}
	if back, err := readAnswers(content); err != nil || back.stack != a.stack || back.region != a.region || !maps.Equal(back.parameters, a.parameters) {
		return errors.New("keep answers: they would not be read as they were given")
	}
	path := filepath.Join(root, fileOf(a.stack))
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("keep answers: %w", err)
	}
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		return fmt.Errorf("keep answers: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("keep answers: %w", err)
	}
	return nil
}
