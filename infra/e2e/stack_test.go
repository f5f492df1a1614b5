package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
	"github.com/wecom-signin/wecom-signin/infra/local/gateway"
	"github.com/wecom-signin/wecom-signin/infra/local/lambdaruntime"
	"github.com/wecom-signin/wecom-signin/infra/permissions"
	"github.com/wecom-signin/wecom-signin/infra/wecomsim"
	"github.com/wecom-signin/wecom-signin/shared/secret/secretsmanager/secretsmanagertest"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
)

const (
	moduleRoot = "../.."
	stackName  = "signin-e2e"
	region     = "eu-central-1"
	account    = "111122223333"
)

// stack is the service as `sam deploy` would make it: the built programs, tables,
// generated secrets, and an address in front.
type stack struct {
	t       *testing.T
	url     string
	secrets *secretsmanager.Client
	// resources are the physical names of the template's tables and secrets.
	resources map[string]string
	functions map[string]*lambdaruntime.Function
	// logs by logical id: what the functions print.
	logs map[string]*lockedBuffer
	// generated are the values that the stack made for its secrets.
	generated map[string]string
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

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// deploy makes the stack, with parameters in place of the template's defaults.
// The parameter PublicUrl is the stack's own address.
func deploy(t *testing.T, parameters map[string]string) *stack {
	t.Helper()
	database := dynamotest.Start(t)
	s := &stack{
		t: t, secrets: secretsmanagertest.Start(t), generated: map[string]string{},
		functions: map[string]*lambdaruntime.Function{}, logs: map[string]*lockedBuffer{},
	}
	programs := build(t)
	content, err := os.ReadFile(filepath.Join(moduleRoot, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	template, err := gateway.ReadTemplate(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	tables := database.CreateTables(t)
	s.resources = map[string]string{"DirectoryTable": tables.Directory, "TransientTable": tables.Transient}
	secretsManager := keepFirstVersions(t, aws.ToString(s.secrets.Options().BaseEndpoint))
	front := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://localhost:" + port
	given := map[string]string{"PublicUrl": s.url}
	maps.Copy(given, parameters)
	made := s.evaluate(content, given)
	roles, faults := permissions.Roles(made)
	for _, fault := range faults {
		t.Error(fault)
	}
	t.Cleanup(s.close)
	for id, function := range template.Functions {
		s.logs[id] = &lockedBuffer{}
		endpoint := s.guard(id, roles[id], database.Endpoint, secretsManager)
		environment := map[string]string{
			// Lambda's own.
			"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "AWS_EXECUTION_ENV": "AWS_Lambda_provided.al2023",
			"AWS_ACCESS_KEY_ID": "111122223333", "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "test",
			"AWS_LAMBDA_LOG_FORMAT": "JSON", "LANG": "en_US.UTF-8", "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
			// Where the emulators are: nothing in the template names them.
			"AWS_ENDPOINT_URL_DYNAMODB":        endpoint,
			"AWS_ENDPOINT_URL_SECRETS_MANAGER": endpoint,
		}
		declared, _ := made.Resources[id].Properties["Environment"].(map[string]any)
		variables, _ := declared["Variables"].(map[string]any)
		for name, value := range variables {
			environment[name] = fmt.Sprint(value)
		}
		if len(environment) != 11+len(function.Environment) {
			t.Fatalf("%s: the template declares %v", id, function.Environment)
		}
		s.functions[id], err = lambdaruntime.New(lambdaruntime.Config{
			Path: filepath.Join(programs, path.Base(path.Dir(function.CodeURI)), "bootstrap"), Name: stackName + "-" + id,
			Environment: environment, Timeout: function.Timeout, Log: s.logs[id],
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	wiring := gateway.Config{Template: template, Functions: map[string]gateway.Function{}, Authorizers: map[string]gateway.Authorizer{}}
	for _, route := range template.Routes {
		wiring.Functions[route.Function] = s.functions[route.Function].HTTP()
	}
	for _, authorizer := range template.Authorizers {
		wiring.Authorizers[authorizer.Function] = s.functions[authorizer.Function].Authorizer()
	}
	front.Config.Handler, err = gateway.New(wiring)
	if err != nil {
		t.Fatal(err)
	}
	front.Start()
	t.Cleanup(front.Close)
	return s
}

// guard stands between a function and AWS as IAM does: what its role does not allow is
// refused, and fails the test.
func (s *stack) guard(id string, role permissions.Role, database, secretsManager string) (endpoint string) {
	s.t.Helper()
	recorder, err := permissions.NewRecorder(permissions.RecorderConfig{
		DynamoDB: database, SecretsManager: secretsManager, Partition: "aws", Region: region, Account: account, Allows: role.Allows,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	server := httptest.NewServer(recorder)
	s.t.Cleanup(func() {
		server.Close()
		if _, err := recorder.Calls(); err != nil {
			s.t.Errorf("%s: %v", id, err)
		}
	})
	return server.URL
}

// close ends the processes; then the logs are complete.
func (s *stack) close() {
	for _, function := range s.functions {
		function.Close()
	}
}

// build makes the programs with the Makefile's own command, for this machine.
func build(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("make"); err != nil || processor() == "" || runtime.GOOS != "linux" {
		missing(t, "built functions", "they are built by make and run on Linux")
	}
	folder, err := functionPrograms()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// processor is Lambda's name of this machine's.
func processor() string {
	return map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]
}

var functionPrograms = sync.OnceValues(func() (string, error) {
	folder, err := programFolder()
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(context.Background(), "make", "--silent", "build", "ARCH="+processor(), "BUILD="+folder)
	command.Dir = moduleRoot
	for _, variable := range os.Environ() {
		// Below another make this one would wait for its job server.
		if !strings.HasPrefix(variable, "MAKE") && !strings.HasPrefix(variable, "MFLAGS=") {
			command.Env = append(command.Env, variable)
		}
	}
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make build: %w\n%s", err, output)
	}
	return folder, nil
})

// missing skips a test whose prerequisite is not there; where CI is set that is a
// failure.
func missing(t testing.TB, suite, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf("%s: %s", suite, reason)
	}
	t.Skipf("SKIP %s: %s", suite, reason)
}

// evaluate works out the template, with parameters in place of its defaults, and makes
// its secrets on the way. The template takes https alone and this machine has http, so
// an address travels under a name of its own and is put in its place at the end.
func (s *stack) evaluate(content []byte, parameters map[string]string) *cloudformation.Stack {
	s.t.Helper()
	template, err := cloudformation.Read(bytes.NewReader(content))
	if err != nil {
		s.t.Fatal(err)
	}
	values := cloudformation.Values{
		Parameters: map[string]string{}, Pseudo: map[string]string{"AWS::StackName": stackName, "AWS::Region": region, "AWS::AccountId": account},
	}
	var addresses []string
	for name, value := range parameters {
		if strings.HasPrefix(value, "http://") {
			travelling := "https://" + strings.ToLower(name) + ".invalid"
			addresses = append(addresses, travelling, value)
			value = travelling
		}
		values.Parameters[name] = value
	}
	before, err := template.Evaluate(values)
	if err != nil {
		s.t.Fatal(err)
	}
	for id, resource := range before.Resources {
		if resource.Type == "AWS::SecretsManager::Secret" {
			s.resources[id] = s.createSecret(id, resource.Properties)
		}
	}
	values.Ref = func(id string) (string, error) {
		if made, ok := s.resources[id]; ok {
			return made, nil
		}
		return "", cloudformation.ErrSample
	}
	values.Attribute = func(id, attribute string) (string, error) {
		if table, ok := s.resources[id]; ok && attribute == "Arn" {
			return "arn:aws:dynamodb:" + region + ":" + account + ":table/" + table, nil
		}
		return "", cloudformation.ErrSample
	}
	after, err := template.Evaluate(values)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, resource := range after.Resources {
		environment, _ := resource.Properties["Environment"].(map[string]any)
		variables, _ := environment["Variables"].(map[string]any)
		for name, value := range variables {
			variables[name] = strings.NewReplacer(addresses...).Replace(fmt.Sprint(value))
		}
	}
	return after
}

// createSecret makes a secret as CloudFormation does and returns its ARN, which is
// what !Ref gives.
func (s *stack) createSecret(id string, properties map[string]any) string {
	s.t.Helper()
	value, _ := properties["SecretString"].(string)
	if properties["GenerateSecretString"] != nil {
		var generate generatedSecret
		encoded, err := json.Marshal(properties["GenerateSecretString"])
		if err == nil {
			err = json.Unmarshal(encoded, &generate)
		}
		if err != nil {
			s.t.Fatal(err)
		}
		value = s.generate(id, generate)
	}
	created, err := s.secrets.CreateSecret(s.t.Context(), &secretsmanager.CreateSecretInput{
		Name: aws.String(fmt.Sprintf("%s-%s", id, stackName)), SecretString: &value,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return aws.ToString(created.ARN)
}

// generatedSecret is GenerateSecretString of a secret.
type generatedSecret struct {
	PasswordLength       int64
	ExcludePunctuation   bool
	SecretStringTemplate string
	GenerateStringKey    string
}

func (s *stack) generate(id string, generate generatedSecret) string {
	s.t.Helper()
	password, err := s.secrets.GetRandomPassword(s.t.Context(), &secretsmanager.GetRandomPasswordInput{
		PasswordLength: &generate.PasswordLength, ExcludePunctuation: &generate.ExcludePunctuation,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	value := aws.ToString(password.RandomPassword)
	s.generated[id] = value
	if generate.GenerateStringKey == "" {
		return value
	}
	object := map[string]string{}
	if err := json.Unmarshal([]byte(generate.SecretStringTemplate), &object); err != nil {
		s.t.Fatal(err)
	}
	object[generate.GenerateStringKey] = value
	encoded, err := json.Marshal(object)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(encoded)
}

// keepFirstVersions stands in front of ministack, which names the first version of a
// secret itself; AWS takes the request's token (ClientRequestToken of CreateSecret).
func keepFirstVersions(t *testing.T, emulator string) string {
	t.Helper()
	const target = "X-Amz-Target"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		send := func(header http.Header, body []byte) *http.Response {
			request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, emulator, bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return nil
			}
			request.Header = header
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Error(err)
				return nil
			}
			return response
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		response := send(r.Header, body)
		if response == nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode == http.StatusOK && r.Header.Get(target) == "secretsmanager.CreateSecret" {
			var asked struct{ Name, ClientRequestToken, SecretString string }
			if err := json.Unmarshal(body, &asked); err != nil {
				t.Error(err)
			}
			put, err := json.Marshal(map[string]string{
				"SecretId": asked.Name, "ClientRequestToken": asked.ClientRequestToken, "SecretString": asked.SecretString,
			})
			if err != nil {
				t.Error(err)
			}
			header := r.Header.Clone()
			header.Set(target, "secretsmanager.PutSecretValue")
			if second := send(header, put); second != nil {
				_ = second.Body.Close()
			}
		}
		maps.Copy(w.Header(), response.Header)
		w.WriteHeader(response.StatusCode)
		_, _ = io.Copy(w, response.Body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// rotate does what Secrets Manager does to rotate the signing keys.
func (s *stack) rotate(token string) {
	s.t.Helper()
	id := s.resources["SigningKeys"]
	// The emulator does not begin a rotation by itself: a version without a value.
	if _, err := s.secrets.PutSecretValue(s.t.Context(), &secretsmanager.PutSecretValueInput{
		SecretId: &id, ClientRequestToken: &token, SecretString: aws.String("{}"), VersionStages: []string{"AWSPENDING"},
	}); err != nil {
		s.t.Fatal(err)
	}
	for _, step := range []string{"createSecret", "setSecret", "testSecret", "finishSecret"} {
		event, err := json.Marshal(events.SecretsManagerSecretRotationEvent{Step: step, SecretID: id, ClientRequestToken: token})
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := s.functions["RotateKeysFunction"].Invoke(s.t.Context(), event); err != nil {
			s.t.Fatalf("%s: %v\n%s", step, err, s.logs["RotateKeysFunction"])
		}
	}
}

// authenticatorSecrets returns the values of the secrets that belong to
// authenticators.
func (s *stack) authenticatorSecrets() []string {
	s.t.Helper()
	list, err := s.secrets.ListSecrets(s.t.Context(), &secretsmanager.ListSecretsInput{})
	if err != nil {
		s.t.Fatal(err)
	}
	var values []string
	for _, entry := range list.SecretList {
		if !strings.HasPrefix(aws.ToString(entry.Name), stackName+"/authenticators/") {
			continue
		}
		value, err := s.secrets.GetSecretValue(s.t.Context(), &secretsmanager.GetSecretValueInput{SecretId: entry.ARN})
		if err != nil {
			s.t.Fatal(err)
		}
		values = append(values, aws.ToString(value.SecretString))
	}
	return values
}

// confidential is what must not be logged.
type confidential struct {
	mu     sync.Mutex
	values map[string]string // to their kind
}

func (c *confidential) add(kind, value string) {
	if len(value) < 8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values == nil {
		c.values = map[string]string{}
	}
	c.values[value] = kind
}

// listen reads along what the service and WeCom tell each other.
func (c *confidential) listen(weCom http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"code", "access_token", "corpsecret"} {
			c.add(name, r.URL.Query().Get(name))
		}
		answer := httptest.NewRecorder()
		weCom.ServeHTTP(answer, r)
		var said struct {
			Token  string `json:"access_token"`
			Ticket string `json:"user_ticket"`
		}
		if json.Unmarshal(answer.Body.Bytes(), &said) == nil {
			c.add("access_token", said.Token)
			c.add("user_ticket", said.Ticket)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// findIn returns the kinds of what a log shows.
func (c *confidential) findIn(log string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []string
	for value, kind := range c.values {
		if strings.Contains(log, value) {
			found = append(found, kind)
		}
	}
	return found
}

// startWeCom starts a company whose app trusts a domain that is known later.
func startWeCom(t *testing.T, known *confidential) (*wecomsim.Simulator, string) {
	t.Helper()
	simulator := wecomsim.New(wecomsim.Config{Corps: []wecomsim.Corp{{
		ID: corpID,
		Apps: []wecomsim.App{{
			AgentID: agentID, Secret: appSecret, Fields: []wecomsim.Field{wecomsim.FieldMobile, wecomsim.FieldAvatar},
		}},
		Members: []wecomsim.Member{
			{UserID: "zhangsan", Name: "张三", Mobile: "13800000001"},
			{UserID: "lisi", Name: "李四", Mobile: "13800000002"},
		},
	}}})
	server := httptest.NewServer(known.listen(simulator))
	t.Cleanup(server.Close)
	return simulator, server.URL
}
