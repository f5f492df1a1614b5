package authflow

import (
	"crypto/rand"
	"net/url"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// maxReturnPath is the longest return path accepted, in bytes.
const maxReturnPath = 2048

// ReturnPath is a path, with query and fragment, on an application's origin that a
// browser may be sent to. The zero value stands for the authenticator's default page;
// any other value comes from ParseReturnPath, so an unchecked path does not compile.
type ReturnPath struct{ checked string }

// ParseReturnPath checks a path from a query, a cookie or the configuration. It reports
// false, with the zero value, unless a browser stays on the origin that the path is
// appended to: browsers read "//host" and "/\host" as another host and drop tabs and
// line breaks, so none of these pass. Bytes outside ASCII come back percent-encoded,
// because the path goes into a Location header; the query stays as it is.
func ParseReturnPath(text string) (ReturnPath, bool) {
	if len(text) > maxReturnPath || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") {
		return ReturnPath{}, false
	}
	path, _, _ := strings.Cut(text, "?")
	if strings.Contains(path, `\`) {
		return ReturnPath{}, false
	}
	encoded := make([]byte, 0, len(text))
	for i := range len(text) {
		switch c := text[i]; {
		case c == '%' && i < len(path) && !isEscape(text[i:]):
			encoded = append(encoded, "%25"...)
		case c < 0x20 || c == 0x7f:
			return ReturnPath{}, false
		case c == ' ' || c == '"' || c == '<' || c == '>' || c == '`' || c >= 0x80:
			encoded = append(encoded, '%', upperHex[c>>4], upperHex[c&15])
		default:
			encoded = append(encoded, c)
		}
	}
	if len(encoded) > maxReturnPath {
		return ReturnPath{}, false
	}
	checked := string(encoded)
	// A parser has the last word: no scheme, no host, whatever was missed above.
	if parsed, err := url.Parse(checked); err != nil || parsed.IsAbs() || parsed.Host != "" || parsed.User != nil {
		return ReturnPath{}, false
	}
	return ReturnPath{checked}, true
}

// IsZero reports whether the path stands for the authenticator's default page.
func (p ReturnPath) IsZero() bool { return p.checked == "" }

// String returns the path, or "" for the default page.
func (p ReturnPath) String() string { return p.checked }

// MarshalText implements encoding.TextMarshaler.
func (p ReturnPath) MarshalText() ([]byte, error) { return []byte(p.checked), nil }

// UnmarshalText checks a path again, so that none comes unchecked out of a cookie either. The
// default page takes the place of one that does not pass.
func (p *ReturnPath) UnmarshalText(text []byte) error {
	*p, _ = ParseReturnPath(string(text))
	return nil
}

const upperHex = "0123456789ABCDEF"

// isEscape reports whether s begins with a percent sign and two hexadecimal digits.
func isEscape(s string) bool {
	return len(s) >= 3 && isHex(s[1]) && isHex(s[2])
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// Destination is where a browser goes once it is signed in: a path on the authenticator's
// origin, an application that waits for it, or one of the service's own pages: the console
// or the member's page. The zero value is the authenticator's default page. In cookies its
// names are short.
type Destination struct {
	Path ReturnPath `json:"p,omitzero"`
	// Console sends an administrator back to the console; Path is kept and not used.
	Console bool `json:"c,omitempty"`
	// MemberPage sends a member to the sign-in page, which is the member's own page then;
	// Path is kept and not used.
	MemberPage bool `json:"m,omitempty"`
	// Application is the client id of an application whose authorization request this
	// browser keeps under the id Continue (package session). Both are set or none is;
	// Path is not used then.
	Application string `json:"a,omitempty"`
	Continue    string `json:"q,omitempty"`
	// Locales is what the application asks the pages on the way to speak (ui_locales); empty:
	// nothing. It is unchecked, and travels in addresses alone.
	Locales string `json:"-"`
}

// The query parameters of a destination, in the addresses of the sign-in page, of
// authorize and of the callback. "return" knows two values, so it opens no redirect.
const (
	pathParameter   = "redirect"
	returnParameter = "return"
	consoleValue    = "console"
	memberPageValue = "signin"

	applicationParameter = "application"
	continueParameter    = "continue"
	localesParameter     = "ui_locales" // read by package text

	// maxLocales is the longest value that is carried on, in bytes.
	maxLocales = 64
)

// NewRequestID returns an id for a kept authorization request: 130 random bits.
func NewRequestID() string { return rand.Text() }

// IsRequestID reports whether NewRequestID may have made an id.
func IsRequestID(id string) bool {
	for _, c := range []byte(id) {
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return false
		}
	}
	return len(id) == RequestIDLength
}

// RequestIDLength is the length of the ids of NewRequestID.
const RequestIDLength = 26

// DestinationOf reads the destination from a query. An application without a request that
// may be kept, or the reverse, is dropped; with both no path counts. A path that does not
// pass ParseReturnPath is dropped for the default page.
//
// So is a path with a code in a query that has a state: WeCom appends both to any
// redirect_uri, and behind a question mark its code would end up in the path. WeCom sends
// a state always, an empty one if need be. The sealed attempt keeps an application's own
// code over the way to WeCom; a query without a state is not WeCom's answer, and its path
// may have any parameter.
func DestinationOf(query url.Values) Destination {
	d := Destination{
		Console:     query.Get(returnParameter) == consoleValue,
		MemberPage:  query.Get(returnParameter) == memberPageValue,
		Application: query.Get(applicationParameter), Continue: query.Get(continueParameter),
	}
	if locales := query.Get(localesParameter); len(locales) <= maxLocales {
		d.Locales = locales
	}
	if store.IsAuthenticatorName(d.Application) && IsRequestID(d.Continue) {
		return d
	}
	d.Application, d.Continue = "", ""
	d.Path, _ = ParseReturnPath(query.Get(pathParameter))
	if query.Has("state") && IsOAuthAnswer(d.Path.String()+"&state") {
		d.Path = ReturnPath{}
	}
	return d
}

// IsOAuthAnswer reports whether a query, or a path with its query, has both a code and a
// state. WeCom checks only the host of a redirect_uri, so anybody can make a link that has
// a code sent to any path of the service. It must not be forwarded: whoever reads the
// addresses that reach an application would spend it in another browser and be the victim.
// Any spelling that some software reads as these names counts, also behind a second
// question mark.
func IsOAuthAnswer(text string) bool {
	var code, state bool
	for pair := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '&' || c == ';' || c == '?' }) {
		name, _, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
		name, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(name)), "[")
		code, state = code || name == "code", state || name == "state"
	}
	return code && state
}

// addTo writes the destination into a query; the default page needs no parameter.
func (d Destination) addTo(query url.Values) {
	if !d.Path.IsZero() {
		query.Set(pathParameter, d.Path.String())
	}
	switch {
	case d.Console:
		query.Set(returnParameter, consoleValue)
	case d.MemberPage:
		query.Set(returnParameter, memberPageValue)
	}
	if d.Application != "" {
		query.Set(applicationParameter, d.Application)
		query.Set(continueParameter, d.Continue)
	}
	if d.Locales != "" {
		query.Set(localesParameter, d.Locales)
	}
}

// IsMemberPage reports whether nothing waits for a member who has signed in, so that the
// sign-in page is the member's own page.
func (d Destination) IsMemberPage() bool {
	return d.Path.IsZero() && !d.Console && d.Application == ""
}

// Or completes a destination by another one, which says where to go when the first was
// lost on the way.
func (d Destination) Or(other Destination) Destination {
	if d.Path.IsZero() {
		d.Path = other.Path
	}
	d.Console = d.Console || other.Console
	d.MemberPage = d.MemberPage || other.MemberPage
	if d.Application == "" {
		d.Application, d.Continue = other.Application, other.Continue
	}
	if d.Locales == "" {
		d.Locales = other.Locales
	}
	return d
}

// URL returns the address of the destination for an authenticator.
func (d Destination) URL(publicURL string, a store.Authenticator) string {
	if d.Console {
		return ConsoleURL(publicURL)
	}
	if d.Application != "" {
		return ContinueURL(publicURL, d)
	}
	if d.MemberPage {
		return SignInURL(publicURL, SignInPage{})
	}
	path := d.Path
	if path.IsZero() {
		path = defaultPath(a)
	}
	if path.IsZero() {
		return a.Origin + "/"
	}
	return a.Origin + path.String()
}

// defaultPath is the authenticator's default page. It is checked like any other path:
// an older version may have stored what is refused today.
func defaultPath(a store.Authenticator) ReturnPath {
	path, _ := ParseReturnPath(a.WorkbenchRedirectPath)
	return path
}
