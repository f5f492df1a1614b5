package permissions_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wecom-signin/wecom-signin/infra/cloudformation"
	"github.com/wecom-signin/wecom-signin/infra/permissions"
	"github.com/wecom-signin/wecom-signin/infra/teststack"
)

// recorded are the calls of testdata/calls.txt, for tests that do not make them.
type recorded struct {
	physical map[string]string
	families permissions.Families
	calls    map[string][]permissions.Call
}

func readRecorded(t *testing.T) recorded {
	t.Helper()
	content, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	secret := "arn:aws:secretsmanager:" + region + ":" + account + ":secret:"
	r := recorded{
		physical: map[string]string{"DirectoryTable": "directory", "TransientTable": "transient"},
		families: permissions.Families{secret + stackName + "/authenticators/"}, calls: map[string][]permissions.Call{},
	}
	for _, id := range []string{"AdminKey", "SealingKeys", "SigningKeys"} {
		r.physical[id] = secret + id + "-AbCdEf"
	}
	var function string
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if !strings.HasPrefix(line, " ") {
			function = fields[0]
			continue
		}
		id, rest, _ := strings.Cut(fields[0], "/")
		call := permissions.Call{Action: "secretsmanager:" + fields[1], Resource: r.physical[id]}
		switch {
		case id == "STACK":
			call.Resource = secret + stackName + "/" + strings.TrimSuffix(rest, "*") + "one-AbCdEf"
		case strings.HasSuffix(id, "Table"):
			call.Action, call.Resource = "dynamodb:"+fields[1], strings.TrimSuffix(tableARN(r.physical[id])+"/"+rest, "/")
			call.Keys = []string{"an-id"}
		}
		if len(fields) == 2 {
			r.calls[function] = append(r.calls[function], call)
		}
		for _, kind := range fields[2:] {
			call.Keys = []string{strings.ReplaceAll(strings.TrimSuffix(kind, ","), "*", "one")}
			r.calls[function] = append(r.calls[function], call)
		}
	}
	return r
}

// judge returns everything that is wrong about a template's roles, with another text of
// one of its files.
func (r recorded) judge(file, text string, parameters map[string]string) []string {
	stack, err := teststack.Evaluate(func(path string) (*cloudformation.Template, error) {
		if path == file {
			return cloudformation.Read(strings.NewReader(text))
		}
		return teststack.ReadFrom(moduleRoot)(path)
	}, values(parameters, r.physical))
	if err != nil {
		return []string{err.Error()}
	}
	roles, faults := permissions.Roles(stack)
	for id, calls := range r.calls {
		for _, fault := range permissions.Compare(roles[id], calls, r.families, logGroup(stack, id)) {
			faults = append(faults, id+": "+fault)
		}
	}
	return faults
}

func readTemplate(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(moduleRoot, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// The roles of the template allow what was recorded; what follows breaks them.
func TestRolesAllowWhatWasRecorded(t *testing.T) {
	r := readRecorded(t)
	for _, mode := range []string{"none", "nat", "nat-closing"} {
		if faults := r.judge("", "", map[string]string{"EgressMode": mode}); len(faults) > 0 {
			t.Errorf("EgressMode %s:\n%s", mode, strings.Join(faults, "\n"))
		}
	}
}

// Every mistake that makes a role too wide, too narrow or unclear is found.
func TestMistakesInRolesAreFound(t *testing.T) {
	const conditional = `,
                 Condition: {ForAllValues:StringLike: {dynamodb:LeadingKeys: [signing-keys]}, 'Null': {dynamodb:LeadingKeys: 'false'}}`
	const network = `              - {Effect: Allow, Action: [ec2:CreateNetworkInterface, ec2:DescribeNetworkInterfaces, ec2:DescribeSubnets, ec2:DeleteNetworkInterface, ec2:AssignPrivateIpAddresses, ec2:UnassignPrivateIpAddresses], Resource: '*'}
              - {Effect: Deny, Action: [ec2:CreateNetworkInterface, ec2:DescribeNetworkInterfaces, ec2:DescribeSubnets, ec2:DeleteNetworkInterface, ec2:AssignPrivateIpAddresses, ec2:UnassignPrivateIpAddresses], Resource: '*', Condition: {'Null': {'lambda:SourceFunctionArn': 'false'}}}
`
	tests := []struct {
		mistake  string
		resource string // the first match in this resource is changed
		old, new string
		egress   string
		want     string
	}{
		// Too little.
		{"an action is missing", "CallbackRole", "[dynamodb:GetItem, dynamodb:UpdateItem]", "[dynamodb:GetItem]", "", "too little: dynamodb:UpdateItem"},
		{"a secret's action is missing", "RotateKeysRole", ", secretsmanager:UpdateSecretVersionStage", "", "", "too little: secretsmanager:UpdateSecretVersionStage"},
		{"a kind of record is missing", "CallbackRole", "'phone#*', ", "", "", "CallbackFunction: too little: dynamodb:GetItem"},
		{"a leading key is too narrow", "SigninRole", "'outcome#*'", "'outcome#a*'", "", "too little: dynamodb:GetItem"},
		{"a leading key is exact where records have more", "SigninRole", "'outcome#*'", "'outcome#'", "", "too little: dynamodb:GetItem"},
		{"the wrong table", "IssuerRole", "!Ref DirectoryTable", "!Ref TransientTable", "", "too little: dynamodb:GetItem"},
		{"the wrong secret", "AuthorizeRole", "!Ref SealingKeys", "!Ref SigningKeys", "", "too little: secretsmanager:GetSecretValue"},
		{"no log", "IssuerRole", "logs:CreateLogStream, ", "", "", "too little: logs:CreateLogStream"},

		// Too much.
		{"an action too many", "IssuerRole", "[dynamodb:GetItem]", "[dynamodb:GetItem, dynamodb:Query]", "", "too much: dynamodb:Query"},
		{"a secret's action too many", "SigninRole", "[secretsmanager:GetSecretValue]", "[secretsmanager:GetSecretValue, secretsmanager:PutSecretValue]", "", "too much: secretsmanager:PutSecretValue"},
		{"a kind of record too many", "IssuerRole", "[signing-keys]", "[signing-keys, 'user#*']", "", "too much: dynamodb:GetItem"},
		{"a leading key that fits more kinds", "SigninRole", "'user#*'", "'user*'", "", "user*"},
		{"a leading key with a * too many", "IssuerRole", "[signing-keys]", "['signing-keys*']", "", "signing-keys*"},
		{"every leading key", "IssuerRole", "[signing-keys]", "['*']", "", `leading key "*" has a *`},
		{"more secrets than the authenticators'", "AdminRole", "${ServiceName}/authenticators/*", "${ServiceName}/*", "", "too much: secretsmanager:GetSecretValue"},
		{"every secret", "AdminRole", "secret:${ServiceName}/authenticators/*", "secret:*", "", "too much: secretsmanager:GetSecretValue"},
		{"resources that nobody has listed", "AdminRole", "secret:${ServiceName}/authenticators/*", "secret:${ServiceName}*", "", "secret:signin-permissions*: name the resource"},
		{"every index", "AdminRole", "/index/attempts-of-user", "/index/*", "", "/index/*"},
		{"a table and what is below", "IssuerRole", "!Ref DirectoryTable,", "!Sub '${DirectoryTable}*',", "", "too much: dynamodb:GetItem"},
		{"the log of another function", "IssuerRole", "${ServiceName}/issuer:", "${ServiceName}/admin:", "", "too much: logs:CreateLogStream"},
		{"every log", "IssuerRole", "log-group:/aws/lambda/${ServiceName}/issuer:*", "log-group:*", "", "too much: logs:CreateLogStream"},
		{"the same twice", "IssuerRole", "[dynamodb:GetItem]", "[dynamodb:GetItem, dynamodb:GetItem]", "", "twice: dynamodb:GetItem"},
		{"no leading keys", "IssuerRole", conditional, "", "", "without leading keys"},

		// What is not exact.
		{"an action with a wildcard", "IssuerRole", "dynamodb:GetItem", "'dynamodb:Get*'", "", "unknown action dynamodb:Get*"},
		{"every action of a service", "IssuerRole", "dynamodb:GetItem", "'dynamodb:*'", "", "unknown action dynamodb:*"},
		{"every action", "IssuerRole", "dynamodb:GetItem", "'*'", "", "unknown action *"},
		{"an action that does not exist", "CallbackRole", "[dynamodb:PutItem]", "[dynamodb:TransactWriteItems]", "", "unknown action dynamodb:TransactWriteItems"},
		{"a scan", "IssuerRole", "dynamodb:GetItem", "dynamodb:Scan", "", "unknown action dynamodb:Scan"},
		{"NotAction", "IssuerRole", "Action: [dynamodb:GetItem]", "NotAction: [dynamodb:DeleteItem]", "", "NotAction is not understood"},
		{"NotResource", "AuthorizerRole", "Resource: !Ref AdminKey", "NotResource: !Ref SigningKeys", "", "NotResource is not understood"},
		{"every resource", "AuthorizerRole", "Resource: !Ref AdminKey", "Resource: '*'", "", "resource * is no ARN"},
		{"every resource of every region", "AuthorizerRole", "Resource: !Ref AdminKey", "Resource: !Sub 'arn:${AWS::Partition}:secretsmanager:*:${AWS::AccountId}:secret:x'", "", "is no ARN, or has a *"},
		{"Null is left out", "IssuerRole", ", 'Null': {dynamodb:LeadingKeys: 'false'}", "", "", "the condition must be"},
		{"Null is the other way round", "IssuerRole", "'false'", "'true'", "", "the condition must be"},
		{"any of the keys will do", "IssuerRole", "ForAllValues:StringLike", "ForAnyValue:StringLike", "", "the condition must be"},
		{"keys only if there are any", "IssuerRole", "ForAllValues:StringLike", "ForAllValues:StringLikeIfExists", "", "the condition must be"},
		{"a condition of another kind", "IssuerRole", "dynamodb:LeadingKeys: [", "dynamodb:Attributes: [", "", "the condition must be"},
		{"a denial that is not understood", "IssuerRole", "Effect: Allow, Action: [dynamodb", "Effect: Deny, Action: [dynamodb", "", "effect Deny is not understood"},

		// Where permissions come from.
		{"somebody else may use the role", "IssuerRole", "Service: lambda.amazonaws.com", "Service: ec2.amazonaws.com", "", "lambda.amazonaws.com may assume it, and nobody else"},
		{"two may use the role", "IssuerRole", "Service: lambda.amazonaws.com", "Service: [lambda.amazonaws.com, edgelambda.amazonaws.com]", "", "and nobody else"},
		{"everybody may use the role", "IssuerRole", "{Service: lambda.amazonaws.com}", "'*'", "", "and nobody else"},
		{"a managed policy", "IssuerRole", "      Policies:", "      ManagedPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess']\n      Policies:", "", "ManagedPolicyArns: roles here have inline policies"},
		{"a role of two functions", "AuthorizeFunction", "!GetAtt Roles.Outputs.Authorize", "!GetAtt Roles.Outputs.Issuer", "", "IssuerRole: it is the role of 2 functions"},
		{"a function whose role SAM makes", "IssuerFunction", "      Role: !GetAtt Roles.Outputs.Issuer\n", "", "", "IssuerFunction: it has no role of its own"},
		{"a function with policies beside its role", "IssuerFunction", "      Role: ", "      Policies: [AWSLambdaBasicExecutionRole]\n      Role: ", "", "IssuerFunction: Policies is there"},
		{"a role from elsewhere", "IssuerFunction", "!GetAtt Roles.Outputs.Issuer", "!Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/Administrator'", "", "Administrator is the role of IssuerFunction and is not in the template"},
		{"a policy beside the roles", "RotateKeysPermission", "Type: AWS::Lambda::Permission", "Type: AWS::IAM::ManagedPolicy", "", "an AWS::IAM::ManagedPolicy gives permissions"},
		{"anybody may invoke a function", "RotateKeysPermission", "      SourceArn: !Ref SigningKeys\n", "", "", "RotateKeysPermission: whoever may invoke"},

		// The network.
		{"the network without a denial", "InterfacePolicy", "- Effect: Deny", "- Effect: Allow", "nat", "the network is allowed without a condition, and denied"},
		{"a denial for nobody", "InterfacePolicy", "lambda:SourceFunctionArn: 'false'", "lambda:SourceFunctionArn: 'true'", "nat", "the network is allowed without a condition, and denied"},
		{"another action of the network", "InterfacePolicy", "[ec2:CreateNetworkInterface, ", "[ec2:CreateNetworkInterface, ec2:RunInstances, ", "nat", "the actions of Lambda's connection"},
		{"a network beside the two functions that have one", "IssuerRole", "            Statement:\n", "            Statement:\n" + network, "nat", "IssuerRole: the network is allowed: true, and IssuerFunction has one: false"},
		{"no network where there is one", "AdminFunction", "      VpcConfig: !If\n        - CalledThroughNat\n", "      VpcConfig: !If\n        - HasDomain\n", "nat", "AdminRole: the network is allowed: true, and AdminFunction has one: false"},
	}
	r := readRecorded(t)
	for _, test := range tests {
		t.Run(test.mistake, func(t *testing.T) {
			file := "template.yaml"
			switch {
			case strings.HasSuffix(test.resource, "Role"):
				file = "infra/roles.yaml"
			case test.resource == "InterfacePolicy":
				file = "infra/network.yaml"
			}
			template := readTemplate(t, file)
			start := strings.Index(template, "\n  "+test.resource+":\n")
			if start < 0 {
				t.Fatalf("the template has no %s", test.resource)
			}
			end := start + 1 + len(test.resource)
			if next := regexp.MustCompile(`\n  [A-Za-z]+:\n`).FindStringIndex(template[end:]); next != nil {
				end += next[0]
			} else {
				end = len(template)
			}
			changed := strings.Replace(template[start:end], test.old, test.new, 1)
			if changed == template[start:end] {
				t.Fatalf("%s has no %q", test.resource, test.old)
			}
			parameters := map[string]string{}
			if test.egress != "" {
				parameters["EgressMode"] = test.egress
			}
			faults := r.judge(file, template[:start]+changed+template[end:], parameters)
			if !slices.ContainsFunc(faults, func(fault string) bool { return strings.Contains(fault, test.want) }) {
				t.Errorf("not found: %s\nfound: %s", test.want, strings.Join(faults, "\n"))
			}
		})
	}
}

// The other stacks below the template give no permissions at all.
func TestNestedStacksHaveNoRoles(t *testing.T) {
	for _, file := range []string{"infra/directory.yaml", "infra/domain.yaml", "infra/monitoring.yaml"} {
		content := readTemplate(t, file)
		if found := regexp.MustCompile(`Type: (AWS::IAM::.*|.*Policy|AWS::Lambda::Permission)\n`).FindString(content); found != "" {
			t.Errorf("%s has %s", file, found)
		}
	}
}

// A stack in another partition must not speak of this one.
func TestRolesNameNoPartition(t *testing.T) {
	template, err := cloudformation.ReadFile(filepath.Join(moduleRoot, "infra/roles.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for region, partition := range map[string]string{"eu-central-1": "aws", "cn-northwest-1": "aws-cn", "us-gov-west-1": "aws-us-gov"} {
		parameters := map[string]string{"ServiceName": stackName}
		for _, name := range []string{"DirectoryTable", "TransientTable", "AdminKey", "SealingKeys", "SigningKeys"} {
			parameters[name] = fmt.Sprintf("arn:%s:service:%s:%s:%s", partition, region, account, name)
		}
		stack, err := template.Evaluate(cloudformation.Values{Parameters: parameters, Pseudo: map[string]string{"AWS::Region": region}})
		if err != nil {
			t.Fatal(err)
		}
		for id, resource := range stack.Resources {
			if resource.Type != "AWS::IAM::Role" {
				continue
			}
			role, err := permissions.ReadRole(resource)
			if err != nil {
				t.Errorf("%s: %v", id, err)
			}
			for _, grant := range role.Grants() {
				if parts := strings.Split(grant.Resource, ":"); parts[1] != partition || parts[3] != region {
					t.Errorf("%s in %s: %s", id, region, grant)
				}
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(moduleRoot, "infra/*.yaml"))
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, file := range append(files, filepath.Join(moduleRoot, "template.yaml")) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		number := 0
		for line := range strings.Lines(string(content)) {
			number++
			for pattern, why := range map[string]string{
				`arn:aws[:-]`: "an ARN of one partition",
				`amazonaws\.com\.cn|[^b]\.amazonaws\.com['"/]`: "a host of one partition",
			} {
				if regexp.MustCompile(pattern).MatchString(line) {
					t.Errorf("%s:%d has %s: %s", file, number, why, line)
				}
			}
		}
	}
}
