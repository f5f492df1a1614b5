package embedded

import (
	"encoding/base64"
	"strings"

	"github.com/wecom-signin/wecom-signin/shared/store"
)

// A cursor names its table and the last key given out, so that the cursor of
// another list is recognised.

func sealCursor(from table, last string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(string(from) + "\n" + last))
}

func openCursor(from table, cursor string) (last string, err error) {
	if cursor == "" {
		return "", nil
	}
	decoded, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", store.ErrBadCursor
	}
	last, ours := strings.CutPrefix(string(decoded), string(from)+"\n")
	if !ours || last == "" {
		return "", store.ErrBadCursor
	}
	return last, nil
}
