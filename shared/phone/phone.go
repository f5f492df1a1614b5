package phone

import "strings"

// Normalize returns a number in E.164, or false if text is not a number that can be
// dialled from anywhere. It ignores blanks, hyphens, dots and brackets, and reads full
// width digits and signs as plain ones. A number without "+" or "00" must be a mobile
// number of mainland China, with or without 86, because WeCom's directory has those.
func Normalize(text string) (string, bool) {
	// Far longer than any spelling of 15 digits; a cell of an import may hold anything.
	if len(text) > 128 {
		return "", false
	}
	digits := make([]byte, 0, 24)
	international := false
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			digits = append(digits, byte(c))
		case c >= '０' && c <= '９':
			digits = append(digits, byte(c-'０'+'0'))
		case c == '+' || c == '＋':
			// Only in front: "86+138…" is not one number.
			if international || len(digits) > 0 {
				return "", false
			}
			international = true
		case strings.ContainsRune(ignored, c):
		default:
			return "", false
		}
	}
	number := string(digits)
	if !international {
		number, international = strings.CutPrefix(number, "00")
	}
	if !international {
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

// ignored are the separators that people write, in both widths, and the invisible marks
// in copied numbers.
const ignored = " \t-.()" +
	"\u00a0\u2009\u202f\u3000" + // no-break, thin, narrow no-break and full width blanks
	"\u2010\u2011\u2012\u2013\u2014\u2212\uff0d" + // hyphens, dashes, minus
	"\uff08\uff09\uff0e" + // brackets and dot in full width
	"\u200e\u200f\u202a\u202c\u202d\u2068\u2069" // direction marks, which phones copy

// isMainlandMobile reports whether number is 1, 3 to 9, and nine more digits.
func isMainlandMobile(number string) bool {
	return len(number) == 11 && number[0] == '1' && number[1] >= '3'
}
