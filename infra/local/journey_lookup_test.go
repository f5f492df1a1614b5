package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
)

type lookupAnswer struct {
	Items []struct{ UserID, Name, Phone, WeComUserID, WeComName, Result string }

	Misses  int
	Stopped string
}

// Somebody imported and looked up signs in at a desktop at once, as the user of the import,
// and never in the client first.
func TestJourneyLookup(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	imported := testbrowser.Decode[userEntry](t, f.mustAdmin(http.StatusCreated, http.MethodPost, "/users", map[string]any{"phone": "13800000001", "name": "张三"}))
	f.wait(time.Millisecond) // users are in the order of time
	f.mustAdmin(http.StatusCreated, http.MethodPost, "/users", map[string]any{"phone": "13811112222", "name": "Nobody"})
	f.onDesktop("zhangsan").wantError("/authorize/main", "first_sign_in_in_wecom")

	f.weCom.ResetCalls()
	look := func(body map[string]any) lookupAnswer {
		t.Helper()
		return testbrowser.Decode[lookupAnswer](t, f.mustAdmin(http.StatusOK, http.MethodPost, "/authenticators/main/lookup", body))
	}
	dry := look(map[string]any{})
	if len(dry.Items) != 2 || dry.Items[0].Result != "found" || dry.Items[0].WeComUserID != "zhangsan" || dry.Items[1].Result != "not_found" || dry.Misses != 1 || dry.Stopped != "" {
		t.Errorf("dry run: %+v", dry)
	}
	bound := look(map[string]any{"dryRun": false})
	if len(bound.Items) != 1 || bound.Items[0].Result != "bound" || bound.Items[0].UserID != imported.ID || bound.Misses != 1 {
		t.Errorf("bound: %+v", bound)
	}
	f.wantCalls(map[string]int{wecomsim.PathGetUserID: 3, wecomsim.PathGetUser: 2})

	desktop := f.onDesktop("zhangsan")
	desktop.wantOpen("/authorize/main", "/", 1)
	if s := desktop.session(); s == nil || s.User.ID != imported.ID {
		t.Errorf("signed in as %+v", s)
	}
	f.wantUsers(2)
}

// WeCom closes the call long before our budget is spent: the first 45009 is the last call of
// the day, whoever asks.
func TestJourneyLookupClosedByWeCom(t *testing.T) {
	t.Parallel()
	f := newFixture(t, weComWhere(func(c *wecomsim.Config) { c.Limits.LookupMisses = 2 }))
	for i := range 8 {
		f.mustAdmin(http.StatusCreated, http.MethodPost, "/users", map[string]any{"phone": "1381111000" + string(rune('0'+i)), "name": "Nobody"})
	}
	look := func() lookupAnswer {
		t.Helper()
		return testbrowser.Decode[lookupAnswer](t, f.mustAdmin(http.StatusOK, http.MethodPost, "/authenticators/main/lookup", map[string]any{"dryRun": false}))
	}
	if got := look(); len(got.Items) != 3 || got.Misses != 3 || got.Stopped != "wecom" {
		t.Errorf("%+v", got)
	}
	calls := f.weCom.Calls(wecomsim.PathGetUserID)
	f.wait(23 * time.Hour)
	f.restart()
	if got := look(); len(got.Items) != 0 || got.Stopped != "wecom" || f.weCom.Calls(wecomsim.PathGetUserID) != calls {
		t.Errorf("it was called again: %+v, %d calls", got, f.weCom.Calls(wecomsim.PathGetUserID))
	}
}

// Trap: a directory of phones for anybody. No visitor and no member can cause a lookup, by
// whatever they open and whatever they send.
func TestAttackVisitorsLookNobodyUp(t *testing.T) {
	t.Parallel()
	f, member, other := signedInFixture(t)
	f.mustAdmin(http.StatusCreated, http.MethodPost, "/users", map[string]any{"phone": "13811110000", "name": "Nobody"})
	const path = "/authenticators/main/lookup"
	body := map[string]any{"dryRun": true, "limit": 1}
	for name, authorization := range map[string]string{"nothing": "", "a wrong key": "Bearer wrong", "a member's token": "Bearer " + other.token()} {
		if a := f.adminAs(authorization, http.MethodPost, path, body); a.Status != http.StatusUnauthorized && a.Status != http.StatusForbidden || strings.Contains(a.Body, "items") {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	for _, visitor := range []*browser{member, f.onDesktop("zhangsan"), f.inWeCom("lisi")} {
		for _, page := range []string{"/", "/signin", "/authorize/main", "/api/session", "/api/admin/authenticators/main/lookup", "/authorize/main?phone=13811110000", "/console"} {
			visitor.get(page)
		}
		visitor.post("/api/admin/authenticators/main/lookup")
		visitor.post("/api/token")
		visitor.signIn("/authorize/main")
	}
	if n := f.weCom.Calls(wecomsim.PathGetUserID); n != 0 {
		t.Errorf("%d lookups", n)
	}
}
