package wecom

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// AccessToken is the credential of one app for WeCom's calls. It prints as
// "[redacted]"; Reveal is the only way to its content. It is not comparable
// with ==; see Equal.
type AccessToken struct {
	_ [0]func()
	// content is behind a pointer: a printer that cannot call methods, because the
	// token is in an unexported field, shows an address.
	content *string
}

const redacted = "[redacted]"

// NewAccessToken wraps a token.
func NewAccessToken(content string) AccessToken { return AccessToken{content: &content} }

// Reveal returns the token itself.
func (t AccessToken) Reveal() string {
	if t.content == nil {
		return ""
	}
	return *t.content
}

// IsEmpty reports whether there is no token.
func (t AccessToken) IsEmpty() bool { return t.Reveal() == "" }

// Equal reports whether both are the same token, in a time that does not tell
// where they differ.
func (t AccessToken) Equal(other AccessToken) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(other.Reveal())) == 1
}

// String hides the token from whoever asks for text.
func (AccessToken) String() string { return redacted }

// Format hides the token from fmt, whatever the verb.
func (AccessToken) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText hides the token from encoders.
func (AccessToken) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides the token from slog.
func (AccessToken) LogValue() slog.Value { return slog.StringValue(redacted) }

// Token is what gettoken gives.
type Token struct {
	Value AccessToken
	// ExpiresIn counts from the moment the call was made. WeCom may end a token
	// earlier (40014, 42001).
	ExpiresIn time.Duration
}
