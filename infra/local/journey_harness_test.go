package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/teststack"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/secret"
	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// The company of the journeys.
const (
	corpID      = "ww0123456789abcdef"
	agentID     = "1000002"
	appSecret   = "secret-of-the-app-0123456789abcdefghijklmno"
	otherCorpID = "wwfedcba9876543210"
	otherSecret = "secret-of-the-other-app-0123456789abcdefghi"
	adminKey    = "admin-key-of-the-journeys-0123456789"
	application = "http://localhost:3999"
	// main is the authenticator that every world begins with.
	mainName = "main"
)

// TestMain lets many tests run at once: they wait for WeCom more than they compute.
func TestMain(m *testing.M) {
	flag.Parse()
	parallel := flag.Lookup("test.parallel")
	if n, err := strconv.Atoi(parallel.Value.String()); err == nil && n < atOnce {
		_ = flag.Set("test.parallel", strconv.Itoa(atOnce))
	}
	os.Exit(m.Run())
}

const atOnce = 12

// world is the whole service, real but for WeCom, and for its clock, which tests
// may put forward.
type world struct {
	t       *testing.T
	url     string // of the service
	weCom   *wecomsim.Simulator
	weURL   string
	apiURL  string // of WeCom's API, as the service has it
	log     *teststack.Log
	dataDir string
	client  *http.Client
	ahead   atomic.Int64 // of the real clock, in nanoseconds
	handler atomic.Pointer[http.Handler]
	service *service
	known   *secrets
	seen    *transcript
}

type worldOption func(*worldConfig)

type worldConfig struct {
	apiURL        string
	weCom         func(*wecomsim.Config)
	authenticator map[string]any // changes to the main one
	quiet         bool           // keeps no transcript
}

// weComDown is a WeCom whose API takes no connection.
func weComDown(c *worldConfig) { c.apiURL = "http://127.0.0.1:1" }

// quiet keeps no transcript: for very many requests.
func quiet(c *worldConfig) { c.quiet = true }

// with changes the main authenticator.
func with(field string, value any) worldOption {
	return func(c *worldConfig) { c.authenticator[field] = value }
}

// weComWhere changes the company.
func weComWhere(change func(*wecomsim.Config)) worldOption {
	return func(c *worldConfig) { c.weCom = change }
}

// preparedData is the content of a DATA_DIR with its keys: making keys is slow.
var preparedData = sync.OnceValues(func() (map[string][]byte, error) {
	folder, err := os.MkdirTemp("", "journey")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	s, err := settings.FromEnvironment(func(name string) (string, bool) {
		value, ok := map[string]string{"PUBLIC_URL": "http://localhost:1", "DATA_DIR": folder}[name]
		return value, ok
	}, localSettings()...)
	if err != nil {
		return nil, err
	}
	s.AdminKey = secret.NewValue(adminKey)
	service, err := newService(noDeadline{}, s, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if err := service.stop(noDeadline{}); err != nil {
		return nil, err
	}
	return readFolder(folder)
})

// noDeadline is a context for what outlives every test.
type noDeadline struct{}

func (noDeadline) Deadline() (time.Time, bool) { return time.Time{}, false }
func (noDeadline) Done() <-chan struct{}       { return nil }
func (noDeadline) Err() error                  { return nil }
func (noDeadline) Value(any) any               { return nil }

func readFolder(folder string) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err == nil {
			files[name], err = os.ReadFile(path)
		}
		return err
	})
	return files, err
}

func writeFolder(t *testing.T, files map[string][]byte) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// company is a WeCom with members of every kind.
func company(trustedDomain string) wecomsim.Config {
	fields := []wecomsim.Field{wecomsim.FieldMobile, wecomsim.FieldAvatar}
	return wecomsim.Config{Corps: []wecomsim.Corp{
		{
			ID: corpID,
			Apps: []wecomsim.App{{
				AgentID: agentID, Secret: appSecret, TrustedDomain: trustedDomain, CallbackDomain: trustedDomain, Fields: fields,
				VisibleUserIDs: []string{"zhangsan", "lisi", "WangWu", "nophone", "badphone", "disabled", "left", "inactive"},
			}},
			Members: []wecomsim.Member{
				{UserID: "zhangsan", Name: "张三", Mobile: "13800000001", Avatar: "https://example.com/zhangsan.png"},
				{UserID: "lisi", Name: "李四", Mobile: "13800000002"},
				{UserID: "WangWu", Name: "王五", Mobile: "+44 7700 900123"},
				{UserID: "nophone", Name: "无号"},
				{UserID: "badphone", Name: "错号", Mobile: "call me"},
				{UserID: "disabled", Name: "停用", Mobile: "13800000005", Status: wecomsim.StatusDisabled},
				{UserID: "left", Name: "离职", Mobile: "13800000006", Status: wecomsim.StatusLeft},
				{UserID: "inactive", Name: "未激活", Mobile: "13800000007", Status: wecomsim.StatusNotActivated},
				{UserID: "outside", Name: "范围外", Mobile: "13800000008"},
			},
			Interconnected: []wecomsim.InterconnectedMember{{CorpID: "ww0a1b2c3d4e5f6071", UserID: "partner", Name: "伙伴"}},
			Outsiders:      []wecomsim.Outsider{{OpenID: "oVisitor0000000000000001", Name: "访客"}},
		},
		{
			ID: otherCorpID,
			Apps: []wecomsim.App{{
				AgentID: "1000009", Secret: otherSecret, TrustedDomain: trustedDomain, CallbackDomain: trustedDomain, Fields: fields,
			}},
			Members: []wecomsim.Member{
				{UserID: "san.zhang", Name: "Zhang San", Mobile: "+86 138 0000 0001"},
				{UserID: "stranger", Name: "Stranger", Mobile: "13900000009"},
			},
		},
	}}
}

func newWorld(t *testing.T, options ...worldOption) *world {
	t.Helper()
	c := worldConfig{authenticator: map[string]any{}}
	for _, option := range options {
		option(&c)
	}
	w := &world{
		t: t, log: &teststack.Log{}, known: &secrets{values: map[string]map[string]bool{}},
		client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 32},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	w.known.add("admin key", adminKey)
	w.known.add("app secret", appSecret)
	w.known.add("app secret", otherSecret)
	if !c.quiet {
		w.seen = &transcript{}
	}
	listener, err := listen(0)
	if err != nil {
		t.Fatal(err)
	}
	w.url = localURL(listener)
	simulated := company(hostOf(w.url))
	if c.weCom != nil {
		c.weCom(&simulated)
	}
	simulated.Now = w.now
	if err := simulated.Validate(); err != nil {
		t.Fatal(err)
	}
	for _, corp := range simulated.Corps {
		for _, member := range corp.Members {
			if digits := onlyDigits(member.Mobile); len(digits) >= 8 {
				w.known.add("phone", digits)
			}
		}
	}
	w.weCom = wecomsim.New(simulated)
	weServer := httptest.NewServer(w.known.wire(w.weCom))
	w.weURL, w.apiURL = weServer.URL, weServer.URL
	if c.apiURL != "" {
		w.apiURL = c.apiURL
	}
	prepared, err := preparedData()
	if err != nil {
		t.Fatal(err)
	}
	w.dataDir = writeFolder(t, prepared)
	w.start()
	server := &httptest.Server{Listener: listener, Config: &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			handler := *w.handler.Load()
			if w.seen == nil {
				handler.ServeHTTP(rw, r)
				return
			}
			w.seen.record(handler, rw, r)
		}),
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}}
	server.Start()
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		weServer.CloseClientConnections()
		server.Close()
		weServer.Close()
		w.stop()
		for _, leak := range w.leaks() {
			t.Errorf("LEAK: %s", leak)
		}
	})
	fields := map[string]any{
		"name": mainName, "title": "企业微信", "corpId": corpID, "agentId": agentID, "secret": appSecret, "origin": application,
	}
	maps.Copy(fields, c.authenticator)
	w.mustAdmin(http.StatusCreated, http.MethodPost, "/authenticators", fields)
	return w
}

func onlyDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

// wait puts every clock forward.
func (w *world) wait(d time.Duration) { w.ahead.Add(int64(d)) }

// start starts the service on its DATA_DIR.
func (w *world) start() {
	w.t.Helper()
	values := map[string]string{
		"PUBLIC_URL": w.url, "DATA_DIR": w.dataDir, "ADMIN_KEY": adminKey,
		"WECOM_API_URL": w.apiURL, "WECOM_OAUTH_URL": w.weURL, "WECOM_LOGIN_URL": w.weURL,
	}
	s, err := settings.FromEnvironment(func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}, localSettings()...)
	if err != nil {
		w.t.Fatal(err)
	}
	logger := slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if w.service, err = newService(w.t.Context(), s, w.now, logger); err != nil {
		w.t.Fatal(err)
	}
	var handler http.Handler = w.service.gateway
	w.handler.Store(&handler)
}

func (w *world) stop() {
	w.t.Helper()
	if err := w.service.stop(noDeadline{}); err != nil {
		w.t.Error(err)
	}
}

// restart stops the service in order and starts it again.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.start()
}

// crash goes on with what is on the disk at this moment, as after kill -9.
func (w *world) crash() {
	w.t.Helper()
	files, err := readFolder(w.dataDir)
	if err != nil {
		w.t.Fatal(err)
	}
	w.stop()
	w.dataDir = writeFolder(w.t, files)
	w.start()
}

// admin calls the admin API with the admin key.
func (w *world) admin(method, path string, body any) answer {
	w.t.Helper()
	return w.adminAs("Bearer "+adminKey, method, path, body)
}

func (w *world) adminAs(authorization, method, path string, body any) answer {
	w.t.Helper()
	var content io.Reader = http.NoBody
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		content = bytes.NewReader(encoded)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+"/api/admin"+path, content)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	return w.send(r)
}

func (w *world) mustAdmin(status int, method, path string, body any) answer {
	w.t.Helper()
	a := w.admin(method, path, body)
	if a.status != status {
		w.t.Fatalf("%s /api/admin%s: %d %s", method, path, a.status, a.body)
	}
	return a
}

// users returns all users, at most 200.
func (w *world) users() []userEntry {
	w.t.Helper()
	var list struct{ Items []userEntry }
	w.mustAdmin(http.StatusOK, http.MethodGet, "/users?limit=200", nil).decode(w.t, &list)
	return list.Items
}

type userEntry struct {
	ID, Phone, Name string
	Identities      []struct{ CorpID, WeComUserID, Authenticator string }
}

func (w *world) send(r *http.Request) answer {
	w.t.Helper()
	got, err := w.trySend(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *world) trySend(r *http.Request) (answer, error) {
	response, err := w.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body)}, err
}

// answer is what the service said.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%v in %d %s", err, a.status, a.body)
	}
}

func (a answer) location() string { return a.header.Get("Location") }

// cookie returns a cookie that the answer sets, or nil.
func (a answer) cookie(prefix string) *http.Cookie {
	for _, cookie := range (&http.Response{Header: a.header}).Cookies() {
		if strings.HasPrefix(cookie.Name, prefix) {
			return cookie
		}
	}
	return nil
}

const (
	sessionCookie = "__Host-wecom_session"
	attemptCookie = "__Host-wecom_attempt_"
)

// browser is a visitor's. It keeps cookies as Chromium does on loopback: Secure
// ones too, and a __Host- one only when it keeps to the rules of that name.
type browser struct {
	w         *world
	userAgent string
	language  string
	visitor   wecomsim.Browser // who sits there, and what they answer WeCom
	// blocksCookies keeps none, keepsExpired keeps them too long.
	blocksCookies, keepsExpired bool
	// losesAttempts, when set, says on the way back from which links of WeCom the
	// attempt's cookie is gone.
	losesAttempts func(link string) bool

	mu      sync.Mutex
	cookies map[string]keptCookie
}

type keptCookie struct {
	value   string
	expires time.Time // zero: with the browser
}

// inWeCom is a member's phone with WeCom, userAgent its browser.
func (w *world) inWeCom(userID string) *browser {
	return &browser{w: w, userAgent: wecomsim.UserAgentWeComAndroid, visitor: wecomsim.Browser{UserID: userID}, cookies: map[string]keptCookie{}}
}

// onDesktop is any other browser, with a member who scans the code.
func (w *world) onDesktop(userID string) *browser {
	b := w.inWeCom(userID)
	b.userAgent = wecomsim.UserAgentBrowser
	return b
}

// request makes a request as the browser would.
func (b *browser) request(method, address string) *http.Request {
	b.w.t.Helper()
	r, err := http.NewRequestWithContext(b.w.t.Context(), method, address, nil)
	if err != nil {
		b.w.t.Fatal(err)
	}
	r.Header.Set("User-Agent", b.userAgent)
	if b.language != "" {
		r.Header.Set("Accept-Language", b.language)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		cookie := b.cookies[name]
		if b.keepsExpired || cookie.expires.IsZero() || b.w.now().Before(cookie.expires) {
			r.Header.Add("Cookie", name+"="+cookie.value)
		}
	}
	if cookies := r.Header.Values("Cookie"); len(cookies) > 1 {
		r.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	return r
}

// send sends a request and keeps the cookies of the answer.
func (b *browser) send(r *http.Request) answer {
	b.w.t.Helper()
	a := b.w.send(r)
	b.keep(a)
	return a
}

func (b *browser) get(path string) answer {
	b.w.t.Helper()
	return b.send(b.request(http.MethodGet, b.absolute(path)))
}

func (b *browser) post(path string) answer {
	b.w.t.Helper()
	return b.send(b.request(http.MethodPost, b.absolute(path)))
}

func (b *browser) absolute(path string) string {
	if strings.HasPrefix(path, "/") {
		return b.w.url + path
	}
	return path
}

func (b *browser) keep(a answer) {
	b.w.t.Helper()
	for _, cookie := range (&http.Response{Header: a.header}).Cookies() {
		if !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" || !strings.HasPrefix(cookie.Name, "__Host-") {
			b.w.t.Errorf("a browser would refuse, or scripts could read, the cookie %s", cookie.Name)
		}
		if len(cookie.Value) > 20 {
			b.w.known.add("cookie", cookie.Value)
		}
		if b.blocksCookies {
			continue
		}
		b.mu.Lock()
		switch {
		case cookie.MaxAge < 0:
			delete(b.cookies, cookie.Name)
		case cookie.MaxAge > 0:
			b.cookies[cookie.Name] = keptCookie{cookie.Value, b.w.now().Add(time.Duration(cookie.MaxAge) * time.Second)}
		default:
			b.cookies[cookie.Name] = keptCookie{value: cookie.Value}
		}
		b.mu.Unlock()
	}
}

// has reports whether the browser holds a cookie.
func (b *browser) has(prefix string) bool { return b.count(prefix) > 0 }

func (b *browser) count(prefix string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name := range b.cookies {
		if strings.HasPrefix(name, prefix) {
			n++
		}
	}
	return n
}

// atWeCom plays the visitor at WeCom and returns where WeCom sends the browser.
func (b *browser) atWeCom(link string) (string, error) {
	if b.losesAttempts != nil && b.losesAttempts(link) {
		b.forget(attemptCookie)
	}
	visitor := b.visitor
	visitor.UserAgent = b.userAgent
	callback, err := b.w.weCom.Follow(b.w.t.Context(), link, visitor)
	if address, parseErr := url.Parse(link); parseErr == nil {
		b.w.known.add("state", address.Query().Get("state"))
	}
	if address, parseErr := url.Parse(callback); parseErr == nil {
		b.w.known.add("code", address.Query().Get("code"))
		b.w.known.add("state", address.Query().Get("state"))
	}
	return callback, err
}

// leave opens a sign-in and stops at WeCom: it returns the callback's address.
func (b *browser) leave(path string) string {
	b.w.t.Helper()
	a := b.get(path)
	if !strings.HasPrefix(a.location(), b.w.weURL) {
		b.w.t.Fatalf("%s did not lead to WeCom: %d %q %s", path, a.status, a.location(), a.body)
	}
	callback, err := b.atWeCom(a.location())
	if err != nil {
		b.w.t.Fatal(err)
	}
	return callback
}

// ending is where a journey came to its end.
type ending struct {
	address string        // the application's, or that of the page
	page    answer        // when the journey ended at the service
	weCom   int           // visits to WeCom
	stopped wecomsim.Page // the page of WeCom where the journey ended, or empty
	last    answer        // the last answer with a redirect
	failure url.Values    // of the sign-in page
}

// open goes to an address and wherever it leads, through WeCom as well, until there
// is a page or the application begins.
func (b *browser) open(path string) ending {
	b.w.t.Helper()
	end := ending{address: b.absolute(path)}
	for range 12 {
		a := b.get(end.address)
		next := a.location()
		if next == "" {
			end.page = a
			if u, err := url.Parse(end.address); err == nil && u.Path == "/signin" {
				end.failure = u.Query()
			}
			return end
		}
		end.last = a
		if strings.HasPrefix(next, b.w.weURL+"/") {
			end.weCom++
			callback, err := b.atWeCom(next)
			if stopped, ok := errors.AsType[*wecomsim.PageError](err); ok {
				end.stopped = stopped.Page
				return end
			}
			if err != nil {
				b.w.t.Fatal(err)
			}
			next = callback
		}
		if strings.HasPrefix(next, "/") {
			next = b.w.url + next
		}
		end.address = next
		if next == application || strings.HasPrefix(next, application+"/") {
			return end
		}
		if !strings.HasPrefix(next, b.w.url+"/") {
			b.w.t.Errorf("sent to a foreign address %s", next)
			return end
		}
	}
	b.w.t.Fatalf("redirects without an end, now at %s", end.address)
	return end
}

// signIn signs in and fails the test when that does not succeed.
func (b *browser) signIn(path string) ending {
	b.w.t.Helper()
	end := b.open(path)
	if !strings.HasPrefix(end.address, application) {
		b.w.t.Fatalf("ended at %s %s %.200s", end.address, end.stopped, end.page.body)
	}
	return end
}

// sessionEntry is the answer of /api/session.
type sessionEntry struct {
	User struct {
		ID     string   `json:"id"`
		Name   string   `json:"name"`
		Phone  string   `json:"phone"`
		Avatar string   `json:"avatar"`
		Roles  []string `json:"roles"`
	} `json:"user"`
	Authenticator string    `json:"authenticator"`
	CorpID        string    `json:"corpId"`
	WeComUserID   string    `json:"wecomUserId"`
	SignedInAt    time.Time `json:"signedInAt"`
	ExpiresAt     time.Time `json:"expiresAt"`
}

// session returns who is signed in, or nil.
func (b *browser) session() *sessionEntry {
	b.w.t.Helper()
	a := b.get("/api/session")
	if a.status == http.StatusUnauthorized {
		return nil
	}
	if a.status != http.StatusOK {
		b.w.t.Fatalf("session: %d %s", a.status, a.body)
	}
	var s sessionEntry
	a.decode(b.w.t, &s)
	return &s
}

// signedInAs returns the userid in WeCom of who is signed in, or empty.
func (b *browser) signedInAs() string {
	b.w.t.Helper()
	if s := b.session(); s != nil {
		return s.WeComUserID
	}
	return ""
}

// copyOf is another browser with the same cookies: the same one at a later or an
// earlier moment, or a thief's.
func (b *browser) copyOf() *browser {
	b.mu.Lock()
	defer b.mu.Unlock()
	return &browser{
		w: b.w, userAgent: b.userAgent, language: b.language, visitor: b.visitor, keepsExpired: b.keepsExpired,
		cookies: maps.Clone(b.cookies),
	}
}

// secrets is what must not be found where it does not belong.
type secrets struct {
	mu     sync.Mutex
	values map[string]map[string]bool // by kind
}

func (s *secrets) add(kind, value string) {
	if len(value) < 8 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values[kind] == nil {
		s.values[kind] = map[string]bool{}
	}
	s.values[kind][value] = true
}

// wire reads along what WeCom gives the service.
func (s *secrets) wire(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tee := &teeWriter{ResponseWriter: w, most: 64 << 10}
		next.ServeHTTP(tee, r)
		var said struct {
			Token  string `json:"access_token"`
			Ticket string `json:"user_ticket"`
		}
		if json.Unmarshal(tee.body.Bytes(), &said) == nil {
			s.add("access token", said.Token)
			s.add("user ticket", said.Ticket)
		}
	})
}

// teeWriter keeps what passes.
type teeWriter struct {
	http.ResponseWriter
	status int
	most   int
	body   bytes.Buffer
}

func (w *teeWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *teeWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	if w.body.Len() < w.most {
		w.body.Write(p)
	}
	return w.ResponseWriter.Write(p)
}

func (w *teeWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// transcript is every answer the service gave.
type transcript struct {
	mu      sync.Mutex
	answers []spoken
}

type spoken struct {
	request string // method and path
	status  int
	header  http.Header
	body    string
}

func (t *transcript) record(next http.Handler, w http.ResponseWriter, r *http.Request) {
	tee := &teeWriter{ResponseWriter: w, most: 1 << 20}
	next.ServeHTTP(tee, r)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answers = append(t.answers, spoken{r.Method + " " + r.URL.Path, tee.status, w.Header().Clone(), tee.body.String()})
}

// leaks looks for secrets where they do not belong: in the log, in answers and, once
// the service has stopped, on the disk.
func (w *world) leaks() []string {
	w.known.mu.Lock()
	defer w.known.mu.Unlock()
	found := map[string]bool{}
	leak := func(kind, format string, args ...any) { found[kind+" in "+fmt.Sprintf(format, args...)] = true }
	for line := range strings.SplitSeq(w.log.String(), "\n") {
		for kind, values := range w.known.values {
			for value := range values {
				if strings.Contains(line, value) {
					leak(kind, "the log: %s", line)
				}
			}
		}
	}
	if w.seen != nil {
		w.seen.mu.Lock()
		defer w.seen.mu.Unlock()
		for _, said := range w.seen.answers {
			w.leaksIn(said, leak)
		}
	}
	files, err := readFolder(w.dataDir)
	if err != nil || len(files) == 0 {
		leak("nothing to read", "%s: %v", w.dataDir, err)
	}
	for name, content := range files {
		for _, kind := range []string{"admin key", "app secret", "access token", "user ticket", "code", "state", "cookie"} {
			for value := range w.known.values[kind] {
				if bytes.Contains(content, []byte(value)) {
					leak(kind, "the file %s", name)
				}
			}
		}
		if bytes.Contains(content, []byte("PRIVATE")) {
			leak("private key", "the file %s", name)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func (w *world) leaksIn(said spoken, leak func(kind, format string, args ...any)) {
	for kind, values := range w.known.values {
		mayShow := kind == "phone" && (said.request == "GET /api/session" || strings.Contains(said.request, " /api/admin/users"))
		for value := range values {
			if !mayShow && strings.Contains(said.body, value) {
				leak(kind, "the body of %s (%d)", said.request, said.status)
			}
			for name, lines := range said.header {
				for _, line := range lines {
					switch {
					case !strings.Contains(line, value):
					case kind == "state" && name == "Location" && strings.HasPrefix(line, w.weURL+"/"):
					case kind == "cookie" && name == "Set-Cookie":
					default:
						leak(kind, "the header %s of %s (%d)", name, said.request, said.status)
					}
				}
			}
		}
	}
	// The company is named to those it concerns and to WeCom alone.
	for _, id := range []string{corpID, otherCorpID, agentID} {
		concerned := said.request == "GET /api/session" || strings.Contains(said.request, " /api/admin/")
		if !concerned && strings.Contains(said.body, id) {
			leak("id of the corp or its app", "the body of %s (%d)", said.request, said.status)
		}
	}
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}

func body(content string) io.ReadCloser { return io.NopCloser(strings.NewReader(content)) }
