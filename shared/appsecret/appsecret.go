package appsecret

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/secret"
)

// Secret has the parts.
type Secret struct {
	App secret.Value // sent to gettoken
	// Token and EncodingAESKey are those of the receiver, both or neither.
	Token, EncodingAESKey secret.Value
}

// encoded is the form of a secret with a receiver, and of one whose app's secret would be
// taken for it.
type encoded struct {
	Secret         string `json:"secret"`
	Token          string `json:"token,omitempty"`
	EncodingAESKey string `json:"encodingAesKey,omitempty"`
}

// Parse reads a stored value.
func Parse(stored secret.Value) (Secret, error) {
	text := stored.Reveal()
	if !isEncoded(text) {
		return Secret{App: stored}, nil
	}
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	var e encoded
	if err := decoder.Decode(&e); err != nil || decoder.More() || e.Secret == "" || (e.Token == "") != (e.EncodingAESKey == "") {
		return Secret{}, errors.New("an authenticator's secret has an unknown form") // the decoder's error has parts of it
	}
	return Secret{secret.NewValue(e.Secret), secret.NewValue(e.Token), secret.NewValue(e.EncodingAESKey)}, nil
}

// isEncoded tells the form from WeCom's secrets, which are letters, digits, hyphens and
// underscores.
func isEncoded(text string) bool { return strings.HasPrefix(text, "{") }

// HasReceiver reports whether there are token and key.
func (s Secret) HasReceiver() bool { return !s.Token.IsEmpty() }

// Encode returns the value to store. Without a receiver it is the app's secret alone.
func (s Secret) Encode() secret.Value {
	if !s.HasReceiver() && !isEncoded(s.App.Reveal()) {
		return s.App
	}
	text, _ := json.Marshal(encoded{s.App.Reveal(), s.Token.Reveal(), s.EncodingAESKey.Reveal()}) //nolint:gosec // it is what is stored; of strings, it cannot fail
	return secret.NewValue(string(text))
}
