package aead

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wecom-signin/wecom-signin/shared/secret"
)

// Purpose separates the uses of the sealing keys.
type Purpose string

// The purposes in use. Changing one makes unreadable what was sealed for it.
const (
	StateCookie Purpose = "state cookie"
	SessionID   Purpose = "session id"
	AccessToken Purpose = "access token"
	// FirstSignIn is for the cookie of a browser that waits for a member's first sign-in.
	FirstSignIn Purpose = "first sign-in"
	// AuthorizationRequest is for the cookies that keep what waits while a member signs in:
	// an application's request, and where a visitor of software behind a proxy wanted to go.
	AuthorizationRequest Purpose = "authorization request"
	// RefreshToken makes applications' refresh tokens, and Form the proofs that an answer
	// comes from a page of the service (package oauth).
	RefreshToken Purpose = "refresh token"
	Form         Purpose = "form"
	// ProxyCookie makes the cookies of software behind a proxy (package oauth).
	ProxyCookie Purpose = "proxy cookie"
	// LookedUpPhone makes the names under which phones that WeCom did not find are kept.
	LookedUpPhone Purpose = "looked-up phone"
)

// ErrNotOpened: the value was not sealed by this service, for this purpose and with this
// associated data, or its key is gone.
var ErrNotOpened = errors.New("sealed value does not open")

// minimumSecret is the length of the shortest accepted sealing key, in characters.
const minimumSecret = 32

// Keys are the sealing keys, from which the key of each purpose is derived.
type Keys struct{ masters []string } // current first

// ParseKeys reads the sealing secret: {"current":"…","previous":"…"}, where
// previous is optional and each is at least 32 characters.
func ParseKeys(value secret.Value) (*Keys, error) {
	var content struct {
		Current  string `json:"current"`
		Previous string `json:"previous"`
	}
	if err := json.Unmarshal([]byte(value.Reveal()), &content); err != nil {
		// The error of a JSON decoder may quote what it read.
		return nil, errors.New("parse sealing keys: not the JSON object expected")
	}
	masters := []string{content.Current}
	if content.Previous != "" {
		masters = append(masters, content.Previous)
	}
	for _, master := range masters {
		if len(master) < minimumSecret {
			return nil, fmt.Errorf("parse sealing keys: a key is shorter than %d characters", minimumSecret)
		}
	}
	return &Keys{masters}, nil
}

func (k *Keys) derive(purpose Purpose) ([][]byte, error) {
	derived := make([][]byte, 0, len(k.masters))
	for _, master := range k.masters {
		key, err := hkdf.Key(sha256.New, []byte(master), nil, "wecom sign-in: "+string(purpose), 32)
		if err != nil {
			return nil, fmt.Errorf("derive key for %s: %w", purpose, err)
		}
		derived = append(derived, key)
	}
	return derived, nil
}

// Box seals and opens values of one purpose. It is safe for concurrent use.
type Box struct{ ciphers []cipher.AEAD }

// Box returns the box of a purpose.
func (k *Keys) Box(purpose Purpose) (*Box, error) {
	derived, err := k.derive(purpose)
	if err != nil {
		return nil, err
	}
	box := &Box{}
	for _, key := range derived {
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, fmt.Errorf("make cipher for %s: %w", purpose, err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, fmt.Errorf("make cipher for %s: %w", purpose, err)
		}
		box.ciphers = append(box.ciphers, aead)
	}
	return box, nil
}

// Seal returns plaintext encrypted, bound to the associated data.
func (b *Box) Seal(plaintext, associated []byte) ([]byte, error) {
	return b.ciphers[0].Seal(nil, nil, plaintext, associated), nil //nolint:gosec // the cipher makes a random nonce, see Box
}

// Open returns what was sealed with the same associated data, or ErrNotOpened.
func (b *Box) Open(sealed, associated []byte) ([]byte, error) {
	for _, aead := range b.ciphers {
		if plaintext, err := aead.Open(nil, nil, sealed, associated); err == nil {
			return plaintext, nil
		}
	}
	return nil, ErrNotOpened
}

// Deriver derives from a value another one that nobody without the key can compute.
type Deriver struct{ keys [][]byte }

// Deriver returns the deriver of a purpose.
func (k *Keys) Deriver(purpose Purpose) (*Deriver, error) {
	derived, err := k.derive(purpose)
	if err != nil {
		return nil, err
	}
	return &Deriver{derived}, nil
}

// Derive returns 43 URL-safe characters (256 bits): HMAC-SHA-256 under the current key.
func (d *Deriver) Derive(value string) string { return derive(d.keys[0], value) }

// Matches reports, in constant time, whether derived comes from value under the
// current or the previous key.
func (d *Deriver) Matches(value, derived string) bool {
	for _, key := range d.keys {
		if hmac.Equal([]byte(derive(key, value)), []byte(derived)) {
			return true
		}
	}
	return false
}

func derive(key []byte, value string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(value))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
