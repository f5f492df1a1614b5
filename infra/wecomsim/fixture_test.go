package wecomsim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	corpID   = "ww0123456789abcdef"
	appA     = "1000002"
	appB     = "1000003"
	secretA  = "secret-of-a"
	secretB  = "secret-of-b"
	syncKey  = "secret-of-contact-sync"
	redirect = "https://id.example.com/callback/main?redirect=%2Fhome"
)

// clock is a clock that moves only when told to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// bench is a simulator on a port, with a client that follows no redirect.
type bench struct {
	*Simulator

	t      *testing.T
	base   string
	clock  *clock
	client *http.Client
}

func newBench(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	ticking := &clock{now: time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)}
	config := Config{Now: ticking.Now, Corps: []Corp{{
		ID: corpID, Name: "示例公司", ContactSyncSecret: syncKey,
		Apps: []App{
			{
				AgentID: appA, Secret: secretA, TrustedDomain: "id.example.com", CallbackDomain: "login.example.com",
				VisibleUserIDs: []string{"zhangsan", "LiSi", "qianqi"}, Fields: []Field{FieldMobile, FieldAvatar, FieldGender},
			},
			{AgentID: appB, Secret: secretB, TrustedDomain: "other.example.com:8443"},
		},
		Members: []Member{
			{UserID: "zhangsan", Name: "张三", Mobile: "13800000001", Gender: "1", Email: "z@example.com"},
			{UserID: "LiSi", Name: "李四", Mobile: "13800000002", Status: StatusDisabled},
			{UserID: "hidden", Name: "王五", Mobile: "13800000003"},
			{UserID: "qianqi", Name: "钱七", Mobile: "13800000004", Status: StatusLeft},
		},
		Interconnected: []InterconnectedMember{{CorpID: "wwpartner", UserID: "peer"}},
		Outsiders:      []Outsider{{OpenID: "oVisitor"}, {OpenID: "oCustomer", ExternalUserID: "wmCustomer"}},
	}, {
		ID: "wwsecond", Members: []Member{{UserID: "stranger", Name: "外人"}},
		Apps: []App{{AgentID: appA, Secret: "secret-of-second", TrustedDomain: "second.example.com"}},
	}}}
	if change != nil {
		change(&config)
	}
	if err := config.Validate(); err != nil {
		t.Fatalf("fixture: %v", err)
	}
	sim := New(config)
	base := sim.Start(t)
	client := &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &bench{Simulator: sim, t: t, base: base, clock: ticking, client: client}
}

// answer is an API answer as it came.
type answer struct {
	status  int
	header  http.Header
	raw     []byte
	fields  map[string]any
	errcode int
}

func (b *bench) do(method, path string, query url.Values, body string, header http.Header) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path+"?"+query.Encode(), strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatalf("call %s: %v", path, err)
	}
	defer func() { _ = res.Body.Close() }()
	out := answer{status: res.StatusCode, header: res.Header}
	out.raw, err = io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if json.Unmarshal(out.raw, &out.fields) == nil {
		if n, ok := out.fields["errcode"].(float64); ok {
			out.errcode = int(n)
		}
	}
	return out
}

func (b *bench) get(path string, pairs ...string) answer {
	b.t.Helper()
	return b.do(http.MethodGet, path, values(pairs...), "", nil)
}

func (b *bench) token(secret string) string {
	b.t.Helper()
	a := b.get(PathGetToken, "corpid", corpID, "corpsecret", secret)
	word, _ := a.fields["access_token"].(string)
	if a.errcode != 0 || word == "" {
		b.t.Fatalf("gettoken: %s", a.raw)
	}
	return word
}

// age lets d pass, with the last tidying a moment before the end: what is too
// old must be refused, not only forgotten.
func (b *bench) age(d time.Duration) {
	b.t.Helper()
	b.clock.advance(d - time.Second)
	b.token(secretA)
	b.clock.advance(time.Second)
}

// code goes through the in-client link and returns the code.
func (b *bench) code(v Browser, changes ...string) string {
	b.t.Helper()
	return b.codeOf(b.inWeCom(changes...), v)
}

func (b *bench) codeOf(link string, v Browser) string {
	b.t.Helper()
	callback, err := b.Follow(b.t.Context(), link, v)
	if err != nil {
		b.t.Fatalf("follow: %v", err)
	}
	u, err := url.Parse(callback)
	if err != nil {
		b.t.Fatal(err)
	}
	code := u.Query().Get("code")
	if code == "" {
		b.t.Fatal("the callback has no code")
	}
	return code
}

func (b *bench) detail(token, ticket string) answer {
	b.t.Helper()
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(map[string]string{"user_ticket": ticket}); err != nil {
		b.t.Fatal(err)
	}
	return b.do(http.MethodPost, PathGetUserDetail, values("access_token", token), body.String(), nil)
}

// ticket signs zhangsan in with consent and returns token and ticket.
func (b *bench) ticket(c Consent) (token, word string) {
	b.t.Helper()
	token = b.token(secretA)
	code := b.code(Browser{UserID: "zhangsan", Consent: c}, "scope", scopePrivateInfo)
	a := b.get(PathGetUserInfo, "access_token", token, "code", code)
	word, _ = a.fields["user_ticket"].(string)
	if word == "" {
		b.t.Fatalf("getuserinfo gave no ticket: %s", a.raw)
	}
	return token, word
}

// inWeCom returns a good in-client link with changes: name, value, …; the
// value "-" takes the parameter out.
func (b *bench) inWeCom(changes ...string) string {
	query := values("appid", corpID, "redirect_uri", redirect, "response_type", "code", "scope", scopeBase, "state", "Abc123", "agentid", appA)
	return b.base + pathAuthorize + "?" + changed(query, changes).Encode() + "#wechat_redirect"
}

func (b *bench) webLink(changes ...string) string {
	query := values("login_type", "CorpApp", "appid", corpID, "agentid", appA, "redirect_uri", redirect, "state", "web@state")
	return b.base + pathWebLogin + "?" + changed(query, changes).Encode()
}

func values(pairs ...string) url.Values { return changed(url.Values{}, pairs) }

func changed(query url.Values, pairs []string) url.Values {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "-" {
			query.Del(pairs[i])
			continue
		}
		query.Set(pairs[i], pairs[i+1])
	}
	return query
}
