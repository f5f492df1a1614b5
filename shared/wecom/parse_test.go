package wecom

import (
	"errors"
	"testing"
)

// FuzzParse: whatever arrives is a success, WeCom's number or no usable answer, and
// a success never comes from an object with an errcode other than 0.
func FuzzParse(f *testing.F) {
	for _, body := range []string{
		`{"errcode":0,"errmsg":"ok","userid":"a"}`, `{"errcode":40029,"errmsg":"x, from ip: 1.2.3.4, more"}`,
		`{"errcode":-1}`, `{"ErrCode":1,"userid":"a"}`, `null`, `[]`, ``, `{"errcode":1e3}`, `{"errcode":0,"errcode":7}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a, err := parse("op", body)
		if err == nil {
			if raw, present := a.fields["errcode"]; present && a.number("errcode") != 0 {
				t.Fatalf("success with errcode %s", raw)
			}
			a.text("userid")
			a.number("status")
			return
		}
		answered, isAnswer := errors.AsType[*Error](err)
		_, isLost := errors.AsType[*UnavailableError](err)
		if isAnswer == isLost || isAnswer && answered.Code == 0 {
			t.Fatalf("got %v", err)
		}
	})
}
