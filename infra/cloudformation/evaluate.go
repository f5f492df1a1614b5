package cloudformation

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Values is what a template is evaluated with.
type Values struct {
	// Parameters in place of the template's defaults; a list has commas.
	Parameters map[string]string
	// Pseudo are the pseudo parameters, such as AWS::Region. What is absent has a
	// sample; the partition and its URL suffix follow from the region.
	Pseudo map[string]string
	// Ref returns a resource's physical id. Nil, or when it answers ErrSample: a sample
	// by the resource's type.
	Ref func(logicalID string) (string, error)
	// Attribute returns a resource's attribute, in the same way.
	Attribute func(logicalID, attribute string) (string, error)
}

// ErrSample is what Values.Ref and Values.Attribute answer where a sample will do.
var ErrSample = errors.New("a sample will do")

// Stack is what a template says under given values.
type Stack struct {
	// Parameters are texts, and lists of texts.
	Parameters map[string]any
	Conditions map[string]bool
	// Resources are those that would be made.
	Resources map[string]Resource
	Outputs   map[string]any
}

// Resource is one part of a stack.
type Resource struct {
	Type                string
	Properties          map[string]any
	Metadata            map[string]any
	DependsOn           []string
	DeletionPolicy      string
	UpdateReplacePolicy string
}

// Evaluate works out the stack.
func (t *Template) Evaluate(v Values) (*Stack, error) {
	e := &evaluation{
		Template: t, values: v, pseudo: pseudoParameters(v.Pseudo),
		parameters: map[string]any{}, conditions: map[string]bool{}, deciding: map[string]bool{},
	}
	stack, err := e.stack()
	if err != nil {
		return nil, fmt.Errorf("evaluate template: %w", err)
	}
	return stack, nil
}

func pseudoParameters(given map[string]string) map[string]string {
	all := map[string]string{
		"AWS::AccountId": "123456789012", "AWS::Region": "eu-central-1", "AWS::StackName": "wecom-signin", "AWS::NotificationARNs": "",
	}
	maps.Copy(all, given)
	derived := map[string]string{"AWS::Partition": Partition(all["AWS::Region"]), "AWS::URLSuffix": "amazonaws.com"}
	if derived["AWS::Partition"] == "aws-cn" {
		derived["AWS::URLSuffix"] = "amazonaws.com.cn"
	}
	maps.Copy(derived, given)
	maps.Copy(all, derived)
	if all["AWS::StackId"] == "" {
		all["AWS::StackId"] = fmt.Sprintf("arn:%s:cloudformation:%s:%s:stack/%s/00000000-0000-0000-0000-000000000000",
			all["AWS::Partition"], all["AWS::Region"], all["AWS::AccountId"], all["AWS::StackName"])
	}
	return all
}

// Partition returns the partition that a region belongs to.
func Partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// evaluation is one run.
type evaluation struct {
	*Template
	values     Values
	pseudo     map[string]string
	parameters map[string]any
	conditions map[string]bool
	deciding   map[string]bool // conditions in progress
}

func (e *evaluation) stack() (*Stack, error) {
	if err := e.take(); err != nil {
		return nil, err
	}
	// All at once, so that an operator repairs a deployment in one go.
	var refused []error
	for _, name := range slices.Sorted(maps.Keys(e.rules)) {
		refused = append(refused, e.rule("Rules."+name, e.rules[name]))
	}
	if err := errors.Join(refused...); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(e.Template.conditions)) {
		if _, err := e.decide(name); err != nil {
			return nil, err
		}
	}
	stack := &Stack{Parameters: e.parameters, Conditions: e.conditions, Resources: map[string]Resource{}, Outputs: map[string]any{}}
	for _, id := range slices.Sorted(maps.Keys(e.resources)) {
		d := e.resources[id]
		if d.condition != "" && !e.conditions[d.condition] {
			continue
		}
		resource, err := d.Resource, error(nil)
		if resource.Properties, err = e.object("Resources."+id+".Properties", d.Properties); err != nil {
			return nil, err
		}
		if resource.Metadata, err = e.object("Resources."+id+".Metadata", d.Metadata); err != nil {
			return nil, err
		}
		stack.Resources[id] = resource
	}
	for _, name := range slices.Sorted(maps.Keys(e.outputs)) {
		output, _ := e.outputs[name].(map[string]any)
		if condition, _ := output["Condition"].(string); condition != "" && !e.conditions[condition] {
			continue
		}
		place := "Outputs." + name + ".Value"
		value, err := e.value(place, output["Value"])
		if err == nil && value == any(noValue{}) {
			err = at(place, errors.New("it has no value"))
		}
		if err != nil {
			return nil, err
		}
		stack.Outputs[name] = value
	}
	return stack, nil
}

// object evaluates what must be an object, or is absent.
func (e *evaluation) object(place string, written map[string]any) (map[string]any, error) {
	if written == nil {
		return nil, nil
	}
	value, err := e.value(place, written)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, at(place, errors.New("it is no object"))
	}
	return object, nil
}

// take reads the parameters.
func (e *evaluation) take() error {
	for _, name := range slices.Sorted(maps.Keys(e.values.Parameters)) {
		if _, ok := e.Template.parameters[name]; !ok {
			return at("Parameters."+name, errors.New("the template has no such parameter"))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Template.parameters)) {
		p := e.Template.parameters[name]
		value, given := e.values.Parameters[name]
		if fallback, ok := p.fallback.(string); !given && ok {
			value, given = fallback, true
		}
		if !given {
			return at("Parameters."+name, errors.New("it must be given"))
		}
		taken, err := p.take(value)
		if err != nil {
			return at("Parameters."+name, err)
		}
		e.parameters[name] = taken
	}
	return nil
}

// rule refuses parameters that contradict one another.
func (e *evaluation) rule(place string, written any) error {
	rule, _ := written.(map[string]any)
	if condition, ok := rule["RuleCondition"]; ok {
		applies, err := e.condition(place+".RuleCondition", condition)
		if err != nil || !applies {
			return err
		}
	}
	assertions, _ := rule["Assertions"].([]any)
	var refused []error
	for i, written := range assertions {
		assertion, _ := written.(map[string]any)
		place := fmt.Sprintf("%s.Assertions[%d]", place, i)
		holds, err := e.condition(place, assertion["Assert"])
		if err != nil {
			return err
		}
		if !holds {
			refused = append(refused, at(place, fmt.Errorf("refused: %s", textOf(assertion["AssertDescription"]))))
		}
	}
	return errors.Join(refused...)
}

// decide evaluates a named condition once.
func (e *evaluation) decide(name string) (bool, error) {
	if decided, ok := e.conditions[name]; ok {
		return decided, nil
	}
	place := "Conditions." + name
	if e.deciding[name] {
		return false, at(place, errors.New("it depends on itself"))
	}
	e.deciding[name] = true
	holds, err := e.condition(place, e.Template.conditions[name])
	if err != nil {
		return false, err
	}
	e.conditions[name] = holds
	return holds, nil
}

// condition evaluates what is true or false.
func (e *evaluation) condition(place string, written any) (bool, error) {
	object, _ := written.(map[string]any)
	for name, argument := range object {
		place := place + "." + name
		list, _ := argument.([]any)
		switch name {
		case "Condition":
			return e.decide(textOf(argument))
		case "Fn::Not", "Fn::And", "Fn::Or":
			// All are evaluated, so that an error is not hidden by an earlier answer.
			held := 0
			for i, element := range list {
				holds, err := e.condition(fmt.Sprintf("%s[%d]", place, i), element)
				if err != nil {
					return false, err
				}
				if holds {
					held++
				}
			}
			switch name {
			case "Fn::Not":
				return held == 0, nil
			case "Fn::And":
				return held == len(list), nil
			}
			return held > 0, nil
		default:
			return e.compare(place, name, list)
		}
	}
	return false, at(place, errors.New("it is no condition"))
}

func (e *evaluation) compare(place, name string, list []any) (bool, error) {
	if len(list) != 2 {
		return false, at(place, errors.New("it compares two values"))
	}
	left, err := e.value(place+"[0]", list[0])
	if err != nil {
		return false, err
	}
	right, err := e.value(place+"[1]", list[1])
	if err != nil {
		return false, err
	}
	switch name {
	case "Fn::Equals":
		a, err := scalar(left)
		if err != nil {
			return false, at(place+"[0]", err)
		}
		b, err := scalar(right)
		if err != nil {
			return false, at(place+"[1]", err)
		}
		return a == b, nil
	case "Fn::Contains":
		return slices.Contains(texts(left), textOf(right)), nil
	case "Fn::EachMemberEquals":
		return !slices.ContainsFunc(texts(left), func(text string) bool { return text != textOf(right) }), nil
	case "Fn::EachMemberIn":
		return !slices.ContainsFunc(texts(left), func(text string) bool { return !slices.Contains(texts(right), text) }), nil
	}
	return false, at(place, errors.New("unknown function of conditions"))
}

func texts(value any) []string {
	list, _ := value.([]any)
	found := make([]string, len(list))
	for i, element := range list {
		found[i] = textOf(element)
	}
	return found
}

// noValue is what AWS::NoValue gives: the property or element is not there.
type noValue struct{}

// value evaluates anything else.
func (e *evaluation) value(place string, written any) (any, error) {
	switch written := written.(type) {
	case []any:
		list := make([]any, 0, len(written))
		for i, element := range written {
			value, err := e.value(fmt.Sprintf("%s[%d]", place, i), element)
			if err != nil {
				return nil, err
			}
			if value != any(noValue{}) {
				list = append(list, value)
			}
		}
		return list, nil
	case map[string]any:
		if isFunction(written) {
			for name, argument := range written {
				return e.function(place+"."+name, name, argument)
			}
		}
		object := make(map[string]any, len(written))
		for _, name := range slices.Sorted(maps.Keys(written)) {
			value, err := e.value(place+"."+name, written[name])
			if err != nil {
				return nil, err
			}
			if value != any(noValue{}) {
				object[name] = value
			}
		}
		return object, nil
	}
	return written, nil
}

func (e *evaluation) function(place, name string, argument any) (any, error) {
	list, _ := argument.([]any)
	var value any
	var err error
	switch name {
	case "Ref":
		value, err = e.ref(textOf(argument))
	case "Fn::GetAtt":
		if text, ok := argument.(string); ok {
			id, attribute, _ := strings.Cut(text, ".")
			list = []any{id, attribute}
		}
		var attribute any
		if attribute, err = e.value(place, list[1]); err == nil {
			value, err = e.attribute(textOf(list[0]), textOf(attribute))
		}
	case "Fn::Sub":
		value, err = e.substitute(place, argument)
	case "Fn::If":
		var holds bool
		if holds, err = e.decide(textOf(list[0])); err == nil {
			chosen := 2
			if holds {
				chosen = 1
			}
			value, err = e.value(fmt.Sprintf("%s[%d]", place, chosen), list[chosen])
		}
	default:
		var evaluated any
		if evaluated, err = e.value(place, argument); err == nil {
			value, err = e.apply(name, evaluated)
		}
	}
	return value, at(place, err)
}

// apply calls a function that only needs its arguments.
func (e *evaluation) apply(name string, argument any) (any, error) {
	list, _ := argument.([]any)
	switch name {
	case "Fn::Base64":
		text, err := scalar(argument)
		return base64.StdEncoding.EncodeToString([]byte(text)), err
	case "Fn::GetAZs":
		region := textOf(argument)
		if region == "" {
			region = e.pseudo["AWS::Region"]
		}
		return []any{region + "a", region + "b"}, nil
	case "Fn::FindInMap":
		if len(list) != 3 {
			break
		}
		first, _ := e.mappings[textOf(list[0])].(map[string]any)
		second, _ := first[textOf(list[1])].(map[string]any)
		if found, ok := second[textOf(list[2])]; ok {
			return found, nil
		}
		return nil, fmt.Errorf("the mapping %s has no %s, %s", textOf(list[0]), textOf(list[1]), textOf(list[2]))
	}
	if len(list) != 2 {
		return nil, errors.New("it has the wrong number of arguments")
	}
	switch name {
	case "Fn::Join":
		elements, ok := list[1].([]any)
		if !ok {
			return nil, errors.New("it joins a list")
		}
		joined := make([]string, len(elements))
		for i, element := range elements {
			var err error
			if joined[i], err = scalar(element); err != nil {
				return nil, err
			}
		}
		return strings.Join(joined, textOf(list[0])), nil
	case "Fn::Split":
		text, err := scalar(list[1])
		if err != nil || textOf(list[0]) == "" {
			return nil, errors.Join(err, errors.New("it splits a text by another"))
		}
		var parts []any
		for part := range strings.SplitSeq(text, textOf(list[0])) {
			parts = append(parts, part)
		}
		return parts, nil
	case "Fn::Select":
		elements, ok := list[1].([]any)
		index, err := strconv.Atoi(textOf(list[0]))
		if !ok || err != nil || index < 0 || index >= len(elements) {
			return nil, fmt.Errorf("there is no element %s of %d", textOf(list[0]), len(elements))
		}
		return elements[index], nil
	}
	return nil, errors.New("unknown function")
}

func scalar(value any) (string, error) {
	switch value.(type) {
	case string, bool, int64, float64:
		return textOf(value), nil
	}
	return "", errors.New("it is no single value")
}

func (e *evaluation) ref(name string) (any, error) {
	if name == "AWS::NoValue" {
		return noValue{}, nil
	}
	if value, ok := e.pseudo[name]; ok {
		return value, nil
	}
	if value, ok := e.parameters[name]; ok {
		return value, nil
	}
	kind, err := e.kind(name)
	if err != nil {
		return nil, err
	}
	if e.values.Ref != nil {
		if id, err := e.values.Ref(name); !errors.Is(err, ErrSample) {
			return id, err
		}
	}
	return e.sampleRef(name, kind), nil
}

func (e *evaluation) attribute(id, attribute string) (any, error) {
	kind, err := e.kind(id)
	if err != nil {
		return nil, err
	}
	if e.values.Attribute != nil {
		if value, err := e.values.Attribute(id, attribute); !errors.Is(err, ErrSample) {
			return value, err
		}
	}
	return e.sampleAttribute(id, kind, attribute)
}

// kind returns the type of a resource that is made.
func (e *evaluation) kind(id string) (string, error) {
	if kind, ok := e.made[id]; ok {
		return kind, nil
	}
	d, ok := e.resources[id]
	if !ok {
		return "", fmt.Errorf("there is no resource %s", id)
	}
	if d.condition != "" {
		made, err := e.decide(d.condition)
		if err != nil {
			return "", err
		}
		if !made {
			return "", fmt.Errorf("%s is not made: its condition %s is false", id, d.condition)
		}
	}
	return d.Type, nil
}

func (e *evaluation) substitute(place string, argument any) (any, error) {
	text, variables, _ := subArguments(argument)
	var failed error
	replaced := substitution.ReplaceAllStringFunc(text, func(match string) string {
		name := strings.TrimSpace(match[2 : len(match)-1])
		if literal, ok := strings.CutPrefix(name, "!"); ok {
			return "${" + literal + "}"
		}
		var value any
		var err error
		written, isVariable := variables[name]
		id, attribute, isAttribute := strings.Cut(name, ".")
		switch _, isMade := e.made[name]; {
		case isVariable:
			value, err = e.value(place+"."+name, written)
		case isAttribute && !isMade:
			value, err = e.attribute(id, attribute)
		default:
			value, err = e.ref(name)
		}
		substitute := ""
		if err == nil {
			substitute, err = scalar(value)
		}
		if failed == nil && err != nil {
			failed = err
		}
		return substitute
	})
	if failed != nil {
		return nil, failed
	}
	return replaced, nil
}
