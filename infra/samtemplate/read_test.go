package samtemplate_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wecom-signin/wecom-signin/infra/samtemplate"
)

const small = `
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
      RouteSettings:
        'GET /a/{b}': {ThrottlingRateLimit: 20, ThrottlingBurstLimit: 40}
      Auth:
        Authorizers:
          Key:
            FunctionArn: !GetAtt Guard.Arn
            AuthorizerPayloadFormatVersion: '2.0'
            EnableSimpleResponses: true
            Identity: {Headers: [Authorization], ReauthorizeEvery: 0}
  Guard:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: functions/guard/lambda, Timeout: !Ref Seconds, MemorySize: 512}
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
  Below: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: infra/below.yaml}}
Outputs:
  Url: {Value: !Ref Api}
`

const below = `
Resources:
  Another: {Type: AWS::DynamoDB::Table}
  Simple: {Type: AWS::CloudWatch::Alarm, Properties: {AlarmDescription: !Sub 'Look at ${Log}', MetricName: Errors}}
  Sum:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmDescription: Two of them
      Metrics: [{Id: sum, Expression: a + b}, {Id: a, MetricStat: {Stat: Sum}}, {Id: b, MetricStat: {Stat: Sum}}]
`

func files(template string) fstest.MapFS {
	return fstest.MapFS{"template.yaml": {Data: []byte(template)}, "infra/below.yaml": {Data: []byte(below)}}
}

func TestRead(t *testing.T) {
	got, err := samtemplate.Read(files(small), "template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := &samtemplate.Template{
		Parameters: []string{"Seconds"}, Outputs: []string{"Url"}, CommonVariables: []string{"COMMON"},
		Functions: map[string]samtemplate.Function{
			"Guard":  {CodeURI: "functions/guard/lambda", Timeout: 7 * time.Second, MemorySize: 512, Variables: []string{"COMMON"}},
			"Worker": {CodeURI: "functions/worker/lambda", Timeout: 10 * time.Second, MemorySize: 128, Variables: []string{"COMMON", "PREFIX", "TABLE"}},
		},
		Authorizers: map[string]samtemplate.Authorizer{"Key": {Function: "Guard", Headers: []string{"Authorization"}}},
		Routes: []samtemplate.Route{
			{Method: "GET", Path: "/a/{b}", Function: "Worker", Authorizer: "Key"},
			{Function: "Worker"},
		},
		Throttles: map[string]samtemplate.Throttle{"GET /a/{b}": {Rate: 20, Burst: 40}},
		Resources: map[string][]string{
			"AWS::Serverless::HttpApi": {"Api"}, "AWS::Serverless::Function": {"Guard", "Worker"}, "AWS::DynamoDB::Table": {"Another", "Table"},
			"AWS::CloudFormation::Stack": {"Below"}, "AWS::CloudWatch::Alarm": {"Simple", "Sum"},
		},
		Alarms: map[string]samtemplate.Alarm{"Simple": {Description: "Look at ${Log}", Metrics: 1}, "Sum": {Description: "Two of them", Metrics: 2}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What the local gateway cannot do must stop it, not be overlooked.
func TestReadRefuses(t *testing.T) {
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
		{"memory that is no number", "MemorySize: 512", "MemorySize: much", "MemorySize"},
		{"payload 1.0", "Method: get,", "Method: get, PayloadFormatVersion: '1.0',", "payload 2.0"},
		{"nested template that is not there", "infra/below.yaml", "infra/above.yaml", "infra/above.yaml"},
		{"nested template from elsewhere", "infra/below.yaml", "https://example.com/below.yaml", "https://example.com/below.yaml"},
	}
	for _, test := range tests {
		broken := strings.Replace(small, test.from, test.to, 1)
		if broken == small {
			t.Fatalf("%s: nothing replaced", test.name)
		}
		if _, err := samtemplate.Read(files(broken), "template.yaml"); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(small))
	if file, err := os.ReadFile("../../template.yaml"); err == nil {
		f.Add(file)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		template, err := samtemplate.Read(files(string(content)), "template.yaml")
		if (template == nil) == (err == nil) {
			t.Errorf("template %v with error %v", template, err)
		}
	})
}
