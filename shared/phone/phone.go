package phone

import "strings"

// Normalize returns the E.164 form of a number, or false when it is none.
//
// Spaces, dashes, dots and parentheses are left out, full-width digits are read as
// digits. A number with + or 00 in front is international; without, it is a
// mainland mobile number, with 86 in front or not, because that is how WeCom's
// directory keeps them. A number of +86 must be a mobile one.
func Normalize(text string) (string, bool) {
	digits, international, ok := scan(text)
	if !ok {
		return "", false
	}
	if !international {
		if rest, found := strings.CutPrefix(digits, "00"); found {
			digits, international = rest, true
		}
	}
	if !international {
		if isMainlandMobile(digits) {
			return "+86" + digits, true
		}
		rest, found := strings.CutPrefix(digits, "86")
		if !found || !isMainlandMobile(rest) {
			return "", false
		}
		return "+" + digits, true
	}
	// ITU-T E.164: a country code, which begins with no zero, and 15 digits at most.
	if len(digits) < 7 || len(digits) > 15 || digits[0] == '0' {
		return "", false
	}
	if rest, mainland := strings.CutPrefix(digits, "86"); mainland && !isMainlandMobile(rest) {
		return "", false
	}
	return "+" + digits, true
}

// scan returns the digits of text and whether a plus stands in front.
func scan(text string) (digits string, international, ok bool) {
	var found strings.Builder
	for _, c := range text {
		if '０' <= c && c <= '９' {
			c += '0' - '０'
		}
		switch {
		case '0' <= c && c <= '9':
			found.WriteRune(c)
		case c == '+' || c == '＋':
			if international || found.Len() > 0 {
				return "", false, false
			}
			international = true
		case strings.ContainsRune(" \u00a0\u3000-‐‑–—.()（）", c):
		default:
			return "", false, false
		}
	}
	return found.String(), international, true
}

// isMainlandMobile: eleven digits, 13 to 19 in front.
func isMainlandMobile(digits string) bool {
	return len(digits) == 11 && digits[0] == '1' && digits[1] >= '3'
}
