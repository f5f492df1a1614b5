package main

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
)

// Every fixture is searched for leaks when its test ends; this is the proof that the
// search would find some.
func TestLeakSearchFindsLeaks(t *testing.T) {
	t.Parallel()
	const secret = "a-secret-value-0123456789"
	header := func(name, value string) http.Header { return http.Header{name: {value}} }
	for _, test := range []struct {
		name, kind, log, file string
		said                  spoken
		leaks                 bool
	}{
		{name: "nothing", kind: "app secret"},
		{name: "secret in a page", kind: "app secret", said: spoken{body: "<p>" + secret}, leaks: true},
		{name: "secret in the log", kind: "app secret", log: `{"cause":"Get https://qyapi/?corpsecret=` + secret + `"}`, leaks: true},
		{name: "secret in a file", kind: "app secret", file: secret, leaks: true},
		{name: "token in a header", kind: "access token", said: spoken{header: header("X-Debug", secret)}, leaks: true},
		{name: "code in the log", kind: "code", log: "code=" + secret, leaks: true},
		{name: "code in an address", kind: "code", said: spoken{header: header("Location", application+"/?code="+secret)}, leaks: true},
		{name: "state to WeCom", kind: "state", said: spoken{header: header("Location", "http://wecom.test/x?state="+secret)}},
		{name: "state to the application", kind: "state", said: spoken{header: header("Location", application+"/?state="+secret)}, leaks: true},
		{name: "cookie where it belongs", kind: "cookie", said: spoken{header: header("Set-Cookie", "a="+secret)}},
		{name: "cookie in an answer", kind: "cookie", said: spoken{body: secret}, leaks: true},
		{name: "cookie in a file", kind: "cookie", file: secret, leaks: true},
		{name: "phone in the session", kind: "phone", said: spoken{request: "GET /api/session", body: secret}},
		{name: "phone in a list of users", kind: "phone", said: spoken{request: "GET /api/admin/users", body: secret}},
		{name: "phone in an error", kind: "phone", said: spoken{request: "GET /signin", body: secret}, leaks: true},
		{name: "phone in the log", kind: "phone", log: secret, leaks: true},
		{name: "phone in the store", kind: "phone", file: secret},
		{name: "a receiver's key where it is made", kind: "receiver's token or key", said: spoken{request: "POST /api/admin/authenticators/main/events", body: secret}},
		{name: "a receiver's key later", kind: "receiver's token or key", said: spoken{request: "GET /api/admin/authenticators/main", body: secret}, leaks: true},
		{name: "corp in a public list", kind: "code", said: spoken{request: "GET /api/authenticators", body: corpID}, leaks: true},
		{name: "corp in the session", kind: "code", said: spoken{request: "GET /api/session", body: corpID}},
	} {
		f := &fixture{
			t: t, weURL: "http://wecom.test", log: &logBuffer{}, dataDir: t.TempDir(),
			known: &testbrowser.Confidential{}, seen: &transcript{answers: []spoken{test.said}},
		}
		f.known.Add(test.kind, secret)
		_, _ = fmt.Fprint(f.log, test.log)
		f.must(os.WriteFile(filepath.Join(f.dataDir, "store.db"), []byte("before"+test.file+"after"), 0o600))
		if got := f.leaks(); (len(got) > 0) != test.leaks {
			t.Errorf("%s: found %v", test.name, got)
		}
	}
}

// The search is worth something only if it knows what to look for.
func TestLeakSearchKnowsWhatToLookFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.signedIn("zhangsan")
	want := "access token, admin key, app secret, code, cookie, phone, state, user ticket"
	if got := strings.Join(f.known.Kinds(), ", "); got != want {
		t.Errorf("known: %s", got)
	}
	if len(f.seen.answers) == 0 || !strings.Contains(f.log.String(), `"function":"callback"`) || !strings.Contains(f.log.String(), `"function":"authorizer"`) {
		t.Error("answers or the log are not kept")
	}
}

func newSecrets() *testbrowser.Confidential {
	c := &testbrowser.Confidential{}
	c.Add("admin key", adminKey)
	c.Add("app secret", appSecret)
	c.Add("app secret", otherSecret)
	return c
}

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
	if t == nil {
		next.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	next.ServeHTTP(answer, r)
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answers = append(t.answers, spoken{r.Method + " " + r.URL.Path, answer.Code, answer.Header(), answer.Body.String()})
}

// leaks looks for secrets where they do not belong: in the log, in answers and, once
// the service has stopped, on the disk.
func (f *fixture) leaks() []string {
	found := map[string]bool{}
	leak := func(kind, format string, args ...any) { found[kind+" in "+fmt.Sprintf(format, args...)] = true }
	for line := range strings.Lines(f.log.String()) {
		for _, kind := range f.known.In(line) {
			leak(kind, "the log: %s", line)
		}
	}
	if f.seen != nil {
		f.seen.mu.Lock()
		defer f.seen.mu.Unlock()
		for _, said := range f.seen.answers {
			f.leaksIn(said, leak)
		}
	}
	files, err := readFolder(f.dataDir)
	if err != nil || len(files) == 0 {
		leak("nothing to read", "%s: %v", f.dataDir, err)
	}
	for name, content := range files {
		for _, kind := range f.known.In(string(content)) {
			if kind != "phone" { // the store is where phones belong
				leak(kind, "the file %s", name)
			}
		}
		if bytes.Contains(content, []byte("PRIVATE")) {
			leak("private key", "the file %s", name)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func (f *fixture) leaksIn(said spoken, leak func(kind, format string, args ...any)) {
	toApplication := strings.HasSuffix(said.request, " /oauth2/userinfo") || strings.HasSuffix(said.request, " /oauth2/introspect")
	toUser := said.request == "GET /api/session" || strings.Contains(said.request, " /api/admin/users") || toApplication || strings.HasSuffix(said.request, "/preview") ||
		said.request == "POST /api/admin/authenticators/main/lookup"
	for _, kind := range f.known.In(said.body) {
		token := kind == "application's token" && said.request == "POST /oauth2/token"
		receiver := kind == "receiver's token or key" && strings.HasSuffix(said.request, "/events") && strings.HasPrefix(said.request, "POST /api/admin/")
		if (kind != "phone" || !toUser) && !token && !receiver {
			leak(kind, "the body of %s (%d)", said.request, said.status)
		}
	}
	for name, lines := range said.header {
		for _, line := range lines {
			for _, kind := range f.known.In(line) {
				toWeCom := kind == "state" && name == "Location" && strings.HasPrefix(line, f.weURL+"/")
				toApplication := kind == "application's code" && name == "Location" && strings.HasPrefix(line, application+"/")
				if !toWeCom && !toApplication && (kind != "cookie" || name != "Set-Cookie") {
					leak(kind, "the header %s of %s (%d)", name, said.request, said.status)
				}
			}
		}
	}
	// The company is named to those it concerns and to WeCom alone.
	for _, id := range []string{corpID, otherCorpID, agentID} {
		concerned := said.request == "GET /api/session" || strings.Contains(said.request, " /api/admin/") || toApplication
		if !concerned && strings.Contains(said.body, id) {
			leak("id of the corp or its app", "the body of %s (%d)", said.request, said.status)
		}
	}
}
