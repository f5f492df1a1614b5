package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/teststack"
)

// Every world is searched for leaks when its test ends; this is the proof that the
// search would find some.
func TestLeakSearchFindsLeaks(t *testing.T) {
	t.Parallel()
	const secret = "a-secret-value-0123456789"
	header := func(name, value string) http.Header { return http.Header{name: {value}} }
	for _, test := range []struct {
		name, kind string
		said       spoken
		log        string
		file       string
		leaks      bool
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
		{name: "corp in a public list", kind: "code", said: spoken{request: "GET /api/authenticators", body: corpID}, leaks: true},
		{name: "corp in the session", kind: "code", said: spoken{request: "GET /api/session", body: corpID}},
	} {
		w := &world{
			t: t, weURL: "http://wecom.test", log: &teststack.Log{}, dataDir: t.TempDir(),
			known: &secrets{values: map[string]map[string]bool{}}, seen: &transcript{answers: []spoken{test.said}},
		}
		w.known.add(test.kind, secret)
		_, _ = fmt.Fprint(w.log, test.log)
		if err := os.WriteFile(filepath.Join(w.dataDir, "store.db"), []byte("before"+test.file+"after"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := w.leaks(); (len(got) > 0) != test.leaks {
			t.Errorf("%s: found %v", test.name, got)
		}
	}
}

// The search is worth something only if it knows what to look for.
func TestLeakSearchKnowsWhatToLookFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.inWeCom("zhangsan").signIn("/authorize/main")
	w.known.mu.Lock()
	defer w.known.mu.Unlock()
	var kinds []string
	for kind, values := range w.known.values {
		kinds = append(kinds, fmt.Sprintf("%s:%v", kind, len(values) > 0))
	}
	slices.Sort(kinds)
	want := "access token:true, admin key:true, app secret:true, code:true, cookie:true, phone:true, state:true, user ticket:true"
	if got := strings.Join(kinds, ", "); got != want {
		t.Errorf("known: %s", got)
	}
	if len(w.seen.answers) == 0 || !strings.Contains(w.log.String(), `"function":"callback"`) || !strings.Contains(w.log.String(), `"function":"authorizer"`) {
		t.Error("answers or the log are not kept")
	}
}
