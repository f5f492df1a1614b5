package permissions_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
	"github.com/wecom-signin/wecom-signin/infra/local/gateway"
	"github.com/wecom-signin/wecom-signin/infra/local/lambdaruntime"
	"github.com/wecom-signin/wecom-signin/infra/permissions"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
)

const (
	moduleRoot  = "../.."
	stackName   = "signin-permissions"
	region      = "eu-central-1"
	account     = "111122223333"
	adminKey    = "key-of-the-administrator-0123456789abcdefghijklm"
	application = "http://localhost:3999"
)

// world is the deployed service, every function with a recorder between it and AWS.
type world struct {
	t         *testing.T
	url       string
	weCom     *wecomsim.Simulator
	weURL     string
	secrets   *secrets
	physical  map[string]string // of tables and secrets, by logical id: what Ref gives
	functions map[string]*lambdaruntime.Function
	recorders map[string]*permissions.Recorder
	log       *lockedBuffer
}

// lockedBuffer takes what several processes write at once.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns the last lines.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := slices.Collect(strings.Lines(b.text.String()))
	return strings.Join(lines[max(0, len(lines)-5):], "")
}

// evaluate works out template.yaml with the tables and secrets that there are.
func evaluate(t *testing.T, parameters, physical map[string]string) *cloudformation.Stack {
	t.Helper()
	template, err := cloudformation.ReadFile(filepath.Join(moduleRoot, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	stack, err := template.Evaluate(values(parameters, physical))
	if err != nil {
		t.Fatal(err)
	}
	return stack
}

func values(parameters, physical map[string]string) cloudformation.Values {
	return cloudformation.Values{
		Parameters: parameters,
		Pseudo:     map[string]string{"AWS::StackName": stackName, "AWS::Region": region, "AWS::AccountId": account},
		Ref: func(id string) (string, error) {
			if made, ok := physical[id]; ok {
				return made, nil
			}
			return "", cloudformation.ErrSample
		},
		Attribute: func(id, attribute string) (string, error) {
			if made, ok := physical[id]; ok && strings.HasSuffix(id, "Table") && attribute == "Arn" {
				return tableARN(made), nil
			}
			return "", cloudformation.ErrSample
		},
	}
}

func tableARN(name string) string {
	return "arn:aws:dynamodb:" + region + ":" + account + ":table/" + name
}

// missing skips a test whose prerequisite is not there; where CI is set that is a
// failure.
func missing(t *testing.T, suite, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s: %s", suite, reason)
	}
	t.Skipf("SKIP %s: %s", suite, reason)
}

// deploy starts the service.
func deploy(t *testing.T, weCom *wecomsim.Simulator) *world {
	t.Helper()
	database := dynamotest.Start(t)
	programs := build(t)
	tables := database.CreateTables(t)
	w := &world{
		t: t, weCom: weCom, weURL: weCom.Start(t), secrets: startSecrets(t), log: &lockedBuffer{},
		functions: map[string]*lambdaruntime.Function{}, recorders: map[string]*permissions.Recorder{},
		physical: map[string]string{"DirectoryTable": tables.Directory, "TransientTable": tables.Transient},
	}
	for id, value := range map[string]string{"AdminKey": adminKey, "SealingKeys": `{"current":"` + strings.Repeat("s", 64) + `"}`, "SigningKeys": "{}"} {
		w.secrets.put(stackName+"-"+id, "the-first-version", value, "AWSCURRENT")
		w.physical[id] = w.secrets.arn(stackName + "-" + id)
	}
	stack := evaluate(t, nil, w.physical)
	content, err := os.Open(filepath.Join(moduleRoot, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = content.Close() }()
	template, err := gateway.ReadTemplate(content)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w.url = "http://localhost:" + port
	for id, function := range template.Functions {
		w.startFunction(id, function, stack.Resources[id], filepath.Join(programs, filepath.Base(filepath.Dir(function.CodeURI)), "bootstrap"), database.Endpoint)
	}
	wiring := gateway.Config{Template: template, Functions: map[string]gateway.Function{}, Authorizers: map[string]gateway.Authorizer{}}
	for _, route := range template.Routes {
		wiring.Functions[route.Function] = w.functions[route.Function].HTTP()
	}
	for _, authorizer := range template.Authorizers {
		wiring.Authorizers[authorizer.Function] = w.functions[authorizer.Function].Authorizer()
	}
	if front.Config.Handler, err = gateway.New(wiring); err != nil {
		t.Fatal(err)
	}
	front.Start()
	t.Cleanup(front.Close)
	return w
}

// startFunction starts a function with the variables of the template, and a recorder
// of its own where it looks for AWS.
func (w *world) startFunction(id string, function gateway.FunctionSpec, resource cloudformation.Resource, program, database string) {
	w.t.Helper()
	recorder, err := permissions.NewRecorder(permissions.RecorderConfig{
		DynamoDB: database, SecretsManager: w.secrets.url, Partition: "aws", Region: region, Account: account,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	listener := httptest.NewServer(recorder)
	w.t.Cleanup(listener.Close)
	environment := map[string]string{
		"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_EXECUTION_ENV": "AWS_Lambda_provided.al2023",
		"AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "test",
		"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_ENDPOINT_URL_DYNAMODB": listener.URL, "AWS_ENDPOINT_URL_SECRETS_MANAGER": listener.URL,
	}
	declared, _ := resource.Properties["Environment"].(map[string]any)
	variables, _ := declared["Variables"].(map[string]any)
	for name, value := range variables {
		environment[name] = fmt.Sprint(value)
	}
	// Addresses on loopback, which the template would not take.
	for name, address := range map[string]string{
		"PUBLIC_URL": w.url, "WECOM_API_URL": w.weURL, "WECOM_OAUTH_URL": w.weURL, "WECOM_LOGIN_URL": w.weURL,
	} {
		if _, ok := environment[name]; ok {
			environment[name] = address
		}
	}
	w.recorders[id] = recorder
	w.functions[id], err = lambdaruntime.New(lambdaruntime.Config{
		Path: program, Name: id, Environment: environment, Timeout: function.Timeout, Log: w.log,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.functions[id].Close)
}

// build makes the programs with the Makefile's own command, for this machine.
func build(t *testing.T) string {
	t.Helper()
	processor := map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
	if _, err := exec.LookPath("make"); err != nil || processor == "" || runtime.GOOS != "linux" {
		missing(t, "calls of built functions", "they are built by make and run on Linux")
	}
	folder := t.TempDir()
	command := exec.CommandContext(t.Context(), "make", "--silent", "build", "ARCH="+processor, "BUILD="+folder)
	command.Dir = moduleRoot
	for _, variable := range os.Environ() {
		// Below another make this one would wait for its job server.
		if !strings.HasPrefix(variable, "MAKE") && !strings.HasPrefix(variable, "MFLAGS=") {
			command.Env = append(command.Env, variable)
		}
	}
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("make build: %v\n%s", err, output)
	}
	return folder
}

// visitor is somebody with a browser.
type visitor struct {
	*world
	userAgent string
	userID    string
	denies    bool   // what WeCom asks
	origin    string // of the page that asks
	cookies   map[string]string
}

func (w *world) visitor(userID, userAgent string) *visitor {
	return &visitor{world: w, userAgent: userAgent, userID: userID, cookies: map[string]string{}}
}

type answer struct {
	location string
	body     []byte
}

// send makes a request to the service and keeps the cookies of the answer. The status
// must be the one that is wanted: a journey that went another way proves nothing.
func (v *visitor) send(status int, method, address, authorization string, body any) answer {
	v.t.Helper()
	var content io.Reader = http.NoBody
	kind := "application/json"
	switch body := body.(type) {
	case nil:
	case string:
		content, kind = strings.NewReader(body), "text/csv"
	default:
		encoded, err := json.Marshal(body)
		if err != nil {
			v.t.Fatal(err)
		}
		content = bytes.NewReader(encoded)
	}
	if strings.HasPrefix(address, "/") {
		address = v.url + address
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, address, content)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("User-Agent", v.userAgent)
	if v.origin != "" {
		r.Header.Set("Origin", v.origin)
	}
	if body != nil {
		r.Header.Set("Content-Type", kind)
	}
	if authorization != "" {
		r.Header.Set("Authorization", "Bearer "+authorization)
	}
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, cookie := range response.Cookies() {
		v.cookies[cookie.Name] = cookie.Value
		if cookie.MaxAge < 0 {
			delete(v.cookies, cookie.Name)
		}
	}
	if response.StatusCode != status {
		v.t.Fatalf("%s %s: %d %s, want %d\n%s", method, address, response.StatusCode, read, status, v.log)
	}
	return answer{response.Header.Get("Location"), read}
}

// signIn opens an address and goes wherever it leads, through WeCom as well, until it
// ends at the application or at the sign-in page. It returns the callback opened last,
// and the cookies that it was opened with.
func (v *visitor) signIn(address, end string) (callback string, cookies map[string]string) {
	v.t.Helper()
	for range 5 {
		cookies, callback = maps.Clone(v.cookies), address
		next := v.send(302, "GET", address, "", nil).location
		if !strings.HasPrefix(next, v.weURL) {
			if !strings.Contains(next, end) {
				v.t.Fatalf("the sign-in of %s ended at %s, want %s\n%s", v.userID, next, end, v.log)
			}
			return callback, cookies
		}
		var err error
		address, err = v.weCom.Follow(v.t.Context(), next, wecomsim.Visitor{UserID: v.userID, UserAgent: v.userAgent, Deny: v.denies})
		if err != nil {
			v.t.Fatal(err)
		}
	}
	v.t.Fatalf("the sign-in of %s goes round and round", v.userID)
	return "", nil
}

// decode reads JSON.
func decode[T any](t *testing.T, a answer) (value T) {
	t.Helper()
	if err := json.Unmarshal(a.body, &value); err != nil {
		t.Fatalf("%v in %s", err, a.body)
	}
	return value
}

// beginRotation makes the version that is rotated to, which has no value yet.
func (w *world) beginRotation(version string) {
	w.secrets.put(stackName+"-SigningKeys", version, "", "AWSPENDING")
}

// rotate calls the function as Secrets Manager does, step by step.
func (w *world) rotate(version string, steps ...string) {
	w.t.Helper()
	for _, step := range steps {
		event, err := json.Marshal(events.SecretsManagerSecretRotationEvent{Step: step, SecretID: w.physical["SigningKeys"], ClientRequestToken: version})
		if err != nil {
			w.t.Fatal(err)
		}
		if _, err := w.functions["RotateKeysFunction"].Invoke(w.t.Context(), event); err != nil {
			w.t.Fatalf("%s: %v\n%s", step, err, w.log)
		}
	}
}
