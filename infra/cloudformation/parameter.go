package cloudformation

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// parameter is what a template asks for.
type parameter struct {
	kind           string
	fallback       any // nil: it must be given
	allowed        []string
	pattern        *regexp.Regexp
	minimumLength  int
	maximumLength  int
	minimum        float64
	maximum        float64
	hidden, listed bool
}

func (r *reader) parameter(place string, written any) parameter {
	p := parameter{maximumLength: math.MaxInt, minimum: math.Inf(-1), maximum: math.Inf(1)}
	object, ok := written.(map[string]any)
	if !ok {
		r.fault(place, "it is no object")
		return p
	}
	for name, value := range object {
		place, text := place+"."+name, textOf(value)
		var err error
		switch name {
		case "Type":
			p.kind = text
			p.listed = text == "CommaDelimitedList" || strings.HasPrefix(text, "List<")
			if !slices.Contains([]string{"String", "Number", "CommaDelimitedList", "List<Number>", "List<String>"}, text) {
				err = fmt.Errorf("unknown type %q", text)
			}
		case "Default":
			p.fallback = text
		case "AllowedValues":
			list, isList := value.([]any)
			if !isList {
				err = errors.New("it is no list")
			}
			for _, element := range list {
				p.allowed = append(p.allowed, textOf(element))
			}
		case "AllowedPattern":
			p.pattern, err = regexp.Compile("^(?:" + text + ")$")
		case "MinLength":
			p.minimumLength, err = strconv.Atoi(text)
		case "MaxLength":
			p.maximumLength, err = strconv.Atoi(text)
		case "MinValue":
			p.minimum, err = strconv.ParseFloat(text, 64)
		case "MaxValue":
			p.maximum, err = strconv.ParseFloat(text, 64)
		case "NoEcho":
			p.hidden = text == "true"
		case "Description", "ConstraintDescription":
		default:
			err = errors.New("unknown attribute of a parameter")
		}
		if err != nil {
			r.fault(place, "%w", err)
		}
	}
	if p.kind == "" {
		r.fault(place, "it has no Type")
	}
	if fallback, ok := p.fallback.(string); ok && len(r.faults) == 0 {
		if _, err := p.take(fallback); err != nil {
			r.fault(place+".Default", "%w", err)
		}
	}
	return p
}

// take checks a value and returns it as a function sees it: text, or a list of texts.
func (p parameter) take(value string) (any, error) {
	elements := []string{value}
	if p.listed {
		elements = strings.Split(value, ",")
	}
	list := make([]any, len(elements))
	for i, element := range elements {
		if p.listed {
			element = strings.TrimSpace(element)
		}
		if err := p.check(element); err != nil {
			return nil, err
		}
		list[i] = element
	}
	if p.listed {
		return list, nil
	}
	return value, nil
}

func (p parameter) check(value string) error {
	shown := strconv.Quote(value)
	if p.hidden {
		shown = "the value"
	}
	length := utf8.RuneCountInString(value)
	switch {
	case len(p.allowed) > 0 && !slices.Contains(p.allowed, value):
		return fmt.Errorf("%s is none of %s", shown, strings.Join(p.allowed, ", "))
	case p.pattern != nil && !p.pattern.MatchString(value):
		return fmt.Errorf("%s does not match AllowedPattern", shown)
	case length < p.minimumLength, length > p.maximumLength:
		return fmt.Errorf("%s has the wrong length", shown)
	case p.kind == "Number", p.kind == "List<Number>":
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("%s is no number", shown)
		}
		if number < p.minimum || number > p.maximum {
			return fmt.Errorf("%s is out of range", shown)
		}
	}
	return nil
}

// textOf is a scalar as text; anything else is empty.
func textOf(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case bool:
		return strconv.FormatBool(value)
	case int64:
		return strconv.FormatInt(value, 10)
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	}
	return ""
}
