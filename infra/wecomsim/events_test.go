package wecomsim

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	eventToken = "QDG6eK"
	eventKey   = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
)

// decrypt opens what a receiver gets, and returns the receiver's ID as well.
func decrypt(t *testing.T, encrypted string) (text, receiveID string) {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(eventKey + "=")
	must(t, err)
	sealed, err := base64.StdEncoding.DecodeString(encrypted)
	must(t, err)
	block, err := aes.NewCipher(key)
	must(t, err)
	cipher.NewCBCDecrypter(block, key[:16]).CryptBlocks(sealed, sealed)
	if len(sealed)%32 != 0 {
		t.Fatalf("%d bytes are not a multiple of 32", len(sealed))
	}
	sealed = sealed[:len(sealed)-int(sealed[len(sealed)-1])]
	length := binary.BigEndian.Uint32(sealed[16:])
	return string(sealed[20 : 20+length]), string(sealed[20+length:])
}

func signature(parts ...string) string {
	slices.Sort(parts)
	sum := sha1.Sum([]byte(strings.Join(parts, "")))
	return hex.EncodeToString(sum[:])
}

// elements are the names and values of an event.
func elements(t *testing.T, text string) map[string]string {
	t.Helper()
	var parsed struct {
		Elements []struct {
			XMLName xml.Name
			Value   string `xml:",chardata"`
		} `xml:",any"`
	}
	must(t, xml.Unmarshal([]byte(text), &parsed))
	found := map[string]string{}
	for _, e := range parsed.Elements {
		found[e.XMLName.Local] = e.Value
	}
	return found
}

// listener is a receiver of events. It answers checks, and pushes with the
// statuses in answers, then with 200.
type listener struct {
	t       *testing.T
	url     string
	mu      sync.Mutex
	checks  []string // raw queries
	pushes  []http.Request
	events  []map[string]string
	answers []int
	// echo changes the answer to a check.
	echo func(http.ResponseWriter, string)
}

func listen(t *testing.T) *listener {
	t.Helper()
	l := &listener{t: t}
	server := httptest.NewServer(l)
	t.Cleanup(server.Close)
	l.url = server.URL + "/events/main"
	return l
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// Not r.URL.Query: to it a bare + is a blank.
	query := map[string]string{}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, value, _ := strings.Cut(pair, "=")
		query[name], _ = url.PathUnescape(value)
	}
	encrypted := query["echostr"]
	if r.Method == http.MethodPost {
		body, _ := io.ReadAll(r.Body)
		encrypted = elements(l.t, string(body))["Encrypt"]
	}
	if query["msg_signature"] != signature(eventToken, query["timestamp"], query["nonce"], encrypted) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	text, receiveID := decrypt(l.t, encrypted)
	switch {
	case receiveID != corpID:
		w.WriteHeader(http.StatusForbidden)
	case r.Method == http.MethodGet:
		l.checks = append(l.checks, r.URL.RawQuery)
		if l.echo != nil {
			l.echo(w, text)
			return
		}
		_, _ = io.WriteString(w, text)
	default:
		l.pushes, l.events = append(l.pushes, *r), append(l.events, elements(l.t, text))
		if len(l.answers) > 0 {
			w.WriteHeader(l.answers[0])
			l.answers = l.answers[1:]
		}
	}
}

// told waits for the events and returns those since the last call, each with the
// names and values that differ from event to event, sorted.
func (l *listener) told(h *harness) []string {
	h.Settle()
	l.mu.Lock()
	defer l.mu.Unlock()
	var told []string
	for _, e := range l.events {
		parts := []string{cmp.Or(e["ChangeType"], e["Event"])}
		for _, name := range slices.Sorted(maps.Keys(e)) {
			switch name {
			case "ToUserName", "CreateTime", "MsgType", "Event", "ChangeType":
			default:
				parts = append(parts, name+"="+e[name])
			}
		}
		told = append(told, strings.Join(parts, " "))
	}
	l.events = nil
	slices.Sort(told)
	return told
}

func (l *listener) receiver() Receiver { return Receiver{l.url, eventToken, eventKey} }

// The official sample: what decrypt and signature check is what WeCom sends.
func TestEventsAreReadAsTheOfficialSample(t *testing.T) {
	const echo = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="
	if got := signature(eventToken, "1409659589", "263014780", echo); got != "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3" {
		t.Errorf("signature %s", got)
	}
	if text, receiveID := decrypt(t, echo); text != "1616140317555161061" || receiveID != "wx5823bf96d3bd56c7" {
		t.Errorf("got %q for %q", text, receiveID)
	}
}

func TestCheckOfAReceiver(t *testing.T) {
	tests := []struct {
		rule   string
		change func(*Receiver)
		echo   func(http.ResponseWriter, string)
		want   string
	}{
		{rule: "answered with the plaintext"},
		{rule: "the URL may have a query", change: func(r *Receiver) { r.URL += "?tenant=1" }},
		{rule: "no URL", change: func(r *Receiver) { r.URL = "" }, want: "the URL must be"},
		{rule: "no web address", change: func(r *Receiver) { r.URL = "ftp://x.example/" }, want: "the URL must be"},
		{rule: "Token too long", change: func(r *Receiver) { r.Token = strings.Repeat("a", 33) }, want: "the Token must"},
		{rule: "key too short", change: func(r *Receiver) { r.EncodingAESKey = eventKey[1:] }, want: "the EncodingAESKey must"},
		{rule: "another Token", change: func(r *Receiver) { r.Token = "other" }, want: "answered HTTP 403"},
		{rule: "nobody there", change: func(r *Receiver) { r.URL = "http://127.0.0.1:1/" }, want: "gave no answer"},
		{rule: "in quotes", echo: func(w http.ResponseWriter, text string) { _, _ = io.WriteString(w, `"`+text+`"`) }, want: "not the plaintext"},
		{rule: "with a line break", echo: func(w http.ResponseWriter, text string) { _, _ = io.WriteString(w, text+"\n") }, want: "not the plaintext"},
		{rule: "created instead of OK", echo: func(w http.ResponseWriter, text string) { w.WriteHeader(201); _, _ = io.WriteString(w, text) }, want: "answered HTTP 201"},
		{rule: "a redirect", echo: func(w http.ResponseWriter, _ string) { w.Header().Set("Location", "/"); w.WriteHeader(302) }, want: "answered HTTP 302"},
		{rule: "too late", echo: func(w http.ResponseWriter, text string) {
			time.Sleep(checkLimit + 100*time.Millisecond)
			_, _ = io.WriteString(w, text)
		}, want: "gave no answer"},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			t.Parallel()
			h, l := newHarness(t, nil), listen(t)
			receiver := l.receiver()
			l.echo = test.echo
			if test.change != nil {
				test.change(&receiver)
			}
			err := h.SetReceiver(t.Context(), corpID, appA, receiver)
			saved := h.Corps()[0].Apps[0].Receiver
			if test.want == "" {
				must(t, err)
				if saved != receiver {
					t.Errorf("saved %v", saved)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || saved != (Receiver{}) {
				t.Errorf("saved %v, error %v, want %q", saved, err, test.want)
			}
		})
	}
}

// A + in echostr comes bare in every other check.
func TestChecksHaveBarePlusSigns(t *testing.T) {
	h, l := newHarness(t, nil), listen(t)
	for range 4 {
		must(t, h.SetReceiver(t.Context(), corpID, appA, l.receiver()))
	}
	for i, query := range l.checks {
		_, echo, _ := strings.Cut(query, "echostr=")
		if bare := i%2 == 0; strings.Contains(echo, "+") != bare || strings.Contains(echo, "%2B") == bare {
			t.Errorf("check %d: %s", i+1, echo)
		}
	}
}

func TestEvents(t *testing.T) {
	member := func(userID string, f func(*Member)) func(*testing.T, *harness) {
		return func(t *testing.T, h *harness) { must(t, h.ChangeMember(corpID, userID, f)) }
	}
	app := func(f func(*App)) func(*testing.T, *harness) {
		return func(t *testing.T, h *harness) { must(t, h.ChangeApp(corpID, appA, f)) }
	}
	tests := []struct {
		rule   string
		change func(*testing.T, *harness)
		// app and contacts are what the two receivers are told.
		app, contacts []string
	}{
		{
			"leaves", func(t *testing.T, h *harness) { must(t, h.Dismiss(corpID, "parser")) },
			[]string{"unsubscribe AgentID=1000002 FromUserName=parser"},
			[]string{"delete_user FromUserName=sys UserID=parser"},
		},
		{
			"leaves by status", member("parser", func(m *Member) { m.Status = StatusLeft }),
			[]string{"unsubscribe AgentID=1000002 FromUserName=parser"},
			[]string{"delete_user FromUserName=sys UserID=parser"},
		},
		{
			"leaves, out of range", func(t *testing.T, h *harness) { must(t, h.Dismiss(corpID, "hidden")) },
			nil,
			[]string{"delete_user FromUserName=sys UserID=hidden"},
		},
		{
			"joins", func(t *testing.T, h *harness) {
				must(t, h.AddMember(corpID, Member{UserID: "New", Departments: []int{4}}))
			},
			[]string{"subscribe AgentID=1000002 FromUserName=New"},
			[]string{"create_user Department=4 FromUserName=sys UserID=New"},
		},
		{"is disabled", member("parser", func(m *Member) { m.Status = StatusDisabled }), []string{"unsubscribe AgentID=1000002 FromUserName=parser"}, nil},
		{
			"moves into the range", member("hidden", func(m *Member) { m.Departments = []int{2, 5} }),
			[]string{"subscribe AgentID=1000002 FromUserName=hidden"},
			[]string{"update_user Department=2,5 FromUserName=sys UserID=hidden"},
		},
		{
			"moves out of the range", member("parser", func(m *Member) { m.Departments = nil }),
			[]string{"unsubscribe AgentID=1000002 FromUserName=parser"},
			[]string{"update_user Department=1 FromUserName=sys UserID=parser"},
		},
		{"moves within the range", member("parser", func(m *Member) { m.Departments = []int{3} }), nil, []string{"update_user Department=3 FromUserName=sys UserID=parser"}},
		{"gets another UserID", member("parser", func(m *Member) { m.UserID = "Parser2" }), nil, []string{"update_user FromUserName=sys NewUserID=Parser2 UserID=parser"}},
		{"gets another phone and name", member("parser", func(m *Member) { m.Mobile, m.Name = "1", "x" }), nil, nil},
		{
			"the range shrinks: one push a member", app(func(a *App) { a.VisibleDepartments = []int{4} }),
			[]string{"unsubscribe AgentID=1000002 FromUserName=zhangsan"},
			nil,
		},
		{"the range grows", app(func(a *App) { a.VisibleUserIDs = []string{"boss"} }), []string{"subscribe AgentID=1000002 FromUserName=boss"}, nil},
		{
			"will be closed", func(t *testing.T, h *harness) { must(t, h.WarnInactive(corpID, appA, time.Unix(1800000000, 0))) },
			[]string{"inactive_alert AgentID=1000002 EffectTime=1800000000 FromUserName=sys"},
			nil,
		},
		{
			"is closed", func(t *testing.T, h *harness) {
				token := h.token(secretA)
				must(t, h.CloseInactive(corpID, appA))
				h.expect(50003, h.probe(token))
			},
			[]string{"close_inactive_agent AgentID=1000002 FromUserName=sys"},
			nil,
		},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h := newHarness(t, withDepartments(func(a *App) { a.VisibleDepartments = []int{2} }))
			ofApp, ofContacts := listen(t), listen(t)
			must(t, h.SetReceiver(t.Context(), corpID, appA, ofApp.receiver()))
			must(t, h.SetReceiver(t.Context(), corpID, "", ofContacts.receiver()))
			test.change(t, h)
			if got := ofApp.told(h); !slices.Equal(got, test.app) {
				t.Errorf("the app is told %q, want %q", got, test.app)
			}
			if got := ofContacts.told(h); !slices.Equal(got, test.contacts) {
				t.Errorf("contact-sync is told %q, want %q", got, test.contacts)
			}
		})
	}
}

// What every event has, and that its elements come in any order.
func TestShapeOfEvents(t *testing.T) {
	event := eventFields{"ToUserName": corpID, "FromUserName": "zhangsan", "CreateTime": "1", "MsgType": "event", "Event": "subscribe", "AgentID": appA}
	orders := map[string]bool{}
	for range 50 {
		text := event.xml()
		orders[text] = true
		if !maps.Equal(elements(t, text), event) || !strings.Contains(text, "<AgentID>1000002</AgentID>") || !strings.Contains(text, "<Event><![CDATA[subscribe]]></Event>") {
			t.Fatalf("got %s", text)
		}
	}
	if len(orders) < 10 {
		t.Errorf("%d orders in 50 events", len(orders))
	}
}

func TestPushesAreTriedThreeTimes(t *testing.T) {
	dismiss := func(t *testing.T, h *harness) { must(t, h.Dismiss(corpID, "zhangsan")) }
	tests := []struct {
		rule    string
		answers []int
		faults  EventFaults
		choice  bool
		replay  bool
		want    Push
	}{
		{rule: "taken at once", want: Push{Tries: 1, Status: 200, Delivered: true}},
		{rule: "taken the second time", answers: []int{500}, want: Push{Tries: 2, Status: 200, Delivered: true}},
		{rule: "given up", answers: []int{500, 502, 403, 200}, want: Push{Tries: 3, Status: 403}},
		{rule: "any status, switched", answers: []int{500}, choice: true, want: Push{Tries: 1, Status: 500, Delivered: true}},
		{rule: "lost", faults: EventFaults{Loss: 1}, want: Push{}},
		{rule: "cut off", faults: EventFaults{CutOff: true}, want: Push{}},
		{rule: "twice too often", faults: EventFaults{Duplicates: 2}, want: Push{Tries: 3, Status: 200, Delivered: true}},
		{rule: "replayed", replay: true, want: Push{Tries: 2, Status: 200, Delivered: true}},
		{rule: "wrong signature", faults: EventFaults{WrongSignature: true}, want: Push{Tries: 3, Status: 403}},
		{rule: "wrong receiver", faults: EventFaults{WrongReceiveID: true}, want: Push{Tries: 3, Status: 403}},
	}
	for _, test := range tests {
		t.Run(test.rule, func(t *testing.T) {
			h, l := newHarness(t, func(c *Config) { c.Choices.AnyStatusIsTaken = test.choice }), listen(t)
			must(t, h.SetReceiver(t.Context(), corpID, appA, l.receiver()))
			l.answers = test.answers
			h.SetEventFaults(test.faults)
			dismiss(t, h)
			if test.replay {
				if status := h.Replay(t.Context()); status != 200 {
					t.Errorf("replay: %d", status)
				}
			}
			h.Settle()
			got := h.Pushes()
			if len(got) != 1 {
				t.Fatalf("got %+v", got)
			}
			p := got[0]
			if p.Event != "unsubscribe" || p.UserID != "zhangsan" || p.AgentID != appA || p.CorpID != corpID || p.At != h.Now() {
				t.Errorf("got %+v", p)
			}
			if p.Tries != test.want.Tries || p.Status != test.want.Status || p.Delivered != test.want.Delivered {
				t.Errorf("got %d tries, %d, %t", p.Tries, p.Status, p.Delivered)
			}
			for i := range l.pushes { // every try is the same request
				if l.pushes[i].URL.RawQuery != l.pushes[0].URL.RawQuery {
					t.Errorf("try %d has another query", i+1)
				}
			}
		})
	}
	t.Run("no answer within five seconds", func(t *testing.T) {
		t.Parallel()
		h, l := newHarness(t, nil), listen(t)
		must(t, h.SetReceiver(t.Context(), corpID, appA, l.receiver()))
		l.mu.Lock() // holds the answers back
		started := time.Now()
		dismiss(t, h)
		time.Sleep(pushLimit + 500*time.Millisecond)
		l.mu.Unlock()
		h.Settle()
		if p := h.Pushes()[0]; p.Tries != 2 || !p.Delivered || time.Since(started) < pushLimit {
			t.Errorf("got %+v after %s", p, time.Since(started))
		}
	})
}

// A person with another UserID stays in the range, in tags and in the client;
// one UserID is of one person.
func TestAnotherUserID(t *testing.T) {
	h := newHarness(t, withDepartments(func(a *App) { a.VisibleUserIDs = []string{"zhangsan"} }))
	must(t, h.ChangeMember(corpID, "zhangsan", func(m *Member) { m.UserID = "zs" }))
	token := h.token(secretA)
	if got := h.get(PathGetUser, "access_token", token, "userid", "zs"); got.errcode != 0 || got.fields["name"] != "张三" {
		t.Errorf("got %s", got.raw)
	}
	h.expect(60111, h.get(PathGetUser, "access_token", token, "userid", "zhangsan"))
	if got := h.get(PathGetTag, "access_token", token, "tagid", "1"); !strings.Contains(string(got.raw), `"userid":"zs"`) {
		t.Errorf("got %s", got.raw)
	}
	if h.ChangeMember(corpID, "zs", func(m *Member) { m.UserID = "BOSS" }) == nil || h.ChangeMember(corpID, "zs", func(m *Member) { m.UserID = "" }) == nil {
		t.Error("a taken or empty UserID was given")
	}
	if err := h.Dismiss(corpID, "zhangsan"); err == nil {
		t.Error("a member who does not exist was dismissed")
	}
}
