package display

import (
	"strings"
	"testing"
)

// The spellings are those of libphonenumber, in its international and its national form.
func TestNumber(t *testing.T) {
	for _, test := range []struct{ number, language, want string }{
		{"+8613800138000", "zh-CN", "138 0013 8000"},
		{"+8613800138000", "en", "+86 138 0013 8000"},
		{"+8613800138000", "", "+86 138 0013 8000"},
		{"+14155552671", "en", "+1 415-555-2671"},
		{"+14155552671", "zh-CN", "+1 415-555-2671"},
		{"+85251234567", "zh-CN", "+852 5123 4567"},
		{"+85366123456", "zh-CN", "+853 6612 3456"},
		{"+886912345678", "zh-CN", "+886 912 345 678"},
		{"+6581234567", "zh-CN", "+65 8123 4567"},
		{"+447400123456", "en", "+44 7400 123456"},
		{"+33612345678", "fr", "06 12 34 56 78"},
		{"+33612345678", "zh-CN", "+33 6 12 34 56 78"},
		{"+34612345678", "es", "612 34 56 78"},
		{"+34612345678", "fr", "+34 612 34 56 78"},
		{"+351912345678", "pt", "912 345 678"},
		{"+351912345678", "es", "+351 912 345 678"},
		{"+5511961234567", "pt", "+55 11 96123-4567"},
		{"+46701234567", "sv", "070-123 45 67"},
		{"+46701234567", "en", "+46 70 123 45 67"},
		{"+380501234567", "uk", "050 123 4567"},
		{"+380501234567", "en", "+380 50 123 4567"},
		// Others, and numbers of another length, stay as everybody can dial them.
		{"+4915112345678", "en", "+4915112345678"},
		{"+442079460958", "en", "+442079460958"},
		{"+4687654321", "sv", "+4687654321"},
		{"+861380013800", "zh-CN", "+861380013800"},
		{"+8225551234", "zh-CN", "+8225551234"},
		{"", "zh-CN", ""},
		{"+", "zh-CN", "+"},
		{"13800138000", "zh-CN", "13800138000"},
		{"+86１3800138000", "zh-CN", "+86１3800138000"},
	} {
		if got := Number(test.number, test.language); got != test.want {
			t.Errorf("%s in %q: got %q, want %q", test.number, test.language, got, test.want)
		}
	}
}

// Each plan has as many places at home as abroad, and no code begins with another.
func TestPlans(t *testing.T) {
	all := plans()
	for i, p := range all {
		if p.atHome != "" && strings.Count(p.atHome, "X") != strings.Count(p.abroad, "X") || (p.atHome == "") != (p.home == "") {
			t.Errorf("%+v", p)
		}
		for j, other := range all {
			if i != j && strings.HasPrefix(other.code, p.code) {
				t.Errorf("+%s and +%s", p.code, other.code)
			}
		}
	}
}

func FuzzNumber(f *testing.F) {
	f.Add("+8613800138000", "zh-CN")
	f.Add("+46701234567", "sv")
	f.Fuzz(func(t *testing.T, number, language string) {
		got := Number(number, language)
		if got == number {
			return
		}
		digits := strings.Map(func(c rune) rune {
			if c >= '0' && c <= '9' {
				return c
			}
			return -1
		}, got)
		if !strings.HasSuffix(number, strings.TrimPrefix(digits, "0")) {
			t.Fatalf("%q in %q: %q", number, language, got)
		}
	})
}
