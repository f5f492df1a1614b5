package gateway_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/local/gateway"
)

const tinyTemplate = `
Parameters:
  Seconds: {Type: Number, Default: 7}
Globals:
  Function:
    Timeout: 10
    Environment: {Variables: {COMMON: x, NONE: !Ref AWS::NoValue}}
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      StageName: $default
      Auth:
        Authorizers:
          Key:
            FunctionArn: !GetAtt Guard.Arn
            AuthorizerPayloadFormatVersion: '2.0'
            EnableSimpleResponses: true
            Identity: {Headers: [Authorization], ReauthorizeEvery: 0}
  Guard:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/guard/lambda, Timeout: !Ref Seconds}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/worker/lambda
      Environment: {Variables: {TABLE: !Ref Table, PREFIX: !Sub '${AWS::StackName}/x/'}}
      Events:
        A: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: get, Path: '/a/{b}', Auth: {Authorizer: Key}}}
        B: {Type: HttpApi, Properties: {ApiId: !Ref Api}}
        C: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 day)}}
  Table: {Type: AWS::DynamoDB::Table}
`

func TestReadTemplate(t *testing.T) {
	got, err := gateway.ReadTemplate(strings.NewReader(tinyTemplate))
	if err != nil {
		t.Fatal(err)
	}
	want := &gateway.Template{
		Functions: map[string]gateway.FunctionSpec{
			"Guard":  {CodeURI: "functions/guard/lambda", Timeout: 7 * time.Second, Environment: []string{"COMMON"}},
			"Worker": {CodeURI: "functions/worker/lambda", Timeout: 10 * time.Second, Environment: []string{"COMMON", "PREFIX", "TABLE"}},
		},
		Authorizers: map[string]gateway.AuthorizerSpec{"Key": {Function: "Guard", Headers: []string{"Authorization"}}},
		Routes: []gateway.Route{
			{Method: "GET", Path: "/a/{b}", Function: "Worker", Authorizer: "Key"},
			{Function: "Worker"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What the gateway cannot do must stop it, not be overlooked.
func TestReadTemplateRefuses(t *testing.T) {
	tests := []struct{ name, from, to, want string }{
		{"no YAML", "Parameters:", "\t:", "read template"},
		{"no API", "AWS::Serverless::HttpApi", "AWS::Serverless::Api", "0 HTTP APIs"},
		{"named stage", "StageName: $default", "StageName: prod", "stage \"prod\""},
		{"CORS by the gateway", "StageName: $default", "CorsConfiguration: true", "not supported"},
		{"cached authorizer", "ReauthorizeEvery: 0", "ReauthorizeEvery: 300", "ReauthorizeEvery"},
		{"authorizer cached by default", ", ReauthorizeEvery: 0", "", "ReauthorizeEvery"},
		{"authorizer of payload 1.0", "AuthorizerPayloadFormatVersion: '2.0'", "AuthorizerPayloadFormatVersion: '1.0'", "payload 2.0"},
		{"authorizer of no function", "!GetAtt Guard.Arn", "!GetAtt Nobody.Arn", "no function Nobody"},
		{"unknown authorizer", "Authorizer: Key", "Authorizer: Kay", "no authorizer Kay"},
		{"route twice", "B: {Type: HttpApi, Properties: {ApiId: !Ref Api}}", "B: {Type: HttpApi, Properties: {Method: GET, Path: '/a/{b}'}}", "twice"},
		{"path without method", "Method: get, ", "", "both Method and Path"},
		{"timeout without a value", "!Ref Seconds", "!Ref Nothing", "Timeout"},
		{"payload 1.0", "Method: get,", "Method: get, PayloadFormatVersion: '1.0',", "payload 2.0"},
	}
	for _, test := range tests {
		broken := strings.Replace(tinyTemplate, test.from, test.to, 1)
		if broken == tinyTemplate {
			t.Fatalf("%s: nothing replaced", test.name)
		}
		if _, err := gateway.ReadTemplate(strings.NewReader(broken)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
}

func TestEnvironmentIsWhatTheTemplateDeclares(t *testing.T) {
	template, err := gateway.ReadTemplate(strings.NewReader(tinyTemplate))
	if err != nil {
		t.Fatal(err)
	}
	all := func(string) (string, bool) { return "value", true }
	env := template.Environment("Worker", all)
	if value, ok := env.Lookup("TABLE"); value != "value" || !ok || env.Err() != nil {
		t.Errorf("declared: %q %v %v", value, ok, env.Err())
	}
	if value, ok := env.Lookup("SECRET"); value != "" || ok {
		t.Errorf("undeclared: %q %v", value, ok)
	}
	if err := env.Err(); err == nil || err.Error() != "Worker reads SECRET, which template.yaml does not give it" {
		t.Errorf("got %v", err)
	}
}

func FuzzReadTemplate(f *testing.F) {
	f.Add([]byte(tinyTemplate))
	if file, err := os.ReadFile("../../../template.yaml"); err == nil {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		template, err := gateway.ReadTemplate(strings.NewReader(string(content)))
		if (template == nil) == (err == nil) {
			t.Errorf("template %v with error %v", template, err)
		}
	})
}
