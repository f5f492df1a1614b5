package admin

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/wecom-signin/wecom-signin/shared/apierr"
)

// object is a JSON object as a request carries it. encoding/json alone would take
// names in any case, the last of two equal names, null for everything and broken
// UTF-8: each of these can mean one thing to a check in front of us and another
// to us.
type object struct {
	names  []string // in the order of the document
	values map[string]json.RawMessage
}

// parseObject reads exactly one JSON object in which no name occurs twice.
func parseObject(body []byte) (*object, error) {
	broken := &apierr.Error{Code: apierr.InvalidRequest, Detail: "The body must be one JSON object in UTF-8."}
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, broken
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if opening, err := decoder.Token(); err != nil || opening != json.Delim('{') {
		return nil, broken
	}
	o := &object{values: map[string]json.RawMessage{}}
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
			return nil, apierr.Invalid(shorten(name), "This field is there twice.")
		}
		o.names = append(o.names, name)
		o.values[name] = value
	}
	return o, nil
}

// only refuses every field that the caller may not set.
func (o *object) only(writable, readOnly []string) error {
	for _, name := range o.names {
		switch {
		case slices.Contains(writable, name):
		case slices.Contains(readOnly, name):
			return apierr.Invalid(name, "This field is read-only.")
		default:
			return apierr.Invalid(shorten(name), "There is no such field.")
		}
	}
	return nil
}

// require refuses a body without one of the fields.
func (o *object) require(names ...string) error {
	for _, name := range names {
		if _, there := o.values[name]; !there {
			return apierr.Invalid(name, "This field is required.")
		}
	}
	return nil
}

// text returns a string, and whether the field is there.
func (o *object) text(name string) (string, bool, error) {
	raw, there := o.values[name]
	if !there {
		return "", false, nil
	}
	text, ok := asText(raw)
	if !ok {
		return "", true, apierr.Invalid(name, "This field must be a string.")
	}
	return text, true, nil
}

// texts returns an array of strings, and whether the field is there.
func (o *object) texts(name string) ([]string, bool, error) {
	raw, there := o.values[name]
	if !there {
		return nil, false, nil
	}
	var elements []json.RawMessage
	wrong := apierr.Invalid(name, "This field must be an array of strings.")
	// null is taken by Unmarshal and is no array.
	if raw[0] != '[' || json.Unmarshal(raw, &elements) != nil {
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

// flag returns a boolean, and whether the field is there.
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
	return false, true, apierr.Invalid(name, "This field must be true or false.")
}

func asText(raw json.RawMessage) (string, bool) {
	var text string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return "", false
	}
	// The decoder puts U+FFFD in place of half a surrogate pair. What was sent must
	// not become something else, and nobody means U+FFFD.
	return text, !strings.ContainsRune(text, utf8.RuneError)
}
