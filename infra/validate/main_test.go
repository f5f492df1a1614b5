package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const repository = "../.."

// change is a small edit of the template: old, which must be there, becomes new.
type change struct{ old, new string }

func TestRealTemplatePasses(t *testing.T) {
	template := filepath.Join(repository, "template.yaml")
	for _, s := range steps(template, repository, samProgram()) {
		t.Run(s.name, func(t *testing.T) {
			if s.name != "our own rules" {
				needSAM(t)
			}
			scope, faults := s.check(t.Context())
			if len(faults) > 0 {
				t.Fatalf("%s", strings.Join(faults, "\n"))
			}
			if scope == "" {
				t.Error("it does not say what it looked at")
			}
		})
	}
}

// Each is a mistake that somebody could make in a hurry.
func TestOurRulesRefuseBrokenTemplates(t *testing.T) {
	for name, c := range map[string]struct {
		change
		want string
	}{
		"a route is missing": {
			change{"        Token: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: /api/token}}\n", ""},
			"route POST /api/token is missing: a token for an application's backend",
		},
		"a route is there twice": {
			change{"Method: OPTIONS, Path: /api/token}", "Method: OPTIONS, Path: /api/session}"},
			"route OPTIONS /api/session is there twice: SessionPreflight of SigninFunction and TokenPreflight of SigninFunction",
		},
		"a route that nobody agreed on": {
			change{"        Console: {Type", "        Console2: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /console/debug}}\n        Console: {Type"},
			"route GET /console/debug (Console2 of AdminFunction) is not in the contract",
		},
		"the admin API is open": {
			change{", Auth: {Authorizer: Administrator}", ""},
			"route ANY /api/admin/{proxy+} has no authorizer: anybody could call AdminFunction",
		},
		"an answer of the authorizer is kept": {
			change{"ReauthorizeEvery: 0", "ReauthorizeEvery: 300"},
			"Api: authorizer Administrator must have ReauthorizeEvery 0",
		},
		"a public route asks the authorizer": {
			change{"Method: GET, Path: /console}", "Method: GET, Path: /console, Auth: {Authorizer: Administrator}}"},
			"route GET /console has an authorizer, but is for everybody",
		},
		"warnings of the gateway are failures": {
			change{"      StageName: $default\n", "      StageName: $default\n      FailOnWarnings: true\n"},
			"Api: FailOnWarnings must not be set",
		},
		"a route has half a throttle": {
			change{"'GET /callback/{authenticator}': {ThrottlingRateLimit: 100, ThrottlingBurstLimit: 200}", "'GET /callback/{authenticator}': {ThrottlingRateLimit: 100}"},
			"Api: RouteSettings of GET /callback/{authenticator} must have ThrottlingRateLimit and ThrottlingBurstLimit above 0",
		},
		"a throttle is for a route that is not there": {
			change{"'GET /callback/{authenticator}': {", "'GET /callbacks/{authenticator}': {"},
			"Api: RouteSettings name GET /callbacks/{authenticator}, which is no route",
		},
		"the access log has paths": {
			change{`"status":"$context.status"`, `"path":"$context.path","status":"$context.status"`},
			"Api: the access log's field path holds $context.path",
		},
		"a variable is not set": {
			change{"          SIGNING_KEYS_SECRET: !Ref SigningKeys\n          SESSION_COOKIE_DOMAIN", "          SESSION_COOKIE_DOMAIN"},
			"SigninFunction reads SIGNING_KEYS_SECRET, which is not set",
		},
		"a variable is there that nobody reads": {
			change{"          ADMIN_KEY_SECRET: !Ref AdminKey\n", "          ADMIN_KEY_SECRET: !Ref AdminKey\n          SIGNING_KEYS_SECRET: !Ref SigningKeys\n"},
			"AuthorizerFunction is given SIGNING_KEYS_SECRET, which it does not read",
		},
		"a function outlasts the gateway": {
			change{"      Timeout: 29\n", "      Timeout: 30\n"},
			`AdminFunction: Timeout is "30", but must be a number below the 30 s that its caller waits`,
		},
		"a log is kept for ever": {
			change{"RetentionInDays: !Ref LogRetentionDays}\n  CallbackLogGroup", "}\n  CallbackLogGroup"},
			"AuthorizeLogGroup has no RetentionInDays",
		},
		"two functions share a role": {
			change{"Role: !GetAtt AuthorizeRole.Arn", "Role: !GetAtt CallbackRole.Arn"},
			"CallbackFunction shares the role CallbackRole with AuthorizeFunction",
		},
		"a wildcard in an action": {
			change{"Action: [logs:CreateLogStream, logs:PutLogEvents]\n                Resource: !GetAtt IssuerLogGroup.Arn", "Action: ['logs:*']\n                Resource: !GetAtt IssuerLogGroup.Arn"},
			"IssuerRole: action logs:* has a wildcard",
		},
		"every secret can be read": {
			change{"Action: [secretsmanager:GetSecretValue]\n                Resource: !Ref AdminKey", "Action: [secretsmanager:GetSecretValue]\n                Resource: '*'"},
			"AuthorizerRole: resource * has a wildcard (actions secretsmanager:GetSecretValue)",
		},
		"a managed policy": {
			change{"  IssuerRole:\n    Type: AWS::IAM::Role\n    Properties:\n", "  IssuerRole:\n    Type: AWS::IAM::Role\n    Properties:\n      ManagedPolicyArns: [!Sub 'arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess']\n"},
			"IssuerRole: a managed policy allows more than one function needs",
		},
		"the directory would go with the stack": {
			change{"  DirectoryTable:\n    Type: AWS::DynamoDB::Table\n    Condition: NewDirectory\n    DeletionPolicy: Retain\n", "  DirectoryTable:\n    Type: AWS::DynamoDB::Table\n    Condition: NewDirectory\n"},
			"DirectoryTable has no DeletionPolicy",
		},
		"the directory has no way back": {
			change{"PointInTimeRecoveryEnabled: true", "PointInTimeRecoveryEnabled: false"},
			"DirectoryTable: PointInTimeRecoveryEnabled must be true",
		},
		"the admin key is a parameter": {
			change{"Parameters:\n", "Parameters:\n  AdministratorsWord: {Type: String, NoEcho: true, Default: '', Description: Key of the administrator.}\n"},
			"parameter AdministratorsWord has NoEcho, so it is a secret",
		},
		"a secret is in the template": {
			change{"SecretString: '{}'", "SecretString: '{\"current\":\"hunter2\"}'"},
			"SigningKeys: SecretString is in the template",
		},
		"a secret's value is a variable": {
			change{"ADMIN_KEY_SECRET: !Ref AdminKey", "ADMIN_KEY_SECRET: !Sub '{{resolve:secretsmanager:${AdminKey}}}'"},
			"resolves a value from elsewhere into plain text",
		},
		"an ARN of one partition": {
			change{"!Sub 'arn:${AWS::Partition}:secretsmanager:", "!Sub 'arn:aws:secretsmanager:"},
			"an ARN of one partition; write arn:${AWS::Partition}:",
		},
		"a host of one partition": {
			change{"https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}'", "https://${Api}.execute-api.${AWS::Region}.amazonaws.com'"},
			"a host of one partition; write ${AWS::URLSuffix}",
		},
		"a parameter is not used": {
			change{"Parameters:\n", "Parameters:\n  Colour: {Type: String, Default: blue, Description: Of the page.}\n"},
			"template.yaml: parameter Colour is not used",
		},
		"a parameter must be given": {
			change{"    Default: 8h\n", ""},
			"template.yaml: parameter SessionLifetime has no Default",
		},
		"an output is not explained": {
			change{"    Description: Where alarms are told\n", ""},
			"template.yaml: output AlarmTopic has no Description",
		},
		"a nested stack lacks a parameter": {
			change{"        NatGateways: !Ref NatGateways\n", ""},
			"Network lacks the parameter NatGateways of infra/network.yaml",
		},
		"a nested stack has no such output": {
			change{"!GetAtt Network.Outputs.Addresses", "!GetAtt Network.Outputs.Address"},
			"Network.Outputs.Address is used, but infra/network.yaml has no such output",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, faults := checkRules(brokenCopy(t, c.change))
			wantFault(t, faults, c.want)
		})
	}
}

// Without the default bound a route of no bound of its own is open to any number.
func TestRouteWithoutThrottleIsRefused(t *testing.T) {
	_, faults := checkRules(brokenCopy(t,
		change{"      DefaultRouteSettings: {ThrottlingRateLimit: 50, ThrottlingBurstLimit: 100}\n", ""},
		change{"        'POST /api/token': {ThrottlingRateLimit: 500, ThrottlingBurstLimit: 1000}\n", ""}))
	wantFault(t, faults, "Api: route POST /api/token has no throttle")
	if len(faults) != 1 {
		t.Errorf("faults are\n%s\nwant one", strings.Join(faults, "\n"))
	}
}

// What our rules do not look at is for the tools. Each of these deploys nowhere, and
// `sam validate --lint` alone lets most of them pass.
func TestToolsRefuseBrokenTemplates(t *testing.T) {
	needSAM(t)
	translate := func(tool samTool) []string { return tool.translate(t.Context(), regions()[0]) }
	lint := func(tool samTool) []string { _, faults := tool.lint(t.Context()); return faults }
	for name, c := range map[string]struct {
		change
		check func(samTool) []string
		want  string
	}{
		"a variable names a resource that is not there": {
			change{"TRANSIENT_TABLE: !Ref TransientTable", "TRANSIENT_TABLE: !Ref TransientTabel"},
			translate,
			"'TransientTabel' is not one of",
		},
		"a route asks an authorizer that is not there": {
			change{"Auth: {Authorizer: Administrator}", "Auth: {Authorizer: Administrators}"},
			translate,
			"Administrators",
		},
		"a route is there twice": {
			change{"Method: OPTIONS, Path: /api/token}", "Method: OPTIONS, Path: /api/session}"},
			translate,
			"API method 'options' defined multiple times for path '/api/session'",
		},
		"an action that IAM does not know": {
			change{"secretsmanager:DescribeSecret,", "secretsmanager:DescribeSecrets,"},
			translate,
			"describesecrets",
		},
		"a retention that CloudWatch does not know": {
			change{"RetentionInDays: !Ref LogRetentionDays}\n  CallbackLogGroup", "RetentionInDays: 31}\n  CallbackLogGroup"},
			translate,
			"31 is not one of",
		},
		"a runtime that Lambda does not know": {
			change{"Runtime: provided.al2023", "Runtime: provided.al2022"},
			translate,
			"provided.al2022",
		},
		"a misspelt property": {
			change{"    MemorySize: 256\n", "    MemorySze: 256\n"},
			lint,
			"MemorySze",
		},
		"a condition that nobody uses": {
			change{"Conditions:\n", "Conditions:\n  Never: !Equals [!Ref Architecture, arm]\n"},
			lint,
			"Never",
		},
	} {
		t.Run(name, func(t *testing.T) {
			wantFault(t, c.check(newSAM(brokenCopy(t, c.change), repository, samProgram())), c.want)
		})
	}
}

// SAM can leave an authorizer out and say nothing; what it made is looked at.
func TestTranslationIsHeldToTheContract(t *testing.T) {
	needSAM(t)
	tool := newSAM(filepath.Join(repository, "template.yaml"), repository, samProgram())
	translated, err := command(t.Context(), tool.beside("python"), tool.script, tool.template, "cn-north-1")
	if err != nil {
		t.Fatal(err)
	}
	if faults := append(checkTranslatedRoutes(translated), checkPartition(translated, "cn-north-1")...); len(faults) > 0 {
		t.Fatalf("%s", strings.Join(faults, "\n"))
	}
	for name, c := range map[string]struct {
		change
		want string
	}{
		"the authorizer is left out": {change{`"security"`, `"x-security"`}, "SAM makes the route ANY /api/admin/{proxy+} with authorizer: false, wanted: true"},
		"a route is left out":        {change{`"/console"`, `"/konsole"`}, "SAM makes no route GET /console: the administrator's page, which holds no data\nSAM makes a route GET /konsole, which is not in the contract"},
	} {
		t.Run(name, func(t *testing.T) {
			if !bytes.Contains(translated, []byte(c.old)) {
				t.Fatalf("the translation has no %s", c.old)
			}
			wantFault(t, checkTranslatedRoutes(bytes.ReplaceAll(translated, []byte(c.old), []byte(c.new))), c.want)
		})
	}
	wantFault(t, checkPartition(translated, "eu-central-1"), "the translation has arn:aws-cn:, of another partition")
}

// What is said is for a terminal: one line a step, its faults below, and a failure
// that make sees. A tool that is not there is no reason to pass.
func TestRunSaysWhatIsWrong(t *testing.T) {
	t.Setenv("SAM", "/nowhere/sam")
	template := brokenCopy(t, change{"      StageName: $default\n", "      StageName: $default\n      FailOnWarnings: true\n"})
	var out bytes.Buffer
	ok, err := run(t.Context(), []string{"-template", template}, &out)
	if ok || err != nil {
		t.Errorf("ok %t, error %v", ok, err)
	}
	const absent = "      - /nowhere/sam is not there: `make tools` fetches AWS SAM's command line; the variable SAM names another one, with its Python beside it\n"
	want := "FAIL  our own rules: 1 fault\n" +
		"      - Api: FailOnWarnings must not be set; API Gateway warns of the server without a url that SAM writes, and would make no API\n" +
		"FAIL  sam validate --lint: 1 fault\n" + absent +
		"FAIL  SAM translation and cfn-lint: 1 fault\n" + absent
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
	if ok, err := run(t.Context(), []string{"-template", "/nowhere/template.yaml"}, &out); ok || err == nil {
		t.Error("a template that is not there passes")
	}
}

// brokenCopy copies the templates and edits the copy; an edit must find its place.
func brokenCopy(t *testing.T, changes ...change) string {
	t.Helper()
	folder := t.TempDir()
	s, err := readStack(filepath.Join(repository, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for i, source := range s.files(filepath.Join(repository, "template.yaml")) {
		content, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			if i > 0 {
				break // only the main template
			}
			if !bytes.Contains(content, []byte(c.old)) {
				t.Fatalf("the template has changed; this test no longer finds\n%s", c.old)
			}
			content = bytes.Replace(content, []byte(c.old), []byte(c.new), 1)
		}
		path := filepath.Join(folder, s.templates()[i].name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "template.yaml")
}

func wantFault(t *testing.T, faults []string, want string) {
	t.Helper()
	if !strings.Contains(strings.Join(faults, "\n"), want) {
		t.Errorf("faults are\n%s\nwant one with\n%s", strings.Join(faults, "\n"), want)
	}
}

func samProgram() string { return os.Getenv("SAM") }

// needSAM skips a test when SAM is missing; where CI is set that is a failure.
func needSAM(t *testing.T) {
	t.Helper()
	fault := newSAM("", repository, samProgram()).missing()
	switch {
	case fault == "":
	case os.Getenv("CI") != "":
		t.Fatalf("sam: %s", fault)
	default:
		t.Skipf("SKIP sam: %s", fault)
	}
}
