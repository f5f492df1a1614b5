package cloudformation

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// functions are the ones of values; conditionFunctions stand in Conditions and Rules,
// and as the first argument of none.
var (
	functions = []string{
		"Ref", "Fn::Base64", "Fn::FindInMap", "Fn::GetAtt", "Fn::GetAZs", "Fn::If", "Fn::Join", "Fn::Select", "Fn::Split", "Fn::Sub",
	}
	conditionFunctions = []string{
		"Condition", "Fn::And", "Fn::Equals", "Fn::Not", "Fn::Or", "Fn::Contains", "Fn::EachMemberIn", "Fn::EachMemberEquals",
	}
)

// pseudo are the parameters that are always there.
var pseudo = []string{
	"AWS::AccountId", "AWS::NoValue", "AWS::NotificationARNs", "AWS::Partition", "AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix",
}

// isFunction reports whether an object is a call. Condition is none: that is also the
// name of a part of a policy.
func isFunction(object map[string]any) bool {
	for name := range object {
		if name == "Ref" || strings.HasPrefix(name, "Fn::") {
			return true
		}
	}
	return false
}

// check looks for what refers to nothing, in branches that are not taken, too.
func (r *reader) check(t *Template) {
	c := checker{r, t}
	c.each("Rules", t.rules, c.rule)
	c.each("Conditions", t.conditions, c.condition)
	for id, d := range t.resources {
		place := "Resources." + id
		c.value(place+".Properties", d.Properties)
		c.value(place+".Metadata", any(d.Metadata))
		c.named(place+".Condition", d.condition)
		for _, other := range d.DependsOn {
			if !c.resource(other) {
				c.fault(place+".DependsOn", "there is no resource %s", other)
			}
		}
	}
	c.each("Outputs", t.outputs, func(place string, written any) {
		output, ok := written.(map[string]any)
		if !ok {
			c.fault(place, "it is no object")
			return
		}
		for name, value := range output {
			switch name {
			case "Condition":
				name, _ := value.(string)
				c.named(place+".Condition", name)
			case "Description", "Export", "Value":
				c.value(place+"."+name, value)
			default:
				c.fault(place+"."+name, "unknown attribute of an output")
			}
		}
		if _, ok := output["Value"]; !ok {
			c.fault(place, "it has no Value")
		}
	})
}

type checker struct {
	*reader
	t *Template
}

func (c checker) each(place string, values map[string]any, check func(place string, value any)) {
	for name, value := range values {
		check(place+"."+name, value)
	}
}

func (c checker) named(place, condition string) {
	if _, ok := c.t.conditions[condition]; !ok && condition != "" {
		c.fault(place, "there is no condition %s", condition)
	}
}

func (c checker) rule(place string, written any) {
	rule, _ := written.(map[string]any)
	if condition, ok := rule["RuleCondition"]; ok {
		c.condition(place+".RuleCondition", condition)
	}
	assertions, _ := rule["Assertions"].([]any)
	for i, written := range assertions {
		assertion, _ := written.(map[string]any)
		c.condition(fmt.Sprintf("%s.Assertions[%d].Assert", place, i), assertion["Assert"])
	}
	if len(assertions) == 0 {
		c.fault(place, "it has no Assertions")
	}
}

// condition checks what is true or false.
func (c checker) condition(place string, written any) {
	object, ok := written.(map[string]any)
	if !ok || len(object) != 1 {
		c.fault(place, "it is no condition")
		return
	}
	for name, argument := range object {
		place := place + "." + name
		switch {
		case !slices.Contains(conditionFunctions, name):
			c.fault(place, "unknown function of conditions")
		case name == "Condition":
			condition, ok := argument.(string)
			if !ok || condition == "" {
				c.fault(place, "it names no condition")
			}
			c.named(place, condition)
		case name == "Fn::And", name == "Fn::Or", name == "Fn::Not":
			list, _ := argument.([]any)
			if one := name == "Fn::Not"; one && len(list) != 1 || !one && (len(list) < 2 || len(list) > 10) {
				c.fault(place, "it has %d conditions", len(list))
			}
			for i, element := range list {
				c.condition(fmt.Sprintf("%s[%d]", place, i), element)
			}
		default:
			if list, ok := argument.([]any); !ok || len(list) != 2 {
				c.fault(place, "it compares two values")
			}
			c.value(place, argument)
		}
	}
}

// value checks anything else.
func (c checker) value(place string, written any) {
	switch written := written.(type) {
	case []any:
		for i, element := range written {
			c.value(fmt.Sprintf("%s[%d]", place, i), element)
		}
	case map[string]any:
		if !isFunction(written) {
			for name, value := range written {
				c.value(place+"."+name, value)
			}
			return
		}
		if len(written) != 1 {
			c.fault(place, "a function stands beside something else")
			return
		}
		for name, argument := range written {
			c.function(place+"."+name, name, argument)
		}
	}
}

func (c checker) function(place, name string, argument any) {
	list, isList := argument.([]any)
	switch {
	case !slices.Contains(functions, name):
		c.fault(place, "unknown function")
		return
	case name == "Ref":
		target, _ := argument.(string)
		if !c.known(target) {
			c.fault(place, "there is no parameter or resource %q", target)
		}
		return
	case name == "Fn::GetAtt":
		if text, ok := argument.(string); ok { // the long form may have a dot, too
			id, attribute, _ := strings.Cut(text, ".")
			list, isList = []any{id, attribute}, true
		}
		if !isList || len(list) != 2 || list[1] == "" {
			c.fault(place, "it names no resource and attribute")
			return
		}
		id, _ := list[0].(string)
		if !c.resource(id) {
			c.fault(place, "there is no resource %q", id)
		}
		c.value(place, list[1])
		return
	case name == "Fn::Sub":
		c.substitute(place, argument)
		return
	case name == "Fn::If":
		if len(list) != 3 || textOf(list[0]) == "" {
			c.fault(place, "it needs the name of a condition and two values")
			return
		}
		c.named(place, textOf(list[0]))
	case name == "Fn::FindInMap" && len(list) != 3, slices.Contains([]string{"Fn::Join", "Fn::Select", "Fn::Split"}, name) && len(list) != 2:
		c.fault(place, "it has %d arguments", len(list))
		return
	}
	c.value(place, argument)
}

func (c checker) resource(id string) bool {
	_, own := c.t.resources[id]
	_, made := c.t.made[id]
	return own || made
}

func (c checker) known(target string) bool {
	_, parameter := c.t.parameters[target]
	return parameter || slices.Contains(pseudo, target) || c.resource(target)
}

// substitution finds ${Name}, ${Name.Attribute} and ${!Literal}.
var substitution = regexp.MustCompile(`\$\{([^}]*)\}`)

func (c checker) substitute(place string, argument any) {
	text, variables, ok := subArguments(argument)
	if !ok {
		c.fault(place, "it needs a text, or a text and variables")
		return
	}
	c.value(place, any(variables))
	for _, match := range substitution.FindAllStringSubmatch(text, -1) {
		name := strings.TrimSpace(match[1])
		if _, ok := variables[name]; ok || strings.HasPrefix(name, "!") {
			continue
		}
		id, attribute, isAttribute := strings.Cut(name, ".")
		if c.known(name) || isAttribute && attribute != "" && c.resource(id) {
			continue
		}
		c.fault(place, "there is no parameter or resource %q", name)
	}
}

// subArguments takes both forms of Fn::Sub.
func subArguments(argument any) (text string, variables map[string]any, ok bool) {
	if text, ok = argument.(string); ok {
		return text, nil, true
	}
	list, _ := argument.([]any)
	if len(list) != 2 {
		return "", nil, false
	}
	text, isText := list[0].(string)
	variables, isObject := list[1].(map[string]any)
	return text, variables, isText && isObject
}
