package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
)

// written is a template as it stands in its file: objects, lists, and every scalar
// as text. Short functions (!Ref) have their long form, nothing is resolved: rules
// ask where a value comes from.
type written struct {
	name string // for faults
	root map[string]any
	// evaluable is the same for package cloudformation; nil when it refuses the file,
	// for the reason in unreadable, which checkReferences tells.
	evaluable  *cloudformation.Template
	unreadable error
}

// stack is a template with the templates that it nests, by logical id.
type stack struct {
	path   string
	main   written
	nested map[string]written
}

// templates returns all templates of the stack, the main one first.
func (s stack) templates() []written {
	all := []written{s.main}
	for _, id := range slices.Sorted(maps.Keys(s.nested)) {
		all = append(all, s.nested[id])
	}
	return all
}

// readStack reads a template and the local ones that it nests.
func readStack(path string) (stack, error) {
	root, err := readWritten(path, filepath.Base(path))
	if err != nil {
		return stack{}, err
	}
	s := stack{path: path, main: root, nested: map[string]written{}}
	for id, r := range root.resources("AWS::CloudFormation::Stack") {
		address, _ := r.properties["TemplateURL"].(string)
		if kinds()[address] == nil {
			return stack{}, fmt.Errorf("%s: TemplateURL must be one of %s", id, strings.Join(slices.Sorted(maps.Keys(kinds())), ", "))
		}
		nested, err := readWritten(filepath.Join(filepath.Dir(path), filepath.FromSlash(address)), address)
		if err != nil {
			return stack{}, fmt.Errorf("%s: %w", id, err)
		}
		s.nested[id] = nested
	}
	return s, nil
}

func readWritten(path, name string) (written, error) {
	content, err := os.ReadFile(path) //nolint:gosec // the operator's own template
	if err != nil {
		return written{}, fmt.Errorf("read template: %w", err)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return written{}, fmt.Errorf("read %s: %w", name, err)
	}
	value, err := asWritten(&document)
	if err != nil {
		return written{}, fmt.Errorf("read %s: %w", name, err)
	}
	root, ok := value.(map[string]any)
	if !ok {
		return written{}, fmt.Errorf("read %s: it is no object", name)
	}
	w := written{name: name, root: root}
	if w.evaluable, err = cloudformation.Read(bytes.NewReader(content)); err != nil {
		w.unreadable = fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

func asWritten(node *yaml.Node) (any, error) {
	value, err := plain(node)
	if err != nil || !strings.HasPrefix(node.Tag, "!") || strings.HasPrefix(node.Tag, "!!") {
		return value, err
	}
	function := strings.TrimPrefix(node.Tag, "!")
	if function == "GetAtt" {
		if text, ok := value.(string); ok {
			resource, attribute, _ := strings.Cut(text, ".")
			value = []any{resource, attribute}
		}
	}
	if function != "Ref" && function != "Condition" {
		function = "Fn::" + function
	}
	return map[string]any{function: value}, nil
}

func plain(node *yaml.Node) (any, error) {
	switch node.Kind {
	case yaml.DocumentNode:
		return asWritten(node.Content[0])
	case yaml.AliasNode:
		return asWritten(node.Alias)
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		var faults []error
		for i, element := range node.Content {
			var err error
			list[i], err = asWritten(element)
			faults = append(faults, err)
		}
		return list, errors.Join(faults...)
	case yaml.MappingNode:
		object := map[string]any{}
		var faults []error
		for i := 0; i+1 < len(node.Content); i += 2 {
			name := node.Content[i].Value
			if _, twice := object[name]; twice {
				faults = append(faults, fmt.Errorf("line %d: %s is there twice", node.Content[i].Line, name))
			}
			value, err := asWritten(node.Content[i+1])
			object[name] = value
			faults = append(faults, err)
		}
		return object, errors.Join(faults...)
	}
	return node.Value, nil
}

// resource is one resource as written.
type resource struct {
	kind       string
	attributes map[string]any
	properties map[string]any
}

// resources returns the resources of the given types, or all of them.
func (w written) resources(kinds ...string) map[string]resource {
	found := map[string]resource{}
	for id, value := range w.section("Resources") {
		attributes := object(value)
		kind, _ := attributes["Type"].(string)
		if len(kinds) == 0 || slices.Contains(kinds, kind) {
			found[id] = resource{kind: kind, attributes: attributes, properties: object(attributes["Properties"])}
		}
	}
	return found
}

func (w written) section(name string) map[string]any { return object(w.root[name]) }

// functionProperty is a property of a function, or what the Globals say of it.
func (w written) functionProperty(r resource, name string) any {
	if value, ok := r.properties[name]; ok {
		return value
	}
	return object(w.section("Globals")["Function"])[name]
}

// object returns a value as an object; anything else has no members.
func object(value any) map[string]any {
	o, _ := value.(map[string]any)
	return o
}

// list returns a value as a list; one that is none is a list of itself.
func list(value any) []any {
	switch value := value.(type) {
	case nil:
		return nil
	case []any:
		return value
	}
	return []any{value}
}

// at goes down by names.
func at(value any, names ...string) any {
	for _, name := range names {
		value = object(value)[name]
	}
	return value
}

// choices are what a value can be: both branches of a condition, without "no value".
func choices(value any) []any {
	if branches, ok := object(value)["Fn::If"].([]any); ok && len(branches) == 3 {
		return slices.Concat(choices(branches[1]), choices(branches[2]))
	}
	if object(value)["Ref"] == "AWS::NoValue" || value == nil {
		return nil
	}
	return []any{value}
}

// text is a value in the notation of Fn::Sub: ${Resource.Attribute}. It is false for
// what cannot be said so.
func text(value any) (string, bool) {
	if plain, ok := value.(string); ok {
		return plain, true
	}
	function := object(value)
	if len(function) != 1 {
		return "", false
	}
	if name, ok := function["Ref"].(string); ok {
		return "${" + name + "}", true
	}
	if path, ok := function["Fn::GetAtt"].([]any); ok && len(path) == 2 {
		return fmt.Sprintf("${%v.%v}", path[0], path[1]), true
	}
	if pattern, ok := function["Fn::Sub"].(string); ok {
		return pattern, true
	}
	return "", false
}

// walk visits every value below one, with the names that lead to it.
func walk(value any, path []string, visit func(path []string, value any)) {
	visit(path, value)
	switch value := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			walk(value[name], append(slices.Clip(path), name), visit)
		}
	case []any:
		for i, element := range value {
			walk(element, append(slices.Clip(path), fmt.Sprint(i)), visit)
		}
	}
}
