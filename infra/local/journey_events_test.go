package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// receive makes a receiver of the main authenticator and enters it in WeCom's console, of
// the app or, with an empty agentID, of the directory. WeCom checks the URL.
func (f *fixture) receive(agentIDs ...string) wecomsim.Receiver {
	f.t.Helper()
	made := testbrowser.Decode[wecomsim.Receiver](f.t, f.mustAdmin(http.StatusOK, http.MethodPost, "/authenticators/"+mainName+"/events", nil))
	f.known.Add("receiver's token or key", made.Token)
	f.known.Add("receiver's token or key", made.EncodingAESKey)
	for _, agentID := range agentIDs {
		for range 2 { // with a bare + in echostr, and without
			f.must(f.weCom.SetReceiver(f.t.Context(), corpID, agentID, made))
		}
	}
	return made
}

// lastPush returns what became of the last event.
func (f *fixture) lastPush() wecomsim.Push {
	f.t.Helper()
	f.weCom.Settle()
	all := f.weCom.Pushes()
	if len(all) == 0 {
		f.t.Fatal("nothing was pushed")
	}
	return all[len(all)-1]
}

// pushToRefusal is how long a leaver may keep a session after WeCom has pushed.
const pushToRefusal = 5 * time.Second

// Whoever is dismissed in WeCom loses within seconds what WeCom had given: the session, what
// applications were given, and the sign-in itself. Nobody else does.
func TestDismissedMemberLosesAccessAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		receivers []string
		end       func(f *fixture) error
		refused   string // of the next sign-in
	}{
		"dismissed, told to the app": {
			[]string{agentID}, func(f *fixture) error { return f.weCom.Dismiss(corpID, "zhangsan") }, "",
		},
		"dismissed, told to the directory's receiver": {
			[]string{""}, func(f *fixture) error { return f.weCom.Dismiss(corpID, "zhangsan") }, "",
		},
		"dismissed, told to both": {
			[]string{agentID, ""}, func(f *fixture) error { return f.weCom.Dismiss(corpID, "zhangsan") }, "",
		},
		"disabled": {
			[]string{agentID}, func(f *fixture) error {
				return f.weCom.ChangeMember(corpID, "zhangsan", func(m *wecomsim.Member) { m.Status = wecomsim.StatusDisabled })
			}, "user_disabled",
		},
		"out of the app's range": {
			[]string{agentID}, func(f *fixture) error {
				return f.weCom.ChangeApp(corpID, agentID, func(a *wecomsim.App) { a.VisibleUserIDs = []string{"WangWu"} })
			}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.receive(test.receivers...)
			wiki, mail := f.connect("wiki"), f.connect("mail")
			b, colleague := f.signedIn("zhangsan"), f.signedIn("WangWu")
			leaver, stays := wiki.signIn(b), mail.signIn(colleague)

			began := time.Now()
			f.must(test.end(f))
			for b.session() != nil {
				if time.Since(began) > pushToRefusal {
					t.Fatal("the session goes on")
				}
				time.Sleep(10 * time.Millisecond)
			}
			refused := time.Since(began)
			wiki.refresh(http.StatusBadRequest, leaver.refreshToken, "invalid_grant")
			wiki.wantTold(t, leaver)
			took := time.Since(began)
			t.Logf("the session was refused after %s, and the application told after %s", refused, took)
			if took > pushToRefusal {
				t.Errorf("it took %s", took)
			}

			if colleague.session() == nil {
				t.Error("the colleague's session ended, too")
			}
			mail.refresh(http.StatusOK, stays.refreshToken, "")
			mail.wantNotTold(t)
			if push := f.lastPush(); push.Status != http.StatusOK || !push.Delivered {
				t.Errorf("push %+v", push)
			}
			if test.refused != "" {
				b.wantError("/authorize/"+mainName, test.refused)
			}
			if a := f.mustAdmin(http.StatusOK, http.MethodGet, "/authenticators/"+mainName, nil); !strings.Contains(a.Body, `"lastEventAt":"`) {
				t.Errorf("no event is shown: %s", a.Body)
			}
		})
	}
}

// Attack: end somebody's access by an event. WeCom is asked, and says otherwise; a push
// that is not WeCom's is not even asked about.
func TestEventAloneEndsNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.receive(agentID)
	b := f.signedIn("zhangsan")
	// Out of the range, and back in again before the push arrives once more.
	visible := func(ids ...string) {
		f.must(f.weCom.ChangeApp(corpID, agentID, func(a *wecomsim.App) { a.VisibleUserIDs = ids }))
		f.weCom.Settle()
	}
	f.weCom.SetEventFaults(wecomsim.EventFaults{WrongSignature: true})
	visible("WangWu")
	if push := f.lastPush(); push.Status != http.StatusForbidden {
		t.Errorf("a forged push: %+v", push)
	}
	f.weCom.SetEventFaults(wecomsim.EventFaults{WrongReceiveID: true})
	visible("WangWu", "zhangsan")
	visible("WangWu")
	if push := f.lastPush(); push.Status != http.StatusForbidden {
		t.Errorf("a push for another corp: %+v", push)
	}
	f.weCom.SetEventFaults(wecomsim.EventFaults{})
	if f.weCom.Calls("/cgi-bin/user/get") > 1 { // the one of the sign-in
		t.Error("WeCom was asked because of a push that is not its own")
	}
	visible("WangWu", "zhangsan")
	if b.session() == nil {
		t.Fatal("the session ended")
	}
	visible("WangWu")
	if b.session() != nil {
		t.Fatal("the session goes on")
	}
	visible("WangWu", "zhangsan")
	b.signIn("/authorize/" + mainName)
	if status := f.weCom.Replay(t.Context()); status != http.StatusOK {
		t.Errorf("a replay: %d", status)
	}
	f.wait(6 * time.Minute)
	if status := f.weCom.Replay(t.Context()); status != http.StatusForbidden {
		t.Errorf("a late replay: %d", status)
	}
	if b.session() == nil {
		t.Error("a replay ended the session")
	}
}

// While WeCom does not answer, nothing ends, and WeCom is asked to push again.
func TestEventsWhileWeComDoesNotAnswer(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.receive(agentID)
	b := f.signedIn("zhangsan")
	f.weCom.Inject(wecomsim.Refuse(60020, 100).On("/cgi-bin/user/get"))
	f.must(f.weCom.Dismiss(corpID, "zhangsan"))
	if push := f.lastPush(); push.Status != http.StatusInternalServerError || push.Tries != 3 || push.Delivered {
		t.Errorf("push %+v", push)
	}
	if b.session() == nil {
		t.Error("the session ended although WeCom said nothing about the member")
	}
	f.weCom.ClearFaults()
	if status := f.weCom.Replay(t.Context()); status != http.StatusOK {
		t.Errorf("a replay: %d", status)
	}
	if b.session() != nil {
		t.Error("the session goes on")
	}
}

// A member with another userid is the same member: the session goes on, with the departments
// and the roles, also those by a tag that names the old userid for some minutes yet.
func TestRenamedMemberStays(t *testing.T) {
	t.Parallel()
	f := newFixture(t, weComWhere(withDepartments), set(settings.MemberCheckInterval, "0"),
		with("roleRules", []any{rule("department", 2, "sales"), rule("tag", 7, "duty")}))
	f.receive("")
	b := f.signedIn("zhangsan")
	is := func(userID string) {
		t.Helper()
		want := `"roles":["sales","duty"]},"authenticator":"main","corpId":"` + corpID + `","wecomUserId":"` + userID + `"`
		if got := b.get("/api/session").Body; !strings.Contains(strings.ToLower(got), strings.ToLower(want)) || !strings.Contains(got, `"departments":[{"id":21,`) {
			t.Errorf("want %s in %s", want, got)
		}
	}
	is("zhangsan")
	f.must(f.weCom.ChangeMember(corpID, "zhangsan", func(m *wecomsim.Member) { m.UserID = "zhang.san" }))
	if push := f.lastPush(); push.Status != http.StatusOK {
		t.Errorf("push %+v", push)
	}
	is("zhang.san")
	f.wait(time.Minute)
	b = f.signedIn("zhang.san") // looked up again
	is("zhang.san")
	f.wait(10 * time.Minute)
	b = f.signedIn("zhang.san")
	is("zhang.san")
	if users := f.users(); len(users) != 1 || len(users[0].Identities) != 1 || users[0].Identities[0].WeComUserID != "zhang.san" {
		t.Errorf("users %+v", users)
	}
}

// Switched off, the address is nothing any more; another app's secret takes nothing away.
func TestReceiverFollowsTheConsole(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.receive(agentID)
	f.mustAdmin(http.StatusOK, http.MethodPatch, "/authenticators/"+mainName, map[string]any{"secret": appSecret})
	b := f.signedIn("zhangsan")
	f.must(f.weCom.Dismiss(corpID, "zhangsan"))
	if push := f.lastPush(); push.Status != http.StatusOK || b.session() != nil {
		t.Errorf("with the secret entered again: push %+v", push)
	}
	f.mustAdmin(http.StatusNoContent, http.MethodDelete, "/authenticators/"+mainName+"/events", nil)
	if status := f.weCom.Replay(t.Context()); status != http.StatusNotFound {
		t.Errorf("switched off: %d", status)
	}
	if session := f.signedIn("WangWu").session(); session == nil {
		t.Error("nobody can sign in any more")
	}
}
