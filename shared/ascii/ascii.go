package ascii

import "strings"

// IsVisible reports whether text consists of the ASCII characters "!" to "~" only:
// without spaces, control characters and line breaks. Empty text does.
func IsVisible(text string) bool {
	return !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}
