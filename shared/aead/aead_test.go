package aead

import (
	"errors"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/secret"
)

const (
	oldMaster = "an old master secret of forty characters"
	newMaster = "a new master secret, also of forty chars"
)

func mustKeys(t *testing.T, text string) *Keys {
	t.Helper()
	keys, err := ParseKeys(secret.NewValue(text))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func mustBox(t *testing.T, keys *Keys, purpose Purpose) *Box {
	t.Helper()
	box, err := keys.Box(purpose)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func TestParseKeysRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":          ``,
		"no JSON":          `current: secret-secret-secret-secret`,
		"no current":       `{"previous":"` + oldMaster + `"}`,
		"a short current":  `{"current":"short-secret"}`,
		"a short previous": `{"current":"` + newMaster + `","previous":"short-secret"}`,
		"a placeholder":    `{}`,
		"a number":         `{"current":12345678901234567890123456789012}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseKeys(secret.NewValue(text))
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), "secret-secret") || strings.Contains(err.Error(), "short-secret") {
				t.Fatalf("the error shows the secret: %v", err)
			}
		})
	}
}

func TestBoxOpensWhatItSealed(t *testing.T) {
	box := mustBox(t, mustKeys(t, `{"current":"`+newMaster+`"}`), StateCookie)
	sealed, err := box.Seal([]byte("content"), []byte("name"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(sealed), "content") {
		t.Fatal("sealed value shows its content")
	}
	opened, err := box.Open(sealed, []byte("name"))
	if err != nil || string(opened) != "content" {
		t.Fatalf("Open = %q, %v", opened, err)
	}
}

func TestBoxRefuses(t *testing.T) {
	keys := mustKeys(t, `{"current":"`+newMaster+`"}`)
	box := mustBox(t, keys, StateCookie)
	sealed, _ := box.Seal([]byte("content"), []byte("name"))
	flipped := append([]byte(nil), sealed...)
	flipped[len(flipped)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another purpose": func() ([]byte, error) { return mustBox(t, keys, AccessToken).Open(sealed, []byte("name")) },
		"other data":      func() ([]byte, error) { return box.Open(sealed, []byte("other")) },
		"a changed byte":  func() ([]byte, error) { return box.Open(flipped, []byte("name")) },
		"nothing":         func() ([]byte, error) { return box.Open(nil, []byte("name")) },
		"a short value":   func() ([]byte, error) { return box.Open(sealed[:10], []byte("name")) },
		"another key": func() ([]byte, error) {
			return mustBox(t, mustKeys(t, `{"current":"`+oldMaster+`"}`), StateCookie).Open(sealed, []byte("name"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := open(); !errors.Is(err, ErrNotOpened) {
				t.Fatalf("err = %v", err)
			}
		})
	}
}

func TestPreviousKeyStillOpensButSealsNoMore(t *testing.T) {
	before := mustKeys(t, `{"current":"`+oldMaster+`"}`)
	after := mustKeys(t, `{"current":"`+newMaster+`","previous":"`+oldMaster+`"}`)
	sealed, _ := mustBox(t, before, StateCookie).Seal([]byte("content"), nil)
	if _, err := mustBox(t, after, StateCookie).Open(sealed, nil); err != nil {
		t.Fatalf("previous key does not open: %v", err)
	}
	sealed, _ = mustBox(t, after, StateCookie).Seal([]byte("content"), nil)
	if _, err := mustBox(t, before, StateCookie).Open(sealed, nil); err == nil {
		t.Fatal("sealed with the previous key")
	}

	earlier, _ := before.Deriver(SessionID)
	later, _ := after.Deriver(SessionID)
	if !later.Matches("state", earlier.Derive("state")) || later.Derive("state") == earlier.Derive("state") {
		t.Fatal("Deriver does not follow the keys")
	}
	if later.Matches("other", earlier.Derive("state")) {
		t.Fatal("another value matches")
	}
}
