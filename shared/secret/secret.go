package secret

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Value is a secret. It prints as "[redacted]" wherever it is formatted, logged or
// encoded; only Reveal returns its content.
//
// Values are not comparable with ==, which would tell two secrets apart in a time that
// depends on them; see Equal.
type Value struct {
	_ [0]func()
	// content is behind a pointer, so that a printer that cannot call methods (because the
	// Value is in an unexported field) shows an address.
	content *string
}

const redacted = "[redacted]"

// NewValue wraps a secret.
func NewValue(content string) Value { return Value{content: &content} }

// Reveal returns the secret itself.
func (v Value) Reveal() string {
	if v.content == nil {
		return ""
	}
	return *v.content
}

// IsEmpty reports whether the secret is empty.
func (v Value) IsEmpty() bool { return v.Reveal() == "" }

// Equal reports whether both are the same secret, in a time that does not reveal where
// they differ.
func (v Value) Equal(other Value) bool {
	return subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(other.Reveal())) == 1
}

// String hides the secret from code that asks for text.
func (Value) String() string { return redacted }

// Format hides the secret from fmt, whatever the verb.
func (Value) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText hides the secret from encoders.
func (Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue hides the secret from slog.
func (Value) LogValue() slog.Value { return slog.StringValue(redacted) }

// ErrNotFound says that there is no such secret, or no such version of it.
var ErrNotFound = errors.New("secret not found")

// ErrExists says that the name or the version is in use already, with another value.
var ErrExists = errors.New("secret exists already")

// Current asks Get for the newest version.
const Current = ""

// Store keeps named secrets in versions.
type Store interface {
	// Get returns a version, or the newest for Current. It fails with ErrNotFound.
	Get(ctx context.Context, name, version string) (Value, error)
	// Create writes a new secret with its first version. The caller chooses the names of
	// versions: 32 to 64 letters, digits or hyphens. It fails with ErrExists.
	Create(ctx context.Context, name, version string, value Value) error
	// Put adds a version and makes it the newest; the one before stays readable. It fails
	// with ErrNotFound, or with ErrExists if the version exists with another value.
	Put(ctx context.Context, name, version string, value Value) error
	// Delete removes the secret with all versions at once, so that the name can be created
	// again. It succeeds if there is no such secret.
	Delete(ctx context.Context, name string) error
}
