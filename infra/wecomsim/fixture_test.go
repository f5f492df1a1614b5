package wecomsim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
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
type clock struct{ passed atomic.Int64 }

func (c *clock) Now() time.Time {
	return time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC).Add(time.Duration(c.passed.Load()))
}

func (c *clock) advance(d time.Duration) { c.passed.Add(int64(d)) }

// harness is a simulator on a port, with a client that follows no redirect.
type harness struct {
	*Simulator

	t      *testing.T
	base   string
	clock  *clock
	client *http.Client
}

func newHarness(t *testing.T, change func(*Config)) *harness {
	t.Helper()
	ticking := &clock{}
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
		Outsiders:      []Outsider{{OpenID: "oGuest"}, {OpenID: "oCustomer", ExternalUserID: "wmCustomer"}},
	}, {
		ID: "wwsecond", Members: []Member{{UserID: "colleague", Name: "外人"}},
		Apps: []App{{AgentID: appA, Secret: "secret-of-second", TrustedDomain: "second.example.com"}},
	}}}
	if change != nil {
		change(&config)
	}
	must(t, config.Validate())
	return harnessOf(t, config, ticking)
}

func harnessOf(t *testing.T, config Config, ticking *clock) *harness {
	t.Helper()
	sim := New(config)
	return &harness{Simulator: sim, t: t, base: sim.Start(t), clock: ticking, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// answer is an API answer as it came.
type answer struct {
	status  int
	header  http.Header
	raw     []byte
	fields  map[string]any
	errcode int
	message string
}

func (h *harness) do(method, target, body string, header http.Header) answer {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.base+target, strings.NewReader(body))
	must(h.t, err)
	for k, v := range header {
		r.Header[k] = v
	}
	res, err := h.client.Do(r)
	must(h.t, err)
	defer func() { _ = res.Body.Close() }()
	out := answer{status: res.StatusCode, header: res.Header}
	out.raw, err = io.ReadAll(res.Body)
	must(h.t, err)
	_ = json.Unmarshal(out.raw, &out.fields) // not every answer is JSON
	code, _ := out.fields["errcode"].(float64)
	out.errcode = int(code)
	out.message, _ = out.fields["errmsg"].(string)
	return out
}

// expect reports an answer with another errcode.
func (h *harness) expect(want int, got answer) {
	h.t.Helper()
	if got.errcode != want {
		h.t.Errorf("got %s, want %d", got.raw, want)
	}
}

// getToken calls gettoken for the first corp.
func (h *harness) getToken(secret string) answer {
	h.t.Helper()
	return h.get(PathGetToken, "corpid", corpID, "corpsecret", secret)
}

func (h *harness) get(path string, pairs ...string) answer {
	h.t.Helper()
	return h.do(http.MethodGet, path+"?"+values(pairs...).Encode(), "", nil)
}

// post sends a form as the simulator's own pages do.
func (h *harness) post(path string, pairs ...string) answer {
	h.t.Helper()
	return h.do(http.MethodPost, path, values(pairs...).Encode(), http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"},
	})
}

// tab is a browser tab of a client that userID is signed in at.
func (h *harness) tab(userID, userAgent string) tab {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	who, ok := h.findPerson(userID)
	if !ok {
		h.t.Fatalf("%s does not exist", userID)
	}
	return tab{sim: h.Simulator, userAgent: userAgent, cookie: h.signIn(who)}
}

// open opens an address in the tab, which is expected to show a page.
func (h *harness) open(t tab, method, target string, pairs ...string) pageBody {
	h.t.Helper()
	target, _, _ = strings.Cut(strings.TrimPrefix(target, h.base), "#")
	body, location, err := t.open(h.t.Context(), method, target, values(pairs...))
	must(h.t, err)
	if location != "" {
		h.t.Fatalf("%s leads to %s", target, location)
	}
	return body
}

func (h *harness) token(secret string) string {
	h.t.Helper()
	a := h.getToken(secret)
	value, _ := a.fields["access_token"].(string)
	if a.errcode != 0 || value == "" {
		h.t.Fatalf("gettoken: %s", a.raw)
	}
	return value
}

// probe makes a call with a token of the first app.
func (h *harness) probe(token string) answer {
	h.t.Helper()
	return h.get(PathGetAgent, "access_token", token, "agentid", appA)
}

// exchange calls getuserinfo.
func (h *harness) exchange(token, code string) answer {
	h.t.Helper()
	return h.get(PathGetUserInfo, "access_token", token, "code", code)
}

// age lets d pass, with the last purge a moment before the end: what is too old
// must be refused, not only purged.
func (h *harness) age(d time.Duration) {
	h.t.Helper()
	h.clock.advance(d - time.Second)
	h.token(secretA)
	h.clock.advance(time.Second)
}

// code goes through the in-client link and returns the code.
func (h *harness) code(b Browser, changes ...string) string {
	h.t.Helper()
	return h.codeOf(h.inWeCom(changes...), b)
}

func (h *harness) codeOf(link string, b Browser) string {
	h.t.Helper()
	callback, err := h.Follow(h.t.Context(), link, b)
	if err != nil {
		h.t.Fatalf("follow: %v", err)
	}
	u, err := url.Parse(callback)
	must(h.t, err)
	code := u.Query().Get("code")
	if code == "" {
		h.t.Fatal("the callback has no code")
	}
	return code
}

func (h *harness) detail(token, ticket string) answer {
	h.t.Helper()
	return h.do(http.MethodPost, PathGetUserDetail+"?access_token="+token, fmt.Sprintf(`{"user_ticket":%q}`, ticket), nil)
}

// ticket signs zhangsan in with consent and returns token and ticket.
func (h *harness) ticket(c Consent) (token, value string) {
	h.t.Helper()
	token = h.token(secretA)
	code := h.code(Browser{UserID: "zhangsan", Consent: c}, "scope", scopePrivateInfo)
	a := h.exchange(token, code)
	value, _ = a.fields["user_ticket"].(string)
	if value == "" {
		h.t.Fatalf("getuserinfo gave no ticket: %s", a.raw)
	}
	return token, value
}

// inWeCom returns a good in-client link with changes: name, value, …; the
// value "-" takes the parameter out.
func (h *harness) inWeCom(changes ...string) string {
	query := values("appid", corpID, "redirect_uri", redirect, "response_type", "code", "scope", scopeBase, "state", "Abc123", "agentid", appA)
	return h.base + pathAuthorize + "?" + changed(query, changes).Encode() + "#wechat_redirect"
}

func (h *harness) webLink(changes ...string) string {
	query := values("login_type", "CorpApp", "appid", corpID, "agentid", appA, "redirect_uri", redirect, "state", "web@state")
	return h.base + pathWebLogin + "?" + changed(query, changes).Encode()
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
