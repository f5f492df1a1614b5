package e2e_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/infra/testbrowser"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/keys"
	"github.com/wecom-signin/wecom-signin/shared/store"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
)

// builtFunctions builds the functions of a sign-in, and the issuer, for this machine.
var builtFunctions = sync.OnceValues(func() (string, error) {
	folder, err := programFolder()
	for _, name := range []string{"authorize", "callback", "signin", "issuer"} {
		if err != nil {
			break
		}
		build := exec.CommandContext(context.Background(), "go", "build", "-tags", "lambda.norpc", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w",
			"-o", filepath.Join(folder, name), moduleRoot+"/functions/"+name+"/lambda")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		var output []byte
		if output, err = build.CombinedOutput(); err != nil {
			err = fmt.Errorf("go build: %w\n%s", err, output)
		}
	}
	return folder, err
})

// functionProcess is a built function behind a Runtime API of its own
// (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html). It takes one event
// at a time.
type functionProcess struct {
	process         *exec.Cmd
	events, answers chan []byte
}

// startFunction starts a program and waits until it asks for its first event.
func startFunction(t testing.TB, name string, environment map[string]string) *functionProcess {
	t.Helper()
	folder, err := builtFunctions()
	must(t, err)
	f := &functionProcess{events: make(chan []byte), answers: make(chan []byte)}
	ready := make(chan struct{})
	asks := sync.OnceFunc(func() { close(ready) })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost { // an answer, or why there is none
			answer, _ := io.ReadAll(r.Body)
			w.WriteHeader(http.StatusAccepted)
			f.answers <- answer
			return
		}
		asks()
		select {
		case event := <-f.events:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "request")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Minute).UnixMilli()))
			_, _ = w.Write(event)
		case <-r.Context().Done():
		}
	}))
	f.process = exec.CommandContext(t.Context(), filepath.Join(folder, name))
	f.process.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + server.Listener.Addr().String(), "AWS_LAMBDA_FUNCTION_NAME=" + name}
	for name, value := range environment {
		f.process.Env = append(f.process.Env, name+"="+value)
	}
	must(t, f.process.Start())
	t.Cleanup(func() {
		f.stop()
		server.CloseClientConnections()
		server.Close()
	})
	select {
	case <-ready:
	case answer := <-f.answers:
		t.Fatalf("%s does not start: %s", name, answer)
	case <-time.After(time.Minute):
		t.Fatalf("%s does not start", name)
	}
	return f
}

func (f *functionProcess) stop() {
	_ = f.process.Process.Kill()
	_ = f.process.Wait()
}

// ServeHTTP hands a request over as API Gateway does (payload format 2.0).
func (f *functionProcess) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	event := events.APIGatewayV2HTTPRequest{Version: "2.0", RawPath: r.URL.Path, RawQueryString: r.URL.RawQuery, Headers: map[string]string{}}
	for name := range r.Header {
		event.Headers[strings.ToLower(name)] = r.Header.Get(name)
	}
	event.Cookies = strings.Split(r.Header.Get("Cookie"), "; ")
	event.PathParameters = map[string]string{"authenticator": portal}
	event.RequestContext.HTTP.Method = r.Method
	payload, _ := json.Marshal(event) // of texts, it cannot fail
	var answer events.APIGatewayV2HTTPResponse
	f.events <- payload
	_ = json.Unmarshal(<-f.answers, &answer)
	for name, value := range answer.Headers {
		w.Header().Set(name, value)
	}
	w.Header()["Set-Cookie"] = answer.Cookies
	w.WriteHeader(cmp.Or(answer.StatusCode, http.StatusBadGateway))
	_, _ = io.WriteString(w, answer.Body)
}

// cloud is AWS on this machine with the functions of a sign-in: DynamoDB, and a
// stand-in for Secrets Manager, both counted.
type cloud struct {
	environment map[string]string
	functions   map[string]*functionProcess
	browser     *testbrowser.Browser

	mu              sync.Mutex
	secrets, tables int                // calls
	capacity        map[string]float64 // units, by "read" or "write"
}

// startCloud starts it with an authenticator and so many users who have signed in.
func startCloud(t testing.TB, users int) *cloud {
	t.Helper()
	serve := func(handler http.Handler) string {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		return server.URL
	}
	c := &cloud{capacity: map[string]float64{}, functions: map[string]*functionProcess{}}
	server := dynamotest.Start(t)
	names := server.CreateTables(t)
	set, err := keys.Generate(time.Now())
	must(t, err)
	signing, err := set.Encode()
	must(t, err)
	document, err := keys.Public(set)
	must(t, err)
	now := time.Now().UTC()
	a := store.Authenticator{
		ID: store.NewID(), Name: portal, Enabled: true, CorpID: corpID, AgentID: agentID, SecretVersion: strings.Repeat("1", 32), Origin: application,
		WorkbenchRedirectPath: "/", AutoSignup: true, Generation: store.NewID(), CreatedAt: now, UpdatedAt: now, Version: 1,
	}
	engine, err := dynamo.New(dynamo.Config{Client: server.Client, DirectoryTable: names.Directory, TransientTable: names.Transient})
	must(t, err)
	must(t, engine.CreateAuthenticator(t.Context(), a))
	must(t, engine.PutPublicKeys(t.Context(), store.PublicKeys{Document: document, UpdatedAt: now}))
	fillUsers(t, engine, users, 8)
	const public = "http://localhost:8"
	weCom := benchCompany(users, "localhost:8")
	weComURL := serve(weCom)
	c.environment = map[string]string{
		"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_ENDPOINT_URL_DYNAMODB": serve(c.dynamoDB(server.Endpoint)),
		"AWS_ENDPOINT_URL_SECRETS_MANAGER": serve(c.secretsManager(map[string]string{
			"signing-keys": signing, "sealing-keys": `{"current":"a sealing secret of more than 32 characters"}`, "authenticators/" + a.ID: appSecret,
		})),
		"PUBLIC_URL": public, "WECOM_API_URL": weComURL, "WECOM_OAUTH_URL": weComURL, "WECOM_LOGIN_URL": weComURL,
		"DIRECTORY_TABLE": names.Directory, "TRANSIENT_TABLE": names.Transient,
		"SIGNING_KEYS_SECRET": "signing-keys", "SEALING_KEYS_SECRET": "sealing-keys", "AUTHENTICATOR_SECRET_PREFIX": "authenticators/",
	}
	mux := http.NewServeMux()
	for name, pattern := range map[string]string{"authorize": "/authorize/", "callback": "/callback/", "signin": "/"} {
		c.functions[name] = startFunction(t, name, c.environment)
		mux.Handle(pattern, c.functions[name])
	}
	c.browser = testbrowser.New(testbrowser.Config{
		URL: public, Transport: testbrowser.Handler(mux), WeCom: weCom, WeComURL: weComURL, UserAgent: wecomsim.UserAgentWeComAndroid,
	})
	return c
}

// secretsManager answers GetSecretValue from a fixed set.
func (c *cloud) secretsManager(values map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.secrets++
		c.mu.Unlock()
		var asked struct{ SecretId, VersionId string } //nolint:staticcheck // AWS's own spelling
		_ = json.NewDecoder(r.Body).Decode(&asked)
		_ = json.NewEncoder(w).Encode(map[string]string{"Name": asked.SecretId, "SecretString": values[asked.SecretId], "VersionId": asked.VersionId})
	}
}

var (
	readOperation = regexp.MustCompile(`\.(Query|GetItem|BatchGetItem)$`)
	capacityUnits = regexp.MustCompile(`"CapacityUnits":([0-9.]+)`)
)

// dynamoDB passes requests on, and asks what each of them consumes.
func (c *cloud) dynamoDB(endpoint string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var asked map[string]any
		_ = json.NewDecoder(r.Body).Decode(&asked)
		asked["ReturnConsumedCapacity"] = "TOTAL"
		encoded, _ := json.Marshal(asked) // it was JSON
		next, err := http.NewRequestWithContext(r.Context(), http.MethodPost, endpoint, bytes.NewReader(encoded))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		next.Header = r.Header.Clone()
		response, err := http.DefaultTransport.RoundTrip(next)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		kind := map[bool]string{true: "read", false: "write"}[readOperation.MatchString(r.Header.Get("X-Amz-Target"))]
		c.mu.Lock()
		c.tables++
		for _, found := range capacityUnits.FindAllSubmatch(body, -1) {
			var units float64
			_, _ = fmt.Sscan(string(found[1]), &units)
			c.capacity[kind] += units
		}
		c.mu.Unlock()
		maps.Copy(w.Header(), response.Header)
		w.WriteHeader(response.StatusCode)
		_, _ = w.Write(body)
	}
}

// used is what has left the functions since it was last asked, as a row of the table.
func (c *cloud) used(operation string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	row := fmt.Sprintf("| %s | %d | %d | %d | %.1f | %.1f |", operation, c.browser.WeCom.Calls(), c.secrets, c.tables, c.capacity["read"], c.capacity["write"])
	c.browser.WeCom.ResetCalls()
	c.secrets, c.tables = 0, 0
	clear(c.capacity)
	return row
}

// What leaves the functions for each operation is what docs/benchmarks.md says.
func TestRemoteCallsAreAsDocumented(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile(moduleRoot + "/docs/benchmarks.md")
	must(t, err)
	c := startCloud(t, 10)
	b := c.browser
	c.used("start")
	callback := ""
	member := func(userID string) { b.Forget(""); b.Member.UserID = userID }
	for _, step := range []struct {
		operation string
		do        func()
	}{
		{"first sign-in ever, cold", func() { member("newcomer1"); b.Open(t, "/authorize/"+portal) }},
		{"first sign-in ever", func() { member("newcomer2"); b.Open(t, "/authorize/"+portal) }},
		{"returning sign-in: authorize", func() { member(benchMember(1)); callback = b.Callback(t, "/authorize/"+portal) }},
		{"returning sign-in: callback", func() { b.Expect(t, 302, "GET", callback) }},
		{"session check, cold", func() { b.Expect(t, 200, "GET", "/api/session") }},
		{"session check", func() { b.Expect(t, 200, "GET", "/api/session") }},
		{"token, cold", func() { b.Expect(t, 200, "POST", "/api/token") }},
		{"token", func() { b.Expect(t, 200, "POST", "/api/token") }},
		{"sign-out", func() { b.Expect(t, 204, "POST", "/api/signout") }},
	} {
		step.do()
		if row := c.used(step.operation); !slices.Contains(strings.Split(string(document), "\n"), row) {
			t.Errorf("docs/benchmarks.md does not say\n%s", row)
		}
	}
}
