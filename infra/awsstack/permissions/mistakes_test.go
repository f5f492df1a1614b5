package permissions_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/awsstack/permissions"
)

// mistake is one in a role's documents, which are JSON without spaces, or anywhere else.
type mistake struct {
	name     string
	function string // whose role is changed
	old, new string // DIRECTORY and such stand for the ARN of a resource
	change   func(permissions.Deployed)
	want     string
}

// Every mistake that makes a role too wide, too narrow or unclear is found.
var mistakes = []mistake{
	// Too little.
	{name: "an action is missing", function: "Callback", old: `"dynamodb:BatchGetItem","dynamodb:UpdateItem"`, new: `"dynamodb:BatchGetItem"`, want: "too little: dynamodb:UpdateItem"},
	{name: "a secret's action is missing", function: "RotateKeys", old: `,"secretsmanager:UpdateSecretVersionStage"`, want: "too little: secretsmanager:UpdateSecretVersionStage"},
	{name: "a kind of record is missing", function: "Callback", old: `"phone#*",`, want: "CallbackFunction: too little: dynamodb:GetItem"},
	{name: "a leading key is too narrow", function: "Signin", old: `"outcome#*"`, new: `"outcome# *"`, want: "too little: dynamodb:GetItem"},
	{name: "a leading key is exact where records have more", function: "Signin", old: `"outcome#*"`, new: `"outcome#"`, want: "too little: dynamodb:GetItem"},
	{name: "the wrong table", function: "Issuer", old: "DIRECTORY", new: "TRANSIENT", want: "too little: dynamodb:GetItem"},
	{name: "the wrong secret", function: "Authorize", old: "SEALING", new: "SIGNING", want: "too little: secretsmanager:GetSecretValue"},
	{
		name: "the keys of one call are in two statements", function: "Callback",
		old: `{"dynamodb:LeadingKeys":["identity#*","phone#*","user#*","users","user-names"]}`,
		new: `{"dynamodb:LeadingKeys":["users"]},"Null":{"dynamodb:LeadingKeys":"false"}},"Effect":"Allow","Resource":"DIRECTORY"},` +
			`{"Action":["dynamodb:PutItem"],"Condition":{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["identity#*","phone#*","user#*","user-names"]}`,
		want: "too little: dynamodb:PutItem",
	},
	{name: "the queue cannot be read", function: "Notify", old: `"sqs:ReceiveMessage",`, want: "too little: sqs:ReceiveMessage"},
	{name: "nobody can be told", function: "Signin", old: `"sqs:SendMessage"`, new: `"sqs:GetQueueAttributes"`, want: "too little: sqs:SendMessage"},
	{name: "no log", function: "Issuer", old: `"logs:CreateLogStream",`, want: "too little: logs:CreateLogStream"},

	// Too much.
	{name: "an action too many", function: "Issuer", old: `["dynamodb:GetItem"]`, new: `["dynamodb:GetItem","dynamodb:Query"]`, want: "too much: dynamodb:Query"},
	{name: "a secret's action too many", function: "Signin", old: `["secretsmanager:GetSecretValue"]`, new: `["secretsmanager:GetSecretValue","secretsmanager:PutSecretValue"]`, want: "too much: secretsmanager:PutSecretValue"},
	{name: "a kind of record too many", function: "Issuer", old: `["signing-keys"]`, new: `["signing-keys","user#*"]`, want: "too much: dynamodb:GetItem"},
	{name: "a leading key that fits more kinds", function: "Signin", old: `"user#*"`, new: `"user*"`, want: "user*"},
	{name: "a leading key with a * too many", function: "Issuer", old: `["signing-keys"]`, new: `["signing-keys*"]`, want: "signing-keys*"},
	{name: "every leading key", function: "Issuer", old: `["signing-keys"]`, new: `["*"]`, want: `leading key "*" has a *`},
	{name: "more secrets than the authenticators'", function: "Admin", old: "/authenticators/*", new: "/*", want: "too much: secretsmanager:GetSecretValue"},
	{name: "every secret", function: "Admin", old: ":secret:signin-permissions/authenticators/*", new: ":secret:*", want: "too much: secretsmanager:GetSecretValue"},
	{name: "resources that nobody has listed", function: "Admin", old: "/authenticators/*", new: "*", want: "secret:signin-permissions*: name the resource"},
	{name: "every index", function: "Admin", old: "/index/attempts-of-user", new: "/index/*", want: "/index/*"},
	{name: "a table and what is below", function: "Issuer", old: `DIRECTORY"`, new: `DIRECTORY*"`, want: "too much: dynamodb:GetItem"},
	{name: "who ends sessions may read the queue", function: "Signin", old: `["sqs:SendMessage"]`, new: `["sqs:SendMessage","sqs:ReceiveMessage"]`, want: "too much: sqs:ReceiveMessage"},
	{name: "APIs are answered with the signing keys at hand", function: "SessionAuthorizer", old: `"SEALING"`, new: `"SIGNING"`, want: "too much: secretsmanager:GetSecretValue"},
	{name: "who answers APIs writes attempts", function: "SessionAuthorizer", old: `["dynamodb:BatchGetItem"]`, new: `["dynamodb:BatchGetItem","dynamodb:PutItem"]`, want: "too much: dynamodb:PutItem"},
	{name: "proxies are answered with the signing keys at hand", function: "ForwardAuth", old: `"SEALING"`, new: `"SIGNING"`, want: "too much: secretsmanager:GetSecretValue"},
	{name: "the log of another function", function: "Issuer", old: "/issuer:*", new: "/admin:*", want: "too much: logs:CreateLogStream"},
	{name: "every log", function: "Issuer", old: "/aws/lambda/signin-permissions/issuer:*", new: "*", want: "too much: logs:CreateLogStream"},
	{name: "the same twice", function: "Issuer", old: `["dynamodb:GetItem"]`, new: `["dynamodb:GetItem","dynamodb:GetItem"]`, want: "twice: dynamodb:GetItem"},
	{name: "no leading keys", function: "Issuer", old: `"Condition":{"ForAllValues:StringLike":{"dynamodb:LeadingKeys":["signing-keys"]},"Null":{"dynamodb:LeadingKeys":"false"}},`, want: "without leading keys"},

	// What is not exact.
	{name: "an action with a wildcard", function: "Issuer", old: "dynamodb:GetItem", new: "dynamodb:Get*", want: "unknown action dynamodb:Get*"},
	{name: "every action of a service", function: "Issuer", old: "dynamodb:GetItem", new: "dynamodb:*", want: "unknown action dynamodb:*"},
	{name: "every action", function: "Issuer", old: "dynamodb:GetItem", new: "*", want: "unknown action *"},
	{name: "an action that does not exist", function: "Callback", old: `["dynamodb:PutItem"]`, new: `["dynamodb:TransactWriteItems"]`, want: "unknown action dynamodb:TransactWriteItems"},
	{name: "a scan", function: "Issuer", old: "dynamodb:GetItem", new: "dynamodb:Scan", want: "unknown action dynamodb:Scan"},
	{name: "NotAction", function: "Issuer", old: `"Action":["dynamodb:GetItem"]`, new: `"NotAction":["dynamodb:DeleteItem"]`, want: `unknown field "NotAction"`},
	{name: "NotResource", function: "Authorizer", old: `"Resource":"ADMIN"`, new: `"NotResource":"SIGNING"`, want: `unknown field "NotResource"`},
	{name: "every resource", function: "Authorizer", old: `"Resource":"ADMIN"`, new: `"Resource":"*"`, want: "resource * is not an ARN"},
	{name: "every resource of every region", function: "Authorizer", old: `"Resource":"ADMIN"`, new: `"Resource":"arn:aws:secretsmanager:*:111122223333:secret:x"`, want: "is not an ARN, or has a *"},
	{name: "Null is left out", function: "Issuer", old: `,"Null":{"dynamodb:LeadingKeys":"false"}`, want: "the condition must be"},
	{name: "Null is the other way round", function: "Issuer", old: `"false"`, new: `"true"`, want: "the condition must be"},
	{name: "any of the keys will do", function: "Issuer", old: "ForAllValues:StringLike", new: "ForAnyValue:StringLike", want: "the condition must be"},
	{name: "keys only if there are any", function: "Issuer", old: "ForAllValues:StringLike", new: "ForAllValues:StringLikeIfExists", want: "the condition must be"},
	{name: "a condition of another kind", function: "Issuer", old: `"dynamodb:LeadingKeys":[`, new: `"dynamodb:Attributes":[`, want: "the condition must be"},
	{name: "a denial that is not understood", function: "Issuer", old: `}},"Effect":"Allow"`, new: `}},"Effect":"Deny"`, want: "effect Deny is not understood"},
	{name: "a policy of another version", function: "Issuer", old: `"Version":"2012-10-17"`, new: `"Version":"2008-10-17"`, want: "it must have the version of 2012"},

	// Where permissions come from.
	{name: "somebody else may use the role", function: "Issuer", old: "lambda.amazonaws.com", new: "ec2.amazonaws.com", want: "lambda.amazonaws.com may assume it, and nobody else"},
	{name: "two may use the role", function: "Issuer", old: `"lambda.amazonaws.com"`, new: `["lambda.amazonaws.com","edgelambda.amazonaws.com"]`, want: "and nobody else"},
	{name: "everybody may use the role", function: "Issuer", old: `{"Service":"lambda.amazonaws.com"}`, new: `"*"`, want: "and nobody else"},
	{name: "a managed policy, or a role that SAM makes", change: func(d permissions.Deployed) {
		role := d.Roles[d.Functions["IssuerFunction"].Role]
		role.Managed = []string{"arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}
		d.Roles[d.Functions["IssuerFunction"].Role] = role
	}, want: "roles here have inline policies and nothing else"},
	{name: "a role of two functions", change: func(d permissions.Deployed) {
		function := d.Functions["AuthorizeFunction"]
		function.Role = d.Functions["IssuerFunction"].Role
		d.Functions["AuthorizeFunction"] = function
	}, want: "it is the role of 2 functions"},
	{name: "a role from elsewhere", change: func(d permissions.Deployed) {
		function := d.Functions["IssuerFunction"]
		function.Role = "Administrator"
		d.Functions["IssuerFunction"] = function
	}, want: "IssuerFunction: its role Administrator is not in the account"},
	{name: "a role of nobody", change: func(d permissions.Deployed) {
		d.Roles["Nobody"] = d.Roles[d.Functions["IssuerFunction"].Role]
	}, want: "Nobody: it is the role of 0 functions"},
	{name: "CodeDeploy may do more", change: inRoleOf("codedeploy", func(d *permissions.Documents) { d.Inline = map[string]string{"more": "{}"} }), want: "lambda.amazonaws.com may assume it, and nobody else"},
	{name: "a policy beside the roles", change: func(d permissions.Deployed) { d.Beside[0] = "Policy" }, want: "Policy gives permissions beside the roles"},
	{name: "anybody may invoke a function", change: func(d permissions.Deployed) {
		function := d.Functions["RotateKeysFunction"]
		_, after, _ := strings.Cut(function.Invokers, `"AWS:SourceArn"`)
		function.Invokers = strings.ReplaceAll(function.Invokers, `"AWS:SourceArn"`+after[:strings.Index(after, "}")], "")
		d.Functions["RotateKeysFunction"] = function
	}, want: "RotateKeysFunction: who may invoke a function is named"},
	{name: "a network where there is none", function: "Admin", old: `"Statement":[`, new: `"Statement":[` + network + ",", want: "the network is allowed: true, and AdminFunction has one: false"},
}

const (
	networkActions = `["ec2:CreateNetworkInterface","ec2:DescribeNetworkInterfaces","ec2:DescribeSubnets","ec2:DeleteNetworkInterface","ec2:AssignPrivateIpAddresses","ec2:UnassignPrivateIpAddresses"]`
	network        = `{"Action":` + networkActions + `,"Effect":"Allow","Resource":"*"},` + ownCode
	ownCode        = `{"Action":` + networkActions + `,"Condition":{"Null":{"lambda:SourceFunctionArn":"false"}},"Effect":"Deny","Resource":"*"}`
)

// inRoleOf changes the role of a service.
func inRoleOf(service string, change func(*permissions.Documents)) func(permissions.Deployed) {
	return func(d permissions.Deployed) {
		for name, role := range d.Roles {
			if strings.Contains(role.Trust, service) {
				role.Inline = maps.Clone(role.Inline)
				change(&role)
				d.Roles[name] = role
			}
		}
	}
}

// networkMistakes are those where there is a network, and a bot that is told of alarms.
var networkMistakes = []mistake{
	{name: "the bot's role may call every address", change: inRoleOf("events.", func(d *permissions.Documents) {
		d.Inline["bot"] = regexp.MustCompile(`"arn:[^"]*"`).ReplaceAllString(d.Inline["bot"], `"*"`)
	}), want: "lambda.amazonaws.com may assume it, and nobody else"},
	{name: "the bot's role may do more", change: inRoleOf("events.", func(d *permissions.Documents) {
		d.Inline["more"] = d.Inline["bot"]
	}), want: "lambda.amazonaws.com may assume it, and nobody else"},
	{name: "the network without a denial", function: "Admin", old: "," + ownCode, want: "the function's own code must be denied"},
	{name: "a denial for nobody", function: "Admin", old: `"lambda:SourceFunctionArn":"false"`, new: `"lambda:SourceFunctionArn":"true"`, want: "denied to the function's own code"},
	{name: "another action of the network", function: "Admin", old: `["ec2:CreateNetworkInterface",`, new: `["ec2:CreateNetworkInterface","ec2:RunInstances",`, want: "what Lambda needs to connect to a network"},
	{name: "a network beside the functions that have one", function: "Issuer", old: `"Statement":[`, new: `"Statement":[` + network + ",", want: "the network is allowed: true, and IssuerFunction has one: false"},
	{name: "no network where there is one", change: func(d permissions.Deployed) {
		function := d.Functions["AdminFunction"]
		function.Connected = false
		d.Functions["AdminFunction"] = function
	}, want: "the network is allowed: true, and AdminFunction has one: false"},
}

// find plants each of the mistakes in what is deployed without a fault.
func find(t *testing.T, mistakes []mistake, w *world, r recorded, deployed permissions.Deployed) {
	t.Helper()
	resources := w.Resources(t)
	table := "arn:aws:dynamodb:eu-central-1:111122223333:table/"
	names := strings.NewReplacer(
		"DIRECTORY", table+w.Outputs(t)["DirectoryTable"], "TRANSIENT", table+w.Outputs(t)["TransientTable"],
		"ADMIN", resources["AdminKey"], "SEALING", resources["SealingKeys"], "SIGNING", resources["SigningKeys"],
	)
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			changed := deployed
			changed.Functions, changed.Roles, changed.Beside = maps.Clone(deployed.Functions), maps.Clone(deployed.Roles), make([]string, 1)
			if m.change != nil {
				m.change(changed)
			} else {
				name := changed.Functions[m.function+"Function"].Role
				changed.Roles[name] = plant(t, changed.Roles[name], names.Replace(m.old), names.Replace(m.new))
			}
			faults := r.judge(changed)
			if !slices.ContainsFunc(faults, func(fault string) bool { return strings.Contains(fault, m.want) }) {
				t.Errorf("not found: %s\nfound: %s", m.want, strings.Join(faults, "\n"))
			}
		})
	}
}

// plant changes the first match in a role.
func plant(t *testing.T, role permissions.Documents, old, new string) permissions.Documents {
	t.Helper()
	planted := false
	change := func(document string) string {
		var value any
		must(t, json.Unmarshal([]byte(document), &value))
		var compact bytes.Buffer // with its keys in order
		encoder := json.NewEncoder(&compact)
		encoder.SetEscapeHTML(false)
		must(t, encoder.Encode(value))
		changed := strings.Replace(compact.String(), old, new, 1)
		planted = planted || changed != compact.String()
		return changed
	}
	role.Inline = maps.Clone(role.Inline)
	for name, document := range role.Inline {
		role.Inline[name] = change(document)
	}
	if !planted {
		role.Trust = change(role.Trust)
	}
	if !planted {
		t.Fatalf("there is no %s in %v", old, role)
	}
	return role
}
