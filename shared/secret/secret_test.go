package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/secret"
)

// Attack: read a secret off a log line, an error text or an encoded record.
func TestValueIsNeverShown(t *testing.T) {
	const content = "hunter2-hunter2"
	value := secret.NewValue(content)
	type hiding struct{ inside secret.Value }
	type showing struct{ Inside secret.Value }
	var shown bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q", "%U"} {
		for _, each := range []any{
			value, &value,
			hiding{value},
			&hiding{value},
			showing{value},
			[]secret.Value{value},
			map[string]hiding{"a": {value}},
		} {
			fmt.Fprintf(&shown, verb+"\n", each)
		}
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&shown, nil), slog.NewJSONHandler(&shown, nil)} {
		slog.New(handler).Info("x", "a", value, "b", hiding{value}, "c", showing{value}, "d", &value)
	}
	if err := json.NewEncoder(&shown).Encode([]any{value, hiding{value}, showing{value}}); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{content, fmt.Sprintf("%x", content), fmt.Sprintf("%X", content)} {
		if strings.Contains(shown.String(), form) {
			t.Errorf("shown: %s", shown.String())
		}
	}
	if value.Reveal() != content || value.IsEmpty() || !(secret.Value{}).IsEmpty() || (secret.Value{}).Reveal() != "" {
		t.Error("Reveal must give it, and nothing else")
	}
}

func TestCheckWrite(t *testing.T) {
	version, value := strings.Repeat("1", 32), secret.NewValue("one")
	tests := []struct {
		name, version string
		value         secret.Value
		ok            bool
	}{
		{"a/b_C+d=e.f@g-1", version, value, true},
		{strings.Repeat("n", 512), strings.Repeat("-", 64), value, true},
		{"n", version, secret.NewValue(strings.Repeat("k", 64<<10)), true},
		{"", version, value, false},
		{"a b", version, value, false},
		{"é", version, value, false},
		{strings.Repeat("n", 513), version, value, false},
		{"n", "", value, false},
		{"n", strings.Repeat("1", 31), value, false},
		{"n", strings.Repeat("1", 65), value, false},
		{"n", strings.Repeat("/", 32), value, false},
		{"n", version, secret.Value{}, false},
		{"n", version, secret.NewValue("hunter2\xff"), false},
		{"n", version, secret.NewValue(strings.Repeat("hunter2!", 8<<10) + "k"), false},
	}
	for _, test := range tests {
		err := secret.CheckWrite(test.name, test.version, test.value)
		if (err == nil) != test.ok {
			t.Errorf("%.20q %.20q: got %v", test.name, test.version, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
}
