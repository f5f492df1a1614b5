package phone

import (
	"regexp"
	"testing"
)

func TestNormalize(t *testing.T) {
	for text, want := range map[string]string{
		"13800000001":       "+8613800000001",
		"+86 13800000001":   "+8613800000001",
		"+86-138-0000-0001": "+8613800000001",
		"8613800000001":     "+8613800000001",
		"008613800000001":   "+8613800000001",
		"００８６１３８０００００００１":         "+8613800000001",
		"＋８６ 138 0000 0001":       "+8613800000001",
		" 138 0000 0001 ":         "+8613800000001",
		"+1 (415) 555-2671":       "+14155552671",
		"0044 20 7946 0958":       "+442079460958",
		"+852 5123 4567":          "+85251234567",
		"+46.70.123.45.67":        "+46701234567",
		"（+86）138\u30000000－0001": "+8613800000001",
		"\u202d13800000001\u202c": "+8613800000001",
		"+8225551234":             "+8225551234",
	} {
		if got, ok := Normalize(text); !ok || got != want {
			t.Errorf("Normalize(%q) = %q, %v; want %q", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"8686138000000", "86 12345678901", "+86 10 8888 8888", "+123456", "0013800000001x", "00", "+00861380000", "86+13800000001",
		"", "+", "abc", "12345", "12345678901", "10086", "138000000012", "+8612345678901", "+861380000000", "+0138000000",
		"13800000001 ext 5", "1380000+0001", "++8613800000001", "+1234567890123456", "4155552671", "13800000001\x00", "١٣٨٠٠٠٠٠٠٠١",
	} {
		if got, ok := Normalize(text); ok {
			t.Errorf("Normalize(%q) = %q, want none", text, got)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add("13800000001")
	f.Add("+86 138-0000 0001")
	shape := regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := Normalize(text)
		if !ok {
			return
		}
		if !shape.MatchString(got) {
			t.Fatalf("Normalize(%q) = %q", text, got)
		}
		if again, ok := Normalize(got); !ok || again != got {
			t.Fatalf("Normalize(%q) = %q, %v", got, again, ok)
		}
	})
}
