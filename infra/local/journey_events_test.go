package main

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/settings"
	"github.com/wecom-signin/wecom-signin/shared/wecom/receiver/receivertest"
)

// receive makes a receiver of the main authenticator and enters it in WeCom's console, of
// the app or, with an empty agentID, of the directory. WeCom checks the URL. The result is a
// WeCom that pushes what a test wants.
func (f *fixture) receive(agentIDs ...string) *pusher {
	f.t.Helper()
	made := testbrowser.Decode[wecomsim.Receiver](f.t, f.mustAdmin(http.StatusOK, http.MethodPost, "/authenticators/"+mainName+"/events", nil))
	f.known.Add("receiver's token or key", made.Token)
	f.known.Add("receiver's token or key", made.EncodingAESKey)
	for _, agentID := range agentIDs {
		for range 2 { // with a bare + in echostr, and without
			f.must(f.weCom.SetReceiver(f.t.Context(), corpID, agentID, made))
		}
	}
	return &pusher{f, made.URL, receivertest.Sender{Token: made.Token, EncodingAESKey: made.EncodingAESKey, CorpID: corpID}}
}

// pusher pushes events to a receiver.
type pusher struct {
	f      *fixture
	url    string
	sender receivertest.Sender
}

// push pushes an event that happens now, by the inside of its XML, and returns the status.
func (p *pusher) push(event string) int {
	sender := p.sender
	sender.At = p.f.now()
	query, body := sender.Push(fmt.Sprintf("<xml><ToUserName>%s</ToUserName><CreateTime>%d</CreateTime><MsgType>event</MsgType>%s</xml>", corpID, sender.At.Unix(), event))
	request, err := http.NewRequestWithContext(p.f.t.Context(), http.MethodPost, p.url+"?"+query, strings.NewReader(body))
	if err != nil {
		return 0
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func unsubscribed(userID string) string {
	return "<FromUserName>" + userID + "</FromUserName><Event>unsubscribe</Event>"
}

func changedContact(change, userID, more string) string {
	return "<FromUserName>sys</FromUserName><Event>change_contact</Event><ChangeType>" + change + "</ChangeType><UserID>" + userID + "</UserID>" + more
}

// lines returns how often the audit has each kind of line about a user.
func (f *fixture) lines(userID string) map[string]int {
	f.t.Helper()
	counted := map[string]int{}
	for _, line := range testbrowser.Decode[struct{ Items []struct{ Type string } }](f.t, f.mustAdmin(http.StatusOK, http.MethodGet, "/audit?limit=200&user="+userID, nil)).Items {
		counted[line.Type]++
	}
	return counted
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

// Trap: of what is pushed about one leaver at once, by the app and by the directory, beside a
// refresh, some is answered 500; applications are told several times of one session; the audit
// has the same line twice.
func TestEventsAboutOneLeaverAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	receiver, wiki := f.receive(), f.connect("wiki")
	phone, laptop := f.signedIn("zhangsan"), f.signedIn("zhangsan")
	sessions := map[string]bool{}
	tokens := wiki.signIn(phone)
	sessions[tokens.sid], sessions[wiki.signIn(laptop).sid] = true, true
	user := f.users()[0].ID
	f.wait(61 * time.Minute) // a refresh asks, too
	f.must(f.weCom.Dismiss(corpID, "zhangsan"))
	statuses := make([]int, 20)
	var all sync.WaitGroup
	all.Go(func() { wiki.refresh(http.StatusBadRequest, tokens.refreshToken, "invalid_grant") })
	for i := range statuses {
		all.Go(func() {
			statuses[i] = receiver.push([]string{unsubscribed("zhangsan"), changedContact("delete_user", "ZhangSan", "")}[i%2])
		})
	}
	all.Wait()
	for _, status := range statuses {
		if status != http.StatusOK {
			t.Fatalf("answers %v", statuses)
		}
	}
	f.service.logouts.handling.Wait()
	close(wiki.told)
	for token := range wiki.told { // some of it twice
		sid, _ := claimsOf(t, token)["sid"].(string)
		delete(sessions, sid)
	}
	if len(sessions) > 0 || phone.session() != nil || laptop.session() != nil {
		t.Errorf("not told of %v", sessions)
	}
	if got := f.lines(user); got["member_gone"] != 1 || got["sessions_ended"] != 1 || got["event_received"] != len(statuses) {
		t.Errorf("the audit has %v", got)
	}
}

// Something asks about the old userid before WeCom tells of the new one, so that the sessions
// end. The member is no stranger for that: the next sign-in needs neither phone nor administrator.
func TestRenamedMemberWhoWasFoundMissing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	receiver := f.receive()
	b := f.signedIn("zhangsan")
	user := f.users()[0].ID
	f.must(f.weCom.ChangeMember(corpID, "zhangsan", func(m *wecomsim.Member) { m.UserID = "zhang.san" }))
	renamed := changedContact("update_user", "zhangsan", "<NewUserID>zhang.san</NewUserID>")
	for _, event := range []string{unsubscribed("zhangsan"), renamed, renamed} {
		if status := receiver.push(event); status != http.StatusOK {
			t.Errorf("%s: %d", event, status)
		}
		f.wait(time.Second)
	}
	if b.session() != nil {
		t.Error("what ended begins again")
	}
	scans := f.onDesktop("zhang.san")
	scans.signIn("/authorize/" + mainName)
	if users := f.users(); len(users) != 1 || users[0].ID != user || users[0].Identities[0].WeComUserID != "zhang.san" {
		t.Errorf("users %+v", users)
	}
	if got := f.lines(user); got["member_gone"] != 1 || got["sessions_ended"] != 1 || got["member_renamed"] != 1 || got["event_received"] != 3 {
		t.Errorf("the audit has %v", got)
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
