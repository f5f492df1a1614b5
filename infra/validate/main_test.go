package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const repository = "../.."

// change is a small edit of a template: old, which must be there, becomes new.
type change struct {
	file string // empty: template.yaml
	part string // the resource in which old is looked for; empty: anywhere
	old  string
	new  string
}

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
			change{old: "        Token: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: POST, Path: /api/token}}\n", new: ""},
			"route POST /api/token is missing: a token for an application's backend",
		},
		"a route is there twice": {
			change{old: "Method: OPTIONS, Path: /api/token}", new: "Method: OPTIONS, Path: /api/session}"},
			"route OPTIONS /api/session is there twice: SessionPreflight of SigninFunction and TokenPreflight of SigninFunction",
		},
		"a route that nobody agreed on": {
			change{old: "        Console: {Type", new: "        Console2: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: GET, Path: /console/debug}}\n        Console: {Type"},
			"route GET /console/debug (Console2 of AdminFunction) is not in the contract",
		},
		"the admin API is open": {
			change{old: ", Auth: {Authorizer: Administrator}", new: ""},
			"route ANY /api/admin/{proxy+} has no authorizer: anybody could call AdminFunction",
		},
		"an answer of the authorizer is kept": {
			change{old: "ReauthorizeEvery: 0", new: "ReauthorizeEvery: 300"},
			"Api: authorizer Administrator must have ReauthorizeEvery 0",
		},
		"a public route asks the authorizer": {
			change{old: "Method: GET, Path: /console}", new: "Method: GET, Path: /console, Auth: {Authorizer: Administrator}}"},
			"route GET /console has an authorizer, but is for everybody",
		},
		"warnings of the gateway are failures": {
			change{old: "      StageName: $default\n", new: "      StageName: $default\n      FailOnWarnings: true\n"},
			"Api: FailOnWarnings must not be set",
		},
		"a route has half a throttle": {
			change{old: "'GET /callback/{authenticator}': {ThrottlingRateLimit: 100, ThrottlingBurstLimit: 200}", new: "'GET /callback/{authenticator}': {ThrottlingRateLimit: 100}"},
			"Api: RouteSettings of GET /callback/{authenticator} must have ThrottlingRateLimit and ThrottlingBurstLimit above 0",
		},
		"a throttle is for a route that is not there": {
			change{old: "'GET /callback/{authenticator}': {", new: "'GET /callbacks/{authenticator}': {"},
			"Api: RouteSettings name GET /callbacks/{authenticator}, which is no route",
		},
		"the access log has paths": {
			change{old: `"status":"$context.status"`, new: `"path":"$context.path","status":"$context.status"`},
			"Api: the access log's field path holds $context.path",
		},
		"a variable is not set": {
			change{old: "          SIGNING_KEYS_SECRET: !Ref SigningKeys\n          SESSION_COOKIE_DOMAIN", new: "          SESSION_COOKIE_DOMAIN"},
			"SigninFunction reads SIGNING_KEYS_SECRET, which is not set",
		},
		"a variable is there that nobody reads": {
			change{old: "          ADMIN_KEY_SECRET: !Ref AdminKey\n", new: "          ADMIN_KEY_SECRET: !Ref AdminKey\n          SIGNING_KEYS_SECRET: !Ref SigningKeys\n"},
			"AuthorizerFunction is given SIGNING_KEYS_SECRET, which it does not read",
		},
		"a function outlasts the gateway": {
			change{old: "      Timeout: 29\n", new: "      Timeout: 30\n"},
			`AdminFunction: Timeout is "30", but must be a number and at most 29 s`,
		},
		"the authorizer outlasts the gateway": {
			change{part: "AuthorizerFunction", old: "    Properties:\n", new: "    Properties:\n      Timeout: 11\n"},
			`AuthorizerFunction: Timeout is "11", but must be a number and at most 10 s`,
		},
		"a function outlasts Lambda": {
			change{part: "RotateKeysFunction", old: "Timeout: 60", new: "Timeout: 901"},
			`RotateKeysFunction: Timeout is "901", but must be a number and at most 900 s`,
		},
		"a log is kept for ever": {
			change{part: "AuthorizeLogGroup", old: "RetentionInDays: !Ref LogRetentionDays}", new: "}"},
			"AuthorizeLogGroup has no RetentionInDays",
		},
		"two functions share a role": {
			change{old: "Role: !GetAtt AuthorizeRole.Arn", new: "Role: !GetAtt CallbackRole.Arn"},
			"CallbackRole: it is the role of 2 functions",
		},
		"a wildcard in an action": {
			change{old: "Action: [logs:CreateLogStream, logs:PutLogEvents]\n                Resource: !GetAtt IssuerLogGroup.Arn", new: "Action: ['logs:*']\n                Resource: !GetAtt IssuerLogGroup.Arn"},
			"IssuerRole: read role: Policies[0].Statement[0]: unknown action logs:*",
		},
		"every secret can be read": {
			change{old: "Action: [secretsmanager:GetSecretValue]\n                Resource: !Ref AdminKey", new: "Action: [secretsmanager:GetSecretValue]\n                Resource: '*'"},
			"AuthorizerRole: read role: Policies[0].Statement[3]: resource * is no ARN",
		},
		"a managed policy": {
			change{old: "  IssuerRole:\n    Type: AWS::IAM::Role\n    Properties:\n", new: "  IssuerRole:\n    Type: AWS::IAM::Role\n    Properties:\n      ManagedPolicyArns: [!Sub 'arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess']\n"},
			"IssuerRole: read role: ManagedPolicyArns: roles here have inline policies and nothing else",
		},
		"the directory would go with the stack": {
			change{old: "  DirectoryTable:\n    Type: AWS::DynamoDB::Table\n    Condition: NewDirectory\n    DeletionPolicy: Retain\n", new: "  DirectoryTable:\n    Type: AWS::DynamoDB::Table\n    Condition: NewDirectory\n"},
			"DirectoryTable has no DeletionPolicy",
		},
		"the directory has no way back": {
			change{old: "PointInTimeRecoveryEnabled: true", new: "PointInTimeRecoveryEnabled: false"},
			"DirectoryTable: PointInTimeRecoveryEnabled must be true",
		},
		"the admin key is a parameter": {
			change{old: "Parameters:\n", new: "Parameters:\n  AdministratorsWord: {Type: String, NoEcho: true, Default: '', Description: Key of the administrator.}\n"},
			"parameter AdministratorsWord has NoEcho, so it is a secret",
		},
		"a secret is in the template": {
			change{old: "SecretString: '{}'", new: "SecretString: '{\"current\":\"hunter2\"}'"},
			"SigningKeys: SecretString is in the template",
		},
		"a secret's value is a variable": {
			change{old: "ADMIN_KEY_SECRET: !Ref AdminKey", new: "ADMIN_KEY_SECRET: !Sub '{{resolve:secretsmanager:${AdminKey}}}'"},
			"resolves a value from elsewhere into plain text",
		},
		"an ARN of one partition": {
			change{old: "!Sub 'arn:${AWS::Partition}:secretsmanager:", new: "!Sub 'arn:aws:secretsmanager:"},
			"an ARN of one partition; write arn:${AWS::Partition}:",
		},
		"a host of one partition": {
			change{old: "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}'", new: "https://${Api}.execute-api.${AWS::Region}.amazonaws.com'"},
			"a host of one partition; write ${AWS::URLSuffix}",
		},
		"a parameter is not used": {
			change{old: "Parameters:\n", new: "Parameters:\n  Colour: {Type: String, Default: blue, Description: Of the page.}\n"},
			"template.yaml: parameter Colour is not used",
		},
		"a parameter must be given": {
			change{old: "    Default: 8h\n", new: ""},
			"template.yaml: parameter SessionLifetime has no Default",
		},
		"an output is not explained": {
			change{old: "    Description: Where alarms are told\n", new: ""},
			"template.yaml: output AlarmTopic has no Description",
		},
		"a nested stack lacks a parameter": {
			change{old: "        NatGateways: !Ref NatGateways\n", new: ""},
			"Network lacks the parameter NatGateways of infra/network.yaml",
		},
		"a nested stack has no such output": {
			change{old: "!GetAtt Network.Outputs.Addresses", new: "!GetAtt Network.Outputs.Address"},
			"Network.Outputs.Address is used, but infra/network.yaml has no such output",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, faults := checkRules(brokenCopy(t, c.change))
			wantFault(t, faults, c.want)
		})
	}
}

// Without the default bound a route of no bound of its own is open to any number.
func TestRouteWithoutThrottleIsRefused(t *testing.T) {
	_, faults := checkRules(brokenCopy(t,
		change{old: "      DefaultRouteSettings: {ThrottlingRateLimit: 50, ThrottlingBurstLimit: 100}\n", new: ""},
		change{old: "        'POST /api/token': {ThrottlingRateLimit: 500, ThrottlingBurstLimit: 1000}\n", new: ""}))
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
			change{old: "TRANSIENT_TABLE: !Ref TransientTable", new: "TRANSIENT_TABLE: !Ref TransientTabel"},
			translate,
			"'TransientTabel' is not one of",
		},
		"a route asks an authorizer that is not there": {
			change{old: "Auth: {Authorizer: Administrator}", new: "Auth: {Authorizer: Administrators}"},
			translate,
			"Administrators",
		},
		"a route is there twice": {
			change{old: "Method: OPTIONS, Path: /api/token}", new: "Method: OPTIONS, Path: /api/session}"},
			translate,
			"API method 'options' defined multiple times for path '/api/session'",
		},
		"an action that IAM does not know": {
			change{old: "secretsmanager:DescribeSecret,", new: "secretsmanager:DescribeSecrets,"},
			translate,
			"describesecrets",
		},
		"a retention that CloudWatch does not know": {
			change{part: "AuthorizeLogGroup", old: "RetentionInDays: !Ref LogRetentionDays}", new: "RetentionInDays: 31}"},
			translate,
			"31 is not one of",
		},
		"a runtime that Lambda does not know": {
			change{old: "Runtime: provided.al2023", new: "Runtime: provided.al2022"},
			translate,
			"provided.al2022",
		},
		"a misspelt property": {
			change{old: "    MemorySize: 256\n", new: "    MemorySze: 256\n"},
			lint,
			"MemorySze",
		},
		"a condition that nobody uses": {
			change{old: "Conditions:\n", new: "Conditions:\n  Never: !Equals [!Ref Architecture, arm]\n"},
			lint,
			"Never",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
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
	if faults := append(checkTranslated(translated), checkPartition(translated, "cn-north-1")...); len(faults) > 0 {
		t.Fatalf("%s", strings.Join(faults, "\n"))
	}
	for name, c := range map[string]struct {
		change
		want string
	}{
		"the authorizer is left out":              {change{old: `"security"`, new: `"x-security"`}, "SAM makes the route ANY /api/admin/{proxy+} with authorizer: false, wanted: true"},
		"a route calls another function":          {change{old: "functions/${IssuerFunction.Arn}/", new: "functions/${AdminFunction.Arn}/"}, "SAM makes the route GET /.well-known/jwks.json call "},
		"the callback is called past its version": {change{old: "functions/${CallbackFunctionAliaslive}/", new: "functions/${CallbackFunction.Arn}/"}, "SAM makes the route GET /callback/{authenticator} call "},
		"the gateway may not call the alias": {change{old: `"Ref": "CallbackFunctionAliaslive"
    },
    "Principal"`, new: `"Ref": "CallbackFunction"
    },
    "Principal"`}, "SAM makes the gateway's permission to call the alias false, not true"},
		"there is no version": {change{old: `"AWS::Lambda::Version"`, new: `"AWS::Lambda::Versions"`}, "SAM makes 0 of AWS::Lambda::Version, not one"},
		"versions stay": {change{old: `"DeletionPolicy": "Delete",
   "Properties": {
    "FunctionName"`, new: `"DeletionPolicy": "Retain",
   "Properties": {
    "FunctionName"`}, "SAM makes the version with DeletionPolicy Retain, not Delete"},
		"a deployment without an alarm": {change{old: `"Ref": "CallbackInternalAlarm"`, new: `"Ref": "CallbackErrorsAlarm"`}, "SAM makes a deployment with the alarms [${CallbackErrorsAlarm} ${CallbackErrorsAlarm}], not"},
		"a deployment that is not taken back": {change{old: `"AutoRollbackConfiguration": {
     "Enabled": true`, new: `"AutoRollbackConfiguration": {
     "Enabled": false`}, "SAM makes a deployment that rolls back false, not true"},
		"a route is left out": {change{old: `"/console"`, new: `"/konsole"`}, "SAM makes no route GET /console: the administrator's page, which holds no data\nSAM makes a route GET /konsole, which is not in the contract"},
	} {
		t.Run(name, func(t *testing.T) {
			if !bytes.Contains(translated, []byte(c.old)) {
				t.Fatalf("the translation has no %s", c.old)
			}
			wantFault(t, checkTranslated(bytes.ReplaceAll(translated, []byte(c.old), []byte(c.new))), c.want)
		})
	}
	wantFault(t, checkPartition(translated, "eu-central-1"), "the translation has arn:aws-cn:, of another partition")
}

// What is said is for a terminal: one line a step, its faults below, and a failure
// that make sees. A tool that is not there is no reason to pass.
func TestRunSaysWhatIsWrong(t *testing.T) {
	t.Setenv("SAM", "/nowhere/sam")
	template := brokenCopy(t, change{old: "      StageName: $default\n", new: "      StageName: $default\n      FailOnWarnings: true\n"})
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
	for i, source := range s.files() {
		content, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		name := s.templates()[i].name
		for _, c := range changes {
			if c.file == name || c.file == "" && i == 0 {
				content = c.apply(t, content)
			}
		}
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"operations.md", "operations.zh-CN.md"} {
		content, err := os.ReadFile(filepath.Join(repository, "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(folder, "docs"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "docs", name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "template.yaml")
}

// apply edits a template.
func (c change) apply(t *testing.T, content []byte) []byte {
	t.Helper()
	begin, end := 0, len(content)
	if c.part != "" {
		begin = bytes.Index(content, []byte("\n  "+c.part+":\n"))
		if begin < 0 {
			t.Fatalf("the template has changed; this test no longer finds %s", c.part)
		}
		begin++
		if next := regexp.MustCompile(`\n( {2})?[A-Za-z]+:\n`).FindIndex(content[begin:]); next != nil {
			end = begin + next[0] + 1
		}
	}
	if !bytes.Contains(content[begin:end], []byte(c.old)) {
		t.Fatalf("the template has changed; this test no longer finds\n%s", c.old)
	}
	return slices.Concat(content[:begin], bytes.Replace(content[begin:end], []byte(c.old), []byte(c.new), 1), content[end:])
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
