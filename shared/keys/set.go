package keys

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keyBits is the size of the keys: the least that RS256 allows (RFC 7518 §3.3), and
// quick to verify everywhere.
const keyBits = 2048

// Key is a private signing key. It prints as its id alone. The zero Key means none.
type Key struct{ held *heldKey }

// heldKey is behind a pointer, so that a printer that cannot call methods (because the
// Key is in an unexported field) shows an address and not the key.
type heldKey struct {
	id      string
	created time.Time
	private *rsa.PrivateKey
}

// NewKey generates a key, which takes 20 to 130 ms of a core.
func NewKey(now time.Time) (Key, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return Key{}, fmt.Errorf("generate RSA key: %w", err)
	}
	return newKey(private, now)
}

func newKey(private *rsa.PrivateKey, created time.Time) (Key, error) {
	thumbprint, err := (&jose.JSONWebKey{Key: &private.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		return Key{}, fmt.Errorf("name the key: %w", err)
	}
	id := base64.RawURLEncoding.EncodeToString(thumbprint)
	return Key{&heldKey{id, created.UTC().Truncate(time.Second), private}}, nil
}

// ID returns the kid: the RFC 7638 thumbprint of the public part, so that no two keys
// share one. It is empty for the zero Key.
func (k Key) ID() string {
	if k.held == nil {
		return ""
	}
	return k.held.id
}

// Created returns when the key was generated, to the second.
func (k Key) Created() time.Time {
	if k.held == nil {
		return time.Time{}
	}
	return k.held.created
}

// IsZero reports whether k is the zero Key.
func (k Key) IsZero() bool { return k.held == nil }

// String returns the id, never the key.
func (k Key) String() string {
	if k.held == nil {
		return "no key"
	}
	return "key " + k.held.id
}

// Format prints the id for every verb, %d and %#v included.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue logs the id.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText encodes the id; only Set.Encode encodes keys.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Set has the keys of the service.
type Set struct {
	Next     Key // published, signs after the next rotation
	Current  Key // signs
	Previous Key // published until its last token has expired; zero in a first set
}

// Generate returns a first set: Next and Current.
func Generate(now time.Time) (Set, error) {
	next, err := NewKey(now)
	if err != nil {
		return Set{}, err
	}
	current, err := NewKey(now)
	if err != nil {
		return Set{}, err
	}
	return Set{Next: next, Current: current}, nil
}

// Rotate returns the set that follows s: Next signs, Current only verifies, Previous is
// dropped, and fresh is published for the rotation after.
func Rotate(s Set, fresh Key) Set {
	return Set{Next: fresh, Current: s.Next, Previous: s.Current}
}

// all returns the keys in the order of the document.
func (s Set) all() []Key {
	var list []Key
	for _, key := range []Key{s.Current, s.Next, s.Previous} {
		if !key.IsZero() {
			list = append(list, key)
		}
	}
	return list
}

// ErrNoSet says that a text never was a key set, like the value that a template gives a
// new secret. A damaged set is a different error, because nothing may replace it without
// a person knowing.
var ErrNoSet = errors.New("not a key set")

type encodedSet struct {
	Next     *encodedKey `json:"next"`
	Current  *encodedKey `json:"current"`
	Previous *encodedKey `json:"previous,omitempty"`
}

type encodedKey struct {
	ID      string    `json:"kid"` // for people; Decode derives it again
	Created time.Time `json:"created"`
	PKCS8   []byte    `json:"pkcs8"`
}

// Encode returns the set as JSON with the private keys in clear, for a secret store only.
// It fails without Next or Current.
func (s Set) Encode() (string, error) {
	if s.Next.IsZero() || s.Current.IsZero() {
		return "", errors.New("encode key set: a key is missing")
	}
	var encoded encodedSet
	for _, slot := range []struct {
		key Key
		to  **encodedKey
	}{{s.Next, &encoded.Next}, {s.Current, &encoded.Current}, {s.Previous, &encoded.Previous}} {
		if slot.key.IsZero() {
			continue
		}
		pkcs8, err := x509.MarshalPKCS8PrivateKey(slot.key.held.private)
		if err != nil {
			return "", fmt.Errorf("encode key: %w", err)
		}
		*slot.to = &encodedKey{slot.key.ID(), slot.key.Created(), pkcs8}
	}
	text, err := json.Marshal(encoded)
	if err != nil {
		return "", fmt.Errorf("encode key set: %w", err)
	}
	return string(text), nil
}

// Decode parses what Encode returns. It fails with ErrNoSet, or with an error that shows
// nothing of the text. It takes a few milliseconds, because it checks every key.
func Decode(text string) (Set, error) {
	var encoded encodedSet
	// The decoder's own errors quote the text, so they are not passed on.
	if json.Unmarshal([]byte(text), &encoded) != nil || encoded == (encodedSet{}) {
		if strings.Contains(text, `"pkcs8"`) {
			return Set{}, errors.New("decode key set: damaged")
		}
		return Set{}, ErrNoSet
	}
	var s Set
	for _, slot := range []struct {
		name string
		from *encodedKey
		to   *Key
	}{{"next", encoded.Next, &s.Next}, {"current", encoded.Current, &s.Current}, {"previous", encoded.Previous, &s.Previous}} {
		if slot.from == nil {
			continue
		}
		key, err := slot.from.decode()
		if err != nil {
			return Set{}, fmt.Errorf("decode the %s key: %w", slot.name, err)
		}
		*slot.to = key
	}
	if s.Next.IsZero() || s.Current.IsZero() {
		return Set{}, errors.New("decode key set: a key is missing")
	}
	return s, nil
}

func (e *encodedKey) decode() (Key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(e.PKCS8)
	if err != nil {
		return Key{}, errors.New("broken PKCS #8")
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok || private.N.BitLen() < keyBits {
		return Key{}, errors.New("not an RSA key of 2048 bits or more")
	}
	return newKey(private, e.Created)
}

// Public returns the public keys of the sets as one JWKS document, each key once. During a
// rotation it needs two sets, because verifiers must know the keys that sign before and
// after it.
func Public(sets ...Set) ([]byte, error) {
	var document jose.JSONWebKeySet
	known := make(map[string]bool)
	for _, s := range sets {
		for _, key := range s.all() {
			if known[key.ID()] {
				continue
			}
			known[key.ID()] = true
			document.Keys = append(document.Keys, jose.JSONWebKey{
				Key:       &key.held.private.PublicKey,
				KeyID:     key.ID(),
				Algorithm: string(jose.RS256),
				Use:       "sig",
			})
		}
	}
	if len(document.Keys) == 0 {
		return nil, errors.New("publish keys: there is none")
	}
	encoded, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("encode JWKS: %w", err)
	}
	return encoded, nil
}

// parsePublic returns the RS256 keys of a JWKS document by kid. It skips other keys, as
// RFC 7517 §5 recommends.
func parsePublic(document []byte) (map[string]*rsa.PublicKey, error) {
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(bytes.NewReader(document)).Decode(&set); err != nil {
		return nil, fmt.Errorf("decode JWKS: %w", err)
	}
	byID := make(map[string]*rsa.PublicKey, len(set.Keys))
	for _, key := range set.Keys {
		public, ok := key.Key.(*rsa.PublicKey)
		if !ok || key.KeyID == "" || public.N.BitLen() < keyBits ||
			(key.Algorithm != "" && key.Algorithm != string(jose.RS256)) || (key.Use != "" && key.Use != "sig") {
			continue
		}
		byID[key.KeyID] = public
	}
	if len(byID) == 0 {
		return nil, errors.New("decode JWKS: no RS256 key in it")
	}
	return byID, nil
}
