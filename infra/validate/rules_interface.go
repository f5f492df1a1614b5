package main

import (
	"path/filepath"
	"regexp"
	"strings"
)

var reference = regexp.MustCompile(`\$\{([A-Za-z0-9]+)(\.[A-Za-z0-9.]+)?\}`)

// references returns the names that a template uses by Ref, Fn::GetAtt or Fn::Sub.
func references(t written) map[string]bool {
	used := map[string]bool{}
	walk(t.root, nil, func(_ []string, value any) {
		function := object(value)
		if name, ok := function["Ref"].(string); ok {
			used[name] = true
		}
		if path := list(function["Fn::GetAtt"]); len(path) > 0 {
			name, _ := path[0].(string)
			used[name] = true
		}
		pattern := list(function["Fn::Sub"])
		if len(pattern) == 0 {
			return
		}
		written, _ := pattern[0].(string)
		for _, found := range reference.FindAllStringSubmatch(written, -1) {
			used[found[1]] = true
		}
	})
	return used
}

// defaults are what a plain `sam deploy` chooses where it is not "none" (an empty
// text), with the reason.
func defaults() map[string]string {
	return map[string]string{
		"Architecture":       "arm64",                   // what `make build` builds; costs a fifth less
		"EgressMode":         "none",                    // costs nothing and opens nothing
		"NatGateways":        "1",                       // only for EgressMode nat; costs half of two
		"SessionLifetime":    "8h",                      // a working day
		"RotationDays":       "30",                      // what Secrets Manager proposes
		"CallbackDeployment": "Canary10Percent5Minutes", // a bad version is taken back after a tenth
		"LogRetentionDays":   "30",                      // long enough to look back, not for ever
	}
}

// checkParameters wants every parameter explained, used, and optional for a plain
// `sam deploy`, which must be a safe one.
func checkParameters(s stack) []string {
	var f faults
	for i, t := range s.templates() {
		used := references(t)
		sorted(t.section("Parameters"), func(name string, value any) {
			if text, _ := at(value, "Description").(string); text == "" {
				f.add("%s: parameter %s has no Description", t.name, name)
			}
			if !used[name] {
				f.add("%s: parameter %s is not used", t.name, name)
			}
			bounded := at(value, "AllowedPattern") != nil || at(value, "AllowedValues") != nil || at(value, "MaxLength") != nil || at(value, "MaxValue") != nil
			if i == 0 && !bounded {
				f.add("%s: parameter %s takes anything", t.name, name)
			}
			switch byDefault, there := object(value)["Default"]; {
			case i > 0 && there:
				f.add("%s: parameter %s has a Default; %s gives it", t.name, name, s.main.name)
			case i == 0 && !there:
				f.add("%s: parameter %s has no Default; a plain `sam deploy` would stop and ask", t.name, name)
			case i == 0 && byDefault != defaults()[name]:
				f.add("%s: parameter %s is %q by default, not %q", t.name, name, byDefault, defaults()[name])
			}
		})
	}
	return f
}

// checkOutputs wants every output explained, and told to nobody else.
func checkOutputs(s stack) []string {
	var f faults
	for _, t := range s.templates() {
		sorted(t.section("Outputs"), func(name string, value any) {
			if text, _ := at(value, "Description").(string); text == "" {
				f.add("%s: output %s has no Description", t.name, name)
			}
			if at(value, "Export") != nil {
				f.add("%s: output %s has an Export; a stack that uses it would hold this one", t.name, name)
			}
		})
	}
	return f
}

// checkNested compares what is given to a nested stack and taken from it with what
// its template has; CloudFormation does so only in the middle of a deployment.
func checkNested(s stack) []string {
	var f faults
	sorted(s.nested, func(id string, nested written) {
		given := object(s.main.resources()[id].properties["Parameters"])
		parameters := nested.section("Parameters")
		sorted(given, func(name string, _ any) {
			if parameters[name] == nil {
				f.add("%s is given the parameter %s, which %s does not have", id, name, nested.name)
			}
		})
		sorted(parameters, func(name string, value any) {
			if given[name] == nil && at(value, "Default") == nil {
				f.add("%s lacks the parameter %s of %s", id, name, nested.name)
			}
		})
	})
	walk(s.main.root, nil, func(_ []string, value any) {
		path := list(object(value)["Fn::GetAtt"])
		if len(path) != 2 {
			return
		}
		id, _ := path[0].(string)
		attribute, _ := path[1].(string)
		nested, isNested := s.nested[id]
		output, isOutput := strings.CutPrefix(attribute, "Outputs.")
		if isNested && (!isOutput || nested.section("Outputs")[output] == nil) {
			f.add("%s.%s is used, but %s has no such output", id, attribute, nested.name)
		}
	})
	return f
}

// files are the paths of all templates of the stack.
func (s stack) files() []string {
	files := []string{s.path}
	for _, t := range s.templates()[1:] {
		files = append(files, filepath.Join(filepath.Dir(s.path), filepath.FromSlash(t.name)))
	}
	return files
}
