package phone

import (
	"strings"
	"unicode"
)

// Normalize returns a number in E.164, and false when text is not a number that can be
// dialled from anywhere. Blanks, hyphens, dots, brackets and invisible characters are
// ignored, full width digits and signs are read as plain ones. A number without "+" or
// "00" must be a mobile one of mainland China, with or without 86, because that is how
// WeCom's directory keeps them. Two habits are read, too, where they cannot mean another
// number: the trunk prefix in brackets, +44 (0)20, and the .0 of a spreadsheet.
func Normalize(text string) (string, bool) {
	// Far longer than any spelling of 15 digits; a cell of an import may hold anything.
	if len(text) > 128 {
		return "", false
	}
	plain, ok := dropDecimals(simplify(text))
	if !ok {
		return "", false
	}
	plain = strings.ReplaceAll(plain, " ", "")
	digits := make([]byte, 0, 24)
	international, trunkPrefix := false, false
	for i := 0; i < len(plain); i++ {
		switch c := plain[i]; {
		case c >= '0' && c <= '9':
			digits = append(digits, c)
		case c == '+':
			// Only in front: "86+138…" is two numbers, or none.
			if international || len(digits) > 0 {
				return "", false
			}
			international = true
		case strings.HasPrefix(plain[i:], "(0)") && followsCountryCode(digits):
			if trunkPrefix {
				return "", false
			}
			trunkPrefix = true
			i += len("(0)") - 1
		case strings.IndexByte("-.()", c) >= 0:
		default:
			return "", false
		}
	}
	number := string(digits)
	if !international {
		number, international = strings.CutPrefix(number, "00")
	}
	switch {
	case trunkPrefix && (!international || keepsZero(number)):
		return "", false
	case !international:
		if len(number) == 13 {
			number = strings.TrimPrefix(number, "86")
		}
		number = "86" + number
	}
	switch national, mainland := strings.CutPrefix(number, "86"); {
	case mainland && !isMainlandMobile(national):
		return "", false
	case len(number) < 7 || len(number) > 15 || number[0] == '0':
		return "", false
	}
	return "+" + number, true
}

// followsCountryCode reports whether what was read so far is a country code alone, which
// has one to three digits, with or without 00.
func followsCountryCode(digits []byte) bool {
	code := strings.TrimPrefix(string(digits), "00")
	return len(code) >= 1 && len(code) <= 3
}

// simplify writes digits, signs and separators in ASCII and leaves out what nobody sees.
func simplify(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= '０' && c <= '９':
			return c - '０' + '0'
		case c == '＋':
			return '+'
		case c == '（':
			return '('
		case c == '）':
			return ')'
		case c == '．':
			return '.'
		case unicode.Is(unicode.Pd, c) || c == '\u2212': // hyphens, dashes, minus
			return '-'
		case c == '\t' || unicode.Is(unicode.Zs, c):
			return ' '
		case unicode.Is(unicode.Cf, c) || unicode.Is(unicode.Variation_Selector, c):
			return -1
		}
		return c
	}, text)
}

// dropDecimals takes the .0 from a number that a spreadsheet read as a quantity. It
// reports false where that may as well be the last group of a number written with dots.
func dropDecimals(text string) (string, bool) {
	text = strings.TrimSpace(text)
	number, decimals, dotted := cutLast(text, ".")
	decimals = strings.TrimSpace(decimals)
	if !dotted || decimals == "" || strings.Trim(decimals, "0") != "" {
		return text, true
	}
	if digits := strings.TrimPrefix(number, "+"); decimals == "0" && strings.Trim(digits, "0123456789") == "" {
		return number, true
	}
	// +46.70.123.45.00 has groups of two digits or more.
	return text, strings.Contains(number, ".") && len(decimals) == 2
}

func cutLast(text, separator string) (before, after string, found bool) {
	i := strings.LastIndex(text, separator)
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+len(separator):], true
}

// keepsZero reports whether numbers of the country begin with a 0 that is dialled from
// abroad, too, so that "(0)" may belong to the number: Benin, Ivory Coast, Gabon, Congo,
// San Marino, Vatican City, Italy.
func keepsZero(number string) bool {
	for _, country := range []string{"229", "225", "241", "242", "378", "379", "39"} {
		if strings.HasPrefix(number, country) {
			return true
		}
	}
	return false
}

// isMainlandMobile reports whether number is 1, 3 to 9, and nine more digits.
func isMainlandMobile(number string) bool {
	return len(number) == 11 && number[0] == '1' && number[1] >= '3'
}
