package authflow

import (
	"net/url"
	"strings"
)

// An administrator who signs in for the console comes back to it: the parameter of
// that name, with that value, says so in the sign-in page's, authorize's and the
// callback's address. It can name nothing else, so it opens no redirect.
const (
	ReturnParameter = "return"
	ReturnToConsole = "console"
)

// WantsConsole reports whether an address's query says so.
func WantsConsole(query url.Values) bool { return query.Get(ReturnParameter) == ReturnToConsole }

// ConsoleAddress returns where the console is.
func ConsoleAddress(publicURL string) string { return publicURL + "/console" }

// longestRedirect is the longest target path accepted, in bytes.
const longestRedirect = 2048

// CheckRedirect returns the path, with query, that a visitor may be sent to on an
// application's origin, or false. It must stay on that origin whatever a browser
// makes of it: browsers read "//host" and "/\host" as another host and drop tabs
// and line breaks inside, so none of these may pass. What is not ASCII comes back
// percent-encoded, because it goes into a Location header; the query stays as it is.
func CheckRedirect(target string) (string, bool) {
	if len(target) > longestRedirect || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "//") {
		return "", false
	}
	path, _, _ := strings.Cut(target, "?")
	if strings.Contains(path, `\`) {
		return "", false
	}
	encoded := make([]byte, 0, len(target))
	for i := range len(target) {
		switch c := target[i]; {
		case c == '%' && i < len(path) && !isEscape(target[i:]):
			encoded = append(encoded, "%25"...)
		case c < 0x20 || c == 0x7f:
			return "", false
		case c == ' ' || c == '"' || c == '<' || c == '>' || c == '`' || c >= 0x80:
			encoded = append(encoded, '%', upperHex[c>>4], upperHex[c&15])
		default:
			encoded = append(encoded, c)
		}
	}
	if len(encoded) > longestRedirect {
		return "", false
	}
	clean := string(encoded)
	// A last look with a parser: no scheme, no host, whatever was missed above.
	if parsed, err := url.Parse(clean); err != nil || parsed.IsAbs() || parsed.Host != "" || parsed.User != nil {
		return "", false
	}
	return clean, true
}

const upperHex = "0123456789ABCDEF"

// isEscape reports whether s begins with a percent sign and two hexadecimal digits.
func isEscape(s string) bool {
	return len(s) >= 3 && isHex(s[1]) && isHex(s[2])
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
