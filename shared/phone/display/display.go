package display

import "strings"

// plan is how a country groups the digits of its numbers. X is a digit.
type plan struct {
	code   string // of the country
	begins string // first digits after the code, where not all numbers are grouped alike
	abroad string // after the code
	atHome string // empty: no language belongs to this country alone
	home   string // BCP 47 tag of that language
}

// plans returns those of mainland China, of neighbours with offices of Chinese companies,
// and of countries whose languages the service speaks. A number whose length differs
// from its plan's stays as it is.
func plans() []plan {
	return []plan{
		{code: "86", abroad: "XXX XXXX XXXX", atHome: "XXX XXXX XXXX", home: "zh-CN"},
		{code: "852", abroad: "XXXX XXXX"},
		{code: "853", abroad: "XXXX XXXX"},
		{code: "886", begins: "9", abroad: "XXX XXX XXX"},
		{code: "65", abroad: "XXXX XXXX"},
		{code: "1", abroad: "XXX-XXX-XXXX"},
		{code: "44", begins: "7", abroad: "XXXX XXXXXX"},
		{code: "33", abroad: "X XX XX XX XX", atHome: "0X XX XX XX XX", home: "fr"},
		{code: "34", abroad: "XXX XX XX XX", atHome: "XXX XX XX XX", home: "es"},
		{code: "351", abroad: "XXX XXX XXX", atHome: "XXX XXX XXX", home: "pt"},
		{code: "55", abroad: "XX XXXXX-XXXX"},
		{code: "46", begins: "7", abroad: "XX XXX XX XX", atHome: "0XX-XXX XX XX", home: "sv"},
		{code: "380", abroad: "XX XXX XXXX", atHome: "0XX XXX XXXX", home: "uk"},
	}
}

// Number formats an E.164 number for readers of a language (BCP 47). It returns any other
// text, and a number of an unknown plan, as it is.
func Number(e164, language string) string {
	digits, found := strings.CutPrefix(e164, "+")
	if !found || strings.ContainsFunc(digits, func(c rune) bool { return c < '0' || c > '9' }) {
		return e164
	}
	// No country code begins with another one, so at most one plan matches.
	for _, p := range plans() {
		number, of := strings.CutPrefix(digits, p.code)
		if !of || !strings.HasPrefix(number, p.begins) || len(number) != strings.Count(p.abroad, "X") {
			continue
		}
		if p.atHome != "" && p.home == language {
			return group(p.atHome, number)
		}
		return "+" + p.code + " " + group(p.abroad, number)
	}
	return e164
}

// group replaces each X of a shape by a digit.
func group(shape, digits string) string {
	var text strings.Builder
	for _, c := range shape {
		if c == 'X' {
			text.WriteByte(digits[0])
			digits = digits[1:]
			continue
		}
		text.WriteRune(c)
	}
	return text.String()
}
