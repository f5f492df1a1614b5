package store

import (
	"encoding/base64"
	"strings"
)

// EncodeCursor returns the cursor after an entry of a list. It contains the name of the
// list, so that DecodeCursor recognises the cursor of another one.
func EncodeCursor(list, last string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(list + "\n" + last))
}

// DecodeCursor returns the entry before a cursor of this list, nothing for the beginning,
// or ErrBadCursor.
func DecodeCursor(list, cursor string) (last string, err error) {
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
