package templatetest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/samtemplate"
)

const (
	bot        = "infra/bot.yaml"
	deployer   = "infra/deployer.yaml"
	directory  = "infra/directory.yaml"
	domain     = "infra/domain.yaml"
	edge       = "infra/edge.yaml"
	monitoring = "infra/monitoring.yaml"
	network    = "infra/network.yaml"
	roles      = "infra/roles.yaml"
)

// mistake is a small edit that somebody could make in a hurry, and the words that it is
// found with.
type mistake struct {
	name string
	file string
	part string // the resource in which old is looked for; empty: anywhere
	old  string // the first becomes new
	new  string
	want string
}

// What cfn-guard finds by rules.guard: every rule is here.
var guarded = []mistake{
	{"the directory would go with the stack", directory, "", "    DeletionPolicy: Retain\n", "", "every user and authenticator would go with the stack"},
	{"the directory would go with an update", directory, "", "UpdateReplacePolicy: Retain", "UpdateReplacePolicy: Delete", "with an update that replaces the table"},
	{"the directory may be deleted", directory, "", "DeletionProtectionEnabled: true", "DeletionProtectionEnabled: false", "delete the directory by mistake"},
	{"the directory has no way back", directory, "", "      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}\n", "", "no way back"},
	{"the audit would go with the stack", directory, "AuditTable", "    DeletionPolicy: Retain\n", "", "would go with the stack"},
	{"the audit has no way back", directory, "AuditTable", "      PointInTimeRecoverySpecification: {PointInTimeRecoveryEnabled: true}\n", "", "no way back"},
	{"the audit is kept for ever", directory, "AuditTable", "AttributeName: ttl", "AttributeName: sk", "records end at ttl"},
	{"sessions last", template, "TransientTable", "Enabled: true", "Enabled: false", "kept and paid for ever"},
	{"a copy of every change", directory, "", "      BillingMode", "      StreamSpecification: {StreamViewType: NEW_IMAGE}\n      BillingMode", "a stream copies every person"},
	{"a table with a policy of its own", template, "TransientTable", "      BillingMode", "      ResourcePolicy: {PolicyDocument: {}}\n      BillingMode", "let others read people and sessions"},
	{"a secret outlives its stack", template, "AdminKey", "    Properties:\n", "    DeletionPolicy: Retain\n    Properties:\n", "only the directory outlives its stack"},

	{"a queue in clear", template, "UndeliveredLogouts", "SqsManagedSseEnabled: true", "SqsManagedSseEnabled: false", "lie on a disk in clear"},
	{"a message is tried for ever", template, "LogoutQueue", "maxReceiveCount: 3", "maxReceiveCount: 1000", "told three times"},
	{"a message is lost", template, "LogoutQueue", "      RedrivePolicy: {deadLetterTargetArn: !GetAtt UndeliveredLogouts.Arn, maxReceiveCount: 3}\n", "", "tried for ever, or lost"},
	{"a message comes again too soon", template, "LogoutQueue", "VisibilityTimeout: 90", "VisibilityTimeout: 30", "while the function still works on it"},
	{"one failure repeats all", template, "NotifyFunction", "            FunctionResponseTypes: [ReportBatchItemFailures]\n", "", "tell every application of the batch again"},
	{"ends of sessions crowd out people", template, "NotifyFunction", "MaximumConcurrency: 5", "MaximumConcurrency: 500", "take the processes of people who sign in"},

	{"a secret is in the template", template, "SigningKeys", `SecretString: '{}'`, `SecretString: '{"current":"hunter2"}'`, "its value would be in the template"},
	{"the admin key is known to everybody", template, "AdminKey", "GenerateSecretString: {PasswordLength: 48, ExcludePunctuation: true}", "SecretString: letmein", "its value would be in the template"},
	{"the admin key can be guessed", template, "AdminKey", "PasswordLength: 48", "PasswordLength: 8", "short enough to be guessed"},
	{"a secret of few characters", template, "SealingKeys", "ExcludePunctuation: true", "ExcludePunctuation: true\n        ExcludeLowercase: true", "few characters can be guessed"},
	{"the admin key is a parameter", template, "", "\nParameters:\n", "\nParameters:\n  AdministratorsWord: {Type: String, NoEcho: true, Default: '', Description: Key of the administrator.}\n", "a parameter is known to everybody"},
	{"a secret's value is a variable", template, "AuthorizerFunction", "!Ref AdminKey", "!Sub '{{resolve:secretsmanager:${AdminKey}}}'", "the value of a secret would be a variable"},
	{"a reference in pieces", template, "SigninFunction", "!Ref CompanyName", "!Join ['', ['{{', 'resolve:ssm:/name}}']]", "a reference to the value of a secret"},
	{"a secret is a parameter's text", template, "AuthorizerFunction", "ADMIN_KEY_SECRET: !Ref AdminKey", "ADMIN_KEY_SECRET: !Ref CompanyName", "a function is told which secret"},
	{"the signing keys are never made", template, "SigningKeysRotation", "RotateImmediatelyOnUpdate: true", "RotateImmediatelyOnUpdate: false", "the first rotation makes the first keys"},
	{"another secret is rotated", template, "SigningKeysRotation", "SecretId: !Ref SigningKeys", "SecretId: !Ref SealingKeys", "no other secret has a function"},
	{"keys may be rotated every day", template, "RotationDays", "MinValue: 7", "MinValue: 1", "until verifiers have the next key"},

	{"anybody may act as a function", roles, "IssuerRole", "{Service: lambda.amazonaws.com}", "'*'", "somebody else could act as the function"},
	{"a managed policy", roles, "IssuerRole", "      Policies:", "      ManagedPolicyArns: [!Sub 'arn:${AWS::Partition}:iam::aws:policy/AdministratorAccess']\n      Policies:", "a managed policy allows more"},
	{"CodeDeploy may do anything", roles, "CodeDeployRole", "service-role/AWSCodeDeployRoleForLambda", "AdministratorAccess", "more than CodeDeploy needs"},
	{"the bot may do more", bot, "BotRole", "[events:InvokeApiDestination]", "[events:InvokeApiDestination, events:PutEvents]", "the bot tells of alarms"},
	{"a role without the boundary", roles, "IssuerRole", "      PermissionsBoundary: !If [HasBoundary, !Ref PermissionsBoundaryArn, !Ref AWS::NoValue]\n", "", "would refuse the role"},
	{"functions may change the key", roles, "KeyPolicy", "kms:GenerateDataKey", "kms:PutKeyPolicy", "changes nothing about it"},
	{"a wildcard in an action", roles, "IssuerRole", "dynamodb:GetItem", "'dynamodb:*'", "an action with a wildcard"},
	{"every secret can be read", roles, "AuthorizerRole", "Resource: !Ref AdminKey", "Resource: '*'", "every secret or table of the account"},
	{"a policy beside the roles", network, "InterfacePolicy", "[ec2:CreateNetworkInterface,", "[secretsmanager:GetSecretValue, ec2:CreateNetworkInterface,", "what a function may do is in its role"},
	{"functions are deployers", deployer, "Deployer", "      Description: ", "      Roles: [callback]\n      Description: ", "allowed more than it says"},
	{"a proxy keeps answers", edge, "", "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "658327ea-f89d-4fab-a63d-7e88639e58f6", "hand one person's cookie to another"},
	{"a proxy keeps one path's answers", edge, "", "        DefaultCacheBehavior:", "        CacheBehaviors: [{PathPattern: /signin, TargetOriginId: api, ViewerProtocolPolicy: https-only, CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6}]\n        DefaultCacheBehavior:", "may be kept"},
	{"anybody reaches the API behind the proxy", edge, "", "              OriginMtlsConfig: {ClientCertificateArn: !Ref ClientCertificateArn}\n", "", "who shows the certificate"},
	{"the provider may do more than call", template, "MemberChecksInvocation", "[lambda:InvokeFunction]", "[lambda:UpdateFunctionCode]", "this is for the call of memberchecks"},
	{"the provider may call every function", template, "MemberChecksInvocation", "!GetAtt MemberChecksFunction.Arn", "'*'", "every function of the account could be called"},
	{"lines of the audit can be changed", template, "AuditPolicy", "[dynamodb:PutItem]", "[dynamodb:PutItem, dynamodb:UpdateItem]", "a line of the audit is written once"},
	{"who writes the audit writes elsewhere", template, "AuditPolicy", "!GetAtt Directory.Outputs.AuditTableArn", "!GetAtt Directory.Outputs.TableArn", "this is for the audit"},
	{"functions may touch the network", network, "InterfacePolicy", "- Effect: Deny", "- Effect: Allow", "the function's own code must not touch the network"},
	{"any API may call a function", template, "RotateKeysPermission", "      SourceArn: !Ref SigningKeys\n", "", "any API or secret of any account"},
	{"a function's address as a resource", template, "", "\nResources:\n", "\nResources:\n  Url: {Type: 'AWS::Lambda::Url', Properties: {AuthType: NONE, TargetFunctionArn: !Ref AdminFunction}}\n", "nothing of this service is of this type"},
	{"code that nobody has seen", template, "", "    Timeout: 10\n", "    Timeout: 10\n    Layers: ['arn:aws:lambda:eu-central-1:111122223333:layer:x:1']\n", "a layer is code"},
	{"the admin API is open", template, "AdminFunction", ", Auth: {Authorizer: Administrator}", "", "anybody could call the admin API"},
	{"an answer of the authorizer is kept", template, "Api", "ReauthorizeEvery: 0", "ReauthorizeEvery: 300", "until the cache forgets it"},
	{"the API answers beside its domain", template, "Api", "!If [HasDomain, true, false]", "false", "the service answers under no other name"},
	{"the admin key may be guessed at", template, "Api", "'ANY /api/admin/{proxy+}': {ThrottlingRateLimit: 20, ThrottlingBurstLimit: 40}", "'ANY /api/admin/{proxy+}': {ThrottlingRateLimit: 900, ThrottlingBurstLimit: 900}", "guessed at faster"},
	{"a bound that bounds nothing", template, "Api", "'GET /signin': {ThrottlingRateLimit: 200", "'GET /signin': {ThrottlingRateLimit: 100000", "a rate protects nothing"},
	{"the access log has paths", template, "Api", `"status":"$context.status"`, `"path":"$context.path","status":"$context.status"`, "paths and queries hold codes and states"},
	{"a log is kept for ever", template, "AuthorizeLogGroup", ", RetentionInDays: !Ref LogRetentionDays", "", "kept for ever"},
	{"a function logs elsewhere", template, "SigninFunction", "      LoggingConfig: {LogGroup: !Ref SigninLogGroup}\n", "", "a group without end"},
	{"lines and their metrics are left out", template, "", "LoggingConfig: {LogFormat: JSON, SystemLogLevel: WARN}", "LoggingConfig: {LogFormat: JSON, SystemLogLevel: WARN, ApplicationLogLevel: ERROR}", "lines and their metrics would be left out"},
	{"a role from elsewhere", template, "IssuerFunction", "!GetAtt Roles.Outputs.Issuer", "!Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/Administrator'", "what its role in infra/roles.yaml allows"},
	{"something may come into the network", network, "SecurityGroup", "      SecurityGroupEgress:", "      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 0.0.0.0/0}]\n      SecurityGroupEgress:", "nothing calls these functions"},
	{"functions stand on the internet", network, "PrivateRouteA", "NatGatewayId: !Ref NatGatewayA", "GatewayId: !Ref InternetGateway", "through a NAT gateway"},
	{"the domain speaks an old TLS", domain, "", "TLS_1_2", "TLS_1_0", "older versions of TLS are broken"},
	{"an address without encryption", template, "WeComApiUrl", "'(https://", "'(https?://", "codes and secrets would travel in the open"},
	{"an alarm tells nobody", monitoring, "ApiErrorsAlarm", "      AlarmActions: [!Ref AlarmTopic]\n", "", "nobody would be told"},
	{"an alarm fires when nobody comes", monitoring, "ApiErrorsAlarm", "TreatMissingData: notBreaching", "TreatMissingData: breaching", "nothing is written where nothing fails"},
	{"a bad callback takes over", template, "CallbackFunction", "[!Ref CallbackCanaryAlarm]", "[!Ref AlarmTopic]", "a version that fails must not take over"},
	{"another stack holds this one", template, "Dashboard", "    Value:", "    Export: {Name: dashboard}\n    Value:", "a stack that uses it would hold this one"},
}

// What the translation and cfn-lint find. `sam validate --lint` alone lets most pass.
var linted = []mistake{
	{"a variable names a resource that is not there", template, "SigninFunction", "!Ref TransientTable", "!Ref TransientTabel", "'TransientTabel' is not one of"},
	{"a runtime that Lambda does not know", template, "", "Runtime: provided.al2023", "Runtime: provided.al2022", "provided.al2022"},
	{"an action that IAM does not know", roles, "", "secretsmanager:DescribeSecret,", "secretsmanager:DescribeSecrets,", "describesecrets"},
	{"a retention that CloudWatch does not know", template, "AuthorizeLogGroup", "!Ref LogRetentionDays", "31", "31 is not one of"},
	{"a condition that nobody uses", domain, "", "Conditions:\n", "Conditions:\n  Never: !Equals [!Ref Api, none]\n", "Never"},
	{"a reference to nothing", network, "", "!GetAtt AddressA.PublicIp", "!GetAtt AddressC.PublicIp", "AddressC"},
}

// What SAM's translation refuses.
var refused = []mistake{
	{"a route asks an authorizer that is not there", template, "", "Auth: {Authorizer: Administrator}", "Auth: {Authorizer: Administrators}", "Administrators"},
	{"a route is there twice", template, "", "Method: OPTIONS, Path: /api/token}", "Method: OPTIONS, Path: /api/session}", "API method 'options' defined multiple times for path '/api/session'"},
}

// What the reader of the template finds, and what the tests compare it with.
var compared = []mistake{
	{"a route without a throttle", template, "Api", "        'POST /api/token': {ThrottlingRateLimit: 500, ThrottlingBurstLimit: 1000}\n", "", "POST /api/token"},
	{"a throttle for a route that is not there", template, "Api", "'GET /callback/{authenticator}': {", "'GET /callbacks/{authenticator}': {", "GET /callbacks/{authenticator}"},
	{"a public route asks for an administrator", template, "AdminFunction", "Path: /console}", "Path: /console, Auth: {Authorizer: Administrator}}", `GET /console: authorizer "Administrator"`},
	{"a function outlasts the gateway", template, "AdminFunction", "Timeout: 29", "Timeout: 30", "AdminFunction: 30s, but the gateway waits 30 s"},
	{"a program from elsewhere", template, "AuthorizerFunction", "functions/authorizer/lambda", "functions/issuer/lambda", "AuthorizerFunction: CodeUri functions/issuer/lambda"},
	{"a variable is not set", template, "SigninFunction", "          SIGNING_KEYS_SECRET: !Ref SigningKeys\n", "", "SIGNING_KEYS_SECRET"},
	{"a variable is there that nobody reads", template, "AuthorizerFunction", "          ADMIN_KEY_SECRET", "          SIGNING_KEYS_SECRET: !Ref SigningKeys\n          ADMIN_KEY_SECRET", "SIGNING_KEYS_SECRET"},
	{"a nested stack from elsewhere", template, "Network", "infra/network.yaml", "https://example.com/network.yaml", "https://example.com/network.yaml"},
}

// sabotaged writes the templates with a mistake and returns the path of the changed one.
func (m mistake) sabotaged(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, path := range append(nested(t), filepath.Join(root, template)) {
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if name == m.file {
			content = []byte(m.edited(t, string(content)))
		}
		if err := os.MkdirAll(filepath.Join(folder, "infra"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, m.file)
}

func (m mistake) edited(t *testing.T, text string) string {
	t.Helper()
	before, part, after := "", text, ""
	if m.part != "" {
		start := strings.Index(text, "\n  "+m.part+":\n") + len("\n  ")
		before, part = text[:start], text[start:]
		if next := regexp.MustCompile(`\n(?:  )?[A-Za-z]+:`).FindStringIndex(part[len(m.part):]); next != nil {
			after, part = part[len(m.part)+next[0]:], part[:len(m.part)+next[0]]
		}
	}
	if !strings.Contains(part, m.old) {
		t.Fatalf("%s: %s has no %q", m.name, m.part, m.old)
	}
	return before + strings.Replace(part, m.old, m.new, 1) + after
}

func TestMistakesAreFound(t *testing.T) {
	t.Parallel()
	found := findTools(t)
	all := slices.Concat(guarded, linted, refused)
	var jobs []job
	for i, m := range all {
		changed := m.sabotaged(t)
		jobs = append(jobs, job{changed, regions[0], "parameters/defaults.json", filepath.Join(filepath.Dir(changed), fmt.Sprintf("%d.json", i))})
	}
	said := map[int]string{}
	var outputs, linting []string
	for i, causes := range found.translate(t, jobs) {
		said[i] = strings.Join(causes, "\n")
		switch {
		case i < len(guarded):
			outputs = append(outputs, jobs[i].Output)
		case i < len(guarded)+len(linted):
			linting = append(linting, jobs[i].Output)
		}
	}
	broken := found.judge(t, outputs...)
	lint, _ := run(t, nil, found.lint, append(append(slices.Clone(lintArguments), "--format", "parseable", "--regions", regions[0], "--"), linting...)...)
	for i, m := range all {
		said[i] += broken[jobs[i].Output]
		for line := range strings.Lines(string(lint)) {
			if strings.HasPrefix(line, jobs[i].Output+":") {
				said[i] += line
			}
		}
		if !strings.Contains(said[i], m.want) {
			t.Errorf("%s is not found:\n%s", m.name, said[i])
		}
	}
	for _, m := range compared {
		template, err := samtemplate.ReadFile(filepath.Join(filepath.Dir(m.sabotaged(t)), "template.yaml"))
		faults := fmt.Sprint(err)
		if err == nil {
			faults = strings.Join(append(settingFaults(template), functionFaults(template)...), "\n")
		}
		if !strings.Contains(faults, m.want) {
			t.Errorf("%s is not found:\n%s", m.name, faults)
		}
	}
}

// A rule that no mistake breaks protects nothing, or nobody knows what.
func TestEveryRuleIsBroken(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("rules.guard")
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range regexp.MustCompile(`(?ms)^rule (\w+) .*?^}$`).FindAllStringSubmatch(string(content), -1) {
		if !slices.ContainsFunc(guarded, func(m mistake) bool { return strings.Contains(rule[0], m.want) }) {
			t.Errorf("no mistake breaks the rule %s", rule[1])
		}
	}
}
