package wecom_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/wecom"
)

// Nothing of these may be in any error or log.
const (
	corpSecret = "SECRET+/&value"
	tokenText  = "TOKEN+/&value"
	code       = "CODE+/&value"
	ticket     = "TICKET\"value"
)

func token() secret.Value { return secret.NewValue(tokenText) }

// fake is WeCom: it answers from a list, the last again and again, and keeps what
// it was asked.
type fake struct {
	mu      sync.Mutex
	answers []string
	asked   []string
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.RequestURI+" "+string(body)))
	answer := f.answers[0]
	if len(f.answers) > 1 {
		f.answers = f.answers[1:]
	}
	_, _ = io.WriteString(w, answer)
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

func noSleep(context.Context, time.Duration) error { return nil }

func serve(t *testing.T, handler http.Handler) *wecom.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return wecom.New(wecom.Config{APIURL: server.URL + "/", Sleep: noSleep, CallTimeout: time.Minute})
}

// calls are all calls, for what must hold for each.
var calls = map[string]func(context.Context, *wecom.Client) error{
	"gettoken": func(ctx context.Context, c *wecom.Client) error {
		_, err := c.FetchToken(ctx, "ww1", corpSecret)
		return err
	},
	"getuserinfo": func(ctx context.Context, c *wecom.Client) error {
		_, err := c.Identify(ctx, token(), code)
		return err
	},
	"getuserdetail": func(ctx context.Context, c *wecom.Client) error {
		_, err := c.Detail(ctx, token(), ticket)
		return err
	},
	"user/get": func(ctx context.Context, c *wecom.Client) error {
		_, err := c.Member(ctx, token(), "zhang san&x=y@corp")
		return err
	},
	"agent/get": func(ctx context.Context, c *wecom.Client) error {
		_, err := c.Agent(ctx, token(), "1000002")
		return err
	},
	"department/simplelist": func(ctx context.Context, c *wecom.Client) error {
		_, err := c.DepartmentTree(ctx, token())
		return err
	},
	"department/list": func(ctx context.Context, c *wecom.Client) error {
		_, err := c.DepartmentNames(ctx, token())
		return err
	},
	"tag/get": func(ctx context.Context, c *wecom.Client) error {
		_, err := c.Tag(ctx, token(), 12)
		return err
	},
	"user/getuserid": func(ctx context.Context, c *wecom.Client) error {
		_, err := c.UserIDByPhone(ctx, token(), "+8613800000001")
		return err
	},
}

// wantClean fails when a text shows what must stay secret.
func wantClean(t *testing.T, err error) {
	t.Helper()
	for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		for _, bad := range []string{"SECRET", "TOKEN", "CODE", "TICKET", "http://", "127.0.0.1", "cgi-bin", "corpsecret"} {
			if strings.Contains(text, bad) {
				t.Errorf("%q is in %s", bad, text)
			}
		}
	}
}

func TestCallsAskExactly(t *testing.T) {
	for name, test := range map[string]struct{ answer, want string }{
		"gettoken":      {`{"errcode":0,"errmsg":"ok","access_token":"t","expires_in":7200}`, "GET /cgi-bin/gettoken?corpid=ww1&corpsecret=SECRET%2B%2F%26value"},
		"getuserinfo":   {`{"userid":"a"}`, "GET /cgi-bin/auth/getuserinfo?access_token=TOKEN%2B%2F%26value&code=CODE%2B%2F%26value"},
		"getuserdetail": {`{"errcode":0,"userid":"a"}`, `POST /cgi-bin/auth/getuserdetail?access_token=TOKEN%2B%2F%26value {"user_ticket":"TICKET\"value"}`},
		"user/get":      {`{"userid":"Zhang san&x=y@corp"}`, "GET /cgi-bin/user/get?access_token=TOKEN%2B%2F%26value&userid=zhang+san%26x%3Dy%40corp"},
		"agent/get":     {`{"agentid":1000002}`, "GET /cgi-bin/agent/get?access_token=TOKEN%2B%2F%26value&agentid=1000002"},

		"department/simplelist": {`{"department_id":[]}`, "GET /cgi-bin/department/simplelist?access_token=TOKEN%2B%2F%26value"},
		"department/list":       {`{"department":[]}`, "GET /cgi-bin/department/list?access_token=TOKEN%2B%2F%26value"},
		"tag/get":               {`{"partylist":[]}`, "GET /cgi-bin/tag/get?access_token=TOKEN%2B%2F%26value&tagid=12"},
		"user/getuserid":        {`{"userid":"a"}`, `POST /cgi-bin/user/getuserid?access_token=TOKEN%2B%2F%26value {"mobile":"13800000001"}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := &fake{answers: []string{test.answer}}
			if err := calls[name](t.Context(), serve(t, f)); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(f.asked, []string{test.want}) {
				t.Errorf("asked %q, want %q", f.asked, test.want)
			}
		})
	}
}

func TestFetchToken(t *testing.T) {
	for answer, want := range map[string]time.Duration{
		`{"access_token":"t","expires_in":7200}`:             7200 * time.Second,
		`{"errcode":0,"access_token":"t","expires_in":5}`:    5 * time.Second,
		`{"access_token":"t","expires_in":99999999999}`:      7200 * time.Second,
		`{"errcode":0,"access_token":"","expires_in":7200}`:  0,
		`{"errcode":0,"access_token":"t"}`:                   0,
		`{"errcode":0,"access_token":"t","expires_in":-1}`:   0,
		`{"errcode":0,"access_token":"t","expires_in":"7"}`:  7 * time.Second, // a relay's
		`{"errcode":0,"access_token":"t","expires_in":"x"}`:  0,
		`{"errcode":0,"Access_Token":"t","expires_in":7200}`: 0,
	} {
		got, err := serve(t, &fake{answers: []string{answer}}).FetchToken(t.Context(), "ww1", corpSecret)
		if _, broken := errors.AsType[*wecom.UnavailableError](err); broken != (want == 0) || got.ExpiresIn != want {
			t.Errorf("%s: got %v, %v", answer, got.ExpiresIn, err)
		}
	}
}

// Traps: the older spelling UserId (read where userid is absent), a field present taken
// for success, openid taken as an identity.
func TestIdentifyReadsExactly(t *testing.T) {
	for _, test := range []struct {
		answer string
		want   wecom.Identity
		code   int  // of an *Error
		broken bool // *UnavailableError
	}{
		{answer: `{"errcode":0,"errmsg":"ok","userid":"ZhangSan","user_ticket":"T"}`, want: wecom.Identity{UserID: "ZhangSan", UserTicket: "T"}},
		{answer: `{"userid":"ww2/li"}`, want: wecom.Identity{UserID: "ww2/li"}},
		{answer: `{"errcode":0,"openid":"o1","external_userid":"e1"}`, want: wecom.Identity{OpenID: "o1", ExternalUserID: "e1"}},
		{answer: `{"errcode":0,"userid":"a","UserId":"b","OPENID":"c"}`, want: wecom.Identity{UserID: "a"}},
		{answer: `{"errcode":0,"UserId":"ZhangSan","DeviceId":""}`, want: wecom.Identity{UserID: "ZhangSan"}},
		{answer: `{"errcode":0,"OpenId":"o1"}`, want: wecom.Identity{OpenID: "o1"}},
		{answer: `{"errcode":0,"userid":"","UserId":"b","openid":"o1"}`, want: wecom.Identity{OpenID: "o1"}},
		{answer: `{"errcode":0,"USERID":"b"}`, broken: true},
		{answer: `{"errcode":"0","userid":"a"}`, want: wecom.Identity{UserID: "a"}}, // a relay's
		{answer: `{"errcode":"40029","userid":"a"}`, code: 40029},
		{answer: `{"errcode":"-1x","userid":"a"}`, broken: true},
		{answer: `{"errcode":"","userid":"a"}`, broken: true},
		{answer: "\ufeff" + `{"errcode":0,"userid":"a"}`, want: wecom.Identity{UserID: "a"}},
		{answer: "{\"errcode\":0,\"userid\":\"a\",\"note\":\"line\nbreak\x14\"}", want: wecom.Identity{UserID: "a"}},
		{answer: `{"errcode":40029,"errmsg":"invalid code","userid":"a"}`, code: 40029},
		{answer: `{"errcode":41001,"userid":""}`, code: 41001},
		{answer: `{"ErrCode":40029,"userid":"a"}`, want: wecom.Identity{UserID: "a"}},
		{answer: `{"errcode":0}`, broken: true},
		{answer: `{"errcode":0,"userid":"","openid":""}`, broken: true},
		{answer: `{"errcode":null,"userid":"a"}`, broken: true},
		{answer: `{"errcode":0.5,"userid":"a"}`, broken: true},
		{answer: `{"errcode":0,"userid":7}`, broken: true},
		{answer: `{"errcode":0,"userid":"a"} {"errcode":1}`, broken: true},
		{answer: `null`, broken: true},
		{answer: `[]`, broken: true},
		{answer: `"a"`, broken: true},
		{answer: ``, broken: true},
		{answer: `<html>CODE`, broken: true},
		{answer: `{"errcode":0,"userid":"a"`, broken: true},
		{answer: `{"userid":"` + strings.Repeat("a", 64<<10) + `"}`, broken: true},
	} {
		got, err := serve(t, &fake{answers: []string{test.answer}}).Identify(t.Context(), token(), code)
		wantClean(t, err)
		answered, _ := errors.AsType[*wecom.Error](err)
		lost, _ := errors.AsType[*wecom.UnavailableError](err)
		if got != test.want || (lost != nil) != test.broken || (answered != nil) != (test.code != 0) || answered != nil && answered.Code != test.code {
			t.Errorf("%.60s: got %v, %v", test.answer, got, err)
		}
		if wecom.MayHaveArrived(err) != test.broken {
			t.Errorf("%.60s: MayHaveArrived is wrong for %v", test.answer, err)
		}
	}
}

func TestDetailAndMember(t *testing.T) {
	for answer, want := range map[string]wecom.Detail{
		`{"errcode":0,"userid":"a","mobile":"138","avatar":"https://p","gender":"0","name":"no"}`: {UserID: "a", Mobile: "138", Avatar: "https://p"},
		"{\"errcode\":0,\"userid\":\"a\",\"mobile\":\"138\",\"address\":\"1 Road\r\nShanghai\"}":  {UserID: "a", Mobile: "138"},
		`{"errcode":0,"userid":"a","email":"own@mail.example","biz_mail":"a@corp.example"}`:       {UserID: "a", BizMail: "a@corp.example"},
		`{"errcode":0,"userid":"a","mobile":13800138000}`:                                         {UserID: "a", Mobile: "13800138000"},
	} {
		detail, err := serve(t, &fake{answers: []string{answer}}).Detail(t.Context(), token(), ticket)
		if err != nil || detail != want {
			t.Errorf("%s: got %v, %v", answer, detail, err)
		}
		if shown := fmt.Sprintf("%v %+v %#v", detail, detail, detail); strings.Contains(shown, "138") {
			t.Errorf("the phone is shown: %s", shown)
		}
	}
	for answer, want := range map[string]wecom.Member{
		`{"errcode":0,"userid":"a","name":"张三","status":4,"mobile":"138"}`: {UserID: "a", Name: "张三", Status: wecom.MemberNotActivated},
		`{"errcode":0,"userid":"a","name":"张三","status":"2"}`:              {UserID: "a", Name: "张三", Status: wecom.MemberDisabled},
		"{\"userid\":\"a\",\"name\":\" 张三\t\",\"position\":\"\x14\"}":      {UserID: "a", Name: "张三"},
		`{"userid":"a","name":"\u0014张\u0000三\u007f "}`:                    {UserID: "a", Name: "张三"},
		`{"userid":"a","name":" \n "}`:                                     {UserID: "a"},
		`{"userid":"a","name":"\ufeff \u200b"}`:                            {UserID: "a"},
		`{"userid":"a","name":"\u202a👩\u200d🌾 \u202c"}`:                    {UserID: "a", Name: "👩\u200d🌾"},
	} {
		member, err := serve(t, &fake{answers: []string{answer}}).Member(t.Context(), token(), "A")
		if err != nil || !reflect.DeepEqual(member, want) {
			t.Errorf("%q: got %+v, %v", answer, member, err)
		}
	}
	member, err := serve(t, &fake{answers: []string{`{"userid":"b","name":"李四","status":5}`}}).Member(t.Context(), token(), "a")
	if _, unavailable := errors.AsType[*wecom.UnavailableError](err); !unavailable || !reflect.DeepEqual(member, wecom.Member{}) {
		t.Errorf("another member: got %+v, %v", member, err)
	}
}

func TestAgent(t *testing.T) {
	whole := wecom.VisibleRange{Departments: 1, Told: true}
	for answer, want := range map[string]wecom.Agent{
		`{"errcode":0,"agentid":1000002,"name":"人事","allow_userinfos":{"user":[{"userid":"a"},{"userid":"b"}]},"allow_partys":{"partyid":[1]},"allow_tags":{"tagid":[7]},` +
			`"close":0,"redirect_domain":"signin.example.com:8443","home_url":"https://signin.example.com/"}`: {
			AgentID: "1000002", Name: "人事", TrustedDomain: "signin.example.com:8443", TrustedDomainTold: true,
			Visible: wecom.VisibleRange{Members: 2, Departments: 1, Tags: 1, Told: true},
		},
		`{"agentid":"1000002","close":1,"redirect_domain":"","allow_userinfos":{"user":[]},"allow_partys":{"partyid":[1]}}`: {AgentID: "1000002", Closed: true, TrustedDomainTold: true, Visible: whole},
		// What is left out says nothing.
		`{"agentid":1}`: {AgentID: "1"},
		`{"agentid":1,"allow_userinfos":{"user":[]},"redirect_domain":null,"allow_partys":null}`: {AgentID: "1"},
		`{"agentid":1,"allow_userinfos":{},"allow_partys":{}}`:                                   {AgentID: "1", Visible: wecom.VisibleRange{Told: true}},
		// What cannot be read is no answer.
		`{}`: {}, `{"agentid":null}`: {}, `{"agentid":"x"}`: {}, `{"agentid":1,"close":"no"}`: {},
		`{"agentid":1,"redirect_domain":["a"]}`: {}, `{"agentid":1,"allow_userinfos":[]}`: {}, `{"agentid":1,"allow_partys":{"partyid":1}}`: {},
	} {
		got, err := serve(t, &fake{answers: []string{answer}}).Agent(t.Context(), token(), "1000002")
		if _, broken := errors.AsType[*wecom.UnavailableError](err); broken != (want.AgentID == "") || got != want {
			t.Errorf("%s: got %+v, %v", answer, got, err)
		}
	}
	for r, empty := range map[wecom.VisibleRange]bool{{Told: true}: true, {}: false, {Told: true, Tags: 1}: false, whole: false} {
		if r.Empty() != empty {
			t.Errorf("%+v: got %v", r, r.Empty())
		}
	}
}

// Attack: have an address of the network inside shown, or a text that is none.
func TestCallerAddress(t *testing.T) {
	for ip, want := range map[string]string{
		"203.0.113.7": "203.0.113.7", "::ffff:203.0.113.7": "203.0.113.7", "127.0.0.1": "127.0.0.1", "::1": "::1",
		"10.0.0.7": "", "172.16.3.4": "", "192.168.1.1": "", "169.254.169.254": "", "0.0.0.0": "", "224.0.0.1": "", "255.255.255.255": "",
		"2001:db8::1": "", "fe80::1%eth0": "", "<b>203.0.113.7</b>": "", "": "",
	} {
		f := &fake{answers: []string{fmt.Sprintf(`{"errcode":41004,"errmsg":"corpsecret missing, hint: [1], from ip: %s, more info at https://x"}`, ip)}}
		got, err := serve(t, f).CallerAddress(t.Context())
		text := ""
		if err == nil {
			text = got.String()
		}
		if text != want || !slices.Equal(f.asked, []string{"GET /cgi-bin/gettoken"}) {
			t.Errorf("%q: got %q, %v; asked %q", ip, text, err, f.asked)
		}
		wantClean(t, err)
	}
	// One try, whatever comes: it is only a hint for a page.
	for _, answer := range []string{`{"errcode":-1,"errmsg":"system busy"}`, ``, `{"errcode":0,"access_token":"t","expires_in":7200}`, `<html>`, `{"errcode":41004}`} {
		f := &fake{answers: []string{answer}}
		_, err := serve(t, f).CallerAddress(t.Context())
		if _, unusable := errors.AsType[*wecom.UnavailableError](err); !unusable || f.count() != 1 || wecom.MayHaveArrived(err) {
			t.Errorf("%q: asked %d times, %v", answer, f.count(), err)
		}
	}
}

// Trap: errmsg's IP shown. It is kept aside for the administrator.
func TestErrorKeepsErrmsgOut(t *testing.T) {
	for errmsg, ip := range map[string]string{
		"not allow to access from your ip, hint: [1731], from ip: 203.0.113.7, more info at https://x": "203.0.113.7",
		"x, from ip: 2001:db8::1, more": "2001:db8::1",
		"x, from ip: <script>, more":    "",
		"x, from ip:":                   "",
		"invalid":                       "",
	} {
		answer := fmt.Sprintf(`{"errcode":60020,"errmsg":%q,"err_msg":"ok"}`, errmsg)
		_, err := serve(t, &fake{answers: []string{answer}}).Identify(t.Context(), token(), code)
		answered, ok := errors.AsType[*wecom.Error](err)
		if !ok || answered.CallerIP != ip || answered.Code != wecom.UntrustedIP || !answered.Misconfigured() {
			t.Fatalf("%q: got %#v", errmsg, err)
		}
		if text := err.Error(); strings.Contains(text, "203.0") || strings.Contains(text, "hint") {
			t.Errorf("errmsg is in %q", text)
		}
	}
}

// Attack: have the secret sent on to another host.
func TestRedirectIsNotFollowed(t *testing.T) {
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			elsewhere := &fake{answers: []string{`{"userid":"a","access_token":"t","expires_in":7200}`}}
			other := httptest.NewServer(elsewhere)
			defer other.Close()
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, other.URL+r.RequestURI, http.StatusTemporaryRedirect)
			})
			err := call(t.Context(), serve(t, handler))
			if _, ok := errors.AsType[*wecom.UnavailableError](err); !ok || elsewhere.count() != 0 {
				t.Errorf("got %v, %d calls elsewhere", err, elsewhere.count())
			}
			wantClean(t, err)
			// A client of the caller's own is held to it too.
			server := httptest.NewServer(handler)
			defer server.Close()
			own := wecom.New(wecom.Config{APIURL: server.URL, HTTP: server.Client(), Sleep: noSleep})
			if err := call(t.Context(), own); err == nil || elsewhere.count() != 0 {
				t.Errorf("own client: %v", err)
			}
		})
	}
}

// connectedOnly is a connection that never answers.
type connectedOnly struct{}

func (connectedOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	trace := httptrace.ContextClientTrace(r.Context())
	trace.GetConn(r.URL.Host)
	trace.GotConn(httptrace.GotConnInfo{})
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// Attack: read a secret off a *url.Error in a log.
func TestTransportErrorsShowNothing(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "http://" + listener.Addr().String()
	_ = listener.Close()
	slow := &http.Client{Transport: connectedOnly{}}
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"userid":"CODE"}`, http.StatusBadGateway)
	}))
	defer broken.Close()
	for name, call := range calls {
		for _, test := range []struct {
			what, address string
			http          *http.Client
			timeout       time.Duration
			unsent        bool
		}{
			{"refused", refused, nil, time.Minute, true},
			{"slow", refused, slow, time.Millisecond, false},
			{"502", broken.URL, nil, time.Minute, false},
			{"no address", "::CODE", nil, time.Minute, true},
		} {
			c := wecom.New(wecom.Config{APIURL: test.address, HTTP: test.http, Sleep: noSleep, CallTimeout: test.timeout})
			err := call(t.Context(), c)
			lost, ok := errors.AsType[*wecom.UnavailableError](err)
			if !ok || lost.Unsent != test.unsent || lost.Op != name {
				t.Errorf("%s, %s: got %#v", name, test.what, err)
			}
			wantClean(t, err)
			spends := name == "getuserinfo" || name == "getuserdetail" || name == "user/getuserid"
			if wecom.MayHaveArrived(err) != (spends && !test.unsent) {
				t.Errorf("%s, %s: MayHaveArrived is wrong", name, test.what)
			}
		}
	}
}

// Trap: a used code tried again, or a phone that WeCom may have counted as a miss. -1 and
// 45033 are answers, nothing is spent.
func TestTries(t *testing.T) {
	const good = `{"userid":"zhang san&x=y@corp","access_token":"t","expires_in":7200,"agentid":1,"department_id":[],"department":[],"userlist":[]}`
	busy, parallel, other := `{"errcode":-1}`, `{"errcode":45033}`, `{"errcode":45009}`
	for name, call := range calls {
		notAgain := name == "getuserinfo" || name == "getuserdetail" || name == "user/getuserid" || name == "agent/get"
		for _, test := range []struct {
			answers []string
			once    bool // asked once, whatever the call
			lost    bool // repeated only where it does no harm
			count   int
			ok      bool
		}{
			{answers: []string{busy, parallel, good}, count: 3, ok: true},
			{answers: []string{busy}, count: 3},
			{answers: []string{other, good}, count: 1},
			{answers: []string{"", good}, lost: true, count: 2, ok: true},
			{answers: []string{"", "", good}, lost: true, count: 2},
		} {
			f := &fake{answers: slices.Clone(test.answers)}
			err := call(t.Context(), serve(t, f))
			count, ok := test.count, test.ok
			if test.lost && notAgain {
				count, ok = 1, false
			}
			if f.count() != count || (err == nil) != ok {
				t.Errorf("%s %q: asked %d times, %v", name, test.answers, f.count(), err)
			}
		}
	}
}

// The observer hears of each try, and nothing that WeCom was asked or said.
func TestObserverHearsOfEveryTry(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	f := &fake{answers: []string{
		`{"errcode":-1,"errmsg":"system busy, from ip: 203.0.113.7"}`, `{"errcode":0,"access_token":"t","expires_in":7200}`,
		`{"errcode":40029,"errmsg":"invalid code"}`, `no JSON`, `{"userid":"zhangsan"}`,
	}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	var heard []wecom.Call
	type key struct{}
	c := wecom.New(wecom.Config{
		APIURL: server.URL, Sleep: noSleep,
		Now: func() time.Time { now = now.Add(30 * time.Millisecond); return now },
		Observe: func(ctx context.Context, call wecom.Call) {
			if ctx.Value(key{}) != "the request's" {
				t.Error("not the context of the call")
			}
			heard = append(heard, call)
		},
	})
	ctx := context.WithValue(t.Context(), key{}, "the request's")
	_, _ = c.FetchToken(ctx, "ww1", corpSecret)
	_, _ = c.Identify(ctx, token(), code)
	_, _ = c.Detail(ctx, token(), ticket)
	_, _ = c.Member(ctx, token(), "zhangsan")
	want := []wecom.Call{
		{Operation: "gettoken", Answered: true, Code: -1, Duration: 30 * time.Millisecond},
		{Operation: "gettoken", Answered: true, Duration: 30 * time.Millisecond},
		{Operation: "getuserinfo", Answered: true, Code: 40029, Duration: 30 * time.Millisecond},
		{Operation: "getuserdetail", Duration: 30 * time.Millisecond},
		{Operation: "user/get", Answered: true, Duration: 30 * time.Millisecond},
	}
	if !slices.Equal(heard, want) {
		t.Errorf("heard %+v,\nwant %+v", heard, want)
	}
	for i, failed := range []bool{true, false, true, true, false} {
		if heard[i].Failed() != failed {
			t.Errorf("%+v: failed is %v", heard[i], !failed)
		}
	}
}

// Attack on ourselves: net/http sends a GET again when a reused connection breaks.
func TestCodeIsNotSentAgainByTheTransport(t *testing.T) {
	var mu sync.Mutex
	count := 0
	c := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		count++
		first := count == 1
		mu.Unlock()
		if len(r.TransferEncoding) > 0 || r.Header.Get("Content-Length") != "" {
			t.Errorf("a GET with a body: %v", r.Header)
		}
		if first {
			_, _ = io.WriteString(w, `{"userid":"a"}`)
			return
		}
		connection, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = connection.Close()
		}
	}))
	if _, err := c.Identify(t.Context(), token(), "first"); err != nil {
		t.Fatal(err)
	}
	_, err := c.Identify(t.Context(), token(), code)
	if !wecom.MayHaveArrived(err) {
		t.Errorf("got %v", err)
	}
	wantClean(t, err)
	mu.Lock()
	defer mu.Unlock()
	if count != 2 {
		t.Errorf("the code was sent %d times", count-1)
	}
}

// No time left: the failure at hand is told, not the time-out.
func TestBusyStaysBusyWhenTimeIsShort(t *testing.T) {
	f := &fake{answers: []string{`{"errcode":-1}`}}
	server := httptest.NewServer(f)
	defer server.Close()
	// By the client's clock there are 90 milliseconds left.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	end, _ := ctx.Deadline()
	late := func() time.Time { return end.Add(-90 * time.Millisecond) }
	_, err := wecom.New(wecom.Config{APIURL: server.URL, Now: late}).Identify(ctx, token(), code)
	if answered, ok := errors.AsType[*wecom.Error](err); !ok || answered.Code != wecom.SystemBusy {
		t.Errorf("got %v", err)
	}
}

func TestAccessTokenIsNeverShown(t *testing.T) {
	type hiding struct{ inside secret.Value }
	visitor := wecom.Identity{UserID: "a", UserTicket: ticket}
	shown := fmt.Sprintf("%v %+v %#v %s %q %x %v %+v %v %+v %#v", token(), token(), token(), token(), token(), token(),
		hiding{token()}, wecom.Token{Value: token()}, visitor, visitor, visitor)
	if strings.Contains(shown, "TOKEN") || strings.Contains(shown, fmt.Sprintf("%x", tokenText)) || strings.Contains(shown, "TICKET") {
		t.Error(shown)
	}
	if !token().Equal(token()) || token().Equal(secret.Value{}) || !(secret.Value{}).IsEmpty() {
		t.Error("Equal or IsEmpty is wrong")
	}
}

func TestLinks(t *testing.T) {
	links := wecom.Links{OAuthURL: "https://open.weixin.qq.com", LoginURL: "https://login.work.weixin.qq.com/"}
	const back = "https://s.example/callback/a?redirect=%2Fx%3Fy"
	got := links.ClientLink(wecom.ClientLinkParams{CorpID: "ww1", AgentID: "1000002", RedirectURI: back, Scope: wecom.ScopePrivateInfo, State: "abc"})
	want := "https://open.weixin.qq.com/connect/oauth2/authorize?appid=ww1&redirect_uri=https%3A%2F%2Fs.example%2Fcallback%2Fa%3Fredirect%3D%252Fx%253Fy" +
		"&response_type=code&scope=snsapi_privateinfo&state=abc&agentid=1000002#wechat_redirect"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for language, suffix := range map[string]string{"": "", "zh-CN": "&lang=zh", "en": "&lang=en", "de": ""} {
		got = links.LoginLink(wecom.LoginLinkParams{CorpID: "ww1", AgentID: "1000002", RedirectURI: "https://s.example/c", State: "abc", Language: language})
		want = "https://login.work.weixin.qq.com/wwlogin/sso/login?login_type=CorpApp&appid=ww1&agentid=1000002&redirect_uri=https%3A%2F%2Fs.example%2Fc&state=abc" + suffix
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	got = links.LoginLink(wecom.LoginLinkParams{CorpID: "ww1", AgentID: "1000002", RedirectURI: "https://s.example/c", State: "abc", Language: "en", Panel: true})
	want = "https://login.work.weixin.qq.com/wwlogin/sso/login?login_type=CorpApp&appid=ww1&agentid=1000002&redirect_uri=https%3A%2F%2Fs.example%2Fc&state=abc&lang=en" +
		"&redirect_type=top&panel_size=small&color_scheme=auto"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBrowsers(t *testing.T) {
	for _, test := range []struct {
		userAgent                 string
		client, phone, clientPage bool
	}{
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 15_4 like Mac OS X)  Mobile/15E148 wxwork/4.0.19 MicroMessenger/7.0.1", true, true, true},
		{"Mozilla/5.0 (Windows NT 10.0; WOW64) Chrome/107 Safari/537.36 WXWork/5.0.10 (MicroMessenger/6.2) WindowsWechat", true, false, true},
		{"Mozilla/5.0 (Linux; Android 7; wv) Chrome/134 Mobile MicroMessenger/8.0", false, true, true},
		{"Mozilla/5.0 (iPad; CPU OS 18_4 like Mac OS X) AppleWebKit/605.1.15 MicroMessenger/8.0.57", false, true, true},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/132 MicroMessenger/7.0.20 NetType/WIFI MiniProgramEnv/Windows WindowsWechat/WMPF", false, false, false},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) MicroMessenger/6.8.0 NetType/WIFI MacWechat/3.8.9", false, false, false},
		{"Mozilla/5.0 (Linux; Android 14) Chrome/140 Mobile Safari/537.36", false, true, false},
		{"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15", false, false, false},
		{"", false, false, false},
	} {
		if wecom.IsClient(test.userAgent) != test.client || wecom.IsPhone(test.userAgent) != test.phone ||
			wecom.TakesClientPage(test.userAgent) != test.clientPage {
			t.Errorf("%q: wrong", test.userAgent)
		}
	}
	for header, want := range map[string]string{
		"": "", "zh-CN,zh;q=0.9,en;q=0.8": "zh", "de, en;q=0.5, zh;q=0.4": "en", "fr": "", "EN-us": "en",
		"zh;q=0": "", "zh;q=x,en": "en", ",;,": "", "en;q=0.1, zh;q=0.2": "zh", "*": "",
	} {
		if got := wecom.PageLanguage(header); got != want {
			t.Errorf("%q: got %q, want %q", header, got, want)
		}
	}
}

func BenchmarkIdentify(b *testing.B) {
	server := httptest.NewServer(&fake{answers: []string{`{"errcode":0,"errmsg":"ok","userid":"a"}`}})
	defer server.Close()
	c := wecom.New(wecom.Config{APIURL: server.URL})
	for b.Loop() {
		if _, err := c.Identify(b.Context(), token(), code); err != nil {
			b.Fatal(err)
		}
	}
}
