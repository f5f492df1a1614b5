package receiver_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/wecom/receiver"
	"github.com/wecom-signin/wecom-signin/shared/wecom/receiver/receivertest"
)

// The sample of WeCom's own documentation (path 90968). The last character of its key has
// bits that no byte needs.
const (
	sampleToken = "QDG6eK"
	sampleKey   = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
	sampleCorp  = "wx5823bf96d3bd56c7"
)

func newReceiver(t testing.TB, token, key, corp string) *receiver.Receiver {
	t.Helper()
	r, err := receiver.New(secret.NewValue(token), secret.NewValue(key), corp)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// check answers a check of the URL, or says "403".
func check(t testing.TB, r *receiver.Receiver, query string) string {
	t.Helper()
	q, ok := receiver.ParseQuery(query, true)
	if !ok {
		return "403"
	}
	answer, err := r.Check(q)
	if err != nil {
		return "403"
	}
	return string(answer)
}

func TestVectorsOfOthers(t *testing.T) {
	for _, test := range []struct{ name, token, key, corp, query, want string }{
		{
			"WeCom's sample", sampleToken, sampleKey, sampleCorp,
			"msg_signature=5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3&timestamp=1409659589&nonce=263014780&echostr=P9nAzCzyDtyTWESHep1vC5X9xho%2FqYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp%2B4RPcs8TgAE7OaBO%2BFZXvnaqQ%3D%3D",
			"1616140317555161061",
		},
		{
			"WeCom's sample, with bare +", sampleToken, sampleKey, sampleCorp,
			"msg_signature=5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3&timestamp=1409659589&nonce=263014780&echostr=P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==",
			"1616140317555161061",
		},
		{
			// Of xen0n/go-workwx, internal/lowlevel/encryptor/mod_test.go.
			"go-workwx", "kjr2TKI8umCBfVF3wAHk8JiPwma5VBme", "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws", "ww6a112864f8022910",
			"msg_signature=1ba3cb09c0d2c2b3ed6900d37f91a6efae6cb011&timestamp=1583940690&nonce=VHh7ymSeb0jc4lSb&echostr=6KmUQuPVu7UhjyVqRdbo5SfcRqaHvbUlKSHFvBV2ZuR6TIlKsygcfeSd1GDplg1C5KSKr6UPHCaC%2FnIX3ZNt9w%3D%3D",
			"94966531020182955848408",
		},
	} {
		if got := check(t, newReceiver(t, test.token, test.key, test.corp), test.query); got != test.want {
			t.Errorf("%s: got %q", test.name, got)
		}
	}
}

// The push of the same documentation: its padding is 30 bytes long, which a PKCS#7 of AES's
// own 16 cannot be.
func TestPushOfTheDocumentation(t *testing.T) {
	const encrypted = "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q=="
	const body = "<xml>\n<ToUserName><![CDATA[" + sampleCorp + "]]></ToUserName><Encrypt><![CDATA[" + encrypted + "]]></Encrypt>\n<AgentID><![CDATA[218]]></AgentID>\n</xml>\n"
	q, ok := receiver.ParseQuery("msg_signature=477715d11cdb4164915debcba66cb864d751f3e6&timestamp=1409659813&nonce=1372623149", false)
	if !ok {
		t.Fatal("the query was refused")
	}
	got, err := newReceiver(t, sampleToken, sampleKey, sampleCorp).Open(q, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	want := receiver.Message{
		"ToUserName": sampleCorp, "FromUserName": "mycreate", "CreateTime": "1409659813", "MsgType": "text",
		"Content": "hello", "MsgId": "4561255354251345929", "AgentID": "218",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if at := q.Time(); !at.Equal(time.Unix(1409659813, 0)) {
		t.Errorf("signed at %v", at)
	}
}

var sender = receivertest.Sender{Token: "Token1", EncodingAESKey: strings.Repeat("k3Y", 14) + "A", CorpID: "ww0123456789abcdef", At: time.Unix(1_800_000_000, 0)}

// what opens a push: the message's Event, or "403", or "unreadable".
func what(t testing.TB, s receivertest.Sender, message string) string {
	t.Helper()
	query, body := s.Push(message)
	return open(t, query, body)
}

func open(t testing.TB, query, body string) string {
	t.Helper()
	q, ok := receiver.ParseQuery(query, false)
	if !ok {
		return "403"
	}
	message, err := newReceiver(t, sender.Token, sender.EncodingAESKey, sender.CorpID).Open(q, []byte(body))
	switch {
	case errors.Is(err, receiver.ErrUnreadable):
		return "unreadable"
	case err != nil:
		return "403"
	}
	return message["Event"]
}

func with(change func(*receivertest.Sender)) receivertest.Sender {
	s := sender
	change(&s)
	return s
}

// Every length of padding from 1 to 32, so also those of a whole block, and an empty message.
func TestEveryPadding(t *testing.T) {
	r := newReceiver(t, sender.Token, sender.EncodingAESKey, sender.CorpID)
	for length := range 65 {
		echo := strings.Repeat("7", length)
		if got := check(t, r, sender.Check(echo, length%2 == 0)); got != echo {
			t.Errorf("%d: got %q", length, got)
		}
	}
}

// A gateway that took + for a space must not make the check fail.
func TestPlusOfACheck(t *testing.T) {
	r := newReceiver(t, sender.Token, sender.EncodingAESKey, sender.CorpID)
	tried := 0
	for n := range 100 {
		echo := fmt.Sprint(n)
		query := sender.Check(echo, false)
		if !strings.Contains(query, "%2B") {
			continue
		}
		tried++
		for _, plus := range []string{"%2B", "%2b", "+", "%20"} {
			if got := check(t, r, strings.ReplaceAll(query, "%2B", plus)); got != echo {
				t.Errorf("%s: got %q", plus, got)
			}
		}
	}
	if tried == 0 {
		t.Error("no text had a +")
	}
}

// Attack: write what WeCom did not.
func TestForgedPushes(t *testing.T) {
	const event = "<xml><Event>unsubscribe</Event></xml>"
	if got := what(t, sender, event); got != "unsubscribe" {
		t.Fatalf("a true push: %s", got)
	}
	last := func(change func([]byte)) func([]byte) []byte {
		return func(p []byte) []byte { change(p); return p }
	}
	for name, forged := range map[string]receivertest.Sender{
		"with another token":           with(func(s *receivertest.Sender) { s.Token = "Token2" }),
		"with another key":             with(func(s *receivertest.Sender) { s.EncodingAESKey = strings.Repeat("x", 43) }),
		"for another corp":             with(func(s *receivertest.Sender) { s.CorpID = "ww0123456789abcdee" }),
		"for no corp":                  with(func(s *receivertest.Sender) { s.CorpID = "" }),
		"for a corp that begins alike": with(func(s *receivertest.Sender) { s.CorpID += "0" }),
		"padded to 16":                 with(func(s *receivertest.Sender) { s.Padding = 16 }),
		"padded with 0":                with(func(s *receivertest.Sender) { s.Wrap = last(func(p []byte) { p[len(p)-1] = 0 }) }),
		"padded with 33":               with(func(s *receivertest.Sender) { s.Wrap = last(func(p []byte) { p[len(p)-1] = 33 }) }),
		"padded unevenly":              with(func(s *receivertest.Sender) { s.Wrap = last(func(p []byte) { p[len(p)-2]++ }) }),
		"longer than it is":            with(func(s *receivertest.Sender) { s.Wrap = last(func(p []byte) { p[18] = 0xff }) }),
		"longer than 2 GB":             with(func(s *receivertest.Sender) { s.Wrap = last(func(p []byte) { p[16] = 0xff }) }),
		"shorter than it is":           with(func(s *receivertest.Sender) { s.Wrap = last(func(p []byte) { p[19]-- }) }),
		"of padding alone": with(func(s *receivertest.Sender) {
			s.Wrap = func([]byte) []byte { return []byte(strings.Repeat("\x20", 32)) }
		}),
		"of a head that is not whole": with(func(s *receivertest.Sender) {
			s.Wrap = func([]byte) []byte { return []byte(strings.Repeat("\x0d", 32)) }
		}),
		"of nothing":                       with(func(s *receivertest.Sender) { s.Wrap = func([]byte) []byte { return nil } }),
		"of one block of AES":              with(func(s *receivertest.Sender) { s.Wrap = func(p []byte) []byte { return p[:16] } }),
		"with a nonce of another alphabet": with(func(s *receivertest.Sender) { s.Nonce = "1 2" }),
		"with a nonce without end":         with(func(s *receivertest.Sender) { s.Nonce = strings.Repeat("1", 129) }),
		"of before 1970":                   with(func(s *receivertest.Sender) { s.At = time.Unix(-1, 0) }),
		"of the end of time":               with(func(s *receivertest.Sender) { s.At = time.Unix(1<<40, 0) }),
	} {
		if got := what(t, forged, event); got != "403" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Attack: a true push, changed on the way.
func TestChangedPushes(t *testing.T) {
	query, body := sender.Push("<xml><Event>unsubscribe</Event></xml>")
	other := sender.Encrypt("<xml><Event>another</Event></xml>")
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	encrypted := strings.Split(strings.Split(body, "<Encrypt><![CDATA[")[1], "]]>")[0]
	signed := func(encrypted string) string { // a signature of it, as if the token were known
		return sender.Query(encrypted).Encode()
	}
	raw, err := base64.StdEncoding.DecodeString(encrypted)
	if err != nil {
		t.Fatal(err)
	}
	for name, changed := range map[string][2]string{
		"another text":                    {query, strings.ReplaceAll(body, encrypted, other)},
		"another time":                    {strings.Replace(query, "timestamp=18", "timestamp=19", 1), body},
		"another nonce":                   {strings.Replace(query, "nonce=2", "nonce=3", 1), body},
		"signature in upper case":         {strings.Replace(query, values.Get("msg_signature"), strings.ToUpper(values.Get("msg_signature")), 1), body},
		"signature cut off":               {strings.Replace(query, values.Get("msg_signature"), values.Get("msg_signature")[:39], 1), body},
		"no signature":                    {strings.Replace(query, "msg_signature", "signature", 1), body},
		"two signatures":                  {query + "&msg_signature=" + strings.Repeat("0", 40), body},
		"a digit moved to the nonce":      {strings.Replace(strings.Replace(query, "timestamp=1", "timestamp=", 1), "nonce=", "nonce=1", 1), body},
		"a broken escape":                 {strings.Replace(query, "nonce=2", "nonce=%zz", 1), body},
		"signature over the decoded text": {signed(string(raw)), body},
		"two texts":                       {query, strings.Replace(body, "<Encrypt>", "<Encrypt>"+other+"</Encrypt><Encrypt>", 1)},
		"a text inside another element":   {query, strings.NewReplacer("<Encrypt>", "<A><Encrypt>", "</Encrypt>", "</Encrypt></A>").Replace(body)},
		"no text":                         {query, "<xml></xml>"},
		"no XML":                          {query, `{"Encrypt":"` + encrypted + `"}`},
		"nothing":                         {query, ""},
		"an entity as text":               {query, strings.Replace(body, "<xml>", `<!DOCTYPE xml [<!ENTITY e "x">]><xml>`, 1)},
		"a file by an entity":             {query, strings.Replace(body, "<xml>", `<!DOCTYPE xml [<!ENTITY e SYSTEM "file:///etc/passwd">]><xml><A>&e;</A>`, 1)},
		"a character by its number":       {query, strings.Replace(body, "<xml>", `<xml><A>&#65;</A>`, 1)},
		"a comment that hides an entity":  {query, strings.Replace(body, "<xml>", `<xml><!-- <![CDATA[ --><A>&lt;</A><!-- ]]> -->`, 1)},
		"an instruction that hides one":   {query, strings.Replace(body, "<xml>", `<xml><?a <![CDATA[ ?><A>&lt;</A><![CDATA[]]>`, 1)},
		"an entity in an attribute":       {query, strings.Replace(body, "<xml>", `<xml a="&lt;">`, 1)},
		"a second root":                   {query, body + "<xml></xml>"},
		"another root":                    {query, strings.NewReplacer("<xml>", "<a>", "</xml>", "</a>").Replace(body)},
		"elements that do not match":      {query, strings.Replace(body, "</xml>", "</lmx>", 1)},
		"a billion elements deep":         {query, strings.Repeat("<xml>", 10_000)},
		"a body that is not UTF-8":        {query, "<xml>\xff" + body[5:]},
		"a body of another character set": {query, `<?xml version="1.0" encoding="GBK"?>` + body},
	} {
		if got := open(t, changed[0], changed[1]); got != "403" {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := open(t, query+"&more=1", `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+body+"\n"); got != "unsubscribe" {
		t.Errorf("unchanged: %s", got)
	}
	if got := open(t, query, strings.NewReplacer("<Encrypt>", "\n\t<Encrypt> \r\n", "</Encrypt>", "\n</Encrypt>\n").Replace(body)); got != "unsubscribe" {
		t.Errorf("with white space around the text: %s", got)
	}
}

// What WeCom pushed and nobody can read is not sent again; a doctype or an entity is refused.
func TestMessagesInside(t *testing.T) {
	for message, want := range map[string]string{
		"<xml><AgentID>1</AgentID><Event><![CDATA[a&b]]></Event></xml>":              "a&b",
		"<xml><Event><![CDATA[a]]></Event><ExtAttr><Event>b</Event></ExtAttr></xml>": "a",
		"<xml><Event></Event></xml>":                                                 "",
		"<xml>\n<Event> a\t</Event>\r\n</xml>\n":                                     "a",
		"<xml><Event>\n  <![CDATA[ a b ]]>\r\n</Event></xml>":                        "a b",
		"<xml><Event>\u00a0a\u3000</Event></xml>":                                    "\u00a0a\u3000",
		"<xml><Event>a<b/></Event></xml>":                                            "",
		"<xml><Event>a</Event><Event>b</Event></xml>":                                "unreadable",
		"<xml><Event>a</xml>":                                                        "unreadable",
		"text":                                                                       "unreadable",
		"":                                                                           "unreadable",
		"<xml><Event>a&amp;b</Event></xml>":                                          "403",
		"<!DOCTYPE xml><xml><Event>a</Event></xml>":                                  "403",
		`<!DOCTYPE a [<!ENTITY b "c">]><xml><Event>&b;</Event></xml>`:                "403",
	} {
		if got := what(t, sender, message); got != want {
			t.Errorf("%s: %s", message, got)
		}
	}
}

func TestCredentials(t *testing.T) {
	token, key := receiver.NewCredentials()
	again, keyAgain := receiver.NewCredentials()
	if token.Equal(again) || key.Equal(keyAgain) || len(token.Reveal()) != 32 || len(key.Reveal()) != 43 {
		t.Error("they must be new and have WeCom's lengths")
	}
	s := with(func(s *receivertest.Sender) { s.Token, s.EncodingAESKey = token.Reveal(), key.Reveal() })
	if got := check(t, newReceiver(t, s.Token, s.EncodingAESKey, s.CorpID), s.Check("123", true)); got != "123" {
		t.Errorf("got %q", got)
	}
	for _, bad := range [][2]string{
		{"", sampleKey},
		{strings.Repeat("a", 33), sampleKey},
		{"a b", sampleKey},
		{"密", sampleKey},
		{"a", ""},
		{"a", sampleKey[:42]},
		{"a", sampleKey + "A"},
		{"a", sampleKey[:42] + "+"},
		{"a", sampleKey[:42] + "\n"},
		{"a", sampleKey[:42] + "="},
	} {
		_, err := receiver.New(secret.NewValue(bad[0]), secret.NewValue(bad[1]), "ww0")
		if err == nil || strings.Contains(err.Error(), "jWmY") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Attack: whatever is sent, with a good signature even, the reader must not panic.
func FuzzOpen(f *testing.F) {
	r := newReceiver(f, sender.Token, sender.EncodingAESKey, sender.CorpID)
	query, body := sender.Push("<xml><Event><![CDATA[a]]></Event></xml>")
	f.Add(query, body, "<xml><Event><![CDATA[a]]></Event></xml>", []byte("sixteen"))
	f.Add(sender.Check("1", true), "<xml>", `<!DOCTYPE a [<!ENTITY b "c">]>`, []byte{0, 0, 0, 0xff})
	f.Fuzz(func(t *testing.T, query, body, message string, plaintext []byte) {
		for _, isCheck := range []bool{false, true} {
			if q, ok := receiver.ParseQuery(query, isCheck); ok {
				_ = q.Time()
				_, _ = r.Check(q)
				_, _ = r.Open(q, []byte(body))
			}
		}
		for _, s := range []receivertest.Sender{sender, with(func(s *receivertest.Sender) {
			s.Wrap = func([]byte) []byte { return append(plaintext, make([]byte, -len(plaintext)&15)...) }
		})} {
			query, body := s.Push(message)
			q, ok := receiver.ParseQuery(query, false)
			if !ok {
				t.Fatalf("own query %q", query)
			}
			if _, err := r.Open(q, []byte(body)); err != nil && strings.Contains(err.Error(), message) && len(message) > 12 {
				t.Errorf("the error has a part of the message: %v", err)
			}
		}
	})
}
