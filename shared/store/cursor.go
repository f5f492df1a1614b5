package store

import (
	"encoding/base64"
	"strings"
)

// SealCursor returns the cursor for what follows an entry of a list. It names the
// list, so that the cursor of another one is recognised.
func SealCursor(list, last string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(list + "\n" + last))
}

// OpenCursor returns the entry that a cursor of this list follows, empty for the
// beginning, or ErrBadCursor.
func OpenCursor(list, cursor string) (last string, err error) {
	if cursor == "" {
		return "", nil
	}
	decoded, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", ErrBadCursor
	}
	last, ours := strings.CutPrefix(string(decoded), list+"\n")
	if !ours || last == "" {
		return "", ErrBadCursor
	}
	return last, nil
}
