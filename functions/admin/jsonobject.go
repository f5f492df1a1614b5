package admin

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
)

// object is the JSON object of a request. encoding/json alone accepts names in any case,
// the last of two equal names, null for every type and broken UTF-8: a check in front of
// the service could understand each of these differently.
type object struct {
	prefix string   // of its fields' names in errors, such as "claims."; empty for the whole body
	names  []string // in the order of the document
	values map[string]json.RawMessage
}

// parseObject parses exactly one JSON object whose names are unique.
func parseObject(body []byte) (*object, error) { return parseFields("", body) }

// parseFields parses a body, or one of its fields that is an object.
func parseFields(prefix string, body []byte) (*object, error) {
	broken := &apierr.Error{Code: apierr.InvalidRequest, Detail: "The body must be one JSON object in UTF-8."}
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, broken
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if opening, err := decoder.Token(); err != nil || opening != json.Delim('{') {
		return nil, broken
	}
	o := &object{prefix: prefix, values: map[string]json.RawMessage{}}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, broken
		}
		name, isName := token.(string)
		if !isName {
			return nil, broken
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, broken
		}
		if _, twice := o.values[name]; twice {
			return nil, apierr.Invalid(o.prefix+shorten(name), "This field is there twice.")
		}
		o.names = append(o.names, name)
		o.values[name] = value
	}
	return o, nil
}

// only fails if there is a field that the caller may not set.
func (o *object) only(writable, readOnly []string) error {
	for _, name := range o.names {
		switch {
		case slices.Contains(writable, name):
		case slices.Contains(readOnly, name):
			return apierr.Invalid(o.prefix+name, "This field is read-only.")
		default:
			return apierr.Invalid(o.prefix+shorten(name), "There is no such field.")
		}
	}
	return nil
}

// require fails if one of the fields is missing.
func (o *object) require(names ...string) error {
	for _, name := range names {
		if _, there := o.values[name]; !there {
			return apierr.Invalid(o.prefix+name, "This field is required.")
		}
	}
	return nil
}

// text returns a string field, and whether it is there.
func (o *object) text(name string) (string, bool, error) {
	raw, there := o.values[name]
	if !there {
		return "", false, nil
	}
	text, ok := asText(raw)
	if !ok {
		return "", true, apierr.Invalid(o.prefix+name, "This field must be a string.")
	}
	return text, true, nil
}

// texts returns a field that is an array of strings, and whether it is there.
func (o *object) texts(name string) ([]string, bool, error) {
	raw, there := o.values[name]
	if !there {
		return nil, false, nil
	}
	wrong := apierr.Invalid(o.prefix+name, "This field must be an array of strings.")
	elements, ok := asArray(raw)
	if !ok {
		return nil, true, wrong
	}
	texts := make([]string, len(elements))
	for i, element := range elements {
		text, ok := asText(element)
		if !ok {
			return nil, true, wrong
		}
		texts[i] = text
	}
	return texts, true, nil
}

// flag returns a boolean field, and whether it is there.
func (o *object) flag(name string) (value, there bool, err error) {
	raw, there := o.values[name]
	if !there {
		return false, false, nil
	}
	switch string(raw) {
	case "true":
		return true, true, nil
	case "false":
		return false, true, nil
	}
	return false, true, apierr.Invalid(o.prefix+name, "This field must be true or false.")
}

// number returns a field that is a whole number from least to most, and whether it is there.
func (o *object) number(name string, least, most int) (value int, there bool, err error) {
	raw, there := o.values[name]
	if !there {
		return 0, false, nil
	}
	value, err = strconv.Atoi(string(raw))
	if err != nil || value < least || value > most {
		return 0, true, apierr.Invalid(o.prefix+name, fmt.Sprintf("This field must be a whole number from %d to %d.", least, most))
	}
	return value, true, nil
}

// object returns a field that is an object, and whether it is there.
func (o *object) object(name string) (*object, bool, error) {
	raw, there := o.values[name]
	if !there {
		return nil, false, nil
	}
	if raw[0] != '{' {
		return nil, true, apierr.Invalid(o.prefix+name, "This field must be an object.")
	}
	inner, err := parseFields(o.prefix+name+".", raw)
	return inner, true, err
}

// objects returns a field that is an array of objects, and whether it is there.
func (o *object) objects(name string) ([]*object, bool, error) {
	raw, there := o.values[name]
	if !there {
		return nil, false, nil
	}
	wrong := apierr.Invalid(o.prefix+name, "This field must be an array of objects.")
	elements, ok := asArray(raw)
	if !ok {
		return nil, true, wrong
	}
	objects := make([]*object, len(elements))
	for i, element := range elements {
		var err error
		if element[0] != '{' {
			return nil, true, wrong
		}
		if objects[i], err = parseFields(o.prefix+name+".", element); err != nil {
			return nil, true, err
		}
	}
	return objects, true, nil
}

// has reports whether the field is there.
func (o *object) has(name string) bool {
	_, there := o.values[name]
	return there
}

// textField sets a string field; set returns the sentence for a wrong value, or nothing.
type textField struct {
	name string
	set  func(text string) string
}

// setTexts sets the fields that are there, up to the first wrong one.
func (o *object) setTexts(fields []textField) error {
	for _, field := range fields {
		text, there, err := o.text(field.name)
		if err != nil {
			return err
		}
		if !there {
			continue
		}
		if wrong := field.set(text); wrong != "" {
			return apierr.Invalid(o.prefix+field.name, wrong)
		}
	}
	return nil
}

// flagField sets a boolean field.
type flagField struct {
	name string
	into *bool
}

// setFlags sets the fields that are there, up to the first wrong one.
func (o *object) setFlags(fields []flagField) error {
	for _, field := range fields {
		value, there, err := o.flag(field.name)
		if err != nil {
			return err
		}
		if there {
			*field.into = value
		}
	}
	return nil
}

func asArray(raw json.RawMessage) (elements []json.RawMessage, ok bool) {
	// Unmarshal accepts null.
	ok = raw[0] == '[' && json.Unmarshal(raw, &elements) == nil
	return elements, ok
}

func asText(raw json.RawMessage) (string, bool) {
	var text string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return "", false
	}
	// The decoder replaces half a surrogate pair by U+FFFD, which nobody means: the text
	// would no longer be what was sent.
	return text, !strings.ContainsRune(text, utf8.RuneError)
}
