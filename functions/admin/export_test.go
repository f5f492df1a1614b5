package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Observe is observe.
func Observe(ctx context.Context, call wecom.Call) { observe(ctx, call) }

// CheckParseObject fails unless an accepted body means the same to encoding/json.
func CheckParseObject(t *testing.T, body []byte) {
	o, err := parseObject(body)
	if err != nil {
		return
	}
	var other map[string]json.RawMessage
	if err := json.Unmarshal(body, &other); err != nil {
		t.Fatalf("%q was accepted: %v", body, err)
	}
	if len(other) != len(o.names) || len(o.values) != len(o.names) {
		t.Fatalf("%q: %d members, not %d", body, len(o.names), len(other))
	}
	for name, value := range other {
		if !bytes.Equal(bytes.TrimSpace(value), bytes.TrimSpace(o.values[name])) {
			t.Errorf("%q: %q is %s, not %s", body, name, o.values[name], value)
		}
		_, _, _ = o.text(name)
		_, _, _ = o.texts(name)
		_, _, _ = o.flag(name)
	}
}

// CheckParseImport fails unless every row is where it says, in order, and in UTF-8.
func CheckParseImport(t *testing.T, file []byte, charset string) {
	if !isImportCharset(charset) {
		return
	}
	text, err := decodeImport(file, charset)
	if err != nil {
		return
	}
	lines, columns, err := parseImport(text)
	if err != nil {
		return
	}
	if columns < 2 || columns > 3 || len(lines) > mostRows {
		t.Fatalf("%d columns, %d rows", columns, len(lines))
	}
	row, end := 1, bytes.Count(text, []byte("\n"))+1
	for _, l := range lines {
		if l.row <= row || l.row > end {
			t.Errorf("%q: row %d after %d of %d", file, l.row, row, end)
		}
		if cells := l.phone + l.name + l.roles; !utf8.ValidString(cells) || strings.ContainsRune(cells, utf8.RuneError) {
			t.Errorf("%q: row %d has %q", file, l.row, cells)
		}
		row = l.row
	}
}
