package appsecret_test

import (
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/appsecret"
	"github.com/wecom-signin/wecom-signin/shared/secret"
)

func reveal(s appsecret.Secret) [3]string {
	return [3]string{s.App.Reveal(), s.Token.Reveal(), s.EncodingAESKey.Reveal()}
}

func TestForm(t *testing.T) {
	for _, test := range []struct {
		parts  [3]string
		stored string
	}{
		{[3]string{"plain-secret_1"}, "plain-secret_1"},
		{[3]string{"app", "tok", "key"}, `{"secret":"app","token":"tok","encodingAesKey":"key"}`},
		// Of some server in WeCom's place, whose secrets may be anything visible.
		{[3]string{`{"secret":"x"}`}, `{"secret":"{\"secret\":\"x\"}"}`},
	} {
		s := appsecret.Secret{App: secret.NewValue(test.parts[0])}
		if test.parts[1] != "" {
			s.Token, s.EncodingAESKey = secret.NewValue(test.parts[1]), secret.NewValue(test.parts[2])
		}
		stored := s.Encode()
		if stored.Reveal() != test.stored || s.HasReceiver() != (test.parts[1] != "") {
			t.Errorf("%v: stored %s", test.parts, stored.Reveal())
		}
		got, err := appsecret.Parse(stored)
		if err != nil || reveal(got) != test.parts {
			t.Errorf("%v: read %v, %v", test.parts, reveal(got), err)
		}
	}
}

func TestBrokenFormIsRefusedAndNotShown(t *testing.T) {
	for _, stored := range []string{
		`{`, `{}`, `{"secret":""}`, `{"secret":"hunter2","token":"a"}`, `{"secret":"hunter2","encodingAesKey":"a"}`,
		`{"secret":"hunter2","hunter3":1}`, `{"secret":"hunter2"}x`, `{"secret":2}`,
	} {
		got, err := appsecret.Parse(secret.NewValue(stored))
		if err == nil || !got.App.IsEmpty() || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", stored, err)
		}
	}
}
