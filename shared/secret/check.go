package secret

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxBytes is the largest value that every engine stores, as Secrets Manager does.
const MaxBytes = 64 << 10

// CheckName returns an error unless name is valid for every engine: 1 to 512 ASCII
// letters, digits or /_+=.@-
func CheckName(name string) error {
	if len(name) == 0 || len(name) > 512 || !consistsOf(name, "/_+=.@-") {
		return fmt.Errorf("bad secret name %q", name)
	}
	return nil
}

// IsVersion reports whether s is a valid name of a version: 32 to 64 ASCII letters, digits
// or hyphens.
func IsVersion(s string) bool { return len(s) >= 32 && len(s) <= 64 && consistsOf(s, "-") }

// CheckWrite returns an error unless every engine can write this. The error shows nothing
// of the value.
func CheckWrite(name, version string, value Value) error {
	if err := CheckName(name); err != nil {
		return err
	}
	switch content := value.Reveal(); {
	case !IsVersion(version):
		return fmt.Errorf("bad secret version %q", version)
	case content == "":
		return errors.New("empty secret")
	case len(content) > MaxBytes:
		return errors.New("secret larger than 64 kB")
	case !utf8.ValidString(content):
		return errors.New("secret is not UTF-8")
	}
	return nil
}

func consistsOf(s, others string) bool {
	for _, c := range []byte(s) {
		isLetter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !isLetter && (c < '0' || c > '9') && !strings.ContainsRune(others, rune(c)) {
			return false
		}
	}
	return true
}
