package oauth

import (
	"errors"
	"net/url"
	"strings"
	"unicode/utf8"
)

// maxForm is longer than any request: API Gateway takes 10 kB for line and headers, and no
// honest form is longer.
const maxForm = 16 << 10

// Form is a query or a form body (application/x-www-form-urlencoded), read once. A
// parameter without a value counts as absent (RFC 6749 §3.1, §3.2).
type Form struct {
	values   map[string]string
	repeated map[string]bool
	empty    map[string]bool // were there without a value
}

// errForm: the text is too long or not encoded as forms are.
var errForm = errors.New("not a form")

// ParseForm reads a raw query, or the body of a form. Only "&" separates. The error is an
// *Error.
func ParseForm(raw string) (Form, error) {
	form, err := parseForm(raw)
	if err != nil {
		return Form{}, refuse(InvalidRequest, CauseMalformed, "The parameters are not form-encoded UTF-8, or too long.")
	}
	return form, nil
}

func parseForm(raw string) (Form, error) {
	form := Form{values: map[string]string{}, repeated: map[string]bool{}, empty: map[string]bool{}}
	if len(raw) > maxForm {
		return form, errForm
	}
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		switch {
		case nameErr != nil || valueErr != nil || !utf8.ValidString(name) || !utf8.ValidString(value) || strings.Contains(value, "\x00"):
			return form, errForm
		case value == "":
			form.empty[name] = true
			continue
		}
		if _, there := form.values[name]; there {
			form.repeated[name] = true
			continue
		}
		form.values[name] = value
	}
	return form, nil
}

// Get returns the value of a parameter, or "" if it is absent. Of a repeated one it is the
// first, which must not be used.
func (f Form) Get(name string) string { return f.values[name] }

// has reports whether a parameter is there, also without a value.
func (f Form) has(name string) bool { return f.values[name] != "" || f.empty[name] }

// firstRepeated returns the first of the named parameters that is there more than once, or
// "". Other names do not count: RFC 8707, for one, repeats its resource.
func (f Form) firstRepeated(names []string) string {
	for _, name := range names {
		if f.repeated[name] {
			return name
		}
	}
	return ""
}
