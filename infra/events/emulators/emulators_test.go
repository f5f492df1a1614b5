package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/shared/settings"
)

// The bridge may be reached by more than the functions' containers.
func TestSAMLocalContainersReachTwoServicesOnly(t *testing.T) {
	aws := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer aws.Close()
	handler := awsCalls(aws.URL)
	for name, test := range map[string]struct {
		method, path, target, origin string
		want                         int
	}{
		"Secrets Manager": {"POST", "/", "secretsmanager.GetSecretValue", "", 200},
		"DynamoDB":        {"POST", "/", "DynamoDB_20120810.GetItem", "", 200},
		"another service": {"POST", "/", "AWSLambda.Invoke", "", 403},
		"another path":    {"POST", "/2015-03-31/functions", "secretsmanager.GetSecretValue", "", 403},
		"a page":          {"POST", "/", "secretsmanager.GetSecretValue", "https://evil.example", 403},
		"a link":          {"GET", "/", "", "", 403},
	} {
		r := httptest.NewRequest(test.method, test.path, nil)
		r.Header.Set("X-Amz-Target", test.target)
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s: %d, want %d", name, w.Code, test.want)
		}
	}
}

// What containers reach of WeCom is its server API, and they count as this machine.
func TestSAMLocalContainersReachNoPageOfWeCom(t *testing.T) {
	var seen []string
	handler := weComAPI(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = append(seen, r.URL.Path+" from "+r.RemoteAddr) }))
	for _, path := range []string{"/cgi-bin/gettoken", "/wecomsim/console", "/connect/oauth2/authorize"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", path, nil))
	}
	if !slices.Equal(seen, []string{"/cgi-bin/gettoken from 127.0.0.1:1"}) {
		t.Errorf("reached %q", seen)
	}
}

// The values that the events hold are those of the demo records.
func TestSAMLocalEventsHoldNoOtherSecret(t *testing.T) {
	variables, err := readVariables("../env.json")
	must(t, err)
	known := map[string]string{
		`Bearer ([^"]+)`:                  demoAdminKey,
		`__Host-wecom_session=([^"]+)`:    demoSession + "." + demoUserID,
		`"ClientRequestToken": "([^"]+)"`: demoRotation,
		`"rawPath": "/(WW_verify_[^"]+)"`: demoFile,
		`"SecretId": "([^"]+)"`:           variables[settings.SigningKeysSecret],
	}
	found := map[string]bool{}
	for name := range functionsOfEvents(t, "..") {
		content, err := os.ReadFile("../" + name + ".json")
		must(t, err)
		for pattern, want := range known {
			for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(content), -1) {
				found[pattern] = true
				if match[1] != want && match[1] != "not-the-admin-key" {
					t.Errorf("%s holds %s", name, match[1])
				}
			}
		}
	}
	if len(found) != len(known) {
		t.Errorf("only these are in the events: %v", found)
	}
}

// functionsOfEvents reads from the folder's README which function each event is for.
func functionsOfEvents(t *testing.T, folder string) map[string]string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(folder, "README.md"))
	must(t, err)
	functions := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| `([A-Za-z]+Function)` \\|").FindAllStringSubmatch(string(readme), -1) {
		functions[row[1]] = row[2]
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	must(t, err)
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".json"); functions[name] == "" && name != "env" {
			t.Errorf("README.md does not list %s", name)
		}
	}
	if len(functions)+1 != len(files) {
		t.Errorf("README.md lists %d events, there are %d", len(functions), len(files)-1)
	}
	return functions
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
