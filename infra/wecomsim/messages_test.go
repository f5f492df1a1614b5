package wecomsim

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// withMessages is a company whose first app sees the research department.
func withMessages(t *testing.T) (h *harness, ofApp *listener, call func(path, body string) answer) {
	t.Helper()
	h, ofApp = newHarness(t, withDepartments(func(a *App) { a.VisibleDepartments = []int{2} })), listen(t)
	token := h.token(secretA)
	return h, ofApp, func(path, body string) answer { return h.do(http.MethodPost, path+"?access_token="+token, body, nil) }
}

const (
	textTo = `{"agentid":1000002,"msgtype":"text","text":{"content":"hello"},`
	cardTo = `{"agentid":1000002,"msgtype":"template_card","touser":"parser","template_card":{"card_type":"button_interaction","task_id":"t@1","button_list":[{"text":"Yes","key":"yes"},{"text":"Why","type":1}]}}`
)

func TestSendMessage(t *testing.T) {
	tests := []struct {
		rule, body string
		code       int
		// to are who gets it; bad are invaliduser, invalidparty and invalidtag.
		to, bad string
	}{
		{rule: "to members, bad ones in small letters", body: textTo + `"touser":"ZhangSan|Hidden|Nobody"}`, to: "zhangsan", bad: "hidden|nobody  "},
		{rule: "to a department and those below", body: textTo + `"toparty":"2|5"}`, to: "zhangsan parser", bad: " 5 "},
		{rule: "to a tag, cut to the range", body: textTo + `"totag":"1|9"}`, to: "zhangsan parser", bad: "  9"},
		{rule: "once, however often named", body: textTo + `"touser":"parser","toparty":"4","totag":"1"}`, to: "zhangsan parser", bad: "  "},
		{rule: "to nobody", body: textTo + `"touser":""}`, code: 82001},
		{rule: "to nobody in the range", body: textTo + `"touser":"hidden|gone","toparty":"5"}`, code: 81013},
		{rule: "another app's agentid", body: strings.Replace(textTo, appA, appB, 1) + `"touser":"parser"}`, code: 301002},
		{rule: "agentid as a text", body: strings.Replace(textTo, appA, `"1000002"`, 1) + `"touser":"parser"}`, code: 40058},
		{rule: "no content", body: `{"agentid":1000002,"msgtype":"textcard","touser":"parser"}`, code: 40058},
		{rule: "no such type", body: `{"agentid":1000002,"msgtype":"touser","touser":"parser"}`, code: 40058},
		{rule: "no JSON", body: `touser=parser`, code: 40058},
		{rule: "buttons without a receiver", body: cardTo, code: 43012},
		{rule: "a card without a task_id", body: strings.Replace(cardTo, "t@1", "", 1), code: 40058},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h, _, call := withMessages(t)
			got := call(PathSendMessage, test.body)
			h.expect(test.code, got)
			var to []string
			for _, m := range h.Messages() {
				to = append(to, m.UserID)
				if m.CorpID != corpID || m.AgentID != appA || m.ID == "" || m.ID != got.fields["msgid"] || m.Type != "text" || string(m.Content) != `{"content":"hello"}` {
					t.Errorf("got %+v", m)
				}
			}
			f := got.fields
			if bad := fmt.Sprint(f["invaliduser"], " ", f["invalidparty"], " ", f["invalidtag"]); strings.Join(to, " ") != test.to || test.code == 0 && bad != test.bad {
				t.Errorf("%q got it, not %q", to, bad)
			}
		})
	}
	t.Run("contact-sync", func(t *testing.T) {
		h := newHarness(t, nil)
		for _, path := range []string{PathSendMessage, PathUpdateCard} {
			h.expect(48002, h.do(http.MethodPost, path+"?access_token="+h.token(syncKey), cardTo, nil))
		}
	})
}

// What is too much or a duplicate is dropped, and the answer does not say so.
func TestMessagesAreDropped(t *testing.T) {
	tests := []struct {
		rule, body       string
		sent, got, after int
		wait             time.Duration
	}{
		{"thirty a minute", textTo + `"touser":"parser"}`, 32, 30, 31, time.Minute},
		{"duplicates, for half an hour", textTo + `"touser":"parser","enable_duplicate_check":1}`, 3, 1, 2, 30 * time.Minute},
		{"duplicates, as long as asked", textTo + `"touser":"parser","enable_duplicate_check":1,"duplicate_check_interval":5}`, 3, 1, 2, 5 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h, _, call := withMessages(t)
			expect := func(want int) {
				t.Helper()
				h.expect(0, call(PathSendMessage, test.body))
				if got := len(h.Messages()); got != want {
					t.Errorf("%d messages came, want %d", got, want)
				}
			}
			for i := range test.sent {
				expect(min(i+1, test.got))
			}
			h.clock.advance(test.wait - time.Second)
			expect(test.got)
			h.clock.advance(time.Second)
			expect(test.after)
		})
	}
}

// A button tells the app; each response_code changes a card once, within 72 hours.
func TestCards(t *testing.T) {
	h, l, call := withMessages(t)
	must(t, h.SetReceiver(t.Context(), corpID, appA, l.receiver()))
	sent := call(PathSendMessage, cardTo)
	h.expect(0, sent)
	h.expect(40058, call(PathSendMessage, cardTo)) // the task_id is taken

	for _, wrong := range [][3]string{{"zhangsan", "t@1", "yes"}, {"parser", "t@2", "yes"}, {"parser", "t@1", "no"}, {"parser", "t@1", ""}} {
		if h.Press(corpID, appA, wrong[0], wrong[1], wrong[2]) == nil {
			t.Errorf("%q was pressed", wrong)
		}
	}
	must(t, h.Press(corpID, appA, "Parser", "t@1", "yes"))
	told := l.told(h)
	if len(told) != 1 {
		t.Fatalf("told %q", told)
	}
	rest, pressed, _ := strings.Cut(told[0], "ResponseCode=")
	pressed, task, _ := strings.Cut(pressed, " ")
	if rest+task != "template_card_event AgentID=1000002 CardType=button_interaction EventKey=yes FromUserName=parser TaskId=t@1" {
		t.Errorf("told %q", told)
	}

	update := func(agentID, code, change string) answer {
		return call(PathUpdateCard, fmt.Sprintf(`{"agentid":%s,"response_code":%q,"userids":["parser"],"button":{"replace_name":%q}}`, agentID, code, change))
	}
	code, _ := sent.fields["response_code"].(string)
	h.expect(40058, update(appA, code, ""))
	h.expect(301002, update(appB, code, "Done"))
	h.expect(0, update(appA, code, "Done"))
	h.expect(60140, update(appA, code, "Done"))
	h.expect(60140, update(appA, "x", "Done"))
	h.age(responseLifetime)
	fresh := h.token(secretA)
	h.expect(60140, h.do(http.MethodPost, PathUpdateCard+"?access_token="+fresh, fmt.Sprintf(`{"agentid":1000002,"response_code":%q,"button":{"replace_name":"Done"}}`, pressed), nil))
}

// An app is told who opens it if it asked for that.
func TestEnterAgent(t *testing.T) {
	for rule, test := range map[string]struct {
		report bool
		userID string
		fails  bool
		want   []string
	}{
		"asked for":     {report: true, userID: "Parser", want: []string{"enter_agent AgentID=1000002 EventKey= FromUserName=parser"}},
		"not asked for": {userID: "parser"},
		"out of range":  {report: true, userID: "hidden", fails: true},
		"left":          {report: true, userID: "gone", fails: true},
	} {
		t.Run(rule, func(t *testing.T) {
			h, l, _ := withMessages(t)
			must(t, h.SetReceiver(t.Context(), corpID, appA, l.receiver()))
			must(t, h.ChangeApp(corpID, appA, func(a *App) { a.ReportEnter = test.report }))
			if got := h.probe(h.token(secretA)).fields["isreportenter"]; got != map[bool]float64{true: 1, false: 0}[test.report] {
				t.Errorf("isreportenter is %v", got)
			}
			if err := h.Enter(corpID, appA, test.userID); (err != nil) != test.fails {
				t.Errorf("got %v", err)
			}
			if got := l.told(h); !slices.Equal(got, test.want) {
				t.Errorf("told %q, want %q", got, test.want)
			}
		})
	}
}
