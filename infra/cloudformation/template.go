package cloudformation

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Template is a template as it was written, with short functions (!Ref) in their
// long form.
type Template struct {
	parameters map[string]parameter
	mappings   map[string]any
	rules      map[string]any
	conditions map[string]any
	resources  map[string]definition
	outputs    map[string]any
	// made are the logical ids that SAM makes of others, with their types.
	made map[string]string
}

// definition is a resource as it was written.
type definition struct {
	Resource
	condition string
}

// sections are what a template may have.
var sections = []string{
	"AWSTemplateFormatVersion", "Transform", "Description", "Metadata", "Parameters", "Mappings", "Rules",
	"Conditions", "Globals", "Resources", "Outputs",
}

// ReadFile reads the template in a file.
func ReadFile(path string) (*Template, error) {
	file, err := os.Open(path) //nolint:gosec // the caller's own template
	if err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	defer func() { _ = file.Close() }()
	template, err := Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return template, nil
}

// Read reads a template. All faults are reported together.
func Read(r io.Reader) (*Template, error) {
	var document yaml.Node
	if err := yaml.NewDecoder(r).Decode(&document); err != nil {
		return nil, fmt.Errorf("read template: %w", err)
	}
	read := reader{}
	root, ok := read.value("", &document).(map[string]any)
	if !ok && len(read.faults) == 0 {
		return nil, errors.New("read template: it is no object")
	}
	t := read.template(root)
	if len(read.faults) == 0 {
		read.check(t)
	}
	if len(read.faults) > 0 {
		slices.SortFunc(read.faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return nil, fmt.Errorf("read template: %w", errors.Join(read.faults...))
	}
	return t, nil
}

// reader collects faults.
type reader struct{ faults []error }

func (r *reader) fault(place, format string, values ...any) {
	r.faults = append(r.faults, at(place, fmt.Errorf(format, values...)))
}

// at says where in a template an error is, unless that is known already.
func at(place string, err error) error {
	if _, placed := errors.AsType[*placedError](err); placed || err == nil {
		return err
	}
	return &placedError{place, err}
}

type placedError struct {
	place string
	err   error
}

func (e *placedError) Error() string { return strings.TrimPrefix(e.place, ".") + ": " + e.err.Error() }
func (e *placedError) Unwrap() error { return e.err }

// value turns YAML into strings, numbers, booleans, lists and maps.
func (r *reader) value(place string, node *yaml.Node) any {
	if node.Tag != "" && strings.HasPrefix(node.Tag, "!") && !strings.HasPrefix(node.Tag, "!!") {
		return r.short(place, node)
	}
	switch node.Kind {
	case yaml.DocumentNode:
		return r.value(place, node.Content[0])
	case yaml.AliasNode:
		return r.value(place, node.Alias)
	case yaml.SequenceNode:
		list := make([]any, len(node.Content))
		for i, element := range node.Content {
			list[i] = r.value(fmt.Sprintf("%s[%d]", place, i), element)
		}
		return list
	case yaml.MappingNode:
		object := make(map[string]any, len(node.Content)/2)
		for i := 0; i+1 < len(node.Content); i += 2 {
			name := node.Content[i].Value
			if _, twice := object[name]; twice {
				r.fault(place+"."+name, "it is there twice")
			}
			object[name] = r.value(place+"."+name, node.Content[i+1])
		}
		return object
	}
	return r.scalar(place, node)
}

func (r *reader) scalar(place string, node *yaml.Node) any {
	var err error
	if digits := node.Value; len(digits) > 1 && strings.Trim(digits, "0123456789") == "" && digits[0] == '0' {
		return digits // an account number keeps its zeros
	}
	switch node.Tag {
	case "!!bool":
		var value bool
		if err = node.Decode(&value); err == nil {
			return value
		}
	case "!!int":
		var value int64
		if err = node.Decode(&value); err == nil {
			return value
		}
	case "!!float":
		var value float64
		if err = node.Decode(&value); err == nil {
			return value
		}
	case "!!null":
		err = errors.New("it is null, which CloudFormation refuses")
	case "!!str", "!!timestamp": // a date is text for CloudFormation
		return node.Value
	default:
		err = fmt.Errorf("unknown tag %s", node.Tag)
	}
	if err != nil {
		r.fault(place, "%w", err)
	}
	return nil
}

// shortForms are the functions that have one, by their tag.
var shortForms = map[string]string{
	"!Ref": "Ref", "!Condition": "Condition", "!And": "Fn::And", "!Base64": "Fn::Base64", "!Equals": "Fn::Equals",
	"!FindInMap": "Fn::FindInMap", "!GetAtt": "Fn::GetAtt", "!GetAZs": "Fn::GetAZs", "!If": "Fn::If", "!Join": "Fn::Join",
	"!Not": "Fn::Not", "!Or": "Fn::Or", "!Select": "Fn::Select", "!Split": "Fn::Split", "!Sub": "Fn::Sub",
}

func (r *reader) short(place string, node *yaml.Node) any {
	name, known := shortForms[node.Tag]
	if !known {
		r.fault(place, "unknown function %s", node.Tag)
		return nil
	}
	plain := *node
	plain.Tag = ""
	if plain.Kind == yaml.ScalarNode {
		// !Select 1 and the like do not exist: a scalar is text here.
		plain.Tag = "!!str"
	}
	argument := r.value(place+"."+name, &plain)
	if text, ok := argument.(string); ok && name == "Fn::GetAtt" {
		resource, attribute, _ := strings.Cut(text, ".")
		argument = []any{resource, attribute}
	}
	return map[string]any{name: argument}
}

// template takes the sections of a document.
func (r *reader) template(root map[string]any) *Template {
	t := &Template{
		mappings: r.object(root, "Mappings"), rules: r.object(root, "Rules"),
		conditions: r.object(root, "Conditions"), outputs: r.object(root, "Outputs"),
		parameters: map[string]parameter{}, resources: map[string]definition{}, made: map[string]string{},
	}
	for name := range root {
		if !slices.Contains(sections, name) {
			r.fault(name, "unknown section")
		}
	}
	for name, written := range r.object(root, "Parameters") {
		t.parameters[name] = r.parameter("Parameters."+name, written)
	}
	globals := r.object(root, "Globals")
	for name := range globals {
		if name != "Function" && name != "HttpApi" {
			r.fault("Globals."+name, "only Function and HttpApi are supported")
		}
	}
	for id, written := range r.object(root, "Resources") {
		resource := r.resource("Resources."+id, written)
		if defaults, ok := globals[strings.TrimPrefix(resource.Type, "AWS::Serverless::")]; ok && strings.HasPrefix(resource.Type, "AWS::Serverless::") {
			resource.Properties = merge(defaults, resource.Properties).(map[string]any)
		}
		t.resources[id] = resource
		maps.Copy(t.made, madeBySAM(id, resource))
	}
	if len(t.resources) == 0 {
		r.fault("Resources", "there is none")
	}
	return t
}

// object returns a section; one that is absent is empty.
func (r *reader) object(root map[string]any, name string) map[string]any {
	written, there := root[name]
	object, ok := written.(map[string]any)
	if there && !ok {
		r.fault(name, "it is no object")
	}
	return object
}

func (r *reader) resource(place string, written any) (d definition) {
	object, ok := written.(map[string]any)
	if !ok {
		r.fault(place, "it is no object")
		return d
	}
	d.Properties = map[string]any{}
	for name, value := range object {
		ok := true
		switch name {
		case "Type":
			d.Type, ok = value.(string)
		case "Condition":
			d.condition, ok = value.(string)
		case "Properties":
			d.Properties, ok = value.(map[string]any)
		case "Metadata":
			d.Metadata, ok = value.(map[string]any)
		case "DeletionPolicy":
			d.DeletionPolicy, ok = value.(string)
		case "UpdateReplacePolicy":
			d.UpdateReplacePolicy, ok = value.(string)
		case "DependsOn":
			d.DependsOn, ok = names(value)
		case "CreationPolicy", "UpdatePolicy":
		default:
			r.fault(place+"."+name, "unknown attribute of a resource")
		}
		if !ok {
			r.fault(place+"."+name, "it has the wrong kind of value")
		}
	}
	if d.Properties == nil {
		d.Properties = map[string]any{}
	}
	if d.Type == "" {
		r.fault(place, "it has no Type")
	}
	return d
}

// names reads one name or a list of them.
func names(value any) ([]string, bool) {
	if name, ok := value.(string); ok {
		return []string{name}, true
	}
	list, ok := value.([]any)
	found := make([]string, len(list))
	for i, element := range list {
		name, isName := element.(string)
		found[i], ok = name, ok && isName
	}
	return found, ok
}

// merge adds what is global to what a resource says itself, as SAM does: objects
// together, lists one after the other, anything else replaced.
func merge(global, own any) any {
	switch own := own.(type) {
	case map[string]any:
		there, ok := global.(map[string]any)
		if !ok || isFunction(own) || isFunction(there) {
			return own
		}
		merged := maps.Clone(there)
		for name, value := range own {
			if before, both := merged[name]; both {
				value = merge(before, value)
			}
			merged[name] = value
		}
		return merged
	case []any:
		if there, ok := global.([]any); ok {
			return slices.Concat(there, own)
		}
	}
	return own
}

// madeBySAM returns what a template may refer to although SAM makes it.
func madeBySAM(id string, d definition) map[string]string {
	made := map[string]string{}
	switch d.Type {
	case "AWS::Serverless::Function":
		if _, ok := d.Properties["Role"]; !ok {
			made[id+"Role"] = "AWS::IAM::Role"
		}
		if alias, ok := d.Properties["AutoPublishAlias"].(string); ok {
			made[id+".Alias"], made[id+"Alias"+alias] = "AWS::Lambda::Alias", "AWS::Lambda::Alias"
			made[id+".Version"] = "AWS::Lambda::Version"
		}
		if _, ok := d.Properties["DeploymentPreference"]; ok {
			made[id+"DeploymentGroup"] = "AWS::CodeDeploy::DeploymentGroup"
			made["ServerlessDeploymentApplication"] = "AWS::CodeDeploy::Application"
			made["CodeDeployServiceRole"] = "AWS::IAM::Role"
		}
	case "AWS::Serverless::HttpApi":
		if d.Properties["StageName"] == "$default" {
			made[id+"ApiGatewayDefaultStage"] = "AWS::ApiGatewayV2::Stage"
		}
	}
	return made
}
