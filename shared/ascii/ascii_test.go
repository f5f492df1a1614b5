package ascii

import "testing"

func TestIsVisible(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "!": true, "~": true, "a-Z_09": true, "arn:aws:x:y/z": true,
		" ": false, "a b": false, "a\n": false, "\t": false, "\x00": false, "\x7f": false,
		"é": false, "密": false, "\u00a0": false, "\u200b": false, "a\xff": false,
	} {
		if got := IsVisible(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
