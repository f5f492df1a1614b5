package main

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
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
	// mainName is the authenticator that every fixture begins with.
	mainName = "main"
)

// TestMain lets many tests run at once: they wait for WeCom more than they compute.
func TestMain(m *testing.M) {
	flag.Parse()
	const atOnce = 12
	if n, err := strconv.Atoi(flag.Lookup("test.parallel").Value.String()); err == nil && n < atOnce {
		_ = flag.Set("test.parallel", strconv.Itoa(atOnce))
	}
	os.Exit(m.Run())
}

// fixture is the whole service, real but for WeCom, and for its clock, which stands
// still until a test puts it forward: no test depends on the speed of the machine.
type fixture struct {
	t       *testing.T
	url     string // of the service
	weCom   *wecomsim.Simulator
	weURL   string
	apiURL  string // of WeCom's API, as the service has it
	log     *logBuffer
	dataDir string
	api     *testbrowser.Browser // of an administrator with the key
	started time.Time
	ahead   atomic.Int64 // of started, in nanoseconds
	handler atomic.Pointer[http.Handler]
	service *service
	known   *testbrowser.Confidential
	seen    *transcript // nil: none is kept
	// settings of the service, beside those of every fixture.
	settings map[string]string
}

type option func(*fixtureConfig)

type fixtureConfig struct {
	apiURL        string
	weCom         func(*wecomsim.Config)
	authenticator map[string]any // changes to the main one
	quiet         bool           // keeps no transcript
	settings      map[string]string
}

// weComDown is a WeCom whose API takes no connection.
func weComDown(c *fixtureConfig) { c.apiURL = "http://127.0.0.1:1" }

// quiet keeps no transcript: for very many requests.
func quiet(c *fixtureConfig) { c.quiet = true }

// with changes the main authenticator.
func with(field string, value any) option {
	return func(c *fixtureConfig) { c.authenticator[field] = value }
}

// set gives the service a setting.
func set(name settings.Name, value string) option {
	return func(c *fixtureConfig) { c.settings = map[string]string{string(name): value} }
}

// weComWhere changes the company.
func weComWhere(change func(*wecomsim.Config)) option {
	return func(c *fixtureConfig) { c.weCom = change }
}

// secondAppSecret is the secret of withSecondApp's app.
const secondAppSecret = "secret-of-the-second-app-0123456789abcdefgh"

// withSecondApp gives the company another app like the first one.
func withSecondApp(c *wecomsim.Config) {
	second := c.Corps[0].Apps[0]
	second.AgentID, second.Secret = "1000003", secondAppSecret
	c.Corps[0].Apps = append(c.Corps[0].Apps, second)
}

// addSecondApp connects the app of withSecondApp by an authenticator.
func (f *fixture) addSecondApp(name, workbenchRedirectPath string) {
	f.t.Helper()
	f.known.Add("app secret", secondAppSecret)
	f.mustAdmin(http.StatusCreated, http.MethodPost, "/authenticators", map[string]any{
		"name": name, "corpId": corpID, "agentId": "1000003", "secret": secondAppSecret, "origin": application, "workbenchRedirectPath": workbenchRedirectPath,
	})
}

// preparedData is the content of a DATA_DIR with its keys: making keys is slow.
var preparedData = sync.OnceValues(func() (map[string][]byte, error) {
	folder, err := os.MkdirTemp("", "journey")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	s, err := localSettingsFrom(map[string]string{"PUBLIC_URL": "http://localhost:1", "DATA_DIR": folder})
	if err != nil {
		return nil, err
	}
	s.AdminKey = secret.NewValue(adminKey)
	service, err := newService(context.Background(), s, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	if err := service.stop(context.Background()); err != nil {
		return nil, err
	}
	return readFolder(folder)
})

func localSettingsFrom(values map[string]string) (settings.Settings, error) {
	return settings.FromEnvironment(lookupIn(values), localSettings()...)
}

func lookupIn(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

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
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o600)); err != nil {
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
			ID:   otherCorpID,
			Apps: []wecomsim.App{{AgentID: "1000009", Secret: otherSecret, TrustedDomain: trustedDomain, CallbackDomain: trustedDomain, Fields: fields}},
			Members: []wecomsim.Member{
				{UserID: "san.zhang", Name: "Zhang San", Mobile: "+86 138 0000 0001"},
				{UserID: "elsewhere", Name: "Member Elsewhere", Mobile: "13900000009"},
			},
		},
	}}
}

func newFixture(t *testing.T, options ...option) *fixture {
	t.Helper()
	c := fixtureConfig{authenticator: map[string]any{}}
	for _, option := range options {
		option(&c)
	}
	f := &fixture{t: t, log: &logBuffer{}, known: newSecrets(), started: time.Now(), settings: c.settings}
	if !c.quiet {
		f.seen = &transcript{}
	}
	listener, err := listen(0)
	f.must(err)
	f.url = localURL(listener)
	simulated := company(hostOf(f.url))
	if c.weCom != nil {
		c.weCom(&simulated)
	}
	simulated.Now = f.now
	f.must(simulated.Validate())
	for _, corp := range simulated.Corps {
		for _, member := range corp.Members {
			f.known.Add("phone", strings.Map(onlyDigits, member.Mobile))
		}
	}
	f.weCom = wecomsim.New(simulated)
	weServer := httptest.NewServer(f.known.Listen(f.weCom))
	f.weURL, f.apiURL = weServer.URL, weServer.URL
	if c.apiURL != "" {
		f.apiURL = c.apiURL
	}
	prepared, err := preparedData()
	f.must(err)
	f.dataDir = writeFolder(t, prepared)
	f.start()
	server := &httptest.Server{Listener: listener, Config: &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.seen.record(*f.handler.Load(), w, r) }),
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}}
	server.Start()
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	f.api = testbrowser.New(testbrowser.Config{URL: f.url, Transport: transport})
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		weServer.CloseClientConnections()
		server.Close()
		weServer.Close()
		f.stop()
		for _, leak := range f.leaks() {
			t.Errorf("LEAK: %s", leak)
		}
	})
	fields := map[string]any{
		"name": mainName, "title": "企业微信", "corpId": corpID, "agentId": agentID, "secret": appSecret, "origin": application,
	}
	maps.Copy(fields, c.authenticator)
	f.mustAdmin(http.StatusCreated, http.MethodPost, "/authenticators", fields)
	return f
}

func onlyDigits(r rune) rune {
	if r < '0' || r > '9' {
		return -1
	}
	return r
}

// logBuffer keeps what is logged while others read it.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (f *fixture) now() time.Time { return f.started.Add(time.Duration(f.ahead.Load())) }

// wait puts every clock forward.
func (f *fixture) wait(d time.Duration) { f.ahead.Add(int64(d)) }

// start starts the service on its DATA_DIR.
func (f *fixture) start() {
	f.t.Helper()
	values := map[string]string{
		"PUBLIC_URL": f.url, "DATA_DIR": f.dataDir, "ADMIN_KEY": adminKey,
		"WECOM_API_URL": f.apiURL, "WECOM_OAUTH_URL": f.weURL, "WECOM_LOGIN_URL": f.weURL,
	}
	maps.Copy(values, f.settings)
	s, err := localSettingsFrom(values)
	f.must(err)
	logger := slog.New(slog.NewJSONHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f.service, err = newService(f.t.Context(), s, f.now, logger)
	f.must(err)
	var handler http.Handler = f.service.gateway
	f.handler.Store(&handler)
}

func (f *fixture) stop() {
	f.t.Helper()
	if err := f.service.stop(context.WithoutCancel(f.t.Context())); err != nil {
		f.t.Error(err)
	}
}

// restart stops the service in order and starts it again.
func (f *fixture) restart() {
	f.t.Helper()
	f.stop()
	f.start()
}

// crash goes on with what is on the disk at this moment, as after kill -9.
func (f *fixture) crash() {
	f.t.Helper()
	files, err := readFolder(f.dataDir)
	f.must(err)
	f.stop()
	f.dataDir = writeFolder(f.t, files)
	f.start()
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// admin calls the admin API with the admin key.
func (f *fixture) admin(method, path string, body any) testbrowser.Answer {
	f.t.Helper()
	return f.adminAs("Bearer "+adminKey, method, path, body)
}

func (f *fixture) adminAs(authorization, method, path string, body any) testbrowser.Answer {
	f.t.Helper()
	options := []testbrowser.Option{testbrowser.Header("Authorization", authorization)}
	if body != nil {
		options = append(options, testbrowser.JSON(body))
	}
	return f.api.Send(f.t, method, "/api/admin"+path, options...)
}

func (f *fixture) mustAdmin(status int, method, path string, body any) testbrowser.Answer {
	f.t.Helper()
	return f.mustAdminAs("Bearer "+adminKey, status, method, path, body)
}

func (f *fixture) mustAdminAs(authorization string, status int, method, path string, body any) testbrowser.Answer {
	f.t.Helper()
	a := f.adminAs(authorization, method, path, body)
	if a.Status != status {
		f.t.Fatalf("%s /api/admin%s: %d %s, want %d", method, path, a.Status, a.Body, status)
	}
	return a
}

// users returns all users, at most 200.
func (f *fixture) users() []userEntry {
	f.t.Helper()
	return testbrowser.Decode[struct{ Items []userEntry }](f.t, f.mustAdmin(http.StatusOK, http.MethodGet, "/users?limit=200", nil)).Items
}

func (f *fixture) wantUsers(n int) {
	f.t.Helper()
	if users := f.users(); len(users) != n {
		f.t.Errorf("%d users, want %d: %+v", len(users), n, users)
	}
}

// wantTokens checks how often gettoken was called.
func (f *fixture) wantTokens(n int) {
	f.t.Helper()
	if got := f.weCom.Calls(wecomsim.PathGetToken); got != n {
		f.t.Errorf("gettoken was called %d times, want %d", got, n)
	}
}

type userEntry struct {
	ID, Phone, Name string
	Identities      []struct{ CorpID, WeComUserID, Authenticator string }
}

const (
	sessionCookie = "__Host-wecom_session"
	attemptCookie = "__Host-wecom_attempt_"
)

// browser is a member's.
type browser struct {
	*testbrowser.Browser
	f *fixture
}

// inWeCom is a member's phone with WeCom.
func (f *fixture) inWeCom(userID string) *browser {
	return &browser{f: f, Browser: testbrowser.New(testbrowser.Config{
		URL: f.url, Transport: f.api.Transport, Now: f.now, WeCom: f.weCom, WeComURL: f.weURL,
		UserAgent: wecomsim.UserAgentWeComAndroid, Member: wecomsim.Browser{UserID: userID}, OnAnswer: f.learn,
	})}
}

// signedIn is a member's phone with WeCom after a sign-in.
func (f *fixture) signedIn(userID string) *browser {
	f.t.Helper()
	b := f.inWeCom(userID)
	b.signIn("/authorize/main")
	return b
}

// onDesktop is any other browser, with a member who scans the code.
func (f *fixture) onDesktop(userID string) *browser {
	b := f.inWeCom(userID)
	b.UserAgent = wecomsim.UserAgentBrowser
	return b
}

// learn remembers what an answer to a browser says that is confidential.
func (f *fixture) learn(a testbrowser.Answer) {
	for _, cookie := range (&http.Response{Header: a.Header}).Cookies() {
		if !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" || !strings.HasPrefix(cookie.Name, "__Host-") {
			f.t.Errorf("a browser would refuse, or scripts could read, the cookie %s", cookie.Name)
		}
	}
	f.known.AddCookies(a)
	if strings.HasPrefix(a.Location(), f.weURL) {
		f.known.Add("state", queryOf(a.Location()).Get("state"))
	}
}

// learnCallback remembers what WeCom put into the address of a callback.
func (f *fixture) learnCallback(address string) {
	f.known.Add("state", queryOf(address).Get("state"))
	f.known.Add("code", queryOf(address).Get("code"))
}

func queryOf(address string) url.Values {
	u, err := url.Parse(address)
	if err != nil {
		return url.Values{}
	}
	return u.Query()
}

func (b *browser) get(path string, options ...testbrowser.Option) testbrowser.Answer {
	b.f.t.Helper()
	return b.Send(b.f.t, http.MethodGet, path, options...)
}

func (b *browser) post(path string, options ...testbrowser.Option) testbrowser.Answer {
	b.f.t.Helper()
	return b.Send(b.f.t, http.MethodPost, path, options...)
}

func (b *browser) count(prefix string) int { return len(b.Cookies(prefix)) }

// atOnce sends requests at the same moment and keeps the cookies of all answers.
func (b *browser) atOnce(requests []*http.Request) []testbrowser.Answer {
	answers := make([]testbrowser.Answer, len(requests))
	var group sync.WaitGroup
	for i, r := range requests {
		group.Go(func() { answers[i], _ = b.Do(r) })
	}
	group.Wait()
	for _, a := range answers {
		b.Keep(a)
	}
	return answers
}

// callback opens a sign-in, stops at WeCom and returns the callback's address.
func (b *browser) callback(path string) string {
	b.f.t.Helper()
	address := b.Callback(b.f.t, path)
	b.f.learnCallback(address)
	return address
}

// atWeCom answers WeCom's pages and returns the callback's address.
func (b *browser) atWeCom(link string) string {
	b.f.t.Helper()
	address, err := b.Follow(b.f.t, link)
	b.f.must(err)
	b.f.learnCallback(address)
	return address
}

// clone is another browser with the same cookies.
func (b *browser) clone() *browser { return &browser{f: b.f, Browser: b.Clone()} }

// ending is where a journey came to its end.
type ending struct {
	testbrowser.Navigation
	failure url.Values // of the sign-in page
}

// open goes to an address and wherever it leads, through WeCom as well, until there
// is a page or the application begins.
func (b *browser) open(path string, options ...testbrowser.Option) ending {
	b.f.t.Helper()
	end := ending{Navigation: b.Open(b.f.t, path, options...)}
	// What came of the address itself; the address is the test's own.
	for _, a := range append(end.Redirects, end.Page)[1:] {
		b.f.learnCallback(a.URL)
	}
	at, ours := strings.CutPrefix(end.Address, b.f.url)
	if !ours && end.Address != application && !strings.HasPrefix(end.Address, application+"/") {
		b.f.t.Errorf("sent to a foreign address %s", end.Address)
	}
	if at == "/signin" || strings.HasPrefix(at, "/signin?") {
		end.failure = queryOf(end.Address)
	}
	return end
}

// signIn signs in and fails the test when that does not succeed.
func (b *browser) signIn(path string) ending {
	b.f.t.Helper()
	end := b.open(path)
	if !strings.HasPrefix(end.Address, application) {
		b.f.t.Fatalf("ended at %s %s %.200s", end.Address, end.WeComPage, end.Page.Body)
	}
	return end
}

// wantOpen opens an address, which must end at a target on the application after so many
// redirects to WeCom.
func (b *browser) wantOpen(path, target string, weCom int) {
	b.f.t.Helper()
	if end := b.open(path); end.Address != application+target || end.WeCom != weCom {
		b.f.t.Errorf("ended at %.80s after %d redirects to WeCom, want %.80s after %d", end.Address, end.WeCom, target, weCom)
	}
}

// wantError opens an address, which must end on the sign-in page with an error.
func (b *browser) wantError(path, code string) {
	b.f.t.Helper()
	if end := b.open(path); end.failure.Get("error") != code || end.failure.Get("authenticator") != mainName {
		b.f.t.Errorf("ended at %s, not with %s", end.Address, code)
	}
}

// sessionEntry is the answer of /api/session.
type sessionEntry struct {
	User struct {
		ID, Name, Phone, Avatar string
		Roles                   []string
	}
	Authenticator, CorpID, WeComUserID string
	SignedInAt, ExpiresAt              time.Time
}

// session returns who is signed in, or nil.
func (b *browser) session() *sessionEntry {
	b.f.t.Helper()
	a := b.get("/api/session")
	if a.Status == http.StatusUnauthorized {
		return nil
	}
	if a.Status != http.StatusOK {
		b.f.t.Fatalf("session: %d %s", a.Status, a.Body)
	}
	s := testbrowser.Decode[sessionEntry](b.f.t, a)
	return &s
}

// signedInAs returns the userid in WeCom of who is signed in, or empty.
func (b *browser) signedInAs() string {
	b.f.t.Helper()
	if s := b.session(); s != nil {
		return s.WeComUserID
	}
	return ""
}

// wantMember checks who is signed in, by their userid in WeCom; nobody is empty.
func (b *browser) wantMember(userID, what string) {
	b.f.t.Helper()
	if got := b.signedInAs(); got != userID {
		b.f.t.Errorf("%s: signed in as %q, want %q", what, got, userID)
	}
}

// token asks for an access token.
func (b *browser) token(options ...testbrowser.Option) string {
	b.f.t.Helper()
	return testbrowser.AccessToken(b.f.t, b.post("/api/token", options...))
}
