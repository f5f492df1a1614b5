package wecom_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Numbers go out as the directory has them.
func TestLookupAsksForTheDirectorysNumber(t *testing.T) {
	for phone, want := range map[string]string{
		"+8613800000001": "13800000001", "+85261234567": "+85261234567", "+886912345678": "+886912345678", "+12025550123": "+12025550123",
	} {
		f := &fake{answers: []string{`{"errcode":0,"userid":"ZhangSan"}`}}
		userID, err := serve(t, f).UserIDByPhone(t.Context(), token(), phone)
		asked := `POST /cgi-bin/user/getuserid?access_token=TOKEN%2B%2F%26value {"mobile":"` + want + `"}`
		if err != nil || userID != "ZhangSan" || !slices.Equal(f.asked, []string{asked}) {
			t.Errorf("%s: %q, %v, asked %q", phone, userID, err, f.asked)
		}
	}
}

func TestLookupMisses(t *testing.T) {
	for code, missed := range map[int]bool{46004: true, 60146: true, 60103: true, 40003: true, 60011: true, 60111: true, 45009: false, 48002: false, 60020: false, 40058: false} {
		_, err := serve(t, &fake{answers: []string{fmt.Sprintf(`{"errcode":%d}`, code)}}).UserIDByPhone(t.Context(), token(), "+8613800000001")
		answered, ok := errors.AsType[*wecom.Error](err)
		if !ok || answered.Code != code || answered.PhoneMissed() != missed {
			t.Errorf("%d: %v", code, err)
		}
	}
	for _, answer := range []string{`{"errcode":0}`, `{"userid":""}`, `{"userid":7}`, `{"userid":"ww2/zhangsan"}`} {
		userID, err := serve(t, &fake{answers: []string{answer}}).UserIDByPhone(t.Context(), token(), "+8613800000001")
		if userID != "" || !wecom.MayHaveArrived(err) {
			t.Errorf("%s: %q, %v", answer, userID, err)
		}
	}
}
