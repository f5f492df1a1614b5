package teststack

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
	"github.com/wecom-signin/wecom-signin/infra/emulator"
	"github.com/wecom-signin/wecom-signin/infra/local/gateway"
	"github.com/wecom-signin/wecom-signin/infra/local/lambdaruntime"
	"github.com/wecom-signin/wecom-signin/infra/permissions"
	"github.com/wecom-signin/wecom-signin/infra/samtemplate"
	"github.com/wecom-signin/wecom-signin/shared/store/dynamo/dynamotest"
)

// Config is what Deploy needs.
type Config struct {
	// Root is the module's folder.
	Root string
	// Name is the stack's.
	Name string
	// Parameters in place of the template's defaults. Addresses may be http. PublicUrl
	// is the stack's own address unless it is given.
	Parameters map[string]string
	// EnforceRoles refuses what a function's role does not allow, as IAM does, and
	// fails the test then. Otherwise the calls are only written down.
	EnforceRoles bool
	// Programs returns the folder with the built functions, for stacks that share
	// them. Nil: they are built for this one.
	Programs func() (folder string, err error)
}

// Stack is the service as `sam deploy` would make it: the built programs, tables,
// generated secrets, and an address in front.
type Stack struct {
	URL string
	// Secrets is a client of the account's owner.
	Secrets *secretsmanager.Client
	// Resources are the physical ids of the template's tables and secrets, by logical
	// id: what !Ref gives.
	Resources map[string]string
	// Generated are the values that were made for the template's secrets, by logical id.
	Generated map[string]string
	// Logs are what the functions print, by logical id.
	Logs map[string]*Log

	cfg       Config
	account   *emulator.AWS
	database  *dynamotest.Server
	functions map[string]*lambdaruntime.Function
	recorders map[string]*permissions.Recorder
}

// Deploy makes the stack, which ends with the test.
func Deploy(t testing.TB, cfg Config) *Stack {
	t.Helper()
	s := &Stack{
		Generated: map[string]string{}, Logs: map[string]*Log{}, cfg: cfg, database: dynamotest.Start(t), account: StartAWS(t, cfg.Root),
		functions: map[string]*lambdaruntime.Function{}, recorders: map[string]*permissions.Recorder{},
	}
	s.Secrets = secretsmanager.NewFromConfig(s.account.SDK())
	programs := s.programs(t)
	tables := s.database.CreateTables(t)
	s.Resources = map[string]string{"DirectoryTable": tables.Directory, "TransientTable": tables.Transient}
	front := httptest.NewUnstartedServer(nil)
	_, port, err := net.SplitHostPort(front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.URL = "http://localhost:" + port
	parameters := map[string]string{"PublicUrl": s.URL}
	maps.Copy(parameters, cfg.Parameters)
	made := s.evaluate(t, parameters)
	var roles map[string]permissions.Role
	if cfg.EnforceRoles {
		var faults []string
		roles, faults = permissions.Roles(made)
		for _, fault := range faults {
			t.Error(fault)
		}
	}
	template := readRoutes(t, cfg.Root)
	t.Cleanup(s.Close)
	for id, function := range template.Functions {
		variables := variablesOf(made.Resources[id])
		if len(variables) != len(function.Variables) {
			t.Fatalf("%s: the template declares %v", id, function.Variables)
		}
		program := filepath.Join(programs, path.Base(path.Dir(function.CodeURI)), "bootstrap")
		s.start(t, id, function, variables, program, roles[id])
	}
	front.Config.Handler = s.routes(t, template)
	front.Start()
	t.Cleanup(front.Close)
	return s
}

// readRoutes reads the template as the gateway sees it.
func readRoutes(t testing.TB, root string) *samtemplate.Template {
	t.Helper()
	template, err := samtemplate.ReadFile(templateIn(root))
	if err != nil {
		t.Fatal(err)
	}
	return template
}

func templateIn(root string) string { return filepath.Join(root, "template.yaml") }

// variablesOf returns the environment variables that a function is given.
func variablesOf(function cloudformation.Resource) map[string]any {
	environment, _ := function.Properties["Environment"].(map[string]any)
	variables, _ := environment["Variables"].(map[string]any)
	return variables
}

// start starts a function, with a recorder of its own where it looks for AWS.
func (s *Stack) start(t testing.TB, id string, function samtemplate.Function, variables map[string]any, program string, role permissions.Role) {
	t.Helper()
	cfg := permissions.RecorderConfig{
		DynamoDB: s.database.Endpoint, SecretsManager: s.account.Endpoint,
		Partition: "aws", Region: emulator.Region, Account: emulator.Account,
	}
	if s.cfg.EnforceRoles {
		cfg.Allows = role.Allows
	}
	recorder, err := permissions.NewRecorder(cfg)
	if err != nil {
		t.Fatal(err)
	}
	guard := httptest.NewServer(recorder)
	t.Cleanup(func() {
		guard.Close()
		if _, err := recorder.Calls(); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	})
	environment := map[string]string{
		// Lambda's own.
		"AWS_REGION": emulator.Region, "AWS_DEFAULT_REGION": emulator.Region, "AWS_EXECUTION_ENV": "AWS_Lambda_provided.al2023",
		"AWS_ACCESS_KEY_ID": emulator.Account, "AWS_SECRET_ACCESS_KEY": "test", "AWS_SESSION_TOKEN": "test",
		"AWS_LAMBDA_LOG_FORMAT": "JSON", "LANG": "en_US.UTF-8", "PATH": "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
		// Where the emulators are: nothing in the template names them.
		"AWS_ENDPOINT_URL_DYNAMODB": guard.URL, "AWS_ENDPOINT_URL_SECRETS_MANAGER": guard.URL,
	}
	for name, value := range variables {
		if _, taken := environment[name]; taken {
			t.Fatalf("%s: the template declares %s, which is not its own", id, name)
		}
		environment[name] = fmt.Sprint(value)
	}
	s.recorders[id], s.Logs[id] = recorder, &Log{}
	s.functions[id], err = lambdaruntime.New(lambdaruntime.Config{
		Path: program, Name: s.cfg.Name + "-" + id, Environment: environment, Timeout: function.Timeout, Log: s.Logs[id],
	})
	if err != nil {
		t.Fatal(err)
	}
}

// routes returns the API in front of the functions.
func (s *Stack) routes(t testing.TB, template *samtemplate.Template) http.Handler {
	t.Helper()
	wiring := gateway.Config{Template: template, Functions: map[string]gateway.Function{}, Authorizers: map[string]gateway.Authorizer{}}
	for _, route := range template.Routes {
		wiring.Functions[route.Function] = s.functions[route.Function].HTTP()
	}
	for _, authorizer := range template.Authorizers {
		wiring.Authorizers[authorizer.Function] = s.functions[authorizer.Function].Authorizer()
	}
	api, err := gateway.New(wiring)
	if err != nil {
		t.Fatal(err)
	}
	return api
}

// Calls returns what the functions asked AWS for so far, by logical id.
func (s *Stack) Calls() map[string][]permissions.Call {
	calls := map[string][]permissions.Call{}
	for id, recorder := range s.recorders {
		// What was not understood or refused fails the test at its end.
		calls[id], _ = recorder.Calls()
	}
	return calls
}

// Close ends the processes; then the logs are complete.
func (s *Stack) Close() {
	for _, function := range s.functions {
		function.Close()
	}
}

// Tail returns the last lines that the functions printed, for a test that says what
// went wrong.
func (s *Stack) Tail() string {
	var text strings.Builder
	for id, log := range s.Logs {
		if tail := log.Tail(); tail != "" {
			text.WriteString(id + ":\n" + tail)
		}
	}
	return text.String()
}

const signingKeys = "SigningKeys"

// BeginRotation begins a rotation of the signing keys.
func (s *Stack) BeginRotation(t testing.TB, token string) {
	t.Helper()
	BeginRotation(t, s.account, s.Resources[signingKeys], token)
}

// TakeSteps calls the function of the rotation as Secrets Manager does, step by step.
func (s *Stack) TakeSteps(t testing.TB, token string, steps ...string) {
	t.Helper()
	const function = "RotateKeysFunction"
	for _, step := range steps {
		event, err := json.Marshal(events.SecretsManagerSecretRotationEvent{Step: step, SecretID: s.Resources[signingKeys], ClientRequestToken: token})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.functions[function].Invoke(t.Context(), event); err != nil {
			t.Fatalf("%s: %v\n%s", step, err, s.Logs[function])
		}
	}
}

// Rotate rotates the signing keys, from beginning to end.
func (s *Stack) Rotate(t testing.TB, token string) {
	t.Helper()
	s.BeginRotation(t, token)
	s.TakeSteps(t, token, "createSecret", "setSecret", "testSecret", "finishSecret")
}
